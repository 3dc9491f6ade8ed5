-- Links that partners hand to those they win, the customers that came through them, and rules for
-- these customers alone.

create table partner_links (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  -- What the address holds that is handed out.
  code text not null unique check (code ~ '^[A-Za-z0-9_-]{3,64}$'),
  name text not null,
  created_at timestamptz not null default clock_timestamp(),
  -- From then on nobody new comes through it; who came before stays with it.
  archived_at timestamptz,
  unique (id, partner_id)
);
create index partner_links_by_partner on partner_links (partner_id, id);

alter table customers
  add column link_id uuid,
  -- A customer cannot have come through another partner's link.
  add foreign key (link_id, partner_id) references partner_links (id, partner_id);

alter table commission_rules
  add column link_id uuid references partner_links,
  drop constraint commission_rules_one_at_a_time,
  add constraint commission_rules_one_at_a_time exclude using gist (
    programme_id with =, depth with =,
    coalesce(link_id, '00000000-0000-0000-0000-000000000000') with =,
    coalesce(partner_id, '00000000-0000-0000-0000-000000000000') with =,
    coalesce(tier, '') with =,
    coalesce(feature_package_id, '00000000-0000-0000-0000-000000000000') with =,
    (setup_fee::integer) with =, valid with &&) where (kind <> 'performance');

-- What was earned through a link is computed again from the customer's link: it stays what it was
-- when the first sale was booked.
create function refuse_other_link() returns trigger language plpgsql as $$
begin
  raise exception 'customer % keeps the link that it came through, or none', old.id
    using errcode = 'restrict_violation';
end $$;
create trigger customers_keep_link before update of link_id on customers for each row
  when (old.link_id is distinct from new.link_id) execute function refuse_other_link();

create trigger partner_links_stay before delete on partner_links for each row
  execute function refuse_removal();
create trigger partner_links_keep_meaning before update on partner_links for each row
  when ((old.id, old.partner_id, old.code) is distinct from (new.id, new.partner_id, new.code))
  execute function refuse_removal();
create trigger partner_links_stay_all before truncate on partner_links for each statement
  execute function refuse_removal();
