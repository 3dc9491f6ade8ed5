/** What people decide about a run beside their signatures, each in one transaction, once. */
import { inTransaction, type Trx } from '../../db/database.ts'
import { reopenMonths } from '../../db/periods.ts'
import {
  lockRunDecision,
  markRunDecisionApplied,
  type RunDecisionRow,
} from '../../db/settlement/decisions.ts'
import { onlyPartner } from '../../db/settlement/figures.ts'
import {
  placeSettlementHold,
  recordExclusion,
  releaseSettlementHold,
} from '../../db/settlement/holds.ts'
import {
  markRunCancelled,
  markRunPaused,
  markRunRecalculated,
  markRunRejected,
  markRunTotals,
} from '../../db/settlement/run-marks.ts'
import { findUnendedBefore, getRun, lockRun, type RunRow } from '../../db/settlement/runs.ts'
import { removeDraftStatements } from '../../db/settlement/statements.ts'
import { DomainError } from '../../domain/errors.ts'
import type { RunDecisionKind } from '../../domain/settlement.ts'
import type { ActivityDeps } from '../deps.ts'
import { draftRange, listDifferencesOf } from './calculation.ts'

type Effect = (trx: Trx, about: { run: RunRow; decision: RunDecisionRow }) => Promise<void>

function refuseReleased({ releasedBy, cancelledAt }: RunRow): void {
  if (releasedBy || cancelledAt) throw new DomainError('run_finished', 'the run is finished')
}

/** Drafts are changed while they are looked at, and at no other time. */
function refuseOutsideReview(run: RunRow): void {
  refuseReleased(run)
  if (run.stage !== 'review') throw new DomainError('not_ready', 'the run is not in review')
}

/** Those of a decision about a partner; the table sees to it that they are there. */
function namedIn({ partnerId, reason }: RunDecisionRow): { partnerId: string; reason: string } {
  if (partnerId === null) throw new DomainError('not_found', 'the decision names no partner')
  return { partnerId, reason: reason ?? '' }
}

/** Makes one partner's drafts anew; other totals void the review. */
async function redraft(trx: Trx, run: RunRow, partnerId: string): Promise<void> {
  await removeDraftStatements(trx, run.id, partnerId)
  await draftRange(trx, run, onlyPartner(partnerId))
  const differences = await listDifferencesOf(trx, run)
  if (differences.length > 0) {
    throw new DomainError('ledger_violation', 'statements and ledger disagree')
  }
  await markRunTotals(trx, run.id)
}

/** An effect on one partner's drafts in review. */
function onPartner(change: Effect): Effect {
  return async (trx, about) => {
    refuseOutsideReview(about.run)
    await change(trx, about)
    await redraft(trx, about.run, namedIn(about.decision).partnerId)
  }
}

const effects: Record<RunDecisionKind, Effect> = {
  hold: onPartner(async (trx, { run, decision }) => {
    const { id, accrualId, memberId } = decision
    const { partnerId, reason } = namedIn(decision)
    const hold = { id, runId: run.id, partnerId, accrualId, reason, placedBy: memberId }
    await placeSettlementHold(trx, hold)
  }),
  release_hold: onPartner(async (trx, { decision }) => {
    const { holdId, memberId } = decision
    const { reason } = namedIn(decision)
    await releaseSettlementHold(trx, { id: holdId ?? '', memberId, reason })
  }),
  exclude: onPartner(async (trx, { run, decision }) => {
    const { partnerId, reason } = namedIn(decision)
    const excludedBy = decision.memberId
    await recordExclusion(trx, { runId: run.id, partnerId, reason, excludedBy })
  }),
  rerun_partner: onPartner(async () => {}),
  async recalculate(trx, { run }) {
    refuseReleased(run)
    if (run.stage !== 'review' && !run.rejectedAt) {
      throw new DomainError('not_ready', 'the run is calculating')
    }
    await markRunRecalculated(trx, run.id)
  },
  async reject(trx, { run }) {
    refuseOutsideReview(run)
    await removeDraftStatements(trx, run.id)
    await markRunRejected(trx, run.id)
  },
  async pause(trx, { run }) {
    if (run.cancelledAt || run.closedAt) {
      throw new DomainError('run_finished', 'the run is finished')
    }
    await markRunPaused(trx, run.id, true)
  },
  async resume(trx, { run }) {
    await markRunPaused(trx, run.id, false)
  },
  async cancel(trx, { run }) {
    refuseReleased(run)
    await removeDraftStatements(trx, run.id)
    await markRunCancelled(trx, run.id)
    // One that waits for another has closed nothing yet.
    if (run.mode === 'live' && !(await findUnendedBefore(trx, run))) {
      await reopenMonths(trx, { since: run.sincePeriod, period: run.period })
    }
  },
}

export function decisionActivities({ db }: ActivityDeps) {
  return {
    /**
     * Puts a decision into effect; repeating it changes nothing.
     * @returns the hash of the totals that the run has then; null where it has none.
     * @throws DomainError `not_ready`, `run_finished`, `conflict` where it cannot take effect.
     */
    async applyRunDecision({
      runId,
      decisionId,
    }: {
      runId: string
      decisionId: string
    }): Promise<{ totalsHash: string | null }> {
      const totalsHash = await inTransaction(db, async (trx) => {
        const run = await lockRun(trx, runId)
        const decision = await lockRunDecision(trx, { id: decisionId, runId })
        if (decision.appliedAt === null) {
          await effects[decision.kind as RunDecisionKind](trx, { run, decision })
          await markRunDecisionApplied(trx, decisionId)
        }
        const after = await getRun(trx, runId)
        return after.totalsHash
      })
      return { totalsHash }
    },
  }
}
