/** Shares of lines, computed again from the facts; see recompute.ts. */

export const before = 'rows between unbounded preceding and 1 preceding'

export const isExcluded = (limit: string) => `coalesce(${limit} in ('window', 'setup_fee'), false)`

/** Whether a band holds a volume: its start belongs to it, its end does not. */
const holds = (band: string, volume: string) =>
  `${volume} >= ${band}.from_minor and (${band}.to_minor is null or ${volume} < ${band}.to_minor)`

/** Rules with their rates as whole numbers over one denominator, which add up exactly. */
export const rules = `
  denominators as (
    select den, row_number() over (order by den) as place from (
      select rate_den::numeric as den from commission_rules where rate_den is not null
      union select rate_den from commission_bands) known),
  multiples (place, den) as (
    select 0::bigint, 1::numeric
    union all
    select next.place, lcm(multiples.den, next.den)
    from multiples join denominators next on next.place = multiples.place + 1),
  one as (select max(den) as whole from multiples),
  rule as (
    select id, programme_id, code, kind, depth, link_id, partner_id, tier, feature_package_id,
      setup_fee, window_months, rate_num, rate_den, cap_per, whole,
      floor_minor::numeric as least, cap_minor::numeric as cap,
      div(whole * rate_num, rate_den) as weight,
      coalesce(amount_per_unit_minor, 0)::numeric as per_unit,
      kind = 'percentage' and floor_minor is null and cap_minor is null as plain,
      -- Only then does every sale under the rule's name wait for the one before and count it.
      bool_and(cap_minor is not null) over named
        and min(cap_per) over named = max(cap_per) over named as queued
    from commission_rules cross join one
    window named as (partition by programme_id, code)),
  -- A band with what all bands below it earn together.
  band as (
    select *, coalesce(sum((to_minor - from_minor) * weight)
      over (partition by rule_id order by from_minor ${before}), 0) as below
    from (select commission_bands.*, div(whole * rate_num, rate_den) as weight
      from commission_bands cross join one) weighted)`

/** What counts over several lines: the volume that bands are read at, and what a cap leaves. */
const counts = `
  volume as (
    select accrual.id, accrual.base_minor + coalesce(sum(accrual.base_minor)
      filter (where not ${isExcluded('accrual.limited_by')}) over (partition by accrual.rule_id,
        accrual.partner_id, accrual.period order by accrual.id ${before}), 0) as volume
    from accruals accrual
    join rule on rule.id = accrual.rule_id and rule.kind in ('tiered_marginal', 'tiered_cliff')),
  -- All versions of a rule count, whether or not they have a cap themselves.
  stretch as (
    select accrual.id, counted.cap_per, coalesce(sum(accrual.amount_minor) over (
      partition by counted.programme_id, counted.code, counted.cap_per, accrual.partner_id,
        case when counted.cap_per <> 'all'
          then date_trunc(counted.cap_per, line.paid_at, 'UTC') end
      order by accrual.id ${before}), 0) as earned
    from (select distinct programme_id, code, cap_per from rule where cap is not null) counted
    join rule using (programme_id, code)
    join accruals accrual on accrual.rule_id = rule.id
    join line_payments line on line.id = accrual.line_payment_id)`

/**
 * What the earlier parts of a line have at the depth of an accrual, in all and by its own rule.
 * `own` and all that is named after it leaves out what other rules paid, or nothing did. Most lines
 * have one part, and no row here.
 */
const earlier = `
  parted as (
    select id as line_payment_id, coalesce(first_value(id) over parts, id) as line_id,
      coalesce(sum(base_minor) over parts, 0) as collected,
      count(*) over (partition by vendor_line_id) as parts
    from line_payments
    where allocation_unit is null and vendor_line_id in (
      select vendor_line_id from line_payments group by 1 having count(*) > 1)
    window parts as (partition by vendor_line_id order by id ${before})),
  same_depth as (
    select accrual.id, line_id, collected,
      count(*) over (partition by line_id, depth) <> parts as is_missing,
      sum(amount_minor) over at_depth as booked,
      sum(accrual.base_minor) over own as own,
      sum(coalesce(target_minor, amount_minor)) over own as own_target,
      sum(amount_minor) over own as own_amount,
      sum(accrual.base_minor * band.weight) over own as own_banded
    from parted
    join accruals accrual using (line_payment_id)
    left join volume on volume.id = accrual.id
    left join band on band.rule_id = accrual.rule_id and ${holds('band', 'volume.volume')}
    window at_depth as (partition by line_id, depth order by line_payment_id ${before}),
      own as (partition by line_id, depth, accrual.rule_id, ${isExcluded('limited_by')}
        order by line_payment_id ${before})),
  earlier as (
    select *, bool_or(is_missing) over (partition by line_id) as is_uneven from same_depth)`

