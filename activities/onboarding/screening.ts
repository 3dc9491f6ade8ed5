/** The first look at an application. */
import { type Db, inTransaction, type Trx } from '../../db/database.ts'
import {
  getApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { getProgramme } from '../../db/programmes.ts'
import { listNamesOfApplicant } from '../../db/screening-subjects.ts'
import { countOpenScreenings } from '../../db/screenings.ts'
import type { ActivityDeps } from '../deps.ts'
import { keepScreening } from '../screening-steps.ts'
import { preScreen } from './pre-screen.ts'

/** What the process has to know: a rule turns the application away, or people have to look. */
export type Screened = 'clear' | 'review' | 'rejected'

/** What rules of the programme say, and whose names are to be looked up: nobody's after a no. */
function readNames(db: Db, applicationId: string) {
  return inTransaction(db, async (trx) => {
    const application = await getApplication(trx, applicationId)
    const programme = await getProgramme(trx)
    if (await preScreen(trx, application, programme)) return null
    const threshold = programme.onboarding.screeningThreshold
    return { threshold, names: await listNamesOfApplicant(trx, application) }
  })
}

/** @returns how many findings are open. */
async function markScreened(trx: Trx, applicationId: string): Promise<number> {
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
}

export function screeningActivities({ db, screening }: ActivityDeps) {
  return {
    /**
     * Rules of the programme first; then the company and its people are looked up on the lists.
     * Whatever is found is for those who decide, and never told to the applicant. It is kept at
     * once for all names: a step that is repeated looks all of them up again.
     * @throws VendorError while the lists cannot be looked at: the application waits here.
     */
    async screenApplication({ applicationId }: { applicationId: string }): Promise<Screened> {
      const wanted = await readNames(db, applicationId)
      if (!wanted) return 'rejected'
      const { threshold, names } = wanted
      const looks: Parameters<typeof keepScreening>[2][] = []
      for (const name of names) {
        looks.push({ name, threshold, result: await screening.screen({ ...name, threshold }) })
      }
      const open = await inTransaction(db, async (trx) => {
        for (const look of looks) await keepScreening(trx, { applicationId }, look)
        return markScreened(trx, applicationId)
      })
      return open > 0 ? 'review' : 'clear'
    },
  }
}
