/** The first look at an application. */
import { inTransaction } from '../../db/database.ts'
import {
  getApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import type { ActivityDeps } from '../deps.ts'
import { preScreen } from './pre-screen.ts'

/** What the process has to know after the first look; a rule may turn the application away. */
export type Screened = 'clear' | 'rejected'

export function screeningActivities({ db }: ActivityDeps) {
  return {
    /** Rules of the programme first, then everything else that comes before the agreement. */
    async screenApplication({ applicationId }: { applicationId: string }): Promise<Screened> {
      const application = await getApplication(db, applicationId)
      if (await preScreen(db, application)) return 'rejected'
      await inTransaction(db, async (trx) => {
        await markApplication(trx, applicationId, {
          stage: 'agreement',
          status: 'in_review',
          nextActor: 'system',
          screening: 'clear',
        })
        await recordTimeline(trx, applicationId, {
          key: 'screened',
          stage: 'screening',
          actor: 'system',
          what: 'screening clear',
        })
      })
      return 'clear'
    },
  }
}
