/** How far a partner is from another tier, and what reviews decided. */
import { z } from 'zod'
import { listAgreedRules, listProductNames } from '../db/commission/rules.ts'
import { type Db, databaseNow } from '../db/database.ts'
import { findPartner } from '../db/partners.ts'
import { getProgramme, listTierThresholds, type Programme } from '../db/programmes.ts'
import { findLastGrace, type GraceRow } from '../db/tier-graces.ts'
import { findTierLock } from '../db/tier-locks.ts'
import { findLastReview, listTierReviews, type TierReviewRow } from '../db/tier-reviews.ts'
import { findHeldTier, type HeldTier } from '../db/tier-standings.ts'
import { listCertificationGaps } from '../db/training/certificates.ts'
import { ratesByTier } from '../domain/agreement-commission.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { periodEnd, periodOf, windowStart } from '../domain/period.ts'
import {
  graceEndings,
  graceStatuses,
  keptFrom,
  oneAbove,
  reviewCauses,
  reviewOutcomes,
} from '../domain/tier-review.ts'
import { type TierName, type TierThreshold, tierNames } from '../domain/tiers.ts'
import { periodField } from './commission.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import { currencyAnswer, found, idAnswer, instantAnswer, minorAmount, pathId } from './validate.ts'

const money = z.object({ amount: minorAmount, currency: currencyAnswer })
const tier = z.enum(tierNames)
const shownOutcomes = [...reviewOutcomes, 'demoted'] as const

const graceAnswer = z.object({
  status: z.enum(graceStatuses),
  ending: z.enum(graceEndings).nullable(),
  period: z.string(),
  from: tier,
  to: tier,
  opened_at: instantAnswer,
  falls_at: instantAnswer,
  ended_at: instantAnswer.nullable(),
  /** As the newest review saw it. */
  figure: money,
  kept_from: money,
  missing: money,
})

const rateAnswer = z.object({ depth: z.int(), now: z.array(z.string()), next: z.array(z.string()) })

export const progressAnswer = z.object({
  partner: idAnswer('partner'),
  tier,
  since: instantAnswer,
  override: z.object({ until: instantAnswer.nullable() }).nullable(),
  window: z.object({ months: z.int(), from: instantAnswer, until: instantAnswer, figure: money }),
  kept_from: money.nullable(),
  next: z
    .object({
      tier,
      threshold: money,
      distance: money,
      certification: z
        .object({ missing: z.array(z.string()) })
        .nullable()
        .meta({ description: 'What keeps the partner from it; null where nothing does.' }),
      needs_approval: z.boolean(),
    })
    .nullable(),
  rates: z
    .array(rateAnswer)
    .meta({ description: 'What it earns now and would earn with the next tier, in sentences.' }),
  grace: graceAnswer.nullable(),
  review: z
    .object({
      period: z.string(),
      outcome: z.enum(shownOutcomes),
      cause: z.enum(reviewCauses),
      to: tier.nullable(),
    })
    .nullable(),
  lock: z
    .object({ until: instantAnswer.nullable(), reason: z.string(), locked_by: idAnswer('member') })
    .nullable()
    .optional()
    .meta({ description: 'For the platform.' }),
})

const reviewAnswer = z.object({
  id: idAnswer('tierReview'),
  partner: idAnswer('partner'),
  period: z.string(),
  tier,
  reached: tier,
  figure: money,
  outcome: z.enum(shownOutcomes),
  cause: z.enum(reviewCauses),
  to: tier.nullable(),
  grace: z.object({ status: z.enum(graceStatuses), falls_at: instantAnswer }).nullable(),
  reviewed_at: instantAnswer,
  decision: z
    .object({ member: idAnswer('member'), reason: z.string(), at: instantAnswer })
    .nullable(),
})

const noPartner = 'there is no such partner'

export function tierProgressRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/partners/:id/tier',
      tag: 'Tiers',
      summary: 'Read the tier of a partner and its way to the next one',
      description:
        'The figure is that of the months up to the end of the present one, as it is now. ' +
        'Shown to the partner itself and to those above it.',
      access: 'tiers.read',
      answers: { 200: { description: 'How it stands', schema: progressAnswer } },
      refusals: ['not_found'],
      handle: async (call) => ({ status: 200, body: await readProgress(call) }),
    }),
    route({
      method: 'GET',
      path: '/v1/tiers/reviews',
      tag: 'Tiers',
      summary: 'List what reviews decided for each partner',
      description: 'Also for those whose tier stays, with the cause.',
      access: 'tiers.review',
      query: z.strictObject({
        ...pageQuery,
        period: periodField.optional(),
        outcome: z.enum(shownOutcomes).optional(),
      }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(reviewAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const { period, outcome } = query
        const page = await listTierReviews(db, { ...pageRequest(query), period, outcome })
        return { status: 200, body: presentPage(page, presentReview) }
      },
    }),
  ]
}

/** @throws DomainError `not_found` also for a partner that the caller may not see. */
export async function partnerOf({ db, params }: Pick<Call, 'db' | 'params'>): Promise<string> {
  const id = pathId('partner', params.id, noPartner)
  return found(await findPartner(db, id), noPartner).id
}

