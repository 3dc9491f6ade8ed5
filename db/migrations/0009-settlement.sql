-- Settlement runs, their statements, and the payouts that follow.

create table settlement_runs (
  id uuid primary key default uuidv7(),
  programme_id uuid not null references programmes,
  cadence text not null default 'monthly' check (cadence in ('monthly')),
  period text not null references accounting_periods,
  mode text not null check (mode in ('preview', 'live')),
  -- Previews of a period are numbered; the live run is number 1 and the only one.
  number integer not null check (number > 0),
  stage text not null default 'freeze' check (stage in (
    'freeze', 'calculate', 'review', 'release', 'pay', 'reconcile', 'closed')),
  cutoff_at timestamptz not null,
  totals jsonb,
  totals_hash text,
  requested_by uuid references members,
  reviewed_by uuid references members,
  reviewed_at timestamptz,
  released_by uuid references members,
  released_at timestamptz,
  problem text,
  created_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz,
  unique (programme_id, cadence, period, mode, number),
  check (released_by is null or (reviewed_by is not null and released_by <> reviewed_by))
);
create unique index settlement_runs_once on settlement_runs (programme_id, cadence, period)
  where mode = 'live';

create table statements (
  id uuid primary key default uuidv7(),
  run_id uuid not null references settlement_runs,
  partner_id uuid not null references partners,
  period text not null references accounting_periods,
  currency text not null references currencies,
  opening_minor bigint not null,
  earned_minor bigint not null check (earned_minor >= 0),
  clawed_back_minor bigint not null,
  adjustments_minor bigint not null,
  closing_minor bigint not null,
  held_minor bigint not null check (held_minor >= 0),
  payable_minor bigint not null check (payable_minor >= 0),
  carried_minor bigint not null,
  carry_reason text check (carry_reason in (
    'negative_balance', 'below_minimum', 'held', 'payout_step')),
  document_number text,
  issued_at timestamptz,
  unique (run_id, partner_id, currency),
  check (closing_minor = opening_minor + earned_minor - clawed_back_minor + adjustments_minor),
  check (carried_minor = closing_minor - payable_minor),
  check (payable_minor <= greatest(closing_minor, 0)),
  check ((issued_at is null) = (document_number is null))
);
create unique index statements_number on statements (document_number);
create unique index statements_issued_once on statements (partner_id, period, currency)
  where issued_at is not null;
create index statements_by_partner on statements (partner_id, period);

-- An issued statement is a document: a later event makes a line of the next one.
create function refuse_issued_statement_change() returns trigger language plpgsql as $$
begin
  if old.issued_at is not null then
    raise exception 'statement % is issued and never changes', old.document_number
      using errcode = 'restrict_violation';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;
create trigger statements_immutable before update or delete on statements
  for each row execute function refuse_issued_statement_change();

create table payouts (
  id uuid primary key default uuidv7(),
  statement_id uuid not null unique references statements,
  run_id uuid not null references settlement_runs,
  partner_id uuid not null references partners,
  currency text not null references currencies,
  amount_minor bigint not null check (amount_minor > 0),
  status text not null check (status in ('approved', 'held', 'in_flight', 'unknown', 'paid')),
  hold_reason text check (hold_reason in (
    'no_payout_account', 'account_not_verified', 'transfer_rejected')),
  vendor_account_id text,
  created_at timestamptz not null default clock_timestamp(),
  paid_at timestamptz,
  check ((status = 'held') = (hold_reason is not null)),
  check ((status = 'paid') = (paid_at is not null))
);
create index payouts_by_run on payouts (run_id, id);
create index payouts_by_partner on payouts (partner_id, id);
create index payouts_held on payouts (partner_id) where status = 'held';

-- One row for each try at the processor, written before the call with the exact body to send.
create table payout_attempts (
  id uuid primary key default uuidv7(),
  payout_id uuid not null references payouts,
  attempt_no integer not null check (attempt_no > 0),
  idempotency_key text not null unique,
  request jsonb not null,
  status text not null default 'prepared' check (status in (
    'prepared', 'sent', 'unknown', 'succeeded', 'rejected')),
  vendor_transfer_id text unique,
  problem text,
  created_at timestamptz not null default clock_timestamp(),
  first_sent_at timestamptz,
  -- When a look-up at the processor first did not find an attempt whose answer was lost.
  first_missed_at timestamptz,
  finished_at timestamptz,
  unique (payout_id, attempt_no),
  check ((status = 'succeeded') = (vendor_transfer_id is not null))
);
-- A second attempt cannot exist until the first is definitively rejected.
create unique index payout_attempts_one_live on payout_attempts (payout_id)
  where status <> 'rejected';
