-- Promotions that a person said yes to are told by mail; the sweeper looks for them each minute.
create index tier_reviews_decided on tier_reviews (decided_at)
  where decided_at is not null and outcome = 'promoted';
