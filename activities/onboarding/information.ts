/** Questions to an applicant while the decision waits. */
import { inTransaction } from '../../db/database.ts'
import {
  lockApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { levelOfMember } from '../../db/onboarding/decisions.ts'
import {
  isAnswered,
  markInformationAnswered,
  markInformationAsked,
} from '../../db/onboarding/information.ts'
import { deciderOf } from '../../domain/partners.ts'
import type { ActivityDeps } from '../deps.ts'

export function informationActivities({ db }: ActivityDeps) {
  return {
    /** Asks the applicant; from now on it acts next. */
    async askApplicant(input: {
      applicationId: string
      requestId: string
      dueAt: string
    }): Promise<void> {
      const { applicationId, requestId } = input
      const dueAt = new Date(input.dueAt)
      await inTransaction(db, async (trx) => {
        await lockApplication(trx, applicationId)
        const memberId = await markInformationAsked(trx, requestId, { applicationId, dueAt })
        await markApplication(trx, applicationId, {
          stage: 'approval',
          nextActor: 'applicant',
          dueAt,
        })
        await recordTimeline(trx, applicationId, {
          key: `asked:${requestId}`,
          stage: 'approval',
          actor: await levelOfMember(trx, memberId),
          what: 'more information is needed from the applicant',
          dueAt,
        })
      })
    },

    /** Whether the answer is there, in case nobody told the process. */
    async findAnswer({ requestId }: { requestId: string }): Promise<boolean> {
      return await isAnswered(db, requestId)
    },

    /** The decision goes on with the rest of its time. */
    async resumeDecision(input: {
      applicationId: string
      requestId: string
      dueAt: string
      escalated: boolean
    }): Promise<void> {
      const { applicationId, requestId } = input
      const dueAt = new Date(input.dueAt)
      await inTransaction(db, async (trx) => {
        const row = await lockApplication(trx, applicationId)
        await markInformationAnswered(trx, requestId)
        await markApplication(trx, applicationId, {
          stage: 'approval',
          nextActor: input.escalated ? 'super_admin' : deciderOf(row),
          dueAt,
        })
        await recordTimeline(trx, applicationId, {
          key: `answered:${requestId}`,
          stage: 'approval',
          actor: 'applicant',
          what: 'the applicant answered; waiting for a decision',
          dueAt,
        })
      })
    },
  }
}
