/** 1099-NEC over the API: what each may read of a year, and what is set for it. */
import { sql } from 'kysely'
import { type Product, startProduct } from '../support/product.ts'
import { itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { fillWorld, issueStatements, makeWorld, placeNames, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  await issueStatements(product.db)
  // Paid, each on a day of its own; nothing is asked of the processor here.
  await product.db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`update payouts set status = 'paid', hold_reason = null,
      paid_at = '2025-12-31T23:59:59Z'`.execute(trx)
    await sql`update payouts set paid_at = '2026-01-01T00:00:00Z'
      where partner_id = ${world.pier.id}`.execute(trx)
    await sql`update payouts set status = 'returned', paid_at = null
      where partner_id = ${world.market.id}`.execute(trx)
  })
})
afterAll(() => product.stop())

const read = (key: string, year = 2025) => call(`/v1/tax/1099?year=${year}`, { key })

async function paidTo(name: (typeof placeNames)[number]): Promise<number> {
  const { rows: found } = await sql<{ amount: number }>`
    select sum(amount_minor)::int as amount from payouts
    where partner_id = ${world[name].id}`.execute(product.db)
  return found[0]?.amount ?? 0
}

test('the platform reads the year, partner by partner, with the reason of each', async () => {
  const { status, body } = await read(product.owner)
  expect(status).toBe(200)
  const lines = body.data as Json[]
  const paid = placeNames.filter((name) => name !== 'pier' && name !== 'market')
  expect(lines.map(({ partner }) => partner).sort()).toEqual(
    paid.map((name) => world[name].partner).sort(),
  )
  const shop = lines.find(({ partner }) => partner === world.shop.partner)
  expect(shop).toMatchObject({
    amount: await paidTo('shop'),
    withheld: 0,
    reported: false,
    reason: 'below_threshold',
    tin: null,
  })
  const sum = lines.reduce((total, { amount }) => total + Number(amount), 0)
  expect(body.totals).toEqual({ partners: lines.length, amount: sum, withheld: 0 })
  expect(body.rules).toMatchObject({ year: 2025, threshold: 60_000, currency: 'USD' })
})

test('a partner reads its own sums and nobody else’s, also of those below it', async () => {
  for (const name of ['north', 'shop', 'market'] as const) {
    const own = rows(await read(world[name].key))
    const expected = name === 'market' ? [] : [world[name].partner]
    expect(own.map(({ partner }) => partner)).toEqual(expected)
  }
})

test('a payout counts in the year in which it was paid, in UTC', async () => {
  const next = rows(await read(product.owner, 2026))
  expect(next.map(({ partner }) => partner)).toEqual([world.pier.partner])
})

test('the export holds the same lines, and is the platform’s alone', async () => {
  const answer = await call('/v1/tax/1099/csv?year=2025', { key: product.owner })
  expect(answer.headers.get('content-type')).toContain('text/csv')
  expect(answer.headers.get('content-disposition')).toContain('1099-nec-2025.csv')
  const text = String(answer.text ?? answer.body)
  expect(text).toContain(world.shop.partner)
  expect(text).not.toContain(world.market.partner)
  expect((await call('/v1/tax/1099/csv?year=2025', { key: world.shop.key })).status).toBe(403)
})

test('a year is set as data, and decides from where on a sum is reported', async () => {
  const set = (body: Json, key = product.owner) =>
    call('/v1/tax/years/2025', { method: 'PUT', key, body })
  const form = { threshold: 1, backup_withholding_bps: 2_800, source: 'a test' }
  expect((await set(form)).body).toMatchObject({ year: 2025, threshold: 1 })
  const lines = rows(await read(product.owner))
  expect(new Set(lines.map(({ reason }) => reason))).toEqual(new Set(['reached']))
  expect((await set(form, world.shop.key)).status).toBe(403)
  expect(faults(await set({ ...form, threshold: 0 }))).toEqual(['invalid /threshold'])
  const years = rows(await call('/v1/tax/years', { key: world.shop.key }))
  expect(years.map(({ year }) => year)).toEqual([2026, 2025])
})

test('a year of which nothing is known is not there, and none is no year', async () => {
  expect((await read(product.owner, 2021)).status).toBe(404)
  expect(faults(await call('/v1/tax/1099', { key: product.owner }))).toEqual(['missing /year'])
  const put = { method: 'PUT', key: product.owner, body: { threshold: 1 } } as const
  const path = '/v1/tax/years/soon'
  const body = { threshold: 1, backup_withholding_bps: 0, source: 'x' }
  expect((await call(path, { ...put, body })).status).toBe(404)
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(
    () => ({ db: product.db, call, key: world.shop.key }),
    ['GET /v1/tax/1099', 'GET /v1/tax/1099/csv', 'GET /v1/tax/years', 'PUT /v1/tax/years/2025'],
  )
})
