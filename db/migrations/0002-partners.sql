-- Partner organisations, the tree they stand in, and the people and keys that act for them.

create table partners (
  id uuid primary key default uuidv7(),
  programme_id uuid not null references programmes,
  name text not null,
  level text not null check (level in ('master_reseller', 'reseller')),
  type text not null check (type in (
    'authorized_dealer', 'value_added_reseller', 'system_integrator', 'distributor',
    'technology_partner', 'referral_partner', 'white_label', 'franchise')),
  status text not null check (status in ('approved', 'active', 'suspended', 'terminated')),
  country text not null check (country ~ '^[A-Z]{2}$'),
  website text not null,
  contact_name text not null,
  contact_email text not null,
  created_at timestamptz not null default clock_timestamp(),
  activated_at timestamptz
);

-- Who stood above whom, and when. Depth 0 is the partner itself, 1 its parent, and so on; a partner
-- has at most one ancestor at a depth at any instant. A move ends rows and adds rows.
create table partner_ancestry (
  partner_id uuid not null references partners,
  ancestor_id uuid not null references partners,
  depth integer not null check (depth >= 0),
  valid tstzrange not null check (not isempty(valid)),
  check ((depth = 0) = (partner_id = ancestor_id)),
  exclude using gist (partner_id with =, depth with =, valid with &&)
);
create index partner_ancestry_by_ancestor on partner_ancestry (ancestor_id, partner_id);

-- Which tier a partner held, and when. The first row has no previous tier.
create table partner_tiers (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  tier text not null check (tier in ('bronze', 'silver', 'gold', 'platinum')),
  previous_tier text check (previous_tier in ('bronze', 'silver', 'gold', 'platinum')),
  valid tstzrange not null check (not isempty(valid)),
  reason text not null,
  -- The period whose review decided; a review of one period decides once for one partner.
  review_period text,
  decided_at timestamptz not null default clock_timestamp(),
  check (previous_tier is distinct from tier),
  unique (partner_id, review_period),
  exclude using gist (partner_id with =, valid with &&)
);

-- People. A member without a partner belongs to the platform owner.
create table members (
  id uuid primary key default uuidv7(),
  partner_id uuid references partners,
  name text not null,
  email text not null,
  created_at timestamptz not null default clock_timestamp(),
  unique nulls not distinct (partner_id, email)
);

-- Only the SHA-256 of a key is kept; the key itself is shown once.
create table api_keys (
  id uuid primary key default uuidv7(),
  member_id uuid not null references members,
  label text not null,
  prefix text not null,
  last_four text not null,
  secret_hash bytea not null unique,
  scopes text[] not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index api_keys_by_member on api_keys (member_id);

create table invitations (
  id uuid primary key default uuidv7(),
  partner_id uuid not null unique references partners,
  name text not null,
  email text not null,
  token_hash bytea not null unique,
  expires_at timestamptz not null,
  accepted_at timestamptz,
  -- The request that took it up; repeated after a lost answer, it succeeds again.
  accepted_operation_id uuid,
  revoked_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
