-- Who sells where: reservations of applicants, assignments of partners, and what a person ruled
-- where two want the same area.

-- An area covers itself and what continues its code behind a hyphen.
create function territory_covers(wide text, narrow text) returns boolean language sql immutable as
  $$ select narrow = wide or starts_with(narrow, wide || '-') $$;

create table territory_assignments (
  id uuid primary key default uuidv7(),
  programme_id uuid not null references programmes,
  territory text not null check (territory ~ '^[A-Z]{2}(-[A-Z0-9]{1,3}(-[A-Z0-9]{1,10})?)?$'),
  mode text not null check (mode in ('exclusive', 'shared')),
  status text not null check (status in (
    'reserved', 'assigned', 'conflict', 'declined', 'released', 'expired')),
  application_id uuid references applications,
  partner_id uuid references partners,
  -- A partner has the id of its application: who holds it is the same before and after.
  holder_id uuid not null generated always as (coalesce(partner_id, application_id)) stored,
  -- Above an applicant that is no partner yet.
  parent_id uuid references partners,
  reseller_id uuid,
  master_id uuid references partners,
  since timestamptz not null default clock_timestamp(),
  until timestamptz,
  -- Of a reservation, and of a conflict that may become one.
  expires_at timestamptz,
  -- What stood in the way when it was asked for.
  blocked_by uuid references territory_assignments,
  blocked_territory text,
  blocked_mode text check (blocked_mode in ('exclusive', 'shared')),
  blocked_since timestamptz,
  ruling text check (ruling in ('share', 'grant_exclusive', 'decline')),
  ruling_reason text check (ruling_reason <> ''),
  ruled_by text,
  ruled_at timestamptz,
  -- The conflict whose ruling changed or ended this one.
  ruled_in uuid references territory_assignments,
  release_cause text check (release_cause in (
    'by_hand', 'ended', 'moved', 'ruling', 'terminated')),
  release_reason text check (release_reason <> ''),
  foreign key (partner_id, reseller_id, master_id) references partner_places,
  check (partner_id is null or (reseller_id is not null and master_id is not null)),
  check (status <> 'reserved' or expires_at is not null),
  check (status <> 'assigned' or partner_id is not null),
  check ((status in ('declined', 'released', 'expired')) = (until is not null)),
  check ((status = 'released') = (release_cause is not null)),
  check (num_nulls(blocked_by, blocked_territory, blocked_mode, blocked_since) in (0, 4)),
  check (status <> 'conflict' or blocked_by is not null),
  check (num_nulls(ruling, ruling_reason, ruled_by, ruled_at) in (0, 4)),
  check (status <> 'declined' or ruling = 'decline')
);
comment on column territory_assignments.holder_id is 'stamped';
comment on column territory_assignments.parent_id is 'stamped';
comment on column territory_assignments.reseller_id is 'stamped';
comment on column territory_assignments.master_id is 'stamped';
create unique index territory_assignments_once on territory_assignments (holder_id, territory)
  where status in ('reserved', 'assigned', 'conflict');
create index territory_assignments_live on territory_assignments
  (programme_id, left(territory, 2)) where status in ('reserved', 'assigned', 'conflict');
create index territory_assignments_by_holder on territory_assignments (holder_id, id);
create index territory_assignments_by_application on territory_assignments (application_id, id)
  where application_id is not null;
create index territory_assignments_by_master on territory_assignments (master_id, id);
create index territory_assignments_by_reseller on territory_assignments (reseller_id, id);
create index territory_assignments_running_out on territory_assignments (expires_at)
  where status = 'reserved';

-- Stands where its partner stands, and before there is one where the application would.
create function place_territory() returns trigger language plpgsql as $$
begin
  if new.partner_id is not null then
    select place.reseller_id, place.master_id into new.reseller_id, new.master_id
      from partners place where place.id = new.partner_id;
  else
    select whole.parent_id, whole.master_id into new.parent_id, new.master_id
      from applications whole where whole.id = new.application_id;
  end if;
  return new;
end $$;
create trigger territory_assignments_placed before insert or update of partner_id
  on territory_assignments for each row execute function place_territory();

create function stands_above(upper_id uuid, lower_id uuid) returns boolean language sql stable as $$
  select exists (select from partner_ancestry above
    where above.ancestor_id = upper_id and above.partner_id = lower_id
      and upper_inf(above.valid)) $$;

