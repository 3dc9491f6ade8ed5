-- What becomes of a payout after it was sent: banks that give it back, transfers that are taken
-- back, and the cases that wait for a person.

-- A bank that sent money back holds until its details were changed; a change holds for a while.
alter table partner_holds
  drop constraint partner_holds_cause_check,
  add constraint partner_holds_cause_check check (cause in (
    'screening', 'verification', 'agreement', 'suspension', 'offboarding', 'bank_failed',
    'bank_change'));
-- What the processor calls the bank account of now; never its number.
alter table payout_accounts add column bank_mark text;

-- The connected account at which it happened; null for the platform's own.
alter table webhook_events add column account text;

-- A transfer that was taken back is over, like one that was refused: another may follow.
alter table payout_attempts
  drop constraint payout_attempts_status_check,
  add constraint payout_attempts_status_check check (status in (
    'prepared', 'sent', 'unknown', 'succeeded', 'rejected', 'reversed')),
  drop constraint payout_attempts_check,
  add constraint payout_attempts_transfer check (
    (status in ('succeeded', 'reversed')) = (vendor_transfer_id is not null)),
  -- The payment that it made in the balance of the partner at the processor.
  add column vendor_payment_id text,
  add column vendor_reversal_id text unique,
  add constraint payout_attempts_reversal check (
    (status = 'reversed') = (vendor_reversal_id is not null));
create index payout_attempts_by_payment on payout_attempts (vendor_payment_id)
  where vendor_payment_id is not null;
drop index payout_attempts_one_live;
create unique index payout_attempts_one_live on payout_attempts (payout_id)
  where status not in ('rejected', 'reversed');

-- `bank_failed`: the transfer stands, and the partner's bank has sent the money back to the
-- partner's balance at the processor.
alter table payouts
  drop constraint payouts_status_check,
  add constraint payouts_status_check check (status in (
    'approved', 'held', 'in_flight', 'unknown', 'paid', 'bank_failed', 'returned')),
  drop constraint payouts_check1,
  add constraint payouts_paid check ((status in ('paid', 'bank_failed')) = (paid_at is not null)),
  drop constraint payouts_hold_reason_check,
  add constraint payouts_hold_reason_check check (hold_reason in (
    'no_payout_account', 'account_not_verified', 'transfer_rejected', 'partner_held',
    'transfer_reversed', 'tax_form', 'bank_change'));

-- What the processor pays out of a partner's own balance to its bank.
create table bank_payouts (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  vendor_account_id text not null,
  -- Null until the processor has answered to one of ours.
  vendor_payout_id text unique,
  currency text not null references currencies,
  amount_minor bigint not null check (amount_minor > 0),
  status text not null check (status in (
    'requested', 'pending', 'in_transit', 'paid', 'failed', 'canceled', 'refused')),
  failure_code text check (failure_code ~ '^[a-z][a-z0-9_]*$'),
  -- Of one of ours: the one that failed, and the key under which it is asked for.
  retry_of uuid references bank_payouts,
  idempotency_key text unique,
  first_sent_at timestamptz,
  first_missed_at timestamptz,
  -- By the clock of the processor.
  asked_at timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  foreign key (partner_id, reseller_id, master_id) references partner_places,
  check ((retry_of is null) = (idempotency_key is null)),
  check (vendor_payout_id is not null or status in ('requested', 'refused'))
);
comment on column bank_payouts.reseller_id is 'stamped';
comment on column bank_payouts.master_id is 'stamped';
create index bank_payouts_by_partner on bank_payouts (partner_id, id);
create unique index bank_payouts_one_retry on bank_payouts (retry_of) where status <> 'refused';
create trigger bank_payouts_placed before insert on bank_payouts
  for each row when (new.master_id is null) execute function stamp_place();
create trigger bank_payouts_stay before delete on bank_payouts
  for each row execute function refuse_removal();

