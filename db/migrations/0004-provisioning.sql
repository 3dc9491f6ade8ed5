-- Tenants: the branded environment of a partner.

create table tenants (
  id uuid primary key default uuidv7(),
  partner_id uuid not null unique references partners,
  name text not null,
  subdomain text unique check (subdomain ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  status text not null default 'provisioning' check (status in (
    'provisioning', 'active', 'failed', 'suspended')),
  vendor_customer_id text unique,
  vendor_subscription_id text unique,
  problem text,
  created_at timestamptz not null default clock_timestamp(),
  activated_at timestamptz
);