-- Whether what is held stands in the way of what is wanted. A partner shares an area with those
-- above and below it: what they hand down stays theirs too.
create function blocks_territory(held territory_assignments, wanted territory_assignments)
  returns boolean language sql stable as $$
    select held.id <> wanted.id
      and held.status in ('reserved', 'assigned')
      and held.programme_id = wanted.programme_id
      and 'exclusive' in (held.mode, wanted.mode)
      and coalesce(held.partner_id, held.application_id)
        <> coalesce(wanted.partner_id, wanted.application_id)
      and (territory_covers(held.territory, wanted.territory)
        or territory_covers(wanted.territory, held.territory))
      and not stands_above(coalesce(held.partner_id, held.application_id),
        coalesce(wanted.partner_id, wanted.parent_id))
      and not stands_above(coalesce(wanted.partner_id, wanted.application_id),
        coalesce(held.partner_id, held.parent_id)) $$;

create function lock_territories(programme uuid, code text) returns void language sql as
  $$ select pg_advisory_xact_lock(lock_key('territories:' || programme || ':' || left(code, 2))) $$;

-- Whoever writes: one exclusive holder of a place at a time, and nobody beside it.
create function refuse_double_territory() returns trigger language plpgsql security definer as $$
declare
  other uuid;
begin
  perform lock_territories(new.programme_id, new.territory);
  select held.id into other from territory_assignments held
    where blocks_territory(held, new) limit 1;
  if found then
    raise exception 'territory % is held exclusively: see assignment %', new.territory, other
      using errcode = 'exclusion_violation';
  end if;
  return null;
end $$;
create constraint trigger territory_assignments_exclusive
  after insert or update of territory, mode, status, partner_id, application_id
  on territory_assignments for each row when (new.status in ('reserved', 'assigned'))
  execute function refuse_double_territory();

create function refuse_other_territory() returns trigger language plpgsql as $$
begin
  if (old.id, old.programme_id, old.territory, old.since)
      is distinct from (new.id, new.programme_id, new.territory, new.since)
    or old.application_id is distinct from new.application_id
    or (old.partner_id is not null and old.partner_id is distinct from new.partner_id) then
    raise exception 'assignment % keeps its area and its holder: end it and make another', old.id
      using errcode = 'restrict_violation';
  end if;
  if old.until is not null then
    raise exception 'assignment % is over', old.id using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger territory_assignments_keep before update on territory_assignments
  for each row execute function refuse_other_territory();
create trigger territory_assignments_stay before delete on territory_assignments
  for each row execute function refuse_removal();
create trigger territory_assignments_stay_all before truncate on territory_assignments
  for each statement execute function refuse_removal();

-- Takes an area for a holder, or writes down what stands in the way. The same area that the holder
-- has already, or waits for, stays as it is. Answers the id of the row and how it stands.
create function claim_territory(wanted territory_assignments, out id uuid, out status text)
  language plpgsql as $$
declare
  blocker territory_assignments;
  holder uuid := coalesce(wanted.partner_id, wanted.application_id);
begin
  wanted.id := coalesce(wanted.id, uuidv7());
  perform lock_territories(wanted.programme_id, wanted.territory);
  select own.id, own.status into claim_territory.id, claim_territory.status
    from territory_assignments own
    where own.holder_id = holder and own.territory = wanted.territory
      and own.status in ('reserved', 'assigned', 'conflict');
  if found then
    return;
  end if;
  if wanted.partner_id is null then
    select whole.parent_id into wanted.parent_id from applications whole
      where whole.id = wanted.application_id;
  end if;
  select held.* into blocker from territory_assignments held
    where blocks_territory(held, wanted) order by held.mode, held.since, held.id limit 1;
  insert into territory_assignments as made (id, programme_id, territory, mode, status,
      application_id, partner_id, expires_at, blocked_by, blocked_territory, blocked_mode,
      blocked_since)
    values (wanted.id, wanted.programme_id, wanted.territory, wanted.mode,
      case when blocker.id is null then wanted.status else 'conflict' end,
      wanted.application_id, wanted.partner_id, wanted.expires_at, blocker.id, blocker.territory,
      blocker.mode, blocker.since)
    returning made.id, made.status into claim_territory.id, claim_territory.status;
end $$;

-- What people decide. A master reseller writes rows of partners below, which is why these run as
-- the owner; each looks first at who acts.

-- Answers `assigned`, or why not: `not_found`, `outside` of what the master reseller holds itself,
-- `taken` where another holds it, `held` where the partner has it already.
create function assign_territory(assignment uuid, partner uuid, code text, wanted_mode text)
  returns text language plpgsql security definer as $$
declare
  acting text := context_level();
  own uuid := context_partner();
  receiver partners;
  wanted territory_assignments;
