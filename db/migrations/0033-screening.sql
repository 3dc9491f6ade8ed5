-- Partners that may not be paid for now, and names looked up on lists of sanctioned parties.

-- Why a partner is paid nothing for now. Several may hold at once, each with what placed it: money
-- moves again when all are released. Whether it is one's own hold is not told to the partner: a
-- payout says only that it is held.
create table partner_holds (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  cause text not null check (cause in (
    'screening', 'verification', 'agreement', 'suspension', 'offboarding')),
  -- The one occurrence for which it was placed: the id of a row, or a key made of one.
  source text not null check (source <> ''),
  -- A code, never words about a person.
  reason text not null check (reason ~ '^[a-z][a-z0-9_]{0,59}$'),
  placed_at timestamptz not null default clock_timestamp(),
  released_at timestamptz,
  -- What was released is over: who is held again has another occurrence.
  unique (partner_id, cause, source),
  check (released_at >= placed_at)
);
create index partner_holds_open on partner_holds (partner_id) where released_at is null;

create function guard_hold() returns trigger language plpgsql as $$
begin
  if old.released_at is not null
    or to_jsonb(new) - 'released_at' <> to_jsonb(old) - 'released_at' then
    raise exception 'hold % is released once and never changes', old.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger partner_holds_guarded before update on partner_holds
  for each row execute function guard_hold();
create trigger partner_holds_stay before delete on partner_holds
  for each row execute function refuse_removal();
create trigger partner_holds_stay_all before truncate on partner_holds
  for each statement execute function refuse_removal();

alter table payouts
  drop constraint payouts_hold_reason_check,
  add constraint payouts_hold_reason_check check (hold_reason in (
    'no_payout_account', 'account_not_verified', 'transfer_rejected', 'partner_held'));

call audit_table('partner_holds', 'partner_hold', '{}');

-- Screening: what was looked up, when, on which version of which lists, and what came of it. This
-- is evidence: rows are only added. Names are not kept, but by what tells that one has changed;
-- entries of the lists are, because they are public and what was decided on.
create table screenings (
  id uuid primary key default uuidv7(),
  application_id uuid references applications,
  partner_id uuid references partners,
  -- An application and the partner that it became have one id, and one history.
  subject_id uuid not null generated always as (coalesce(application_id, partner_id)) stored,
  -- Who decides on the application. Nobody but the platform sees what is found of a partner.
  master_id uuid references partners,
  kind text not null check (kind in ('company', 'person')),
  -- Whose name it is: of the company, its legal name, or one of its people.
  role text not null check (role ~ '^[a-z_]+(:[0-9a-z_-]+)?$'),
  name_hash bytea not null check (octet_length(name_hash) = 32),
  provider text not null check (provider in ('file', 'watchman', 'none')),
  list text not null,
  list_version text not null,
  threshold integer not null check (threshold between 1 and 100),
  outcome text not null check (outcome in ('clear', 'review')),
  screened_at timestamptz not null default clock_timestamp(),
  check (num_nonnulls(application_id, partner_id) = 1),
  check (provider <> 'none' or outcome = 'review')
);
create index screenings_by_subject on screenings (subject_id, role, name_hash, id);
create index screenings_by_master on screenings (master_id, id);
create trigger screenings_decider before insert on screenings
  for each row execute function name_decider_of_part();

create table screening_hits (
  id uuid primary key default uuidv7(),
  screening_id uuid not null references screenings,
  application_id uuid references applications,
  master_id uuid references partners,
  list text not null,
  entry_id text not null,
  entry_name text not null,
  programs text[] not null,
  score integer not null check (score between 0 and 100),
  unique (screening_id, list, entry_id, entry_name)
);
create index screening_hits_by_master on screening_hits (master_id, id);

-- One person confirms that it is the one on the list; that it is not takes two.
create table screening_decisions (
  id uuid primary key default uuidv7(),
  screening_id uuid not null unique references screenings,
  application_id uuid references applications,
  master_id uuid references partners,
  decision text not null check (decision in ('confirmed', 'overridden')),
  reason text not null check (reason <> ''),
  decided_by uuid not null references members,
  decided_at timestamptz not null default clock_timestamp(),
  approval_id uuid references approvals,
  check ((decision = 'overridden') = (approval_id is not null))
);
create index screening_decisions_by_master on screening_decisions (master_id, id);

create function name_screened() returns trigger language plpgsql as $$
begin
  select application_id, master_id into new.application_id, new.master_id
    from screenings where id = new.screening_id;
  return new;
end $$;
create trigger screening_hits_decider before insert on screening_hits
  for each row execute function name_screened();
create trigger screening_decisions_decider before insert on screening_decisions
  for each row execute function name_screened();

do $$
declare
  kept text;
begin
  foreach kept in array array['screenings', 'screening_hits', 'screening_decisions'] loop
    execute format('create trigger %1$I before update or delete on %2$I
      for each row execute function refuse_change()', kept || '_append_only', kept);
    execute format('create trigger %1$I before truncate on %2$I
      for each statement execute function refuse_change()', kept || '_keep', kept);
  end loop;
end $$;

create function guard_screening_decision() returns trigger language plpgsql as $$
declare
  level text := context_level();
begin
  if level is not null and (level <> 'super_admin'
      or context_on_behalf_of() is distinct from 'member:' || new.decided_by) then
    raise exception 'a person of the platform decides in its own name'
      using errcode = 'restrict_violation';
  end if;
  if not exists (select from members where id = new.decided_by
      and partner_id is null and customer_id is null and status = 'active') then
    raise exception 'member % is no active person of the platform', new.decided_by
      using errcode = 'restrict_violation';
  end if;
  if new.decision = 'overridden' and not exists (select from approvals
      where id = new.approval_id and kind = 'screening_override' and status = 'approved'
        and (screening_id, decided_by, reason)
          = (new.screening_id, new.decided_by, new.reason)) then
    raise exception 'screening % was not overridden like this by two persons', new.screening_id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger screening_decisions_guarded before insert on screening_decisions
  for each row execute function guard_screening_decision();

-- Not in the trail of the organisations that are screened: they are not to read of it.
call audit_table('screenings', 'screening', '{}');
call audit_table('screening_decisions', 'screening_decision', '{}');
