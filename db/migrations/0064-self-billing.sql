-- Self-billing: the platform writes the invoices of its partners about the commission that it owes
-- them, with the value added tax on it.

-- What holds for sellers of a country from a day on; of a country without a row nothing is written.
create table vat_rates (
  id uuid primary key default uuidv7(),
  country text not null check (country ~ '^[A-Z]{2}$'),
  valid_from text not null check (valid_from ~ '^\d{4}-\d\d-\d\d$'),
  treatment text not null check (treatment in ('standard', 'reverse_charge', 'outside_scope')),
  bps int not null check (bps between 0 and 10000),
  source text not null check (source <> ''),
  changed_at timestamptz not null default clock_timestamp(),
  unique (country, valid_from),
  check (treatment = 'standard' or bps = 0)
);
create trigger vat_rates_stay before delete on vat_rates
  for each row execute function refuse_removal();

-- Who the partner is on its invoices. A change is a new row: documents keep the one of their day.
create table self_billing_profiles (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  legal_name_sealed bytea not null,
  address_sealed bytea not null,
  -- Empty text where there is none (yet).
  vat_id_sealed bytea not null,
  has_vat_id boolean not null,
  country text not null check (country ~ '^[A-Z]{2}$'),
  registered boolean not null,
  created_at timestamptz not null default clock_timestamp(),
  replaced_at timestamptz,
  check (registered or not has_vat_id)
);
create unique index self_billing_profiles_one on self_billing_profiles (partner_id)
  where replaced_at is null;

-- That the platform may write the partner's invoices: by whom it was accepted, and until when.
create table self_billing_agreements (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  profile_id uuid not null references self_billing_profiles,
  version text not null check (version <> ''),
  accepted_by uuid not null references members,
  accepted_at timestamptz not null default clock_timestamp(),
  -- The last day on which it holds.
  valid_until text not null check (valid_until ~ '^\d{4}-\d\d-\d\d$'),
  ended_at timestamptz,
  end_cause text check (end_cause in ('renewed', 'vat_id_changed', 'withdrawn')),
  check ((ended_at is null) = (end_cause is null))
);
create unique index self_billing_agreements_one on self_billing_agreements (partner_id)
  where ended_at is null;
create index self_billing_agreements_by_partner on self_billing_agreements (partner_id, id);

create function guard_self_billing() returns trigger language plpgsql as $$
declare
  may_change text[] := tg_argv[0]::text[];
  mark text := tg_argv[1];
begin
  if to_jsonb(new) - may_change <> to_jsonb(old) - may_change
    or (to_jsonb(old) ->> mark is not null and to_jsonb(new) ->> mark <> to_jsonb(old) ->> mark)
  then
    raise exception 'what % says never changes: it ends, and another row takes its place',
      tg_table_name using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
-- The law may take names away; nothing else of them changes.
create trigger self_billing_profiles_guarded before update on self_billing_profiles
  for each row execute function guard_self_billing(
    '{replaced_at,legal_name_sealed,address_sealed,vat_id_sealed}', 'replaced_at');
create trigger self_billing_agreements_guarded before update on self_billing_agreements
  for each row execute function guard_self_billing('{ended_at,end_cause}', 'ended_at');
create function guard_sealed_profile() returns trigger language plpgsql as $$
begin
  if (octet_length(new.legal_name_sealed) > 0 and new.legal_name_sealed <> old.legal_name_sealed)
    or (octet_length(new.address_sealed) > 0 and new.address_sealed <> old.address_sealed)
    or (octet_length(new.vat_id_sealed) > 0 and new.vat_id_sealed <> old.vat_id_sealed) then
    raise exception 'what was declared never changes' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger self_billing_profiles_sealed before update on self_billing_profiles
  for each row execute function guard_sealed_profile();

-- The numbers of each partner run without a gap: taken under the lock of its row, in the
-- transaction that writes the document.
create table self_billing_series (
  partner_id uuid primary key references partners,
  series int not null generated always as identity unique,
  last_number int not null default 0 check (last_number >= 0)
);

create table self_billing_documents (
  id uuid primary key default uuidv7(),
  kind text not null check (kind in ('invoice', 'credit_note')),
  document_number text not null unique,
  number int not null check (number > 0),
  statement_id uuid not null references statements,
  partner_id uuid not null references partners,
  period text not null references accounting_periods,
  -- The invoice that a credit note takes back, wholly or in part.
  corrects_id uuid references self_billing_documents,
  profile_id uuid not null references self_billing_profiles,
  agreement_id uuid not null references self_billing_agreements,
  issuer jsonb not null,
  treatment text not null check (treatment in (
    'standard', 'reverse_charge', 'outside_scope', 'not_registered')),
  rate_bps int not null check (rate_bps between 0 and 10000),
  currency text not null references currencies,
  base_minor bigint not null,
  vat_minor bigint not null,
  total_minor bigint not null,
  issued_at timestamptz not null,
  hash bytea not null check (octet_length(hash) = 32),
  unique (partner_id, number),
  check (total_minor = base_minor + vat_minor),
  check ((kind = 'credit_note') = (corrects_id is not null)),
  check (case kind when 'invoice' then base_minor > 0 and vat_minor >= 0
    else base_minor < 0 and vat_minor <= 0 end),
  check (treatment = 'standard' or (rate_bps = 0 and vat_minor = 0))
);
create index self_billing_documents_by_statement on self_billing_documents (statement_id);
create index self_billing_documents_by_period on self_billing_documents (period, id);
create index self_billing_documents_corrected on self_billing_documents (corrects_id)
  where corrects_id is not null;

