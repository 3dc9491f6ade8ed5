/** What the database holds of signing in, whoever asks and however many at once. */
import { createHash, randomBytes, randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { recordMember } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { recordPerson } from '../../db/people/credentials.ts'
import { removeStaleAccess } from '../../db/people/mails.ts'
import { findSession, markProved, recordSession } from '../../db/people/sessions.ts'
import { removeTries, returnTry, takeTry } from '../../db/people/sign-in-limits.ts'
import { markStepUsed, recordRecoveryCodes, takeRecoveryCode } from '../../db/people/totp.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeProgramme, unique } from '../support/factories.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
})
afterAll(() => database.drop())

const limit = (bucket: string, tries = 5) => ({ bucket, tries, seconds: 900 })

describe('a limit', () => {
  it('gives exactly its tries, however many ask at once', async () => {
    const bucket = unique('bucket')
    const waits = await Promise.all(
      Array.from({ length: 40 }, () => takeTry(database.db, [limit(bucket)])),
    )
    expect(waits.filter((wait) => wait === null)).toHaveLength(5)
    for (const wait of waits) if (wait !== null) expect(wait).toBeGreaterThan(890)
  })

  it('takes from all its buckets or from none', async () => {
    const { db } = database
    const [narrow, wide] = [unique('narrow'), unique('wide')]
    const both = [limit(wide, 100), limit(narrow, 1)]
    const waits = await Promise.all(Array.from({ length: 20 }, () => takeTry(db, both)))
    expect(waits.filter((wait) => wait === null)).toHaveLength(1)
    const { rows } = await sql<{ tries: number }>`select tries from sign_in_limits
      where bucket = ${wide}`.execute(db)
    expect(rows).toEqual([{ tries: 1 }])
  })

  it('begins anew when its time is over, is given back, or is cleared', async () => {
    const { db } = database
    const bucket = unique('bucket')
    const take = () => takeTry(db, [limit(bucket, 1)])
    expect(await take()).toBeNull()
    expect(await take()).not.toBeNull()
    await returnTry(db, bucket)
    expect(await take()).toBeNull()
    await removeTries(db, [bucket])
    expect(await take()).toBeNull()
    await sql`update sign_in_limits set resets_at = now() where bucket = ${bucket}`.execute(db)
    expect(await take()).toBeNull()
  })

  it('gives no try without a database', async () => {
    const other = await createTestDatabase()
    await other.drop()
    await expect(takeTry(other.db, [limit('any')])).rejects.toThrow()
  })
})

async function signedIn() {
  const { db } = database
  const email = `${unique('person')}@people.example`
  const tokenHash = createHash('sha256').update(randomBytes(32)).digest()
  const id = randomUUIDv7()
  const personId = await inTransaction(db, async (trx) => {
    const member = { id: randomUUIDv7(), partnerId: null, name: 'P', email }
    const memberId = await recordMember(trx, member)
    const person = await recordPerson(trx, email)
    await recordSession(trx, {
      id,
      memberId,
      personId: person,
      level: 'super_admin',
      tokenHash,
      needs: null,
      methods: ['password'],
      steppedUpAt: 'now',
      ip: '127.0.0.1',
      userAgent: 'test',
    })
    return person
  })
  return { id, personId, tokenHash }
}

describe('a session', () => {
  it('is found by its hash with everything about its member', async () => {
    const { id, personId, tokenHash } = await signedIn()
    const session = await findSession(database.db, tokenHash)
    expect(session).toMatchObject({
      id,
      personId,
      level: 'super_admin',
      role: 'owner',
      partnerId: null,
      needs: null,
      isSteppedUp: true,
      isNew: true,
      hasPassword: false,
      hasTotp: false,
      passkeys: 0,
    })
    expect(await findSession(database.db, randomBytes(32))).toBeUndefined()
  })

  it('gets another token once, from whoever is first', async () => {
    const { id, tokenHash } = await signedIn()
    const session = { id, level: 'super_admin', needs: null, methods: ['password'] } as const
    const prove = () =>
      inTransaction(database.db, (trx) =>
        markProved(
          trx,
          { ...session, methods: [...session.methods] },
          {
            method: 'totp',
            stepsUp: true,
            oldHash: tokenHash,
            newHash: randomBytes(32),
          },
        ),
      )
    const results = await Promise.allSettled([prove(), prove(), prove()])
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})

describe('a code', () => {
  it('of a step is used once, and none before it', async () => {
    const { db } = database
    const { personId } = await signedIn()
    const tries = await Promise.all(
      Array.from({ length: 10 }, () => markStepUsed(db, personId, 1_000)),
    )
    expect(tries.filter(Boolean)).toHaveLength(1)
    expect(await markStepUsed(db, personId, 999)).toBe(false)
    expect(await markStepUsed(db, personId, 1_001)).toBe(true)
  })

  it('on paper is used once', async () => {
    const { db } = database
    const { personId } = await signedIn()
    const hash = randomBytes(32)
    await inTransaction(db, (trx) => recordRecoveryCodes(trx, personId, [hash]))
    const tries = await Promise.all(
      Array.from({ length: 10 }, () => takeRecoveryCode(db, personId, hash)),
    )
    expect(tries.filter(Boolean)).toHaveLength(1)
  })
})

test('what has had its time is forgotten, what is alive stays', async () => {
  const { db } = database
  const [old, live] = [await signedIn(), await signedIn()]
  await sql`update sessions set expires_at = now() - interval '91 days'
    where id = ${old.id}`.execute(db)
  await removeStaleAccess(db)
  const { rows } = await sql<{ id: string }>`select id from sessions
    where id in (${old.id}, ${live.id})`.execute(db)
  expect(rows).toEqual([{ id: live.id }])
})
