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
