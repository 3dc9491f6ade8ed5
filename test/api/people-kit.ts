/** People who sign in, and the browsers that they do it with. */
import { createHmac, randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { recordMember } from '../../db/access.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { findPerson, recordFirstPassword } from '../../db/people/credentials.ts'
import { mailboxIndex, openedFields } from '../../db/personal-fields.ts'
import type { MemberRole } from '../../domain/members.ts'
import { codeAt, stepAt } from '../../domain/totp.ts'
import { hashPassword } from '../../integrations/passwords.ts'
import { unique } from '../support/factories.ts'
import type { Answer, Call, Json } from './kit.ts'

export const password = 'a quiet walk by the river'
const hashed = hashPassword(password)

export interface Person {
  id: string
  email: string
}

/** A member with a password. */
export async function makePerson(
  db: Db,
  member: { partnerId: string | null; role?: MemberRole; email?: string },
): Promise<Person> {
  const { partnerId, role = 'owner', email = `${unique('person')}@people.example` } = member
  const passwordHash = await hashed
  const id = await inTransaction(db, async (trx) => {
    const made = { id: randomUUIDv7(), partnerId, name: 'Grace Hopper', email, role }
    const memberId = await recordMember(trx, made)
    if (!(await findPerson(trx, email))) await recordFirstPassword(trx, { email, passwordHash })
    return memberId
  })
  return { id, email }
}

export interface Browser {
  /** The value of the session's cookie. */
  cookie(): string | undefined
  take(cookie: string | undefined): void
  send(method: string, path: string, body?: unknown, headers?: Json): Promise<Answer>
  signIn(email: string, more?: Json): Promise<Answer>
}

/** A browser on one of our own pages: it keeps cookies, and tells where it is. */
export function openBrowser(call: Call, origin: string): Browser {
  const cookies = new Map<string, string>()
  const name = '__Host-sid'

  function keep({ headers }: Answer): void {
    for (const line of headers.getSetCookie()) {
      const [, key = '', value = '', rest = ''] = /^([^=]+)=([^;]*)(.*)$/.exec(line) ?? []
      expect(rest).toMatch(/^; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=\d+$/)
      if (rest.endsWith('Max-Age=0')) cookies.delete(key)
      else cookies.set(key, value)
    }
  }

  const send: Browser['send'] = async (method, path, body, headers = {}) => {
    const cookie = [...cookies].map(([key, value]) => `${key}=${value}`).join('; ')
    const answer = await call(path, {
      method,
      ...(body === undefined ? {} : { body }),
      headers: {
        ...(cookie === '' ? {} : { Cookie: cookie }),
        Origin: origin,
        'Sec-Fetch-Site': 'same-origin',
        ...(headers as Record<string, string>),
      },
    })
    keep(answer)
    return answer
  }

  return {
    cookie: () => cookies.get(name),
    take(cookie) {
      if (cookie === undefined) cookies.delete(name)
      else cookies.set(name, cookie)
    },
    send,
    signIn: (email, more = {}) => send('POST', '/v1/sessions', { email, password, ...more }),
  }
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function fromBase32(text: string): Buffer {
  const bits = [...text].map((sign) => alphabet.indexOf(sign).toString(2).padStart(5, '0')).join('')
  const bytes = bits.match(/.{8}/g) ?? []
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)))
}

/** What the app shows, in another step where that is asked for. */
export function codeOf(secret: string, offset = 0): string {
  const key = fromBase32(secret)
  const hash = (counter: Uint8Array) => createHmac('sha1', key).update(counter).digest()
  return codeAt(hash, stepAt(new Date()) + offset)
}

/** As if the codes of the last minute had not been shown. */
export async function forgetCodes(db: Db, email: string): Promise<void> {
  await sql`update people set totp_last_step = 0
    where email_index = ${mailboxIndex(email)}`.execute(db)
}

/** As if this had happened earlier than it did. */
export async function makeOlder(db: Db, email: string, interval: string): Promise<void> {
  await sql`update sessions set created_at = created_at - ${interval}::interval,
      last_seen_at = last_seen_at - ${interval}::interval,
      stepped_up_at = stepped_up_at - ${interval}::interval
    where person_id = (select id from people
      where email_index = ${mailboxIndex(email)})`.execute(db)
}

/** Sets up an app right after signing in. */
export async function enrolTotp(browser: Browser) {
  const begun = await browser.send('POST', '/v1/second-factors/totp')
  expect([begun.status, begun.body.code]).toEqual([201, undefined])
  const secret = String(begun.body.secret)
  const code = codeOf(secret, -1)
  const done = await browser.send('POST', '/v1/second-factors/totp/confirm', { code })
  expect([done.status, done.body.code]).toEqual([200, undefined])
  return { secret, recoveryCodes: done.body.recovery_codes as string[] }
}

/** What was written to an address about its access, oldest first. */
export async function accessMailsTo(db: Db, email: string) {
  const mails = await db
    .selectFrom('accessMails')
    .select(['kind', 'subjectId', 'what'])
    .select(openedFields('accessMails'))
    .orderBy('id')
    .execute()
  return mails.filter(({ recipient }) => recipient === email)
}
