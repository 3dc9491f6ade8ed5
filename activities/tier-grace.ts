/** Steps of the time before a tier falls. */
import { inTransaction, type Trx } from '../db/database.ts'
import { getPartner } from '../db/partners.ts'
import { getProgramme, listTierThresholds } from '../db/programmes.ts'
import {
  type GraceRow,
  getGrace,
  getGraceDecision,
  lockGrace,
  markGraceDecisionApplied,
  markGraceEnded,
} from '../db/tier-graces.ts'
import { findTierStanding, type StandingRow } from '../db/tier-standings.ts'
import { recordTierChange } from '../db/tiers.ts'
import { DomainError } from '../domain/errors.ts'
import { dayOf, periodOf, windowStart } from '../domain/period.ts'
import {
  explainShortfall,
  type GraceEnding,
  type GraceMail,
  type GraceStatus,
  keepsTier,
} from '../domain/tier-review.ts'
import { mails } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

interface GraceInput {
  graceId: string
}

/** Its partner now, with the figure of the months up to the fall. */
async function standingOf(trx: Trx, grace: GraceRow): Promise<StandingRow | undefined> {
  const programme = await getProgramme(trx)
  const lastPeriod = periodOf(new Date(grace.fallsAt.getTime() - 1))
  return findTierStanding(trx, {
    programmeId: programme.id,
    currency: grace.currency,
    protection: 0,
    period: grace.period,
    from: windowStart(lastPeriod, programme.tierWindowMonths),
    until: grace.fallsAt,
    partnerId: grace.partnerId,
  })
}

/** What makes the fall pointless, whatever the figure is. */
function outOfReach(grace: GraceRow, standing: StandingRow): GraceEnding | null {
  if (standing.tier !== grace.fromTier) return 'tier_changed'
  if (standing.override) return 'overridden'
  return standing.isLocked ? 'locked' : null
}

interface SeenGrace {
  grace: GraceRow
  status: GraceStatus
  standing?: StandingRow
}

/** Ends the grace where it has nothing to come to any more; a suspended partner's goes on. */
async function lookAt(trx: Trx, graceId: string): Promise<SeenGrace> {
  const grace = await lockGrace(trx, graceId)
  if (grace.status !== 'open') return { grace, status: grace.status }
  const standing = await standingOf(trx, grace)
  if (!standing) {
    const { status } = await getPartner(trx, grace.partnerId)
    if (status !== 'terminated') return { grace, status: 'open' }
    await markGraceEnded(trx, graceId, { status: 'ended', ending: 'partner_left' })
    return { grace, status: 'ended' }
  }
  const ending = outOfReach(grace, standing)
  if (!ending) return { grace, status: 'open', standing }
  await markGraceEnded(trx, graceId, { status: 'ended', ending })
  return { grace, status: 'ended' }
}

/** Lowers the tier by one step, from this instant on. */
async function demote(
  trx: Trx,
  grace: GraceRow,
  { ending, metric }: { ending: GraceEnding; metric: bigint },
): Promise<GraceStatus> {
  const programme = await getProgramme(trx)
  const { id, partnerId, fromTier: from, toTier: to, currency, period } = grace
  const reason = explainShortfall({
    ...{ metric, currency, tier: from },
    least: grace.leastMinor,
    months: programme.tierWindowMonths,
  })
  const change = { partnerId, from, to, reason, reviewPeriod: period }
  const fell = await recordTierChange(trx, change)
  const end = fell
    ? ({ status: 'demoted', ending, metric } as const)
    : ({ status: 'ended', ending: 'tier_changed' } as const)
  await markGraceEnded(trx, id, end)
  return end.status
}

async function fall(trx: Trx, graceId: string): Promise<GraceStatus> {
  const { grace, status, standing } = await lookAt(trx, graceId)
  if (status !== 'open' || !standing) return status
  const { metric } = standing
  const programme = await getProgramme(trx)
  const rules = {
    thresholds: await listTierThresholds(trx, programme.id),
    tolerance: programme.onboarding.tierTolerance,
  }
  if (!keepsTier({ tier: grace.fromTier, metric }, rules)) {
    return demote(trx, grace, { ending: 'quarter_end', metric })
  }
  await markGraceEnded(trx, graceId, { status: 'recovered', ending: 'recovered', metric })
  return 'recovered'
}

/** @throws DomainError `not_ready` where the grace is over. */
async function takeDecision(trx: Trx, decisionId: string): Promise<GraceStatus> {
  const decision = await getGraceDecision(trx, decisionId)
  const { grace, status, standing } = await lookAt(trx, decision.graceId)
  if (decision.appliedAt) return status
  if (status !== 'open') throw new DomainError('not_ready', 'the grace is over')
  await markGraceDecisionApplied(trx, decisionId)
  if (decision.kind === 'apply') {
    const metric = standing?.metric ?? grace.metricMinor
    return demote(trx, grace, { ending: 'by_person', metric })
  }
  await markGraceEnded(trx, grace.id, { status: 'waived', ending: 'by_person' })
  return 'waived'
}

export function tierGraceActivities(deps: ActivityDeps) {
  const { db } = deps

  async function tell(
    { graceId, occurrence }: GraceInput & { occurrence: string },
    words: typeof mails.tierFalls | typeof mails.tierFell | typeof mails.tierKept,
  ): Promise<void> {
    const grace = await getGrace(db, graceId)
    const partner = await getPartner(db, grace.partnerId)
    const programme = await getProgramme(db)
    await notify(
      deps,
      { kind: 'tier_grace', subjectId: graceId, occurrence, recipient: partner.contactEmail },
      words({
        contact: partner.contactName,
        tier: grace.fromTier,
        lower: grace.toTier,
        day: dayOf(grace.fallsAt),
        why: explainShortfall({
          metric: grace.metricMinor,
          least: grace.leastMinor,
          currency: grace.currency,
          months: programme.tierWindowMonths,
          tier: grace.fromTier,
        }),
      }),
    )
  }

  return {
    /** Looks whether it still has something to come to. */
    async lookAtTierGrace({ graceId }: GraceInput): Promise<GraceStatus> {
      const { status } = await inTransaction(db, (trx) => lookAt(trx, graceId))
      return status
    },

    /** The fall is due: looks at the figure once more, and lowers the tier by one step. */
    async applyTierFall({ graceId }: GraceInput): Promise<GraceStatus> {
      return inTransaction(db, (trx) => fall(trx, graceId))
    },

    /** Takes what a person decided: nothing falls, or at once. */
    async takeGraceDecision({ decisionId }: { decisionId: string }): Promise<GraceStatus> {
      return inTransaction(db, (trx) => takeDecision(trx, decisionId))
    },

    /** Warns the partner, unless there is nothing to warn of any more. */
    async warnOfTierFall(
      input: GraceInput & { kind: GraceMail; number: number },
    ): Promise<GraceStatus> {
      const { graceId, kind, number } = input
      const { status } = await inTransaction(db, (trx) => lookAt(trx, graceId))
      if (status !== 'open') return status
      await tell({ graceId, occurrence: `${kind}:${number}` }, mails.tierFalls)
      return status
    },

    /** Tells the partner how it ended; of what ended for another reason it hears otherwise. */
    async mailTierGrace({ graceId }: GraceInput): Promise<void> {
      const { status, ending } = await getGrace(db, graceId)
      if (status === 'demoted') await tell({ graceId, occurrence: status }, mails.tierFell)
      else if (status === 'open' || ending === 'partner_left') return
      else if (status !== 'ended' || ending === 'locked') {
        await tell({ graceId, occurrence: status }, mails.tierKept)
      }
    },
  }
}