/** What an invoice's lines come to that are one base; the accruals are kept with one of them. */
const units = `
  unit as (
    select own.id as line_payment_id, sum(line.base) as base, sum(line.quantity) as quantity
    from line_payments own
    -- Parts of a line have its quantity once.
    join (select allocation_unit, sum(base_minor) as base, max(quantity) as quantity
      from line_payments where allocation_unit is not null
      group by allocation_unit, vendor_line_id) line
      on line.allocation_unit = own.allocation_unit
    where own.id in (select line_payment_id from accruals)
    group by own.id)`

/** Whether the customer of a line came through the rule's link; asked only where it names one. */
export const fitsLink = (rule: string) => `(${rule}.link_id is null or exists (
    select from customers buyer
    where buyer.id = line.customer_id and buyer.link_id = ${rule}.link_id))`

/** Whether a rule is for the line, for its depth and for who earns on it. */
const fits = (rule: string) => `(${rule}.depth = accrual.depth and ${rule}.kind <> 'performance'
    and ${fitsLink(rule)}
    and coalesce(${rule}.partner_id = accrual.partner_id, ${rule}.partner_id is null)
    and coalesce(${rule}.tier = accrual.tier, ${rule}.tier is null)
    and coalesce(${rule}.feature_package_id = line.feature_package_id,
      ${rule}.feature_package_id is null)
    and case when coalesce(accrual.limited_by = 'setup_fee', false)
      then line.setup_fee and not ${rule}.setup_fee
      else ${rule}.setup_fee or not line.setup_fee end)`

/**
 * A customer stays under the version of a rule that it began with, while the newest one, of the
 * same code, names whom and what it pays: one of its versions has to fit.
 */
const isUnfit = `(accrual.limited_by = 'window' and rule.window_months is null
  or not ${fits('rule')} and not exists (
    select from commission_rules named
    where named.programme_id = rule.programme_id and named.code = rule.code
      and ${fits('named')}))`

/** Each accrual with all facts that it follows from. */
const facts = `
  fact as (
    select accrual.id, accrual.line_payment_id, accrual.depth, accrual.limited_by,
      accrual.rounding, accrual.amount_minor as amount,
      coalesce(accrual.target_minor, accrual.amount_minor) as kept_target,
      accrual.currency <> line.currency
        or accrual.base_minor <> coalesce(unit.base, line.base_minor)
        or accrual.volume_minor is distinct from volume.volume
        or accrual.rate_num is distinct from coalesce(band.rate_num, rule.rate_num)
        or accrual.rate_den is distinct from coalesce(band.rate_den, rule.rate_den)
        or ${isUnfit} as is_wrong,
      rule.kind, rule.least, rule.cap, rule.plain, rule.queued, rule.per_unit, rule.weight,
      rule.whole as one, stretch.earned, pool.override_pool_bps::numeric as pool,
      accrual.base_minor as base, coalesce(unit.quantity, line.quantity) as quantity,
      coalesce(unit.base, line.line_minor, line.base_minor) as costs,
      line.whole or unit.base is not null as whole,
      coalesce(earlier.collected, 0) as collected, coalesce(earlier.booked, 0) as booked,
      coalesce(earlier.own, 0) as own, coalesce(earlier.own_target, 0) as own_target,
      coalesce(earlier.own_amount, 0) as own_amount,
      coalesce(earlier.own_banded, 0) + accrual.base_minor * band.weight as own_banded,
      coalesce(earlier.is_uneven, false) as is_uneven,
      ${isExcluded('accrual.limited_by')} as excluded,
      band.below + (volume.volume - band.from_minor) * band.weight as earned_with,
      start.below + (volume.volume - accrual.base_minor - start.from_minor) * start.weight
        as earned_without
    from accruals accrual
    join line_payments line on line.id = accrual.line_payment_id
    join rule on rule.id = accrual.rule_id
    join programmes pool on pool.id = rule.programme_id
    left join unit on unit.line_payment_id = accrual.line_payment_id
    left join earlier on earlier.id = accrual.id
    left join volume on volume.id = accrual.id
    left join band on band.rule_id = accrual.rule_id and ${holds('band', 'volume.volume')}
    left join band start on start.rule_id = accrual.rule_id
      and ${holds('start', 'volume.volume - accrual.base_minor')}
    left join stretch on stretch.id = accrual.id and stretch.cap_per = rule.cap_per)`

