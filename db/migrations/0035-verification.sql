-- Verification as it goes on after the first day: what is asked and until when, a check of a
-- person beside the company's, what became of a partner's verification, and more time by a person.

alter table payout_accounts drop constraint payout_accounts_status_check;
alter table payout_accounts add constraint payout_accounts_status_check check (status in (
  'not_started', 'link_issued', 'in_progress', 'pending_review', 'needs_input', 'verified',
  'restricted', 'rejected', 'expired', 'redacted'));
alter table payout_accounts
  -- What the processor asks for, in its own names of fields; never what was answered.
  add column requirements text[] not null default '{}',
  add column deadline text check (deadline in ('eventually_due', 'currently_due', 'past_due')),
  add column deadline_at timestamptz,
  -- Transfers reach the account, whatever is still asked for.
  add column transfers_active boolean not null default false,
  add column verified_at timestamptz,
  -- How often what was handed in was refused.
  add column refusals integer not null default 0 check (refusals >= 0),
  -- Closed at the processor, because its application came to nothing.
  add column closed_at timestamptz;
update payout_accounts set transfers_active = true, verified_at = coalesce(checked_at, created_at)
  where status = 'verified';
alter table payout_accounts add column payable boolean not null generated always as
  (vendor_account_id is not null and closed_at is null
    and (status = 'verified' or status = 'needs_input' and transfers_active)) stored;
create index payout_accounts_by_check on payout_accounts (checked_at)
  where vendor_account_id is not null and closed_at is null;

alter table verification_events
  add column requirements text[] not null default '{}',
  add column deadline text;
create trigger verification_events_append_only before update or delete on verification_events
  for each row execute function refuse_change();
create trigger verification_events_keep before truncate on verification_events
  for each statement execute function refuse_change();

-- The check of a person. Of what it found only the outcome is kept: no name, no number, no picture.
create table identity_checks (
  id uuid primary key default uuidv7(),
  application_id uuid not null references applications,
  partner_id uuid references partners,
  -- A session that was canceled, or a check that became old, is followed by another.
  attempt integer not null check (attempt > 0),
  vendor_session_id text unique,
  status text not null default 'created' check (status in (
    'created', 'requires_input', 'processing', 'verified', 'canceled', 'redacted')),
  last_error text,
  report_id text,
  refusals integer not null default 0 check (refusals >= 0),
  checked_at timestamptz,
  verified_at timestamptz,
  redaction_asked_at timestamptz,
  redacted_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  master_id uuid references partners,
  unique (application_id, attempt),
  check ((status = 'redacted') = (redacted_at is not null))
);
create index identity_checks_by_partner on identity_checks (partner_id);
create index identity_checks_to_redact on identity_checks (id)
  where redacted_at is null and vendor_session_id is not null;
create trigger identity_checks_decider before insert on identity_checks
  for each row execute function name_decider_of_part();
create trigger identity_checks_stay before delete on identity_checks
  for each row execute function refuse_change();
create trigger identity_checks_keep before truncate on identity_checks
  for each statement execute function refuse_change();
call audit_table('identity_checks', 'identity_check', '{partner_id,master_id}', '{checked_at}');

-- Every change of an identity check, in order; the proof of its redaction among them.
create table identity_check_events (
  id bigint generated always as identity primary key,
  identity_check_id uuid not null references identity_checks,
  at timestamptz not null default clock_timestamp(),
  status text not null,
  detail text
);
create index identity_check_events_by_check on identity_check_events (identity_check_id, id);
create trigger identity_check_events_append_only before update or delete on identity_check_events
  for each row execute function refuse_change();
create trigger identity_check_events_keep before truncate on identity_check_events
  for each statement execute function refuse_change();

-- What became of a partner's verification, for itself and those above it. The newest row is how it
-- stands.
create table partner_verifications (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  at timestamptz not null default clock_timestamp(),
  status text not null check (status in (
    'not_started', 'link_issued', 'in_progress', 'pending_review', 'needs_input', 'verified',
    'restricted', 'rejected', 'expired', 'redacted')),
  identity_status text,
  detail text,
  requirements text[] not null default '{}',
  deadline text check (deadline in ('eventually_due', 'currently_due', 'past_due')),
  deadline_at timestamptz,
  payouts_held boolean not null default false,
  sales_stopped boolean not null default false,
  -- Until when a person gave more time.
  extended_until timestamptz,
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column partner_verifications.reseller_id is 'stamped';
comment on column partner_verifications.master_id is 'stamped';
create index partner_verifications_by_partner on partner_verifications (partner_id, id);
create index partner_verifications_by_master on partner_verifications (master_id, id);
create index partner_verifications_by_reseller on partner_verifications (reseller_id, id);
create trigger partner_verifications_placed before insert on partner_verifications
  for each row when (new.master_id is null) execute function stamp_place();
create trigger partner_verifications_append_only before update or delete on partner_verifications
  for each row execute function refuse_change();
create trigger partner_verifications_keep before truncate on partner_verifications
  for each statement execute function refuse_change();
insert into partner_verifications (partner_id, status, detail, at)
  select partner_id, status, status_detail, coalesce(checked_at, created_at)
  from payout_accounts where partner_id is not null;

-- More time, given by a person with a reason. The words stay here; the row's id travels.
create table verification_extensions (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  member_id uuid not null references members,
  -- Also lifts what is held already.
  lifts boolean not null,
  until timestamptz not null,
  reason text not null check (reason <> ''),
  created_at timestamptz not null default clock_timestamp(),
  -- Set once by the process that took it; one without it was refused.
  taken_at timestamptz
);
create index verification_extensions_by_partner on verification_extensions (partner_id, id);
create trigger verification_extensions_stay before delete on verification_extensions
  for each row execute function refuse_change();
create trigger verification_extensions_keep before truncate on verification_extensions
  for each statement execute function refuse_change();
call audit_table('verification_extensions', 'verification_extension');
