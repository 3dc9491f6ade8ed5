-- Applications and what they gather: screening, agreement, verification, decision, timeline.

create table documents (
  id uuid primary key default uuidv7(),
  kind text not null,
  media_type text not null,
  sha256 bytea not null,
  content bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  check (sha256 = sha256(content))
);

create table applications (
  id uuid primary key default uuidv7(),
  programme_id uuid not null references programmes,
  type text not null check (type in (
    'authorized_dealer', 'value_added_reseller', 'system_integrator', 'distributor',
    'technology_partner', 'referral_partner', 'white_label', 'franchise')),
  level text not null check (level in ('master_reseller', 'reseller')),
  parent_id uuid references partners,
  company_name text not null,
  company_normalized text not null,
  country text not null check (country ~ '^[A-Z]{2}$'),
  website text not null,
  contact_name text not null,
  contact_email text not null,
  status text not null default 'submitted' check (status in (
    'submitted', 'in_review', 'approved', 'provisioning', 'active', 'rejected', 'withdrawn', 'lapsed')),
  stage text not null default 'screening' check (stage in (
    'screening', 'agreement', 'verification', 'approval', 'provisioning', 'training', 'done')),
  next_actor text check (next_actor in (
    'super_admin', 'master_reseller', 'reseller', 'applicant', 'partner', 'system', 'vendor')),
  due_at timestamptz,
  screening text check (screening in ('clear', 'review')),
  partner_id uuid unique references partners,
  submitted_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz
);
create index applications_by_company on applications (country, company_normalized);
create index applications_by_parent on applications (parent_id);
create index applications_open on applications (submitted_at) where closed_at is null;

-- The timeline. Append-only; the key makes each entry happen once however often a step repeats.
create table application_events (
  id bigint generated always as identity primary key,
  application_id uuid not null references applications,
  entry_key text not null,
  at timestamptz not null default clock_timestamp(),
  stage text not null,
  actor text not null,
  what text not null,
  unique (application_id, entry_key)
);

-- What an approver wrote. The words stay here; only the id of the row travels through a process.
create table decision_notes (
  id uuid primary key default uuidv7(),
  application_id uuid not null references applications,
  member_id uuid not null references members,
  decision text not null check (decision in ('approve', 'reject')),
  reason text not null,
  effective_from timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  -- Set once by the process that took the decision; a note without it was refused.
  taken_at timestamptz
);
create unique index decision_notes_one_taken on decision_notes (application_id)
  where taken_at is not null;

create table agreements (
  id uuid primary key default uuidv7(),
  application_id uuid not null references applications,
  attempt integer not null check (attempt > 0),
  terms_version text not null,
  status text not null default 'draft' check (status in (
    'draft', 'sent', 'completed', 'declined', 'voided', 'expired')),
  -- Finds an envelope whose creation was answered by nobody.
  transaction_id uuid not null unique default uuidv7(),
  envelope_id text unique,
  sent_at timestamptz,
  completed_at timestamptz,
  document_id uuid references documents,
  unique (application_id, attempt),
  check ((status = 'completed') = (completed_at is not null))
);
-- Never two live envelopes for one application.
create unique index agreements_one_live on agreements (application_id)
  where status in ('draft', 'sent');

-- Where a partner is paid, and what the processor says of its identity.
create table payout_accounts (
  id uuid primary key default uuidv7(),
  application_id uuid not null unique references applications,
  partner_id uuid unique references partners,
  vendor_account_id text unique,
  status text not null default 'not_started' check (status in (
    'not_started', 'link_issued', 'in_progress', 'pending_review', 'needs_input', 'verified',
    'restricted', 'rejected', 'expired')),
  status_detail text,
  link_url text,
  link_expires_at timestamptz,
  checked_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);

-- Every change of a verification, in order.
create table verification_events (
  id bigint generated always as identity primary key,
  payout_account_id uuid not null references payout_accounts,
  at timestamptz not null default clock_timestamp(),
  status text not null,
  detail text
);
