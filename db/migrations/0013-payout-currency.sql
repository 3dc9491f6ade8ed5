-- Partners that are paid in another currency: rates are rows that never change, and a statement
-- converts what it pays once, with the rate that it names.

create table fx_rates (
  id uuid primary key default uuidv7(),
  base text not null references currencies,
  quote text not null references currencies,
  rate numeric(20, 10) not null check (rate > 0),
  source text not null,
  as_of timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp(),
  check (base <> quote),
  unique (base, quote, source, as_of)
);
create trigger fx_rates_append_only before update or delete on fx_rates
  for each row execute function refuse_change();
create trigger fx_rates_keep before truncate on fx_rates
  for each statement execute function refuse_change();

alter table partners add column payout_currency text references currencies;

alter table statements
  add column payout_currency text references currencies,
  add column payout_minor bigint check (payout_minor >= 0),
  -- What the payout step left of the converted amount.
  add column payout_rest_minor bigint check (payout_rest_minor >= 0),
  add column fx_rate_id uuid references fx_rates,
  add check ((fx_rate_id is null) = (payout_currency is null)),
  add check ((fx_rate_id is null) = (payout_minor is null)),
  add check ((fx_rate_id is null) = (payout_rest_minor is null));

alter table ledger_accounts drop constraint ledger_accounts_purpose_check,
  add check (purpose in (
    'stripe_clearing', 'stripe_balance', 'platform_revenue', 'platform_fees', 'tax_payable',
    'refunds', 'commission_expense', 'partner_accrued', 'partner_payable', 'payout_in_transit',
    'fx_clearing', 'fx_rounding'));
