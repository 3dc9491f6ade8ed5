-- Domains of tenants' own: whoever proves one has it alone.

create table tenant_domains (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  partner_id uuid not null references partners,
  domain text not null check (length(domain) <= 253 and domain = lower(domain)),
  -- What the holder of the domain writes into its DNS; it is public there.
  token text not null check (length(token) >= 32),
  state text not null default 'pending' check (state in (
    'pending', 'proven', 'certificate_pending', 'active', 'failing', 'expired', 'removed')),
  -- A code of what was wrong when somebody looked last.
  problem text check (problem ~ '^[a-z_]{1,50}$'),
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  proven_at timestamptz,
  looked_at timestamptz,
  missing_since timestamptz,
  certificate_ends_at timestamptz,
  -- The end of the certificate about which somebody was told.
  told_end timestamptz,
  ended_at timestamptz,
  check ((state in ('expired', 'removed')) = (ended_at is not null))
);
-- Anybody may claim a domain; one proves it.
create unique index tenant_domains_proven on tenant_domains (domain)
  where state in ('proven', 'certificate_pending', 'active', 'failing');
create unique index tenant_domains_one on tenant_domains (tenant_id)
  where state not in ('expired', 'removed');
create index tenant_domains_due on tenant_domains (looked_at)
  where state in ('proven', 'certificate_pending', 'active', 'failing');
call audit_table('tenant_domains', 'tenant_domain', '{partner_id}', '{looked_at}');
