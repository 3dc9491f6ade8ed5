/** What a payment earns whom: contracts.md section 3 from its words, with exact fractions. */

import { type Books, customerKey, type Earner, type Share } from './model-books.ts'
import {
  entry,
  type Fraction,
  floorOf,
  fraction,
  least,
  monthsAfter,
  most,
  type Payment,
  plus,
  type Rule,
  spanOf,
  sum,
  type Tier,
  times,
  zero,
} from './model-kit.ts'

const tiers: Tier[] = ['bronze', 'silver', 'gold', 'platinum']
const higher = (a: Tier, b: Tier) => (tiers.indexOf(a) > tiers.indexOf(b) ? a : b)

/** What a depth of a line comes to, whoever stands there. */
interface Slot {
  /** What the rates of the payments so far come to, before any limit. */
  exact: Fraction
  /** What their units come to; a hybrid floors the two apart. */
  units: Fraction
  /** Of that, what was entitled so far; a cap may have kept a part of it back for good. */
  entitled: bigint
}

/** A line as its payments fill it. */
export interface Line {
  total: bigint
  collected: bigint
  payments: number
  slots: Map<number, Slot>
  /** Which rule applied to its parts at each depth, or that none did. */
  applied: Map<number, string>
  /** Booked so far at each depth. */
  booked: Map<number, bigint>
}

interface Choice extends Earner {
  rule: Rule
  excluded: boolean
}

/** The partner that sells and all above it at an instant, with the tier that counts for each. */
export function earnersOf(books: Books, payment: Payment): Earner[] {
  const first = firstAccrual(books, payment)
  const chain: Earner[] = []
  let partner: string | null = payment.partner
  while (partner !== null) {
    const tier = higher(books.tierAt(partner, payment.at), books.tierAt(partner, first))
    chain.push({ partner, depth: chain.length, tier })
    partner = books.parentAt(partner, payment.at)
  }
  return chain
}

/** The earliest line of the customer that earned, of those booked so far; this one included. */
function firstAccrual(books: Books, payment: Payment): Date {
  const known = books.firsts.get(customerKey(payment))
  return known && known < payment.at ? known : payment.at
}

function rememberAccrual(books: Books, payment: Payment): void {
  books.firsts.set(customerKey(payment), firstAccrual(books, payment))
}

export function covers(rule: Rule, { partner, tier }: Earner, payment: Payment): boolean {
  const { scope, validFrom, validTo } = rule
  return (
    (scope.partner === null || scope.partner === partner) &&
    (scope.tier === null || scope.tier === tier) &&
    (scope.product === null || scope.product === payment.product) &&
    (validFrom === null || validFrom <= payment.at) &&
    (validTo === null || payment.at < validTo)
  )
}

/**
 * Partner, then tier, then product, then all. A set-up fee looks first among the rules under which
 * it earns; other lines take such a rule only where it alone is as specific.
 */
function rankOf({ scope, setupFee }: Rule, payment: Payment): number {
  const places = [scope.partner !== null, scope.tier !== null, scope.product !== null]
  const order = payment.setupFee ? [setupFee, ...places] : [...places, !setupFee]
  return order.reduce((rank, is) => rank * 2 + Number(is), 0)
}

function choose(books: Books, earner: Earner, payment: Payment): Choice[] {
  const [rule] = books.scenario.rules
    .filter(({ terms, depth }) => terms.kind !== 'performance' && depth === earner.depth)
    .filter((candidate) => covers(candidate, earner, payment))
    .sort((a, b) => rankOf(b, payment) - rankOf(a, payment))
  if (!rule) return []
  return [{ ...earner, rule, excluded: isExcluded(books, rule, payment) }]
}

function isExcluded(books: Books, rule: Rule, payment: Payment): boolean {
  if (payment.setupFee && !rule.setupFee) return true
  if (rule.windowMonths === null) return false
  const first = firstAccrual(books, payment)
  if (rule.windowMonths === 0) return payment.at > first
  return payment.at >= monthsAfter(first, rule.windowMonths)
}

