/** Mails that go out once, however often the step that sends them is repeated. */
import { markNoticeSent, type Notice, recordNotice } from '../db/inbox.ts'
import type { MailContent } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'

/** Claims the notice, sends it, and notes that it is sent; a claimed mail keeps its Message-ID. */
export async function notify(
  { db, mailer }: Pick<ActivityDeps, 'db' | 'mailer'>,
  notice: Notice,
  content: MailContent,
): Promise<void> {
  const claimed = await recordNotice(db, notice)
  if (claimed.sent) return
  await mailer.send({ id: claimed.id, kind: notice.kind, to: claimed.recipient, content })
  await markNoticeSent(db, claimed.id)
}
