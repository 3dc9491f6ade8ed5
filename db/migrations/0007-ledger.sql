-- The ledger: one debit account, one credit account and a positive amount in every posting, so
-- that no journal can be out of balance; append-only; one journal for one business fact.

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never changed or removed; post a correction', tg_table_name
    using errcode = 'restrict_violation';
end $$;

create table accounting_periods (
  period text primary key check (period ~ '^\d{4}-(0[1-9]|1[0-2])$'),
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  status text not null default 'open' check (status in ('open', 'closing', 'closed')),
  closed_at timestamptz,
  check (starts_at < ends_at),
  check ((status = 'closed') = (closed_at is not null)),
  exclude using gist (tstzrange(starts_at, ends_at) with &&)
);

create table ledger_accounts (
  id bigint generated always as identity primary key,
  purpose text not null check (purpose in (
    'stripe_clearing', 'stripe_balance', 'platform_revenue', 'platform_fees', 'tax_payable',
    'refunds', 'commission_expense', 'partner_accrued', 'partner_payable', 'payout_in_transit')),
  partner_id uuid references partners,
  currency text not null references currencies,
  normal_side text not null check (normal_side in ('debit', 'credit')),
  -- A negative balance is legal here: what a partner owes is carried forward.
  allow_contra boolean not null,
  check ((partner_id is not null) = (purpose in ('partner_accrued', 'partner_payable'))),
  unique nulls not distinct (purpose, partner_id, currency),
  unique (id, currency)
);

create table ledger_journals (
  id bigint generated always as identity primary key,
  kind text not null check (kind in (
    'payment', 'accrual', 'refund', 'clawback', 'settlement', 'payout_reserve', 'payout_paid')),
  source_type text not null,
  source_id uuid not null,
  period text not null references accounting_periods,
  effective_at timestamptz not null,
  posted_at timestamptz not null default clock_timestamp(),
  xid xid8 not null default pg_current_xact_id(),
  -- Same key and other input is an error, never a second posting.
  request_hash bytea not null,
  unique (kind, source_type, source_id)
);

create table ledger_postings (
  id bigint generated always as identity primary key,
  journal_id bigint not null references ledger_journals,
  debit_account_id bigint not null,
  credit_account_id bigint not null,
  currency text not null,
  amount_minor bigint not null check (amount_minor > 0),
  check (debit_account_id <> credit_account_id),
  foreign key (debit_account_id, currency) references ledger_accounts (id, currency),
  foreign key (credit_account_id, currency) references ledger_accounts (id, currency)
);
create index ledger_postings_by_journal on ledger_postings (journal_id);
create index ledger_postings_by_debit on ledger_postings (debit_account_id);
create index ledger_postings_by_credit on ledger_postings (credit_account_id);

-- A projection for partner accounts only: a shared row of the platform would serialise all writers.
create table ledger_balances (
  account_id bigint primary key references ledger_accounts,
  debits_minor bigint not null default 0 check (debits_minor >= 0),
  credits_minor bigint not null default 0 check (credits_minor >= 0)
);

create trigger ledger_journals_append_only before update or delete on ledger_journals
  for each row execute function refuse_change();
create trigger ledger_journals_keep before truncate on ledger_journals
  for each statement execute function refuse_change();
create trigger ledger_postings_append_only before update or delete on ledger_postings
  for each row execute function refuse_change();
create trigger ledger_postings_keep before truncate on ledger_postings
  for each statement execute function refuse_change();

-- A closer and its writers meet on an advisory lock of the period, shared by writers and exclusive
-- for the closer: it queues fairly, where a row lock would let a stream of writers pass a waiting
-- closer for ever. Whoever comes after the closer reads the new status, because under READ
-- COMMITTED the next statement sees what was committed before it got the lock.
create function period_lock_key(period text) returns bigint language sql immutable as
  $$ select hashtextextended('accounting_periods:' || period, 0) $$;

-- Only the settlement itself posts into a period that is closing.
create function refuse_late_journals() returns trigger language plpgsql as $$
declare
  late record;
begin
  perform pg_advisory_xact_lock_shared(period_lock_key(period))
    from (select distinct period from inserted order by period) concerned;
  select i.kind, i.period, p.status into late
    from inserted i join accounting_periods p using (period)
    where p.status = 'closed' or (p.status = 'closing' and i.kind <> 'settlement')
    limit 1;
  if found then
    raise exception 'period % is %: no % journal enters it', late.period, late.status, late.kind
      using errcode = 'TR001';
  end if;
  return null;
end $$;
create trigger ledger_journals_in_time after insert on ledger_journals
  referencing new table as inserted
  for each statement execute function refuse_late_journals();

create function project_balances() returns trigger language plpgsql as $$
begin
  insert into ledger_balances as balance (account_id, debits_minor, credits_minor)
    select account_id, sum(debit), sum(credit)
    from (
      select debit_account_id as account_id, amount_minor as debit, 0 as credit from inserted
      union all
      select credit_account_id, 0, amount_minor from inserted
    ) side
    join ledger_accounts account on account.id = side.account_id
    where account.partner_id is not null
    group by account_id
    order by account_id
  on conflict (account_id) do update set
    debits_minor = balance.debits_minor + excluded.debits_minor,
    credits_minor = balance.credits_minor + excluded.credits_minor;
  return null;
end $$;
create trigger ledger_postings_project after insert on ledger_postings
  referencing new table as inserted
  for each statement execute function project_balances();
