/** Reserves as the platform and partners see them. */
import { sql } from 'kysely'
import { outwardId } from '../../domain/ids.ts'
import { openBooks } from '../support/books.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itIsClosedTo, itTakesLiveKeysOnly, unknownId, walk } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, settledPeriod, type ViewerName, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  const { db } = product
  call = clientOf(product.api)
  world = await makeWorld(db)
  await sql`update programmes set onboarding = onboarding || '{"riskReserve": true}'`.execute(db)
  const books = openBooks(db)
  for (const name of ['shop', 'pier'] as const) {
    await books.sell(world[name].id, { net: 100_000n, paidAt: `${settledPeriod}-03T00:00:00Z` })
  }
  await sql`insert into disputes (payment_id, vendor_dispute_id, amount_minor, status, opened_at)
    select id, 'dp_1', 1725, 'lost', ${`${settledPeriod}-20`}::timestamptz from payments
    where partner_id = ${world.shop.id}`.execute(db)
  await books.settle(settledPeriod)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const list = async (viewer: ViewerName, query = '') =>
  rows(await call(`/v1/reserves?${query}`, { key: world[viewer].key }))
const partnersOf = (reserves: Json[]) => reserves.map(({ partner }) => partner)

async function reserveOf(name: 'shop' | 'north'): Promise<Json & { id: string }> {
  const [reserve] = await list('owner', `partner=${world[name].partner}`)
  if (!reserve) throw new Error('there is none')
  return { ...reserve, id: String(reserve.id) }
}
const release = (id: string, body: Json, key = world.owner.key) =>
  call(`/v1/reserves/${id}/release`, { method: 'POST', key, body })

describe('reserves', () => {
  it('are told with what they are of, why, and until when', async () => {
    expect(await reserveOf('shop')).toMatchObject({
      ...{ partner: world.shop.partner, period: settledPeriod, currency: 'USD' },
      ...{ amount: 5_000, left: 5_000, keep_bps: 2_500 },
      ...{ paid: 100_000, disputed: 1_725, disputed_bps: 172, above_bps: 150 },
      ...{ released_at: null, release_reason: null },
    })
    const unknown = await call(`/v1/reserves?partner=${unknownId('prt')}`, {
      key: world.owner.key,
    })
    expect([unknown.status, unknown.body.data]).toEqual([200, []])
  })

  it('are seen by the partner itself and those above it, without the words of the platform', async () => {
    const both = [world.shop.partner, world.north.partner].sort()
    expect(partnersOf(await list('owner')).sort()).toEqual(both)
    expect(partnersOf(await list('north')).sort()).toEqual(both)
    expect(partnersOf(await list('shop'))).toEqual([world.shop.partner])
    for (const stranger of ['market', 'south', 'pier'] as const) {
      expect(await list(stranger)).toEqual([])
    }
    expect(Object.keys((await list('shop'))[0] ?? {})).not.toContain('release_reason')
  })

  it('are listed by whether something is kept, and page by page', async () => {
    expect(await list('owner', 'kept=true')).toHaveLength(2)
    expect(await list('owner', 'kept=false')).toEqual([])
    const paged = await walk(call, { path: '/v1/reserves', key: world.owner.key, limit: 1 })
    expect(paged).toEqual(await list('owner'))
    const bad = await call('/v1/reserves?kept=maybe', { key: world.owner.key })
    expect(faults(bad)).toEqual(['invalid /kept'])
  })

  it('stand on every form of the statement with their reason', async () => {
    const { id, statement } = await reserveOf('shop')
    const { body } = await call(`/v1/statements/${statement}`, { key: world.shop.key })
    expect(body).toMatchObject({
      ...{ closing: 20_000, held: 5_000, payable: 15_000 },
      held_for: [{ cause: 'reserve', amount: 5_000, lines: null, until: expect.any(String) }],
      reserves: [{ reserve: id, what: 'kept', amount: 5_000, disputed_bps: 172 }],
    })
    const { text } = await call(`/v1/statements/${statement}/csv`, { key: world.shop.key })
    expect(text).toContain('1.72 % of what was paid since')
    const pdf = await call(`/v1/statements/${statement}/pdf`, { key: world.shop.key })
    expect(pdf.status).toBe(200)
  })
})

describe('the release of a reserve', () => {
  it('takes a reason, happens once, and stands in the audit trail', async () => {
    const { id } = await reserveOf('north')
    expect(faults(await release(id, {}))).toEqual(['missing /reason'])
    expect(faults(await release(id, { reason: '' }))).toEqual(['invalid /reason'])
    const { status, body } = await release(id, { reason: 'all of it is won' })
    expect(status).toBe(200)
    expect(body).toMatchObject({ id, left: 1_250, release_reason: 'all of it is won' })
    expect(body.released_at).toEqual(expect.any(String))
    const again = await release(id, { reason: 'once more' })
    expect([again.status, again.body.code]).toEqual([409, 'conflict'])
    const { rows: trail } = await sql`select from audit_events
      where kind = 'reserve_release' and partner_id = ${world.north.id}`.execute(product.db)
    expect(trail).toHaveLength(1)
  })

  it('is about one that exists: 404 else', async () => {
    const route = 'POST /v1/reserves/:id/release'
    const strangers = [world.owner.key]
    await expectHidden(call, { route, id: 'rsv_1', strangers, body: { reason: 'as agreed' } })
    expect((await release(outwardId('partner', world.shop.id), { reason: 'x' })).status).toBe(404)
  })

  // Each of these is a 401, and a 403 for everybody but the platform.
  const routes = ['POST /v1/reserves/:id/release']
  itTakesLiveKeysOnly(stage, ['GET /v1/reserves', ...routes])
  itIsClosedTo(['master_reseller', 'reseller'], routes, () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})
