/** Mails about API keys: that they end soon, and that somebody reported one. */
import {
  listEndingKeys,
  listKeyOwners,
  listLeakedKeys,
  markKeyEndTold,
  markKeyLeakTold,
} from '../db/api-keys.ts'
import { type MailContent, mails } from '../integrations/email-templates/index.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

const keysAtOnce = 50

type Deps = Pick<ActivityDeps, 'db' | 'mailer'>

/** How people tell a key from others without seeing it. */
const nameOf = (key: { label: string; prefix: string; lastFour: string }) =>
  `${key.label} (${key.prefix}…${key.lastFour})`

/**
 * Tells everyone who answers for a key. An address that is refused for good stops nobody else.
 * @returns false when the mail server takes nothing now; the next round tries again.
 */
async function tellOwners(
  deps: Deps,
  notice: { kind: string; keyId: string; occurrence: string },
  contentFor: (member: string) => MailContent,
): Promise<boolean> {
  const { kind, keyId: subjectId } = notice
  for (const { id, name, email: recipient } of await listKeyOwners(deps.db, subjectId)) {
    const occurrence = `${notice.occurrence}:${id}`
    try {
      await notify(deps, { kind, subjectId, recipient, occurrence }, contentFor(name))
    } catch (error) {
      if (!(error instanceof VendorError)) throw error
      if (error.failure !== 'rejected') return false
    }
  }
  return true
}

/** Sends what there is to tell of keys; leaks first. */
export async function sendKeyNotices(deps: Deps): Promise<void> {
  for (const key of await listLeakedKeys(deps.db, keysAtOnce)) {
    const notice = { kind: 'api_key_leaked', keyId: key.id, occurrence: '' }
    const told = await tellOwners(deps, notice, (member) =>
      mails.keyLeaked({ member, key: nameOf(key) }),
    )
    if (!told) return
    await markKeyLeakTold(deps.db, key.id)
  }
  for (const key of await listEndingKeys(deps.db, keysAtOnce)) {
    const notice = { kind: 'api_key_ending', keyId: key.id, occurrence: String(key.days) }
    const days = key.days === 1 ? 'within a day' : `within ${key.days} days`
    const until = `${key.expiresAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`
    const told = await tellOwners(deps, notice, (member) =>
      mails.keyEnding({ member, key: nameOf(key), days, until }),
    )
    if (!told) return
    await markKeyEndTold(deps.db, key.id, key.days)
  }
}
