-- What belongs to a tenant beside its name: how it looks, how much it may hold, what it sells, how
-- far its provisioning is, and what a person has to finish by hand.

alter table programmes add column quotas jsonb not null default '{}';

alter table tenants
  -- One entry for each step that has come to something: {"customer": {"state": "done", "at": …}}.
  add column steps jsonb not null default '{}',
  -- Until when a step that failed waits for a person.
  add column waits_until timestamptz;
-- What steps came to is told by the vendor's objects and by the status; nobody decides it.
call audit_table('tenants', 'tenant', '{partner_id}', '{steps,waits_until}');

create table tenant_branding (
  tenant_id uuid primary key references tenants,
  partner_id uuid not null references partners,
  display_name text not null check (length(display_name) between 1 and 200),
  primary_color text not null check (primary_color ~ '^#[0-9a-f]{6}$'),
  background_color text not null check (background_color ~ '^#[0-9a-f]{6}$'),
  text_color text not null check (text_color ~ '^#[0-9a-f]{6}$'),
  css text not null default '' check (length(css) <= 20000),
  header_text text not null default '' check (length(header_text) <= 500),
  footer_text text not null default '' check (length(footer_text) <= 500),
  login_text text not null default '' check (length(login_text) <= 2000),
  email_sender_name text not null check (length(email_sender_name) between 1 and 100),
  support_address text check (length(support_address) <= 254),
  version bigint not null default 1,
  changed_at timestamptz not null default clock_timestamp()
);
call audit_table('tenant_branding', 'tenant_branding');

create table tenant_images (
  tenant_id uuid not null references tenants,
  kind text not null check (kind in ('logo', 'favicon')),
  partner_id uuid not null references partners,
  media_type text not null check (media_type in ('image/png', 'image/jpeg', 'image/webp')),
  sha256 bytea not null,
  content bytea not null check (octet_length(content) between 1 and 524288),
  changed_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, kind),
  check (sha256 = sha256(content))
);
call audit_table('tenant_images', 'tenant_image', '{partner_id}', '{content}');

-- Null is no limit.
create table tenant_quotas (
  tenant_id uuid primary key references tenants,
  partner_id uuid not null unique references partners,
  customers integer check (customers >= 0),
  members integer check (members >= 1),
  api_keys integer check (api_keys >= 1),
  storage_bytes bigint check (storage_bytes >= 0),
  api_per_minute integer check (api_per_minute >= 1),
  version bigint not null default 1
);
call audit_table('tenant_quotas', 'tenant_quota');

-- A package that is not named here is offered when it is offered to everybody.
alter table feature_packages add column auto_offer boolean not null default true;

create table tenant_packages (
  tenant_id uuid not null references tenants,
  feature_package_id uuid not null references feature_packages,
  partner_id uuid not null references partners,
  is_offered boolean not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, feature_package_id)
);
create index tenant_packages_by_partner on tenant_packages (partner_id, feature_package_id);
call audit_table('tenant_packages', 'tenant_package');

-- What the product could not finish by itself.
create table manual_tasks (
  id uuid primary key default uuidv7(),
  -- Names the task once, so that a repeated step opens it once.
  task_key text not null unique,
  kind text not null check (kind ~ '^[a-z_]{1,50}$'),
  -- As it is named outside.
  subject text not null check (length(subject) between 1 and 100),
  -- A code of what is to be done.
  what text not null check (what ~ '^[A-Za-z_]{1,80}$'),
  opened_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz,
  closed_by uuid references members,
  note text check (length(note) between 1 and 2000),
  check ((closed_at is null) = (note is null)),
  check ((closed_at is null) = (closed_by is null))
);
create index manual_tasks_open on manual_tasks (id) where closed_at is null;
call audit_table('manual_tasks', 'manual_task', '{}');

create trigger tenant_branding_version before update on tenant_branding
  for each row execute function bump_version('changed_at');
create trigger tenant_quotas_version before update on tenant_quotas
  for each row execute function bump_version();

-- Tenants that are there already have what a new one is given; policies come after migrations.
insert into tenant_quotas (tenant_id, partner_id, customers, members, api_keys, storage_bytes,
    api_per_minute)
  select id, partner_id, 100000, 1000, 1000, 10737418240, 6000 from tenants;
insert into tenant_branding (tenant_id, partner_id, display_name, primary_color, background_color,
    text_color, email_sender_name)
  select id, partner_id, left(name, 200), '#0f4c5c', '#ffffff', '#1a1a1a', left(name, 100)
  from tenants;
