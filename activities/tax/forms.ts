/** Tax forms in the round of the sweeper: what is over, what waits for one, and who is told. */
import { getProgramme } from '../../db/programmes.ts'
import { markExpiredTaxForms } from '../../db/tax/forms.ts'
import { placeTaxHolds, releaseTaxHolds } from '../../db/tax/holds.ts'
import {
  listTaxFormNews,
  occurrenceOf,
  type TaxFormNews,
  taxFormNotice,
} from '../../db/tax/news.ts'
import { mails } from '../../integrations/email-templates/index.ts'
import type { MailContent } from '../../integrations/email-templates/layout.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import type { ActivityDeps } from '../deps.ts'
import { notifyOrPass } from '../notices.ts'

const newsAtOnce = 50

type Deps = Pick<ActivityDeps, 'db' | 'mailer'>

/**
 * Ends forms whose last day is over, holds payouts that miss one and lets go those that do not,
 * and tells partners. A mail server that takes nothing leaves the rest to the next round.
 */
export async function keepTaxForms(deps: Deps): Promise<void> {
  const { db } = deps
  const { deadlines, onboarding } = await getProgramme(db)
  await markExpiredTaxForms(db)
  const gate = { mode: onboarding.taxFormRequired }
  await placeTaxHolds(db, gate)
  await releaseTaxHolds(db, gate)
  const marks = {
    sinceRequest: deadlines.taxFormReminders,
    beforeExpiry: deadlines.taxFormExpiryReminders,
  }
  for (const news of await listTaxFormNews(db, marks, newsAtOnce)) {
    const notice = {
      kind: taxFormNotice,
      subjectId: news.id,
      recipient: news.contactEmail,
      occurrence: occurrenceOf(news),
    }
    try {
      await notifyOrPass(deps, notice, mailOf(news))
    } catch (error) {
      if (!(error instanceof VendorError)) throw error
      return
    }
  }
}

function mailOf({ what, contactName: contact, expiresOn }: TaxFormNews): MailContent {
  const day = expiresOn ?? ''
  switch (what) {
    case 'requested':
      return mails.taxFormWanted({ contact })
    case 'rejected':
      return mails.taxFormRejected({ contact })
    case 'expiring':
      return mails.taxFormExpiring({ contact, day })
    case 'expired':
      return mails.taxFormExpired({ contact, day })
  }
}
