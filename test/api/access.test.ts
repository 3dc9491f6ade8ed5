import { type Product, startProduct } from '../support/product.ts'
import { itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf } from './kit.ts'
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

const stage = () => ({ db: product.db, call })
const allScopes = ['read', 'write', 'approvals:write']

describe('who am I', () => {
  it('tells a partner its member, its organisation and what its key may do', async () => {
    const { status, body } = await call('/v1/me', { key: world.north.key })
    expect(status).toBe(200)
    expect(body).toEqual({
      member: expect.stringMatching(/^mem_/),
      name: 'Member',
      level: 'master_reseller',
      role: 'owner',
      partner: world.north.partner,
      partner_name: expect.stringMatching(/^Partner /),
      partner_status: 'active',
      customer: null,
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
    expect((await call(`/v1/me?key=${key}`)).status).toBe(400)
    expect((await call('/v1/me', { headers: { Authorization: `bearer ${key}` } })).status).toBe(200)
  })

  it('is not told to a key that may look at something else only', async () => {
    const form = { label: 'customers', scopes: ['customers:read'] }
    const made = await call('/v1/api-keys', { method: 'POST', key: world.north.key, body: form })
    const { status, body, headers } = await call('/v1/me', { key: String(made.body.key) })
    expect([status, body.code]).toEqual([403, 'forbidden'])
    expect(headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="account:read"',
    )
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, ['GET /v1/me'])
})
