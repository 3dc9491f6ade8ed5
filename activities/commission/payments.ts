/** A paid invoice becomes payments, lines, accruals and journals, in one transaction. */
import { listPackagesByProduct } from '../../db/catalog.ts'
import {
  insertLinePayments,
  listEarlierParts,
  listUnsharedUnits,
  recordPayment,
} from '../../db/commission/payments.ts'
import { listNewestReversals } from '../../db/commission/reversals.ts'
import { inTransaction, type Trx } from '../../db/database.ts'
import { type Journal, recordJournals } from '../../db/ledger.ts'
import { bookingPeriod } from '../../db/periods.ts'
import { findTenantOf } from '../../db/provisioning.ts'
import { getSubscriptionOrder, markSubscription } from '../../db/subscriptions.ts'
import { uuidOf } from '../../domain/ids.ts'
import { sum } from '../../domain/money.ts'
import { collectedLines, type InvoiceLine, inOrderOfPayment } from '../../domain/subscriptions.ts'
import type { PaidInvoice } from '../../integrations/stripe-billing.ts'
import type { ActivityDeps } from '../deps.ts'
import {
  accrueBase,
  type Base,
  chooseRules,
  type EarlierPart,
  lockCountingRules,
  readSaleTerms,
  type SaleTerms,
} from './accruals.ts'
import { clawBackLines } from './clawbacks.ts'

/** Whose sale an invoice was. A platform invoice is the partner's own fee. */
interface Sale {
  kind: 'customer' | 'platform'
  partnerId: string
  customerId: string | null
  subscriptionId: string | null
  packageId: string | null
}

type BookedLine = Awaited<ReturnType<typeof insertLinePayments>>[number]

/**
 * Books every payment of the invoice that is not booked yet. Any number of repetitions, in any
 * order, leaves the same books.
 * @returns whose sale it was, or null for an invoice that is not ours.
 */
export async function bookInvoice(
  { db }: Pick<ActivityDeps, 'db'>,
  invoice: PaidInvoice,
): Promise<Sale | null> {
  return inTransaction(db, async (trx) => {
    const sale = await saleOf(trx, invoice)
    if (!sale) return null
    for (const { paymentId } of inOrderOfPayment(invoice.payments)) {
      await bookPayment(trx, { invoice, sale, paymentId })
    }
    if (invoice.settled) await accrueUnits(trx, invoice, sale)
    if (sale.subscriptionId && invoice.payments.length > 0) {
      await markSubscription(trx, sale.subscriptionId, 'active')
    }
    return sale
  })
}

async function saleOf(trx: Trx, { metadata }: PaidInvoice): Promise<Sale | null> {
  if (metadata.kind === 'platform') {
    const partnerId = uuidOf('partner', metadata.partner ?? '')
    const tenant = partnerId ? await findTenantOf(trx, partnerId) : undefined
    if (!partnerId || !tenant) return null
    return { kind: 'platform', partnerId, customerId: null, subscriptionId: null, packageId: null }
  }
  const subscriptionId = uuidOf('subscription', metadata.subscription ?? '')
  if (!subscriptionId) return null
  const order = await getSubscriptionOrder(trx, subscriptionId)
  const { partnerId, customerId, featurePackageId } = order
  return { kind: 'customer', partnerId, customerId, subscriptionId, packageId: featurePackageId }
}

interface PaymentToBook {
  invoice: PaidInvoice
  sale: Sale
  paymentId: string
}

async function bookPayment(trx: Trx, { invoice, sale, paymentId }: PaymentToBook): Promise<void> {
  const payment = invoice.payments.find((candidate) => candidate.paymentId === paymentId)
  if (!payment || (payment.amount === 0n && payment.lineId === null)) return
  const period = await bookingPeriod(trx, payment.paidAt)
  const { kind, partnerId, customerId, subscriptionId } = sale
  const id = await recordPayment(trx, {
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
  })
  if (!id) return
  const terms = customerId ? await readSaleTerms(trx, { ...sale, customerId, ...payment }) : null
  const packages = await packagesOfProducts(trx, invoice.lines)
  const lines = await insertLinePayments(
    trx,
    ownLines(invoice, paymentId).map(({ line, collected }) => ({
      paymentId: id,
      vendorLineId: line.lineId,
      partnerId,
      customerId,
      featurePackageId: packages.get(line.product ?? '') ?? sale.packageId,
      currency: invoice.currency,
      baseMinor: collected.base,
      taxMinor: collected.tax,
      whole: collected.whole,
      quantity: BigInt(line.quantity),
      lineMinor: line.net,
      setupFee: line.setupFee,
      allocationUnit: terms ? allocationUnit(invoice, line, { terms, packages, sale }) : null,
      paidAt: payment.paidAt,
      period,
    })),
  )
  await recordJournals(
    trx,
    lines.map((line) => paymentJournal(line, kind)),
  )
  if (!terms) return
  const alone = lines.filter((row) => row.allocationUnit === null)
  await lockCountingRules(trx, terms, alone.map(baseOf))
  for (const line of alone) await accrueBase(trx, await baseOfLine(trx, line), terms)
}

