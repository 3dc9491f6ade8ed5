/** What a whole period earned beyond its lines: true-ups of bands, and bonuses. */
import { sql } from 'kysely'
import type { Db, Trx } from '../database.ts'
import { countedForBands } from './accruals.ts'
import type { StoredRule } from './rules.ts'

export interface VolumeUnderRule {
  partnerId: string
  currency: string
  /** The lines of the period, less what went back of them in the period. */
  volume: bigint
  /** What the lines gave, less what was taken back of it in the period. */
  accrued: bigint
}

/** Net volume and net accruals of a rule in a period, partner by partner. */
export async function listVolumesUnder(
  trx: Trx,
  { ruleId, period }: { ruleId: string; period: string },
): Promise<VolumeUnderRule[]> {
  const { rows } = await sql<VolumeUnderRule>`
    with earned as (
      select accrual.id, accrual.partner_id, accrual.currency, accrual.base_minor,
        accrual.amount_minor, own.id as line_id, own.allocation_unit
      from accruals accrual
      join line_payments own on own.id = accrual.line_payment_id
      where accrual.rule_id = ${ruleId} and accrual.period = ${period}
        and ${countedForBands}
    )
    select partner_id, currency,
      sum(base_minor - coalesce((
        select sum(back.base_minor) from line_reversals back
        join line_payments line on line.id = back.line_payment_id
        where back.period = ${period}
          and (line.id = earned.line_id or line.allocation_unit = earned.allocation_unit)), 0)
      )::bigint as volume,
      sum(amount_minor - coalesce((
        select sum(back.amount_minor) from clawbacks back
        where back.accrual_id = earned.id and back.period = ${period}), 0))::bigint as accrued
    from earned
    group by 1, 2
    order by 1, 2`.execute(trx)
  return rows
}

export interface MetricOfPartner {
  partnerId: string
  currency: string
  metric: bigint
}

/** Lines that count for a performance rule: by who stood there, link, product and the flag. */
function linesUnder(rule: StoredRule) {
  const { link, partner, product } = rule.scope
  return sql`
    select line.*, above.ancestor_id as earner
    from line_payments line
    join payments payment on payment.id = line.payment_id and payment.kind = 'customer'
    join partner_ancestry above on above.partner_id = line.partner_id
      and above.depth = ${rule.depth} and above.valid @> line.paid_at
    where (${partner}::uuid is null or above.ancestor_id = ${partner}::uuid)
      and (${link}::uuid is null or exists (
        select from customers where id = line.customer_id and link_id = ${link}::uuid))
      and (${product}::uuid is null or line.feature_package_id = ${product}::uuid)
      and (${rule.setupFee} or not line.setup_fee)
      and (${rule.validFrom}::timestamptz is null or line.paid_at >= ${rule.validFrom})
      and (${rule.validTo}::timestamptz is null or line.paid_at < ${rule.validTo})`
}

/** What the customers of each partner paid in a period, less what went back in it. */
export async function listCollected(
  trx: Trx,
  { rule, period }: { rule: StoredRule; period: string },
): Promise<MetricOfPartner[]> {
  const { rows } = await sql<MetricOfPartner>`
    with lines as (${linesUnder(rule)}), moved as (
      select earner, currency, base_minor as amount from lines where period = ${period}
      union all
      select lines.earner, lines.currency, -back.base_minor
      from line_reversals back join lines on lines.id = back.line_payment_id
      where back.period = ${period}
    )
    select earner as partner_id, currency, sum(amount)::bigint as metric
    from moved group by 1, 2 order by 1, 2`.execute(trx)
  return rows
}

/**
 * How many customers of each partner paid for the first time in a period: those of whom no period
 * before it has a line. One whose older payment is booked late is not new a second time.
 */
export async function listNewCustomers(
  trx: Trx,
  { rule, period }: { rule: StoredRule; period: string },
): Promise<MetricOfPartner[]> {
  const { rows } = await sql<MetricOfPartner>`
    with lines as (${linesUnder(rule)})
    select earner as partner_id, currency, count(distinct customer_id)::bigint as metric
    from lines
    where period = ${period} and not exists (
      select from line_payments earlier
      where earlier.customer_id = lines.customer_id and earlier.period < ${period})
    group by 1, 2 order by 1, 2`.execute(trx)
  return rows
}

export interface NewClosingAccrual {
  kind: 'true_up' | 'bonus'
  ruleId: string
  partnerId: string
  period: string
  currency: string
  amountMinor: bigint
  metric: bigint
}

/** Inserts what is new; a close that is repeated finds its own. */
export async function recordClosingAccruals(trx: Trx, accruals: NewClosingAccrual[]) {
  if (accruals.length === 0) return []
  return trx
    .insertInto('closingAccruals')
    .values(accruals)
    .onConflict((conflict) =>
      conflict.columns(['kind', 'ruleId', 'partnerId', 'period', 'currency']).doNothing(),
    )
    .returningAll()
    .execute()
}

export interface TrueUpOnLine {
  id: string
  partnerId: string
  currency: string
  amount: bigint
  volume: bigint
  /** What went back of its lines after the period, this reversal included. */
  reversed: bigint
  clawedBack: bigint
}

