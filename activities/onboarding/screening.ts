/** The first look at an application. */
import { inTransaction } from '../../db/database.ts'
import {
  getApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import type { ActivityDeps } from '../deps.ts'
import { preScreen } from './pre-screen.ts'

/** What the process has to know after the first look. */
export interface Screened {
  /** A rule of the programme turns the application away. */
  rejected: boolean
}

export function screeningActivities({ db }: ActivityDeps) {
  return {
    /** Rules of the programme first, then everything else that comes before the agreement. */
    async screenApplication({ applicationId }: { applicationId: string }): Promise<Screened> {
      const application = await getApplication(db, applicationId)
      if (await preScreen(db, application)) return { rejected: true }
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
      return { rejected: false }
    },
  }
}