/** Our packages by the products that the lines name. */
async function packagesOfProducts(trx: Trx, lines: InvoiceLine[]): Promise<Map<string, string>> {
  const products = lines.flatMap(({ product }) => product ?? [])
  return new Map(
    (await listPackagesByProduct(trx, products)).map(({ id, vendorProductId }) => [
      vendorProductId ?? '',
      id,
    ]),
  )
}

/** The lines that a payment collected something of. */
function ownLines({ lines, payments, total }: PaidInvoice, paymentId: string) {
  return collectedLines(lines, payments, total)
    .filter((collected) => collected.paymentId === paymentId)
    .flatMap((collected) => {
      const line = lines.find(({ lineId }) => lineId === collected.lineId)
      return line ? [{ line, collected }] : []
    })
}

/** The key of an invoice's lines that one set of rules pays; null where each line is a base. */
function allocationUnit(
  { invoiceId }: PaidInvoice,
  { setupFee, product: vendorProduct }: InvoiceLine,
  { terms, packages, sale }: { terms: SaleTerms; packages: Map<string, string>; sale: Sale },
): string | null {
  if (terms.programme.allocationUnit === 'line') return null
  const product = packages.get(vendorProduct ?? '') ?? sale.packageId
  const rules = chooseRules(terms, { product, setupFee })
  return [invoiceId, setupFee, ...rules.map(({ rule }) => rule.id)].join(':')
}

async function baseOfLine(trx: Trx, line: BookedLine): Promise<Base> {
  const parts = await listEarlierParts(trx, {
    vendorLineIds: [line.vendorLineId],
    before: line.paymentId,
  })
  const ids = [...new Set(parts.map((part) => part.id))]
  return {
    ...baseOf(line),
    base: line.baseMinor,
    lineAmount: line.lineMinor ?? line.baseMinor,
    quantity: line.quantity,
    whole: line.whole,
    earlier: ids.map((id) => earlierPart(parts.filter((part) => part.id === id))),
  }
}

function baseOf(line: BookedLine) {
  return {
    linePaymentId: line.id,
    currency: line.currency,
    paidAt: line.paidAt,
    period: line.period,
    product: line.featurePackageId,
    setupFee: line.setupFee,
  }
}

function earlierPart(rows: Awaited<ReturnType<typeof listEarlierParts>>): EarlierPart {
  return {
    collected: rows[0]?.baseMinor ?? 0n,
    shares: rows.flatMap(({ depth, ruleId, limitedBy, amountMinor, targetMinor }) => {
      if (depth === null || ruleId === null || amountMinor === null) return []
      const excluded = limitedBy === 'window' || limitedBy === 'setup_fee'
      return [{ depth, ruleId, excluded, amount: amountMinor, target: targetMinor ?? amountMinor }]
    }),
  }
}

/** Shares the lines of a settled invoice as one base for each set of rules. */
async function accrueUnits(trx: Trx, invoice: PaidInvoice, sale: Sale): Promise<void> {
  for (const lines of await listUnsharedUnits(trx, invoice.invoiceId)) {
    const last = lines.at(-1)
    if (!last || !sale.customerId) continue
    const paid = { partnerId: sale.partnerId, customerId: sale.customerId, paidAt: last.paidAt }
    const base = sum(lines.map((line) => line.baseMinor))
    const terms = await readSaleTerms(trx, paid)
    await lockCountingRules(trx, terms, [baseOf(last)])
    await accrueBase(
      trx,
      {
        ...baseOf(last),
        base,
        lineAmount: base,
        quantity: sum(lines.map((line) => line.quantity)),
        whole: true,
        period: await bookingPeriod(trx, last.paidAt),
        earlier: [],
      },
      terms,
    )
    await clawBackEarlier(trx, lines)
  }
}

/** Money that went back before the invoice was shared takes its part back now. */
async function clawBackEarlier(trx: Trx, lines: BookedLine[]): Promise<void> {
  const reversals = await listNewestReversals(
    trx,
    lines.map(({ id }) => id),
  )
  const newest = reversals[0]
  if (!newest) return
  const period = await bookingPeriod(trx, newest.happenedAt)
  await clawBackLines(trx, reversals, { period, effectiveAt: newest.happenedAt })
}

function paymentJournal(line: BookedLine, kind: Sale['kind']): Journal {
  const revenue = kind === 'platform' ? 'platform_fees' : 'platform_revenue'
  const { currency } = line
  return {
    kind: 'payment',
    sourceType: 'line_payment',
    sourceId: line.id,
    period: line.period,
    effectiveAt: line.paidAt,
    postings: [
      {
        debit: { purpose: 'stripe_clearing' },
        credit: { purpose: revenue },
        currency,
        amount: line.baseMinor,
      },
      {
        debit: { purpose: 'stripe_clearing' },
        credit: { purpose: 'tax_payable' },
        currency,
        amount: line.taxMinor,
      },
    ],
  }
}
