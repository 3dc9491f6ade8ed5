/** The nightly look at everybody, because lists change: only what changed is looked up again. */
import { listPlatformMembers } from '../db/access.ts'
import { getProgramme } from '../db/programmes.ts'
import { listSubjectPage, type SubjectNames } from '../db/screening-subjects.ts'
import { isScreened, listUntoldScreenings, untoldNotice } from '../db/screenings.ts'
import { mails } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'
import { notifyOrPass } from './notices.ts'
import { screenName } from './screening-steps.ts'

const pageSize = 50

export interface RescreenedPage {
  /** The last subject of the page, or null when there are no more. */
  last: string | null
  /** How many names were looked up. */
  screened: number
  /** How many of them found something new. */
  findings: number
}

interface Lists {
  provider: 'file' | 'watchman'
  listVersion: string
  threshold: number
}

export function rescreeningActivities(deps: ActivityDeps) {
  const { db, screening, links } = deps

  /** Each name is kept by itself, so that a page that is repeated goes on where it stopped. */
  async function rescreen({ subject, names }: SubjectNames, lists: Lists, page: RescreenedPage) {
    for (const name of names) {
      if (await isScreened(db, subject, { name, lists })) continue
      const { threshold } = lists
      const { news } = await screenName(deps, subject, { name, threshold })
      page.screened += 1
      if (news) page.findings += 1
    }
  }

  return {
    /**
     * Looks up the names of the next partners and open applications that were not yet looked up on
     * the lists as they are now. A new finding holds the payouts of a partner at once.
     */
    async rescreenPage({ after }: { after: string | null }): Promise<RescreenedPage> {
      const { provider } = screening
      const page: RescreenedPage = { last: null, screened: 0, findings: 0 }
      if (provider === 'none') return page
      const { onboarding } = await getProgramme(db)
      const listVersion = await screening.listVersion()
      const lists = { provider, listVersion, threshold: onboarding.screeningThreshold }
      const { last, subjects } = await listSubjectPage(db, { after, size: pageSize })
      for (const subject of subjects) await rescreen(subject, lists, page)
      return { ...page, last }
    },

    /**
     * Asks the people of the platform to look at what was found and not told yet, of one applicant
     * or of everybody.
     */
    async mailScreenings({ subjectId }: { subjectId: string | null }): Promise<void> {
      const members = await listPlatformMembers(db)
      for (const row of await listUntoldScreenings(db, subjectId)) {
        const facts = {
          company: row.company,
          whose: row.kind === 'company' ? 'the company' : 'one of its people',
          findings: Number(row.findings),
          isPartner: row.partnerId !== null,
          screeningUrl: links.screeningUrl(row.id),
        }
        for (const { id: occurrence, name, email: recipient } of members) {
          const notice = { kind: untoldNotice, subjectId: row.id, recipient, occurrence }
          await notifyOrPass(deps, notice, mails.screeningOpen({ member: name, ...facts }))
        }
      }
    },
  }
}
