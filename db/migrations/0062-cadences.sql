-- Settlements by the quarter. A run is about the months from since_period to period, which stay the
-- accounting periods; people know it by its name. One of a month is named like it.
alter table settlement_runs
  add column since_period text references accounting_periods,
  add column name text;
alter table settlement_runs disable trigger user;
update settlement_runs set since_period = period, name = period;
alter table settlement_runs enable trigger user;
alter table settlement_runs
  alter column since_period set not null,
  alter column name set not null,
  add check (since_period <= period),
  drop constraint settlement_runs_cadence_check,
  add constraint settlement_runs_cadence_check
    check (cadence in ('weekly', 'monthly', 'quarterly')),
  add constraint settlement_runs_named check (name ~ case cadence
    when 'weekly' then '^\d{4}-W\d{2}$' when 'quarterly' then '^\d{4}-Q[1-4]$'
    else '^\d{4}-\d{2}$' end);

-- A month ends one live run, whatever the cadence: the programme may have changed it in between.
drop index settlement_runs_once;
create unique index settlement_runs_once on settlement_runs (programme_id, period)
  where mode = 'live' and cancelled_at is null;

drop trigger settlement_runs_keep_key on settlement_runs;
create trigger settlement_runs_keep_key
  before update of id, period, since_period, cadence, name on settlement_runs for each row
  when ((old.id, old.period, old.since_period, old.cadence, old.name)
    is distinct from (new.id, new.period, new.since_period, new.cadence, new.name))
  execute function refuse_removal();

-- The name of its run, where that is no month.
alter table statements add column period_name text;
