/** Mails about keys: their owners are told before the end, once each time, and of every leak. */

import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { sendKeyNotices } from '../../activities/key-notices.ts'
import { generateKey } from '../../api/keys.ts'
import { recordApiKey, recordMember } from '../../db/access.ts'
import { markKeyLeaked } from '../../db/api-keys.ts'
import { inTransaction } from '../../db/database.ts'
import { openedField } from '../../db/personal-fields.ts'
import type { MemberRole } from '../../domain/members.ts'
import type { Mail, Mailer } from '../../integrations/email.ts'
import { VendorError, type VendorFailure } from '../../integrations/vendor-error.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme, unique } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let database: TestDatabase
let tenancy: TestTenancy
beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
  tenancy = await openTestTenancy(database, { role: 'worker' })
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

/** Rounds of the worker, with what it may and a mail server that refuses some addresses. */
function rounds(refuse: Record<string, VendorFailure> = {}) {
  const sent: Mail[] = []
  const send = async (mail: Mail) => {
    const failure = refuse[mail.to]
    if (failure) throw new VendorError({ vendor: 'mail', failure, code: 'x', message: 'no' })
    sent.push(mail)
  }
  const db = tenancy.dbFor(contextAt('worker', null, { actor: 'system:worker' }))
  const round = () => sendKeyNotices({ db, mailer: { send, close() {} } as Mailer })
  const told = () => sent.map(({ to }) => to.split('@')[0] ?? '').sort()
  return { sent, round, told }
}

async function makeMember(partnerId: string, name: string, role: MemberRole): Promise<string> {
  const member = { id: randomUUIDv7(), partnerId, name, email: `${name}@${unique('x')}.example` }
  return inTransaction(database.db, (trx) => recordMember(trx, { ...member, role }))
}

/** A key that was made for so many days and has so many left. */
async function makeKey(memberId: string, { madeFor = 365, left = 365 } = {}) {
  const { secret: _shownOnce, ...stored } = generateKey('test')
  const id = randomUUIDv7()
  const key = { ...stored, id, memberId, label: 'till', scopes: ['read'] }
  await inTransaction(database.db, (trx) =>
    recordApiKey(trx, { ...key, expiresAt: new Date(Date.now() + 86_400_000) }),
  )
  await sql`update api_keys set
      expires_at = clock_timestamp() + make_interval(secs => ${left * 86_400}),
      created_at = clock_timestamp() - make_interval(secs => ${(madeFor - left) * 86_400})
    where id = ${id}`.execute(database.db)
  const leave = (days: number) =>
    sql`update api_keys set expires_at = clock_timestamp() + make_interval(secs => ${days * 86_400})
      where id = ${id}`.execute(database.db)
  return { id, leave, hash: stored.secretHash, lastFour: stored.lastFour }
}

async function organisation() {
  const partnerId = await makePartner(database.db)
  const ida = await makeMember(partnerId, 'ida', 'admin')
  await makeMember(partnerId, 'olga', 'owner')
  await makeMember(partnerId, 'vera', 'viewer')
  return { partnerId, ida }
}

test('its member and the owners are told 30, 7 and 1 days before a key ends, once each time', async () => {
  const { ida } = await organisation()
  const key = await makeKey(ida, { left: 31 })
  const { sent, round, told } = rounds()
  await round()
  expect(told()).toEqual([])
  for (const [left, subject] of [
    [29.9, 'An API key ends within 30 days'],
    [6.9, 'An API key ends within 7 days'],
    [0.5, 'An API key ends within a day'],
  ] as const) {
    sent.length = 0
    await key.leave(left)
    await round()
    await round()
    expect([left, told()]).toEqual([left, ['ida', 'olga']])
    const [first] = sent
    expect(first?.content.subject).toBe(subject)
    expect(first?.content.paragraphs.join()).toContain(`till (trib_test_sk_…${key.lastFour})`)
  }
  sent.length = 0
  await key.leave(0)
  await round()
  expect(told()).toEqual([])
})

test('who was away for a while gets the last warning only', async () => {
  const { ida } = await organisation()
  await makeKey(ida, { left: 0.9 })
  const { sent, round } = rounds()
  await round()
  expect(sent.map(({ content }) => content.subject)).toEqual(
    Array(2).fill('An API key ends within a day'),
  )
})

test.each([
  ['was made for less time than the warning', { madeFor: 7, left: 6.9 }, ''],
  ['is revoked', { left: 5 }, 'revoked_at = clock_timestamp()'],
  ['has a key that took over', { left: 5 }, 'replaced_by = other'],
])('nobody is told of a key that %s', async (_what, days, change) => {
  const { ida } = await organisation()
  const { id } = await makeKey(ida, days)
  const other = await makeKey(ida)
  if (change) {
    const set = change.replace('other', `'${other.id}'`)
    await sql.raw(`update api_keys set ${set} where id = '${id}'`).execute(database.db)
  }
  const { round, told } = rounds()
  await round()
  expect(told()).toEqual([])
})

test('a leak is told once, to those who answer for the key and to nobody else', async () => {
  const { partnerId, ida } = await organisation()
  await organisation()
  await sql`update members set status = 'disabled', disabled_at = clock_timestamp()
    where id = ${await makeMember(partnerId, 'odd', 'owner')}`.execute(database.db)
  const key = await makeKey(ida)
  await markKeyLeaked(database.db, key.hash)
  const { sent, round, told } = rounds()
  await round()
  await round()
  expect(told()).toEqual(['ida', 'olga'])
  expect(sent[0]?.content.subject).toBe('An API key was reported and is revoked')
})

test('a refused address stops nobody, and a server that is away delays only', async () => {
  const { ida } = await organisation()
  const key = await makeKey(ida)
  await markKeyLeaked(database.db, key.hash)
  const { email } = await database.db
    .selectFrom('members')
    .select(openedField('members', 'email').as('email'))
    .where('id', '=', ida)
    .executeTakeFirstOrThrow()
  const away = rounds({ [email]: 'unknown' })
  await away.round()
  const back = rounds({ [email]: 'rejected' })
  await back.round()
  await back.round()
  expect([...away.told(), ...back.told()]).toEqual(['olga'])
})

test('neither a mail nor the use of a key is in the audit trail', async () => {
  const { partnerId, ida } = await organisation()
  await makeKey(ida, { left: 5 })
  const events = async () => {
    const { rows } = await sql<{ found: number }>`select count(*)::int as found from audit_events
      where partner_id = ${partnerId} and kind = 'api_key'`.execute(database.db)
    return rows[0]?.found
  }
  const before = await events()
  expect(before).toBeGreaterThan(0)
  const { round, told } = rounds()
  await round()
  expect(told()).toEqual(['ida', 'olga'])
  await sql`update api_keys set last_used_at = clock_timestamp(), last_used_ip = '192.0.2.1'
    where member_id = ${ida}`.execute(database.db)
  expect(await events()).toBe(before)
})
