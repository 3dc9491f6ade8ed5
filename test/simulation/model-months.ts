/** What a month comes to at its close: true-ups, bonuses, and what is held, paid and carried. */
import { backOf, disputedShare, meetReversals } from './model-backs.ts'
import {
  type Accrual,
  type Books,
  customerKey,
  type Earner,
  type Landed,
  type Volume,
} from './model-books.ts'
import {
  closeTime,
  daysAfter,
  floorOf,
  least,
  monthEnd,
  most,
  type Payment,
  type Rule,
  sum,
  times,
} from './model-kit.ts'
import { covers, rateAt } from './model-shares.ts'

export interface Statement {
  period: string
  partner: string
  currency: string
  opening: bigint
  earned: bigint
  clawed_back: bigint
  adjustments: bigint
  closing: bigint
  held: bigint
  payable: bigint
  carried: bigint
  payout: { currency: string; amount: bigint; rate: string } | null
}

const steps: Record<string, bigint> = { HUF: 100n, TWD: 100n, KWD: 10n }
const exponents: Record<string, number> = { JPY: 0, KWD: 3 }

export function closeMonth(books: Books, period: string, statements: Statement[]): void {
  for (const volume of books.volumes.values()) {
    if (volume.period === period && volume.rule.terms.kind === 'tiered_cliff') {
      trueUp(books, volume)
    }
  }
  for (const rule of books.scenario.rules) {
    if (rule.terms.kind === 'performance') reward(books, rule, period)
  }
  books.closed.add(period)
  for (const { id } of books.scenario.partners) {
    const statement = statementOf(books, { partner: id, period, statements })
    if (statement) statements.push(statement)
  }
}

/** Brings the month to the rate that what is left of the volume reached. */
function trueUp(books: Books, volume: Volume): void {
  const { rule, partner, period, payments } = volume
  if (rule.terms.kind !== 'tiered_cliff') return
  const reversed = new Map(payments.map(({ id }) => [id, reversedIn(books, id, period)]))
  const net = volume.amount - sum([...reversed.values()])
  const accruals = books.accruals.filter(
    (accrual) => accrual.rule === rule && accrual.partner === partner && accrual.period === period,
  )
  const kept = sum(accruals.map((accrual) => accrual.amount - backOf(accrual, period)))
  const amount = floorOf(times(rateAt(rule.terms.bands, net), net)) - kept
  if (amount === 0n) return
  const made = { volume, net, amount, back: 0n, paidAt: null, reversed }
  books.trueUps.push(made)
  meetReversals(books, made)
}

const reversedIn = (books: Books, payment: string, period: string) =>
  sum(
    books.reversals.flatMap((one) =>
      one.payment === payment && one.period === period ? [one.amount] : [],
    ),
  )

/** A bonus for each partner whose month reached the target. */
function reward(books: Books, rule: Rule, period: string): void {
  const { terms } = rule
  if (terms.kind !== 'performance') return
  for (const { id: partner } of books.scenario.partners) {
    const payments = [...books.landed.values()].filter(({ payment, earners }) =>
      earners.some(
        (earner) => earner.partner === partner && counts(books, { rule, earner, payment, period }),
      ),
    )
    const reached =
      terms.metric === 'collected'
        ? collected(books, payments, period)
        : newCustomers(books, payments, period)
    if (reached >= terms.target) {
      books.bonuses.push({ partner, rule: rule.code, period, amount: terms.bonus })
    }
  }
}

interface Counted {
  rule: Rule
  earner: Earner
  payment: Payment
  period: string
}

/** A bonus knows the tier that the partner has when the month ends. */
function counts(books: Books, { rule, earner, payment, period }: Counted): boolean {
  const atEnd = new Date(monthEnd(period).getTime() - 1)
  const now = { ...earner, tier: books.tierAt(earner.partner, atEnd) }
  const earns = !payment.setupFee || rule.setupFee
  return earner.depth === rule.depth && earns && covers(rule, now, payment)
}

/** What was paid less what was reversed in the month, of whichever month's payments. */
function collected(books: Books, payments: Landed[], period: string): bigint {
  const now = payments.filter((landed) => landed.period === period)
  const ids = new Set(payments.map(({ payment }) => payment.id))
  const back = books.reversals.filter((r) => ids.has(r.payment) && r.period === period)
  return sum(now.map(({ payment }) => payment.amount)) - sum(back.map(({ amount }) => amount))
}

/** The customers among them of whom nothing landed before the month. */
function newCustomers(books: Books, payments: Landed[], period: string): bigint {
  const keys = payments.flatMap((one) => (one.period === period ? [customerKey(one.payment)] : []))
  const isOld = (key: string) =>
    [...books.landed.values()].some(
      (landed) => customerKey(landed.payment) === key && landed.period < period,
    )
  return BigInt([...new Set(keys)].filter((key) => !isOld(key)).length)
}

