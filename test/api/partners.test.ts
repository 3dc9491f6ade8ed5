import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, rows } from './kit.ts'
import { makeWorld, placeNames, sees, strangersOf, viewerNames, type World } from './world.ts'

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

describe('the list of partners', () => {
  it('tells of each partner exactly what is described', async () => {
    const partner = rows(await call('/v1/partners', { key: world.corner.key }))
    expect(partner).toEqual([
      {
        id: world.corner.partner,
        name: expect.stringMatching(/^Partner /),
        level: 'reseller',
        type: 'white_label',
        status: 'active',
        tier: 'bronze',
        parent: world.shop.partner,
        country: 'US',
        created_at: instant,
        activated_at: instant,
      },
    ])
  })

  it.each(viewerNames)('shows %s itself and everyone below, newest first', async (viewer) => {
    const partners = rows(await call('/v1/partners', { key: world[viewer].key }))
    const expected = sees[viewer].map((name) => world[name].partner)
    expect(partners.map(({ id }) => id)).toEqual(expected.sort().reverse())
  })

  itRefusesBadQueries('/v1/partners', stage)
})

describe('a partner', () => {
  it('reads the same alone as in the list', async () => {
    for (const listed of rows(await call('/v1/partners', { key: world.owner.key }))) {
      const { status, body } = await call(`/v1/partners/${listed.id}`, { key: world.owner.key })
      expect([status, body]).toEqual([200, listed])
    }
  })

  it.each(placeNames)(
    '%s is answered 404 to siblings, children and other masters',
    async (name) => {
      await expectHidden(call, {
        route: 'GET /v1/partners/:id',
        id: world[name].partner,
        strangers: strangersOf(name).map((stranger) => world[stranger].key),
      })
    },
  )

  it('is not found by anything but its whole id', async () => {
    const { partner, id } = world.shop
    const wrong = [id, partner.slice(4), partner.slice(0, -1), partner.toUpperCase(), '%00', "'"]
    for (const tried of wrong) {
      const answer = await call(`/v1/partners/${tried}`, { key: world.owner.key })
      expect([tried, answer.status, answer.body.code]).toEqual([tried, 404, 'not_found'])
    }
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, ['GET /v1/partners', 'GET /v1/partners/:id'])
})
