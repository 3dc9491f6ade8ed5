/** Moves of partners over HTTP: who may, which are refused, and what they do to what is seen. */
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { markPartner } from '../../db/partners.ts'
import { outwardId } from '../../domain/ids.ts'
import { makeKey, makePartner, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import {
  expectHidden,
  itIsClosedTo,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
  unknownId,
} from './guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows } from './kit.ts'
import {
  fillWorld,
  issueStatements,
  makeWorld,
  type PlaceName,
  placeNames,
  strangersOf,
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
  await issueStatements(product.db)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
const refusal = ({ status, body }: Answer) => [status, body.code]

const move = (partner: string, body: Json, headers: Record<string, string> = {}) =>
  call(`/v1/partners/${partner}/moves`, { method: 'POST', key: world.owner.key, body, headers })
const movesOf = (name: PlaceName, key = world[name].key) =>
  call(`/v1/partners/${world[name].partner}/moves`, { key })

const chains = (allowed: boolean) =>
  sql`update programmes set reseller_chains = ${allowed}`.execute(product.db)

/** A partner that nobody else in this file is about. */
async function newcomer(parentId: string | null, level?: 'master_reseller') {
  const id = await makePartner(product.db, { parentId, ...(level ? { level } : {}) })
  return { id, partner: outwardId('partner', id), key: await makeKey(product.db, id) }
}

describe('a move', () => {
  it('puts a partner below another one at once, and tells of itself', async () => {
    const own = await newcomer(world.north.id)
    const { status, body, headers } = await move(own.partner, { parent: world.south.partner })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/v1/partners/${own.partner}/moves`)
    expect(body).toEqual({
      id: expect.stringMatching(/^mov_/),
      partner: own.partner,
      parent: world.south.partner,
      effective_from: instant,
      recorded_at: instant,
    })
    const read = (key: string) => call(`/v1/partners/${own.partner}`, { key })
    expect((await read(world.south.key)).body.parent).toBe(world.south.partner)
    expect((await read(own.key)).body.parent).toBe(world.south.partner)
    expect((await read(world.north.key)).status).toBe(404)
    const path = `/v1/partners/${own.partner}/moves`
    for (const key of [own.key, world.owner.key]) {
      expect(rows(await call(path, { key }))).toEqual([body])
    }
    expect(refusal(await call(path, { key: world.south.key }))).toEqual([403, 'forbidden'])
    expect(refusal(await call(path, { key: world.north.key }))).toEqual([404, 'not_found'])
  })

  it('happens once for a request that is repeated, also when its answer was lost', async () => {
    const own = await newcomer(world.north.id)
    const key = unique('move')
    const once = () =>
      move(own.partner, { parent: world.south.partner }, { 'Idempotency-Key': key })
    const first = await once()
    expect((await once()).body).toEqual(first.body)
    await sql`update idempotency_keys set answer_status = null, answer_headers = null,
      answer_sealed = null, claimed_at = clock_timestamp() - interval '1 hour'
      where key = ${key}`.execute(product.db)
    expect((await once()).body).toEqual(first.body)
    expect(rows(await call(`/v1/partners/${own.partner}/moves`, { key: own.key }))).toHaveLength(1)
  })

  it('may be told late, and is never told before it happens', async () => {
    const own = await newcomer(world.north.id)
    const from = '2026-03-01T00:00:00.000Z'
    const late = await move(own.partner, { parent: world.south.partner, effective_from: from })
    expect([late.status, late.body.effective_from]).toEqual([201, from])
    for (const effective_from of ['2099-01-01T00:00:00Z', '1999-12-31T23:59:59Z', 'yesterday']) {
      const early = await move(own.partner, { parent: world.north.partner, effective_from })
      expect(faults(early)).toEqual(['invalid /effective_from'])
    }
  })

  it('to where the partner stands is refused', async () => {
    const own = await newcomer(world.north.id)
    const answer = await move(own.partner, { parent: world.north.partner })
    expect(refusal(answer)).toEqual([409, 'conflict'])
  })

  it('below the partner itself, or below who stands or stood below it, is refused', async () => {
    await chains(true)
    const upper = await newcomer(world.north.id)
    const middle = await newcomer(upper.id)
    const lower = await newcomer(middle.id)
    for (const parent of [upper, middle, lower]) {
      expect(faults(await move(upper.partner, { parent: parent.partner }))).toEqual([
        'invalid /parent',
      ])
    }
    expect((await move(lower.partner, { parent: world.south.partner })).status).toBe(201)
    const past = { parent: lower.partner, effective_from: '2026-01-01T00:00:00Z' }
    expect(faults(await move(upper.partner, past))).toEqual(['invalid /parent'])
    expect((await move(upper.partner, { parent: lower.partner })).status).toBe(201)
    await chains(false)
  })

  it('makes no circle with another that happens at the same time', async () => {
    await chains(true)
    const [one, other] = [await newcomer(world.north.id), await newcomer(world.north.id)]
    const answers = await Promise.all([
      move(one.partner, { parent: other.partner }),
      move(other.partner, { parent: one.partner }),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 422])
    await chains(false)
  })

  it('below who may not bring in its level is refused', async () => {
    const reseller = await newcomer(world.north.id)
    const master = await newcomer(null, 'master_reseller')
    for (const [who, to] of [
      [reseller, world.shop],
      [master, world.north],
      [master, world.shop],
    ] as const) {
      expect(faults(await move(who.partner, { parent: to.partner }))).toEqual(['invalid /parent'])
    }
    await chains(true)
    expect((await move(reseller.partner, { parent: world.shop.partner })).status).toBe(201)
    for (const to of [world.north, world.shop]) {
      expect(faults(await move(master.partner, { parent: to.partner }))).toEqual([
        'invalid /parent',
      ])
    }
    await chains(false)
  })

  it('below who is suspended, not active yet, or below a suspended one is refused', async () => {
    await chains(true)
    const own = await newcomer(world.north.id)
    const master = await newcomer(null, 'master_reseller')
    const below = await newcomer(master.id)
    const turn = (to: 'suspended' | 'active', from: 'suspended' | 'active') =>
      inTransaction(product.db, (trx) => markPartner(trx, master.id, { from: [from], to }))
    await turn('suspended', 'active')
    for (const to of [master, below]) {
      const answer = await move(own.partner, { parent: to.partner })
      expect(refusal(answer)).toEqual([409, 'parent_not_active'])
    }
    await turn('active', 'suspended')
    await sql`update partners set status = 'approved' where id = ${below.id}`.execute(product.db)
    const early = await move(own.partner, { parent: below.partner })
    expect(refusal(early)).toEqual([409, 'parent_not_active'])
    expect((await move(own.partner, { parent: master.partner })).status).toBe(201)
    await chains(false)
  })

  it('of nobody, or below nobody, is refused', async () => {
    const unknown = unknownId('prt')
    const parent = world.south.partner
    for (const id of [unknown, 'prt_1']) {
      expect(refusal(await move(id, { parent }))).toEqual([404, 'not_found'])
    }
    expect(faults(await move(world.market.partner, { parent: unknown }))).toEqual([
      'invalid /parent',
    ])
  })

  it.each<[string, Json, string[]]>([
    ['no parent', {}, ['missing /parent']],
    ['an id of another kind', { parent: unknownId('cus') }, ['invalid /parent']],
    ['null', { parent: null }, ['invalid /parent']],
    ['a level', { parent: unknownId('prt'), level: 'reseller' }, ['unknown_field /level']],
  ])('is refused with %s', async (_what, body, expected) => {
    expect(faults(await move(world.market.partner, body))).toEqual(expected)
  })

  it('moves the suspension of whom it stands below along', async () => {
    const own = await newcomer(world.north.id)
    const master = await newcomer(null, 'master_reseller')
    await move(own.partner, { parent: master.partner })
    const suspend = { method: 'POST', key: world.owner.key, body: { reason: 'x' } }
    await call(`/v1/partners/${master.partner}/suspend`, suspend)
    const link = () =>
      call('/v1/links', { method: 'POST', key: own.key, body: { name: unique('fair') } })
    expect(refusal(await link())).toEqual([423, 'suspended'])
    await move(own.partner, { parent: world.north.partner })
    expect((await link()).status).toBe(201)
  })
})

describe('what is seen after a move', () => {
  const listed = async (path: string, name: PlaceName) => {
    const found = rows(await call(`${path}?limit=100`, { key: world[name].key }))
    return found.filter(({ partner }) => partner === world.market.partner).length
  }
  const documents = ['/v1/accruals', '/v1/statements', '/v1/payouts', '/v1/tiers/changes']

  it('is the history for the old master, what lives on for the new one, all for itself', async () => {
    const counts = Object.fromEntries(
      await Promise.all(documents.map(async (path) => [path, await listed(path, 'market')])),
    ) as Record<string, number>
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0)
    expect((await move(world.market.partner, { parent: world.south.partner })).status).toBe(201)
    for (const path of documents) {
      const seen = [await listed(path, 'market'), await listed(path, 'north')]
      expect([path, ...seen]).toEqual([path, counts[path], counts[path]])
      expect([path, await listed(path, 'south')]).toEqual([path, 0])
    }
    const [accrual] = rows(await call('/v1/accruals?limit=100', { key: world.north.key })).filter(
      ({ partner }) => partner === world.market.partner,
    )
    const why = await call(`/v1/accruals/${String(accrual?.id)}/why`, { key: world.north.key })
    expect([why.status, String(why.body.sentence)]).toEqual([
      200,
      expect.stringContaining('a former partner'),
    ])
    for (const path of ['/v1/customers', '/v1/subscriptions', '/v1/tenants']) {
      const seen = [await listed(path, 'market'), await listed(path, 'south')]
      expect([path, ...seen]).toEqual([path, seen[0], seen[0]])
      expect([path, seen[0]]).not.toEqual([path, 0])
      expect([path, await listed(path, 'north')]).toEqual([path, 0])
    }
  })

  it.each(placeNames)('the moves of %s are answered 404 to strangers', async (name) => {
    const now = name === 'market' ? strangersOf('pier') : strangersOf(name)
    const strangers = now.filter((stranger) => name !== 'market' || stranger !== 'market')
    await expectHidden(call, {
      route: 'GET /v1/partners/:id/moves',
      id: world[name].partner,
      strangers: strangers.map((stranger) => world[stranger].key),
    })
  })

  it('are the moves of a partner for itself and the platform', async () => {
    const [own] = rows(await movesOf('market'))
    expect(own).toMatchObject({ parent: world.south.partner })
    expect(rows(await movesOf('market', world.owner.key))).toEqual([own])
    expect(rows(await movesOf('pier'))).toEqual([])
  })

  itRefusesBadQueries(`/v1/partners/${unknownId('prt')}/moves`, stage)
})

describe('moving partners', () => {
  itIsClosedTo(['master_reseller', 'reseller'], ['POST /v1/partners/:id/moves'], () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, ['POST /v1/partners/:id/moves', 'GET /v1/partners/:id/moves'])
})
