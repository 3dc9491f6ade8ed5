/** Which rule pays a line, and what is wrong with a set of rules before any line is paid. */
import type { Band, CommissionRule } from './commission-rules.ts'
import { noRate, plus, type Rate } from './money.ts'
import type { TierName } from './tiers.ts'

export interface BandProblem {
  index: number
  edge: 'from' | 'to'
  found: bigint | null
  expected: string
}

/** What keeps bands from covering every volume exactly once, in the order in which they stand. */
export function bandProblems(bands: readonly Band[]): BandProblem[] {
  if (bands.length === 0) {
    return [{ index: 0, edge: 'from', found: null, expected: '0, the start of the volume' }]
  }
  return bands.flatMap((band, index) => [
    ...startProblem(bands, index, band.from),
    ...endProblem(band, index, index === bands.length - 1),
  ])
}

function startProblem(bands: readonly Band[], index: number, found: bigint): BandProblem[] {
  const start = index === 0 ? 0n : bands[index - 1]?.to
  // An open band in the middle is a problem of its own end.
  if (start === null || start === undefined || start === found) return []
  const where = index === 0 ? 'the start of the volume' : 'where the band before it ends'
  return [{ index, edge: 'from', found, expected: `${start}, ${where}` }]
}

function endProblem({ from, to }: Band, index: number, last: boolean): BandProblem[] {
  const wrong = (expected: string): BandProblem[] => [{ index, edge: 'to', found: to, expected }]
  if (last) return to === null ? [] : wrong('null, for the last band has no end')
  if (to === null) return wrong('an amount, for only the last band has no end')
  return to > from ? [] : wrong(`more than ${from}, where the band starts`)
}

const startOf = (rule: CommissionRule) => rule.validFrom?.getTime() ?? Number.NEGATIVE_INFINITY
const endOf = (rule: CommissionRule) => rule.validTo?.getTime() ?? Number.POSITIVE_INFINITY

/** Whether there is an instant at which both are valid. */
export function validTogether(a: CommissionRule, b: CommissionRule): boolean {
  return startOf(a) < endOf(b) && startOf(b) < endOf(a)
}

export function sameScope(a: CommissionRule, b: CommissionRule): boolean {
  return (
    a.scope.link === b.scope.link &&
    a.scope.partner === b.scope.partner &&
    a.scope.tier === b.scope.tier &&
    a.scope.product === b.scope.product
  )
}

/** Rules that pay lines; the others pay at the close, on top of them. */
export const paysLines = (rule: CommissionRule) => rule.terms.kind !== 'performance'

function placeOf({ depth, setupFee, scope }: CommissionRule): string {
  return JSON.stringify([depth, setupFee, scope.link, scope.partner, scope.tier, scope.product])
}

/**
 * Pairs of line rules between which nothing decides: equal depth and scope, overlapping times. A
 * rule for set-up fees conflicts with another such rule only, performance rules with none.
 */
export function overlaps(
  rules: readonly CommissionRule[],
): { rule: CommissionRule; other: CommissionRule }[] {
  const places = Map.groupBy(rules.filter(paysLines), placeOf)
  return [...places.values()].flatMap((group) =>
    group.flatMap((other, index) =>
      group
        .slice(0, index)
        .filter((rule) => validTogether(rule, other))
        .map((rule) => ({ rule, other })),
    ),
  )
}

export interface LineFacts {
  depth: number
  at: Date
  /** Through which link the customer came; null is none. */
  link: string | null
  /** Who would earn, and its tier. */
  partner: string
  tier: TierName | null
  product: string | null
  setupFee: boolean
}

const allows = <T>(scope: T | null, value: T | null) => scope === null || scope === value

function applies(rule: CommissionRule, line: LineFacts): boolean {
  const at = line.at.getTime()
  return (
    paysLines(rule) &&
    rule.depth === line.depth &&
    (rule.setupFee || !line.setupFee) &&
    startOf(rule) <= at &&
    at < endOf(rule) &&
    allows(rule.scope.link, line.link) &&
    allows(rule.scope.partner, line.partner) &&
    allows(rule.scope.tier, line.tier) &&
    allows(rule.scope.product, line.product)
  )
}

/** A rule that names the link beats any that does not, then partner, then tier, then product. */
function specificity({ scope, setupFee }: CommissionRule): number {
  return (
    (scope.link === null ? 0 : 16) +
    (scope.partner === null ? 0 : 8) +
    (scope.tier === null ? 0 : 4) +
    (scope.product === null ? 0 : 2) +
    // Only a normal line has candidates without it: there the rule for set-up fees gives way.
    (setupFee ? 0 : 1)
  )
}

/** The one rule that pays a line at a depth; null where nothing does. */
export function ruleFor<R extends CommissionRule>(rules: readonly R[], line: LineFacts): R | null {
  let best: R | null = null
  for (const rule of rules) {
    if (!applies(rule, line)) continue
    if (best === null || specificity(rule) > specificity(best)) best = rule
  }
  return best
}

/** Who stands above a seller for a time, the seller first; half open, null is without an end. */
export interface Chain {
  partners: readonly { id: string; tiers: readonly TierName[] }[]
  /** The seller's links: nobody else's customers come through them. None where it is left out. */
  links?: readonly string[]
  from: Date | null
  to: Date | null
}

export interface ChainExcess {
  /** The percentages that are too much together, by depth. */
  rules: CommissionRule[]
  /** The seller and those above it, as far as the rules reach. */
  partners: string[]
  /** Null is a customer who came through no link, or through one that no rule names. */
  link: string | null
  /** Null is any product that no rule names. */
  product: string | null
  setupFee: boolean
  /** From when on; null where it was always so. */
  from: Date | null
  total: Rate
}

