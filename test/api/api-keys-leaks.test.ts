/** Keys where they should not be: with somebody else, in an address or a body, in the database. */
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { generateKey, keyKinds, refuseKeyInBody, refuseKeyInUrl } from '../../api/keys.ts'
import { unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, faults, type Json } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  // Children of a key end with it: this one outlives what the tests make.
  await sql`update api_keys set expires_at = clock_timestamp() + interval '366 days'
    where last_four = ${world.shop.key.slice(-4)}`.execute(product.db)
})
afterAll(() => product.stop())

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

async function makeKey(form: Json = {}) {
  const { status, body } = await call('/v1/api-keys', {
    method: 'POST',
    key: world.shop.key,
    body: { label: unique('key'), ...form },
  })
  expect(status).toBe(201)
  return { id: String(body.id), secret: String(body.key), body }
}

describe('a report that a key got about', () => {
  const report = (key: unknown) =>
    call('/v1/api-keys/report-leak', { method: 'POST', body: { key } })

  it('revokes it at once and is answered like one of a key that never was', async () => {
    const leaked = await makeKey()
    const answers = [
      await report(leaked.secret),
      await report(generateKey('test').secret),
      await report(generateKey('live').secret),
      await report('no key at all'),
      await report(leaked.secret),
    ]
    for (const { status, text } of answers) {
      expect([status, text]).toEqual([202, '{"status":"received"}'])
    }
    expect((await call('/v1/me', { key: leaked.secret })).status).toBe(401)
    const { body } = await call(`/v1/api-keys/${leaked.id}`, { key: world.shop.key })
    expect(body).toMatchObject({ revoked_at: instant, leaked_at: instant })
    const { rows: events } = await sql<{ changed: string[]; action: string }>`
      select changed, action from audit_events where kind = 'api_key' and verb = 'changed'
      and changed @> '{leaked_at}' and partner_id = ${world.shop.id}`.execute(product.db)
    expect(events).toHaveLength(1)
    expect(events[0]?.changed).toEqual(['leaked_at', 'revoked_at'])
    expect(events[0]?.action).toBe('POST /v1/api-keys/report-leak')
  })

  it('is taken from an address ten times a minute', async () => {
    await sql`delete from rate_limits`.execute(product.db)
    const statuses: number[] = []
    for (let i = 0; i < 12; i++) statuses.push((await report('no key at all')).status)
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(202))
    expect(statuses.at(-1)).toBe(429)
    await sql`delete from rate_limits`.execute(product.db)
  })

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'missing /key'],
    ['a blank one', ' ', 'invalid /key'],
    ['a number', 7, 'invalid /key'],
  ])('is not taken for %s', async (_what, key, fault) => {
    expect(faults(await report(key))).toEqual([fault])
  })
})

describe('a key out of its place', () => {
  const refusal = (act: () => void) => {
    try {
      act()
      return null
    } catch (error) {
      return (error as { code?: string }).code
    }
  }

  it.each(keyKinds)('is refused in an address: a %s one', (kind) => {
    const { secret } = generateKey('live', kind)
    const escaped = secret.replaceAll('_', '%5F')
    for (const url of [`/v1/me?key=${secret}`, `/v1/${secret}`, `/v1/me?${escaped}&x=%`]) {
      const expected = url.includes('%5F') && url.endsWith('%') ? null : 'malformed_request'
      expect([url, refusal(() => refuseKeyInUrl(url))]).toEqual([url, expected])
    }
    expect(refusal(() => refuseKeyInUrl(`/v1/me?${escaped}`))).toBe('malformed_request')
    const id = '/v1/api-keys/key_01h455vb4pex5vsknk084sn02q?prefix=trib_test_sk_'
    expect(refusal(() => refuseKeyInUrl(id))).toBeNull()
  })

  it('is refused in a body', () => {
    const { secret } = generateKey('test', 'restricted')
    const body = Buffer.from(JSON.stringify({ note: `use ${secret} for that` }))
    expect(refusal(() => refuseKeyInBody(body))).toBe('malformed_request')
    expect(refusal(() => refuseKeyInBody(Buffer.from('{"prefix":"trib_test_sk_"}')))).toBeNull()
  })
})

describe('what the database has of a key', () => {
  it('is a hash and nothing else, in all of its tables', async () => {
    const once = await call('/v1/api-keys', {
      method: 'POST',
      key: world.shop.key,
      headers: { 'Idempotency-Key': unique('kept') },
      body: { label: 'kept' },
    })
    const old = await makeKey()
    const rolled = await call(`/v1/api-keys/${old.id}/roll`, {
      method: 'POST',
      key: world.shop.key,
      body: { grace_seconds: 60 },
    })
    await call('/v1/api-keys/report-leak', { method: 'POST', body: { key: old.secret } })
    const secrets = [world.shop.key, String(once.body.key), old.secret, String(rolled.body.key)]
    const { rows: tables } = await sql<{ name: string }>`
      select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`.execute(
      product.db,
    )
    expect(tables.length).toBeGreaterThan(40)
    for (const { name } of tables) {
      const { rows: found } = await sql<{ row: string }>`
        select whole::text as row from ${sql.raw(name)} whole
        where whole::text like any(${secrets.map((secret) => `%${secret.slice(13)}%`)})`.execute(
        product.db,
      )
      expect([name, found]).toEqual([name, []])
    }
    const { rows: kept } = await sql<{ found: number }>`
      select count(*)::int as found from api_keys where secret_hash = any(${secrets.map((secret) =>
        createHash('sha256').update(secret).digest(),
      )})`.execute(product.db)
    expect(kept[0]?.found).toBe(secrets.length)
  })
})
