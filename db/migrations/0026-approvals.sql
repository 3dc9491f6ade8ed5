-- Two persons for what is entered by hand: one proposes, another approves, and only then does it
-- take effect, in the same transaction. And what is kept of who was suspended, and why.

create table approvals (
  id uuid primary key default uuidv7(),
  kind text not null check (kind in ('manual_entry', 'tier_override')),
  -- The partner that it is about; the proposal is the platform's alone.
  concerned_id uuid not null references partners,
  amount_minor bigint check (amount_minor <> 0),
  currency text references currencies,
  happened_at timestamptz,
  tier text check (tier in ('bronze', 'silver', 'gold', 'platinum')),
  until timestamptz,
  reason text not null check (reason <> ''),
  -- Over all of the above; who approves signs it.
  payload_hash text not null check (payload_hash ~ '^[0-9a-f]{64}$'),
  -- A proposal that nobody decides is over when it lapses: time alone tells, nothing is written.
  status text not null default 'proposed'
    check (status in ('proposed', 'approved', 'rejected', 'withdrawn')),
  proposed_by uuid not null references members,
  proposed_at timestamptz not null default clock_timestamp(),
  lapses_at timestamptz not null default clock_timestamp() + interval '168 hours',
  decided_by uuid references members,
  decided_at timestamptz,
  decision_reason text check (decision_reason <> ''),
  check (num_nulls(amount_minor, currency, happened_at)
    = case kind when 'manual_entry' then 0 else 3 end),
  check ((tier is not null) = (kind = 'tier_override')),
  check (until is null or kind = 'tier_override'),
  check (lapses_at <= proposed_at + interval '169 hours'),
  check ((status = 'proposed') = (decided_by is null)),
  check ((decided_by is null) = (decided_at is null)),
  check ((status = 'rejected') = (decision_reason is not null)),
  -- Another person decides; who proposed may only take it back.
  constraint approvals_two_persons check ((status = 'withdrawn') = (decided_by = proposed_by))
);
create index approvals_by_status on approvals (status, id);
create index approvals_by_concerned on approvals (concerned_id, id);

-- One person may be a member several times: that is told by the mailbox.
create function is_same_person(one_id uuid, other_id uuid) returns boolean language sql stable as $$
  select exists (select from members one
    join members other on other.id = other_id and lower(other.email) = lower(one.email)
    where one.id = one_id) $$;

-- Whoever writes: what was proposed never changes, it is decided once and in time, by a person of
-- the platform who is not the one that proposed, under whatever membership, and in nobody's name.
create function guard_approval() returns trigger language plpgsql as $$
declare
  level text := context_level();
  acting uuid := case tg_op when 'INSERT' then new.proposed_by else new.decided_by end;
begin
  if level is not null and (level <> 'super_admin'
      or context_on_behalf_of() is distinct from 'member:' || acting) then
    raise exception 'a person of the platform proposes and decides in its own name'
      using errcode = 'restrict_violation';
  end if;
  if not exists (select from members
      where id = acting and partner_id is null and customer_id is null and status = 'active') then
    raise exception 'member % is no active person of the platform', acting
      using errcode = 'restrict_violation';
  end if;
  if tg_op = 'INSERT' then
    if new.status <> 'proposed' then
      raise exception 'an approval begins as a proposal' using errcode = 'restrict_violation';
    end if;
    return new;
  end if;
  if old.status <> 'proposed' or to_jsonb(new) - '{status,decided_by,decided_at,decision_reason}'::text[]
      <> to_jsonb(old) - '{status,decided_by,decided_at,decision_reason}'::text[] then
    raise exception 'approval % is decided once, as it was proposed', old.id
      using errcode = 'restrict_violation';
  end if;
  new.decided_at := clock_timestamp();
  if new.decided_at >= old.lapses_at then
    raise exception 'proposal % has lapsed', old.id using errcode = 'restrict_violation';
  end if;
  if new.status <> 'withdrawn' and is_same_person(new.proposed_by, new.decided_by) then
    raise exception 'approval % takes a second person', old.id using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger approvals_guarded before insert or update on approvals
  for each row execute function guard_approval();
create trigger approvals_stay before delete on approvals
  for each row execute function refuse_removal();
create trigger approvals_stay_all before truncate on approvals
  for each statement execute function refuse_removal();

