import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { makePartner, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
const allScopes = ['read', 'write', 'approvals:write']

async function createKey(key: string, form: Json): Promise<Answer> {
  return call('/v1/api-keys', { method: 'POST', key, body: form })
}

describe('who am I', () => {
  it('tells a partner its member, its organisation and what its key may do', async () => {
    const { status, body } = await call('/v1/me', { key: world.north.key })
    expect(status).toBe(200)
    expect(body).toEqual({
      member: expect.stringMatching(/^mem_/),
      name: 'Member',
      level: 'master_reseller',
      partner: world.north.partner,
      partner_name: expect.stringMatching(/^Partner /),
      partner_status: 'active',
      scopes: allScopes,
    })
    expect((await call('/v1/me', { key: world.corner.key })).body.level).toBe('reseller')
  })

  it('tells a person of the platform owner that there is no partner', async () => {
    const { body } = await call('/v1/me', { key: product.owner })
    expect(body).toMatchObject({
      level: 'super_admin',
      partner: null,
      partner_name: null,
      partner_status: null,
    })
  })

  it('takes the key from no other place than the bearer header', async () => {
    const key = world.north.key
    const basic = Buffer.from(`${key}:`).toString('base64')
    for (const headers of [
      { Authorization: `Basic ${basic}` },
      { Authorization: key },
      { Authorization: `Bearer ${key} x` },
      { 'X-Api-Key': key },
    ]) {
      expect((await call('/v1/me', { headers })).status).toBe(401)
    }
    expect((await call(`/v1/me?key=${key}`)).status).toBe(401)
    expect((await call('/v1/me', { headers: { Authorization: `bearer ${key}` } })).status).toBe(200)
  })
})

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
      prefix: 'trib_test_sk_',
      last_four: secret.slice(-4),
      scopes: allScopes,
      expires_at: instant,
      revoked_at: null,
      last_used_at: null,
      created_at: instant,
      key: expect.stringMatching(/^trib_test_sk_[0-9A-Za-z]{36}$/),
    })
    expect((await call('/v1/me', { key: secret })).body.partner).toBe(world.shop.partner)
    const list = await call('/v1/api-keys', { key: world.shop.key })
    const { key: _shownOnce, ...listed } = body
    expect(rows(list)[0]).toEqual({ ...listed, last_used_at: instant })
    expect(list.text).not.toContain(secret)
  })

  it('is kept as a hash only', async () => {
    const { body } = await createKey(world.shop.key, { label: 'hashed' })
    const { rows: kept } = await sql<{ found: number }>`
      select count(*)::int as found from api_keys
      where secret_hash = ${createHash('sha256').update(String(body.key)).digest()}`.execute(
      product.db,
    )
    expect(kept[0]?.found).toBe(1)
    const dump = await sql<{ row: string }>`select k::text as row from api_keys k`.execute(
      product.db,
    )
    expect(dump.rows.map(({ row }) => row).join()).not.toContain(String(body.key))
  })

  it('lives as long as was asked for, a year when nothing was', async () => {
    const days = (answer: Answer) =>
      (Date.parse(String(answer.body.expires_at)) - Date.parse(String(answer.body.created_at))) /
      86_400_000
    expect(days(await createKey(world.shop.key, { label: 'a' }))).toBeCloseTo(365, 3)
    const short = { label: 'b', expires_in_days: 1 }
    expect(days(await createKey(world.shop.key, short))).toBeCloseTo(1, 3)
  })

  it('never has a scope that the key which makes it lacks', async () => {
    const form = { label: 'narrow', scopes: ['read', 'write'] }
    const narrow = String((await createKey(world.shop.key, form)).body.key)
    const wider = await createKey(narrow, { label: 'wide', scopes: allScopes })
    expect([wider.status, wider.body.code]).toEqual([403, 'forbidden'])
    const same = await createKey(narrow, { label: 'same' })
    expect([same.status, same.body.scopes]).toEqual([201, ['read', 'write']])
  })

  it('may do nothing beyond its scopes', async () => {
    const form = { label: 'reader', scopes: ['read'] }
    const reader = String((await createKey(world.shop.key, form)).body.key)
    expect((await call('/v1/customers', { key: reader })).status).toBe(200)
    const body = { name: 'Customer', email: 'a@customer.example' }
    const created = await call('/v1/customers', { method: 'POST', key: reader, body })
    expect([created.status, created.body.code]).toEqual([403, 'forbidden'])
    const another = await createKey(reader, { label: 'more' })
    expect([another.status, another.body.code]).toEqual([403, 'forbidden'])
  })

  it.each<[string, Json, string[]]>([
    ['no label', {}, ['missing /label']],
    ['a blank label', { label: ' ' }, ['invalid /label']],
    ['a long label', { label: 'x'.repeat(101) }, ['invalid /label']],
    ['a label with NUL', { label: 'a\u0000' }, ['invalid /label']],
    ['no scopes', { label: 'x', scopes: [] }, ['invalid /scopes']],
    ['an unknown scope', { label: 'x', scopes: ['read', 'admin'] }, ['invalid /scopes/1']],
    ['no life', { label: 'x', expires_in_days: 0 }, ['invalid /expires_in_days']],
    ['more than a year', { label: 'x', expires_in_days: 366 }, ['invalid /expires_in_days']],
    ['half a day', { label: 'x', expires_in_days: 0.5 }, ['invalid /expires_in_days']],
    ['days as text', { label: 'x', expires_in_days: '30' }, ['invalid /expires_in_days']],
    ['another member', { label: 'x', member: 'mem_1' }, ['unknown_field /member']],
  ])('is not made with %s', async (_what, form, expected) => {
    expect(faults(await createKey(world.shop.key, form))).toEqual(expected)
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
    const { body } = await createKey(world.shop.key, { label: 'leaked' })
    const leaked = String(body.key)
    expect((await call('/v1/me', { key: leaked })).status).toBe(200)
    const path = `/v1/api-keys/${String(body.id)}`
    const revoked = await call(path, { method: 'DELETE', key: world.shop.key })
    expect(revoked.status).toBe(200)
    expect(revoked.body).toMatchObject({ id: body.id, revoked_at: instant })
    expect((await call('/v1/me', { key: leaked })).status).toBe(401)
    const again = await call(path, { method: 'DELETE', key: world.shop.key })
    expect([again.status, again.body]).toEqual([200, revoked.body])
  })

  it('cannot be revoked or found by anybody else, not even by the platform owner', async () => {
    const { body } = await createKey(world.shop.key, { label: 'safe' })
    const { north, market, corner, south, owner } = world
    await expectHidden(call, {
      route: 'DELETE /v1/api-keys/:id',
      id: String(body.id),
      strangers: [north, market, corner, south, owner].map(({ key }) => key),
    })
    expect((await call('/v1/me', { key: String(body.key) })).status).toBe(200)
  })

  itRefusesBadQueries('/v1/api-keys', stage)
})

