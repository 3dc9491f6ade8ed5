/**
 * The simulator's contract as a program of its own, in memory: what `simulate` is compared with.
 * Written from the words of contracts.md section 3; it shares no arithmetic with the product.
 */
import type { Scenario } from '../../simulation/scenario.ts'
import { reverse } from './model-backs.ts'
import {
  type Books,
  type Earner,
  type Figure,
  openBooks,
  type Paid,
  paymentsOf,
  type Share,
  type Unit,
} from './model-books.ts'
import { closeTime, type Event, type Payment, sum } from './model-kit.ts'
import { closeMonth, convert, type Statement } from './model-months.ts'
import { earnersOf, share, shareInvoice } from './model-shares.ts'

export function model(scenario: Scenario) {
  const books = openBooks(scenario)
  const statements: Statement[] = []
  const closes = [...scenario.close]
  const closeUntil = (time: number) => {
    for (let next = closes[0]; next !== undefined && closeTime(next) <= time; next = closes[0]) {
      closeMonth(books, next, statements)
      closes.shift()
    }
  }
  for (const event of scenario.events) {
    closeUntil(event.receivedAt.getTime())
    deliver(books, event)
  }
  closeUntil(Number.POSITIVE_INFINITY)
  noteHeld(books, statements)
  return { ...resultOf(books, statements), shapes: [...books.shapes] }
}

/** Notes clawbacks of money that was held when a statement paid the rest at a rate. */
function noteHeld(books: Books, statements: Statement[]): void {
  for (const { partner, origin } of books.clawbacks) {
    const since = 'volume' in origin ? origin.volume.period : origin.period
    const paying = statements.find(
      (one) => one.partner === partner && one.period >= since && one.payout !== null,
    )
    if (paying && paying.period !== origin.paidAt?.period) {
      books.shapes.add('a clawback of what was held when the rest was paid at a rate')
    }
  }
}

function deliver(books: Books, event: Event): void {
  books.delivered.push(event)
  switch (event.type) {
    case 'payment':
      book(books, event)
      return
    case 'adjustment': {
      const { partner, amount, at } = event
      if (amount !== 0n) books.adjustments.push({ partner, amount, period: books.landing(at) })
      return
    }
    case 'tier':
    case 'move':
      if ([...books.landed.values()].some(({ payment }) => payment.at >= event.at)) {
        books.shapes.add('a tier or parent told after a line that it concerns')
      }
      return
    default: {
      if (event.type === 'refund_failed' && !isTold(books, event.of)) return
      const payment = paymentOf(books, event)
      book(books, payment)
      const cause = event.type === 'refund_failed' ? event.of : event.id
      reverse(books, { payment, cause, at: event.at })
    }
  }
}

const isTold = ({ delivered }: Books, refund: string) =>
  delivered.some((event) => event.type === 'refund' && event.id === refund)

/** The payment that a refund or dispute is about; a failure names its refund instead. */
function paymentOf({ scenario }: Books, event: Extract<Event, { of: string }>): Payment {
  const refund = scenario.events.find(
    ({ type, ...rest }) => type === 'refund' && 'id' in rest && rest.id === event.of,
  )
  const id = event.type === 'refund_failed' && refund && 'of' in refund ? refund.of : event.of
  const payment = paymentsOf(scenario).find((one) => one.id === id)
  if (!payment) throw new Error(`the file has no payment ${id}`)
  return payment
}

/** Once for each payment, whoever asks first. */
function book(books: Books, payment: Payment): void {
  if (books.landed.has(payment.id)) return
  const earners = earnersOf(books, payment)
  books.landed.set(payment.id, { payment, period: books.landing(payment.at), earners })
  if (books.scenario.programme.allocationUnit === 'invoice') {
    bookInvoice(books, payment, earners)
    return
  }
  const unit = { payment, payments: [payment], base: payment.amount }
  accrue(books, unit, share(books, payment, earners))
}

/** All lines of an invoice are one base, booked with its last payment. */
function bookInvoice(books: Books, last: Payment, earners: Earner[]): void {
  const payments = paymentsOf(books.scenario).filter(({ invoice }) => invoice === last.invoice)
  if (payments.some(({ id }) => !books.landed.has(id))) return
  const base = sum(payments.map(({ amount }) => amount))
  // News of a payment may have made it known before its turn: the file's last payment reports.
  const payment = payments.at(-1) ?? last
  accrue(books, { payment, payments, base }, shareInvoice(books, { last, base, earners }))
}

function accrue(books: Books, unit: Unit, shares: Share[]): void {
  const period = books.landing(unit.payment.at)
  for (const one of shares) {
    books.accruals.push({ ...one, unit, period, back: new Map(), kept: null, paidAt: null })
  }
  const left = unit.base - sum(shares.map(({ amount }) => amount))
  books.platform.push({ payment: unit.payment.id, amount: left })
}

function resultOf(books: Books, statements: Statement[]) {
  const { currency, partners } = books.scenario
  // What goes back in the month in which it is paid was never paid at a rate.
  const converted = ({ partner, period, amount }: Figure, paid: Paid | null) => {
    const quote = partners.find(({ id }) => id === partner)?.payoutCurrency ?? null
    if (!paid?.rate || quote === null || period <= paid.period) return {}
    const { rate } = paid
    const given = convert(amount, { base: currency, quote, rate })
    return { converted: { currency: quote, amount: Number(given), rate } }
  }
  return {
    accruals: books.accruals.map(({ unit, partner, depth, amount, rule }) => ({
      payment: unit.payment.id,
      partner,
      depth,
      amount: Number(amount),
      rule: rule.code,
    })),
    clawbacks: books.clawbacks.map(({ origin, amount, ...row }) => ({
      ...row,
      amount: Number(amount),
      ...converted({ ...row, amount }, origin.paidAt),
    })),
    platform: books.platform.map((row) => ({ ...row, amount: Number(row.amount) })),
    true_ups: books.trueUps.map(({ volume: { partner, rule, period }, amount }) => ({
      partner,
      rule: rule.code,
      period,
      amount: Number(amount),
    })),
    bonuses: books.bonuses.map((row) => ({ ...row, amount: Number(row.amount) })),
    statements: statements.map((row) => ({
      ...row,
      opening: Number(row.opening),
      earned: Number(row.earned),
      clawed_back: Number(row.clawed_back),
      adjustments: Number(row.adjustments),
      closing: Number(row.closing),
      held: Number(row.held),
      payable: Number(row.payable),
      carried: Number(row.carried),
      payout: row.payout && { ...row.payout, amount: Number(row.payout.amount) },
    })),
  }
}
