-- Stripe's own ledger beside ours: every movement of the platform's balance there, as Stripe tells
-- it, and the journals that follow from it.

create table stripe_txns (
  -- Journals name their source by a UUID.
  id uuid primary key default uuidv7(),
  vendor_txn_id text not null unique,
  type text not null,
  vendor_source_id text,
  -- The charge behind it: the one itself, or the one that was refunded or disputed.
  vendor_charge_id text,
  currency text not null references currencies,
  amount_minor bigint not null,
  fee_minor bigint not null,
  net_minor bigint not null,
  -- What it settles of the charge, in the currency of the customer; another one than that of the
  -- balance where Stripe converts.
  settles_currency text references currencies,
  settles_minor bigint,
  created_at timestamptz not null,
  available_at timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp(),
  -- What Stripe kept of it, and what came to the balance or left it.
  fee_journal_id bigint unique references ledger_journals,
  journal_id bigint unique references ledger_journals,
  check (net_minor = amount_minor - fee_minor),
  check ((vendor_charge_id is null) = (settles_currency is null)),
  check ((vendor_charge_id is null) = (settles_minor is null))
);
create index stripe_txns_by_charge on stripe_txns (vendor_charge_id);
create index stripe_txns_by_source on stripe_txns (vendor_source_id);
create index stripe_txns_unbooked on stripe_txns (created_at)
  where journal_id is null or (fee_minor <> 0 and fee_journal_id is null);

-- What Stripe said stays; a journal is named once.
create function refuse_txn_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
    or (old.journal_id is not null and new.journal_id is distinct from old.journal_id)
    or (old.fee_journal_id is not null and new.fee_journal_id is distinct from old.fee_journal_id)
    or to_jsonb(new) - array['journal_id', 'fee_journal_id']
      is distinct from to_jsonb(old) - array['journal_id', 'fee_journal_id'] then
    raise exception 'balance transaction % is what Stripe said and never changes',
      old.vendor_txn_id using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger stripe_txns_as_told before update or delete on stripe_txns
  for each row execute function refuse_txn_change();
create trigger stripe_txns_keep before truncate on stripe_txns
  for each statement execute function refuse_change();

-- How far the mirror has come. Stripe lists the newest first: a walk goes back from there, over as
-- many rounds as it takes, and only its end moves complete_to.
create table stripe_mirror (
  only_row boolean primary key default true check (only_row),
  complete_to timestamptz not null,
  walk_after text,
  walk_newest timestamptz,
  check ((walk_after is null) = (walk_newest is null))
);

alter table ledger_accounts drop constraint ledger_accounts_purpose_check,
  add constraint ledger_accounts_purpose_check check (purpose in (
    'stripe_clearing', 'stripe_balance', 'stripe_fees', 'platform_revenue', 'platform_fees',
    'tax_payable', 'refunds', 'commission_expense', 'partner_accrued', 'partner_payable',
    'payout_in_transit', 'fx_clearing', 'fx_rounding'));

alter table ledger_journals drop constraint ledger_journals_kind_check,
  add constraint ledger_journals_kind_check check (kind in (
    'payment', 'accrual', 'refund', 'clawback', 'settlement', 'payout_reserve', 'payout_paid',
    'true_up', 'bonus', 'adjustment', 'fx', 'reversal', 'processor_fee', 'funds_available',
    'funds_withdrawn'));
