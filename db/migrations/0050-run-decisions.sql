-- What people decide about a settlement run beside their two signatures: who and what is held, who
-- is left out, that it is rejected, stopped for a while, or given up.

alter table settlement_runs
  add column paused_at timestamptz,
  -- Its drafts are gone; it waits until somebody has it calculated again, or cancels it.
  add column rejected_at timestamptz,
  add column cancelled_at timestamptz,
  drop constraint settlement_runs_stage_check,
  add constraint settlement_runs_stage_check check (stage in (
    'freeze', 'calculate', 'review', 'release', 'pay', 'reconcile', 'closed', 'cancelled')),
  add check ((stage = 'cancelled') = (cancelled_at is not null)),
  add check (cancelled_at is null or released_by is null);

-- A live run that was cancelled makes room for another one.
drop index settlement_runs_once;
create unique index settlement_runs_once on settlement_runs (programme_id, cadence, period)
  where mode = 'live' and cancelled_at is null;

-- The words stay here; processes carry the id. One that was refused has no applied_at.
create table settlement_decisions (
  id uuid primary key default uuidv7(),
  run_id uuid not null references settlement_runs,
  kind text not null check (kind in (
    'hold', 'release_hold', 'exclude', 'rerun_partner', 'recalculate', 'reject', 'pause', 'resume',
    'cancel')),
  partner_id uuid references partners,
  accrual_id uuid references accruals,
  -- The hold that is released.
  hold_id uuid,
  reason text check (reason <> ''),
  member_id uuid references members,
  recorded_at timestamptz not null default clock_timestamp(),
  applied_at timestamptz,
  check (reason is not null or kind in ('rerun_partner', 'recalculate', 'resume')),
  check (partner_id is not null or kind not in ('hold', 'release_hold', 'exclude', 'rerun_partner')),
  check ((kind = 'release_hold') = (hold_id is not null))
);
create index settlement_decisions_by_run on settlement_decisions (run_id, id);

create function guard_settlement_decision() returns trigger language plpgsql as $$
begin
  if old.applied_at is not null
    or to_jsonb(new) - 'applied_at' <> to_jsonb(old) - 'applied_at' then
    raise exception 'decision % is applied once and never changes', old.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger settlement_decisions_guarded before update on settlement_decisions
  for each row execute function guard_settlement_decision();
create trigger settlement_decisions_stay before delete on settlement_decisions
  for each row execute function refuse_removal();
create trigger settlement_decisions_stay_all before truncate on settlement_decisions
  for each statement execute function refuse_removal();

-- What statements keep back from the run in which it was placed until it is released: all that is
-- payable to a partner, or what one accrual earned.
create table settlement_holds (
  id uuid primary key,
  run_id uuid not null references settlement_runs,
  partner_id uuid not null references partners,
  accrual_id uuid references accruals,
  reason text not null check (reason <> ''),
  placed_by uuid references members,
  placed_at timestamptz not null default clock_timestamp(),
  released_by uuid references members,
  released_at timestamptz,
  release_reason text check (release_reason <> ''),
  check ((released_at is null) = (release_reason is null)),
  check (released_at >= placed_at)
);
create unique index settlement_holds_of_accrual on settlement_holds (accrual_id)
  where accrual_id is not null and released_at is null;
create unique index settlement_holds_of_partner on settlement_holds (partner_id)
  where accrual_id is null and released_at is null;
create index settlement_holds_by_run on settlement_holds (run_id, id);
alter table settlement_decisions add foreign key (hold_id) references settlement_holds;

create function guard_settlement_hold() returns trigger language plpgsql as $$
begin
  if old.released_at is not null
    or to_jsonb(new) - '{released_by,released_at,release_reason}'::text[]
      <> to_jsonb(old) - '{released_by,released_at,release_reason}'::text[] then
    raise exception 'hold % is released once and never changes', old.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger settlement_holds_guarded before update on settlement_holds
  for each row execute function guard_settlement_hold();
create trigger settlement_holds_stay before delete on settlement_holds
  for each row execute function refuse_removal();
create trigger settlement_holds_stay_all before truncate on settlement_holds
  for each statement execute function refuse_removal();

-- Partners that get no statement in a run. What the month was for them is part of the next one.
create table settlement_exclusions (
  run_id uuid not null references settlement_runs,
  partner_id uuid not null references partners,
  reason text not null check (reason <> ''),
  excluded_by uuid references members,
  excluded_at timestamptz not null default clock_timestamp(),
  primary key (run_id, partner_id)
);
create index settlement_exclusions_by_partner on settlement_exclusions (partner_id);
create trigger settlement_exclusions_unchanged before update or delete on settlement_exclusions
  for each row execute function refuse_change();
create trigger settlement_exclusions_unchanged_all before truncate on settlement_exclusions
  for each statement execute function refuse_change();

-- The first period that a statement is about, where it is not its own: the partner was left out of
-- the runs from then on.
alter table statements
  add column since_period text references accounting_periods,
  add check (since_period < period);

-- When each stage was entered and left, and how far it had come when it was left.
create table settlement_stages (
  run_id uuid not null references settlement_runs,
  stage text not null,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  done integer check (done >= 0),
  total integer check (total >= 0),
  control jsonb,
  primary key (run_id, stage),
  check (ended_at >= started_at)
);

call audit_table('settlement_decisions', 'settlement_decision', '{}');
call audit_table('settlement_holds', 'settlement_hold', '{}');
call audit_table('settlement_exclusions', 'settlement_exclusion', '{}');
