-- What is sold, to whom, and the subscriptions that result.

create table feature_packages (
  id uuid primary key default uuidv7(),
  programme_id uuid not null references programmes,
  name text not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null references currencies,
  interval text not null check (interval in ('month')),
  vendor_product_id text unique,
  vendor_price_id text unique,
  created_at timestamptz not null default clock_timestamp()
);

create table customers (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  name text not null,
  email text not null,
  vendor_customer_id text unique,
  created_at timestamptz not null default clock_timestamp(),
  unique (id, partner_id)
);
create index customers_by_partner on customers (partner_id, id);

create table subscriptions (
  id uuid primary key default uuidv7(),
  customer_id uuid not null,
  partner_id uuid not null,
  feature_package_id uuid not null references feature_packages,
  status text not null default 'pending' check (status in (
    'pending', 'awaiting_payment', 'active', 'past_due', 'canceled')),
  vendor_subscription_id text unique,
  vendor_invoice_id text,
  problem text,
  created_at timestamptz not null default clock_timestamp(),
  activated_at timestamptz,
  canceled_at timestamptz,
  -- A subscription cannot belong to another partner than its customer.
  foreign key (customer_id, partner_id) references customers (id, partner_id)
);
create index subscriptions_by_partner on subscriptions (partner_id, id);
create index subscriptions_pending on subscriptions (created_at) where status = 'pending';
