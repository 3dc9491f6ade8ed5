import { sql } from 'kysely'
import { generateKey, keyKinds } from '../../api/keys.ts'
import type { Tenancy } from '../../db/tenancy.ts'
import { unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows, serveWith } from './kit.ts'
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

const stage = () => ({ db: product.db, call, key: world.shop.key })
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
const allScopes = ['read', 'write', 'approvals:write']

const lastFour = (key: string) => key.slice(-4)

async function createKey(key: string, form: Json): Promise<Answer> {
  return call('/v1/api-keys', { method: 'POST', key, body: form })
}

async function makeKey(form: Json = {}, key = world.shop.key) {
  const { status, body } = await createKey(key, { label: unique('key'), ...form })
  expect(status).toBe(201)
  return { id: String(body.id), secret: String(body.key), body }
}

const isTaken = async (key: string) => (await call('/v1/customers', { key })).status === 200

describe('a new API key', () => {
  it('is shown once, works at once, and is listed without its secret', async () => {
    const { status, body, headers } = await createKey(world.shop.key, { label: 'till' })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/v1/api-keys/${String(body.id)}`)
    const secret = String(body.key)
    expect(body).toEqual({
      id: expect.stringMatching(/^key_/),
      member: (await call('/v1/me', { key: world.shop.key })).body.member,
      label: 'till',
      kind: 'secret',
      prefix: 'trib_test_sk_',
      last_four: secret.slice(-4),
      scopes: allScopes,
      allowed_ips: null,
      expires_at: instant,
      revoked_at: null,
      replaced_by: null,
      leaked_at: null,
      last_used_at: null,
      last_used_ip: null,
      created_at: instant,
      key: expect.stringMatching(/^trib_test_sk_[0-9A-Za-z]{36}$/),
    })
    expect((await call('/v1/me', { key: secret })).body.partner).toBe(world.shop.partner)
    const list = await call('/v1/api-keys', { key: world.shop.key })
    const { key: _shownOnce, ...listed } = body
    const used = { ...listed, last_used_at: instant, last_used_ip: '127.0.0.1' }
    expect(rows(list)[0]).toEqual(used)
    expect(list.text).not.toContain(secret)
    const read = await call(`/v1/api-keys/${String(body.id)}`, { key: world.shop.key })
    expect([read.status, read.body]).toEqual([200, used])
  })

  it('lives as long as was asked for, a year when nothing was', async () => {
    const days = (answer: Answer) =>
      (Date.parse(String(answer.body.expires_at)) - Date.parse(String(answer.body.created_at))) /
      86_400_000
    expect(days(await createKey(world.shop.key, { label: 'a' }))).toBeCloseTo(365, 3)
    const short = { label: 'b', expires_in_days: 1 }
    expect(days(await createKey(world.shop.key, short))).toBeCloseTo(1, 3)
  })

  it('does not outlive the key that makes it, and works from nowhere else', async () => {
    const form = { expires_in_days: 2, allowed_ips: ['127.0.0.0/8'] }
    const maker = await makeKey(form)
    const child = await makeKey({ expires_in_days: 300 }, maker.secret)
    expect(child.body.expires_at).toBe(maker.body.expires_at)
    expect(child.body.allowed_ips).toEqual(form.allowed_ips)
  })

  it('never has a scope that the key which makes it lacks', async () => {
    const narrow = (await makeKey({ scopes: ['read', 'write'] })).secret
    const wider = await createKey(narrow, { label: 'wide', scopes: allScopes })
    expect([wider.status, wider.body.code]).toEqual([403, 'forbidden'])
    const same = await createKey(narrow, { label: 'same' })
    expect([same.status, same.body.scopes]).toEqual([201, ['read', 'write']])
    const part = await makeKey({ scopes: ['links:read', 'keys:write'] }, narrow)
    for (const scope of ['links:write', 'customers:read', 'read', 'write', 'approvals:write']) {
      const beyond = await createKey(part.secret, { label: 'more', scopes: [scope] })
      expect([scope, beyond.status, beyond.body.code]).toEqual([scope, 403, 'forbidden'])
    }
    const own = await makeKey({}, part.secret)
    expect([own.body.scopes, own.body.kind]).toEqual([['links:read', 'keys:write'], 'restricted'])
  })

  it('has no more scopes than the role of its member, from the moment it changes', async () => {
    const key = (await makeKey({}, world.market.key)).secret
    const role = (name: string) =>
      sql`update members set role = ${name} where partner_id = ${world.market.id}`.execute(
        product.db,
      )
    await role('viewer')
    const { body } = await call('/v1/me', { key })
    expect(body.scopes).toEqual(['read'])
    await role('owner')
    expect((await call('/v1/me', { key })).body.scopes).toEqual(allScopes)
  })

  it.each<[string, Json, string[]]>([
    ['no label', {}, ['missing /label']],
    ['a blank label', { label: ' ' }, ['invalid /label']],
    ['a long label', { label: 'x'.repeat(101) }, ['invalid /label']],
    ['a label with NUL', { label: 'a\u0000' }, ['invalid /label']],
    ['no scopes', { label: 'x', scopes: [] }, ['invalid /scopes']],
    ['an unknown scope', { label: 'x', scopes: ['read', 'admin'] }, ['invalid /scopes/1']],
    ['approvals of one thing', { label: 'x', scopes: ['tiers:write'] }, ['invalid /scopes/0']],
    ['an unknown kind', { label: 'x', kind: 'public' }, ['invalid /kind']],
    ['no scopes for a restricted one', { label: 'x', kind: 'restricted' }, ['invalid /scopes']],
    [
      'scopes of one capability for a secret one',
      { label: 'x', kind: 'secret', scopes: ['links:read'] },
      ['invalid /kind'],
    ],
    ['no life', { label: 'x', expires_in_days: 0 }, ['invalid /expires_in_days']],
    ['more than a year', { label: 'x', expires_in_days: 366 }, ['invalid /expires_in_days']],
    ['half a day', { label: 'x', expires_in_days: 0.5 }, ['invalid /expires_in_days']],
    ['days as text', { label: 'x', expires_in_days: '30' }, ['invalid /expires_in_days']],
    ['another member', { label: 'x', member: 'mem_1' }, ['unknown_field /member']],
    ['nowhere to work', { label: 'x', allowed_ips: [] }, ['invalid /allowed_ips']],
    [
      'too many networks',
      { label: 'x', allowed_ips: Array.from({ length: 21 }, (_, i) => `10.0.0.${i}`) },
      ['invalid /allowed_ips'],
    ],
  ])('is not made with %s', async (_what, form, expected) => {
    expect(faults(await createKey(world.shop.key, form))).toEqual(expected)
  })
})

describe('the scopes of a key', () => {
  const seen = async (key: string, method: string, path: string, body?: Json) => {
    const answer = await call(path, { method, key, ...(body ? { body } : {}) })
    return [answer.status, answer.headers.get('www-authenticate')]
  }
  const customer = { name: 'Customer', email: 'a@customer.example' }
  const lacking = (scope: string) => [403, `Bearer error="insufficient_scope", scope="${scope}"`]

  it('are broad, or of one capability and one way of use', async () => {
    const reader = (await makeKey({ scopes: ['read'] })).secret
    expect(await seen(reader, 'GET', '/v1/customers')).toEqual([200, null])
    expect(await seen(reader, 'POST', '/v1/customers', customer)).toEqual(
      lacking('customers:write'),
    )
    const { secret: one, body } = await makeKey({ scopes: ['customers:write'] })
    expect([body.kind, body.prefix]).toEqual(['restricted', 'trib_test_rk_'])
    expect(await seen(one, 'POST', '/v1/customers', customer)).toEqual([201, null])
    expect(await seen(one, 'GET', '/v1/customers')).toEqual(lacking('customers:read'))
    expect(await seen(one, 'GET', '/v1/links')).toEqual(lacking('links:read'))
    const link = { name: 'Fair' }
    expect(await seen(one, 'POST', '/v1/links', link)).toEqual(lacking('links:write'))
  })

  it('never imply approvals', async () => {
    const form = { label: 'all but approvals', scopes: ['read', 'write'] }
    const key = String((await createKey(product.owner, form)).body.key)
    const run = 'run_01h455vb4pex5vsknk084sn02q'
    const review = [`/v1/settlement-runs/${run}/review`, { totals_hash: 'x' }] as const
    expect(await seen(key, 'POST', ...review)).toEqual(lacking('approvals:write'))
  })
})

describe('a key that works from certain addresses only', () => {
  const statusFrom = async (key: string) => (await call('/v1/me', { key })).status

  it.each([
    [['127.0.0.1'], 200],
    [['127.0.0.0/8'], 200],
    [['127.9.9.9/8'], 200],
    [['10.0.0.0/8', '2001:db8::/32', '127.0.0.1/32'], 200],
    [['10.0.0.0/8'], 401],
    [['127.0.0.2'], 401],
    [['::1', '2001:db8::/32'], 401],
  ])('lists %j and answers this one %i', async (allowed_ips, status) => {
    const { secret, body } = await makeKey({ allowed_ips })
    expect(body.allowed_ips).toEqual(allowed_ips)
    expect(await statusFrom(secret)).toBe(status)
  })

  it('is unknown elsewhere, like a key that never was', async () => {
    const { secret } = await makeKey({ allowed_ips: ['192.0.2.7'] })
    const told = async (key: string) => {
      const { body } = await call('/v1/me', { key })
      return [body.code, body.detail]
    }
    expect(await told(secret)).toEqual(await told(generateKey('test').secret))
  })

  it.each([
    ...['localhost', '', '10.0.0', '10.0.0.256', '10.0.0.0/33', '10.0.0.0/0', '10.0.0.0/08'],
    ...[
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '2001:db8::/129',
      'fe80::1%eth0',
      '::ffff:10.0.0.1',
      ' 1.1.1.1',
    ],
    ...['0x7f.1', '127.1', '10.0.0.0/-1', '1.2.3.4; drop'],
  ])('does not list %j', async (entry) => {
    const answer = await createKey(world.shop.key, { label: 'x', allowed_ips: ['::1', entry] })
    expect(faults(answer)).toEqual(['invalid /allowed_ips/1'])
  })
})

describe('the API keys of an organisation', () => {
  it('are seen by its own members and by nobody else', async () => {
    const own = rows(await call('/v1/api-keys', { key: world.corner.key }))
    expect(own.map(({ last_four }) => last_four)).toEqual([world.corner.key.slice(-4)])
    const owners = rows(await call('/v1/api-keys?limit=100', { key: product.owner }))
    const seen = owners.map(({ last_four }) => last_four)
    expect(seen).toEqual(expect.arrayContaining([product.owner, product.second].map(lastFour)))
    expect(seen).not.toContain(lastFour(world.corner.key))
  })

  it('are revoked at once, and again without harm', async () => {
    const leaked = await makeKey()
    expect(await isTaken(leaked.secret)).toBe(true)
    const path = `/v1/api-keys/${leaked.id}`
    const revoked = await call(path, { method: 'DELETE', key: world.shop.key })
    expect(revoked.status).toBe(200)
    expect(revoked.body).toMatchObject({ id: leaked.id, revoked_at: instant })
    expect((await call('/v1/me', { key: leaked.secret })).status).toBe(401)
    const again = await call(path, { method: 'DELETE', key: world.shop.key })
    expect([again.status, again.body]).toEqual([200, revoked.body])
  })

  it.each(['GET /v1/api-keys/:id', 'DELETE /v1/api-keys/:id', 'POST /v1/api-keys/:id/roll'])(
    'are hidden from everybody else, even from the platform owner: %s',
    async (route) => {
      const { id, secret } = await makeKey()
      const { north, market, corner, south, owner } = world
      await expectHidden(call, {
        route,
        id,
        strangers: [north, market, corner, south, owner].map(({ key }) => key),
        ...(route.startsWith('POST') ? { body: { grace_seconds: 0 } } : {}),
      })
      expect(await isTaken(secret)).toBe(true)
    },
  )

  it('end by the clock', async () => {
    const { secret } = await makeKey()
    const endsIn = (interval: string) =>
      sql`update api_keys set expires_at = clock_timestamp() + ${interval}::interval
        where last_four = ${lastFour(secret)}`.execute(product.db)
    await endsIn('1 minute')
    expect(await isTaken(secret)).toBe(true)
    await endsIn('100 milliseconds')
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect((await call('/v1/me', { key: secret })).status).toBe(401)
  })

  itRefusesBadQueries('/v1/api-keys', stage)
})

/** Counts what reaches the database. */
function counting(tenancy: Tenancy): { tenancy: Tenancy; queries: () => number } {
  let queries = 0
  const dbFor: Tenancy['dbFor'] = (context) =>
    new Proxy(tenancy.dbFor(context), {
      get(target, name) {
        queries += 1
        const value = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  return { tenancy: { ...tenancy, dbFor }, queries: () => queries }
}

describe('what is no key', () => {
  it('is refused by its checksum before any query', async () => {
    const { tenancy, queries } = counting(product.tenancy)
    const api = await serveWith(product, { tenancy })
    try {
      const { secret } = generateKey('test')
      const mistyped = secret.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
      for (const key of [mistyped, 'let-me-in', generateKey('live').secret, `${secret}x`]) {
        expect((await api.call('/v1/customers', { key })).status).toBe(401)
      }
      expect(queries()).toBe(0)
      expect((await api.call('/v1/customers', { key: secret })).status).toBe(401)
      expect(queries()).toBeGreaterThan(0)
    } finally {
      await api.stop()
    }
  })

  it.each(keyKinds)('is a %s key of the other mode, even one that is stored', async (kind) => {
    const live = await serveWith(product, { settings: { keyMode: 'live' } })
    try {
      const { secret, ...stored } = generateKey('live', kind)
      await sql`insert into api_keys (member_id, label, prefix, last_four, secret_hash, scopes,
          expires_at)
        select member_id, 'live', ${stored.prefix}, ${stored.lastFour}, ${stored.secretHash},
          scopes, expires_at from api_keys where last_four = ${lastFour(world.shop.key)}`.execute(
        product.db,
      )
      expect((await live.call('/v1/me', { key: secret })).status).toBe(200)
      expect((await live.call('/v1/me', { key: world.shop.key })).status).toBe(401)
      expect((await call('/v1/me', { key: secret })).status).toBe(401)
    } finally {
      await live.stop()
    }
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/api-keys',
    'POST /v1/api-keys',
    'GET /v1/api-keys/:id',
    'DELETE /v1/api-keys/:id',
    'POST /v1/api-keys/:id/roll',
  ])
})
