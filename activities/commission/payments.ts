/** Paid invoices become payments, lines, accruals and journals, in batches. */
import {
  insertLinePayments,
  listEarlierParts,
  type NewLinePayment,
  recordPayments,
} from '../../db/commission/payments.ts'
import { postPayments } from '../../db/commission/postings.ts'
import { type Db, inTransaction, type Trx } from '../../db/database.ts'
import { bookingPeriods } from '../../db/periods.ts'
import { markSubscriptions } from '../../db/subscriptions.ts'
import { collectedLines } from '../../domain/subscriptions.ts'
import type { PaidInvoice } from '../../integrations/stripe-billing.ts'
import type { ActivityDeps } from '../deps.ts'
import { accrueBases, type BaseOfSale, type EarlierPart, placeOf } from './accruals.ts'
import {
  type InvoiceOfSale,
  lanesOf,
  type PaymentOfSale,
  readPackages,
  readSales,
  runsOf,
  type Sale,
} from './sales.ts'
import { chooseRules, readSaleTerms, type SaleTerms } from './terms.ts'
import { accrueUnits } from './units.ts'

type Deps = Pick<ActivityDeps, 'db'>

/** Books one invoice; see `bookInvoices`. */
export async function bookInvoice(deps: Deps, invoice: PaidInvoice): Promise<Sale | null> {
  const [sale = null] = await bookInvoices(deps, [invoice])
  return sale
}

/**
 * Books every payment of the invoices that is not booked yet, each run of payments whole or not at
 * all. Any number of repetitions, in any order and in batches of any size, leaves the same books.
 * @returns for each invoice whose sale it was, or null for one that is not ours.
 * @throws DomainError `not_found` where an invoice names a subscription that does not exist.
 */
export async function bookInvoices(
  { db }: Deps,
  invoices: PaidInvoice[],
): Promise<(Sale | null)[]> {
  const sales = await readSales(db, invoices)
  const packages = await readPackages(db, invoices)
  const ours = invoices.flatMap((invoice, i) => {
    const sale = sales[i]
    return sale ? [{ invoice, sale }] : []
  })
  const lanes = await lanesOf(db, ours)
  const ends = await Promise.allSettled(lanes.map((lane) => bookLane(db, lane, packages)))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed) throw failed.reason
  return sales
}

/** One transaction for each run: one for all would take the locks of later runs out of order. */
async function bookLane(db: Db, lane: InvoiceOfSale[], packages: Map<string, string>) {
  for (const run of runsOf(lane)) await inTransaction(db, (trx) => bookRun(trx, run, packages))
}

/** A line that was booked, with the terms that it earns by; platform fees earn nothing. */
type BookedLine = NewLinePayment & {
  id: string
  vendorPaymentId: string
  sale: Sale
  terms: SaleTerms | null
}

async function bookRun(
  trx: Trx,
  run: PaymentOfSale[],
  packages: Map<string, string>,
): Promise<void> {
  const lines = await bookLines(trx, run, packages)
  const alone = lines.filter(({ allocationUnit }) => allocationUnit === null)
  await postPayments(
    trx,
    lines.map(({ id, currency, sale }) => ({ id, currency, kind: sale.kind })),
  )
  await accrueBases(trx, await basesOf(trx, alone))
  await accrueUnits(trx, unitsDue(run, lines))
  await markSubscriptions(
    trx,
    run.flatMap(({ sale }) => sale.subscriptionId ?? []),
    'active',
  )
}

/** Invoices that are settled now and may have lines that are shared together. */
function unitsDue(run: PaymentOfSale[], lines: BookedLine[]): string[] {
  // An invoice of one payment, booked now with all its lines alone, has none.
  const alone = new Set(
    lines
      .filter(({ allocationUnit }) => allocationUnit === null)
      .map(({ vendorPaymentId }) => vendorPaymentId),
  )
  return run
    .filter(({ invoice, last }) => last && invoice.settled)
    .filter(({ invoice, payment }) => invoice.payments.length > 1 || !alone.has(payment.paymentId))
    .map(({ invoice }) => invoice.invoiceId)
}

