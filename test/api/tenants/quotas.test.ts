import { outwardId } from '../../../domain/ids.ts'
import { makeKey } from '../../support/factories.ts'
import { type Product, startProduct } from '../../support/product.ts'
import { expectHidden, itIsClosedTo, itTakesLiveKeysOnly } from '../guards.ts'
import { type Answer, type Call, clientOf, faults, type Json } from '../kit.ts'
import { fillWorld, makeWorld, type PlaceName, type World } from '../world.ts'

let product: Product
let call: Call
let world: World
const ids = new Map<PlaceName, string>()
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  for (const name of ['shop', 'market', 'corner', 'south', 'pier'] as const) {
    const { id } = await product.db
      .selectFrom('tenants')
      .select('id')
      .where('partnerId', '=', world[name].id)
      .executeTakeFirstOrThrow()
    ids.set(name, outwardId('tenant', id))
  }
})
afterAll(() => product.stop())

const png = Buffer.concat([
  Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
  Buffer.from('0000000d49484452', 'hex'),
])

const stage = () => ({ db: product.db, call })
const quotas = (name: PlaceName) => `/v1/tenants/${ids.get(name)}/quotas`
const limit = (name: PlaceName, body: Json) =>
  call(quotas(name), { method: 'PATCH', key: world.owner.key, body })
const useOf = async (name: PlaceName) => {
  const { body } = await call(quotas(name), { key: world[name].key })
  return body.use as Record<string, number>
}
const customer = (name: PlaceName) =>
  call('/v1/customers', {
    method: 'POST',
    key: world[name].key,
    body: { name: 'Ada', email: 'ada@customer.example' },
  })
const outcome = ({ status, body }: Answer) => [status, body.code ?? 'made']

describe('the quotas of a tenant', () => {
  it('are those of the programme at first, beside how much is held', async () => {
    const { status, body } = await call(quotas('pier'), { key: world.pier.key })
    expect([status, body]).toEqual([
      200,
      {
        tenant: ids.get('pier'),
        limits: {
          customers: 100_000,
          members: 1_000,
          api_keys: 1_000,
          storage_bytes: 10_737_418_240,
          api_per_minute: 6_000,
        },
        use: { customers: 1, members: 1, api_keys: 1, storage_bytes: 0 },
      },
    ])
  })

  it('hold customers: the last place is given once, however many ask at the same time', async () => {
    const { customers = 0 } = await useOf('shop')
    expect((await limit('shop', { customers: customers + 2 })).status).toBe(200)
    const answers = await Promise.all(Array.from({ length: 6 }, () => customer('shop')))
    const made = answers.filter(({ status }) => status === 201)
    expect(made).toHaveLength(2)
    const refused = answers.find(({ status }) => status !== 201)
    expect(refused && outcome(refused)).toEqual([409, 'quota_exceeded'])
    expect(await useOf('shop')).toMatchObject({ customers: customers + 2 })
    expect((await limit('shop', { customers: null })).body.limits).toMatchObject({
      customers: null,
    })
    expect(outcome(await customer('shop'))).toEqual([201, 'made'])
  })

  it('hold API keys and members with their open invitations', async () => {
    const { api_keys: keys = 0, members = 0 } = await useOf('market')
    await limit('market', { api_keys: keys + 1, members: members + 1 })
    const key = () =>
      call('/v1/api-keys', { method: 'POST', key: world.market.key, body: { label: 'more' } })
    const invite = (email: string) =>
      call('/v1/member-invitations', {
        method: 'POST',
        key: world.market.key,
        body: { name: 'Ada', email, role: 'viewer' },
      })
    expect(outcome(await key())).toEqual([201, 'made'])
    expect(outcome(await key())).toEqual([409, 'quota_exceeded'])
    expect(outcome(await invite('ada@market.example'))).toEqual([201, 'made'])
    expect(outcome(await invite('bob@market.example'))).toEqual([409, 'quota_exceeded'])
    expect(await useOf('market')).toMatchObject({ api_keys: keys + 1, members: members + 1 })
  })

  it('hold how often its keys may ask together, and say so with the time to come back', async () => {
    await limit('south', { api_per_minute: 2 })
    const again = await makeKey(product.db, world.south.id)
    const me = (key: string) => call('/v1/me', { key })
    expect((await me(world.south.key)).headers.get('ratelimit-policy')).toContain(
      '"tenant";q=2;w=60',
    )
    expect((await me(again)).status).toBe(200)
    const refused = await me(world.south.key)
    expect(outcome(refused)).toEqual([429, 'too_many_requests'])
    expect(refused.body['violated-policies']).toEqual(['tenant'])
    expect(refused.body.detail).toContain('your tenant may send 2 requests in 60 seconds')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await me(world.pier.key)).status).toBe(200)
    await limit('south', { api_per_minute: null })
    expect((await me(again)).headers.get('ratelimit-policy')).toContain(
      `"tenant";q=${product.config.api.quotas.tenant.quota};`,
    )
  })

  it('hold what it stores: an image makes room for the one that takes its place', async () => {
    const bytes = (more: number) => Buffer.concat([png, Buffer.alloc(more)])
    const put = (kind: string, raw: Buffer) =>
      call(`/v1/tenants/${ids.get('south')}/branding/${kind}`, {
        method: 'PUT',
        key: world.south.key,
        raw,
        headers: { 'Content-Type': 'image/png' },
      })
    await limit('south', { storage_bytes: 1_000 })
    expect((await put('logo', bytes(800))).status).toBe(200)
    expect(outcome(await put('favicon', bytes(800)))).toEqual([409, 'quota_exceeded'])
    expect((await put('logo', bytes(100))).status).toBe(200)
    const both = await Promise.all([put('favicon', bytes(700)), put('logo', bytes(700))])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
    expect((await useOf('south')).storage_bytes).toBeLessThanOrEqual(1_000)
  })

  it('below what is held take nothing away', async () => {
    await limit('corner', { customers: 0 })
    expect(await useOf('corner')).toMatchObject({ customers: 1 })
    expect(outcome(await customer('corner'))).toEqual([409, 'quota_exceeded'])
  })

  it('are changed by who read them, with whole numbers that are possible', async () => {
    const late = await call(quotas('pier'), {
      method: 'PATCH',
      key: world.owner.key,
      body: { customers: 1 },
      headers: { 'If-Match': '"v99"' },
    })
    expect(outcome(late)).toEqual([412, 'precondition_failed'])
    expect(faults(await limit('pier', { customers: -1 }))).toEqual(['invalid /customers'])
    expect(faults(await limit('pier', { members: 0 }))).toEqual(['invalid /members'])
    expect(faults(await limit('pier', { seats: 1 }))).toEqual(['unknown_field /seats'])
  })

  it('are hidden from strangers and from those above', async () => {
    for (const what of ['quotas', 'packages']) {
      await expectHidden(call, {
        route: `GET /v1/tenants/:id/${what}`,
        id: ids.get('shop') ?? '',
        strangers: [world.market.key, world.south.key],
      })
      const path = `/v1/tenants/${ids.get('shop')}/${what}`
      const above = await call(path, { key: world.north.key })
      expect(outcome(above)).toEqual([403, 'forbidden'])
    }
  })
})

