/** What goes back, and what a month comes to, computed again; see recompute.ts. */
import { closeDelayHours } from '../domain/period.ts'
import { fitsLink, isExcluded, rules } from './recompute-shares.ts'

/** Rounded down, below zero as well; `div` rounds towards zero. */
const floored = (dividend: string, divisor: string) =>
  `(div(${dividend}, ${divisor}) - case when mod(${dividend}, ${divisor}) < 0 then 1 else 0 end)`

/** Every line that went back with the line that the accruals on it are kept with. */
const covered = `
  covered as (
    select id as line_payment_id, id as covered_id from line_payments where allocation_unit is null
    union all
    select own.id, line.id from line_payments own
    join line_payments line on line.allocation_unit = own.allocation_unit),
  back as (
    select covered.line_payment_id, reversal.id, reversal.base_minor, reversal.period
    from line_reversals reversal join covered on covered.covered_id = reversal.line_payment_id)`

/** Each clawback brings what is taken to the floor of the accrual's part that is gone by then. */
export const wrongClawbacks = `
  with ${covered},
  event as (
    select accrual.id as accrual_id, back.id, back.base_minor as reversed, 0 as taken,
      false as takes, false as is_foreign
    from back join accruals accrual using (line_payment_id)
    union all
    select clawback.accrual_id, clawback.id, 0, clawback.amount_minor, true,
      clawback.partner_id <> accrual.partner_id or clawback.currency <> accrual.currency
    from clawbacks clawback join accruals accrual on accrual.id = clawback.accrual_id),
  running as (
    select accrual_id, id, takes, is_foreign, sum(reversed) over so_far as reversed,
      sum(taken) over so_far as taken, lead(id) over so_far is null as is_last
    from event window so_far as (partition by accrual_id order by id))
  select 'clawback' as wrong, running.id
  from running join accruals accrual on accrual.id = running.accrual_id
  where is_foreign or ((takes or is_last) and taken <>
    coalesce(div(amount_minor * reversed, nullif(base_minor, 0)), 0))`

/**
 * True-ups of what a month's lines are after what went back in it: both are certain once the month
 * is not open any more. A cap on the month or on all time left something between nothing and the
 * cap, which depends on when the month was closed.
 */
export const wrongTrueUps = `
  with recursive ${[rules, covered].join(',')},
  counted as (
    select accrual.* from accruals accrual
    join rule on rule.id = accrual.rule_id and rule.kind = 'tiered_cliff'
    where not ${isExcluded('accrual.limited_by')}),
  moved as (
    select rule_id, partner_id, period, currency, base_minor as base, amount_minor as amount
    from counted
    union all
    select rule_id, counted.partner_id, counted.period, currency, -back.base_minor, 0
    from counted join back using (line_payment_id) where back.period = counted.period
    union all
    select counted.rule_id, counted.partner_id, counted.period, counted.currency, 0,
      -clawback.amount_minor
    from counted join clawbacks clawback on clawback.accrual_id = counted.id
      and clawback.period = counted.period),
  net as (
    select rule_id, partner_id, period, currency, sum(base) as volume, sum(amount) as accrued
    from moved group by 1, 2, 3, 4),
  owed as (
    select net.*, div(volume * band.weight, whole) - accrued as due,
      case when rule.cap_per in ('month', 'all') then rule.cap end as cap
    from net join rule on rule.id = net.rule_id
    join band on band.rule_id = net.rule_id
      and volume >= from_minor and (to_minor is null or volume < to_minor))
  select 'true-up' as wrong, coalesce(made.id, rule_id) as id
  from owed
  full join (select * from closing_accruals where kind = 'true_up') made
    using (rule_id, partner_id, period, currency)
  left join commission_rules judged on judged.id = rule_id
  join accounting_periods month using (period)
  where case
    when made.id is not null and (due is null or cap is null or due <= 0)
      then (amount_minor, made.metric) is distinct from (due, volume)
    when made.id is not null
      then made.metric <> volume or amount_minor not between 0 and least(due, cap)
    else month.status = 'closed' and due <> 0 and (cap is null or due < 0)
      and judged.valid && tstzrange(month.starts_at, month.ends_at) end`

/**
 * A true-up goes back with the lines that it was made on, as far as they go back after its month.
 * Where a line went back that the rule paid nothing for, what it took of the true-up is not asked.
 */
