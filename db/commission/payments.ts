/** Payments of customers and what they collected, line by line. */
import { sql } from 'kysely'
import type { Db, Trx } from '../database.ts'

export interface NewPayment {
  vendorPaymentId: string
  vendorChargeId: string | null
  vendorInvoiceId: string
  kind: 'customer' | 'platform'
  partnerId: string
  customerId: string | null
  subscriptionId: string | null
  currency: string
  amountMinor: bigint
  paidAt: Date
  period: string
}

/** @returns the id of the new row, or undefined when this payment was booked before. */
export async function recordPayment(trx: Trx, payment: NewPayment): Promise<string | undefined> {
  const inserted = await trx
    .insertInto('payments')
    .values(payment)
    .onConflict((conflict) => conflict.column('vendorPaymentId').doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted?.id
}

export async function findPaymentByCharge(db: Db, vendorChargeId: string) {
  return db
    .selectFrom('payments')
    .selectAll()
    .where('vendorChargeId', '=', vendorChargeId)
    .executeTakeFirst()
}

/** Holds the payment, so that two corrections of the same money follow one another. */
export async function lockPayment(trx: Trx, id: string) {
  return trx
    .selectFrom('payments')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirstOrThrow()
}

export interface NewLinePayment {
  paymentId: string
  vendorLineId: string
  partnerId: string
  currency: string
  baseMinor: bigint
  taxMinor: bigint
  whole: boolean
  paidAt: Date
  period: string
}

export async function insertLinePayments(trx: Trx, lines: NewLinePayment[]) {
  if (lines.length === 0) return []
  return trx.insertInto('linePayments').values(lines).returningAll().execute()
}

/** What earlier payments of the same invoice lines collected and gave to each depth. */
export async function listEarlierParts(trx: Trx, vendorLineIds: string[]) {
  if (vendorLineIds.length === 0) return []
  const { rows } = await sql<{
    vendorLineId: string
    collected: bigint
    depth: number | null
    booked: bigint
  }>`
    select line.vendor_line_id, accrual.depth,
      sum(line.base_minor)::bigint as collected,
      coalesce(sum(accrual.amount_minor), 0)::bigint as booked
    from line_payments line
    left join accruals accrual on accrual.line_payment_id = line.id
    where line.vendor_line_id = any(${vendorLineIds})
    group by line.vendor_line_id, accrual.depth`.execute(trx)
  return rows
}

/** The lines of a payment with what has gone back of each so far. */
export async function listReversibleLines(trx: Trx, paymentId: string) {
  const { rows } = await sql<{
    linePaymentId: string
    base: bigint
    gross: bigint
    reversedGross: bigint
    reversedBase: bigint
  }>`
    select line.id as line_payment_id, line.base_minor as base,
      line.base_minor + line.tax_minor as gross,
      coalesce(sum(back.gross_minor), 0)::bigint as reversed_gross,
      coalesce(sum(back.base_minor), 0)::bigint as reversed_base
    from line_payments line
    left join line_reversals back on back.line_payment_id = line.id
    where line.payment_id = ${paymentId}
    group by line.id
    order by line.id`.execute(trx)
  return rows
}

export interface NewDispute {
  vendorDisputeId: string
  paymentId: string
  amountMinor: bigint
  openedAt: Date
}

export async function recordDispute(trx: Trx, dispute: NewDispute): Promise<void> {
  await trx
    .insertInto('disputes')
    .values({ ...dispute, status: 'open' })
    .onConflict((conflict) => conflict.column('vendorDisputeId').doNothing())
    .execute()
}

export async function markDisputeClosed(
  trx: Trx,
  vendorDisputeId: string,
  outcome: 'won' | 'lost',
): Promise<void> {
  await trx
    .updateTable('disputes')
    .set({ status: outcome, closedAt: sql<Date>`clock_timestamp()` })
    .where('vendorDisputeId', '=', vendorDisputeId)
    .where('status', '<>', outcome)
    .execute()
}
