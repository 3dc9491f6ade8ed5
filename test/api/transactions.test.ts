/** Plain writes under a key: the effect and its answer are one, wherever the request breaks off. */

import { randomUUID } from 'node:crypto'
import { type KyselyPlugin, sql } from 'kysely'
import { type KeyedRequest, onceInTransaction, requireKey } from '../../api/idempotency.ts'
import type { Answer } from '../../api/route.ts'
import { recordMember } from '../../db/access.ts'
import { type Db, openDatabase, type Trx } from '../../db/database.ts'
import { DomainError, isDomainError } from '../../domain/errors.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
let partnerId: string
beforeAll(async () => {
  database = await createTestDatabase(20)
  await makeProgramme(database.db)
  partnerId = await makePartner(database.db)
})
afterAll(() => database.drop())

const settings = { linkSecret: 's'.repeat(32) }

const requestOf = (changes: Partial<KeyedRequest> = {}): KeyedRequest => ({
  partnerId,
  principal: 'member',
  method: 'POST',
  route: '/v1/members',
  path: '/v1/members',
  rawBody: Buffer.from('{"name":"Ana"}'),
  header: randomUUID(),
  ...changes,
})

/** The effect: one member more; its id is that of the operation. */
async function addMember(trx: Trx, operationId: string): Promise<Answer> {
  const email = `${randomUUID()}@shop.example`
  await recordMember(trx, { id: operationId, partnerId, name: 'Ana', email })
  return { status: 201, body: { id: operationId }, headers: { Location: `/v1/${operationId}` } }
}

const once = (request: KeyedRequest, execute = addMember, db: Db = database.db) =>
  onceInTransaction({ db, settings }, request, execute)

const outcome = (request: KeyedRequest, execute = addMember) =>
  once(request, execute).then(
    (answer) => (answer.headers?.['Idempotent-Replayed'] ? 'replayed' : answer.status),
    (error) => (isDomainError(error) ? error.code : Promise.reject(error)),
  )

async function counted(table: 'members' | 'idempotencyKeys'): Promise<number> {
  const { n } = await database.db
    .selectFrom(table)
    .select(sql<number>`count(*)::int`.as('n'))
    .executeTakeFirstOrThrow()
  return n
}

describe('a write under a key', () => {
  it('happens once, and is answered the same again', async () => {
    const before = await counted('members')
    const request = requestOf()
    const first = await once(request)
    const again = await once(request)
    expect(again).toEqual({
      ...first,
      headers: { ...first.headers, 'Idempotent-Replayed': 'true' },
    })
    expect(await counted('members')).toBe(before + 1)
  })

  it('happens once for fifty equal requests at the same time', async () => {
    const before = await counted('members')
    const request = requestOf()
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcome(request)))
    expect(outcomes.filter((seen) => seen === 201)).toHaveLength(1)
    const others = outcomes.filter((seen) => seen !== 201)
    expect(
      others.filter((seen) => seen !== 'idempotency_key_in_use' && seen !== 'replayed'),
    ).toEqual([])
    expect(await counted('members')).toBe(before + 1)
    expect(await outcome(request)).toBe('replayed')
  })

  it('tells those who come too early when to come back', async () => {
    const request = requestOf()
    let early: unknown
    await once(request, async (trx, operationId) => {
      early = await once(request).catch((error) => error)
      return addMember(trx, operationId)
    })
    expect(early).toMatchObject({
      code: 'idempotency_key_in_use',
      details: { retryAfterSeconds: 1 },
    })
  })

  it('is another one for another organisation, person, method and route', async () => {
    const request = requestOf()
    const other = await makePartner(database.db)
    await once(request)
    const before = await counted('members')
    const strangers = [
      { partnerId: other },
      { partnerId: null },
      { principal: 'other' },
      { method: 'PUT' },
      { route: '/v1/other' },
    ]
    for (const change of strangers) expect(await outcome({ ...request, ...change })).toBe(201)
    expect(await counted('members')).toBe(before + strangers.length)
  })

  it.each<[string, Partial<KeyedRequest>]>([
    ['body', { rawBody: Buffer.from('{"name":"Ana" }') }],
    ['path', { path: '/v1/members/2' }],
    ['query', { path: '/v1/members?dry=1' }],
  ])('is refused with another %s', async (_what, change) => {
    const request = requestOf()
    await once(request)
    const before = await counted('members')
    expect(await outcome({ ...request, ...change })).toBe('idempotency_key_reused')
    expect(await counted('members')).toBe(before)
  })

  it('happens each time without a key', async () => {
    const before = await counted('members')
    for (let n = 0; n < 2; n++) expect(await outcome(requestOf({ header: '' }))).toBe(201)
    expect(await counted('members')).toBe(before + 2)
  })
})

