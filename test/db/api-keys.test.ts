/** Keys as the database has them: where they work, how often a use is noted, what is refused. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { generateKey } from '../../api/keys.ts'
import { findPrincipal, markKeyUsed, recordApiKey, recordMember } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme, unique } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let database: TestDatabase
let tenancy: TestTenancy
let memberId: string
beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
  tenancy = await openTestTenancy(database)
  const partnerId = await makePartner(database.db)
  const member = { partnerId, name: 'Ada', email: `${unique('ada')}@partner.example` }
  memberId = await inTransaction(database.db, (trx) =>
    recordMember(trx, { id: randomUUIDv7(), ...member }),
  )
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

async function makeKey(allowedIps: string[] | null = null) {
  const { secret: _shownOnce, ...stored } = generateKey('test')
  const id = randomUUIDv7()
  const expiresAt = new Date(Date.now() + 3_600_000)
  const key = { ...stored, id, memberId, label: 'key', scopes: ['read'], allowedIps, expiresAt }
  await inTransaction(database.db, (trx) => recordApiKey(trx, key))
  return { id, hash: stored.secretHash }
}

/** The database as a request from this address has it, before anybody is known. */
const doorAt = (address: string) =>
  tenancy.dbFor(contextAt('sign_in', null, { actor: 'caller:test', address }))

describe('a key with allowed addresses', () => {
  it.each([
    ['203.0.113.9', ['203.0.113.0/24'], true],
    ['203.0.114.9', ['203.0.113.0/24'], false],
    ['203.0.113.9', ['198.51.100.1', '203.0.113.9'], true],
    ['203.0.113.9', ['203.0.113.77/24'], true],
    ['::ffff:203.0.113.9', ['203.0.113.0/24'], true],
    ['2001:db8:1::7', ['2001:db8::/32'], true],
    ['2001:db9:1::7', ['2001:db8::/32'], false],
    ['2001:0DB8:0001:0000::7', ['2001:db8:1::7'], true],
    ['::1', ['127.0.0.1'], false],
    ['fe80::1%eth0', ['fe80::/10'], false],
    ['not an address', ['0.0.0.0/1', '128.0.0.0/1', '::/1'], false],
    ['', ['0.0.0.0/1'], false],
    ['anywhere', null, true],
  ])('from %s, where it works from %j: %p', async (address, allowedIps, expected) => {
    const { hash } = await makeKey(allowedIps)
    const principal = await findPrincipal(doorAt(address), hash)
    expect(principal?.memberId).toBe(expected ? memberId : undefined)
  })

  it('works from nowhere where no context tells an address', async () => {
    const { hash } = await makeKey(['0.0.0.0/1', '128.0.0.0/1'])
    expect(await findPrincipal(database.db, hash)).toBeUndefined()
  })
})

describe('the last use of a key', () => {
  it('is noted with its address, at most once a minute', async () => {
    const { id } = await makeKey()
    const read = async () => {
      const { rows } = await sql<{ at: Date; ip: string }>`
        select last_used_at as at, last_used_ip as ip from api_keys where id = ${id}`.execute(
        database.db,
      )
      return rows[0]
    }
    await markKeyUsed(doorAt('::ffff:203.0.113.9'), id)
    const first = await read()
    expect(first?.ip).toBe('203.0.113.9')
    await markKeyUsed(doorAt('198.51.100.4'), id)
    expect(await read()).toEqual(first)
    await sql`update api_keys set last_used_at = last_used_at - interval '61 seconds'
      where id = ${id}`.execute(database.db)
    await markKeyUsed(doorAt('198.51.100.4'), id)
    expect((await read())?.ip).toBe('198.51.100.4')
  })
})

describe('the table of keys', () => {
  it.each([
    ['a list of nothing', `allowed_ips = '{}'`],
    ['what is no address', `allowed_ips = '{somewhere}'`],
    ['more than 20', `allowed_ips = array_fill('::1'::text, array[21])`],
    ['a key that takes over from itself', 'replaced_by = id'],
    ['a leak that is not revoked', 'leaked_at = clock_timestamp()'],
  ])('holds no %s', async (_what, change) => {
    const { id } = await makeKey()
    const update = sql.raw(`update api_keys set ${change} where id = '${id}'`)
    await expect(update.execute(database.db)).rejects.toThrow(/violates|invalid input/)
  })
})
