-- Payments of customers, what partners earn on them, and what is taken back.

create table commission_rules (
  id uuid primary key default uuidv7(),
  programme_id uuid not null references programmes,
  version integer not null check (version > 0),
  depth integer not null check (depth >= 0),
  rate_num bigint not null,
  rate_den bigint not null check (rate_den > 0),
  valid tstzrange not null check (not isempty(valid)),
  check (rate_num between 0 and rate_den),
  -- Exactly one rule at a time for a depth.
  exclude using gist (programme_id with =, depth with =, valid with &&)
);

create table payments (
  id uuid primary key default uuidv7(),
  vendor_payment_id text not null unique,
  vendor_charge_id text unique,
  vendor_invoice_id text not null,
  kind text not null check (kind in ('customer', 'platform')),
  partner_id uuid not null references partners,
  customer_id uuid references customers,
  subscription_id uuid references subscriptions,
  currency text not null references currencies,
  amount_minor bigint not null check (amount_minor > 0),
  paid_at timestamptz not null,
  period text not null references accounting_periods,
  recorded_at timestamptz not null default clock_timestamp(),
  check ((kind = 'customer') = (customer_id is not null and subscription_id is not null))
);
create index payments_by_invoice on payments (vendor_invoice_id);

-- What one payment collected of one invoice line: the base of commission, without tax.
create table line_payments (
  id uuid primary key default uuidv7(),
  payment_id uuid not null references payments,
  vendor_line_id text not null,
  partner_id uuid not null references partners,
  currency text not null,
  base_minor bigint not null check (base_minor >= 0),
  tax_minor bigint not null check (tax_minor >= 0),
  whole boolean not null,
  paid_at timestamptz not null,
  period text not null references accounting_periods,
  unique (vendor_line_id, payment_id)
);
create index line_payments_by_payment on line_payments (payment_id);
create index line_payments_by_partner on line_payments (partner_id, paid_at);

-- Commission earned. Rate and base are copied in: a correction uses these, never today's rules.
create table accruals (
  id uuid primary key default uuidv7(),
  line_payment_id uuid not null references line_payments,
  partner_id uuid not null references partners,
  depth integer not null check (depth >= 0),
  rule_id uuid not null references commission_rules,
  base_minor bigint not null check (base_minor >= 0),
  rate_num bigint not null,
  rate_den bigint not null check (rate_den > 0),
  rounding text not null check (rounding in ('largest_remainder', 'cumulative_floor')),
  currency text not null references currencies,
  amount_minor bigint not null check (amount_minor between 0 and base_minor),
  period text not null references accounting_periods,
  -- Stored, not derived: moving a partner to other terms never moves the date of a line.
  matures_at timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp(),
  unique (line_payment_id, depth)
);
create index accruals_by_partner on accruals (partner_id, period, currency);
create index accruals_by_period on accruals (period, partner_id);

-- Money that went back (or came in again, negative), line by line.
create table line_reversals (
  id uuid primary key default uuidv7(),
  line_payment_id uuid not null references line_payments,
  cause text not null check (cause in ('refund', 'refund_failed', 'dispute', 'dispute_won')),
  vendor_source_id text not null,
  gross_minor bigint not null,
  base_minor bigint not null,
  happened_at timestamptz not null,
  period text not null references accounting_periods,
  recorded_at timestamptz not null default clock_timestamp(),
  unique (line_payment_id, cause, vendor_source_id)
);

create table clawbacks (
  id uuid primary key default uuidv7(),
  accrual_id uuid not null references accruals,
  line_reversal_id uuid not null references line_reversals,
  partner_id uuid not null references partners,
  currency text not null references currencies,
  amount_minor bigint not null,
  period text not null references accounting_periods,
  recorded_at timestamptz not null default clock_timestamp(),
  unique (accrual_id, line_reversal_id)
);
create index clawbacks_by_partner on clawbacks (partner_id, period, currency);
create index clawbacks_by_period on clawbacks (period, partner_id);

create table disputes (
  id uuid primary key default uuidv7(),
  vendor_dispute_id text not null unique,
  payment_id uuid not null references payments,
  amount_minor bigint not null check (amount_minor > 0),
  status text not null check (status in ('open', 'won', 'lost')),
  opened_at timestamptz not null,
  closed_at timestamptz
);
create index disputes_by_payment on disputes (payment_id);

do $$
declare
  kept text;
begin
  foreach kept in array array['line_payments', 'accruals', 'line_reversals', 'clawbacks'] loop
    execute format('create trigger %1$I before update or delete on %2$I
      for each row execute function refuse_change()', kept || '_append_only', kept);
    execute format('create trigger %1$I before truncate on %2$I
      for each statement execute function refuse_change()', kept || '_keep', kept);
  end loop;
end $$;
