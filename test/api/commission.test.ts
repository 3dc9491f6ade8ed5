import { sql } from 'kysely'
import { outwardId } from '../../domain/ids.ts'
import { makeOrder } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import {
  badEarningsQueries,
  expectHidden,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
  unknownId,
} from './guards.ts'
import { type Call, clientOf, type Json, rows } from './kit.ts'
import {
  fillWorld,
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
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

const list = async (path: string, viewer: PlaceName | 'owner') =>
  rows(await call(`${path}${path.includes('?') ? '&' : '?'}limit=100`, { key: world[viewer].key }))

/** The accrual of the partner on its own sale. */
async function ownAccrual(name: PlaceName): Promise<Json> {
  const accruals = await list('/v1/accruals', name)
  const { partner } = world[name]
  const own = accruals.find((accrual) => accrual.partner === partner && accrual.depth === 0)
  if (!own) throw new Error(`${name} earned nothing`)
  return own
}

describe('the list of accruals', () => {
  it('tells of each accrual exactly what is described', async () => {
    // 20 % of 99.99 is 19.998; the missing cent goes to the largest remainder.
    expect(await list('/v1/accruals', 'pier')).toEqual([
      {
        id: expect.stringMatching(/^acc_/),
        partner: world.pier.partner,
        customer: expect.stringMatching(/^cus_/),
        depth: 0,
        amount: 2_000,
        currency: 'USD',
        period: settledPeriod,
        payment: expect.stringMatching(/^pmt_/),
        paid_at: `${settledPeriod}-05T10:00:00.000Z`,
        matures_at: `${settledPeriod}-05T10:00:00.000Z`,
        became: { status: 'pending', taken_back: 666, statement: null },
      },
    ])
  })

  it('tells what became of it to whoever earned it and the platform, and to nobody above', async () => {
    const { partner } = world.shop
    const about = async (viewer: PlaceName | 'owner') =>
      (await list(`/v1/accruals?partner=${partner}`, viewer)).map(({ became }) => became)
    const [own, platform] = [await about('shop'), await about('owner')]
    expect(own).toEqual([
      { status: 'pending', taken_back: expect.any(Number), statement: null },
      { status: 'pending', taken_back: 666, statement: null },
    ])
    expect(platform).toEqual(own)
    expect(await about('north')).toEqual([null, null])
  })

  it('can be narrowed to a partner and to a period', async () => {
    const { partner } = world.shop
    const accruals = await list(`/v1/accruals?partner=${partner}`, 'north')
    expect(accruals.map((accrual) => [accrual.partner, accrual.depth])).toEqual([
      [partner, 1],
      [partner, 0],
    ])
    const both = `/v1/accruals?partner=${partner}&period=${settledPeriod}`
    expect(await list(both, 'north')).toEqual(accruals)
    expect(await list('/v1/accruals?period=2001-01', 'north')).toEqual([])
  })

  it('is empty for a partner that the viewer may not see, as for one that never was', async () => {
    const { partner } = world.pier
    expect(await list(`/v1/accruals?partner=${partner}`, 'north')).toEqual([])
    const unknown = unknownId('prt')
    expect(await list(`/v1/accruals?partner=${unknown}`, 'north')).toEqual([])
  })

  itRefusesBadQueries('/v1/accruals', stage, badEarningsQueries)
})

describe('why an accrual is what it is', () => {
  it('is told in a sentence and in figures that add up', async () => {
    const accrual = await ownAccrual('shop')
    const { status, body } = await call(`/v1/accruals/${accrual.id}/why`, {
      key: world.owner.key,
    })
    expect(status).toBe(200)
    expect(Object.keys(body).sort()).toEqual(['data', 'sentence'])
    expect(body.sentence).toMatch(/20\.00/)
    expect(body.data).toEqual({
      accrual: accrual.id,
      amount: 2_000,
      base: 9_999,
      currency: 'USD',
      event: {
        payment: accrual.payment,
        invoice: expect.stringMatching(/^in_/),
        line: expect.stringMatching(/^il_/),
        vendor_payment: expect.stringMatching(/^inpay_/),
        paid_at: accrual.paid_at,
      },
      rule: {
        code: 'depth-0',
        version: 1,
        depth: 0,
        kind: 'percentage',
        rate_num: 2_000,
        rate_den: 10_000,
      },
      link: null,
      tier: 'bronze',
      target: 2_000,
      limited_by: null,
      volume: null,
      rounding: 'largest_remainder',
      matures_at: accrual.matures_at,
      shares: [
        { partner: world.shop.partner, depth: 0, amount: 2_000 },
        { partner: world.north.partner, depth: 1, amount: 500 },
      ],
      platform: 7_499,
      clawbacks: [
        {
          cause: 'refund',
          source: expect.stringMatching(/^re_/),
          amount: 666,
          period: settledPeriod,
          happened_at: `${settledPeriod}-06T10:00:00.000Z`,
        },
      ],
    })
  })

  it('shows a partner its own share and those below it, and never what the platform keeps', async () => {
    const { id } = await ownAccrual('shop')
    const seenBy = async (viewer: PlaceName) =>
      (await call(`/v1/accruals/${id}/why`, { key: world[viewer].key })).body.data as Json
    expect((await seenBy('shop')).shares).toEqual([
      { partner: world.shop.partner, depth: 0, amount: 2_000 },
    ])
    expect((await seenBy('north')).shares).toEqual([
      { partner: world.shop.partner, depth: 0, amount: 2_000 },
      { partner: world.north.partner, depth: 1, amount: 500 },
    ])
    for (const viewer of ['shop', 'north'] as const) {
      expect(Object.keys(await seenBy(viewer))).not.toContain('platform')
    }
  })

  it('names the partner above in no form to the one below', async () => {
    const { id } = await ownAccrual('corner')
    const { text } = await call(`/v1/accruals/${id}/why`, { key: world.corner.key })
    const { rows: above } = await sql<{ name: string; id: string }>`
      select name, id from partners where id in (${world.shop.id}, ${world.north.id})`.execute(
      product.db,
    )
    for (const { name, id: uuid } of above) {
      expect(text).not.toContain(name)
      expect(text).not.toContain(outwardId('partner', uuid))
    }
    expect(text).not.toContain('7499')
  })

  it.each(placeNames)(
    'of %s is answered 404 to siblings, children and other masters',
    async (name) => {
      const { id } = await ownAccrual(name)
      await expectHidden(call, {
        route: 'GET /v1/accruals/:id/why',
        id: String(id),
        strangers: strangersOf(name).map((stranger) => world[stranger].key),
      })
    },
  )

  it('of a share above is hidden from the partner whose sale it was', async () => {
    const accruals = await list('/v1/accruals', 'north')
    const above = accruals.find(({ partner, depth }) => partner === world.north.partner && depth)
    await expectHidden(call, {
      route: 'GET /v1/accruals/:id/why',
      id: String(above?.id),
      strangers: [world.shop.key, world.market.key],
    })
  })
})

describe('the list of clawbacks', () => {
  it('tells of each clawback exactly what is described', async () => {
    const accrual = await ownAccrual('pier')
    // A third of the sale went back, and a third of the 20.00 with it, rounded down.
    expect(await list('/v1/clawbacks', 'pier')).toEqual([
      {
        id: expect.stringMatching(/^clw_/),
        accrual: accrual.id,
        partner: world.pier.partner,
        amount: 666,
        currency: 'USD',
        period: settledPeriod,
        payment: accrual.payment,
        cause: 'refund',
        source: expect.stringMatching(/^re_/),
        happened_at: instant,
      },
    ])
  })

  itRefusesBadQueries('/v1/clawbacks', stage, badEarningsQueries)
})

describe('what was earned and taken back', () => {
  it.each(viewerNames)(
    'is seen by %s for itself and everyone below, and for no one else',
    async (viewer) => {
      const visible = sees[viewer].map((name) => world[name].id)
      for (const table of ['accruals', 'clawbacks'] as const) {
        const expected = await product.db
          .selectFrom(table)
          .select('id')
          .where('partnerId', 'in', visible)
          .execute()
        const seen = await list(`/v1/${table}`, viewer)
        const kind = table === 'accruals' ? 'accrual' : 'clawback'
        expect(expected.length).toBeGreaterThan(0)
        expect(seen.map(({ id }) => id).sort()).toEqual(
          expected.map(({ id }) => outwardId(kind, id)).sort(),
        )
      }
    },
  )

  it('shows nothing of an order that was never paid', async () => {
    const before = (await list('/v1/accruals', 'market')).length
    await makeOrder(product.db, world.market.id)
    expect(await list('/v1/accruals', 'market')).toHaveLength(before)
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, ['GET /v1/accruals', 'GET /v1/accruals/:id/why', 'GET /v1/clawbacks'])
})
