/** Who is told of disputes of lines, and who is reminded that it is its turn. */
import { listPlatformMembers } from '../../db/access.ts'
import { getProgramme } from '../../db/programmes.ts'
import {
  type DisputeNews,
  disputeNotice,
  listDueTurns,
  listUntoldDisputeEvents,
  markTurnReminded,
} from '../../db/settlement/line-dispute-news.ts'
import { mails } from '../../integrations/email-templates/index.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import type { ActivityDeps } from '../deps.ts'
import { type notify, notifyOrPass } from '../notices.ts'

const eventsAtOnce = 50

type Deps = Pick<ActivityDeps, 'db' | 'mailer'>

interface Recipient {
  name: string
  email: string
  occurrence: string
}

const partnerOf = ({ contactName, contactEmail }: DisputeNews): Recipient => ({
  name: contactName,
  email: contactEmail,
  occurrence: 'partner',
})

async function platform(deps: Deps): Promise<Recipient[]> {
  const members = await listPlatformMembers(deps.db)
  return members.map(({ id, name, email }) => ({ name, email, occurrence: id }))
}

/**
 * Tells of what was said and decided, the partner last, then reminds whose turn it is. A mail
 * server that takes nothing leaves the rest to the next round.
 */
export async function sendDisputeMails(deps: Deps): Promise<void> {
  for (const event of await listUntoldDisputeEvents(deps.db, eventsAtOnce)) {
    const others = event.side === 'partner' ? await platform(deps) : []
    for (const to of [...others, partnerOf(event)]) {
      const notice = { kind: disputeNotice, subjectId: event.id, occurrence: to.occurrence }
      const content = mails.disputeNews({
        contact: to.name,
        statement: event.documentNumber,
        news: event.kind,
      })
      if (!(await sent(deps, { ...notice, recipient: to.email }, content))) return
    }
  }
  await remind(deps)
}

async function remind(deps: Deps): Promise<void> {
  const { deadlines } = await getProgramme(deps.db)
  for (const turn of await listDueTurns(deps.db, deadlines.lineDisputeReminders, eventsAtOnce)) {
    const recipients = turn.status === 'opened' ? await platform(deps) : [partnerOf(turn)]
    for (const to of recipients) {
      const occurrence = `${turn.turnAt.toISOString()}:${turn.mark}:${to.occurrence}`
      const notice = { kind: 'line_dispute_reminder', subjectId: turn.id, occurrence }
      const content = mails.disputeReminder({
        contact: to.name,
        statement: turn.documentNumber,
        due: turn.dueAt.toISOString().slice(0, 10),
      })
      if (!(await sent(deps, { ...notice, recipient: to.email }, content))) return
    }
    await markTurnReminded(deps.db, turn)
  }
}

/** @returns false when the mail server takes nothing now. */
async function sent(
  deps: Deps,
  notice: Parameters<typeof notify>[1],
  content: Parameters<typeof notify>[2],
): Promise<boolean> {
  try {
    await notifyOrPass(deps, notice, content)
    return true
  } catch (error) {
    if (!(error instanceof VendorError)) throw error
    return false
  }
}
