import { type Product, startProduct } from '../support/product.ts'
import { itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, rows } from './kit.ts'
import { fillWorld, makeWorld, sees, settledPeriod, viewerNames, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })

describe('the tiers of the programme', () => {
  it.each(['owner', 'north', 'corner'] as const)(
    'are the same for %s, lowest first',
    async (name) => {
      const answer = await call('/v1/tiers', { key: world[name].key })
      expect(answer.body).toEqual({
        data: [
          ['bronze', 0],
          ['silver', 50_000],
          ['gold', 500_000],
          ['platinum', 2_500_000],
        ].map(([tier, amount]) => ({
          tier,
          threshold: { amount, currency: 'USD' },
          window_months: 12,
        })),
        next_cursor: null,
      })
    },
  )
})

describe('a tier', () => {
  it.each(['gold', 'bronze', 'changes/tch_1'])(
    'is no object of its own: 404 for %s',
    async (name) => {
      for (const key of [world.owner.key, world.shop.key]) {
        const { status, body } = await call(`/v1/tiers/${name}`, { key })
        expect([status, body.code]).toEqual([404, 'not_found'])
      }
    },
  )

  it('is set by nobody from outside', async () => {
    for (const path of ['/v1/tiers', '/v1/tiers/changes']) {
      const request = { method: 'POST', key: world.owner.key, body: { tier: 'gold' } }
      expect((await call(path, request)).status).toBe(405)
    }
  })
})

describe('the list of tier changes', () => {
  it('tells of each change exactly what is described, and of no first tier', async () => {
    expect(rows(await call('/v1/tiers/changes', { key: world.pier.key }))).toEqual([
      {
        id: expect.stringMatching(/^tch_/),
        partner: world.pier.partner,
        from: 'bronze',
        to: 'silver',
        reason: 'reached the threshold',
        period: settledPeriod,
        decided_at: expect.stringMatching(/Z$/),
      },
    ])
  })

  it.each(viewerNames)('shows %s its own and those of everyone below', async (viewer) => {
    const changes = rows(await call('/v1/tiers/changes', { key: world[viewer].key }))
    const partners = sees[viewer].map((name) => world[name].partner)
    expect(changes.map(({ partner }) => partner).sort()).toEqual(partners.sort())
  })

  itRefusesBadQueries('/v1/tiers/changes', stage)
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, ['GET /v1/tiers', 'GET /v1/tiers/changes'])
})
