/** The first look at an application. */
import { inTransaction } from '../../db/database.ts'
import {
  type ApplicationRow,
  getApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { getProgramme } from '../../db/programmes.ts'
import { listNamesOfApplicant } from '../../db/screening-subjects.ts'
import { countOpenScreenings } from '../../db/screenings.ts'
import type { ActivityDeps } from '../deps.ts'
import { screenName } from '../screening-steps.ts'
import { preScreen } from './pre-screen.ts'

/** What the process has to know: a rule turns the application away, or people have to look. */
export type Screened = 'clear' | 'review' | 'rejected'

export function screeningActivities(deps: ActivityDeps) {
  const { db } = deps

  async function screenNames(application: ApplicationRow): Promise<void> {
    const { onboarding } = await getProgramme(db)
    const threshold = onboarding.screeningThreshold
    const subject = { applicationId: application.id }
    for (const name of await listNamesOfApplicant(db, application)) {
      await screenName(deps, subject, { name, threshold })
    }
  }

  return {
    /**
     * Rules of the programme first; then the company and its people are looked up on the lists.
     * Whatever is found is for those who decide, and never told to the applicant.
     * @throws VendorError while the lists cannot be looked at: the application waits here.
     */
    async screenApplication({ applicationId }: { applicationId: string }): Promise<Screened> {
      const application = await getApplication(db, applicationId)
      if (await preScreen(db, application)) return 'rejected'
      await screenNames(application)
      const findings = await inTransaction(db, async (trx) => {
        const open = await countOpenScreenings(trx, applicationId)
        await markApplication(trx, applicationId, {
          stage: 'agreement',
          status: 'in_review',
          nextActor: 'system',
          screening: open > 0 ? 'review' : 'clear',
        })
        await recordTimeline(trx, applicationId, {
          key: 'screened',
          stage: 'screening',
          actor: 'system',
          what: 'screening done',
        })
        return open
      })
      return findings > 0 ? 'review' : 'clear'
    },
  }
}
