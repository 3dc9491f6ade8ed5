/** What a review of tiers decides for a partner, and how it is warned before its tier falls. */
import { formatMoney } from './currencies.ts'
import {
  permittedPromotion,
  promotionFor,
  rankOf,
  type TierName,
  type TierThreshold,
  tierNames,
  tierReached,
} from './tiers.ts'

/**
 * `gated` waits for a certification and `awaiting` for a person; `warned` falls unless its figure
 * rises in time; `superseded` was looked at by a review of a later time before.
 */
export const reviewOutcomes = [
  'promoted',
  'kept',
  'gated',
  'awaiting',
  'declined',
  'warned',
  'superseded',
] as const
export type ReviewOutcome = (typeof reviewOutcomes)[number]

/** Why it is so; most of them say why a tier is kept that its figure does not reach. */
export const reviewCauses = [
  'reached',
  'within_tolerance',
  'below_threshold',
  'certification',
  'approval',
  'in_grace',
  'overridden',
  'locked',
  'protected',
  'not_quarter_end',
  'later_review',
] as const
export type ReviewCause = (typeof reviewCauses)[number]

export const graceStatuses = ['open', 'demoted', 'recovered', 'waived', 'ended'] as const
export type GraceStatus = (typeof graceStatuses)[number]

export const graceEndings = [
  'quarter_end',
  'by_person',
  'recovered',
  'locked',
  'overridden',
  'tier_changed',
  'partner_left',
] as const
export type GraceEnding = (typeof graceEndings)[number]

const whole = 10_000n

/** What the programme says of every partner, and what time it is. */
export interface ReviewRules {
  thresholds: TierThreshold[]
  /** By how much less than its threshold a tier is kept, in hundredths of a percent. */
  tolerance: number
  /** Tiers that nobody is moved up to without a person's yes. */
  approvalFor: readonly TierName[]
  isQuarterEnd: boolean
}

export interface TierStanding {
  tier: TierName
  metric: bigint
  /** Two persons set the tier that it holds. */
  override: 'raised' | 'lowered' | null
  isLocked: boolean
  /** It holds its tier for so short a time that it cannot lose it yet. */
  isProtected: boolean
  isInGrace: boolean
}

export interface TierVerdict {
  outcome: ReviewOutcome
  cause: ReviewCause
  /** The tier that it gets, waits for or is warned of. */
  to: TierName | null
  reached: TierName
}

/** The least figure with which a tier is kept; nothing for a tier that no figure is asked for. */
export function keptFrom(
  tier: TierName,
  { thresholds, tolerance }: Pick<ReviewRules, 'thresholds' | 'tolerance'>,
): bigint | null {
  const threshold = thresholds.find((one) => one.tier === tier)?.threshold
  if (threshold === undefined) return null
  return (threshold * (whole - BigInt(tolerance)) + whole - 1n) / whole
}

/** Whether the figure suffices to keep the tier. */
export function keepsTier(
  { tier, metric }: Pick<TierStanding, 'tier' | 'metric'>,
  rules: Pick<ReviewRules, 'thresholds' | 'tolerance'>,
): boolean {
  const least = keptFrom(tier, rules)
  // Nobody falls below the lowest tier, whatever went back.
  return least === null || metric >= least || oneBelow(tier, rules.thresholds) === null
}

/** The next tier of the programme below this one. */
export function oneBelow(tier: TierName, thresholds: TierThreshold[]): TierName | null {
  const lower = thresholds.filter((one) => rankOf(one.tier) < rankOf(tier))
  return tierNames.findLast((name) => lower.some((one) => one.tier === name)) ?? null
}

/** The next tier of the programme above this one. */
export function oneAbove(tier: TierName, thresholds: TierThreshold[]): TierThreshold | null {
  const higher = thresholds.filter((one) => rankOf(one.tier) > rankOf(tier))
  const next = tierNames.find((name) => higher.some((one) => one.tier === name))
  return higher.find((one) => one.tier === next) ?? null
}