/** Keeps the payments that are new, and what each collected of every line. */
async function bookLines(
  trx: Trx,
  run: PaymentOfSale[],
  packages: Map<string, string>,
): Promise<BookedLine[]> {
  const collecting = run.filter(({ payment }) => payment.amount > 0n || payment.lineId !== null)
  const periodAt = await bookingPeriods(
    trx,
    collecting.map(({ payment }) => payment.paidAt),
  )
  const ids = await recordPayments(
    trx,
    collecting.map((one) => newPayment(one, periodAt(one.payment.paidAt))),
  )
  const fresh = collecting.filter(({ payment }) => ids.has(payment.paymentId))
  const paidSales = fresh.flatMap(({ sale, payment: { paidAt } }) => {
    const { partnerId, customerId, linkId } = sale
    return customerId ? [{ partnerId, customerId, linkId, paidAt }] : []
  })
  const terms = await readSaleTerms(trx, paidSales)
  const termsOf = new Map(paidSales.map(({ customerId }, i) => [customerId, terms[i]]))
  return insertLinePayments(
    trx,
    fresh.flatMap((one) => {
      const { payment, sale } = one
      return newLines(one, {
        paymentId: ids.get(payment.paymentId) ?? '',
        period: periodAt(payment.paidAt),
        terms: termsOf.get(sale.customerId ?? '') ?? null,
        packages,
      })
    }),
  )
}

function newPayment({ invoice, sale, payment }: PaymentOfSale, period: string) {
  const { kind, partnerId, customerId, subscriptionId } = sale
  return {
    kind,
    partnerId,
    customerId,
    subscriptionId,
    vendorPaymentId: payment.paymentId,
    vendorChargeId: payment.chargeId,
    vendorInvoiceId: invoice.invoiceId,
    currency: invoice.currency,
    amountMinor: payment.amount,
    paidAt: payment.paidAt,
    period,
  }
}

interface BookedPayment {
  paymentId: string
  period: string
  terms: SaleTerms | null
  packages: Map<string, string>
}

/** What one payment collected of the lines of its invoice. */
function newLines(
  { invoice, sale, payment }: PaymentOfSale,
  { paymentId, period, terms, packages }: BookedPayment,
): Omit<BookedLine, 'id'>[] {
  const byId = new Map(invoice.lines.map((line) => [line.lineId, line]))
  return collectedLines(invoice.lines, invoice.payments, invoice.total)
    .filter((collected) => collected.paymentId === payment.paymentId)
    .flatMap(({ lineId, base, tax, whole }) => {
      const line = byId.get(lineId)
      if (!line) return []
      const product = packages.get(line.product ?? '') ?? sale.packageId
      const { setupFee } = line
      return {
        paymentId,
        vendorLineId: lineId,
        partnerId: sale.partnerId,
        customerId: sale.customerId,
        featurePackageId: product,
        currency: invoice.currency,
        baseMinor: base,
        taxMinor: tax,
        whole,
        quantity: BigInt(line.quantity),
        lineMinor: line.net,
        setupFee,
        allocationUnit: terms
          ? allocationUnit(invoice.invoiceId, terms, { product, setupFee })
          : null,
        paidAt: payment.paidAt,
        period,
        vendorPaymentId: payment.paymentId,
        sale,
        terms,
      }
    })
}

/** The key of an invoice's lines that one set of rules pays; null where each line is a base. */
function allocationUnit(
  invoiceId: string,
  terms: SaleTerms,
  line: { product: string | null; setupFee: boolean },
): string | null {
  if (terms.programme.allocationUnit === 'line') return null
  return [invoiceId, line.setupFee, ...chooseRules(terms, line).map(({ rule }) => rule.id)].join(
    ':',
  )
}

/** Lines as bases of their own, each with what earlier payments gave of it. */
async function basesOf(trx: Trx, lines: BookedLine[]): Promise<BaseOfSale[]> {
  const parts = await listEarlierParts(trx, {
    // A payment that settles a line whole has none before it.
    vendorLineIds: lines.filter(({ whole }) => !whole).map(({ vendorLineId }) => vendorLineId),
    otherThan: lines.map(({ id }) => id),
  })
  const byLine = Map.groupBy(parts, ({ vendorLineId }) => vendorLineId)
  return lines.flatMap((line) => {
    if (!line.terms) return []
    const earlier = Map.groupBy(byLine.get(line.vendorLineId) ?? [], ({ id }) => id)
    const base = {
      ...placeOf(line),
      base: line.baseMinor,
      lineAmount: line.lineMinor,
      quantity: line.quantity,
      whole: line.whole,
      earlier: [...earlier.values()].map(earlierPart),
    }
    return [{ base, terms: line.terms }]
  })
}

function earlierPart(rows: Awaited<ReturnType<typeof listEarlierParts>>): EarlierPart {
  return {
    collected: rows[0]?.baseMinor ?? 0n,
    shares: rows.flatMap((row) => {
      const { depth, ruleId, limitedBy, amountMinor, rateNum, rateDen } = row
      if (depth === null || ruleId === null || amountMinor === null) return []
      return {
        depth,
        ruleId,
        excluded: limitedBy === 'window' || limitedBy === 'setup_fee',
        rate: rateNum !== null && rateDen !== null ? { num: rateNum, den: rateDen } : null,
        amount: amountMinor,
        target: row.targetMinor ?? amountMinor,
      }
    }),
  }
}
