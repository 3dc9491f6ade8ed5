-- A week is a view of open months: nothing is settled by it.
alter table settlement_runs add constraint settlement_runs_weeks_move_nothing
  check (cadence <> 'weekly' or mode = 'preview');
