/** Steps of the tier review. */
import { inTransaction, type Trx } from '../db/database.ts'
import { getPartner } from '../db/partners.ts'
import { getProgramme, listTierThresholds } from '../db/programmes.ts'
import { findTierChangeOf, listTierMetrics, recordTierChange } from '../db/tiers.ts'
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
import { notify } from './notices.ts'

const partnersPerPage = 1_000

export interface ReviewedPage {
  last: string | null
  /** Partners that were moved up now. */
  promoted: string[]
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

export function tierActivities(deps: ActivityDeps) {
  const { db } = deps
  return {
    /** Moves the next partners up where their revenue reached a threshold; never down. */
    async reviewTierPage(input: { period: string; after: string | null }): Promise<ReviewedPage> {
      const programme = await getProgramme(db)
      const thresholds = await listTierThresholds(db, programme.id)
      const page = await inTransaction(db, async (trx): Promise<ReviewedPage> => {
        const metrics = await listTierMetrics(trx, {
          programmeId: programme.id,
          currency: programme.currency,
          from: windowStart(input.period, programme.tierWindowMonths),
          until: periodEnd(input.period),
          after: input.after,
          size: partnersPerPage,
        })
        const reached = metrics.flatMap(({ partnerId, tier, metric }) => {
          const wanted = promotionFor(tier, metric, thresholds)
          return wanted ? [{ partnerId, tier, metric, wanted }] : []
        })
        const partnerIds = reached.map(({ partnerId }) => partnerId)
        const gate = await gateOf(trx, partnerIds, programme.onboarding.certificationRequiredFor)
        const promoted: string[] = []
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
          const change = { partnerId, from: tier, to, reason, reviewPeriod: input.period }
          if (await recordTierChange(trx, change)) promoted.push(partnerId)
        }
        return { last: metrics.at(-1)?.partnerId ?? null, promoted }
      })
      return page
    },

    async mailTierChange(input: { partnerId: string; period: string }): Promise<void> {
      const change = await findTierChangeOf(db, input.partnerId, input.period)
      if (!change) return
      const partner = await getPartner(db, input.partnerId)
      await notify(
        deps,
        { kind: 'tier_raised', subjectId: change.id, recipient: partner.contactEmail },
        mails.tierRaised({
          contact: partner.contactName,
          tier: change.tier,
          reason: change.reason,
        }),
      )
    },
  }
}
