import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, placeNames, type World } from './world.ts'

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
const form = { name: 'Professional', amount: 9_999, currency: 'USD', interval: 'month' }
const create = (body: unknown) => call('/v1/packages', { method: 'POST', key: product.owner, body })

describe('a package', () => {
  it('is created by the platform owner and sold by every partner', async () => {
    const { status, body, headers } = await create(form)
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/v1/packages/${String(body.id)}`)
    expect(body).toEqual({
      ...form,
      creates: 'customer',
      api_per_minute: null,
      auto_offer: true,
      id: expect.stringMatching(/^pkg_/),
      created_at: expect.stringMatching(/Z$/),
    })
    for (const name of placeNames) {
      const { key } = world[name]
      expect((await call(`/v1/packages/${String(body.id)}`, { key })).body).toEqual(body)
      expect(rows(await call('/v1/packages', { key }))[0]).toEqual(body)
    }
  })

  it.each(['customer', 'reseller', 'master_reseller'])('makes a %s', async (creates) => {
    const { status, body } = await create({ ...form, creates })
    expect([status, body.creates]).toEqual([201, creates])
    const read = await call(`/v1/packages/${String(body.id)}`, { key: world.shop.key })
    expect(read.body).toEqual(body)
  })

  it('costs up to the largest whole number that JSON keeps', async () => {
    const { status, body } = await create({ ...form, amount: Number.MAX_SAFE_INTEGER })
    expect([status, body.amount]).toEqual([201, 9_007_199_254_740_991])
  })

  it.each([
    ['part of a cent', '1.5'],
    ['a negative amount', '-1'],
    ['nothing', '0'],
    ['more than JSON keeps', '9007199254740992'],
    ['an amount that JSON cannot tell from its neighbour', '9007199254740993'],
    ['no finite amount', '1e400'],
    ['an amount as text', '"9999"'],
    ['null', 'null'],
    ['an amount with a currency inside', '{"amount":1,"currency":"USD"}'],
  ])('does not cost %s', async (_what, amount) => {
    const raw = `{"name":"x","amount":${amount},"currency":"USD","interval":"month"}`
    const answer = await call('/v1/packages', { method: 'POST', key: product.owner, raw })
    expect(faults(answer)).toEqual(['invalid /amount'])
  })

  it('does not cost what the payment provider cannot charge in its currency', async () => {
    expect(faults(await create({ ...form, currency: 'KWD', amount: 12_345 }))).toEqual([
      'invalid /amount',
    ])
    expect((await create({ ...form, currency: 'KWD', amount: 12_340 })).status).toBe(201)
    expect((await create({ ...form, currency: 'JPY', amount: 5 })).status).toBe(201)
  })

  it.each<[string, Json, string[]]>([
    ['no fields', {}, ['amount', 'currency', 'interval', 'name'].map((name) => `missing /${name}`)],
    ['a blank name', { ...form, name: '  ' }, ['invalid /name']],
    ['a name of 201 letters', { ...form, name: 'x'.repeat(201) }, ['invalid /name']],
    ['a name with half a letter', { ...form, name: '\ud83d' }, ['invalid /name']],
    ['an unknown currency', { ...form, currency: 'XYZ' }, ['invalid /currency']],
    ['a currency in small letters', { ...form, currency: 'usd' }, ['invalid /currency']],
    ['a yearly price', { ...form, interval: 'year' }, ['invalid /interval']],
    ['a platform owner in it', { ...form, creates: 'super_admin' }, ['invalid /creates']],
    ['an unknown level in it', { ...form, creates: 'dealer' }, ['invalid /creates']],
    ['an id of its own', { ...form, id: 'pkg_1' }, ['unknown_field /id']],
    ['two faults', { ...form, amount: 1.5, limit: 1 }, ['invalid /amount', 'unknown_field /limit']],
  ])('is not created with %s', async (_what, body, expected) => {
    expect(faults(await create(body))).toEqual(expected)
  })

  it('that does not exist is answered 404, the same to everyone', async () => {
    await expectHidden(call, {
      route: 'GET /v1/packages/:id',
      id: 'pkg_01h455vb4pex5vsknk084sn02r',
      strangers: [world.owner, world.north, world.corner].map(({ key }) => key),
    })
  })
})

describe('the list of packages', () => {
  itRefusesBadQueries('/v1/packages', stage)
})

describe('creating packages', () => {
  itIsClosedTo(['master_reseller', 'reseller'], ['POST /v1/packages'], () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, ['GET /v1/packages', 'POST /v1/packages', 'GET /v1/packages/:id'])
})
