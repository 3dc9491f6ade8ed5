-- Rules of every kind with scope, cap, floor and window; what a line must tell for them; true-ups
-- and bonuses of a whole period; manual adjustments.

alter table programmes
  add column allocation_unit text not null default 'line'
    check (allocation_unit in ('line', 'invoice')),
  -- The most that all overrides of a line together may take; null is no limit of its own.
  add column override_pool_bps integer check (override_pool_bps between 0 and 10000);

alter table commission_rules
  add column code text,
  add column kind text not null default 'percentage' check (kind in (
    'flat', 'percentage', 'hybrid', 'tiered_marginal', 'tiered_cliff', 'performance')),
  add column amount_per_unit_minor bigint check (amount_per_unit_minor >= 0),
  add column metric text check (metric in ('collected', 'new_customers')),
  add column target bigint check (target >= 0),
  add column bonus_minor bigint check (bonus_minor >= 0),
  add column partner_id uuid references partners,
  add column tier text check (tier in ('bronze', 'silver', 'gold', 'platinum')),
  add column feature_package_id uuid references feature_packages,
  add column cap_minor bigint check (cap_minor >= 0),
  add column cap_per text check (cap_per in ('day', 'week', 'month', 'all')),
  add column floor_minor bigint check (floor_minor >= 0),
  add column window_months integer check (window_months >= 0),
  add column setup_fee boolean not null default false,
  -- From this instant on the version also holds for customers who began under an older one.
  add column migrates_at timestamptz,
  alter column rate_num drop not null,
  alter column rate_den drop not null,
  drop constraint commission_rules_programme_id_depth_valid_excl;
update commission_rules set code = 'depth-' || depth;
alter table commission_rules
  alter column code set not null,
  add unique (programme_id, code, version),
  add check ((cap_minor is null) = (cap_per is null)),
  add check ((kind in ('percentage', 'hybrid')) = (rate_num is not null and rate_den is not null)),
  add check ((kind in ('flat', 'hybrid')) = (amount_per_unit_minor is not null)),
  add check ((kind = 'performance') =
    (metric is not null and target is not null and bonus_minor is not null)),
  -- Exactly one line rule at a time for a depth and a scope.
  add constraint commission_rules_one_at_a_time exclude using gist (
    programme_id with =, depth with =,
    coalesce(partner_id, '00000000-0000-0000-0000-000000000000') with =,
    coalesce(tier, '') with =,
    coalesce(feature_package_id, '00000000-0000-0000-0000-000000000000') with =,
    (setup_fee::integer) with =, valid with &&) where (kind <> 'performance');

-- Stretches of volume, contiguous from nothing; the last one has no end.
create table commission_bands (
  rule_id uuid not null references commission_rules,
  from_minor bigint not null check (from_minor >= 0),
  to_minor bigint check (to_minor > from_minor),
  rate_num bigint not null,
  rate_den bigint not null check (rate_den > 0),
  primary key (rule_id, from_minor),
  check (rate_num between 0 and rate_den)
);

alter table payments drop constraint payments_amount_minor_check,
  add check (amount_minor >= 0);

alter table line_payments
  add column customer_id uuid references customers,
  add column feature_package_id uuid references feature_packages,
  add column quantity bigint not null default 1 check (quantity >= 0),
  -- What the whole line costs, without tax; null in rows that are older than the column.
  add column line_minor bigint check (line_minor >= 0),
  add column setup_fee boolean not null default false,
  -- Payments of lines that are shared as one base.
  add column allocation_unit text;
create index line_payments_by_customer on line_payments (customer_id, paid_at);
create index line_payments_by_line on line_payments (vendor_line_id);
create index line_payments_by_unit on line_payments (allocation_unit)
  where allocation_unit is not null;

alter table accruals
  alter column rate_num drop not null,
  alter column rate_den drop not null,
  -- By the rule alone, before floor, cap, pool and what smaller depths left.
  add column target_minor bigint,
  add column limited_by text check (limited_by in (
    'window', 'setup_fee', 'floor', 'cap', 'pool', 'line')),
  add column tier text check (tier in ('bronze', 'silver', 'gold', 'platinum')),
  add column volume_minor bigint;
create index accruals_by_rule on accruals (rule_id, partner_id, period);

