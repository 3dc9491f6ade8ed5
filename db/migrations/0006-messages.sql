-- What came in from vendors and what went out by mail.

-- The durable inbox. A row is a hint only: handlers read the object again at the vendor.
create table webhook_events (
  id bigint generated always as identity primary key,
  vendor text not null check (vendor in ('stripe', 'docusign')),
  event_id text not null,
  type text not null,
  object_id text not null,
  occurred_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  -- pending: to be handled; applied: booked, a waiting process still has to be told;
  -- done: nothing left to do; parked: needs a person.
  status text not null default 'pending' check (status in ('pending', 'applied', 'done', 'parked')),
  attempts integer not null default 0,
  problem text,
  -- The process to tell: {"workflow": id, "signal": name}.
  wake jsonb,
  done_at timestamptz,
  unique (vendor, event_id)
);
create index webhook_events_open on webhook_events (vendor, id)
  where status in ('pending', 'applied');

-- One row for each mail that must go out once, however often its step is repeated.
create table notices (
  id uuid primary key default uuidv7(),
  kind text not null,
  subject_id uuid not null,
  occurrence text not null default '',
  recipient text not null,
  created_at timestamptz not null default clock_timestamp(),
  sent_at timestamptz,
  unique (kind, subject_id, occurrence)
);
