/** From a paid invoice to the amounts that commission is based on. */
import { floorShare, smaller } from './money.ts'

export const subscriptionStatuses = [
  'pending',
  'awaiting_payment',
  'active',
  'past_due',
  'canceled',
] as const
export type SubscriptionStatus = (typeof subscriptionStatuses)[number]

/** One line of an invoice: what it costs without tax and after discounts, and its tax. */
export interface InvoiceLine {
  lineId: string
  product: string | null
  quantity: number
  /** Paid once at the start; earns under rules that say so only. */
  setupFee: boolean
  net: bigint
  tax: bigint
}

/** One payment of an invoice; an invoice can be paid in several. */
export interface InvoicePayment {
  paymentId: string
  amount: bigint
  paidAt: Date
  /** The one line that it pays; null where it pays its share of every line. */
  lineId: string | null
}

export interface CollectedLine {
  lineId: string
  paymentId: string
  /** Collected by this payment, without tax: the base of commission. */
  base: bigint
  tax: bigint
  /** True where this one payment settles the whole line. */
  whole: boolean
}

/**
 * What each payment collected of each line, in the order of payment. Parts are cumulative floors,
 * so that the parts of a fully paid line add up to the line.
 * @param total what the invoice asks for in all, tax included.
 */
export function collectedLines(
  lines: InvoiceLine[],
  payments: InvoicePayment[],
  total: bigint,
): CollectedLine[] {
  const collected: CollectedLine[] = []
  let before = 0n
  const wholesale = payments.filter(({ lineId }) => lineId === null)
  for (const payment of inOrderOfPayment(wholesale)) {
    const after = smaller(before + payment.amount, total)
    for (const line of lines) {
      const base = partOf(line.net, { before, after, total })
      const tax = partOf(line.tax, { before, after, total })
      const whole = base === line.net && before === 0n
      collected.push({ lineId: line.lineId, paymentId: payment.paymentId, base, tax, whole })
    }
    before = after
  }
  return [...collected, ...lines.flatMap((line) => collectedAlone(line, payments))]
}

/** What payments of this one line collected of it. */
function collectedAlone(line: InvoiceLine, payments: InvoicePayment[]): CollectedLine[] {
  let before = 0n
  return inOrderOfPayment(payments.filter(({ lineId }) => lineId === line.lineId)).map(
    ({ paymentId, amount }) => {
      const whole = before === 0n && amount === line.net
      before += amount
      return { lineId: line.lineId, paymentId, base: amount, tax: 0n, whole }
    },
  )
}

/** Payments as they were made; what one collects depends on what was collected before it. */
export function inOrderOfPayment<T extends InvoicePayment>(payments: T[]): T[] {
  return [...payments].sort(
    (a, b) => a.paidAt.getTime() - b.paidAt.getTime() || (a.paymentId < b.paymentId ? -1 : 1),
  )
}

function partOf(amount: bigint, paid: { before: bigint; after: bigint; total: bigint }): bigint {
  if (paid.total === 0n) return 0n
  const after = floorShare(amount, { num: paid.after, den: paid.total })
  return after - floorShare(amount, { num: paid.before, den: paid.total })
}
