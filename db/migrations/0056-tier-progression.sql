-- How partners move between tiers: what each review decided for each of them, the grace before a
-- tier falls, and what people decide about it.

-- One row for each partner and period, also for those whose tier stays: a review decides once.
create table tier_reviews (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  period text not null,
  -- Where the window ends that was looked at: of two reviews the later one counts.
  window_until timestamptz not null,
  metric_minor bigint not null,
  currency text not null references currencies,
  tier text not null check (tier in ('bronze', 'silver', 'gold', 'platinum')),
  reached text not null check (reached in ('bronze', 'silver', 'gold', 'platinum')),
  outcome text not null check (outcome in (
    'promoted', 'kept', 'gated', 'awaiting', 'declined', 'warned', 'superseded')),
  cause text not null check (cause in (
    'reached', 'within_tolerance', 'below_threshold', 'certification', 'approval', 'in_grace',
    'overridden', 'locked', 'protected', 'not_quarter_end', 'later_review')),
  to_tier text check (to_tier in ('bronze', 'silver', 'gold', 'platinum')),
  reviewed_at timestamptz not null default clock_timestamp(),
  -- Who said yes or no where a promotion waits for a person.
  decided_by uuid references members,
  decided_at timestamptz,
  decision_reason text check (decision_reason <> ''),
  unique (partner_id, period),
  check ((to_tier is null) = (outcome in ('kept', 'superseded'))),
  check (num_nulls(decided_by, decided_at, decision_reason) in (0, 3)),
  check (decided_by is null or outcome in ('promoted', 'declined')),
  check (outcome <> 'declined' or decided_by is not null),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column tier_reviews.reseller_id is 'stamped';
comment on column tier_reviews.master_id is 'stamped';
create index tier_reviews_by_period on tier_reviews (period, id);
create trigger tier_reviews_placed before insert on tier_reviews
  for each row when (new.master_id is null) execute function stamp_place();

create function guard_tier_review() returns trigger language plpgsql as $$
begin
  if old.outcome <> 'awaiting'
    or to_jsonb(new) - '{outcome,decided_by,decided_at,decision_reason}'::text[]
      <> to_jsonb(old) - '{outcome,decided_by,decided_at,decision_reason}'::text[]
    or new.outcome not in ('promoted', 'declined') or new.decided_by is null then
    raise exception 'review % is decided', old.id using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger tier_reviews_guarded before update on tier_reviews
  for each row execute function guard_tier_review();
create trigger tier_reviews_stay before delete on tier_reviews
  for each row execute function refuse_removal();
create trigger tier_reviews_stay_all before truncate on tier_reviews
  for each statement execute function refuse_removal();

-- The time between a figure that is too small and the fall by one tier.
create table tier_graces (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  -- The period whose review opened it.
  period text not null,
  from_tier text not null check (from_tier in ('bronze', 'silver', 'gold', 'platinum')),
  to_tier text not null check (to_tier in ('bronze', 'silver', 'gold', 'platinum')),
  metric_minor bigint not null,
  -- The figure with which the tier is kept.
  least_minor bigint not null,
  currency text not null references currencies,
  opened_at timestamptz not null default clock_timestamp(),
  falls_at timestamptz not null check (falls_at > opened_at),
  status text not null default 'open'
    check (status in ('open', 'demoted', 'recovered', 'waived', 'ended')),
  ended_at timestamptz,
  ending text check (ending in (
    'quarter_end', 'by_person', 'recovered', 'locked', 'overridden', 'tier_changed',
    'partner_left')),
  -- The period whose review found that the figure suffices again.
  ended_period text,
  unique (partner_id, period),
  check ((status = 'open') = (ended_at is null)),
  check ((status = 'open') = (ending is null)),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column tier_graces.reseller_id is 'stamped';
comment on column tier_graces.master_id is 'stamped';
create unique index tier_graces_open on tier_graces (partner_id) where status = 'open';
create trigger tier_graces_placed before insert on tier_graces
  for each row when (new.master_id is null) execute function stamp_place();
create function guard_tier_grace() returns trigger language plpgsql as $$
begin
  if old.status <> 'open'
    or to_jsonb(new) - '{status,ended_at,ending,ended_period,metric_minor}'::text[]
      <> to_jsonb(old) - '{status,ended_at,ending,ended_period,metric_minor}'::text[] then
    raise exception 'grace % ends once, and what it is about never changes', old.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger tier_graces_guarded before update on tier_graces
  for each row execute function guard_tier_grace();
create trigger tier_graces_stay before delete on tier_graces
  for each row execute function refuse_removal();
create trigger tier_graces_stay_all before truncate on tier_graces
  for each statement execute function refuse_removal();

-- The words stay here; processes carry the id. One that was refused has no applied_at.
create table tier_grace_decisions (
  id uuid primary key,
  grace_id uuid not null references tier_graces,
  kind text not null check (kind in ('waive', 'apply')),
  reason text not null check (reason <> ''),
  member_id uuid not null references members,
  recorded_at timestamptz not null default clock_timestamp(),
  applied_at timestamptz
);
create index tier_grace_decisions_by_grace on tier_grace_decisions (grace_id, id);
create trigger tier_grace_decisions_stay before delete on tier_grace_decisions
  for each row execute function refuse_removal();
create trigger tier_grace_decisions_stay_all before truncate on tier_grace_decisions
  for each statement execute function refuse_removal();

-- While a lock holds, the partner's tier does not fall. A new one takes the place of the last.
create table tier_locks (
  id uuid primary key,
  partner_id uuid not null references partners,
  until timestamptz,
  reason text not null check (reason <> ''),
  locked_by uuid not null references members,
  locked_at timestamptz not null default clock_timestamp(),
  released_at timestamptz,
  released_by uuid references members,
  check (until > locked_at),
  check ((released_at is null) = (released_by is null))
);
create unique index tier_locks_open on tier_locks (partner_id) where released_at is null;
create trigger tier_locks_stay before delete on tier_locks
  for each row execute function refuse_removal();
create trigger tier_locks_stay_all before truncate on tier_locks
  for each statement execute function refuse_removal();

-- A tier also changes by a person's yes to what a review proposed, and a review lowers by one step.
create or replace function refuse_lone_tier() returns trigger language plpgsql as $$
declare
  level text := context_level();
begin
  if new.approval_id is not null then
    if not exists (select from approvals
        where id = new.approval_id and kind = 'tier_override' and status = 'approved'
          and concerned_id = new.partner_id and tier in (new.tier, new.previous_tier)) then
      raise exception 'tier override % was not approved like this by two persons', new.approval_id
        using errcode = 'restrict_violation';
    end if;
  elsif level is not null and new.previous_tier is not null
    and (new.review_period is null or level <> 'worker' and not exists (
      select from tier_reviews review
        where review.partner_id = new.partner_id and review.period = new.review_period
          and review.outcome = 'promoted' and review.decided_by is not null
          and (review.tier, review.to_tier) = (new.previous_tier, new.tier))) then
    raise exception 'a tier changes by a review or by two persons'
      using errcode = 'restrict_violation';
  end if;
  if new.review_period is not null and exists (select from tiers
      where tier_rank(tier) > tier_rank(new.tier)
        and tier_rank(tier) < tier_rank(new.previous_tier)) then
    raise exception 'a review lowers a tier by one step' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

call audit_table('tier_graces', 'tier_grace');
call audit_table('tier_grace_decisions', 'tier_grace_decision', '{}');
call audit_table('tier_locks', 'tier_lock', '{}');