-- What a statement earned or took back and no document is about, and why.
create table self_billing_skips (
  statement_id uuid primary key references statements,
  partner_id uuid not null references partners,
  reason text not null check (reason in (
    'no_profile', 'no_consent', 'consent_ended', 'vat_id_changed', 'no_rate', 'no_vat_id',
    'nothing_to_credit')),
  base_minor bigint not null check (base_minor <> 0)
);

-- The tax that a payout carries beside what its statement pays, in its own currency; and what it
-- takes of the tax that is owed to the partner, in the currency of the documents.
alter table payouts
  add column vat_minor bigint not null default 0,
  add column vat_owed_minor bigint not null default 0,
  add check (vat_minor between 0 and amount_minor - 1),
  add check (vat_owed_minor >= 0 and (vat_owed_minor > 0) = (vat_minor > 0));

create or replace function refuse_wrong_payouts() returns trigger language plpgsql as $$
declare
  broken uuid;
begin
  select payout.id into broken
    from written payout
    join statements statement on statement.id = payout.statement_id
    join currencies on currencies.code = payout.currency
    where payout.amount_minor - payout.vat_minor
        > coalesce(statement.payout_minor, statement.payable_minor)
      or payout.amount_minor % currencies.payout_step <> 0
      or payout.currency <> coalesce(statement.payout_currency, statement.currency)
      or payout.partner_id <> statement.partner_id
    limit 1;
  if found then
    raise exception 'payout % is not what its statement pays', broken using errcode = 'TR002';
  end if;
  select payout.id into broken from written payout
    where payout.status = 'paid' and not exists (
      select from payout_attempts attempt
      where attempt.payout_id = payout.id and attempt.status = 'succeeded')
    limit 1;
  if found then
    raise exception 'payout % is paid by no attempt', broken using errcode = 'TR002';
  end if;
  return null;
end $$;

do $$
declare
  name text;
begin
  foreach name in array array['self_billing_documents', 'self_billing_skips'] loop
    execute format('create trigger %I before update or delete on %I for each row '
      'execute function refuse_change()', name || '_append_only', name);
    execute format('create trigger %I before truncate on %I for each statement '
      'execute function refuse_change()', name || '_keep', name);
  end loop;
  foreach name in array array['self_billing_profiles', 'self_billing_agreements',
      'self_billing_series'] loop
    execute format('create trigger %I before delete on %I for each row '
      'execute function refuse_removal()', name || '_stay', name);
    execute format('create trigger %I before truncate on %I for each statement '
      'execute function refuse_removal()', name || '_stay_all', name);
  end loop;
end $$;

-- Tax that is owed to a partner has a balance of its own, beside what it has earned.
create or replace function has_balance(purpose text) returns boolean language sql immutable as
  $$ select purpose in ('partner_accrued', 'partner_payable', 'partner_vat', 'payout_in_transit',
    'fx_rounding') $$;

-- Each list of names that is allowed has one more, whatever it holds by now.
do $$
declare
  added record;
  held text;
begin
  for added in select * from (values
      ('ledger_accounts', 'ledger_accounts_purpose_check', 'input_tax'),
      ('ledger_accounts', 'ledger_accounts_purpose_check', 'partner_vat'),
      ('ledger_accounts', 'ledger_accounts_check', 'partner_vat'),
      ('ledger_journals', 'ledger_journals_kind_check', 'input_tax'),
      ('ledger_journals', 'ledger_journals_kind_check', 'vat_payment')) of (tab, con, name) loop
    select pg_get_constraintdef(oid) into strict held from pg_constraint
      where conrelid = added.tab::regclass and conname = added.con;
    continue when position(quote_literal(added.name) in held) > 0;
    execute format('alter table %I drop constraint %I', added.tab, added.con);
    execute format('alter table %I add constraint %I %s', added.tab, added.con,
      replace(held, 'ARRAY[', format('ARRAY[%L::text, ', added.name)));
  end loop;
end $$;

call audit_table('vat_rates', 'vat_rate', '{}');
call audit_table('self_billing_profiles', 'self_billing_profile', '{}');
call audit_table('self_billing_agreements', 'self_billing_agreement', '{}');
