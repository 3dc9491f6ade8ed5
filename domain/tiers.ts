/** Tiers by performance: Bronze to Platinum. */
import { formatMoney } from './currencies.ts'

export const tierNames = ['bronze', 'silver', 'gold', 'platinum'] as const
export type TierName = (typeof tierNames)[number]

export interface TierThreshold {
  tier: TierName
  /** Net paid revenue in the window from which the tier is reached, in minor units. */
  threshold: bigint
}

/** The place of a tier, counted from the lowest. */
export const rankOf = (tier: TierName) => tierNames.indexOf(tier)

/** The better of two tiers; null is none. */
export function higherTier(a: TierName | null, b: TierName | null): TierName | null {
  if (a === null || b === null) return a ?? b
  return rankOf(a) >= rankOf(b) ? a : b
}

/** The highest tier whose threshold the metric reaches. */
export function tierReached(metric: bigint, thresholds: TierThreshold[]): TierName {
  return thresholds
    .filter(({ threshold }) => metric >= threshold)
    .reduce<TierName>((best, { tier }) => (rankOf(tier) > rankOf(best) ? tier : best), 'bronze')
}

/** The tier to move up to, or null: a review raises at once and never lowers. */
export function promotionFor(
  current: TierName,
  metric: bigint,
  thresholds: TierThreshold[],
): TierName | null {
  const reached = tierReached(metric, thresholds)
  return rankOf(reached) > rankOf(current) ? reached : null
}

/** The highest tier up to the wanted one that the partner may hold, above its present one. */
export function permittedPromotion(
  current: TierName,
  wanted: TierName,
  isPermitted: (tier: TierName) => boolean,
): TierName | null {
  const below = tierNames.slice(rankOf(current) + 1, rankOf(wanted) + 1)
  return below.findLast(isPermitted) ?? null
}

/** One sentence for the partner and the books. */
export function explainPromotion(facts: {
  metric: bigint
  threshold: bigint
  currency: string
  months: number
  to: TierName
  /** The tier that its revenue reached, where a certification for it is missing. */
  lacksCertificationFor?: TierName | null
}): string {
  const rest = facts.lacksCertificationFor
    ? `; ${facts.lacksCertificationFor} waits for a certification`
    : ''
  return (
    `net paid revenue of ${formatMoney(facts.metric, facts.currency)} in ${facts.months} months ` +
    `reached the ${facts.to} threshold of ${formatMoney(facts.threshold, facts.currency)}${rest}`
  )
}
