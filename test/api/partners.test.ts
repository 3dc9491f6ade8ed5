import { sql } from 'kysely'
import { type Product, startProduct } from '../support/product.ts'
import { contextAt } from '../support/tenancy.ts'
import { expectHidden, itRefusesBadQueries, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows } from './kit.ts'
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
        terms_outdated: false,
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

describe('suspending', () => {
  const turn = (what: 'suspend' | 'activate', id: string, key: string) =>
    call(`/v1/partners/${id}/${what}`, { method: 'POST', key, body: { reason: 'Arrears' } })
  const refusal = ({ status, body }: Answer) => [status, body.code]
  const link = (key: string) => call('/v1/links', { method: 'POST', key, body: { name: 'Fair' } })

  it('blocks what a partner and everyone below it would change, and lets them read', async () => {
    const { status, body } = await turn('suspend', world.shop.partner, world.owner.key)
    expect([status, body.status]).toEqual([200, 'suspended'])
    for (const key of [world.shop.key, world.corner.key]) {
      expect(refusal(await link(key))).toEqual([423, 'suspended'])
      expect((await call('/v1/partners', { key })).status).toBe(200)
    }
    for (const key of [world.north.key, world.market.key])
      expect((await link(key)).status).toBe(201)
    const back = await turn('activate', world.shop.partner, world.owner.key)
    expect([back.status, back.body.status]).toEqual([200, 'active'])
    expect(back.body.activated_at).toBe(body.activated_at)
    for (const key of [world.shop.key, world.corner.key]) expect((await link(key)).status).toBe(201)
  })

  it('is for the master reseller too, of everyone below it and of nobody else', async () => {
    expect((await turn('suspend', world.market.partner, world.north.key)).status).toBe(200)
    expect((await turn('activate', world.market.partner, world.north.key)).status).toBe(200)
    for (const stranger of [world.pier.partner, world.south.partner, unknownId('prt')]) {
      expect(refusal(await turn('suspend', stranger, world.north.key))).toEqual([404, 'not_found'])
    }
    expect(refusal(await turn('suspend', world.north.partner, world.north.key))).toEqual([
      404,
      'not_found',
    ])
    expect(refusal(await turn('suspend', world.corner.partner, world.shop.key))).toEqual([
      403,
      'level_not_allowed',
    ])
  })

  it('by the platform owner is undone by nobody else', async () => {
    await turn('suspend', world.pier.partner, world.owner.key)
    expect(refusal(await turn('activate', world.pier.partner, world.south.key))).toEqual([
      403,
      'forbidden',
    ])
    expect((await turn('activate', world.pier.partner, world.owner.key)).status).toBe(200)
  })

  it('of a master reseller keeps it from letting itself or others back in', async () => {
    await turn('suspend', world.south.partner, world.owner.key)
    for (const what of ['suspend', 'activate'] as const) {
      expect(refusal(await turn(what, world.pier.partner, world.south.key))).toEqual([
        423,
        'suspended',
      ])
    }
    expect(refusal(await link(world.pier.key))).toEqual([423, 'suspended'])
    await turn('activate', world.south.partner, world.owner.key)
    expect((await link(world.pier.key)).status).toBe(201)
  })

  it('is refused of a partner that is in another status', async () => {
    const path = world.market.partner
    expect(refusal(await turn('activate', path, world.owner.key))).toEqual([409, 'conflict'])
    await turn('suspend', path, world.owner.key)
    expect(refusal(await turn('suspend', path, world.owner.key))).toEqual([409, 'conflict'])
    await turn('activate', path, world.owner.key)
  })

  it('is kept with its reason and who did it, seen by the partner and the platform', async () => {
    const { rows: kept } = await sql<{ status: string; reason: string; by: string }>`
      select status, reason, changed_by as by from partner_status_changes
      where partner_id = ${world.pier.id} order by id`.execute(product.db)
    const by = expect.stringMatching(/^member:/)
    expect(kept).toEqual([
      { status: 'suspended', reason: 'Arrears', by },
      { status: 'active', reason: 'Arrears', by },
    ])
    const seen = async (...who: Parameters<typeof contextAt>) => {
      const { rows: found } = await sql`select from partner_status_changes
        where partner_id = ${world.pier.id}`.execute(product.tenancy.dbFor(contextAt(...who)))
      return found.length
    }
    expect(await seen('super_admin')).toBe(2)
    expect(await seen('reseller', world.pier.id)).toBe(2)
    expect(await seen('master_reseller', world.south.id)).toBe(0)
    expect(await seen('reseller', world.market.id)).toBe(0)
  })

  it('is done once by a request that is repeated under its key', async () => {
    const request = {
      method: 'POST',
      key: world.owner.key,
      body: { reason: 'Once' },
      headers: { 'Idempotency-Key': 'suspend-once' },
    }
    const path = `/v1/partners/${world.market.partner}/suspend`
    const answers = [await call(path, request), await call(path, request)]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    await turn('activate', world.market.partner, world.owner.key)
  })

  it.each<[string, Json, string[]]>([
    ['no reason', {}, ['missing /reason']],
    ['a blank reason', { reason: ' ' }, ['invalid /reason']],
    ['a date', { reason: 'x', until: '2027-01-01' }, ['unknown_field /until']],
  ])('is not done with %s', async (_what, body, expected) => {
    const request = { method: 'POST', key: world.owner.key, body }
    const answer = await call(`/v1/partners/${world.market.partner}/suspend`, request)
    expect(faults(answer)).toEqual(expected)
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/partners',
    'GET /v1/partners/:id',
    'POST /v1/partners/:id/suspend',
    'POST /v1/partners/:id/activate',
  ])
})
