/** The first look at an application. */
import { inTransaction } from '../../db/database.ts'
import {
  getApplication,
  listTwins,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import type { ActivityDeps } from '../deps.ts'

export function screeningActivities({ db }: ActivityDeps) {
  return {
    /**
     * Looks for another application of the same company. A twin is shown to the approver and
     * never told to the applicant.
     */
    async screenApplication({ applicationId }: { applicationId: string }): Promise<void> {
      const application = await getApplication(db, applicationId)
      const twins = await listTwins(db, application)
      const screening = twins.length > 0 ? 'review' : 'clear'
      await inTransaction(db, async (trx) => {
        await markApplication(trx, applicationId, {
          stage: 'agreement',
          status: 'in_review',
          nextActor: 'system',
          screening,
        })
        await recordTimeline(trx, applicationId, {
          key: 'screened',
          stage: 'screening',
          actor: 'system',
          what: screening === 'clear' ? 'screening clear' : 'screening needs a look: same company',
        })
      })
    },
  }
}