interface Closing {
  partner: string
  period: string
  statements: Statement[]
}

function statementOf(books: Books, { partner, period, statements }: Closing): Statement | null {
  const { currency, programme } = books.scenario
  const of = (rows: { partner: string; period: string; amount: bigint }[]) =>
    sum(
      rows
        .filter((row) => row.partner === partner && row.period === period)
        .map(({ amount }) => amount),
    )
  const trueUps = books.trueUps.map(({ volume, amount }) => ({ ...volume, amount }))
  const figures = [books.accruals, trueUps, books.bonuses, books.clawbacks, books.adjustments]
  const opening = statements.findLast((statement) => statement.partner === partner)?.carried ?? 0n
  const earned = of(books.accruals) + of(trueUps) + of(books.bonuses)
  const clawed_back = of(books.clawbacks)
  const adjustments = of(books.adjustments)
  // A share of 0 is a figure, too: it is listed.
  const isNamed = figures.flat().some((one) => one.partner === partner && one.period === period)
  if (!isNamed && opening === 0n) return null
  const closing = opening + earned - clawed_back + adjustments
  const accruals = books.accruals.filter((one) => one.partner === partner && one.period <= period)
  const holds = new Map(accruals.map((accrual) => [accrual, heldOf(books, accrual, period)]))
  const held = sum([...holds.values()])
  const step = steps[currency] ?? 1n
  const free = most(closing - held, 0n)
  const stepped = free - (free % step)
  const payable = stepped >= programme.minimumPayout ? stepped : 0n
  const payout = payable > 0n ? payoutOf(books, { partner, period, payable }) : null
  if (payable > 0n) {
    for (const [accrual, kept] of holds) {
      const isPaid = kept < unpaid(accrual, period)
      accrual.kept = kept
      if (isPaid) accrual.paidAt ??= { period, rate: payout?.rate ?? null }
    }
    for (const trueUp of books.trueUps) {
      if (trueUp.volume.partner !== partner || trueUp.volume.period > period) continue
      trueUp.paidAt ??= { period, rate: payout?.rate ?? null }
    }
  }
  const carried = closing - payable
  return {
    period,
    partner,
    currency,
    opening,
    earned,
    clawed_back,
    adjustments,
    closing,
    held,
    payable,
    carried,
    payout,
  }
}

/** What a statement with a payable did not hold is paid; what goes back takes that first. */
function unpaid(accrual: Accrual, period: string): bigint {
  const left = accrual.amount - backOf(accrual, period)
  return accrual.kept === null ? left : least(left, accrual.kept)
}

function heldOf(books: Books, accrual: Accrual, period: string): bigint {
  const left = unpaid(accrual, period)
  const { holdDays } = books.scenario.programme
  if (daysAfter(accrual.unit.payment.at, holdDays) > closeTime(period)) return left
  return least(left, disputedShare(books, accrual))
}

function payoutOf(
  { scenario }: Books,
  { partner, period, payable }: { partner: string; period: string; payable: bigint },
): Statement['payout'] {
  const quote = scenario.partners.find(({ id }) => id === partner)?.payoutCurrency ?? null
  if (quote === null || quote === scenario.currency) return null
  const newest = scenario.fx
    .filter((rate) => rate.base === scenario.currency && rate.quote === quote)
    .filter(({ asOf }) => asOf <= monthEnd(period))
    .sort((a, b) => a.asOf.getTime() - b.asOf.getTime())
    .at(-1)
  if (!newest) return null
  const converted = convert(payable, { base: scenario.currency, quote, rate: newest.rate })
  const step = steps[quote] ?? 1n
  return { currency: quote, amount: converted - (converted % step), rate: newest.rate }
}

/** Half-even to the minor unit of the quote currency. */
export function convert(
  amount: bigint,
  { base, quote, rate }: { base: string; quote: string; rate: string },
): bigint {
  if (amount < 0n) return -convert(-amount, { base, quote, rate })
  const [whole = '', decimals = ''] = rate.split('.')
  const shift = decimals.length + (exponents[base] ?? 2) - (exponents[quote] ?? 2)
  const product = amount * BigInt(whole + decimals)
  if (shift <= 0) return product * 10n ** BigInt(-shift)
  const den = 10n ** BigInt(shift)
  const quotient = product / den
  const twice = (product % den) * 2n
  const up = twice > den || (twice === den && quotient % 2n === 1n)
  return up ? quotient + 1n : quotient
}
