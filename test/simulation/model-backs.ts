/** What goes back: refunds, credit notes, lost disputes, and what undoes them. */
import type { Accrual, Books, TrueUp } from './model-books.ts'
import { type Event, floorOf, fraction, least, most, type Payment, sum } from './model-kit.ts'

type Reversing = Extract<Event, { of: string }>

const isReversing = (event: Event): event is Reversing => 'of' in event

/** What is delivered about a payment, or about the refunds of it, under one name. */
const about = (books: Books, type: Event['type']) =>
  books.delivered.filter(isReversing).filter((event) => event.type === type)

const amountOf = (event: Reversing) => (event.type === 'refund_failed' ? 0n : event.amount)

/** What stands of the refunds, credit notes and lost disputes of a payment, however much it is. */
function standing(books: Books, { id }: Payment): bigint {
  const failed = new Set(about(books, 'refund_failed').map(({ of }) => of))
  const refunds = about(books, 'refund').filter((event) => !failed.has(event.id ?? ''))
  const given = [...refunds, ...about(books, 'credit_note')]
  return sum([
    ...given.filter(({ of }) => of === id).map(amountOf),
    ...about(books, 'dispute_lost').flatMap((lost) =>
      lost.of === id ? [lostOf(books, lost)] : [],
    ),
  ])
}

/** A dispute that is won after it was lost gives its amount again; the later word counts. */
function lostOf(books: Books, lost: Reversing): bigint {
  const won = about(books, 'dispute_won').find((event) => event.id === lost.id)
  const isLater =
    won &&
    (won.at > lost.at ||
      (won.at.getTime() === lost.at.getTime() &&
        books.delivered.indexOf(won) > books.delivered.indexOf(lost)))
  return isLater ? most(0n, amountOf(lost) - amountOf(won)) : amountOf(lost)
}

/** What is reversed of a payment by now: never more than was paid. */
export const reversedOf = (books: Books, payment: Payment) =>
  least(payment.amount, standing(books, payment))

/** What is disputed of a payment and not decided. */
function disputedOf(books: Books, { id }: Payment): bigint {
  const decided = new Set(
    [...about(books, 'dispute_won'), ...about(books, 'dispute_lost')].map((event) => event.id),
  )
  const open = about(books, 'dispute_opened').filter(
    (event) => event.of === id && !decided.has(event.id),
  )
  return sum(open.map(amountOf))
}

export function disputedShare(books: Books, { unit, amount }: Accrual): bigint {
  if (unit.base === 0n) return 0n
  const open = least(unit.base, sum(unit.payments.map((payment) => disputedOf(books, payment))))
  return (amount * open) / unit.base
}

/** Takes back, or gives again, what an event changes about its payment. */
export function reverse(
  books: Books,
  { payment, cause, at }: { payment: Payment; cause: string; at: Date },
): void {
  const period = books.landing(at)
  noteOver(books, payment)
  const before = sum(books.reversals.filter((r) => r.payment === payment.id).map((r) => r.amount))
  const change = reversedOf(books, payment) - before
  if (change === 0n) return
  books.reversals.push({ payment: payment.id, period, amount: change, cause })
  const book = (partner: string, amount: bigint, origin: Accrual | TrueUp) => {
    if (amount === 0n) return
    books.clawbacks.push({ cause, of: payment.id, partner, amount, period, origin })
  }
  for (const accrual of books.accruals) {
    if (!accrual.unit.payments.includes(payment)) continue
    const amount = targetOf(books, accrual) - backOf(accrual)
    accrual.back.set(period, (accrual.back.get(period) ?? 0n) + amount)
    book(accrual.partner, amount, accrual)
  }
  for (const trueUp of books.trueUps) {
    if (!trueUp.volume.payments.includes(payment)) continue
    book(trueUp.volume.partner, takeBack(books, trueUp), trueUp)
  }
}

/** What of a true-up goes back now. */
function takeBack(books: Books, trueUp: TrueUp): bigint {
  const target = trueUpTarget(books, trueUp)
  const amount = target - trueUp.back
  if (target * trueUp.amount < 0n) books.shapes.add('a true-up that grows after its close')
  trueUp.back += amount
  return amount
}

/** What went back in a later month before this true-up was made takes its part of it at once. */
export function meetReversals(books: Books, trueUp: TrueUp): void {
  const { partner, period, payments } = trueUp.volume
  const ids = new Set(payments.map(({ id }) => id))
  const newest = books.reversals.findLast((r) => ids.has(r.payment) && r.period > period)
  const amount = newest ? takeBack(books, trueUp) : 0n
  if (!newest || amount === 0n) return
  const { cause, payment } = newest
  const { period: landed } = newest
  books.clawbacks.push({ cause, of: payment, partner, amount, period: landed, origin: trueUp })
}

/** Notes where more was reversed than was paid, and something of it is restored. */
function noteOver(books: Books, payment: Payment): void {
  const now = standing(books, payment)
  const highest = books.highest.get(payment.id) ?? 0n
  if (now < highest && highest > payment.amount) {
    books.shapes.add('a restoration after more was reversed than was paid')
  }
  books.highest.set(payment.id, most(now, highest))
}

export const backOf = ({ back }: Accrual, until = '9999-12') =>
  sum([...back].flatMap(([period, amount]) => (period <= until ? [amount] : [])))

const targetOf = (books: Books, { amount, unit }: Accrual) =>
  (amount * sum(unit.payments.map((payment) => reversedOf(books, payment)))) / unit.base

/** In proportion to what was reversed of its volume since it was made. */
function trueUpTarget(books: Books, { volume, net, amount, reversed }: TrueUp): bigint {
  if (net === 0n) return 0n
  const later = sum(
    volume.payments.map((payment) => reversedOf(books, payment) - (reversed.get(payment.id) ?? 0n)),
  )
  return floorOf(fraction(amount * later, net))
}
