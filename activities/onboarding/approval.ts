/** The decision on an application, and what follows from it. */
import { inTransaction, type Trx } from '../../db/database.ts'
import {
  type ApplicationRow,
  getApplication,
  lockApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { readChecklist } from '../../db/onboarding/checklist.ts'
import {
  type DecisionNote,
  findTakenNote,
  gaveOneOf,
  getDecisionNote,
  levelOfMember,
  listGivenNotes,
  markDecisionGiven,
  markDecisionsUndone,
  markDecisionTaken,
  mayDecide,
} from '../../db/onboarding/decisions.ts'
import { markPayoutAccountOwner } from '../../db/onboarding/payout-accounts.ts'
import { recordPartner } from '../../db/partners.ts'
import { getProgramme } from '../../db/programmes.ts'
import { recordTenant } from '../../db/provisioning.ts'
import { settleScreeningHold } from '../../db/screenings.ts'
import { admitTerritories } from '../../db/territories.ts'
import { blockOf } from '../../domain/checklist.ts'
import { type Verdict, verdictOf } from '../../domain/decisions.ts'
import { DomainError, type ErrorCode } from '../../domain/errors.ts'
import { isDecided } from '../../domain/onboarding.ts'
import { deciderOf } from '../../domain/partners.ts'
import type { ActivityDeps } from '../deps.ts'
import { decideByRule, takesTwo } from './auto-approval.ts'
import { holdTerritories } from './territories.ts'

/** What the process has to know after somebody decided. */
export interface RecordedDecision {
  /** `wait`: a second person has to approve; `refused`: it does not count, because of `code`. */
  decision: 'approve' | 'reject' | 'wait' | 'refused'
  code?: ErrorCode
  /** Of an approval that is final at once. */
  tenantId: string | null
}

/**
 * The partner's id is the application's: an approval that is repeated makes no second partner,
 * and the two are told apart by their prefix outside.
 */
async function admit(trx: Trx, row: ApplicationRow, effectiveFrom: Date): Promise<string> {
  const partnerId = row.id
  await recordPartner(trx, {
    id: partnerId,
    programmeId: row.programmeId,
    name: row.companyName,
    level: row.level,
    type: row.type,
    country: row.country,
    website: row.website,
    contactName: row.contactName,
    contactEmail: row.contactEmail,
    parentId: row.parentId,
    tier: 'bronze',
    effectiveFrom,
  })
  const [tenantId] = await Promise.all([
    recordTenant(trx, { partnerId, name: row.companyName }),
    markPayoutAccountOwner(trx, row.id, partnerId),
    // A finding of the time between the approval and now holds its payouts.
    settleScreeningHold(trx, partnerId, partnerId),
    admitTerritories(trx, { applicationId: row.id, partnerId }),
    markApplication(trx, row.id, {
      stage: 'provisioning',
      status: 'approved',
      nextActor: 'system',
      partnerId,
      undoUntil: null,
    }),
  ])
  return tenantId
}

/** How the note counts as things are in this transaction, which keeps the application locked. */
async function judge(trx: Trx, row: ApplicationRow, note: DecisionNote): Promise<Verdict> {
  const [given, programme, checklist] = await Promise.all([
    listGivenNotes(trx, row.id),
    getProgramme(trx),
    readChecklist(trx, row),
  ])
  const approvals = given.filter(({ decision, undoneAt }) => decision === 'approve' && !undoneAt)
  const { memberId } = note
  const needsTwo = takesTwo(programme, row)
  if (needsTwo && memberId === null) return { outcome: 'refused', code: 'second_person_required' }
  return verdictOf({
    decision: note.decision,
    isDecided: isDecided(row.status),
    mayDecide: memberId === null || (await mayDecide(trx, memberId, row.masterId)),
    blockedBy: blockOf(checklist),
    needsTwo,
    approvals: approvals.length,
    gaveOne: memberId !== null && (await gaveOneOf(trx, approvals, memberId)),
  })
}

/** What was recorded before, where the step is repeated. */
async function recordedBefore(
  trx: Trx,
  row: ApplicationRow,
  note: DecisionNote,
): Promise<RecordedDecision | null> {
  if (!note.givenAt) return null
  if (!note.takenAt) return { decision: 'wait', tenantId: null }
  if (note.decision === 'reject') return { decision: 'reject', tenantId: null }
  const tenantId = row.undoUntil ? null : await admit(trx, row, note.effectiveFrom)
  return { decision: 'approve', tenantId }
}

const actorOf = ({ memberLevel, rule }: DecisionNote) =>
  rule === null ? (memberLevel ?? 'super_admin') : 'system'

async function takeFirstApproval(trx: Trx, row: ApplicationRow, note: DecisionNote) {
  await markDecisionGiven(trx, note.id)
  await recordTimeline(trx, row.id, {
    key: `approved_once:${note.id}`,
    stage: 'approval',
    actor: actorOf(note),
    what: 'first approval; a second person has to approve',
    dueAt: row.dueAt,
    internal: true,
  })
}

async function takeRejection(trx: Trx, row: ApplicationRow, note: DecisionNote) {
  await markDecisionTaken(trx, note.id)
  await recordTimeline(trx, row.id, {
    key: `decided:${note.id}`,
    stage: 'approval',
    actor: actorOf(note),
    what: 'rejected',
  })
  await markApplication(trx, row.id, { stage: 'done', status: 'rejected', nextActor: null })
}

async function takeApproval(
  trx: Trx,
  row: ApplicationRow,
  { note, undoUntil }: { note: DecisionNote; undoUntil: Date | null },
): Promise<string | null> {
  const stage = 'approval' as const
  const decided = {
    ...{ key: `decided:${note.id}`, stage, actor: actorOf(note), what: 'approved' },
    dueAt: undoUntil,
  } as const
  const byRule = {
    ...{ key: `decided_by_rule:${note.id}`, stage, actor: 'system', internal: true },
    what: `approved by the rule ${note.rule}`,
  } as const
  await Promise.all([
    markDecisionTaken(trx, note.id),
    recordTimeline(trx, row.id, decided, ...(note.rule === null ? [] : [byRule])),
  ])
  if (!undoUntil) return admit(trx, row, note.effectiveFrom)
  await markApplication(trx, row.id, {
    stage,
    status: 'approved',
    nextActor: 'system',
    dueAt: undoUntil,
    undoUntil,
  })
  return null
}

export function approvalActivities({ db }: ActivityDeps) {
  return {
    /**
     * Puts the application before the one who decides.
     * @returns the decision of a rule, where one fits and everything is green; else null.
     */
    async requestDecision(input: { applicationId: string; dueAt: string }): Promise<string | null> {
      const dueAt = new Date(input.dueAt)
      return await inTransaction(db, async (trx) => {
        const [row, programme] = await Promise.all([
          getApplication(trx, input.applicationId),
          getProgramme(trx),
        ])
        await holdTerritories(trx, row, programme)
        const [decision] = await Promise.all([
          decideByRule(trx, row, programme),
          markApplication(trx, row.id, { stage: 'approval', nextActor: deciderOf(row), dueAt }),
          recordTimeline(trx, row.id, {
            key: 'decision_requested',
            stage: 'approval',
            actor: 'system',
            what: 'waiting for a decision',
            dueAt,
          }),
        ])
        return decision
      })
    },

    /** Hands a decision that is late to the platform owner. */
    async escalateDecision(input: { applicationId: string; dueAt: string }): Promise<void> {
      const dueAt = new Date(input.dueAt)
      await inTransaction(db, async (trx) => {
        await markApplication(trx, input.applicationId, {
          stage: 'approval',
          nextActor: 'super_admin',
          dueAt,
        })
        await recordTimeline(trx, input.applicationId, {
          key: 'decision_escalated',
          stage: 'approval',
          actor: 'system',
          what: 'decision escalated to the platform owner',
          dueAt,
        })
      })
    },

    /**
     * Counts what somebody decided, or says why it does not count. An approval that can be taken
     * back makes no partner yet; any other makes the partner and its tenant at once.
     */
    async recordDecision(input: {
      applicationId: string
      noteId: string
      undoUntil?: string | null
    }): Promise<RecordedDecision> {
      return await inTransaction(db, async (trx): Promise<RecordedDecision> => {
        const [row, note] = await Promise.all([
          lockApplication(trx, input.applicationId),
          getDecisionNote(trx, input.noteId),
        ])
        const before = await recordedBefore(trx, row, note)
        if (before) return before
        const verdict = await judge(trx, row, note)
        switch (verdict.outcome) {
          case 'refused':
            return { decision: 'refused', code: verdict.code, tenantId: null }
          case 'first_approval':
            await takeFirstApproval(trx, row, note)
            return { decision: 'wait', tenantId: null }
          case 'rejected':
            await takeRejection(trx, row, note)
            return { decision: 'reject', tenantId: null }
          case 'approved': {
            const undoUntil = input.undoUntil ? new Date(input.undoUntil) : null
            const tenantId = await takeApproval(trx, row, { note, undoUntil })
            return { decision: 'approve', tenantId }
          }
        }
      })
    },

    /** Takes an approval back within its time: the application waits for a decision again. */
    async undoDecision(input: {
      applicationId: string
      memberId: string
      dueAt: string
      escalated: boolean
    }): Promise<void> {
      const dueAt = new Date(input.dueAt)
      await inTransaction(db, async (trx) => {
        const row = await lockApplication(trx, input.applicationId)
        const taken = await findTakenNote(trx, row.id)
        if (!taken) return
        await markDecisionsUndone(trx, row.id, input.memberId)
        const nextActor = input.escalated ? 'super_admin' : deciderOf(row)
        await markApplication(trx, row.id, {
          stage: 'approval',
          status: 'in_review',
          nextActor,
          dueAt,
          undoUntil: null,
        })
        await recordTimeline(trx, row.id, {
          key: `undone:${taken.id}`,
          stage: 'approval',
          actor: await levelOfMember(trx, input.memberId),
          what: 'the approval was taken back; waiting for a decision',
          dueAt,
        })
      })
    },

    /** Makes the partner and its tenant, once nobody can take the approval back any more. */
    async admitPartner({ applicationId }: { applicationId: string }): Promise<string> {
      return await inTransaction(db, async (trx) => {
        const row = await lockApplication(trx, applicationId)
        const taken = await findTakenNote(trx, row.id)
        if (taken?.decision !== 'approve') {
          throw new DomainError('not_ready', 'the application is not approved')
        }
        const { effectiveFrom } = await getDecisionNote(trx, taken.id)
        return admit(trx, row, effectiveFrom)
      })
    },
  }
}