-- What a rule pays for a whole period, judged when it closes.
create table closing_accruals (
  id uuid primary key default uuidv7(),
  kind text not null check (kind in ('true_up', 'bonus')),
  rule_id uuid not null references commission_rules,
  partner_id uuid not null references partners,
  period text not null references accounting_periods,
  currency text not null references currencies,
  -- Negative where the volume fell below the band that the lines were paid at.
  amount_minor bigint not null,
  -- What the metric reached: the net volume, or the number of customers.
  metric bigint not null,
  recorded_at timestamptz not null default clock_timestamp(),
  check (kind = 'true_up' or amount_minor >= 0),
  unique (kind, rule_id, partner_id, period, currency)
);
create index closing_accruals_by_partner on closing_accruals (partner_id, period, currency);
create index closing_accruals_by_period on closing_accruals (period, partner_id);

-- What a later refund takes back of a true-up.
create table closing_clawbacks (
  id uuid primary key default uuidv7(),
  closing_accrual_id uuid not null references closing_accruals,
  line_reversal_id uuid not null references line_reversals,
  partner_id uuid not null references partners,
  currency text not null references currencies,
  amount_minor bigint not null,
  period text not null references accounting_periods,
  recorded_at timestamptz not null default clock_timestamp(),
  unique (closing_accrual_id, line_reversal_id)
);
create index closing_clawbacks_by_partner on closing_clawbacks (partner_id, period, currency);
create index closing_clawbacks_by_period on closing_clawbacks (period, partner_id);

-- Entered by persons, with a reason.
create table adjustments (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  currency text not null references currencies,
  amount_minor bigint not null check (amount_minor <> 0),
  reason text not null check (reason <> ''),
  happened_at timestamptz not null,
  period text not null references accounting_periods,
  recorded_at timestamptz not null default clock_timestamp()
);
create index adjustments_by_partner on adjustments (partner_id, period, currency);
create index adjustments_by_period on adjustments (period, partner_id);

do $$
declare
  kept text;
begin
  foreach kept in array array['closing_accruals', 'closing_clawbacks', 'adjustments'] loop
    execute format('create trigger %1$I before update or delete on %2$I
      for each row execute function refuse_change()', kept || '_append_only', kept);
    execute format('create trigger %1$I before truncate on %2$I
      for each statement execute function refuse_change()', kept || '_keep', kept);
  end loop;
end $$;

alter table line_reversals drop constraint line_reversals_cause_check,
  add check (cause in ('refund', 'refund_failed', 'credit_note', 'credit_note_voided', 'dispute',
    'dispute_won'));

-- A negative true-up may outweigh what was earned.
alter table statements drop constraint statements_earned_minor_check;

alter table ledger_journals drop constraint ledger_journals_kind_check,
  add check (kind in (
    'payment', 'accrual', 'refund', 'clawback', 'true_up', 'bonus', 'adjustment', 'settlement',
    'payout_reserve', 'payout_paid'));

-- The key of a lock by its name, in this schema only: a simulation has a schema of its own, and
-- nobody ever waits for its locks.
create function lock_key(name text) returns bigint language sql stable as
  $$ select hashtextextended(current_schema() || ':' || name, 0) $$;
create or replace function period_lock_key(period text) returns bigint language sql stable as
  $$ select lock_key('accounting_periods:' || period) $$;

-- Only the settlement itself posts into a period that is closing.
create or replace function refuse_late_journals() returns trigger language plpgsql as $$
declare
  late record;
begin
  perform pg_advisory_xact_lock_shared(period_lock_key(period))
    from (select distinct period from inserted order by period) concerned;
  select i.kind, i.period, p.status into late
    from inserted i join accounting_periods p using (period)
    where p.status = 'closed'
      or (p.status = 'closing' and i.kind not in ('settlement', 'true_up', 'bonus', 'fx'))
    limit 1;
  if found then
    raise exception 'period % is %: no % journal enters it', late.period, late.status, late.kind
      using errcode = 'TR001';
  end if;
  return null;
end $$;

-- A correction by hand may give back more than the month cost.
update ledger_accounts set allow_contra = true where purpose = 'commission_expense';

-- What a statement paid before the news of a dispute reached us is not held for it.
alter table disputes add column received_at timestamptz not null default clock_timestamp();
alter table statements add column drafted_at timestamptz not null default clock_timestamp();