const isMore = (a: Rate, b: Rate) => a.num * b.den > b.num * a.den
const whole: Rate = { num: 1n, den: 1n }

const percentageOf = (rule: CommissionRule | null): Rate =>
  rule?.terms.kind === 'percentage' ? rule.terms.rate : noRate

/** A cheap bound: most programmes stay below it, and then no chain needs a look. */
function mayExceed(rules: readonly CommissionRule[]): boolean {
  const highest = new Map<number, Rate>()
  for (const rule of rules) {
    const rate = percentageOf(rule)
    if (isMore(rate, highest.get(rule.depth) ?? noRate)) highest.set(rule.depth, rate)
  }
  return isMore([...highest.values()].reduce(plus, noRate), whole)
}

/**
 * Percentages that take more than 100 % of a line together. Looked at are all chains with every
 * tier that their partners can have, every product and every link of the seller that a rule names
 * and one that none names, and every instant at which another set of rules becomes valid. Each set
 * of rules is told once.
 */
export function chainExcess(
  rules: readonly CommissionRule[],
  chains: Iterable<Chain>,
): ChainExcess[] {
  if (!mayExceed(rules)) return []
  const found = new Map<string, ChainExcess>()
  const numbers = new Map(rules.map((rule, index) => [rule, index]))
  const lines = linesOf(rules)
  const percentagesOf = percentageTable(rules, lines)
  const starts = startsOf(rules)
  const reach = 1 + rules.reduce((deepest, { depth }) => Math.max(deepest, depth), 0)
  for (const { partners, ...rest } of chains) {
    const chain = { partners: partners.slice(0, reach), ...rest }
    for (const at of instantsOf(chain, starts)) {
      for (const excess of excessAt({ chain, at, lines, percentagesOf })) {
        const key = excess.rules.map((rule) => numbers.get(rule)).join()
        if (!found.has(key)) found.set(key, excess)
      }
    }
  }
  return [...found.values()]
}

interface LineSort {
  link: string | null
  product: string | null
  setupFee: boolean
}

/** Links and products that no rule names all get what a rule for all pays, if there is one. */
function linesOf(rules: readonly CommissionRule[]): LineSort[] {
  const links = [...new Set(rules.map(({ scope }) => scope.link))]
  const products = [...new Set(rules.map(({ scope }) => scope.product))]
  return links.flatMap((link) =>
    products.flatMap((product) => [
      { link, product, setupFee: false },
      { link, product, setupFee: true },
    ]),
  )
}

// The first instant that a Date holds stands for "always so far".
const earliestMs = -8_640_000_000_000_000

/** Where the set of valid rules changes: a rule that ends gives way to a less specific one. */
function startsOf(rules: readonly CommissionRule[]): number[] {
  const edges = rules.flatMap(({ validFrom, validTo }) => [validFrom, validTo])
  const times = edges.flatMap((edge) => (edge === null ? [] : [edge.getTime()]))
  return [...new Set([earliestMs, ...times])].sort((a, b) => a - b)
}

/** The instants that stand for all others of the chain, each with the start of its rules. */
function instantsOf(chain: Chain, starts: number[]): { at: number; since: number }[] {
  const from = chain.from?.getTime() ?? earliestMs
  const to = chain.to?.getTime() ?? Number.POSITIVE_INFINITY
  const within = starts.filter((start) => start > from && start < to)
  const since = starts.findLast((start) => start <= from) ?? earliestMs
  return [{ at: from, since }, ...within.map((start) => ({ at: start, since: start }))]
}

type Place = { depth: number; since: number; partner: Chain['partners'][number] }
type Percentages = (place: Place) => (CommissionRule | null)[]

/** The highest percentage for each sort of line that a partner can get; worked out once each. */
function percentageTable(rules: readonly CommissionRule[], lines: LineSort[]): Percentages {
  const known = new Map<string, (CommissionRule | null)[]>()
  const byDepth = Map.groupBy(rules, ({ depth }) => depth)
  return ({ depth, since, partner }) => {
    const key = JSON.stringify([depth, since, partner.id, partner.tiers])
    const earlier = known.get(key)
    if (earlier) return earlier
    const facts = { depth, at: new Date(since), partner: partner.id }
    const highest = lines.map((line) =>
      partner.tiers
        .map((tier) => ruleFor(byDepth.get(depth) ?? [], { ...facts, ...line, tier }))
        .reduce((a, b) => (isMore(percentageOf(b), percentageOf(a)) ? b : a), null),
    )
    known.set(key, highest)
    return highest
  }
}

interface Moment {
  chain: Chain
  at: { at: number; since: number }
  lines: LineSort[]
  percentagesOf: Percentages
}

function excessAt({ chain, at, lines, percentagesOf }: Moment): ChainExcess[] {
  const places = chain.partners.map((partner, depth) =>
    percentagesOf({ depth, since: at.since, partner }),
  )
  return lines.flatMap((line, index) => {
    if (line.link !== null && !chain.links?.includes(line.link)) return []
    const byDepth = places.map((highest) => highest[index] ?? null)
    const total = byDepth.map(percentageOf).reduce(plus, noRate)
    if (!isMore(total, whole)) return []
    const reach = byDepth.findLastIndex((rule) => rule !== null) + 1
    return {
      rules: byDepth.filter((rule) => rule !== null),
      partners: chain.partners.slice(0, reach).map(({ id }) => id),
      ...line,
      from: at.at === earliestMs ? null : new Date(at.at),
      total,
    }
  })
}
