/** One sentence for an accrual: which event, base, rule, rate, tier, limit and rounding made it. */
import type { Limit, LineTerms, Rounding } from './commission.ts'
import { formatFraction, formatMoney } from './currencies.ts'
import { floorShare, type Rate } from './money.ts'
import type { TierName } from './tiers.ts'

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
  /** The code of the link whose customers the rule is for; null is every customer. */
  link: string | null
  /** The tier that the rule is for; null is every tier. */
  tier: TierName | null
  amount: bigint
  base: bigint
  currency: string
  terms: LineTerms
  /** The rate that was applied; null where the rule pays by the unit. */
  rate: Rate | null
  quantity: bigint
  /** The volume with this line, where the rule reads bands. */
  volume: bigint | null
  /** By the rule alone, before its limits. */
  target: bigint
  limitedBy: Limit | null
  rounding: Rounding
  customer: string
  paidOn: string
  invoice: string
}

/** One sentence that says what made an accrual. */
export function explainAccrual(facts: AccrualFacts): string {
  const as = facts.depth === 0 ? 'as the seller' : `as the partner ${levels(facts.depth)} above`
  return (
    `${facts.partner} earned ${formatMoney(facts.amount, facts.currency)} ${as}: ` +
    `${termsOf(facts)} of ${formatMoney(facts.base, facts.currency)} ` +
    `that ${facts.customer} paid on ${facts.paidOn} (invoice ${facts.invoice}), ` +
    `${facts.limitedBy ? limits[facts.limitedBy](facts) : rounded(facts)}.`
  )
}

const levels = (depth: number) => (depth === 1 ? 'one level' : `${depth} levels`)

function termsOf({ terms, rate, quantity, volume, currency, ...scope }: AccrualFacts): string {
  const applied = rate ? formatRate(rate) : ''
  const units = (amount: bigint) =>
    `${formatMoney(amount, currency)} for each of ${quantity} unit(s)`
  const reached = volume === null ? '' : ` at a volume of ${formatMoney(volume, currency)}`
  const within =
    (scope.tier ? ` for ${scope.tier}` : '') + (scope.link ? ` through the link ${scope.link}` : '')
  switch (terms.kind) {
    case 'percentage':
      return `${applied}${within}`
    case 'flat':
      return `${units(terms.amountPerUnit)}${within}, out`
    case 'hybrid':
      return `${applied} and ${units(terms.amountPerUnit)}${within}, out`
    case 'tiered_marginal':
      return `the bands${within} up to ${applied}${reached}, out`
    case 'tiered_cliff':
      return `${applied}${within}${reached}`
  }
}

const limits: Record<Limit, (facts: AccrualFacts) => string> = {
  window: () => 'nothing, because the time in which this customer earns is over',
  setup_fee: () => 'nothing, because the rule pays no commission on set-up fees',
  floor: (facts) => `raised from ${shown(facts)} to the least that the rule pays for a line`,
  cap: (facts) => `${shown(facts)} ended by the cap of the rule`,
  pool: (facts) => `${shown(facts)} ended by the pool of all overrides`,
  line: (facts) => `${shown(facts)} ended by what smaller depths left of the line`,
}

const shown = ({ target, currency }: AccrualFacts) => formatMoney(target, currency)

const roundings: Record<Rounding, string> = {
  largest_remainder: 'by largest remainder among the shares of the line',
  cumulative_floor: 'on the total that was paid of the line so far',
}

function rounded({ amount, base, rate, terms, currency, rounding }: AccrualFacts): string {
  if (terms.kind !== 'percentage' || !rate) {
    return terms.kind === 'flat' ? 'without rounding' : 'rounded down on the total so far'
  }
  const floor = floorShare(base, rate)
  if (amount === floor && floor * rate.den === base * rate.num) return 'without rounding'
  const exact = formatFraction({ num: base * rate.num, den: rate.den }, currency)
  return `${exact} rounded ${amount > floor ? 'up' : 'down'} ${roundings[rounding]}`
}