begin
  select * into receiver from partners
    where partners.id = partner and partners.status <> 'terminated'
      and (acting = 'super_admin'
        or acting = 'master_reseller' and partners.master_id = own and partners.id <> own);
  if not found then
    return 'not_found';
  end if;
  if exists (select from territory_assignments made where made.id = assignment) then
    return 'assigned';
  end if;
  perform lock_territories(receiver.programme_id, code);
  if acting = 'master_reseller'
    and exists (select from territory_assignments held
      where held.holder_id = own and held.status = 'assigned')
    and not exists (select from territory_assignments held
      where held.holder_id = own and held.status = 'assigned'
        and territory_covers(held.territory, code)) then
    return 'outside';
  end if;
  wanted.id := assignment;
  wanted.programme_id := receiver.programme_id;
  wanted.territory := code;
  wanted.mode := wanted_mode;
  wanted.status := 'assigned';
  wanted.partner_id := partner;
  if exists (select from territory_assignments held where held.holder_id = partner
      and held.territory = code and held.status in ('reserved', 'assigned', 'conflict')) then
    return 'held';
  end if;
  if exists (select from territory_assignments held where blocks_territory(held, wanted)) then
    return 'taken';
  end if;
  perform claim_territory(wanted);
  return 'assigned';
end $$;

-- Answers `done`, `not_found`, or the status of what is over or in conflict.
create function release_territory(assignment uuid, why text)
  returns text language plpgsql security definer as $$
declare
  acting text := context_level();
  own uuid := context_partner();
  held territory_assignments;
begin
  select * into held from territory_assignments row
    where row.id = assignment and (acting = 'super_admin'
      or acting = 'master_reseller' and row.master_id = own and row.holder_id <> own)
    for update;
  if not found then
    return 'not_found';
  end if;
  if held.status not in ('reserved', 'assigned') then
    return held.status;
  end if;
  update territory_assignments row set status = 'released', until = clock_timestamp(),
      release_cause = 'by_hand', release_reason = why
    where row.id = assignment;
  return 'done';
end $$;

-- Rules on a conflict, once. `share` makes everybody's right a shared one, `grant_exclusive` ends
-- those in the way, `decline` leaves them. Answers `ruled`, `not_found`, `not_yours` where a party
-- is not below who rules, or the status of what is no conflict any more.
create function rule_on_territory(conflict uuid, verdict text, why text, reserved_for integer)
  returns text language plpgsql security definer as $$
declare
  acting text := context_level();
  own uuid := context_partner();
  wanted territory_assignments;
  blockers uuid[];
begin
  select * into wanted from territory_assignments row
    where row.id = conflict and (acting = 'super_admin'
      or acting = 'master_reseller' and row.master_id = own and row.holder_id <> own);
  if not found then
    return 'not_found';
  end if;
  perform lock_territories(wanted.programme_id, wanted.territory);
  select * into wanted from territory_assignments row where row.id = conflict for update;
  if wanted.status <> 'conflict' then
    return wanted.status;
  end if;
  wanted.mode := case verdict when 'grant_exclusive' then 'exclusive' else wanted.mode end;
  select coalesce(array_agg(held.id), '{}') into blockers from territory_assignments held
    where blocks_territory(held, wanted);
  if acting <> 'super_admin' and exists (select from territory_assignments held
      where held.id = any(blockers)
        and (held.master_id is distinct from own or held.holder_id = own)) then
    return 'not_yours';
  end if;
  if verdict = 'share' then
    update territory_assignments held set mode = 'shared', ruled_in = conflict
      where held.id = any(blockers);
  elsif verdict = 'grant_exclusive' then
    update territory_assignments held set status = 'released', until = clock_timestamp(),
        release_cause = 'ruling', ruled_in = conflict
      where held.id = any(blockers);
  end if;
  update territory_assignments row set
      mode = case verdict when 'share' then 'shared' when 'decline' then row.mode
        else 'exclusive' end,
      status = case when verdict = 'decline' then 'declined'
        when row.partner_id is null then 'reserved' else 'assigned' end,
      until = case when verdict = 'decline' then clock_timestamp() end,
      expires_at = case when row.partner_id is null
        then greatest(row.expires_at, clock_timestamp() + make_interval(secs => reserved_for)) end,
      ruling = verdict, ruling_reason = why, ruled_at = clock_timestamp(),
      ruled_by = coalesce(context_on_behalf_of(), context_actor())
    where row.id = conflict;
  return 'ruled';
end $$;

-- What a partner holds when it is moved, it holds at its new place from then on.
create function move_territory(assignment uuid) returns text
  language plpgsql security definer as $$
declare
  held territory_assignments;
  moved text;
begin
  if context_level() not in ('super_admin', 'worker') then
    return 'not_found';
  end if;
  update territory_assignments row set status = 'released', until = clock_timestamp(),
      release_cause = 'moved'
    where row.id = assignment and row.status in ('assigned', 'conflict')
    returning row.* into held;
  if not found then
    return 'not_found';
  end if;
  held.id := uuidv7();
  held.status := 'assigned';
  select claimed.status into moved from claim_territory(held) claimed;
  return moved;
end $$;

call audit_table('territory_assignments', 'territory', '{partner_id,master_id}');
