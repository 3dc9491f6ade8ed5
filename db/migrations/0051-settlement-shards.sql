-- A settlement is calculated and paid in shards: ranges of partners in the order of their ids, so
-- that every page of a shard is a range of an index. How far each one is stands here, in the
-- transaction that drafted its statements: whoever goes on after a crash goes on from the books.

create table settlement_shards (
  run_id uuid not null references settlement_runs,
  number integer not null check (number between 0 and 99),
  -- The partners after one, up to and including another; null is no bound on that side.
  after_id uuid,
  last_id uuid,
  partners integer not null check (partners >= 0),
  -- The last partner whose statements are drafted, and how many there are up to it.
  cursor_id uuid,
  partners_done integer not null default 0 check (partners_done >= 0),
  planned_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  primary key (run_id, number),
  check (after_id < last_id)
);

-- Statements are written by the thousand, like the lines behind them: what they refer to is looked
-- up once for all rows of a page. It is never removed and never gets another key.
alter table statements
  drop constraint statements_run_id_fkey,
  drop constraint statements_partner_id_fkey,
  drop constraint statements_period_fkey,
  drop constraint statements_currency_fkey,
  drop constraint statements_place;
create function refuse_unknown_statements() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  wrong uuid;
begin
  select own.id into wrong from inserted own
    where not exists (select from partners whole where whole.id = own.partner_id) limit 1;
  if not found then
    select own.partner_id into wrong
      from (select partner_id, run_id, period, currency from inserted
        group by 1, 2, 3, 4) own
      where not exists (select from settlement_runs run
          where run.id = own.run_id and run.period = own.period)
        or not exists (select from currencies whole where whole.code = own.currency) limit 1;
  end if;
  if found then
    raise exception 'a statement of % is of no run, partner, period or currency', wrong
      using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
create trigger statements_refer after insert on statements referencing new table as inserted
  for each statement execute function refuse_unknown_statements();
create trigger statements_stamped after insert on statements referencing new table as inserted
  for each statement execute function refuse_unknown_place();
create trigger settlement_runs_stay before delete on settlement_runs for each row
  execute function refuse_removal();
create trigger settlement_runs_keep_key before update of id, period on settlement_runs for each row
  when ((old.id, old.period) is distinct from (new.id, new.period))
  execute function refuse_removal();
create trigger settlement_runs_stay_all before truncate on settlement_runs for each statement
  execute function refuse_removal();

-- What a page of partners earned in a month is read from the index alone.
drop index accruals_by_period;
create index accruals_by_period on accruals (period, partner_id) include (currency, amount_minor);
-- Accruals come in about the order in which they mature: those that have not are found by this.
create index accruals_by_maturity on accruals using brin (matures_at) with (pages_per_range = 32);
-- Journals come in about the order of their periods.
create index ledger_journals_by_period on ledger_journals using brin (period)
  with (pages_per_range = 32);
-- Drafts have no number yet.
drop index statements_number;
create unique index statements_number on statements (document_number)
  where document_number is not null;