export const wrongTrueUpClawbacks = `
  with ${covered},
  event as (
    select made.id as true_up_id, back.id, back.base_minor as reversed, 0 as taken,
      false as takes, false as is_foreign, ${isExcluded('accrual.limited_by')} as is_excluded
    from closing_accruals made
    join accruals accrual using (rule_id, partner_id, period)
    join back on back.line_payment_id = accrual.line_payment_id and back.period > made.period
    where made.kind = 'true_up'
    union all
    select clawback.closing_accrual_id, clawback.id, 0, clawback.amount_minor, true,
      clawback.partner_id <> made.partner_id or clawback.currency <> made.currency, false
    from closing_clawbacks clawback join closing_accruals made on made.id = closing_accrual_id),
  running as (
    select true_up_id, id, takes, is_foreign, sum(reversed) over so_far as reversed,
      bool_or(is_excluded) over so_far as is_open,
      sum(taken) over so_far as taken, lead(id) over so_far is null as is_last
    from event window so_far as (partition by true_up_id order by id))
  select 'clawback of a true-up' as wrong, running.id
  from running join closing_accruals made on made.id = running.true_up_id
  where is_foreign or ((takes or is_last) and not is_open and taken <> case when metric > 0
    then ${floored('amount_minor * least(reversed, metric)', 'metric')} else 0 end)`

/**
 * Bonuses of a month are certain once it is not open any more, but for moves that were told after
 * it was judged: a customer is new in the first month that has a line of it, whatever comes later.
 * What a tier was at the end of the month is told later, too: whether a rule for one tier fits is
 * not asked.
 */
export const wrongBonuses = `
  with counted as (
    select rule.id as rule_id, rule.metric, above.ancestor_id as partner_id, line.id,
      line.period, line.currency, line.customer_id, line.base_minor
    from commission_rules rule
    join line_payments line on rule.valid @> line.paid_at and (rule.setup_fee or not line.setup_fee)
      and coalesce(rule.feature_package_id = line.feature_package_id,
        rule.feature_package_id is null)
      and ${fitsLink('rule')}
    join payments payment on payment.id = line.payment_id and payment.kind = 'customer'
    join partner_ancestry above on above.partner_id = line.partner_id
      and above.depth = rule.depth and above.valid @> line.paid_at
    where rule.kind = 'performance'
      and (rule.partner_id is null or rule.partner_id = above.ancestor_id)),
  -- Lines in the first month of their customer.
  newcomer as (
    select id from (
      select id, period, min(period) over (partition by customer_id) as first_period
      from line_payments
      where customer_id is not null
        and exists (select from commission_rules where metric = 'new_customers')) known
    where period = first_period),
  reached as (
    select rule_id, partner_id, period, currency, sum(amount) as metric
    from (
      select rule_id, partner_id, period, currency, base_minor as amount
      from counted where metric = 'collected'
      union all
      select rule_id, counted.partner_id, reversal.period, currency, -reversal.base_minor
      from counted join line_reversals reversal on reversal.line_payment_id = counted.id
      where metric = 'collected') moved
    group by 1, 2, 3, 4
    union all
    select rule_id, partner_id, period, currency, count(distinct customer_id)
    from counted join newcomer using (id)
    where metric = 'new_customers' group by 1, 2, 3, 4)
  select 'bonus' as wrong, coalesce(made.id, rule_id) as id
  from reached
  full join (select * from closing_accruals where kind = 'bonus') made
    using (rule_id, partner_id, period, currency)
  join commission_rules rule on rule.id = rule_id
  join accounting_periods month using (period)
  left join lateral (
    select closer.created_at from settlement_runs closer
    where closer.mode = 'live' and closer.cancelled_at is null
      and month.period between closer.since_period and closer.period
      and closer.cutoff_at >= month.ends_at + interval '${closeDelayHours} hours'
    order by closer.cutoff_at limit 1) run on true
  cross join (select coalesce(max(recorded_at), '-infinity') as moved_at from partner_moves) told
  where case when made.id is not null
    then amount_minor is distinct from bonus_minor or made.metric < rule.target
      or (moved_at < made.recorded_at
        and made.metric is distinct from reached.metric)
    else month.status = 'closed' and reached.metric >= rule.target and rule.tier is null
      and rule.valid && tstzrange(month.starts_at, month.ends_at) and moved_at < run.created_at
    end`
