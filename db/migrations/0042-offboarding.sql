-- A tenant that leaves: its data are handed out, and erased after two persons; the books stay.

create table offboardings (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  partner_id uuid not null references partners,
  -- Where a termination began it.
  termination_id uuid unique references terminations,
  reason text not null check (reason <> ''),
  requested_by uuid not null references members,
  export_wanted boolean not null,
  legal_hold boolean not null default false,
  stage text not null default 'freezing' check (stage in (
    'freezing', 'exporting', 'retrieval', 'confirmation', 'erasing', 'erased', 'cancelled')),
  next_actor text check (next_actor in ('system', 'partner', 'super_admin')),
  due_at timestamptz,
  confirmed_by uuid references members,
  confirmed_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  check ((confirmed_by is null) = (confirmed_at is null)),
  check ((ended_at is not null) = (stage in ('erased', 'cancelled'))),
  check (stage not in ('erasing', 'erased') or confirmed_by is not null and not legal_hold),
  constraint offboardings_two_persons check (confirmed_by <> requested_by)
);
create unique index offboardings_one_open on offboardings (tenant_id) where ended_at is null;
create index offboardings_by_tenant on offboardings (tenant_id, id);

create table offboarding_events (
  id bigint generated always as identity primary key,
  offboarding_id uuid not null references offboardings,
  entry_key text not null,
  at timestamptz not null default clock_timestamp(),
  stage text not null,
  actor text not null,
  what text not null,
  unique (offboarding_id, entry_key)
);
create trigger offboarding_events_append_only before update or delete on offboarding_events
  for each row execute function refuse_change();
create trigger offboarding_events_keep before truncate on offboarding_events
  for each statement execute function refuse_change();

-- The files of an export in their order; what is read next follows from the last of them.
create table offboarding_exports (
  offboarding_id uuid not null references offboardings,
  number integer not null check (number > 0),
  section text not null,
  last_key text,
  name text not null,
  lines integer not null,
  document_id uuid not null references documents,
  primary key (offboarding_id, number)
);

-- What was erased, for whom and by whom: counts and a hash over them, nothing of what it was.
create table erasures (
  offboarding_id uuid primary key references offboardings,
  partner_id uuid not null references partners,
  counts jsonb not null,
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  requested_by uuid not null references members,
  confirmed_by uuid not null references members,
  erased_at timestamptz not null default clock_timestamp(),
  check (confirmed_by <> requested_by)
);
create trigger erasures_append_only before update or delete on erasures
  for each row execute function refuse_change();
create trigger erasures_keep before truncate on erasures
  for each statement execute function refuse_change();

-- By the mailbox its notices are found when it is erased; those from before have none.
alter table notices add column recipient_index bytea;
create index notices_by_mailbox on notices (recipient_index);
create index notices_by_subject on notices (subject_id);

alter table tenants
  drop constraint tenants_status_check,
  add constraint tenants_status_check check (status in (
    'provisioning', 'active', 'failed', 'suspended', 'erased'));

call audit_table('offboardings', 'offboarding');
call audit_table('erasures', 'erasure');