/** Books what a payment earns; the shares are in order of depth. */
export function share(books: Books, payment: Payment, earners: Earner[]): Share[] {
  const line = books.lineOf(payment)
  const choices = earners.flatMap((earner) => choose(books, earner, payment))
  if (choices.length > 0) rememberAccrual(books, payment)
  const whole = payment.amount === line.total && line.collected === 0n
  line.collected += payment.amount
  line.payments += 1
  const plain = choices.every(
    ({ rule }) => rule.terms.kind === 'percentage' && rule.cap === null && rule.floor === null,
  )
  noteParts(books, { line, choices })
  const shares = choices.map((choice) => ({ ...choice, amount: 0n }))
  if (whole && plain) {
    largestRemainder(shares, payment.amount)
    clampPool(books, shares, payment.amount)
    for (const { depth, amount, rule, partner } of shares) {
      line.booked.set(depth, amount)
      use(books, { rule, partner, payment, amount })
    }
    return shares
  }
  for (const one of shares) one.amount = grow(books, { line, choice: one, payment })
  return shares
}

/** What all lines of an invoice earn as one base; only plain percentages are modelled. */
export function shareInvoice(
  books: Books,
  { last, base, earners }: { last: Payment; base: bigint; earners: Earner[] },
): Share[] {
  const choices = earners.flatMap((earner) => choose(books, earner, last))
  if (choices.length > 0) rememberAccrual(books, last)
  const shares = choices.map((choice) => ({ ...choice, amount: 0n }))
  largestRemainder(shares, base)
  clampPool(books, shares, base)
  return shares
}

/** Notes lines whose parts did not all earn under the same rules. */
function noteParts(books: Books, { line, choices }: { line: Line; choices: Choice[] }): void {
  const depths = new Set([...line.applied.keys(), ...choices.map(({ depth }) => depth)])
  for (const depth of depths) {
    const choice = choices.find((one) => one.depth === depth)
    const now = choice && !choice.excluded ? String(books.scenario.rules.indexOf(choice.rule)) : ''
    const before = line.applied.get(depth)
    const isNew = before === undefined && line.payments === 1
    if (!isNew && before !== now) books.shapes.add('a line whose parts earn under different rules')
    line.applied.set(depth, now)
    if (choice?.rule.floor && line.payments > 1) books.shapes.add('a floor in parts')
    if (choice?.rule.terms.kind === 'tiered_cliff' && choice.rule.cap) {
      books.shapes.add('a cliff with a cap')
    }
  }
}

function largestRemainder(shares: (Choice & { amount: bigint })[], base: bigint): void {
  const exact = shares.map(({ rule, excluded }) =>
    rule.terms.kind === 'percentage' && !excluded ? times(rule.terms.rate, base) : zero,
  )
  const whole = exact.map(floorOf)
  const parts = [
    ...exact,
    exact.reduce((left, { num, den }) => plus(left, fraction(-num, den)), fraction(base)),
  ]
  const rests = parts.map((part, index) => ({
    index,
    rest: plus(part, fraction(-floorOf(part))),
  }))
  const missing = base - sum(parts.map(floorOf))
  // The sort is stable, so that of equal rests the smaller depth comes first, the platform last.
  rests.sort((a, b) => Number(b.rest.num * a.rest.den - a.rest.num * b.rest.den))
  const lucky = new Set(rests.slice(0, Number(missing)).map(({ index }) => index))
  for (const [index, one] of shares.entries()) {
    one.amount = (whole[index] ?? 0n) + (lucky.has(index) ? 1n : 0n)
  }
}

const poolOf = (books: Books, base: bigint): bigint | null => {
  const bps = books.scenario.programme.overridePoolBps
  return bps === null ? null : (base * BigInt(bps)) / 10_000n
}

function clampPool(books: Books, shares: Share[], base: bigint): void {
  let left = poolOf(books, base)
  if (left === null) return
  for (const one of shares) {
    if (one.depth === 0) continue
    one.amount = least(one.amount, left)
    left -= one.amount
  }
}

interface Growth {
  line: Line
  choice: Choice
  payment: Payment
}

