/** Tells partners that their tier rose. */
import { getPartner } from '../db/partners.ts'
import { listUntoldPromotions, riseNotice } from '../db/tier-promotions.ts'
import { getTierChange } from '../db/tiers.ts'
import { mails } from '../integrations/email-templates/index.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

const promotionsAtOnce = 50

type Deps = Pick<ActivityDeps, 'db' | 'mailer'>

/** Tells the partner of one change, once. */
export async function tellOfRise(deps: Deps, changeId: string): Promise<void> {
  const { partnerId, tier, reason } = await getTierChange(deps.db, changeId)
  const { contactEmail: recipient, contactName: contact } = await getPartner(deps.db, partnerId)
  const notice = { kind: riseNotice, subjectId: changeId, recipient }
  await notify(deps, notice, mails.tierRaised({ contact, tier, reason }))
}

/**
 * Tells of promotions that a person said yes to; those that need nobody are told by their review.
 * A server that takes no mails leaves the rest to the next round.
 */
export async function sendPromotionMails(deps: Deps): Promise<void> {
  for (const changeId of await listUntoldPromotions(deps.db, promotionsAtOnce)) {
    try {
      await tellOfRise(deps, changeId)
    } catch (error) {
      if (!(error instanceof VendorError)) throw error
      if (error.failure !== 'rejected') return
    }
  }
}