/**
 * Up at once and over any number of tiers; down by one step, at the end of a quarter, after a
 * grace that begins with the verdict.
 */
export function decideTier(
  standing: TierStanding,
  rules: ReviewRules,
  isPermitted: (tier: TierName) => boolean,
): TierVerdict {
  const { tier, metric } = standing
  const reached = tierReached(metric, rules.thresholds)
  const wanted = promotionFor(tier, metric, rules.thresholds)
  if (wanted) {
    if (standing.override === 'lowered') {
      return { outcome: 'kept', cause: 'overridden', to: null, reached }
    }
    const to = permittedPromotion(tier, wanted, isPermitted)
    if (to === null) return { outcome: 'gated', cause: 'certification', to: wanted, reached }
    const waits = rules.approvalFor.includes(to)
    return waits
      ? { outcome: 'awaiting', cause: 'approval', to, reached }
      : { outcome: 'promoted', cause: 'reached', to, reached }
  }
  if (keepsTier(standing, rules)) {
    const cause = rankOf(reached) >= rankOf(tier) ? 'reached' : 'within_tolerance'
    return { outcome: 'kept', cause, to: null, reached }
  }
  const cause = whyKept(standing, rules)
  if (cause) return { outcome: 'kept', cause, to: null, reached }
  const to = oneBelow(tier, rules.thresholds)
  return { outcome: 'warned', cause: 'below_threshold', to, reached }
}

/** What keeps a tier that the figure does not; null where nothing does. */
function whyKept(standing: TierStanding, { isQuarterEnd }: ReviewRules): ReviewCause | null {
  if (standing.isInGrace) return 'in_grace'
  if (standing.override) return 'overridden'
  if (standing.isLocked) return 'locked'
  if (standing.isProtected) return 'protected'
  return isQuarterEnd ? null : 'not_quarter_end'
}

/** The first end of a quarter, in UTC, that leaves the whole grace. */
export function fallsAt(opened: Date, graceSeconds: number): Date {
  const least = new Date(opened.getTime() + graceSeconds * 1_000)
  const year = least.getUTCFullYear()
  const quarter = new Date(Date.UTC(year, Math.floor(least.getUTCMonth() / 3) * 3, 1))
  if (quarter.getTime() === least.getTime()) return least
  return new Date(Date.UTC(year, quarter.getUTCMonth() + 3, 1))
}

export const graceMails = ['notice', 'half', 'warning'] as const
export type GraceMail = (typeof graceMails)[number]

export interface GraceMark {
  kind: GraceMail
  /** In milliseconds. */
  at: number
}

const dayMs = 86_400_000

/**
 * When a partner is told that its tier will fall: at once, halfway, and so many seconds before.
 * Halfway is left out where a warning comes within a day of it.
 */
export function graceMarks(grace: {
  opened: number
  fallsAt: number
  warnings: readonly number[]
}): GraceMark[] {
  const { opened, fallsAt: end } = grace
  const warnings = grace.warnings.map((before) => end - before * 1_000)
  const half = opened + (end - opened) / 2
  const isClose = warnings.some((at) => Math.abs(at - half) < dayMs)
  const later: GraceMark[] = [
    ...warnings.map((at): GraceMark => ({ kind: 'warning', at })),
    ...(isClose ? [] : [{ kind: 'half', at: half } satisfies GraceMark]),
  ]
  const marks = later.filter(({ at }) => at > opened && at < end).sort((a, b) => a.at - b.at)
  return [{ kind: 'notice', at: opened }, ...marks]
}

/** One sentence on the figure that is too small, for the partner and the books. */
export function explainShortfall(facts: {
  metric: bigint
  least: bigint
  currency: string
  months: number
  tier: TierName
}): string {
  const { metric, least, currency, months, tier } = facts
  return (
    `net paid revenue of ${formatMoney(metric, currency)} in ${months} months is below the ` +
    `${formatMoney(least, currency)} with which ${tier} is kept`
  )
}
