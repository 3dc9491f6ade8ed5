/** Who earns how much of a paid line. */
import type { Band, RuleTerms } from './commission-rules.ts'
import {
  exceedWhole,
  floorShare,
  growthShare,
  larger,
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
  /** What earlier payments of the same line gave to this depth: by the rule alone, and in all. */
  earlier: { target: bigint; amount: bigint }
}

export type Rounding = 'largest_remainder' | 'cumulative_floor'

export interface LineToShare {
  /** Collected by this payment, without tax. */
  base: bigint
  /** Collected by earlier payments of the same line. */
  collectedBefore: bigint
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
  const rooms = roomsOf(line, inOrder)
  const shares = inOrder.map((beneficiary, i) => {
    const share = limited(line, beneficiary, { target: targets[i] ?? 0n, rooms })
    rooms.line -= share.amount
    if (beneficiary.depth > 0 && rooms.pool !== null) rooms.pool -= share.amount
    return share
  })
  return {
    rounding: split ? 'largest_remainder' : 'cumulative_floor',
    shares,
    platform: rooms.line,
  }
}

function isPlain({ terms, floor, capRoom }: Beneficiary): boolean {
  return terms.kind === 'percentage' && floor === null && capRoom === null
}

const nothing: Rate = { num: 0n, den: 1n }

function plainRate({ terms, excluded }: Beneficiary): Rate {
  return terms.kind === 'percentage' && !excluded ? terms.rate : nothing
}

/** What the rule alone gives for this payment. */
function grownTarget(line: LineToShare): (beneficiary: Beneficiary) => bigint {
  const { base, lineAmount, quantity } = line
  const collected = line.collectedBefore + base
  const flatSoFar = (amountPerUnit: bigint) =>
    lineAmount === 0n
      ? 0n
      : floorShare(amountPerUnit * quantity, { num: collected, den: lineAmount })
  return ({ terms, excluded, earlier, volumeBefore }) => {
    if (excluded) return 0n
    switch (terms.kind) {
      case 'percentage':
        return growthShare(collected, terms.rate, earlier.target)
      case 'flat':
        return flatSoFar(terms.amountPerUnit) - earlier.target
      case 'hybrid':
        return floorShare(collected, terms.rate) + flatSoFar(terms.amountPerUnit) - earlier.target
      case 'tiered_marginal':
        return marginal(terms.bands, volumeBefore + base) - marginal(terms.bands, volumeBefore)
      case 'tiered_cliff':
        return floorShare(base, bandAt(terms.bands, volumeBefore + base).rate)
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

/** What is left of the line, and of the pool of all overrides; null where there is no pool. */
interface Rooms {
  line: bigint
  pool: bigint | null
}

function roomsOf(line: LineToShare, beneficiaries: Beneficiary[]): Rooms {
  if (!line.overridePool) return { line: line.base, pool: null }
  const overrides = beneficiaries.filter(({ depth }) => depth > 0)
  const earlier = sum(overrides.map((beneficiary) => beneficiary.earlier.amount))
  const pool = floorShare(line.collectedBefore + line.base, line.overridePool) - earlier
  return { line: line.base, pool }
}

/** The rule's floor raises a share; cap, pool and what smaller depths left of the line end it. */
function limited(
  line: LineToShare,
  beneficiary: Beneficiary,
  { target, rooms }: { target: bigint; rooms: Rooms },
): LineShare {
  const { excluded, depth, capRoom } = beneficiary
  if (excluded) return { beneficiary, target: 0n, amount: 0n, limitedBy: excluded }
  const raised = larger(raisedToFloor(line, beneficiary, target), 0n)
  const ends: { limit: Limit; room: bigint }[] = [{ limit: 'line', room: rooms.line }]
  if (capRoom !== null) ends.push({ limit: 'cap', room: capRoom })
  if (depth > 0 && rooms.pool !== null) ends.push({ limit: 'pool', room: rooms.pool })
  const nearest = ends.reduce((least, next) => (next.room < least.room ? next : least))
  if (nearest.room < raised) {
    return { beneficiary, target, amount: larger(nearest.room, 0n), limitedBy: nearest.limit }
  }
  return { beneficiary, target, amount: raised, limitedBy: raised > target ? 'floor' : null }
}

/** On the line as a whole, so that one that is paid in parts is raised once. */
function raisedToFloor(
  { base, collectedBefore }: LineToShare,
  { floor, earlier }: Beneficiary,
  target: bigint,
): bigint {
  if (floor === null) return target
  const before = smaller(collectedBefore, larger(floor, earlier.target))
  return smaller(collectedBefore + base, larger(floor, earlier.target + target)) - before
}
