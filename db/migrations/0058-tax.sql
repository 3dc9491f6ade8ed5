-- Tax: what is set by the year, the forms by which partners say who they are for it, and what is
-- withheld from payouts.

-- What changes from year to year is data. Of a year that is not here, the newest one before holds.
create table tax_years (
  year int primary key check (year between 2020 and 2100),
  currency text not null default 'USD' references currencies,
  -- From which sum of a year on a partner is reported.
  threshold_minor bigint not null check (threshold_minor > 0),
  backup_withholding_bps int not null check (backup_withholding_bps between 0 and 10000),
  source text not null check (source <> ''),
  changed_at timestamptz not null default clock_timestamp()
);
insert into tax_years (year, threshold_minor, backup_withholding_bps, source) values
  (2025, 60000, 2400, 'IRC 6041(a) and 3406(a)(1), as for payments made in 2025'),
  (2026, 200000, 2400, 'Public Law 119-21, section 70433: payments made from 2026 on');
create trigger tax_years_stay before delete on tax_years
  for each row execute function refuse_removal();

create table tax_forms (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  -- Null while it is only asked for.
  kind text check (kind in ('w9', 'w8ben', 'w8bene')),
  state text not null check (state in (
    'requested', 'received', 'valid', 'rejected', 'expired', 'replaced')),
  legal_name_sealed bytea,
  -- The last four characters; the whole number is never here.
  tin_last_four_sealed bytea,
  tin_kind text check (tin_kind in ('ssn', 'ein', 'itin', 'foreign', 'none')),
  classification text check (classification in (
    'individual', 'partnership', 'trust', 'llc', 'c_corporation', 's_corporation', 'other')),
  -- The payee was told by the authority that it is subject to backup withholding.
  subject_to_withholding boolean not null default false,
  -- Of tax residence.
  country text check (country ~ '^[A-Z]{2}$'),
  -- Days, like 2026-10-31; both of them count.
  signed_on text check (signed_on ~ '^\d{4}-\d\d-\d\d$'),
  expires_on text check (expires_on ~ '^\d{4}-\d\d-\d\d$'),
  reason text check (reason <> ''),
  requested_at timestamptz,
  received_at timestamptz,
  decided_by uuid references members,
  decided_at timestamptz,
  ended_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  check ((state = 'requested') = (kind is null)),
  check (num_nonnulls(kind, legal_name_sealed, tin_last_four_sealed, tin_kind, country, signed_on,
    received_at) in (0, 7)),
  check ((classification is not null) = (kind is not null and kind = 'w9')),
  check ((expires_on is not null) = (kind is not null and kind <> 'w9')),
  check (kind is null or (kind = 'w9') = (country = 'US')),
  check (kind is null or kind <> 'w9' or tin_kind in ('ssn', 'ein', 'itin')),
  check (not subject_to_withholding or kind = 'w9'),
  check ((state = 'rejected') = (reason is not null)),
  check ((state in ('expired', 'replaced')) = (ended_at is not null)),
  check ((state in ('requested', 'received')) = (decided_at is null))
);
create unique index tax_forms_one_open on tax_forms (partner_id)
  where state in ('requested', 'received');
create unique index tax_forms_one_valid on tax_forms (partner_id) where state = 'valid';
create index tax_forms_by_partner on tax_forms (partner_id, id);

-- Whoever writes: what was signed never changes, what has ended stays so, and no partner finds its
-- own form right.
create function guard_tax_form() returns trigger language plpgsql as $$
declare
  level text := context_level();
  outcome text[] := '{state,reason,decided_by,decided_at,ended_at}';
  sealed_part text[] := '{legal_name_sealed,tin_last_four_sealed}';
begin
  if level is not null and level not in ('super_admin', 'worker') and new.state <> 'received' then
    raise exception 'only the platform decides on a tax form' using errcode = 'restrict_violation';
  end if;
  if tg_op = 'INSERT' then
    if new.state not in ('requested', 'received', 'valid') then
      raise exception 'a tax form does not begin as %', new.state
        using errcode = 'restrict_violation';
    end if;
    return new;
  end if;
  if new.id <> old.id or new.partner_id <> old.partner_id then
    raise exception 'a tax form stays whose it is' using errcode = 'restrict_violation';
  end if;
  if old.state = 'requested' then
    if new.state not in ('received', 'valid') then
      raise exception 'this tax form was not handed in' using errcode = 'restrict_violation';
    end if;
    return new;
  end if;
  -- The law may take names away; nothing else of what was signed changes.
  if to_jsonb(new) - outcome - sealed_part <> to_jsonb(old) - outcome - sealed_part
    or (octet_length(new.legal_name_sealed) > 0
      and new.legal_name_sealed <> old.legal_name_sealed)
    or (octet_length(new.tin_last_four_sealed) > 0
      and new.tin_last_four_sealed <> old.tin_last_four_sealed) then
    raise exception 'what was signed never changes' using errcode = 'restrict_violation';
  end if;
  if new.state <> old.state and (old.state, new.state) not in (
      ('received', 'valid'), ('received', 'rejected'), ('valid', 'expired'),
      ('valid', 'replaced')) then
    raise exception 'a tax form that is % does not become %', old.state, new.state
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger tax_forms_guarded before insert or update on tax_forms
  for each row execute function guard_tax_form();
create trigger tax_forms_stay before delete on tax_forms
  for each row execute function refuse_removal();
create trigger tax_forms_stay_all before truncate on tax_forms
  for each statement execute function refuse_removal();

-- What is withheld of what a statement pays, in the currency in which it pays.
alter table statements
  add column withheld_minor bigint not null default 0 check (withheld_minor >= 0),
  add column withheld_bps int check (withheld_bps between 1 and 10000),
  add constraint statements_withheld check (
    withheld_minor <= coalesce(payout_minor, payable_minor)
    and (withheld_minor = 0 or withheld_bps is not null));

-- Each list of names that is allowed has one more, whatever it holds by now.
do $$
declare
  added record;
  held text;
begin
  for added in select * from (values
      ('ledger_accounts', 'ledger_accounts_purpose_check', 'tax_withheld'),
      ('ledger_journals', 'ledger_journals_kind_check', 'withholding'),
      ('partner_holds', 'partner_holds_cause_check', 'tax_form'),
      ('payouts', 'payouts_hold_reason_check', 'tax_form')) of (tab, con, name) loop
    select pg_get_constraintdef(oid) into strict held from pg_constraint
      where conrelid = added.tab::regclass and conname = added.con;
    continue when position(quote_literal(added.name) in held) > 0;
    execute format('alter table %I drop constraint %I', added.tab, added.con);
    execute format('alter table %I add constraint %I %s', added.tab, added.con,
      replace(held, 'ARRAY[', format('ARRAY[%L::text, ', added.name)));
  end loop;
end $$;

call audit_table('tax_years', 'tax_year', '{}');
-- Forms are nobody's but the partner's own: no event of them is for those above it.
call audit_table('tax_forms', 'tax_form', '{}');
