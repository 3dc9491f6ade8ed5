import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import {
  claimRequestKey,
  recordAnswer,
  releaseRequestKey,
  removeOldRequestKeys,
  removeRequestKey,
} from '../../db/requests.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(20)
})
afterAll(() => database.drop())

const requestOf = (key: string, body = 'body') => ({
  partnerId: null as string | null,
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

  it('belongs to one organisation, member, method and route', async () => {
    const request = requestOf(randomUUID())
    await makeProgramme(database.db)
    const partnerId = await makePartner(database.db)
    const others = [{ partnerId }, { principal: 'other' }, { method: 'DELETE' }, { route: '/v1/y' }]
    await claimRequestKey(database.db, request)
    for (const change of others) {
      const claim = await claimRequestKey(database.db, { ...request, ...change })
      expect(claim.state).toBe('claimed')
    }
  })

  it('is forgotten after thirty days, whether it was answered or not', async () => {
    const [old, young] = [requestOf(randomUUID()), requestOf(randomUUID())]
    for (const request of [old, young]) await claimRequestKey(database.db, request)
    const aged = (key: string, days: number) =>
      sql`update idempotency_keys set created_at = now() - make_interval(days => ${days})
        where key = ${key}`.execute(database.db)
    await aged(old.key, 31)
    await aged(young.key, 29)
    expect(await removeOldRequestKeys(database.db, 100)).toBe(1)
    expect((await claimRequestKey(database.db, old)).state).toBe('claimed')
    expect((await claimRequestKey(database.db, young)).state).toBe('in_flight')
  })

  it('is forgotten in portions', async () => {
    const requests = Array.from({ length: 5 }, () => requestOf(randomUUID()))
    for (const request of requests) await claimRequestKey(database.db, request)
    await sql`update idempotency_keys set created_at = now() - interval '40 days'
      where key = any(${requests.map(({ key }) => key)})`.execute(database.db)
    expect(await removeOldRequestKeys(database.db, 3)).toBe(3)
    expect(await removeOldRequestKeys(database.db, 3)).toBe(2)
  })
})
