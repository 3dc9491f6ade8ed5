import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { recordTierReviews } from '../../db/tier-reviews.ts'
import { type Steps, startSteps } from '../support/steps.ts'
import { makeCourse } from '../support/training.ts'
import { expectHidden, itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, type Json, rows } from './kit.ts'
import {
  fillWorld,
  makeWorld,
  type PlaceName,
  placeNames,
  settledPeriod,
  type World,
} from './world.ts'

let product: Steps
let call: Call
let world: World
beforeAll(async () => {
  product = await startSteps()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const keys = () => ({
  ...stage(),
  keys: {
    super_admin: world.owner.key,
    master_reseller: world.north.key,
    reseller: world.shop.key,
  },
})
const read = (name: PlaceName, key = world[name].key) =>
  call(`/v1/partners/${world[name].partner}/tier`, { key })

describe('the tier of a partner', () => {
  it('is shown with the figure, the next tier, the distance and what it would bring', async () => {
    const { status, body } = await read('shop')
    expect(status).toBe(200)
    // It sold 99.99, of which 33.33 went back.
    expect(body).toMatchObject({
      partner: world.shop.partner,
      tier: 'silver',
      override: null,
      window: { months: 12, figure: { amount: 6_666, currency: 'USD' } },
      kept_from: { amount: 45_000, currency: 'USD' },
      next: {
        tier: 'gold',
        threshold: { amount: 500_000, currency: 'USD' },
        distance: { amount: 493_334, currency: 'USD' },
        certification: null,
        needs_approval: false,
      },
      grace: null,
      review: { period: settledPeriod, outcome: 'promoted', cause: 'reached', to: 'silver' },
    })
    expect(body).not.toHaveProperty('lock')
    const own = (body.rates as Json[])[0]
    expect(own).toMatchObject({ depth: 0 })
    expect((own as { now: string[] }).now[0]).toMatch(/^The partner earns 20 % of /)
  })

  it('is the same for those above it; the platform also sees a lock', async () => {
    const { body } = await read('shop')
    expect((await read('shop', world.north.key)).body).toEqual(body)
    expect((await read('shop', world.owner.key)).body).toEqual({ ...body, lock: null })
  })

  it('tells which rates the next tier brings, and which certification is missing', async () => {
    const { db } = product
    const { rows: made } = await sql<{ id: string }>`
      insert into commission_rules (programme_id, version, depth, rate_num, rate_den, valid, code,
        tier) select programme_id, 1, 0, 3, 10, '(,)', 'golden', 'gold' from commission_rules
      limit 1 returning id`.execute(db)
    expect(made).toHaveLength(1)
    await sql`
      with package as (insert into feature_packages (programme_id, name, amount_minor, currency,
        interval) select id, 'Special package', 1000, currency, 'month' from programmes limit 1
        returning id, programme_id)
      insert into commission_rules (programme_id, version, depth, rate_num, rate_den, valid, code,
        feature_package_id)
      select programme_id, 1, 0, 1, 4, '(,)', 'special', id from package`.execute(db)
    await sql`update programmes set onboarding = onboarding ||
      '{"certificationRequiredFor": ["gold"], "tierApprovalFor": ["gold"]}'`.execute(db)
    await makeCourse(db, { code: 'gold-sales', certifies: ['gold'] })
    const { body } = await read('market')
    const { rates, next } = body as { rates: { now: string[]; next: string[] }[]; next: Json }
    expect(rates[0]?.now[0]).toMatch(/^The partner earns 20 % of /)
    expect(rates[0]?.next[0]).toMatch(/^The partner earns 30 % of .*, while it is gold/)
    expect(rates[0]?.now).toContainEqual(expect.stringMatching(/own sales of Special package/))
    expect(next.certification).toEqual({ missing: ['gold-sales'] })
    expect(next.needs_approval).toBe(true)
  })

  it('does not exist for strangers: 404', async () => {
    const hidden = { id: world.shop.partner, strangers: [world.south.key, world.corner.key] }
    await expectHidden(call, { ...hidden, route: 'GET /v1/partners/:id/tier' })
  })

  // Each of these is a 401.
  itTakesLiveKeysOnly(stage, ['GET /v1/partners/:id/tier', 'GET /v1/tiers/reviews'])
})

describe('the list of reviews', () => {
  it('tells of every partner what was decided and why, by period and outcome', async () => {
    const { db } = product
    const review = (name: PlaceName, outcome: 'kept' | 'gated') => ({
      ...{ partnerId: world[name].id, period: '2099-06', metricMinor: 6_666n, currency: 'USD' },
      ...{ windowUntil: new Date('2099-07-01T00:00:00Z'), tier: 'silver', outcome },
      ...(outcome === 'kept'
        ? { cause: 'not_quarter_end', toTier: null, reached: 'bronze' }
        : { cause: 'certification', toTier: 'gold', reached: 'gold' }),
    })
    const made = placeNames.map((name) => review(name, name === 'shop' ? 'gated' : 'kept'))
    await inTransaction(db, (trx) =>
      recordTierReviews(trx, made as Parameters<typeof recordTierReviews>[1]),
    )
    const all = rows(await call('/v1/tiers/reviews?period=2099-06', { key: world.owner.key }))
    expect(all.map(({ partner }) => partner).sort()).toEqual(
      placeNames.map((name) => world[name].partner).sort(),
    )
    const path = '/v1/tiers/reviews?period=2099-06&outcome=gated'
    expect(rows(await call(path, { key: world.owner.key }))).toEqual([
      {
        id: expect.stringMatching(/^trv_/),
        partner: world.shop.partner,
        period: '2099-06',
        tier: 'silver',
        reached: 'gold',
        figure: { amount: 6_666, currency: 'USD' },
        outcome: 'gated',
        cause: 'certification',
        to: 'gold',
        grace: null,
        reviewed_at: expect.any(String),
        decision: null,
      },
    ])
    expect((await read('shop')).body.review).toEqual({
      ...{ period: '2099-06', outcome: 'gated', cause: 'certification', to: 'gold' },
    })
    const none = await call('/v1/tiers/reviews?period=2026-05', { key: world.owner.key })
    expect(rows(none)).toEqual([])
  })

  itRefusesBadQueries('/v1/tiers/reviews', stage)
  // A 403 for everybody else.
  itIsClosedTo(['master_reseller', 'reseller'], ['GET /v1/tiers/reviews'], keys)
})