-- Which payouts of ours it carries.
create table bank_payout_parts (
  bank_payout_id uuid not null references bank_payouts,
  payout_id uuid not null references payouts,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  primary key (payout_id, bank_payout_id),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column bank_payout_parts.reseller_id is 'stamped';
comment on column bank_payout_parts.master_id is 'stamped';
create index bank_payout_parts_by_bank on bank_payout_parts (bank_payout_id);
create trigger bank_payout_parts_placed before insert on bank_payout_parts
  for each row when (new.master_id is null) execute function stamp_place();
create trigger bank_payout_parts_append_only before update or delete on bank_payout_parts
  for each row execute function refuse_change();

-- A payout that waits for a person.
create table payout_exceptions (
  id uuid primary key default uuidv7(),
  payout_id uuid not null references payouts,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  cause text not null check (cause in ('transfer_rejected', 'bank_failed')),
  opened_at timestamptz not null default clock_timestamp(),
  -- Since when it is so old that the law may want the money handed over.
  escheat_at timestamptz,
  -- When its process has seen that it is over.
  ended_at timestamptz,
  resolution text check (resolution in ('paid', 'released', 'written_off')),
  closed_at timestamptz,
  foreign key (partner_id, reseller_id, master_id) references partner_places,
  check ((resolution is null) = (closed_at is null))
);
comment on column payout_exceptions.reseller_id is 'stamped';
comment on column payout_exceptions.master_id is 'stamped';
create unique index payout_exceptions_one_open on payout_exceptions (payout_id)
  where closed_at is null;
create index payout_exceptions_by_payout on payout_exceptions (payout_id, id);
create index payout_exceptions_open on payout_exceptions (id) where ended_at is null;
create trigger payout_exceptions_placed before insert on payout_exceptions
  for each row when (new.master_id is null) execute function stamp_place();
create trigger payout_exceptions_stay before delete on payout_exceptions
  for each row execute function refuse_removal();

-- What somebody decided on it; the process takes it by its id.
create table payout_decisions (
  id uuid primary key,
  exception_id uuid not null references payout_exceptions,
  kind text not null check (kind in ('retry', 'method', 'release')),
  reason text not null check (reason <> ''),
  decided_by uuid not null references members,
  decided_at timestamptz not null default clock_timestamp()
);
create index payout_decisions_by_exception on payout_decisions (exception_id, id);
create trigger payout_decisions_append_only before update or delete on payout_decisions
  for each row execute function refuse_change();
create trigger payout_decisions_keep before truncate on payout_decisions
  for each statement execute function refuse_change();

-- A transfer that was taken back; the payout's first journal stands, as the transfer does.
alter table ledger_journals drop constraint ledger_journals_kind_check,
  add constraint ledger_journals_kind_check check (kind in (
    'payment', 'accrual', 'refund', 'clawback', 'settlement', 'payout_reserve', 'payout_paid',
    'true_up', 'bonus', 'adjustment', 'fx', 'reversal', 'processor_fee', 'funds_available',
    'funds_withdrawn', 'cancellation', 'payout_return', 'payout_reversal'));

-- Money that is given back to the balance: of who is terminated, or by a decision on an exception.
alter table payout_returns
  alter column termination_id drop not null,
  add column exception_id uuid references payout_exceptions,
  add constraint payout_returns_cause check (num_nonnulls(termination_id, exception_id) = 1);

-- The loss of a payout takes two persons: what it gave back, and an entry that takes it away.
alter table approvals
  add column payout_id uuid references payouts,
  drop constraint approvals_kind_check,
  add constraint approvals_kind_check check (kind in (
    'manual_entry', 'tier_override', 'termination', 'reinstatement', 'screening_override',
    'payout_write_off')),
  add constraint approvals_payout check ((payout_id is not null) = (kind = 'payout_write_off')),
  drop constraint approvals_check,
  add constraint approvals_entry check (num_nulls(amount_minor, currency, happened_at)
    = case when kind in ('manual_entry', 'payout_write_off') then 0 else 3 end);
create or replace function refuse_lone_entry() returns trigger language plpgsql as $$
begin
  if not exists (select from approvals
      where id = new.id and kind in ('manual_entry', 'payout_write_off') and status = 'approved'
        and (concerned_id, currency, amount_minor, reason, happened_at)
          = (new.partner_id, new.currency, new.amount_minor, new.reason, new.happened_at)) then
    raise exception 'manual entry % was not approved like this by two persons', new.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

-- What the rails carry at the least, by the country of the partner and the currency of the payout;
-- `*` is every country.
create table payout_floors (
  country text not null check (country ~ '^([A-Z]{2}|[*])$'),
  currency text not null references currencies,
  minimum_minor bigint not null check (minimum_minor > 0),
  primary key (country, currency)
);
insert into payout_floors (country, currency, minimum_minor) values
  ('BS', 'USD', 3000), ('SV', 'USD', 3000), ('CO', 'USD', 5000), ('PA', 'USD', 5000);

call audit_table('payout_exceptions', 'payout_exception', '{}');
call audit_table('payout_decisions', 'payout_decision', '{}');
call audit_table('payout_floors', 'payout_floor', '{}');
