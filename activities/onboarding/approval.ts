/** The decision on an application, and what follows from it. */
import { inTransaction, type Trx } from '../../db/database.ts'
import {
  type ApplicationRow,
  getApplication,
  getDecisionNote,
  markApplication,
  markDecisionTaken,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { markPayoutAccountOwner } from '../../db/onboarding/payout-accounts.ts'
import { recordPartner } from '../../db/partners.ts'
import { recordTenant } from '../../db/provisioning.ts'
import { admitTerritories } from '../../db/territories.ts'
import { deciderOf } from '../../domain/partners.ts'
import type { ActivityDeps } from '../deps.ts'
import { holdTerritories } from './territories.ts'

type DecisionNote = Awaited<ReturnType<typeof getDecisionNote>>

/** What the process has to know after a decision. */
export interface RecordedDecision {
  decision: 'approve' | 'reject'
  tenantId: string | null
}

/**
 * The partner's id is the application's: an approval that is repeated makes no second partner,
 * and the two are told apart by their prefix outside.
 */
async function admitPartner(
  trx: Trx,
  application: ApplicationRow,
  note: DecisionNote,
): Promise<string> {
  const partnerId = application.id
  await recordPartner(trx, {
    id: partnerId,
    programmeId: application.programmeId,
    name: application.companyName,
    level: application.level,
    type: application.type,
    country: application.country,
    website: application.website,
    contactName: application.contactName,
    contactEmail: application.contactEmail,
    parentId: application.parentId,
    tier: 'bronze',
    effectiveFrom: note.effectiveFrom,
  })
  await markPayoutAccountOwner(trx, application.id, partnerId)
  await admitTerritories(trx, { applicationId: application.id, partnerId })
  const tenantId = await recordTenant(trx, { partnerId, name: application.companyName })
  await markApplication(trx, application.id, {
    stage: 'provisioning',
    status: 'approved',
    nextActor: 'system',
    partnerId,
  })
  return tenantId
}

export function approvalActivities({ db }: ActivityDeps) {
  return {
    /** Puts the application before the one who decides. */
    async requestDecision(input: { applicationId: string; dueAt: string }): Promise<void> {
      await inTransaction(db, async (trx) => {
        const application = await getApplication(trx, input.applicationId)
        await holdTerritories(trx, input.applicationId)
        await markApplication(trx, input.applicationId, {
          stage: 'approval',
          nextActor: deciderOf(application),
          dueAt: new Date(input.dueAt),
        })
        await recordTimeline(trx, input.applicationId, {
          key: 'decision_requested',
          stage: 'approval',
          actor: 'system',
          what: 'waiting for a decision',
        })
      })
    },

    /** Hands a decision that is late to the platform owner. */
    async escalateDecision(input: { applicationId: string; dueAt: string }): Promise<void> {
      await inTransaction(db, async (trx) => {
        await markApplication(trx, input.applicationId, {
          stage: 'approval',
          nextActor: 'super_admin',
          dueAt: new Date(input.dueAt),
        })
        await recordTimeline(trx, input.applicationId, {
          key: 'decision_escalated',
          stage: 'approval',
          actor: 'system',
          what: 'decision escalated to the platform owner',
        })
      })
    },

    /** Takes the decision: the partner and its tenant come to be, or the application ends. */
    async recordDecision(input: {
      applicationId: string
      noteId: string
    }): Promise<RecordedDecision> {
      const recorded = await inTransaction(db, async (trx): Promise<RecordedDecision> => {
        const application = await getApplication(trx, input.applicationId)
        const note = await getDecisionNote(trx, input.noteId)
        await markDecisionTaken(trx, note.id)
        await recordTimeline(trx, application.id, {
          key: 'decided',
          stage: 'approval',
          actor: note.memberLevel ?? 'super_admin',
          what: note.decision === 'approve' ? 'approved' : 'rejected',
        })
        if (note.decision === 'approve') {
          return { decision: 'approve', tenantId: await admitPartner(trx, application, note) }
        }
        await markApplication(trx, application.id, {
          stage: 'done',
          status: 'rejected',
          nextActor: null,
        })
        return { decision: 'reject', tenantId: null }
      })
      return recorded
    },
  }
}
