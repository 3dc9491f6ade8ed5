-- What a refund, credit note or dispute asked for in all, whatever the payment still had to give:
-- only with it is it known how much stands when one of several is restored.
alter table line_reversals add column nominal_minor bigint;

-- When a partner was moved, and when that was told: what was booked before was right then.
create table partner_moves (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  parent_id uuid not null references partners,
  effective_from timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp()
);
