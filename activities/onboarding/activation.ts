/** The last part of the way: prepared, active, or closed. */
import { inTransaction, type Trx } from '../../db/database.ts'
import { findStandingTermination } from '../../db/lifecycle/terminations.ts'
import { recordUndosLeft } from '../../db/manual-tasks.ts'
import {
  getApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { markDecisionsUndone } from '../../db/onboarding/decisions.ts'
import { lockPartner, markPartner, type PartnerRow } from '../../db/partners.ts'
import { getProgramme, type Programme } from '../../db/programmes.ts'
import { recordWelcome } from '../../db/welcome.ts'
import { outwardId } from '../../domain/ids.ts'
import { workflowIds, workflowTypes } from '../../domain/process-names.ts'
import type { ActivityDeps } from '../deps.ts'
import { holdForTraining } from '../training.ts'

export function activationActivities({ db, processes }: ActivityDeps) {
  return {
    async markProvisioningStarted({ applicationId }: { applicationId: string }): Promise<void> {
      await inTransaction(db, (trx) =>
        Promise.all([
          markApplication(trx, applicationId, {
            stage: 'provisioning',
            status: 'provisioning',
            nextActor: 'system',
          }),
          recordTimeline(trx, applicationId, {
            key: 'provisioning_started',
            stage: 'provisioning',
            actor: 'system',
            what: 'environment is being prepared',
          }),
        ]),
      )
    },

    /** Everything was undone; a person of the platform has to look and try again. */
    async markProvisioningFailed(input: { applicationId: string; attempt: number }): Promise<void> {
      await inTransaction(db, async (trx) => {
        await markApplication(trx, input.applicationId, {
          stage: 'provisioning',
          nextActor: 'super_admin',
        })
        await recordTimeline(trx, input.applicationId, {
          key: `provisioning_failed_${input.attempt}`,
          stage: 'provisioning',
          actor: 'system',
          what: 'environment could not be prepared; all steps were undone',
        })
      })
    },

    /**
     * Starts the partner, or says that it has to be certified before; one whose partnership was
     * terminated meanwhile is not started, and its application ends.
     */
    async activatePartner(input: {
      applicationId: string
    }): Promise<'active' | 'training' | 'ended'> {
      const { applicationId } = input
      const { held, deadlines } = await inTransaction(db, async (trx) => {
        const [partner, programme] = await Promise.all([
          lockPartner(trx, applicationId),
          getProgramme(trx),
        ])
        const become = await startOrHold(trx, applicationId, { partner, programme })
        return { held: become, deadlines: programme.deadlines }
      })
      if (held === 'training' || held === 'ended') return held
      await processes.ensureRunning({
        type: workflowTypes.welcomeSequence,
        workflowId: workflowIds.welcome(applicationId),
        input: { partnerId: applicationId, mails: deadlines.welcomeMails },
      })
      return 'active'
    },

    /**
     * Ends an application that nobody will carry further; one that ended before stays as it is. An
     * approval that could still be taken back goes with it.
     */
    async closeApplication(input: {
      applicationId: string
      status: 'lapsed' | 'rejected' | 'withdrawn'
      what: string
      actor?: 'applicant'
    }): Promise<void> {
      const { applicationId, status, what, actor = 'system' } = input
      await inTransaction(db, async (trx) => {
        const closed = await markApplication(trx, applicationId, {
          stage: 'done',
          status,
          nextActor: null,
          undoUntil: null,
        })
        if (!closed) return
        await markDecisionsUndone(trx, applicationId, null)
        await recordTimeline(trx, applicationId, { key: 'closed', stage: 'done', actor, what })
      })
    },

    /** What could not be taken back at the end of an application is a person's to do. */
    async recordUndosLeft(input: { applicationId: string; left: string[] }): Promise<void> {
      const { applicationId } = input
      const left = input.left.map((name) => name.replaceAll(' ', '_'))
      const subject = outwardId('application', applicationId)
      await inTransaction(db, (trx) =>
        recordUndosLeft(trx, { of: `onboarding:${applicationId}`, subject, left }),
      )
    },
  }
}

async function startOrHold(
  trx: Trx,
  applicationId: string,
  { partner, programme }: { partner: PartnerRow; programme: Programme },
) {
  const { closedAt, status } = await getApplication(trx, applicationId)
  // A step that is repeated has started it, or ended it, before.
  if (closedAt) return status === 'active' ? 'none' : 'ended'
  if (partner.status === 'terminated') {
    await recordEnd(trx, applicationId)
    return 'ended'
  }
  const of = { applicationId, partnerId: applicationId }
  const training = await holdForTraining(trx, of, programme)
  if (training !== 'training') await recordStart(trx, applicationId, training)
  return training
}

/** A later termination of the same application has an entry of its own. */
async function recordEnd(trx: Trx, applicationId: string): Promise<void> {
  const termination = await findStandingTermination(trx, applicationId)
  await markApplication(trx, applicationId, { stage: 'done', status: 'lapsed', nextActor: null })
  await recordTimeline(trx, applicationId, {
    key: `terminated_${termination?.id ?? applicationId}`,
    stage: 'done',
    actor: 'system',
    what: 'the partnership was terminated before its first day',
  })
}

async function recordStart(
  trx: Trx,
  applicationId: string,
  training: 'none' | 'passed',
): Promise<void> {
  await Promise.all([
    markPartner(trx, applicationId, { from: ['approved'], to: 'active' }),
    recordTimeline(
      trx,
      applicationId,
      {
        key: 'training_passed',
        stage: 'training',
        actor: training === 'passed' ? 'partner' : 'system',
        what:
          training === 'passed'
            ? 'the certification that is required was passed'
            : 'no certification is required for activation',
      },
      { key: 'active', stage: 'done', actor: 'system', what: 'partner is active' },
    ),
    markApplication(trx, applicationId, { stage: 'done', status: 'active', nextActor: null }),
    recordWelcome(trx, applicationId),
  ])
}
