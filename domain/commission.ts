/** Who earns how much of a paid line, and how much comes back when the money does. */
import { formatFraction, formatMoney } from './currencies.ts'
import { floorShare, growthShare, type Rate, smaller, splitWhole, spread, sum } from './money.ts'

/** A partner that may earn on a line: depth 0 sold it, depth 1 stands above, and so on. */
export interface Beneficiary {
  partnerId: string
  depth: number
  ruleId: string
  rate: Rate
  /** What earlier payments of the same line gave to this depth. */
  booked: bigint
}

export type Rounding = 'largest_remainder' | 'cumulative_floor'

export interface LineToShare {
  /** Collected by this payment, without tax. */
  base: bigint
  /** Collected by earlier payments of the same line. */
  collectedBefore: bigint
  /** True where this payment settles the whole line. */
  whole: boolean
}

export interface LineShares {
  rounding: Rounding
  shares: { beneficiary: Beneficiary; amount: bigint }[]
  platform: bigint
}

/**
 * Shares one paid line among its beneficiaries; the platform keeps the rest. A line settled whole
 * is split by largest remainder; parts of a line grow by cumulative floors (money.md).
 */
export function shareLine(line: LineToShare, beneficiaries: Beneficiary[]): LineShares {
  const inOrder = [...beneficiaries].sort((a, b) => a.depth - b.depth)
  const amounts = line.whole ? wholeShares(line.base, inOrder) : grownShares(line, inOrder)
  return {
    rounding: line.whole ? 'largest_remainder' : 'cumulative_floor',
    shares: inOrder.map((beneficiary, i) => ({ beneficiary, amount: amounts[i] ?? 0n })),
    platform: line.base - sum(amounts),
  }
}

function wholeShares(base: bigint, beneficiaries: Beneficiary[]): bigint[] {
  return splitWhole(
    base,
    beneficiaries.map(({ rate }) => rate),
  ).shares
}

function grownShares(line: LineToShare, beneficiaries: Beneficiary[]): bigint[] {
  const collected = line.collectedBefore + line.base
  return beneficiaries.map(({ rate, booked }) => growthShare(collected, rate, booked))
}

/** One line of a payment that money goes back on. */
export interface ReversibleLine {
  linePaymentId: string
  base: bigint
  /** Base and tax together: what the customer paid for this line. */
  gross: bigint
  reversedGross: bigint
}

export interface ReversedLine {
  linePaymentId: string
  reversedGross: bigint
  /** Base given back in all, this reversal included; never above the base. */
  reversedBase: bigint
}

/**
 * Spreads money that went back over the lines of its payment, in proportion to what is left of
 * each; a negative amount is money that came in again (a refund that failed, a dispute won after
 * it was lost). What exceeds the payment stays without effect, so that no line is reversed twice.
 */
export function reverseLines(amount: bigint, lines: ReversibleLine[]): ReversedLine[] {
  const back = amount >= 0n
  const rooms = lines.map(({ gross, reversedGross }) =>
    back ? gross - reversedGross : reversedGross,
  )
  const parts = spread(smaller(back ? amount : -amount, sum(rooms)), rooms)
  return lines.map((line, i) => {
    const part = parts[i] ?? 0n
    const reversedGross = line.reversedGross + (back ? part : -part)
    const reversedBase = baseGivenBack(line, reversedGross)
    return { linePaymentId: line.linePaymentId, reversedGross, reversedBase }
  })
}

function baseGivenBack(line: ReversibleLine, reversedGross: bigint): bigint {
  if (line.gross === 0n) return 0n
  return floorShare(line.base, { num: reversedGross, den: line.gross })
}

/**
 * What is taken back of one accrual now: the floor of its target so far less what was taken
 * before. Only stored amounts enter, never today's rules; negative where money is restored.
 */
export function clawBack(accrual: {
  amount: bigint
  base: bigint
  reversedBase: bigint
  clawedBack: bigint
}): bigint {
  if (accrual.base === 0n) return 0n
  const rate = { num: accrual.reversedBase, den: accrual.base }
  return floorShare(accrual.amount, rate) - accrual.clawedBack
}

/** What an open dispute keeps back of one accrual. */
export function heldByDispute(accrual: { amount: bigint; base: bigint; disputed: bigint }): bigint {
  if (accrual.base === 0n) return 0n
  const disputed = smaller(accrual.disputed, accrual.base)
  return floorShare(accrual.amount, { num: disputed, den: accrual.base })
}

/** `2000/10000` as `20 %`, `1/3` as `1/3`. */
export function formatRate(rate: Rate): string {
  const hundredths = (rate.num * 10_000n) / rate.den
  if (hundredths * rate.den !== rate.num * 10_000n) return `${rate.num}/${rate.den}`
  const fraction = (hundredths % 100n).toString().padStart(2, '0').replace(/0+$/, '')
  return `${hundredths / 100n}${fraction === '' ? '' : `.${fraction}`} %`
}

export interface AccrualFacts {
  partner: string
  depth: number
  amount: bigint
  base: bigint
  currency: string
  rate: Rate
  rounding: Rounding
  customer: string
  paidOn: string
  invoice: string
}

/** One sentence that says which payment, base, rate and rounding made an accrual. */
export function explainAccrual(facts: AccrualFacts): string {
  const as = facts.depth === 0 ? 'as the seller' : `as the partner ${facts.depth} above the seller`
  return (
    `${facts.partner} earned ${formatMoney(facts.amount, facts.currency)} ${as}: ` +
    `${formatRate(facts.rate)} of ${formatMoney(facts.base, facts.currency)} ` +
    `that ${facts.customer} paid on ${facts.paidOn} (invoice ${facts.invoice}), ${rounded(facts)}.`
  )
}

const roundings: Record<Rounding, string> = {
  largest_remainder: 'by largest remainder among the shares of the line',
  cumulative_floor: 'on the total that was paid of the line so far',
}

function rounded({ amount, base, rate, currency, rounding }: AccrualFacts): string {
  const floor = floorShare(base, rate)
  if (amount === floor && floor * rate.den === base * rate.num) return 'without rounding'
  const exact = formatFraction({ num: base * rate.num, den: rate.den }, currency)
  return `${exact} rounded ${amount > floor ? 'up' : 'down'} ${roundings[rounding]}`
}
