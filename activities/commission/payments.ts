/** A paid invoice becomes payments, lines, accruals and journals, in one transaction. */
import { insertAccruals, listBeneficiaries, type NewAccrual } from '../../db/commission/accruals.ts'
import {
  insertLinePayments,
  listEarlierParts,
  recordPayment,
} from '../../db/commission/payments.ts'
import { inTransaction, type Trx } from '../../db/database.ts'
import { type Journal, recordJournals } from '../../db/ledger.ts'
import { bookingPeriod } from '../../db/periods.ts'
import { getProgramme } from '../../db/programmes.ts'
import { findTenantOf } from '../../db/provisioning.ts'
import { getSubscriptionOrder, markSubscription } from '../../db/subscriptions.ts'
import { type Beneficiary, shareLine } from '../../domain/commission.ts'
import { DomainError } from '../../domain/errors.ts'
import { uuidOf } from '../../domain/ids.ts'
import { sum } from '../../domain/money.ts'
import { type CollectedLine, collectedLines, inOrderOfPayment } from '../../domain/subscriptions.ts'
import type { PaidInvoice } from '../../integrations/stripe-billing.ts'
import type { ActivityDeps } from '../deps.ts'

/** Whose sale an invoice was. A platform invoice is the partner's own fee. */
interface Sale {
  kind: 'customer' | 'platform'
  partnerId: string
  customerId: string | null
  subscriptionId: string | null
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
    return { kind: 'platform', partnerId, customerId: null, subscriptionId: null }
  }
  const subscriptionId = uuidOf('subscription', metadata.subscription ?? '')
  if (!subscriptionId) return null
  const order = await getSubscriptionOrder(trx, subscriptionId)
  const { partnerId, customerId } = order
  return { kind: 'customer', partnerId, customerId, subscriptionId }
}

async function bookPayment(
  trx: Trx,
  { invoice, sale, paymentId }: { invoice: PaidInvoice; sale: Sale; paymentId: string },
): Promise<void> {
  const payment = invoice.payments.find((candidate) => candidate.paymentId === paymentId)
  if (!payment || payment.amount === 0n) return
  const period = await bookingPeriod(trx, payment.paidAt)
  const id = await recordPayment(trx, {
    ...sale,
    vendorPaymentId: payment.paymentId,
    vendorChargeId: payment.chargeId,
    vendorInvoiceId: invoice.invoiceId,
    currency: invoice.currency,
    amountMinor: payment.amount,
    paidAt: payment.paidAt,
    period,
  })
  if (!id) return
  const collected = collectedLines(invoice.lines, invoice.payments, invoice.total)
  const own = collected.filter((line) => line.paymentId === paymentId)
  const earlier = sale.kind === 'customer' ? await earlierParts(trx, own) : []
  const lines = await insertLinePayments(
    trx,
    own.map((line) => ({
      paymentId: id,
      vendorLineId: line.lineId,
      partnerId: sale.partnerId,
      currency: invoice.currency,
      baseMinor: line.base,
      taxMinor: line.tax,
      whole: line.whole,
      paidAt: payment.paidAt,
      period,
    })),
  )
  await recordJournals(
    trx,
    lines.map((line) => paymentJournal(line, sale.kind)),
  )
  if (sale.kind === 'customer') await accrue(trx, lines, earlier)
}

const earlierParts = (trx: Trx, lines: CollectedLine[]) =>
  listEarlierParts(
    trx,
    lines.map((line) => line.lineId),
  )

type EarlierParts = Awaited<ReturnType<typeof listEarlierParts>>

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

/** Shares each line among those who stood above its seller when it was paid. */
async function accrue(trx: Trx, lines: BookedLine[], earlier: EarlierParts): Promise<void> {
  const seller = lines[0]
  if (!seller) return
  const { holdDays } = await getProgramme(trx)
  const rules = await listBeneficiaries(trx, seller)
  if (!rules.some((rule) => rule.depth === 0)) {
    throw new DomainError('ledger_violation', 'no rule says what the seller earns', {
      partnerId: seller.partnerId,
    })
  }
  const accruals = lines.flatMap((line) => {
    const parts = earlier.filter((part) => part.vendorLineId === line.vendorLineId)
    const beneficiaries = rules.map(
      (rule): Beneficiary => ({
        partnerId: rule.partnerId,
        depth: rule.depth,
        ruleId: rule.ruleId,
        rate: { num: rule.rateNum, den: rule.rateDen },
        booked: sum(parts.filter((part) => part.depth === rule.depth).map((part) => part.booked)),
      }),
    )
    return accrualsOf(line, { beneficiaries, parts, holdDays })
  })
  await insertAccruals(trx, accruals)
  await recordJournals(
    trx,
    lines.map((line) => accrualJournal(line, accruals)),
  )
}

const dayMs = 24 * 3_600_000

function accrualsOf(
  line: BookedLine,
  terms: { beneficiaries: Beneficiary[]; parts: EarlierParts; holdDays: number },
): NewAccrual[] {
  const collectedBefore = terms.parts.find((part) => part.depth === 0)?.collected ?? 0n
  const { rounding, shares } = shareLine(
    { base: line.baseMinor, collectedBefore, whole: line.whole },
    terms.beneficiaries,
  )
  return shares.map(({ beneficiary, amount }) => ({
    linePaymentId: line.id,
    partnerId: beneficiary.partnerId,
    depth: beneficiary.depth,
    ruleId: beneficiary.ruleId,
    baseMinor: line.baseMinor,
    rateNum: beneficiary.rate.num,
    rateDen: beneficiary.rate.den,
    rounding,
    currency: line.currency,
    amountMinor: amount,
    period: line.period,
    maturesAt: new Date(line.paidAt.getTime() + terms.holdDays * dayMs),
  }))
}

function accrualJournal(line: BookedLine, accruals: NewAccrual[]): Journal {
  return {
    kind: 'accrual',
    sourceType: 'line_payment',
    sourceId: line.id,
    period: line.period,
    effectiveAt: line.paidAt,
    postings: accruals
      .filter((accrual) => accrual.linePaymentId === line.id)
      .map((accrual) => ({
        debit: { purpose: 'commission_expense' },
        credit: { purpose: 'partner_accrued', partnerId: accrual.partnerId },
        currency: line.currency,
        amount: accrual.amountMinor,
      })),
  }
}
