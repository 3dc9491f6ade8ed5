import { outwardId } from '../../domain/ids.ts'
import { makePayoutAccount } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import {
  badEarningsQueries,
  expectHidden,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
} from './guards.ts'
import { type Call, clientOf, type Json, rows } from './kit.ts'
import {
  fillWorld,
  issueStatements,
  makeWorld,
  type PlaceName,
  placeNames,
  sees,
  settledPeriod,
  strangersOf,
  viewerNames,
  type World,
} from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  await makePayoutAccount(product.db, world.shop.id)
  await issueStatements(product.db)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })

const list = async (query: string, viewer: PlaceName | 'owner') =>
  rows(await call(`/v1/payouts${query}`, { key: world[viewer].key }))

async function payoutOf(name: PlaceName): Promise<Json> {
  const payout = (await list('', name)).find(({ partner }) => partner === world[name].partner)
  if (!payout) throw new Error(`${name} is paid nothing`)
  return payout
}

describe('the list of payouts', () => {
  it('tells of each payout exactly what is described', async () => {
    const [statement] = rows(await call('/v1/statements', { key: world.pier.key }))
    expect(await list('', 'pier')).toEqual([
      {
        id: expect.stringMatching(/^pay_/),
        statement: statement?.id,
        partner: world.pier.partner,
        period: settledPeriod,
        amount: statement?.payable,
        currency: 'USD',
        status: 'held',
        hold_reason: 'no_payout_account',
        hold_advice: 'The partner opens its payout account; the payout then goes by itself.',
        transfer: null,
        pay_on: null,
        created_at: expect.stringMatching(/Z$/),
        paid_at: null,
      },
    ])
  })

  it('waits for nothing where the account is verified', async () => {
    expect(await payoutOf('shop')).toMatchObject({ status: 'approved', hold_reason: null })
  })

  it('can be narrowed to a partner and to a period', async () => {
    const { partner } = world.market
    const narrowed = await list(`?partner=${partner}&period=${settledPeriod}`, 'north')
    expect(narrowed).toEqual([await payoutOf('market')])
    expect(await list(`?partner=${world.pier.partner}`, 'north')).toEqual([])
    expect(await list('?period=2001-01', 'owner')).toEqual([])
  })

  it.each(viewerNames)('shows %s its own and those of everyone below', async (viewer) => {
    const expected = await product.db
      .selectFrom('payouts')
      .select('id')
      .where(
        'partnerId',
        'in',
        sees[viewer].map((name) => world[name].id),
      )
      .orderBy('id', 'desc')
      .execute()
    const seen = await list('?limit=100', viewer)
    expect(seen.map(({ id }) => id)).toEqual(expected.map(({ id }) => outwardId('payout', id)))
  })

  itRefusesBadQueries('/v1/payouts', stage, badEarningsQueries)
})

describe('a payout', () => {
  it('reads the same alone as in the list', async () => {
    const listed = await payoutOf('market')
    const { status, body } = await call(`/v1/payouts/${listed.id}`, { key: world.north.key })
    expect(status).toBe(200)
    expect(body).toMatchObject(listed)
  })

  it.each(placeNames)('of %s is answered 404 to strangers', async (name) => {
    await expectHidden(call, {
      route: 'GET /v1/payouts/:id',
      id: String((await payoutOf(name)).id),
      strangers: strangersOf(name).map((stranger) => world[stranger].key),
    })
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, ['GET /v1/payouts', 'GET /v1/payouts/:id'])
})
