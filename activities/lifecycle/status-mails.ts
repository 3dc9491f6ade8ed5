/** Who is told that a partner was suspended, let back in or terminated. */
import { listPlatformMembers } from '../../db/access.ts'
import {
  listContactsAbove,
  listUntoldChanges,
  statusNotice,
  type UntoldChange,
} from '../../db/lifecycle/status-changes.ts'
import { mails } from '../../integrations/email-templates/index.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import type { ActivityDeps } from '../deps.ts'
import { notifyOrPass } from '../notices.ts'

const changesAtOnce = 50

type Deps = Pick<ActivityDeps, 'db' | 'mailer'>

/**
 * Tells the platform, everyone above and at last the partner itself of each change, once. A server
 * that takes no mails leaves the rest to the next round.
 */
export async function sendStatusMails(deps: Deps): Promise<void> {
  for (const change of await listUntoldChanges(deps.db, changesAtOnce)) {
    for (const to of await recipientsOf(deps.db, change)) {
      try {
        await tell(deps, change, to)
      } catch (error) {
        if (!(error instanceof VendorError)) throw error
        return
      }
    }
  }
}

interface Recipient {
  name: string
  email: string
  occurrence: string
}

async function recipientsOf(db: Deps['db'], change: UntoldChange): Promise<Recipient[]> {
  const platform = await listPlatformMembers(db)
  const contacts = await listContactsAbove(db, change.partnerId)
  return [
    ...platform.map(({ id, name, email }) => ({ name, email, occurrence: id })),
    ...contacts.map(({ id, contactName, contactEmail }) => ({
      name: contactName,
      email: contactEmail,
      occurrence: id === change.partnerId ? 'partner' : id,
    })),
  ]
}

async function tell(deps: Deps, change: UntoldChange, to: Recipient): Promise<void> {
  const { id: subjectId, name: company, status } = change
  const notice = { kind: statusNotice, subjectId, recipient: to.email, occurrence: to.occurrence }
  await notifyOrPass(deps, notice, mails.partnerStatus({ contact: to.name, company, status }))
}