describe('the packages of a tenant', () => {
  let featurePackage: string
  const make = async (more: Json = {}) => {
    const form = { name: 'Gold', amount: 900, currency: 'USD', interval: 'month', ...more }
    const made = await call('/v1/packages', { method: 'POST', key: world.owner.key, body: form })
    return String(made.body.id)
  }
  const sell = async (id: string) => {
    const { body } = await customer('pier')
    const order = { customer: body.id, package: id }
    return call('/v1/subscriptions', { method: 'POST', key: world.pier.key, body: order })
  }
  const offer = (body: Json) =>
    call(`/v1/tenants/${ids.get('pier')}/packages`, { method: 'PUT', key: world.owner.key, body })

  beforeAll(async () => {
    featurePackage = await make()
  })

  it('are those that exist, also what is made later', async () => {
    const { body } = await call(`/v1/tenants/${ids.get('pier')}/packages`, { key: world.pier.key })
    expect(body.data).toContainEqual({ package: featurePackage, name: 'Gold', offered: true })
    expect((await sell(featurePackage)).status).toBe(202)
  })

  it('are not sold where they are not offered', async () => {
    const taken = await offer({ package: featurePackage, offered: false })
    expect(taken.body.data).toContainEqual({
      package: featurePackage,
      name: 'Gold',
      offered: false,
    })
    expect(outcome(await sell(featurePackage))).toEqual([403, 'package_not_offered'])
    await offer({ package: featurePackage, offered: true })
    expect((await sell(featurePackage)).status).toBe(202)
  })

  it('are offered one by one where a package is not for everybody', async () => {
    const rare = await make({ auto_offer: false })
    expect(outcome(await sell(rare))).toEqual([403, 'package_not_offered'])
    await offer({ package: rare, offered: true })
    expect((await sell(rare)).status).toBe(202)
  })

  it('are named by an id of a package', async () => {
    expect(faults(await offer({ package: ids.get('pier'), offered: true }))).toEqual([
      'invalid /package',
    ])
    const unknown = await offer({ package: 'pkg_01h455vb4pex5vsknk084sn02q', offered: true })
    expect(outcome(unknown)).toEqual([404, 'not_found'])
  })
})

describe('limits', () => {
  const closed = ['PATCH /v1/tenants/:id/quotas', 'PUT /v1/tenants/:id/packages']
  itIsClosedTo(['master_reseller', 'reseller'], closed, () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/tenants/:id/quotas',
    'PATCH /v1/tenants/:id/quotas',
    'GET /v1/tenants/:id/packages',
    'PUT /v1/tenants/:id/packages',
  ])
})
