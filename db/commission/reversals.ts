/** Money that went back, and what is taken back of the commission on it. */
import { sql } from 'kysely'
import type { Db, Trx } from '../database.ts'
import { type Page, pageOf } from '../paging.ts'
import type { LineReversalsTable } from '../schema.ts'
import { type EarningsFilter, isAmong } from './accruals.ts'

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

/** What all corrections of a payment ask for together; more than it paid where they overlap. */
export async function standingReversals(trx: Trx, paymentId: string): Promise<bigint> {
  const { rows } = await sql<{ standing: bigint }>`
    select coalesce(sum(nominal), 0)::bigint as standing from (
      select coalesce(max(back.nominal_minor), sum(back.gross_minor)) as nominal
      from line_reversals back
      join line_payments line on line.id = back.line_payment_id
      where line.payment_id = ${paymentId}
      group by back.cause, back.vendor_source_id) asked`.execute(trx)
  return rows[0]?.standing ?? 0n
}

export interface NewLineReversal {
  linePaymentId: string
  cause: ReversalCause
  vendorSourceId: string
  grossMinor: bigint
  baseMinor: bigint
  /** Asked for of the whole payment; negative where money is restored. */
  nominalMinor: bigint
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

/**
 * The accruals on these lines with what was taken back of each so far, and what of their base has
 * gone back; an accrual on an invoice covers all its lines.
 */
export async function listReversibleAccruals(trx: Trx, linePaymentIds: string[]) {
  const { rows } = await sql<{
    id: string
    touchedLineId: string
    partnerId: string
    currency: string
    amount: bigint
    base: bigint
    reversedBase: bigint
    clawedBack: bigint
  }>`
    with touched as (
      select distinct on (accrual.id) accrual.id, line.id as touched_line_id
      from line_payments line
      join line_payments own on own.id = line.id or own.allocation_unit = line.allocation_unit
      join accruals accrual on accrual.line_payment_id = own.id
      where line.id = any(${linePaymentIds})
      order by accrual.id, line.id
    )
    select accrual.id, touched.touched_line_id, accrual.partner_id, accrual.currency,
      accrual.amount_minor as amount, accrual.base_minor as base,
      coalesce((
        select sum(back.base_minor) from line_reversals back
        join line_payments line on line.id = back.line_payment_id
        where line.id = own.id or line.allocation_unit = own.allocation_unit), 0
      )::bigint as reversed_base,
      coalesce((select sum(back.amount_minor) from clawbacks back
        where back.accrual_id = accrual.id), 0)::bigint as clawed_back
    from touched
    join accruals accrual using (id)
    join line_payments own on own.id = accrual.line_payment_id
    order by own.id, accrual.depth`.execute(trx)
  return rows
}

/** The newest reversal of each of these lines. */
export async function listNewestReversals(trx: Trx, linePaymentIds: string[]) {
  return trx
    .selectFrom('lineReversals')
    .distinctOn('linePaymentId')
    .select(['id', 'linePaymentId', 'happenedAt'])
    .where('linePaymentId', 'in', linePaymentIds)
    .orderBy('linePaymentId')
    .orderBy('id', 'desc')
    .execute()
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

function clawbackQuery(db: Db) {
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
}

export type ClawbackRow = Awaited<
  ReturnType<ReturnType<typeof clawbackQuery>['executeTakeFirstOrThrow']>
>

export async function listClawbacks(db: Db, filter: EarningsFilter): Promise<Page<ClawbackRow>> {
  let query = clawbackQuery(db)
    .orderBy('clawbacks.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('clawbacks.id', '<', filter.after)
  if (filter.partnerId) query = query.where('clawbacks.partnerId', '=', filter.partnerId)
  if (filter.months) query = query.where(isAmong('clawbacks.period', filter.months))
  return pageOf(await query.execute(), filter.limit)
}

/** Every clawback there is, with its cause and its payment at the vendor. */
export async function listAllClawbacks(trx: Trx) {
  return trx
    .selectFrom('clawbacks')
    .innerJoin('accruals', 'accruals.id', 'clawbacks.accrualId')
    .innerJoin('lineReversals', 'lineReversals.id', 'clawbacks.lineReversalId')
    .innerJoin('linePayments', 'linePayments.id', 'lineReversals.linePaymentId')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .select([
      'clawbacks.partnerId',
      'clawbacks.amountMinor',
      'clawbacks.period',
      'accruals.period as earnedIn',
      'lineReversals.vendorSourceId as cause',
      'payments.vendorPaymentId as payment',
    ])
    .orderBy('clawbacks.id')
    .execute()
}

/** One clawback with what its accrual was made on and what had gone back with it. */
export async function findClawback(db: Db, id: string) {
  return db
    .selectFrom('clawbacks')
    .innerJoin('accruals', 'accruals.id', 'clawbacks.accrualId')
    .innerJoin('lineReversals', 'lineReversals.id', 'clawbacks.lineReversalId')
    .select([
      'clawbacks.accrualId',
      'clawbacks.amountMinor',
      'clawbacks.currency',
      'accruals.baseMinor as base',
      'accruals.amountMinor as earned',
      'lineReversals.cause',
      'lineReversals.vendorSourceId',
      sql<bigint>`(select sum(earlier.base_minor)::bigint from line_reversals earlier
        where earlier.line_payment_id = line_reversals.line_payment_id
          and earlier.id <= line_reversals.id)`.as('reversedBase'),
    ])
    .where('clawbacks.id', '=', id)
    .executeTakeFirst()
}
