/** Steps of the tier review. */
import { inTransaction, type Trx } from '../db/database.ts'
import { getPartner } from '../db/partners.ts'
import { getProgramme, listTierThresholds } from '../db/programmes.ts'
import { getTierChange, listTierChangesOf, listTierMetrics, recordTierChange } from '../db/tiers.ts'
import { listCertificationGaps } from '../db/training/certificates.ts'
import { periodEnd, windowStart } from '../domain/period.ts'
import {
  explainPromotion,
  permittedPromotion,
  promotionFor,
  type TierName,
} from '../domain/tiers.ts'
import type { CertifiedStep } from '../domain/training.ts'
import { mails } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'
import { inLanes } from './lanes.ts'
import { notify } from './notices.ts'

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

/** Moves the next partners up. @returns the last one of them, null where there is none. */
async function reviewPage(
  trx: Trx,
  { period, after }: { period: string; after: string | null },
): Promise<string | null> {
  const programme = await getProgramme(trx)
  const thresholds = await listTierThresholds(trx, programme.id)
  const metrics = await listTierMetrics(trx, {
    programmeId: programme.id,
    currency: programme.currency,
    from: windowStart(period, programme.tierWindowMonths),
    until: periodEnd(period),
    after,
    size: partnersPerPage,
  })
  const reached = metrics.flatMap(({ partnerId, tier, metric }) => {
    const wanted = promotionFor(tier, metric, thresholds)
    return wanted ? [{ partnerId, tier, metric, wanted }] : []
  })
  const partnerIds = reached.map(({ partnerId }) => partnerId)
  const gate = await gateOf(trx, partnerIds, programme.onboarding.certificationRequiredFor)
  for (const { partnerId, tier, metric, wanted } of reached) {
    const to = permittedPromotion(tier, wanted, (one) => !gate(one).has(partnerId))
    const threshold = thresholds.find((candidate) => candidate.tier === to)?.threshold
    if (!to || threshold === undefined) continue
    const reason = explainPromotion({
      metric,
      threshold,
      currency: programme.currency,
      months: programme.tierWindowMonths,
      to,
      lacksCertificationFor: to === wanted ? null : wanted,
    })
    await recordTierChange(trx, { partnerId, from: tier, to, reason, reviewPeriod: period })
  }
  return metrics.at(-1)?.partnerId ?? null
}

export function tierActivities(deps: ActivityDeps) {
  const { db } = deps
  const tell = async (changeId: string) => {
    const change = await getTierChange(db, changeId)
    const partner = await getPartner(db, change.partnerId)
    const recipient = partner.contactEmail
    const { tier, reason } = change
    await notify(
      deps,
      { kind: 'tier_raised', subjectId: changeId, recipient },
      mails.tierRaised({ contact: partner.contactName, tier, reason }),
    )
  }
  return {
    /**
     * Moves the next partners up where their revenue reached a threshold; never down. Page by
     * page, each of which is kept: another attempt finds what this one decided.
     */
    async reviewTierPage(input: { period: string; after: string | null }): Promise<ReviewedPages> {
      let last = input.after
      let promoted = 0
      for (let pages = 0; pages < pagesAtOnce && promoted < changesAtOnce; pages++) {
        const page = { period: input.period, after: last }
        last = await inTransaction(db, (trx) => reviewPage(trx, page))
        promoted += (await listTierChangesOf(db, { ...page, until: last })).length
        if (last === null) break
      }
      return { last, promoted }
    },

    /** Tells the partners of a range that a review has moved, each of them once. */
    async mailTierChanges(range: ReviewedRange): Promise<void> {
      await inLanes(await listTierChangesOf(db, range), tell)
    },
  }
}
