-- The programme: its money, its deadlines, its tiers. Everything a platform owner sets as policy.

create extension if not exists btree_gist;

create table currencies (
  code text primary key check (code ~ '^[A-Z]{3}$'),
  exponent smallint not null check (exponent between 0 and 4),
  stripe_exponent smallint not null check (stripe_exponent between 0 and 4),
  charge_step bigint not null check (charge_step > 0),
  payout_step bigint not null check (payout_step > 0)
);

-- The same rows as domain/currencies.ts; a test compares them.
insert into currencies (code, exponent, stripe_exponent, charge_step, payout_step) values
  ('AED', 2, 2, 1, 1),
  ('AUD', 2, 2, 1, 1),
  ('BHD', 3, 3, 10, 10),
  ('BRL', 2, 2, 1, 1),
  ('CAD', 2, 2, 1, 1),
  ('CHF', 2, 2, 1, 1),
  ('CLP', 0, 0, 1, 1),
  ('CZK', 2, 2, 1, 1),
  ('DKK', 2, 2, 1, 1),
  ('EUR', 2, 2, 1, 1),
  ('GBP', 2, 2, 1, 1),
  ('HKD', 2, 2, 1, 1),
  ('HUF', 2, 2, 1, 100),
  ('ILS', 2, 2, 1, 1),
  ('INR', 2, 2, 1, 1),
  ('ISK', 0, 2, 1, 1),
  ('JOD', 3, 3, 10, 10),
  ('JPY', 0, 0, 1, 1),
  ('KRW', 0, 0, 1, 1),
  ('KWD', 3, 3, 10, 10),
  ('MXN', 2, 2, 1, 1),
  ('MYR', 2, 2, 1, 1),
  ('NOK', 2, 2, 1, 1),
  ('NZD', 2, 2, 1, 1),
  ('OMR', 3, 3, 10, 10),
  ('PHP', 2, 2, 1, 1),
  ('PLN', 2, 2, 1, 1),
  ('PYG', 0, 0, 1, 1),
  ('RON', 2, 2, 1, 1),
  ('SEK', 2, 2, 1, 1),
  ('SGD', 2, 2, 1, 1),
  ('THB', 2, 2, 1, 1),
  ('TND', 3, 3, 10, 10),
  ('TRY', 2, 2, 1, 1),
  ('TWD', 2, 2, 1, 100),
  ('UGX', 0, 2, 1, 1),
  ('USD', 2, 2, 1, 1),
  ('VND', 0, 0, 1, 1),
  ('XAF', 0, 0, 1, 1),
  ('XOF', 0, 0, 1, 1),
  ('ZAR', 2, 2, 1, 1);

create table programmes (
  id uuid primary key default uuidv7(),
  code text not null unique,
  name text not null,
  currency text not null references currencies,
  hold_days integer not null check (hold_days between 0 and 180),
  minimum_payout_minor bigint not null check (minimum_payout_minor >= 0),
  platform_fee_minor bigint not null check (platform_fee_minor >= 0),
  vendor_fee_product_id text unique,
  vendor_fee_price_id text unique,
  tier_window_months integer not null check (tier_window_months between 1 and 36),
  -- Seconds; pinned into each process when it starts, so a change never moves a running deadline.
  deadlines jsonb not null,
  created_at timestamptz not null default clock_timestamp()
);

create table tiers (
  programme_id uuid not null references programmes,
  tier text not null check (tier in ('bronze', 'silver', 'gold', 'platinum')),
  threshold_minor bigint not null check (threshold_minor >= 0),
  primary key (programme_id, tier),
  unique (programme_id, threshold_minor)
);
