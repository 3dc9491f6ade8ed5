/** Exchange rates and the currencies in which partners are paid: set by the platform alone. */
import { checkInvariants } from '../../db/invariants.ts'
import { uuidOf } from '../../domain/ids.ts'
import { openBooks } from '../support/books.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, rows } from './kit.ts'
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

const rate = {
  ...{ base: 'USD', quote: 'EUR', rate: '0.92341' },
  ...{ as_of: '2026-02-28T16:00:00.000Z', source: 'the bank' },
}
const enter = (body: unknown, key = product.owner) =>
  call('/v1/fx-rates', { method: 'PUT', key, body })
const currencyOf = () => `/v1/partners/${world.shop.partner}/payout-currency`
const set = (currency: unknown, key = product.owner) =>
  call(currencyOf(), { method: 'PUT', key, body: { currency } })

describe('exchange rates', () => {
  it('are entered by the platform and never change', async () => {
    expect((await enter(rate)).body).toMatchObject(rate)
    expect((await enter({ ...rate, rate: '0.923410' })).status).toBe(200)
    const other = await enter({ ...rate, rate: '0.9' })
    expect([other.status, other.body.code]).toEqual([409, 'conflict'])
    expect((await enter({ ...rate, as_of: '2026-02-27T16:00:00.000Z' })).status).toBe(200)
    const listed = rows(await call('/v1/fx-rates?quote=EUR', { key: product.owner }))
    expect(listed.map(({ as_of, rate: value }) => [as_of, value])).toEqual([
      ['2026-02-27T16:00:00.000Z', '0.92341'],
      ['2026-02-28T16:00:00.000Z', '0.92341'],
    ])
    expect(rows(await call('/v1/fx-rates?quote=GBP', { key: product.owner }))).toEqual([])
  })

  it('are nobody else’s to enter or to list', async () => {
    expect((await enter(rate, world.shop.key)).status).toBe(403)
    expect((await call('/v1/fx-rates', { key: world.shop.key })).status).toBe(403)
  })

  it.each<[string, object, string[]]>([
    ['of a currency and itself', { quote: 'USD' }, ['invalid /quote']],
    ['of nothing', { rate: '0.000' }, ['invalid /rate']],
    ['that are no decimals', { rate: '1e3' }, ['invalid /rate']],
    ['that are numbers', { rate: 0.9 }, ['invalid /rate']],
    ['of unknown currencies', { base: 'QQQ' }, ['invalid /base']],
    ['of no instant', { as_of: 'today' }, ['invalid /as_of']],
  ])('%s are refused', async (_, change, expected) => {
    expect(faults(await enter({ ...rate, ...change }))).toEqual(expected)
  })
})

describe('floors of rails', () => {
  const path = '/v1/payout-floors'
  const floor = { country: '*', currency: 'CHF', minimum: 1_500 }
  const put = (body: unknown, key = product.owner) => call(path, { method: 'PUT', key, body })

  it('are set by the platform, each of a country and a currency once', async () => {
    expect((await put(floor)).body).toEqual(floor)
    expect((await put({ ...floor, minimum: 2_000 })).status).toBe(200)
    const { data } = (await call(path, { key: product.owner })).body
    expect(data).toContainEqual({ ...floor, minimum: 2_000 })
    expect(data).not.toContainEqual(floor)
    expect((await put(floor, world.shop.key)).status).toBe(403)
    expect((await call(path, { key: world.shop.key })).status).toBe(403)
  })

  it('are of a country, in a currency, and above nothing', async () => {
    expect(faults(await put({ ...floor, country: 'Switzerland' }))).toEqual(['invalid /country'])
    expect(faults(await put({ ...floor, currency: 'chf' }))).toEqual(['invalid /currency'])
    expect(faults(await put({ ...floor, minimum: 0 }))).toEqual(['invalid /minimum'])
  })
})

describe('the currency of a partner', () => {
  it('is that in which its statements are paid from then on', async () => {
    expect((await call(currencyOf(), { key: world.shop.key })).body).toMatchObject({
      currency: null,
    })
    expect((await set('EUR')).body).toEqual({ partner: world.shop.partner, currency: 'EUR' })
    expect((await call(currencyOf(), { key: world.shop.key })).body).toMatchObject({
      currency: 'EUR',
    })
    await enter(rate)
    const books = openBooks(product.db)
    const partnerId = uuidOf('partner', world.shop.partner) ?? ''
    await books.sell(partnerId, { paidAt: '2026-02-10T00:00:00Z' })
    await books.settle('2026-02')
    const { data } = (await call('/v1/statements?period=2026-02', { key: world.shop.key })).body
    const [{ id }] = data as [{ id: string }]
    const statement = await call(`/v1/statements/${id}`, { key: world.shop.key })
    expect(statement.body).toMatchObject({
      ...{ currency: 'USD', payable: 2_000, payment: { currency: 'EUR', gross: 1_847 } },
    })
    expect((await set(null)).body).toMatchObject({ currency: null })
    expect((await checkInvariants(product.db)).violations).toEqual([])
  })

  it('is set by the platform, and not to that of the programme', async () => {
    expect((await set('EUR', world.shop.key)).status).toBe(403)
    expect(faults(await set('USD'))).toEqual(['invalid /currency'])
    expect(faults(await set('euro'))).toEqual(['invalid /currency'])
  })

  it('of a stranger is not there', async () => {
    const route = 'GET /v1/partners/:id/payout-currency'
    const strangers = [world.pier.key, world.south.key]
    await expectHidden(call, { route, id: world.shop.partner, strangers })
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(
    () => ({ db: product.db, call, key: world.shop.key }),
    [
      'GET /v1/payout-floors',
      'PUT /v1/payout-floors',
      'GET /v1/fx-rates',
      'PUT /v1/fx-rates',
      'GET /v1/partners/:id/payout-currency',
      'PUT /v1/partners/:id/payout-currency',
    ],
  )
})