/**
 * What the rule alone gives. A base settled whole under plain percentages is split by largest
 * remainder: the missing units go to the largest remainders, at equal ones to the smaller depth
 * and last to the platform. Everything else grows: the floor of what all parts so far come to,
 * less what the earlier ones had.
 */
const targets = `
  share as (
    select id, line_payment_id, depth, limited_by, rounding, amount, kept_target, is_wrong, least,
      plain, one, pool, base, whole, collected, booked, own, own_target, is_uneven, excluded,
      booked - own_amount as by_others,
      case when not excluded then weight else 0 end as weight,
      case
        when excluded then 0
        when kind in ('percentage', 'flat', 'hybrid') then
          coalesce(div((own + base) * weight, one), 0)
          + coalesce(div(per_unit * quantity * (own + base), nullif(costs, 0)), 0) - own_target
        when kind = 'tiered_marginal' then div(earned_with, one) - div(earned_without, one)
        when kind = 'tiered_cliff' then div(own_banded, one) - own_target end as grown,
      -- Where the order of the sales under a cap is not certain, what it left is believed.
      case when cap is null then null when queued then greatest(0, cap - earned)
        when limited_by = 'cap' then least(cap, amount) end as room
    from fact),
  remainder as (
    select *, div(base * weight, one) as down, mod(base * weight, one) as remainder,
      whole and bool_and(plain) over line and sum(weight) over line <= one as is_split
    from share window line as (partition by line_payment_id)),
  missing as (
    select *, row_number() over (partition by line_payment_id order by remainder desc, depth)
        as place,
      sum(remainder) over (partition by line_payment_id) as remainders
    from remainder),
  target as (
    select *, case when excluded or not is_split then grown
      else down + case
        when place + case when mod(one - mod(remainders, one), one) > remainder then 1 else 0 end
          <= div(remainders + one - 1, one) then 1 else 0 end end as target
    from missing)`

/**
 * What is left of it. The rule's floor raises a share; what smaller depths left of the line, the
 * pool of the overrides and the cap end it. All but the cap count on the line as a whole: a part
 * gives what the line reaches with it, less what it had reached without it. Where a depth earns
 * on some parts alone, what it left for larger depths is not asked.
 */
const amounts = `
  taken as (
    select *, coalesce(sum(booked) over smaller, 0) as taken,
      coalesce(sum(amount) over smaller, 0) as taken_now,
      coalesce(sum(booked) filter (where depth > 0) over smaller, 0) as overrides,
      coalesce(sum(amount) filter (where depth > 0) over smaller, 0) as overrides_now,
      case when least is null or own = 0 then own_target
        else least(own, greatest(least, own_target)) end as raised_before,
      case when least is null or own + base = 0 then own_target + target
        else least(own + base, greatest(least, own_target + target)) end as raised
    from target window smaller as (partition by line_payment_id order by depth ${before})),
  reach as (
    select *, by_others + raised as by_rule,
      greatest(0, least(by_others + raised_before, collected - taken,
        case when depth > 0 then div(collected * pool, 10000) - overrides end)) as began,
      collected + base - taken - taken_now as by_line,
      case when depth > 0 then div((collected + base) * pool, 10000) - overrides - overrides_now
        end as by_pool
    from taken),
  given as (
    select *, greatest(0, greatest(0, least(by_rule, by_line, by_pool)) - began) as given,
      case when by_pool < least(by_rule, by_line) then 'pool'
        when by_line < by_rule then 'line'
        when raised > own_target + target then 'floor' end as ended_by,
      is_uneven and depth > 0 as is_believed
    from reach),
  expected as (
    select *, case when excluded then 0 when is_believed then amount
        else least(given, room) end as expected,
      case when excluded or is_believed then limited_by when room < given then 'cap'
        else ended_by end as ends
    from given)`

export const wrongShares = `
  with recursive ${[rules, counts, earlier, units, facts, targets, amounts].join(',')}
  select 'share' as wrong, id from expected
  where is_wrong
    or rounding <> case when is_split then 'largest_remainder' else 'cumulative_floor' end
    or kept_target is distinct from target
    or amount is distinct from expected
    or limited_by is distinct from ends`
