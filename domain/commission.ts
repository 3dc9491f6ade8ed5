/** Who earns how much of a paid line. */
import type { Band, RuleTerms } from './commission-rules.ts'
import {
  exceedWhole,
  floorShare,
  growthShare,
  larger,
  noRate,
  plus,
  type Rate,
  smaller,
  splitWhole,
  sum,
} from './money.ts'

/** What a rule of a single line pays; bonuses are judged when the period closes. */
export type LineTerms = Exclude<RuleTerms, { kind: 'performance' }>

/** Why a rule pays nothing of a line that it was chosen for. */
export type Exclusion = 'window' | 'setup_fee'

/** What made a share other than its rule alone would have it. */
export type Limit = Exclusion | 'floor' | 'cap' | 'pool' | 'line'

/** A partner that may earn on a line: depth 0 sold it, depth 1 stands above, and so on. */
export interface Beneficiary {
  partnerId: string
  depth: number
  ruleId: string
  terms: LineTerms
  /** The least that the line pays; null where the rule has none. */
  floor: bigint | null
  /** What the rule's cap leaves; null where it has none. */
  capRoom: bigint | null
  /** The volume that bands are read at, before this line. */
  volumeBefore: bigint
  excluded: Exclusion | null
  /** What earlier payments of the same line gave to this depth. */
  earlier: EarlierShare
}

export interface EarlierShare {
  /** Collected by the payments that this rule paid. */
  collected: bigint
  /** By this rule alone, before its limits. */
  target: bigint
  /** The same before it was rounded, where each part has a rate of its own; else nothing. */
  exact: Rate
  /** In all, whichever rules gave it. */
  amount: bigint
  /** Of that, what other rules gave: a rule never rates a part again. */
  byOthers: bigint
}

export type Rounding = 'largest_remainder' | 'cumulative_floor'

export interface LineToShare {
  /** Collected by this payment, without tax. */
  base: bigint
  /** Collected by earlier payments of the same line. */
  collectedBefore: bigint
  /** What those gave, to whichever depth, whether or not it earns now. */
  givenBefore: { depth: number; amount: bigint }[]
  /** What the whole line costs, without tax. */
  lineAmount: bigint
  quantity: bigint
  /** True where this payment settles the whole line. */
  whole: boolean
  /** The most that all overrides together may take; null where the programme sets no pool. */
  overridePool: Rate | null
}

export interface LineShare {
  beneficiary: Beneficiary
  /** By the rule alone, before floor, cap, pool and what smaller depths left. */
  target: bigint
  amount: bigint
  limitedBy: Limit | null
}

export interface LineShares {
  rounding: Rounding
  shares: LineShare[]
  platform: bigint
}

/**
 * Shares one paid line among its beneficiaries; the platform keeps the rest. A line settled whole
 * under plain percentages is split by largest remainder. Everything that grows (parts, bands,
 * caps) is the floor of the total so far less what was booked (money.md).
 */
export function shareLine(line: LineToShare, beneficiaries: Beneficiary[]): LineShares {
  const inOrder = [...beneficiaries].sort((a, b) => a.depth - b.depth)
  const split = line.whole && inOrder.every(isPlain) && !exceedWhole(inOrder.map(plainRate))
  const targets = split
    ? splitWhole(line.base, inOrder.map(plainRate)).shares
    : inOrder.map(grownTarget(line))
  const shares: LineShare[] = []
  for (const [i, beneficiary] of inOrder.entries()) {
    shares.push(limited(line, beneficiary, { target: targets[i] ?? 0n, smaller: shares }))
  }
  return {
    rounding: split ? 'largest_remainder' : 'cumulative_floor',
    shares,
    platform: line.base - sum(shares.map(({ amount }) => amount)),
  }
}

function isPlain({ terms, floor, capRoom }: Beneficiary): boolean {
  return terms.kind === 'percentage' && floor === null && capRoom === null
}

function plainRate({ terms, excluded }: Beneficiary): Rate {
  return terms.kind === 'percentage' && !excluded ? terms.rate : noRate
}

