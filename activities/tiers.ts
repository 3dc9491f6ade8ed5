/** Steps of the tier review. */
import { databaseNow, inTransaction, lockName, type Trx } from '../db/database.ts'
import { getProgramme, listTierThresholds, type Programme } from '../db/programmes.ts'
import {
  listGracesToTell,
  markGracesReviewed,
  type NewGrace,
  recordGraces,
} from '../db/tier-graces.ts'
import { recordTierReviews } from '../db/tier-reviews.ts'
import { listTierStandings, type StandingRow } from '../db/tier-standings.ts'
import { listRisesOf, recordTierChanges, type TierMove } from '../db/tiers.ts'
import { listCertificationGaps } from '../db/training/certificates.ts'
import { endsQuarter, periodEnd, windowStart } from '../domain/period.ts'
import { signalNames, workflowIds, workflowTypes } from '../domain/process-names.ts'
import {
  decideTier,
  fallsAt,
  keepsTier,
  keptFrom,
  type ReviewRules,
  type TierVerdict,
} from '../domain/tier-review.ts'
import { explainPromotion, promotionFor, type TierName } from '../domain/tiers.ts'
import type { CertifiedStep } from '../domain/training.ts'
import type { ActivityDeps } from './deps.ts'
import { inLanes } from './lanes.ts'
import { tellOfTier } from './tier-mails.ts'

const partnersPerPage = 1_000

/** A step ends after these, so that none takes long and every one can be seen. */
const pagesAtOnce = 20
/** It also ends when it has so many to tell, whose mails are the next step. */
const changesAtOnce = 1_000

/** Partners after one and up to another; none is the beginning, or the end. */
interface ReviewedRange {
  period: string
  after: string | null
  until: string | null
}

export interface ReviewedPages {
  /** The last partner that was looked at; null when there is none after it. */
  last: string | null
  /** How many of these partners this review has moved up, in this attempt or an earlier one. */
  promoted: number
}

/** For each tier that takes a certification, the partners that lack it. */
async function gateOf(
  trx: Trx,
  partnerIds: string[],
  required: CertifiedStep[],
): Promise<(tier: TierName) => Map<string, string[]>> {
  const gaps = new Map<CertifiedStep, Map<string, string[]>>()
  for (const step of required.filter((one) => one !== 'activation')) {
    gaps.set(step, await listCertificationGaps(trx, { partnerIds, step }))
  }
  return (tier) => gaps.get(tier) ?? new Map()
}

interface Review {
  period: string
  until: Date
  programme: Programme
  rules: ReviewRules
}

async function readReview(trx: Trx, period: string): Promise<Review> {
  const programme = await getProgramme(trx)
  const { tierTolerance: tolerance, tierApprovalFor: approvalFor } = programme.onboarding
  const thresholds = await listTierThresholds(trx, programme.id)
  const isQuarterEnd = endsQuarter(period)
  const rules = { thresholds, tolerance, approvalFor, isQuarterEnd }
  return { period, until: periodEnd(period), programme, rules }
}

type Decided = StandingRow & TierVerdict

/** What the review comes to for each of these partners. */
async function decide(trx: Trx, review: Review, standings: StandingRow[]): Promise<Decided[]> {
  const { rules, programme } = review
  const rising = standings.filter(({ tier, metric }) =>
    promotionFor(tier, metric, rules.thresholds),
  )
  const partnerIds = rising.map(({ partnerId }) => partnerId)
  const gate = await gateOf(trx, partnerIds, programme.onboarding.certificationRequiredFor)
  return standings.map((standing) => {
    const isInGrace = standing.graceId !== null
    const verdict = standing.isSuperseded
      ? superseded(standing)
      : decideTier({ ...standing, isInGrace }, rules, (to) => !gate(to).has(standing.partnerId))
    return { ...standing, ...verdict }
  })
}

const superseded = ({ tier }: StandingRow): TierVerdict => ({
  outcome: 'superseded',
  cause: 'later_review',
  to: null,
  reached: tier,
})

/** Moves up who is promoted; where people changed its tier meanwhile, theirs stays. */
async function promote(trx: Trx, review: Review, decided: Decided[]): Promise<Decided[]> {
  const moves = decided.flatMap((one) => moveOf(review, one))
  const moved = await recordTierChanges(trx, review.period, moves)
  return decided.map((one) =>
    one.outcome !== 'promoted' || moved.has(one.partnerId)
      ? one
      : { ...one, outcome: 'kept', cause: 'overridden', to: null },
  )
}