const lastFour = (key: string) => key.slice(-4)

async function invite(state: 'open' | 'expired' | 'revoked' = 'open') {
  const partnerId = await makePartner(product.db)
  const token = unique('token')
  const tokenHash = createHash('sha256').update(token).digest()
  await sql`insert into invitations (partner_id, name, email, token_hash, expires_at, revoked_at)
    values (${partnerId}, 'Ada', 'ada@partner.example', ${tokenHash},
      clock_timestamp() + ${state === 'expired' ? '-1 second' : '7 days'}::interval,
      ${state === 'revoked' ? new Date() : null})`.execute(product.db)
  return { partnerId, token }
}

const accept = (token: string, headers = {}) =>
  call('/v1/invitations/accept', { method: 'POST', body: { token }, headers })

describe('an invitation', () => {
  it('gives its first member a key, and works once', async () => {
    const { token } = await invite()
    const { status, body } = await accept(token)
    expect(status).toBe(201)
    expect(body).toEqual({
      member: expect.stringMatching(/^mem_/),
      partner: expect.stringMatching(/^prt_/),
      api_key: expect.stringMatching(/^trib_test_sk_/),
    })
    const me = await call('/v1/me', { key: String(body.api_key) })
    expect(me.body).toMatchObject({ member: body.member, partner: body.partner, name: 'Ada' })
    const second = await accept(token)
    expect([second.status, second.body.code]).toEqual([410, 'gone'])
  })

  it.each(['expired', 'revoked'] as const)('is gone when it is %s', async (state) => {
    const { token, partnerId } = await invite(state)
    const answer = await accept(token)
    expect([answer.status, answer.body.code]).toEqual([410, 'gone'])
    const members = await sql`select id from members where partner_id = ${partnerId}`.execute(
      product.db,
    )
    expect(members.rows).toEqual([])
  })

  it('is not found under a token that was never given out', async () => {
    const answer = await accept('never-given-out')
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found'])
  })

  it('makes one member and one key however many take it up at once', async () => {
    const { token, partnerId } = await invite()
    const answers = await Promise.all(Array.from({ length: 12 }, () => accept(token)))
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([201, ...Array(11).fill(410)])
    const { rows: made } = await sql<{ keys: number }>`
      select count(*)::int as keys from api_keys join members on members.id = member_id
      where partner_id = ${partnerId}`.execute(product.db)
    expect(made[0]?.keys).toBe(1)
  })

  it('gives the same key again to a request that is repeated under its own key', async () => {
    const { token } = await invite()
    const headers = { 'Idempotency-Key': unique('accept') }
    const first = await accept(token, headers)
    const again = await accept(token, headers)
    expect(first.status).toBe(201)
    expect([again.status, again.text]).toEqual([201, first.text])
    expect((await accept(token)).status).toBe(410)
  })

  it.each<[string, Json, string[]]>([
    ['no token', {}, ['missing /token']],
    ['a number', { token: 1 }, ['invalid /token']],
    ['a blank token', { token: '' }, ['invalid /token']],
    ['a name of its own', { token: 'x', name: 'Eve' }, ['unknown_field /name']],
  ])('is not taken up with %s', async (_what, body, expected) => {
    const answer = await call('/v1/invitations/accept', { method: 'POST', body })
    expect(faults(answer)).toEqual(expected)
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/me',
    'GET /v1/api-keys',
    'POST /v1/api-keys',
    'DELETE /v1/api-keys/:id',
  ])
})