/** What the rule alone gives for this payment. */
function grownTarget(line: LineToShare): (beneficiary: Beneficiary) => bigint {
  const { base, lineAmount, quantity } = line
  const flatOf = (amountPerUnit: bigint, collected: bigint) =>
    lineAmount === 0n
      ? 0n
      : floorShare(amountPerUnit * quantity, { num: collected, den: lineAmount })
  return ({ terms, excluded, earlier, volumeBefore }) => {
    if (excluded) return 0n
    const collected = earlier.collected + base
    const flatSoFar = (amountPerUnit: bigint) => flatOf(amountPerUnit, collected)
    switch (terms.kind) {
      case 'percentage':
        return growthShare(collected, terms.rate, earlier.target)
      case 'flat':
        return flatSoFar(terms.amountPerUnit) - earlier.target
      case 'hybrid':
        return floorShare(collected, terms.rate) + flatSoFar(terms.amountPerUnit) - earlier.target
      case 'tiered_marginal':
        return marginal(terms.bands, volumeBefore + base) - marginal(terms.bands, volumeBefore)
      case 'tiered_cliff': {
        const { rate } = bandAt(terms.bands, volumeBefore + base)
        const exact = plus(earlier.exact, { num: base * rate.num, den: rate.den })
        return floorShare(1n, exact) - earlier.target
      }
    }
  }
}

/** What a volume earns when each band's slice earns at its own rate, rounded down once. */
export function marginal(bands: Band[], volume: bigint): bigint {
  const den = bands.reduce((product, { rate }) => product * rate.den, 1n)
  const slices = bands.map(({ from, to, rate }) => {
    const end = to === null ? volume : smaller(volume, to)
    return larger(end - from, 0n) * rate.num * (den / rate.den)
  })
  return sum(slices) / den
}

/** The band that a volume lies in; its start belongs to it, its end does not. */
export function bandAt(bands: Band[], volume: bigint): Band {
  const band = bands.find(({ from, to }) => volume >= from && (to === null || volume < to))
  if (!band) throw new RangeError(`no band holds a volume of ${volume}`)
  return band
}

/** A line as it stands before and after this payment. */
interface Stand {
  collected: bigint
  /** Of that, what this rule pays on, and what it gives alone. */
  own: bigint
  target: bigint
  /** What smaller depths have, and what of that are overrides. */
  taken: bigint
  overrides: bigint
}

/**
 * The rule's floor raises a share; what smaller depths left of the line, the pool and the cap end
 * it. All but the cap count on the line as a whole, so that parts give what the whole gives: a
 * payment of few units may then leave the platform less than nothing of itself.
 */
function limited(
  line: LineToShare,
  beneficiary: Beneficiary,
  { target, smaller: taken }: { target: bigint; smaller: LineShare[] },
): LineShare {
  const { excluded, earlier, capRoom } = beneficiary
  if (excluded) return { beneficiary, target: 0n, amount: 0n, limitedBy: excluded }
  const { depth } = beneficiary
  const before = line.givenBefore.filter((given) => given.depth < depth)
  const now = taken.map((share) => ({ depth: share.beneficiary.depth, amount: share.amount }))
  const began = reach(line, beneficiary, {
    collected: line.collectedBefore,
    own: earlier.collected,
    target: earlier.target,
    taken: inAll(before),
    overrides: inOverrides(before),
  })
  const ends = reach(line, beneficiary, {
    collected: line.collectedBefore + line.base,
    own: earlier.collected + line.base,
    target: earlier.target + target,
    taken: inAll([...before, ...now]),
    overrides: inOverrides([...before, ...now]),
  })
  // Larger depths may have what a rule of today would have left nothing of.
  const left = line.collectedBefore + line.base - inAll([...line.givenBefore, ...now])
  const wanted = larger(ends.amount - began.amount, 0n)
  const limit = left < wanted ? 'line' : ends.limit
  const amount = larger(smaller(wanted, left), 0n)
  if (capRoom !== null && capRoom < amount) {
    return { beneficiary, target, amount: capRoom, limitedBy: 'cap' }
  }
  return { beneficiary, target, amount, limitedBy: limit }
}

type Given = LineToShare['givenBefore']

const inAll = (given: Given) => sum(given.map(({ amount }) => amount))

const inOverrides = (given: Given) => inAll(given.filter(({ depth }) => depth > 0))

/** How far a share reaches at one stand of the line, and what ends it there. */
function reach(
  { overridePool }: LineToShare,
  { depth, floor, earlier }: Beneficiary,
  { collected, own, target, taken, overrides }: Stand,
): { amount: bigint; limit: Limit | null } {
  const raised = floor === null || own === 0n ? target : smaller(own, larger(floor, target))
  const ends: { limit: Limit | null; amount: bigint }[] = [
    { limit: raised > target ? 'floor' : null, amount: earlier.byOthers + raised },
    { limit: 'line', amount: collected - taken },
  ]
  if (depth > 0 && overridePool) {
    ends.push({ limit: 'pool', amount: floorShare(collected, overridePool) - overrides })
  }
  const nearest = ends.reduce((least, next) => (next.amount < least.amount ? next : least))
  return { limit: nearest.limit, amount: larger(nearest.amount, 0n) }
}
