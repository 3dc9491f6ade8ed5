/** What differs between two statements of a partner, and what made it differ. */
import type { TierName } from './tiers.ts'

export const changeKinds = ['new', 'gone', 'changed'] as const
export type ChangeKind = (typeof changeKinds)[number]

export const diffCauses = [
  /** More or less was sold; also bands and true-ups, which the volume reaches. */
  'volume',
  /** The partner was in another tier, whose rules hold. */
  'tier',
  /** Another rule held, for the same tier. */
  'rate',
  /** A new version of the same rule held. */
  'rule_version',
  'bonus',
  'refund',
  'adjustment',
  /** What the period before carried over. */
  'carried',
  'hold',
  /** A run left the partner out. */
  'exclusion',
  'negative_balance',
  /** Below the minimum payout, or under its step. */
  'minimum',
] as const
export type DiffCause = (typeof diffCauses)[number]

export type Causes = Partial<Record<DiffCause, bigint>>

/** What one rule gave for what was sold of one product, at one depth. */
export interface EarnedPart {
  depth: number
  product: string | null
  tier: TierName | null
  ruleId: string
  ruleCode: string
  base: bigint
  amount: bigint
}

/** A statement with what its earnings are made of. */
export interface DiffSide {
  opening: bigint
  earned: bigint
  clawedBack: bigint
  adjustments: bigint
  closing: bigint
  held: bigint
  payable: bigint
  bonuses: bigint
  parts: EarnedPart[]
}

interface Share {
  base: bigint
  amount: bigint
}

const total = (parts: readonly Share[]): Share => ({
  base: parts.reduce((sum, { base }) => sum + base, 0n),
  amount: parts.reduce((sum, { amount }) => sum + amount, 0n),
})

/** What a base would have given at the rate of a share. */
const at = ({ base, amount }: Share, sold: bigint) => (base === 0n ? 0n : (sold * amount) / base)

const distinct = <T>(values: T[]) => new Set(values).size

function add(causes: Causes, cause: DiffCause, amount: bigint): void {
  if (amount !== 0n) causes[cause] = (causes[cause] ?? 0n) + amount
}

/** The share that a part is compared with, and what a difference to it comes of. */
function counterpart(part: EarnedPart, before: EarnedPart[]): [EarnedPart[], DiffCause] {
  const same = before.filter(({ ruleId }) => ruleId === part.ruleId)
  if (same.length > 0) return [same, 'volume']
  const older = before.filter(({ ruleCode }) => ruleCode === part.ruleCode)
  if (older.length > 0) return [older, 'rule_version']
  const isOfTier = before.some(({ tier }) => tier === part.tier)
  return [before, isOfTier ? 'rate' : 'tier']
}

/** Why several rules of before weigh differently now. */
function causeOfMix(before: EarnedPart[]): DiffCause {
  if (distinct(before.map(({ ruleId }) => ruleId)) === 1) return 'volume'
  if (distinct(before.map(({ ruleCode }) => ruleCode)) === 1) return 'rule_version'
  return distinct(before.map(({ tier }) => tier)) > 1 ? 'tier' : 'rate'
}

/** The same product at the same depth: what more of it gives, and what other rates make of it. */
function causesOfGroup(causes: Causes, now: EarnedPart[], before: EarnedPart[]): void {
  const [sold, soldBefore] = [total(now), total(before)]
  if (sold.base === 0n || soldBefore.base === 0n) {
    add(causes, 'volume', sold.amount - soldBefore.amount)
    return
  }
  let rest = sold.amount - soldBefore.amount
  const more = at(soldBefore, sold.base) - soldBefore.amount
  add(causes, 'volume', more)
  rest -= more
  for (const part of now) {
    const [others, cause] = counterpart(part, before)
    const difference = part.amount - at(total(others), part.base)
    add(causes, cause, difference)
    rest -= difference
  }
  add(causes, causeOfMix(before), rest)
}

const productOf = ({ depth, product }: EarnedPart) => `${depth} ${product ?? ''}`

/** Products that were sold both times stand beside themselves; new ones, beside those gone. */
function causesOfParts(causes: Causes, now: EarnedPart[], before: EarnedPart[]): void {
  const sold = new Set(now.map(productOf))
  const kept = new Set(before.map(productOf).filter((product) => sold.has(product)))
  const keyOf = (part: EarnedPart) =>
    kept.has(productOf(part)) ? productOf(part) : `${part.depth} others`
  const [groups, groupsBefore] = [Map.groupBy(now, keyOf), Map.groupBy(before, keyOf)]
  for (const key of new Set([...groups.keys(), ...groupsBefore.keys()])) {
    causesOfGroup(causes, groups.get(key) ?? [], groupsBefore.get(key) ?? [])
  }
}

const positive = (amount: bigint) => (amount > 0n ? amount : 0n)

/** What of a closing balance is held, and what of the rest is not paid. */
function unpaidOf({ closing, held, payable }: DiffSide) {
  const free = positive(closing - held)
  return { debt: positive(-closing), kept: positive(closing) - free, left: free - payable }
}

const nothing: DiffSide = {
  opening: 0n,
  earned: 0n,
  clawedBack: 0n,
  adjustments: 0n,
  closing: 0n,
  held: 0n,
  payable: 0n,
  bonuses: 0n,
  parts: [],
}

export const netOf = ({ earned, clawedBack, adjustments }: DiffSide) =>
  earned - clawedBack + adjustments

/**
 * What made the payable amount differ, cause by cause; they add up to the difference. Those from
 * volume to adjustment add up to the difference of what the periods gave (`netOf`).
 */
export function causesOf(now: DiffSide | null, before: DiffSide | null): Causes {
  const [after, earlier] = [now ?? nothing, before ?? nothing]
  const causes: Causes = {}
  causesOfParts(causes, after.parts, earlier.parts)
  add(causes, 'bonus', after.bonuses - earlier.bonuses)
  const explained = Object.values(causes).reduce((sum, amount) => sum + amount, 0n)
  // Bands that a volume reaches for a whole period are booked at its close.
  add(causes, 'volume', after.earned - earlier.earned - explained)
  add(causes, 'refund', earlier.clawedBack - after.clawedBack)
  add(causes, 'adjustment', after.adjustments - earlier.adjustments)
  add(causes, 'carried', after.opening - earlier.opening)
  const [unpaid, unpaidBefore] = [unpaidOf(after), unpaidOf(earlier)]
  add(causes, 'hold', unpaidBefore.kept - unpaid.kept)
  add(causes, 'negative_balance', unpaid.debt - unpaidBefore.debt)
  add(causes, 'minimum', unpaidBefore.left - unpaid.left)
  return Object.fromEntries(Object.entries(causes).filter(([, amount]) => amount !== 0n))
}

const mostBps = 1_000_000_000

/** By how much, in hundredths of a percent; null where there was nothing before. */
export function changeBps(now: bigint, before: bigint): number | null {
  if (before === 0n) return null
  const size = before < 0n ? -before : before
  const bps = Number(((now - before) * 10_000n) / size)
  return Math.max(-mostBps, Math.min(mostBps, bps))
}
