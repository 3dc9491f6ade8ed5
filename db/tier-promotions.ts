/** Promotions that wait for a person: a review found the figure, somebody says yes or no. */
import { DomainError } from '../domain/errors.ts'
import { explainPromotion } from '../domain/tiers.ts'
import type { Trx } from './database.ts'
import { getProgramme, listTierThresholds } from './programmes.ts'
import { lockLastReview, markReviewDecided } from './tier-reviews.ts'
import { recordTierChange } from './tiers.ts'

export interface PromotionDecision {
  partnerId: string
  approved: boolean
  memberId: string
  reason: string
}

/**
 * Decides on what the newest review of a partner proposed. The same decision of the same member,
 * repeated, is the one that was taken.
 * @throws DomainError `not_ready` where nothing waits, `already_decided`, `conflict` where the
 *   partner's tier has changed since.
 */
export async function recordPromotionDecision(
  trx: Trx,
  decision: PromotionDecision,
): Promise<void> {
  const { partnerId, approved, memberId } = decision
  const review = await lockLastReview(trx, partnerId)
  if (review?.decidedBy) {
    const isSame = review.decidedBy === memberId && (review.outcome === 'promoted') === approved
    if (isSame) return
    throw new DomainError('already_decided', 'somebody decided on this promotion before')
  }
  if (review?.outcome !== 'awaiting' || review.toTier === null) {
    throw new DomainError('not_ready', 'no promotion of this partner waits for a decision')
  }
  await markReviewDecided(trx, { ...decision, id: review.id })
  if (!approved) return
  const { tier: from, toTier: to, metricMinor: metric, currency, period: reviewPeriod } = review
  const programme = await getProgramme(trx)
  const thresholds = await listTierThresholds(trx, programme.id)
  const threshold = thresholds.find((one) => one.tier === to)?.threshold ?? 0n
  const months = programme.tierWindowMonths
  const reason = explainPromotion({ metric, threshold, currency, months, to })
  if (await recordTierChange(trx, { partnerId, from, to, reason, reviewPeriod })) return
  throw new DomainError('conflict', 'the tier of the partner has changed since the review')
}
