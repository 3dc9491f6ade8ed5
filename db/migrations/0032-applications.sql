-- What an application tells, whom it resembles, and who was invited to send one.

-- Who was invited to apply, by the platform or by a partner. Its token is in the mail alone.
create table application_invitations (
  id uuid primary key default uuidv7(),
  partner_id uuid references partners,
  invited_by uuid not null references members,
  name_sealed bytea not null,
  email_sealed bytea not null,
  email_index bytea not null,
  -- What the one who invites wrote to go with it; empty where it wrote nothing.
  message_sealed bytea not null,
  level text not null check (level in ('master_reseller', 'reseller')),
  type text check (type in (
    'authorized_dealer', 'value_added_reseller', 'system_integrator', 'distributor',
    'technology_partner', 'referral_partner', 'white_label', 'franchise')),
  token_hash bytea not null unique,
  times_sent integer not null default 1 check (times_sent between 1 and 6),
  last_sent_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  used_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  check (revoked_at is null or used_at is null)
);
create index application_invitations_by_partner on application_invitations (partner_id, id);
create index application_invitations_by_mailbox on application_invitations (email_index)
  where revoked_at is null and used_at is null;
call audit_table('application_invitations', 'application_invitation', '{partner_id}',
  '{last_sent_at}');

alter table applications
  add column legal_name text check (legal_name <> ''),
  add column registration_number text check (registration_number <> ''),
  -- Letters and digits alone, so that a number is found however it was written.
  add column registration_normalized text check (registration_normalized ~ '^[A-Z0-9]+$'),
  -- Equal for addresses of one mailbox, and for mailboxes at one domain that is a company's own.
  add column contact_email_index bytea,
  add column domain_index bytea,
  -- Where it wants to sell: countries and parts of countries.
  add column territory_codes text[] not null default '{}'
    check (array_to_string(territory_codes, ' ') ~ '^([A-Z]{2}(-[A-Z0-9]{1,3}(-[A-Z0-9]{1,10})?)?( |$))*$'),
  add column territory_mode text not null default 'exclusive'
    check (territory_mode in ('exclusive', 'shared')),
  -- In a month.
  add column expected_volume_minor bigint check (expected_volume_minor >= 0),
  add column expected_volume_currency text references currencies,
  -- What the first rule that fits it says, and why.
  add column pre_screen text check (pre_screen in ('reject', 'review')),
  add column pre_screen_reason text check (pre_screen_reason <> ''),
  -- The rejected application that this one comes after, through the link of that one.
  add column reapplies_id uuid references applications,
  add column invitation_id uuid unique references application_invitations,
  add check (num_nulls(registration_number, registration_normalized) in (0, 2)),
  add check (num_nulls(expected_volume_minor, expected_volume_currency) in (0, 2)),
  add check (num_nulls(pre_screen, pre_screen_reason) in (0, 2)),
  add check (reapplies_id <> id);
create index applications_by_registration on applications (country, registration_normalized)
  where registration_normalized is not null;
create index applications_by_domain on applications (domain_index, company_normalized)
  where domain_index is not null;
create index applications_by_mailbox on applications (contact_email_index, id)
  where contact_email_index is not null;

-- More people of who applies.
create table application_contacts (
  id uuid primary key default uuidv7(),
  application_id uuid not null references applications,
  master_id uuid references partners,
  role text not null check (role in ('owner', 'signatory', 'billing', 'technical', 'other')),
  name_sealed bytea not null,
  email_sealed bytea not null
);
create index application_contacts_by_application on application_contacts (application_id, id);
create trigger application_contacts_decider before insert on application_contacts
  for each row execute function name_decider_of_part();
call audit_table('application_contacts', 'application_contact', '{master_id}');

-- Words of who applies: a message, and the answers to the programme's own questions as JSON.
create table application_answers (
  id uuid primary key default uuidv7(),
  application_id uuid not null unique references applications,
  master_id uuid references partners,
  message_sealed bytea not null,
  custom_sealed bytea not null
);
create trigger application_answers_decider before insert on application_answers
  for each row execute function name_decider_of_part();
call audit_table('application_answers', 'application_answer', '{master_id}');

-- Whom an application resembles. The applicant never reads it.
create table application_twins (
  application_id uuid not null references applications,
  other_id uuid not null references applications check (other_id <> application_id),
  master_id uuid references partners,
  reason text not null check (reason in (
    'registration_number', 'name_and_domain', 'rejected_recently')),
  found_at timestamptz not null default clock_timestamp(),
  primary key (application_id, other_id)
);
create trigger application_twins_decider before insert on application_twins
  for each row execute function name_decider_of_part();

-- How many applications a mailbox has open, for the form, which sees none of others.
create function open_applications_of(mailbox bytea) returns integer
  language sql stable security definer set search_path from current as $$
    select count(*)::integer from applications
    where contact_email_index = mailbox and closed_at is null $$;

-- Programmes are changed by people: each change says which version it is meant for.
alter table programmes add column version bigint not null default 1;
create trigger programmes_version before update on programmes for each row
  execute function bump_version('vendor_fee_product_id', 'vendor_fee_price_id');
