/** Money that went back, and what is taken back of the commission on it. */
import { sql } from 'kysely'
import type { Db, Trx } from '../database.ts'
import { type Page, pageOf } from '../paging.ts'
import { type Viewer, visibleTo } from '../partners.ts'
import type { LineReversalsTable } from '../schema.ts'
import type { EarningsFilter } from './accruals.ts'

export type ReversalCause = LineReversalsTable['cause']

/** Whether this refund or dispute has been booked for the payment. */
export async function isReversalRecorded(
  trx: Trx,
  reversal: { paymentId: string; cause: ReversalCause; vendorSourceId: string },
): Promise<boolean> {
  const row = await trx
    .selectFrom('lineReversals')
    .innerJoin('linePayments', 'linePayments.id', 'lineReversals.linePaymentId')
    .select('lineReversals.id')
    .where('linePayments.paymentId', '=', reversal.paymentId)
    .where('lineReversals.cause', '=', reversal.cause)
    .where('lineReversals.vendorSourceId', '=', reversal.vendorSourceId)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

export interface NewLineReversal {
  linePaymentId: string
  cause: ReversalCause
  vendorSourceId: string
  grossMinor: bigint
  baseMinor: bigint
  happenedAt: Date
  period: string
}

export async function insertLineReversals(trx: Trx, reversals: NewLineReversal[]) {
  if (reversals.length === 0) return []
  return trx
    .insertInto('lineReversals')
    .values(reversals)
    .returning(['id', 'linePaymentId', 'grossMinor', 'baseMinor'])
    .execute()
}

/** The accruals of these lines with what was taken back of each so far. */
export async function listReversibleAccruals(trx: Trx, linePaymentIds: string[]) {
  const { rows } = await sql<{
    id: string
    linePaymentId: string
    partnerId: string
    currency: string
    amount: bigint
    base: bigint
    clawedBack: bigint
  }>`
    select accrual.id, accrual.line_payment_id, accrual.partner_id, accrual.currency,
      accrual.amount_minor as amount, accrual.base_minor as base,
      coalesce(sum(back.amount_minor), 0)::bigint as clawed_back
    from accruals accrual
    left join clawbacks back on back.accrual_id = accrual.id
    where accrual.line_payment_id = any(${linePaymentIds})
    group by accrual.id
    order by accrual.line_payment_id, accrual.depth`.execute(trx)
  return rows
}

export interface NewClawback {
  accrualId: string
  lineReversalId: string
  partnerId: string
  currency: string
  amountMinor: bigint
  period: string
}

export async function insertClawbacks(trx: Trx, clawbacks: NewClawback[]): Promise<void> {
  if (clawbacks.length === 0) return
  await trx.insertInto('clawbacks').values(clawbacks).execute()
}

function clawbackQuery(db: Db, viewer: Viewer) {
  return db
    .selectFrom('clawbacks')
    .innerJoin('lineReversals', 'lineReversals.id', 'clawbacks.lineReversalId')
    .innerJoin('linePayments', 'linePayments.id', 'lineReversals.linePaymentId')
    .select([
      'clawbacks.id',
      'clawbacks.accrualId',
      'clawbacks.partnerId',
      'clawbacks.amountMinor',
      'clawbacks.currency',
      'clawbacks.period',
      'lineReversals.cause',
      'lineReversals.vendorSourceId',
      'lineReversals.happenedAt',
      'linePayments.paymentId',
    ])
    .where(visibleTo(viewer, 'clawbacks.partnerId'))
}

export type ClawbackRow = Awaited<
  ReturnType<ReturnType<typeof clawbackQuery>['executeTakeFirstOrThrow']>
>

export async function listClawbacks(
  db: Db,
  viewer: Viewer,
  filter: EarningsFilter,
): Promise<Page<ClawbackRow>> {
  let query = clawbackQuery(db, viewer)
    .orderBy('clawbacks.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('clawbacks.id', '<', filter.after)
  if (filter.partnerId) query = query.where('clawbacks.partnerId', '=', filter.partnerId)
  if (filter.period) query = query.where('clawbacks.period', '=', filter.period)
  return pageOf(await query.execute(), filter.limit)
}
