/** Tells partners of their new tier. */
import { getPartner } from '../db/partners.ts'
import { listUntoldTierChanges, tierNotice } from '../db/tier-notices.ts'
import { getTierChange } from '../db/tiers.ts'
import { dayOf } from '../domain/period.ts'
import { type MailContent, mails } from '../integrations/email-templates/index.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import type { ActivityDeps } from './deps.ts'
import { notifyOrPass } from './notices.ts'

const changesAtOnce = 50

type Deps = Pick<ActivityDeps, 'db' | 'mailer'>

type Change = Awaited<ReturnType<typeof getTierChange>>

function wordsFor({ tier, reason, isOverride, ends, until }: Change, contact: string): MailContent {
  if (!isOverride) return mails.tierRaised({ contact, tier, reason })
  if (ends) return mails.tierOverrideEnded({ contact, tier })
  return until === null
    ? mails.tierSet({ contact, tier })
    : mails.tierSetUntil({ contact, tier, day: dayOf(until) })
}

/** Tells the partner of one change, once. */
export async function tellOfTier(deps: Deps, changeId: string): Promise<void> {
  const change = await getTierChange(deps.db, changeId)
  const { contactEmail, contactName } = await getPartner(deps.db, change.partnerId)
  const notice = { kind: tierNotice, subjectId: changeId, recipient: contactEmail }
  await notifyOrPass(deps, notice, wordsFor(change, contactName))
}

/**
 * Tells of changes that people decided on; those that a review decided are told by their process.
 * A server that takes no mails leaves the rest to the next round.
 */
export async function sendTierMails(deps: Deps): Promise<void> {
  for (const changeId of await listUntoldTierChanges(deps.db, changesAtOnce)) {
    try {
      await tellOfTier(deps, changeId)
    } catch (error) {
      if (!(error instanceof VendorError)) throw error
      return
    }
  }
}
