-- Weeks are settled for good. Weeks do not fit into months, so that a statement of one is made of
-- entries that it took, each once. A run over whole months takes what its months hold and writes
-- nothing here, unless weeks have taken a part of them before.
alter table settlement_runs
  drop constraint settlement_runs_weeks_move_nothing,
  add column takes_entries boolean not null default false;

-- A month ends one live run of whole months; of weeks there are many that end in it.
drop index settlement_runs_once;
create unique index settlement_runs_once on settlement_runs (programme_id, name)
  where mode = 'live' and cancelled_at is null;
create unique index settlement_runs_months on settlement_runs (programme_id, period)
  where mode = 'live' and cancelled_at is null and cadence <> 'weekly';
drop index statements_issued_once;
create unique index statements_issued_once on statements (partner_id, period, currency,
    (case when period_name like '____-W__' then period_name else '' end))
  where issued_at is not null;

-- Which run has taken an entry: that of the statement of this partner and currency. It goes with
-- the draft of that statement, and stays once it is issued.
create table statement_entries (
  kind text not null check (kind in ('accrual', 'closing_accrual', 'clawback', 'closing_clawback',
    'cancellation', 'adjustment', 'payout_return')),
  entry_id uuid not null,
  run_id uuid not null references settlement_runs,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  currency text not null,
  -- The month in whose books it is, and what it adds to which figure.
  period text not null,
  figure text not null check (figure in ('earned', 'clawed', 'adjusted')),
  amount_minor bigint not null,
  primary key (kind, entry_id),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column statement_entries.reseller_id is 'stamped';
comment on column statement_entries.master_id is 'stamped';
create index statement_entries_by_run on statement_entries (run_id, partner_id);
create trigger statement_entries_placed before insert on statement_entries
  for each row when (new.master_id is null) execute function stamp_place();

create function refuse_settled_entry_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' or exists (select from statements told
      where told.run_id = old.run_id and told.partner_id = old.partner_id
        and told.currency = old.currency and told.issued_at is not null) then
    raise exception 'entry % is settled by an issued statement', old.entry_id
      using errcode = 'restrict_violation';
  end if;
  return old;
end $$;
create trigger statement_entries_immutable before update or delete on statement_entries
  for each row execute function refuse_settled_entry_change();
create trigger statement_entries_keep before truncate on statement_entries
  for each statement execute function refuse_change();