const touchedBy = (linePaymentIds: string[]) => sql`
  select distinct accrual.rule_id, accrual.partner_id, accrual.period, accrual.currency
  from line_payments line
  join line_payments own on own.id = line.id or own.allocation_unit = line.allocation_unit
  join accruals accrual on accrual.line_payment_id = own.id and ${countedForBands}
  where line.id = any(${linePaymentIds})`

/**
 * Waits for whoever closes a period of these lines, and for whoever takes back of the same
 * true-ups: what one of two takes back depends on what the other took.
 */
export async function lockTrueUpsOn(trx: Trx, linePaymentIds: string[]): Promise<void> {
  await sql`
    select pg_advisory_xact_lock_shared(period_lock_key(period))
    from (select distinct period from (${touchedBy(linePaymentIds)}) touched order by 1) held
  `.execute(trx)
  await sql`
    select pg_advisory_xact_lock(lock_key('true_up:' || id))
    from (select true_up.id from closing_accruals true_up
      join (${touchedBy(linePaymentIds)}) touched using (rule_id, partner_id, period, currency)
      where true_up.kind = 'true_up' order by true_up.id) held`.execute(trx)
}

/** The true-ups that these lines are part of, with what has gone back since their period. */
export async function listTrueUpsOn(trx: Trx, linePaymentIds: string[]): Promise<TrueUpOnLine[]> {
  const { rows } = await sql<TrueUpOnLine>`
    with touched as (${touchedBy(linePaymentIds)})
    select true_up.id, true_up.partner_id, true_up.currency, true_up.amount_minor as amount,
      true_up.metric as volume, coalesce((
        select sum(back.base_minor) from line_reversals back
        join line_payments line on line.id = back.line_payment_id
        where back.period > true_up.period and exists (
          select from accruals accrual
          join line_payments own on own.id = accrual.line_payment_id
          where accrual.rule_id = true_up.rule_id and accrual.partner_id = true_up.partner_id
            and accrual.period = true_up.period and accrual.currency = true_up.currency
            and ${countedForBands}
            and (own.id = line.id or own.allocation_unit = line.allocation_unit))), 0
      )::bigint as reversed,
      coalesce((select sum(amount_minor) from closing_clawbacks
        where closing_accrual_id = true_up.id), 0)::bigint as clawed_back
    from touched
    join closing_accruals true_up using (rule_id, partner_id, period, currency)
    where true_up.kind = 'true_up' and true_up.metric > 0
    order by true_up.id`.execute(trx)
  return rows
}

export interface NewClosingClawback {
  closingAccrualId: string
  lineReversalId: string
  partnerId: string
  currency: string
  amountMinor: bigint
  period: string
}

export async function insertClosingClawbacks(trx: Trx, clawbacks: NewClosingClawback[]) {
  if (clawbacks.length === 0) return []
  return trx.insertInto('closingClawbacks').values(clawbacks).returningAll().execute()
}

/** Lines of a period's true-up that went back in a later period before the true-up was made. */
export async function listReversalsAfter(trx: Trx, trueUp: { id: string }) {
  const { rows } = await sql<{
    id: string
    linePaymentId: string
    happenedAt: Date
    period: string
  }>`
    select back.id, back.line_payment_id, back.happened_at, back.period
    from closing_accruals whole
    join accruals accrual on accrual.rule_id = whole.rule_id
      and accrual.partner_id = whole.partner_id and accrual.period = whole.period
      and accrual.currency = whole.currency and ${countedForBands}
    join line_payments own on own.id = accrual.line_payment_id
    join line_payments line on line.id = own.id or line.allocation_unit = own.allocation_unit
    join line_reversals back on back.line_payment_id = line.id and back.period > whole.period
    where whole.id = ${trueUp.id}
    order by back.id`.execute(trx)
  return rows
}

/** Every true-up and bonus there is. */
export async function listClosingAccruals(trx: Trx) {
  return trx
    .selectFrom('closingAccruals')
    .innerJoin('commissionRules', 'commissionRules.id', 'closingAccruals.ruleId')
    .selectAll('closingAccruals')
    .select('commissionRules.code')
    .orderBy('closingAccruals.id')
    .execute()
}

/** Everything that was taken back of true-ups, with its cause and its payment at the vendor. */
export async function listClosingClawbacks(trx: Trx) {
  return trx
    .selectFrom('closingClawbacks')
    .innerJoin('closingAccruals', 'closingAccruals.id', 'closingClawbacks.closingAccrualId')
    .innerJoin('lineReversals', 'lineReversals.id', 'closingClawbacks.lineReversalId')
    .innerJoin('linePayments', 'linePayments.id', 'lineReversals.linePaymentId')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .select([
      'closingClawbacks.partnerId',
      'closingClawbacks.amountMinor',
      'closingClawbacks.period',
      'closingAccruals.period as earnedIn',
      'lineReversals.vendorSourceId as cause',
      'payments.vendorPaymentId as payment',
    ])
    .orderBy('closingClawbacks.id')
    .execute()
}

export async function findClosingAccrual(db: Db, id: string) {
  return db
    .selectFrom('closingAccruals')
    .innerJoin('commissionRules', 'commissionRules.id', 'closingAccruals.ruleId')
    .selectAll('closingAccruals')
    .select(['commissionRules.code', 'commissionRules.linkId'])
    .where('closingAccruals.id', '=', id)
    .executeTakeFirst()
}