describe('a write that is refused', () => {
  const refusals: [string, () => Promise<Answer>][] = [
    ['by its rules', () => Promise.reject(new DomainError('conflict', 'no'))],
    ['with an answer', () => Promise.resolve({ status: 409, body: { no: true } })],
    ['by a part that is away', () => Promise.resolve({ status: 503, body: null })],
    ['by a failure', () => Promise.reject(new Error('broken'))],
  ]

  it.each(refusals)('%s has no effect and keeps no answer', async (_how, refuse) => {
    const before = [await counted('members'), await counted('idempotencyKeys')]
    const request = requestOf()
    await once(request, async (trx, operationId) => {
      await addMember(trx, operationId)
      return refuse()
    }).catch(() => {})
    expect([await counted('members'), await counted('idempotencyKeys')]).toEqual(before)
    const mended = { ...request, rawBody: Buffer.from('{"name":"Anna"}') }
    expect(await outcome(mended)).toBe(201)
  })
})

/** Ends the connection that works in a transaction, after so many of its statements. */
function killerAfter(statements: number, applicationName: string): KyselyPlugin {
  let seen = 0
  return {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      seen += 1
      if (seen === statements) {
        await sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity
          where application_name = ${applicationName}`.execute(database.db)
      }
      return result
    },
  }
}

describe('a write whose connection dies', () => {
  async function dying(work: (db: Db, name: string) => Promise<void>): Promise<void> {
    const name = `dying-${randomUUID()}`
    const { db, close } = openDatabase({
      url: database.url,
      vault: database.vault,
      poolSize: 2,
      applicationName: name,
      onError: () => {},
    })
    await work(db, name)
    await close()
  }

  it('leaves nothing at whichever statement it is, and happens once when it is repeated', async () => {
    let survived = false
    let deaths = 0
    for (let step = 1; !survived; step++) {
      const request = requestOf()
      const before = [await counted('members'), await counted('idempotencyKeys')]
      await dying(async (db, name) => {
        const mortal = db.withPlugin(killerAfter(step, name))
        survived = await once(request, addMember, mortal).then(
          () => true,
          () => false,
        )
      })
      if (survived) break
      deaths += 1
      expect([await counted('members'), await counted('idempotencyKeys')]).toEqual(before)
      expect(await outcome(request)).toBe(201)
      expect(await outcome(request)).toBe('replayed')
      expect(await counted('members')).toBe(Number(before[0]) + 1)
    }
    // The lock, the look-up, the effect, which is two, and the answer.
    expect(deaths).toBe(5)
  })

  it('leaves nothing when it dies in the commit', async () => {
    await sql`create function die_at_commit() returns trigger language plpgsql as $$
      begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$`.execute(
      database.db,
    )
    await sql`create constraint trigger dies after insert on idempotency_keys
      deferrable initially deferred for each row execute function die_at_commit()`.execute(
      database.db,
    )
    const request = requestOf()
    const before = await counted('members')
    await expect(once(request)).rejects.toThrow()
    await sql`drop trigger dies on idempotency_keys`.execute(database.db)
    expect(await counted('members')).toBe(before)
    expect(await outcome(request)).toBe(201)
    expect(await counted('members')).toBe(before + 1)
  })

  it('finds its answer when the commit was done and nobody heard of it', async () => {
    const request = requestOf()
    const before = await counted('members')
    const first = await once(request)
    const again = await once(request)
    expect(again.body).toEqual(first.body)
    expect(await counted('members')).toBe(before + 1)
  })
})

describe('a route that needs a key', () => {
  it('says so when there is none', () => {
    expect(() => requireKey('required', '')).toThrow(
      expect.objectContaining({ code: 'malformed_request' }),
    )
    expect(() => requireKey('required', 'a')).not.toThrow()
    expect(() => requireKey('optional', '')).not.toThrow()
  })
})
