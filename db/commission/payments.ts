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

/** Holds all payments of an invoice, in the order in which they were made. */
export async function lockPaymentsOf(trx: Trx, vendorInvoiceId: string) {
  return trx
    .selectFrom('payments')
    .selectAll()
    .where('vendorInvoiceId', '=', vendorInvoiceId)
    .orderBy('paidAt')
    .orderBy('vendorPaymentId')
    .forUpdate()
    .execute()
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
  customerId: string | null
  featurePackageId: string | null
  quantity: bigint
  lineMinor: bigint
  setupFee: boolean
  allocationUnit: string | null
}

export async function insertLinePayments(trx: Trx, lines: NewLinePayment[]) {
  if (lines.length === 0) return []
  return trx.insertInto('linePayments').values(lines).returningAll().execute()
}

/** What earlier payments of the same invoice lines collected and gave to each depth. */
export async function listEarlierParts(
  trx: Trx,
  parts: { vendorLineIds: string[]; before: string },
) {
  if (parts.vendorLineIds.length === 0) return []
  return trx
    .selectFrom('linePayments')
    .leftJoin('accruals', 'accruals.linePaymentId', 'linePayments.id')
    .select([
      'linePayments.id',
      'linePayments.vendorLineId',
      'linePayments.baseMinor',
      'accruals.depth',
      'accruals.amountMinor',
      'accruals.targetMinor',
      'accruals.ruleId',
      'accruals.limitedBy',
    ])
    .where('linePayments.vendorLineId', 'in', parts.vendorLineIds)
    .where('linePayments.paymentId', '<>', parts.before)
    .execute()
}

/** Lines of an invoice that are to be shared together, unit by unit, as they were paid. */
export async function listUnsharedUnits(trx: Trx, vendorInvoiceId: string) {
  const lines = await trx
    .selectFrom('linePayments')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .selectAll('linePayments')
    .where('payments.vendorInvoiceId', '=', vendorInvoiceId)
    .where('linePayments.allocationUnit', 'is not', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('accruals')
            .innerJoin('linePayments as shared', 'shared.id', 'accruals.linePaymentId')
            .select('accruals.id')
            .whereRef('shared.allocationUnit', '=', 'linePayments.allocationUnit'),
        ),
      ),
    )
    .orderBy('linePayments.paidAt')
    .orderBy('linePayments.id')
    .execute()
  return [...Map.groupBy(lines, (line) => line.allocationUnit).values()]
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