function moveOf({ programme, rules }: Review, decided: Decided): TierMove[] {
  const { partnerId, tier: from, metric, outcome, to, reached } = decided
  const threshold = rules.thresholds.find((one) => one.tier === to)?.threshold
  if (outcome !== 'promoted' || to === null || threshold === undefined) return []
  const reason = explainPromotion({
    metric,
    threshold,
    currency: programme.currency,
    months: programme.tierWindowMonths,
    to,
    lacksCertificationFor: to === reached ? null : reached,
  })
  return [{ partnerId, from, to, reason }]
}

function graceOf(review: Review, decided: Decided, now: Date): NewGrace[] {
  const { programme, rules, period } = review
  const least = keptFrom(decided.tier, rules)
  if (decided.outcome !== 'warned' || decided.to === null || least === null) return []
  return [
    {
      partnerId: decided.partnerId,
      period,
      fromTier: decided.tier,
      toTier: decided.to,
      metricMinor: decided.metric,
      leastMinor: least,
      currency: programme.currency,
      fallsAt: fallsAt(now, programme.deadlines.tierGrace),
    },
  ]
}

/** Decides on the next partners. @returns the last one of them, null where there is none. */
async function reviewPage(
  trx: Trx,
  { period, after }: { period: string; after: string | null },
): Promise<string | null> {
  // Reviews of two periods that run at one time take their pages in turn.
  await lockName(trx, 'tier_review')
  const review = await readReview(trx, period)
  const { programme, until, rules } = review
  const standings = await listTierStandings(trx, {
    programmeId: programme.id,
    currency: programme.currency,
    protection: programme.deadlines.tierProtection,
    period,
    from: windowStart(period, programme.tierWindowMonths),
    until,
    after,
    size: partnersPerPage,
  })
  const open = standings.filter(({ isDecided }) => !isDecided)
  const decided = await promote(trx, review, await decide(trx, review, open))
  await keepReviews(trx, review, decided)
  const graced = decided.filter(({ isSuperseded }) => !isSuperseded)
  const figures = graced.flatMap(({ graceId: id, tier, metric }) =>
    id === null ? [] : [{ id, metric, recovers: keepsTier({ tier, metric }, rules) }],
  )
  await markGracesReviewed(trx, period, figures)
  const now = await databaseNow(trx)
  await recordGraces(
    trx,
    decided.flatMap((one) => graceOf(review, one, now)),
  )
  return standings.at(-1)?.partnerId ?? null
}

async function keepReviews(trx: Trx, review: Review, decided: Decided[]): Promise<void> {
  const { period, until: windowUntil, programme } = review
  await recordTierReviews(
    trx,
    decided.map(({ partnerId, metric, tier, reached, outcome, cause, to }) => ({
      ...{ partnerId, period, windowUntil, currency: programme.currency },
      ...{ metricMinor: metric, tier, reached, outcome, cause, toTier: to },
    })),
  )
}

export function tierActivities(deps: ActivityDeps) {
  const { db, processes } = deps
  /** Starts the processes of new graces, and wakes those for which this review has news. */
  async function wakeGraces(range: ReviewedRange): Promise<void> {
    const { tierWarnings: warnings } = (await getProgramme(db)).deadlines
    await inLanes(await listGracesToTell(db, range), (grace) =>
      processes.wake({
        type: workflowTypes.tierGrace,
        workflowId: workflowIds.tierGrace(grace.partnerId, grace.period),
        input: { graceId: grace.id, fallsAt: grace.fallsAt.toISOString(), warnings },
        signal: signalNames.metricsUpdated,
      }),
    )
  }

  return {
    /**
     * Decides on the next partners: moves them up at once, and opens a grace for those that will
     * fall. Page by page, each of which is kept: another attempt finds what this one decided.
     */
    async reviewTierPage(input: { period: string; after: string | null }): Promise<ReviewedPages> {
      let last = input.after
      let promoted = 0
      for (let pages = 0; pages < pagesAtOnce && promoted < changesAtOnce; pages++) {
        const page = { period: input.period, after: last }
        last = await inTransaction(db, (trx) => reviewPage(trx, page))
        const range = { ...page, until: last }
        await wakeGraces(range)
        promoted += (await listRisesOf(db, range)).length
        if (last === null) break
      }
      return { last, promoted }
    },

    /** Tells the partners of a range that a review has moved up, each of them once. */
    async mailTierChanges(range: ReviewedRange): Promise<void> {
      await inLanes(await listRisesOf(db, range), (changeId) => tellOfTier(deps, changeId))
    },
  }
}