/** floor(target so far) less what was booked, within every limit. */
function grow(books: Books, { line, choice, payment }: Growth): bigint {
  if (choice.excluded) return 0n
  const { rule, partner, depth } = choice
  const slot = entry(line.slots, depth, () => ({ exact: zero, units: zero, entitled: 0n }))
  slot.exact = plus(slot.exact, step(books, { line, choice, payment }))
  slot.units = plus(slot.units, unitStep({ line, choice, payment }))
  const floored = most(floorOf(slot.exact) + floorOf(slot.units), rule.floor ?? 0n)
  const target = least(floored, room(books, line, choice))
  const growth = most(target - slot.entitled, 0n)
  slot.entitled += growth
  const amount = capped(books, { rule, partner, payment, amount: growth })
  line.booked.set(depth, (line.booked.get(depth) ?? 0n) + amount)
  return amount
}

/** What smaller depths, and the pool of the overrides, leave of what was collected of the line. */
function room(books: Books, line: Line, { depth }: Choice): bigint {
  const below = (from: number) =>
    sum([...line.booked].flatMap(([d, amount]) => (d >= from && d < depth ? [amount] : [])))
  const pool = depth === 0 ? null : poolOf(books, line.collected)
  const left = line.collected - below(0)
  return pool === null ? left : least(left, pool - below(1))
}

/** What the units of this payment add: in parts by what is collected of the line. */
function unitStep({ line, choice, payment }: Growth): Fraction {
  const { terms } = choice.rule
  if (!('amountPerUnit' in terms) || line.total === 0n) return zero
  return fraction(terms.amountPerUnit * payment.quantity * payment.amount, line.total)
}

/** What the rate adds to the target for this payment, exactly. */
function step(books: Books, { choice, payment }: Growth): Fraction {
  const { terms } = choice.rule
  switch (terms.kind) {
    case 'percentage':
    case 'hybrid':
      return times(terms.rate, payment.amount)
    case 'flat':
    case 'performance':
      return zero
    default: {
      const volume = books.volumeOf(choice.rule, choice.partner, books.landing(payment.at))
      const before = volume.amount
      volume.amount += payment.amount
      volume.payments.push(payment)
      if (terms.kind === 'tiered_cliff') {
        return times(rateAt(terms.bands, volume.amount), payment.amount)
      }
      return fraction(marginal(terms.bands, volume.amount) - marginal(terms.bands, before))
    }
  }
}

type Bands = Extract<Rule['terms'], { bands: unknown }>['bands']

/** The rate of the band that holds a volume. */
export function rateAt(bands: Bands, volume: bigint): Fraction {
  return bands.find(({ to }) => to === null || volume < to)?.rate ?? zero
}

/** Each band's slice of a volume at its own rate. */
function marginal(bands: Bands, volume: bigint): bigint {
  const slices = bands.map(({ from, to, rate }) =>
    times(rate, most(0n, least(volume, to ?? volume) - from)),
  )
  return floorOf(slices.reduce(plus, zero))
}

interface Use {
  rule: Rule
  partner: string
  payment: Payment
  amount: bigint
}

type Span = Parameters<typeof spanOf>[1]

const useKey = ({ rule, partner, payment }: Omit<Use, 'amount'>, per: Span) =>
  JSON.stringify([rule.code, partner, per, spanOf(payment.at, per)])

/** A cap counts what was booked under any version of its rule. */
function use(books: Books, { amount, ...what }: Use): void {
  for (const per of ['day', 'week', 'month', 'all'] as const) {
    const key = useKey(what, per)
    books.used.set(key, (books.used.get(key) ?? 0n) + amount)
  }
}

/** What a cap leaves of a growth; what it keeps back is forfeited. */
function capped(books: Books, { amount: growth, ...what }: Use): bigint {
  const { cap } = what.rule
  const left = cap ? cap.amount - (books.used.get(useKey(what, cap.per)) ?? 0n) : growth
  const amount = least(growth, most(left, 0n))
  use(books, { ...what, amount })
  return amount
}
