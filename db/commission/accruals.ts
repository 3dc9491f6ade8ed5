/** Commission earned: who may earn on a line, what was accrued, and why. */
import { sql } from 'kysely'
import type { Rounding } from '../../domain/commission.ts'
import type { Db, Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { type Viewer, visibleTo } from '../partners.ts'

/** The partners that may earn on a sale of this partner at this instant, with their rule. */
export async function listBeneficiaries(trx: Trx, sale: { partnerId: string; paidAt: Date }) {
  const { rows } = await sql<{
    partnerId: string
    depth: number
    ruleId: string
    rateNum: bigint
    rateDen: bigint
  }>`
    select above.ancestor_id as partner_id, above.depth, rule.id as rule_id,
      rule.rate_num, rule.rate_den
    from partner_ancestry above
    join partners seller on seller.id = above.partner_id
    join commission_rules rule
      on rule.programme_id = seller.programme_id and rule.depth = above.depth
      and rule.valid @> ${sale.paidAt}::timestamptz
    where above.partner_id = ${sale.partnerId} and above.valid @> ${sale.paidAt}::timestamptz
    order by above.depth`.execute(trx)
  return rows
}

export interface NewAccrual {
  linePaymentId: string
  partnerId: string
  depth: number
  ruleId: string
  baseMinor: bigint
  rateNum: bigint
  rateDen: bigint
  rounding: Rounding
  currency: string
  amountMinor: bigint
  period: string
  maturesAt: Date
}

export async function insertAccruals(trx: Trx, accruals: NewAccrual[]): Promise<void> {
  if (accruals.length === 0) return
  await trx.insertInto('accruals').values(accruals).execute()
}

export type AccrualRow = NonNullable<Awaited<ReturnType<typeof findVisibleAccrual>>>

function accrualQuery(db: Db, viewer: Viewer) {
  return db
    .selectFrom('accruals')
    .innerJoin('linePayments', 'linePayments.id', 'accruals.linePaymentId')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .select([
      'accruals.id',
      'accruals.partnerId',
      'accruals.depth',
      'accruals.amountMinor',
      'accruals.currency',
      'accruals.period',
      'accruals.maturesAt',
      'payments.id as paymentId',
      'payments.customerId',
      'linePayments.paidAt',
    ])
    .where(visibleTo(viewer, 'accruals.partnerId'))
}

export async function findVisibleAccrual(db: Db, viewer: Viewer, id: string) {
  return accrualQuery(db, viewer).where('accruals.id', '=', id).executeTakeFirst()
}

export interface EarningsFilter extends PageRequest {
  partnerId?: string | undefined
  period?: string | undefined
}

export async function listAccruals(
  db: Db,
  viewer: Viewer,
  filter: EarningsFilter,
): Promise<Page<AccrualRow>> {
  let query = accrualQuery(db, viewer)
    .orderBy('accruals.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('accruals.id', '<', filter.after)
  if (filter.partnerId) query = query.where('accruals.partnerId', '=', filter.partnerId)
  if (filter.period) query = query.where('accruals.period', '=', filter.period)
  return pageOf(await query.execute(), filter.limit)
}

/** Everything that made an accrual: its event, base, rule, rate, rounding and what came back. */
export async function getAccrualReasons(db: Db, id: string) {
  return db
    .selectFrom('accruals')
    .innerJoin('linePayments', 'linePayments.id', 'accruals.linePaymentId')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .innerJoin('commissionRules', 'commissionRules.id', 'accruals.ruleId')
    .innerJoin('partners', 'partners.id', 'accruals.partnerId')
    .leftJoin('customers', 'customers.id', 'payments.customerId')
    .selectAll('accruals')
    .select([
      'partners.name as partnerName',
      'customers.name as customerName',
      'commissionRules.version as ruleVersion',
      'linePayments.paidAt',
      'linePayments.vendorLineId',
      'payments.id as paymentId',
      'payments.vendorInvoiceId',
      'payments.vendorPaymentId',
    ])
    .where('accruals.id', '=', id)
    .executeTakeFirstOrThrow()
}

/** All shares of one line, in order of depth. */
export async function listSharesOfLine(db: Db, linePaymentId: string) {
  return db
    .selectFrom('accruals')
    .select(['partnerId', 'depth', 'amountMinor'])
    .where('linePaymentId', '=', linePaymentId)
    .orderBy('depth')
    .execute()
}

export async function listClawbacksOf(db: Db, accrualId: string) {
  return db
    .selectFrom('clawbacks')
    .innerJoin('lineReversals', 'lineReversals.id', 'clawbacks.lineReversalId')
    .select([
      'clawbacks.amountMinor',
      'clawbacks.period',
      'lineReversals.cause',
      'lineReversals.vendorSourceId',
      'lineReversals.happenedAt',
    ])
    .where('accrualId', '=', accrualId)
    .orderBy('clawbacks.id')
    .execute()
}
