import { type Product, startProduct } from '../support/product.ts'
import { itRefusesBadQueries, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import {
  fillWorld,
  makeWorld,
  type PlaceName,
  sees,
  settledPeriod,
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
        has_more: false,
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
        effective_from: expect.stringMatching(/Z$/),
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

describe('a tier override', () => {
  const propose = (name: PlaceName, body: Json, key = product.owner) =>
    call(`/v1/partners/${world[name].partner}/tier-override`, { method: 'POST', key, body })
  const approve = ({ id, payload_hash }: Json) =>
    call(`/v1/approvals/${String(id)}/approve`, {
      method: 'POST',
      key: product.second,
      body: { payload_hash },
    })
  const tierOf = async (name: PlaceName) =>
    (await call(`/v1/partners/${world[name].partner}`, { key: world[name].key })).body.tier
  const reason = 'As agreed'

  it('holds from the approval of a second person on, and says why', async () => {
    const { status, body, headers } = await propose('shop', { tier: 'platinum', reason })
    expect(status).toBe(202)
    expect(headers.get('location')).toBe(`/v1/approvals/${String(body.id)}`)
    expect(body).toMatchObject({
      status: 'proposed',
      partner: world.shop.partner,
      override: { tier: 'platinum', until: null },
    })
    expect(await tierOf('shop')).toBe('silver')
    const approved = await approve(body)
    expect(await tierOf('shop')).toBe('platinum')
    const [change] = rows(await call('/v1/tiers/changes', { key: world.shop.key }))
    expect(change).toMatchObject({
      id: approved.body.effect,
      from: 'silver',
      to: 'platinum',
      reason: `override: ${reason}`,
      period: null,
    })
  })

  it('ends by itself where it has an end, and tells of it beforehand', async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString()
    const { body } = await propose('market', { tier: 'gold', reason, until })
    expect(body.override).toEqual({ tier: 'gold', until })
    expect((await approve(body)).status).toBe(200)
    expect(await tierOf('market')).toBe('gold')
    const changes = rows(await call('/v1/tiers/changes', { key: world.market.key }))
    expect(changes.slice(0, 2)).toEqual([
      expect.objectContaining({ from: 'gold', to: 'silver', effective_from: until }),
      expect.objectContaining({ from: 'silver', to: 'gold' }),
    ])
  })

  it('to the tier that the partner holds is refused, also where it got there meanwhile', async () => {
    const held = await propose('corner', { tier: 'silver', reason })
    expect([held.status, held.body.code]).toEqual([409, 'conflict'])
    const [one, other] = [
      await propose('corner', { tier: 'gold', reason }),
      await propose('corner', { tier: 'gold', reason }),
    ]
    expect((await approve(one.body)).status).toBe(200)
    const late = await approve(other.body)
    expect([late.status, late.body.code]).toEqual([409, 'conflict'])
    const read = await call(`/v1/approvals/${String(other.body.id)}`, { key: product.owner })
    expect(read.body.status).toBe('proposed')
  })

  it.each<[string, Json, string[]]>([
    ['nothing', {}, ['missing /reason', 'missing /tier']],
    ['an unknown tier', { tier: 'tin', reason }, ['invalid /tier']],
    ['no reason', { tier: 'gold', reason: '' }, ['invalid /reason']],
    [
      'an end that is over',
      { tier: 'gold', reason, until: '2026-01-01T00:00:00Z' },
      ['invalid /until'],
    ],
    ['an end of no time', { tier: 'gold', reason, until: 'soon' }, ['invalid /until']],
    ['a beginning', { tier: 'gold', reason, from: '2026-01-01' }, ['unknown_field /from']],
  ])('is not proposed with %s', async (_what, body, expected) => {
    expect(faults(await propose('pier', body))).toEqual(expected)
  })

  it('of a partner that does not exist is answered 404', async () => {
    for (const id of [unknownId('prt'), 'prt_1']) {
      const request = { method: 'POST', key: product.owner, body: { tier: 'gold', reason } }
      const { status, body } = await call(`/v1/partners/${id}/tier-override`, request)
      expect([status, body.code]).toEqual([404, 'not_found'])
    }
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/tiers',
    'GET /v1/tiers/changes',
    'POST /v1/partners/:id/tier-override',
  ])
})
