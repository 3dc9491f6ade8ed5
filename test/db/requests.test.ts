import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import {
  claimRequestKey,
  recordAnswer,
  releaseRequestKey,
  removeRequestKey,
  takeFromBucket,
} from '../../db/requests.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(20)
})
afterAll(() => database.drop())

const requestOf = (key: string, body = 'body') => ({
  principal: 'member',
  method: 'POST',
  route: '/v1/x',
  key,
  fingerprint: Buffer.from(body),
})

describe('a request key', () => {
  it('is claimed by one of thirty requests that come at the same time', async () => {
    const key = randomUUID()
    const claims = await Promise.all(
      Array.from({ length: 30 }, () => claimRequestKey(database.db, requestOf(key))),
    )
    expect(claims.filter(({ state }) => state === 'claimed')).toHaveLength(1)
    expect(claims.filter(({ state }) => state === 'in_flight')).toHaveLength(29)
  })

  it('gives the first answer again, and refuses another request', async () => {
    const request = requestOf(randomUUID())
    await claimRequestKey(database.db, request)
    const answer = { status: 201, headers: { Location: '/x' }, sealedBody: Buffer.from('sealed') }
    await recordAnswer(database.db, request, answer)
    expect(await claimRequestKey(database.db, request)).toEqual({ state: 'answered', answer })
    const other = await claimRequestKey(database.db, requestOf(request.key, 'other'))
    expect(other.state).toBe('other_request')
  })

  it('keeps its operation when the first request died, so that its effect is found', async () => {
    const request = requestOf(randomUUID())
    const first = await claimRequestKey(database.db, request)
    await sql`update idempotency_keys set claimed_at = now() - interval '2 minutes'
      where key = ${request.key}`.execute(database.db)
    expect(await claimRequestKey(database.db, request)).toEqual(first)
    await releaseRequestKey(database.db, request)
    expect(await claimRequestKey(database.db, request)).toEqual(first)
  })

  it('is free again after a refusal', async () => {
    const request = requestOf(randomUUID())
    await claimRequestKey(database.db, request)
    await removeRequestKey(database.db, request)
    expect((await claimRequestKey(database.db, requestOf(request.key, 'other'))).state).toBe(
      'claimed',
    )
  })

  it('belongs to one member, method and route', async () => {
    const request = requestOf(randomUUID())
    const others = [{ principal: 'other' }, { method: 'DELETE' }, { route: '/v1/y' }]
    await claimRequestKey(database.db, request)
    for (const change of others) {
      const claim = await claimRequestKey(database.db, { ...request, ...change })
      expect(claim.state).toBe('claimed')
    }
  })
})

describe('the limiter', () => {
  it('lets exactly the allowed number through, however many come at once', async () => {
    const bucket = { name: randomUUID(), perMinute: 7 }
    const waits = await Promise.all(
      Array.from({ length: 40 }, () => takeFromBucket(database.db, bucket)),
    )
    expect(waits.filter((wait) => wait === null)).toHaveLength(7)
    const refused = waits.filter((wait) => wait !== null)
    expect(refused.every((wait) => wait >= 1 && wait <= 60)).toBe(true)
  })

  it('counts each name for itself', async () => {
    const one = { name: randomUUID(), perMinute: 1 }
    expect(await takeFromBucket(database.db, one)).toBeNull()
    expect(await takeFromBucket(database.db, one)).not.toBeNull()
    expect(await takeFromBucket(database.db, { ...one, name: randomUUID() })).toBeNull()
  })

  it('fills up again with time', async () => {
    const bucket = { name: randomUUID(), perMinute: 60 }
    for (let i = 0; i < 60; i++) expect(await takeFromBucket(database.db, bucket)).toBeNull()
    expect(await takeFromBucket(database.db, bucket)).toBe(1)
    await sql`update rate_limits set full_until = full_until - interval '2 seconds'
      where bucket = ${bucket.name}`.execute(database.db)
    expect(await takeFromBucket(database.db, bucket)).toBeNull()
    expect(await takeFromBucket(database.db, bucket)).toBeNull()
    expect(await takeFromBucket(database.db, bucket)).not.toBeNull()
  })
})
