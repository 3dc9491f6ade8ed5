/** Payments of customers and what they collected, line by line. */
import { type RawBuilder, sql } from 'kysely'
import { type Db, lockName, type Trx } from '../database.ts'
import { type Columns, columnsAndRows } from '../rows.ts'

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

const paymentColumns: Columns<NewPayment> = {
  vendorPaymentId: 'text',
  vendorChargeId: 'text',
  vendorInvoiceId: 'text',
  kind: 'text',
  partnerId: 'uuid',
  customerId: 'uuid',
  subscriptionId: 'uuid',
  currency: 'text',
  amountMinor: 'bigint',
  paidAt: 'timestamptz',
  period: 'text',
}

/** What was paid stays with those above its seller at that time. */
const asOfPaidAt = {
  partner: 'partnerId',
  at: (column: (name: 'paidAt') => RawBuilder<unknown>) => column('paidAt'),
} as const

/** @returns the ids of the new rows by their vendor's; what was booked before is not among them. */
export async function recordPayments(
  trx: Trx,
  payments: NewPayment[],
): Promise<Map<string, string>> {
  if (payments.length === 0) return new Map()
  const { rows } = await sql<{ id: string; vendorPaymentId: string }>`
    insert into payments ${columnsAndRows(paymentColumns, payments, asOfPaidAt)}
    on conflict (vendor_payment_id) do nothing
    returning id, vendor_payment_id`.execute(trx)
  return new Map(rows.map(({ id, vendorPaymentId }) => [vendorPaymentId, id]))
}

export async function findPaymentByCharge(db: Db, vendorChargeId: string) {
  return db
    .selectFrom('payments')
    .selectAll()
    .where('vendorChargeId', '=', vendorChargeId)
    .executeTakeFirst()
}

/**
 * Keeps others from correcting what was paid of an invoice until the transaction ends: what one
 * correction takes back of a line, or of lines that earned together, depends on the others.
 */
export async function lockCorrections(trx: Trx, vendorInvoiceId: string): Promise<void> {
  await lockName(trx, `corrections:${vendorInvoiceId}`)
}

/** All payments of an invoice, in the order in which they were made. */
export async function listPaymentsOf(trx: Trx, vendorInvoiceId: string) {
  return trx
    .selectFrom('payments')
    .selectAll()
    .where('vendorInvoiceId', '=', vendorInvoiceId)
    .orderBy('paidAt')
    .orderBy('vendorPaymentId')
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

const lineColumns: Columns<NewLinePayment> = {
  paymentId: 'uuid',
  vendorLineId: 'text',
  partnerId: 'uuid',
  currency: 'text',
  baseMinor: 'bigint',
  taxMinor: 'bigint',
  whole: 'boolean',
  paidAt: 'timestamptz',
  period: 'text',
  customerId: 'uuid',
  featurePackageId: 'uuid',
  quantity: 'bigint',
  lineMinor: 'bigint',
  setupFee: 'boolean',
  allocationUnit: 'text',
}

/** @returns the lines as they were given, each with the id of its new row. */
export async function insertLinePayments<Line extends NewLinePayment>(
  trx: Trx,
  lines: Line[],
): Promise<(Line & { id: string })[]> {
  if (lines.length === 0) return []
  const { rows } = await sql<{ id: string; paymentId: string; vendorLineId: string }>`
    insert into line_payments ${columnsAndRows(lineColumns, lines, asOfPaidAt)}
    returning id, payment_id, vendor_line_id`.execute(trx)
  const keyOf = (line: { paymentId: string; vendorLineId: string }) =>
    `${line.paymentId} ${line.vendorLineId}`
  const ids = new Map(rows.map((row) => [keyOf(row), row.id]))
  return lines.map((line) => ({ ...line, id: ids.get(keyOf(line)) ?? '' }))
}

/** What other payments of the same invoice lines collected and gave to each depth. */
export async function listEarlierParts(
  trx: Trx,
  parts: { vendorLineIds: string[]; otherThan: string[] },
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
      'accruals.rateNum',
      'accruals.rateDen',
      'accruals.ruleId',
      'accruals.limitedBy',
    ])
    .where('linePayments.vendorLineId', 'in', parts.vendorLineIds)
    .where('linePayments.id', 'not in', parts.otherThan)
    .execute()
}

/** Lines of these invoices that are to be shared together, unit by unit, as they were paid. */
export async function listUnsharedUnits(trx: Trx, vendorInvoiceIds: string[]) {
  if (vendorInvoiceIds.length === 0) return []
  const lines = await trx
    .selectFrom('linePayments')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .leftJoin('customers', 'customers.id', 'linePayments.customerId')
    .selectAll('linePayments')
    .select('customers.linkId')
    .where('payments.vendorInvoiceId', 'in', vendorInvoiceIds)
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