-- A manual entry has the id of its approval. Those that were entered before there were approvals
-- stay as they are.
alter table adjustments add constraint adjustments_approved
  foreign key (id) references approvals not valid;
create function refuse_lone_entry() returns trigger language plpgsql as $$
begin
  if not exists (select from approvals
      where id = new.id and kind = 'manual_entry' and status = 'approved'
        and (concerned_id, currency, amount_minor, reason, happened_at)
          = (new.partner_id, new.currency, new.amount_minor, new.reason, new.happened_at)) then
    raise exception 'manual entry % was not approved like this by two persons', new.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger adjustments_by_two before insert on adjustments
  for each row execute function refuse_lone_entry();

create function refuse_lone_journals() returns trigger language plpgsql as $$
begin
  if exists (select from inserted where kind = 'adjustment' and (source_type <> 'adjustment'
      or not exists (select from adjustments entry where entry.id = inserted.source_id))) then
    raise exception 'a journal by hand belongs to a manual entry'
      using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
create trigger ledger_journals_by_two after insert on ledger_journals
  referencing new table as inserted
  for each statement execute function refuse_lone_journals();

-- The rows of a tier override: the tier itself, and the tier before it where it has an end.
alter table partner_tiers add column approval_id uuid references approvals;
create index partner_tiers_by_approval on partner_tiers (approval_id)
  where approval_id is not null;
create function refuse_lone_tier() returns trigger language plpgsql as $$
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
    and (new.review_period is null or level <> 'worker') then
    raise exception 'a tier changes by a review or by two persons'
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger partner_tiers_by_two
  before insert or update of partner_id, tier, previous_tier, review_period, approval_id
  on partner_tiers for each row execute function refuse_lone_tier();

create function tier_rank(tier text) returns integer language sql immutable as
  $$ select array_position('{bronze,silver,gold,platinum}'::text[], tier) $$;

-- Nothing is approved that has no effect.
create function refuse_idle_approval() returns trigger language plpgsql as $$
begin
  if not exists (select from adjustments where id = new.id)
    and not exists (select from partner_tiers where approval_id = new.id) then
    raise exception 'approval % has no effect', new.id using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
create constraint trigger approvals_take_effect after update on approvals
  deferrable initially deferred for each row when (new.status = 'approved')
  execute function refuse_idle_approval();

-- Who was suspended and let back in, by whom and why.
create table partner_status_changes (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  status text not null check (status in ('active', 'suspended')),
  reason text not null check (reason <> ''),
  -- What the platform has suspended, only the platform lets back in.
  level text not null check (level in ('super_admin', 'master_reseller')),
  changed_by text not null,
  changed_at timestamptz not null default clock_timestamp()
);
create index partner_status_changes_by_partner on partner_status_changes (partner_id, id);
create trigger partner_status_changes_append_only before update or delete on partner_status_changes
  for each row execute function refuse_change();
create trigger partner_status_changes_keep before truncate on partner_status_changes
  for each statement execute function refuse_change();

-- Suspends a partner or lets it back in, for the platform and for the master reseller above it: a
-- master reseller may change no other column of partners below, which is why this runs as the owner.
create function change_partner_status(change uuid, partner uuid, wanted text, why text)
  returns text language plpgsql security definer set search_path from current as $$
declare
  acting text := context_level();
  own uuid := context_partner();
  held text;
  last_level text;
begin
  select status into held from partners
    where id = partner and (acting = 'super_admin'
      or acting = 'master_reseller' and master_id = own and id <> own)
    for update;
  if not found then
    return 'not_found';
  end if;
  if exists (select from partner_status_changes where id = change) then
    return 'changed';
  end if;
  if (wanted, held) not in (('suspended', 'active'), ('active', 'suspended')) then
    return held;
  end if;
  select level into last_level from partner_status_changes
    where partner_id = partner order by changed_at desc, id desc limit 1;
  if wanted = 'active' and acting <> 'super_admin' and last_level = 'super_admin' then
    return 'by_platform';
  end if;
  insert into partner_status_changes (id, partner_id, status, reason, level, changed_by)
    values (change, partner, wanted, why, acting,
      coalesce(context_on_behalf_of(), context_actor()));
  update partners set status = wanted where id = partner;
  return 'changed';
end $$;

call audit_table('approvals', 'approval', '{}');
call audit_table('partner_status_changes', 'status_change');