/** The answer of everything that is about the tier of one partner. */
export async function readProgress(call: Pick<Call, 'db' | 'params' | 'principal'>) {
  const { db, principal } = call
  const partnerId = await partnerOf(call)
  const programme = await getProgramme(db)
  const { currency, tierWindowMonths: months } = programme
  const period = periodOf(await databaseNow(db))
  const window = { from: windowStart(period, months), until: periodEnd(period) }
  const held = found(await findHeldTier(db, { currency, ...window, partnerId }), noPartner)
  const thresholds = await listTierThresholds(db, programme.id)
  const next = oneAbove(held.tier, thresholds)
  const least = keptFrom(held.tier, {
    thresholds,
    tolerance: programme.onboarding.tierTolerance,
  })
  const grace = await findLastGrace(db, partnerId)
  const review = await findLastReview(db, partnerId)
  return {
    partner: outwardId('partner', partnerId),
    tier: held.tier,
    since: held.since.toISOString(),
    override: held.isOverridden ? { until: held.until?.toISOString() ?? null } : null,
    window: {
      months,
      from: window.from.toISOString(),
      until: window.until.toISOString(),
      figure: amountOf(held.metric, currency),
    },
    kept_from: least === null ? null : amountOf(least, currency),
    next: next && (await presentNext(db, { programme, held, next, partnerId })),
    rates: await ratesOf(db, { programme, partnerId, now: held.tier, next: next?.tier ?? null }),
    grace: grace ? presentGrace(grace) : null,
    review: review
      ? {
          period: review.period,
          outcome: review.shownOutcome,
          cause: review.cause,
          to: review.toTier,
        }
      : null,
    ...(principal.level === 'super_admin' ? { lock: await presentLock(db, partnerId) } : {}),
  }
}

const amountOf = (amount: bigint, currency: string) => ({ amount: wireAmount(amount), currency })

async function presentNext(
  db: Db,
  of: { programme: Programme; held: HeldTier; next: TierThreshold; partnerId: string },
) {
  const { programme, held, next, partnerId } = of
  const { certificationRequiredFor: required, tierApprovalFor } = programme.onboarding
  const gaps = required.includes(next.tier)
    ? await listCertificationGaps(db, { partnerIds: [partnerId], step: next.tier })
    : new Map<string, string[]>()
  const missing = gaps.get(partnerId)
  const distance = next.threshold > held.metric ? next.threshold - held.metric : 0n
  return {
    tier: next.tier,
    threshold: amountOf(next.threshold, programme.currency),
    distance: amountOf(distance, programme.currency),
    certification: missing ? { missing } : null,
    needs_approval: tierApprovalFor.includes(next.tier),
  }
}

async function ratesOf(
  db: Db,
  of: { programme: Programme; partnerId: string; now: TierName; next: TierName | null },
) {
  const { programme, partnerId } = of
  const at = await databaseNow(db)
  const rules = await listAgreedRules(db, { programmeId: programme.id, partnerId, at })
  const products = await listProductNames(db, rules)
  const agreed = { currency: programme.currency, rules, products }
  const now = ratesByTier(agreed, { tier: of.now, partner: partnerId, at })
  const next = of.next
    ? ratesByTier(agreed, { tier: of.next, partner: partnerId, at })
    : new Map<number, string[]>()
  return [...now.keys()].map((depth) => ({
    depth,
    now: now.get(depth) ?? [],
    next: next.get(depth) ?? [],
  }))
}

function presentGrace(grace: GraceRow) {
  const { metricMinor, leastMinor, currency } = grace
  const missing = leastMinor > metricMinor ? leastMinor - metricMinor : 0n
  return {
    status: grace.status,
    ending: grace.ending,
    period: grace.period,
    from: grace.fromTier,
    to: grace.toTier,
    opened_at: grace.openedAt.toISOString(),
    falls_at: grace.fallsAt.toISOString(),
    ended_at: grace.endedAt?.toISOString() ?? null,
    figure: amountOf(metricMinor, currency),
    kept_from: amountOf(leastMinor, currency),
    missing: amountOf(missing, currency),
  }
}

async function presentLock(db: Db, partnerId: string) {
  const lock = await findTierLock(db, partnerId)
  if (!lock) return null
  return {
    until: lock.until?.toISOString() ?? null,
    reason: lock.reason,
    locked_by: outwardId('member', lock.lockedBy),
  }
}

function presentReview(row: TierReviewRow) {
  return {
    id: outwardId('tierReview', row.id),
    partner: outwardId('partner', row.partnerId),
    period: row.period,
    tier: row.tier,
    reached: row.reached,
    figure: amountOf(row.metricMinor, row.currency),
    outcome: row.shownOutcome,
    cause: row.cause,
    to: row.toTier,
    grace:
      row.graceStatus && row.fallsAt
        ? { status: row.graceStatus, falls_at: row.fallsAt.toISOString() }
        : null,
    reviewed_at: row.reviewedAt.toISOString(),
    decision:
      row.decidedBy && row.decidedAt && row.decisionReason
        ? {
            member: outwardId('member', row.decidedBy),
            reason: row.decisionReason,
            at: row.decidedAt.toISOString(),
          }
        : null,
  }
}
