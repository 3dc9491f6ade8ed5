/** Entries by hand: whom they are shown to, and where they land. */
import { sql } from 'kysely'
import { checkInvariants } from '../../db/invariants.ts'
import { partnerBalance } from '../../db/ledger.ts'
import { periodOf } from '../../domain/period.ts'
import { type Product, startProduct } from '../support/product.ts'
import {
  expectHidden,
  itIsClosedTo,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
  unknownId,
} from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import {
  makeWorld,
  type PlaceName,
  placeNames,
  sees,
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
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

const entryFor = (name: PlaceName, changes: Json = {}) => ({
  partner: world[name].partner,
  amount: 1_250,
  currency: 'USD',
  reason: 'Goodwill',
  ...changes,
})
const propose = (body: unknown) =>
  call('/v1/adjustments', { method: 'POST', key: product.owner, body })
const approve = ({ approval, payload_hash }: Json) =>
  call(`/v1/approvals/${String(approval)}/approve`, {
    method: 'POST',
    key: product.second,
    body: { payload_hash },
  })

async function book(name: PlaceName, changes: Json = {}): Promise<Json> {
  const { status, body } = await propose(entryFor(name, changes))
  expect(status).toBe(202)
  expect((await approve(body)).status).toBe(200)
  return (await call(`/v1/adjustments/${String(body.id)}`, { key: product.owner })).body
}

const balanceOf = (name: PlaceName, currency = 'USD') =>
  partnerBalance(product.db, { purpose: 'partner_accrued', partnerId: world[name].id, currency })

describe('an entry', () => {
  it('is proposed, and in nobody’s books until it is approved', async () => {
    const { status, body, headers } = await propose(entryFor('shop'))
    expect(status).toBe(202)
    expect(headers.get('location')).toBe(`/v1/adjustments/${String(body.id)}`)
    expect(body).toEqual({
      ...entryFor('shop'),
      id: expect.stringMatching(/^adj_/),
      status: 'proposed',
      happened_at: instant,
      period: null,
      booked_at: null,
      approval: expect.stringMatching(/^apr_/),
      payload_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(await balanceOf('shop')).toBe(0n)
    const path = `/v1/adjustments/${String(body.id)}`
    for (const name of ['shop', 'north'] as const) {
      expect((await call(path, { key: world[name].key })).status).toBe(404)
      expect(rows(await call('/v1/adjustments', { key: world[name].key }))).toEqual([])
    }
    expect((await call(path, { key: product.second })).body).toEqual(body)
    await approve(body)
    const entry = { ...body, status: 'booked', period: periodOf(new Date()), booked_at: instant }
    expect((await call(path, { key: product.owner })).body).toEqual(entry)
    const shown = { ...entry, approval: null, payload_hash: null }
    for (const name of ['shop', 'north'] as const) {
      expect((await call(path, { key: world[name].key })).body).toEqual(shown)
    }
    expect(await balanceOf('shop')).toBe(1_250n)
  })

  it('takes from the partner where its amount is negative, in its own currency', async () => {
    await book('pier', { amount: -700, currency: 'EUR' })
    expect([await balanceOf('pier', 'EUR'), await balanceOf('pier')]).toEqual([-700n, 0n])
  })

  it('lands in the month that it happened in while that is open', async () => {
    const entry = await book('market', { happened_at: '2026-03-15T12:00:00+02:00' })
    expect(entry).toMatchObject({ happened_at: '2026-03-15T10:00:00.000Z', period: '2026-03' })
  })

  it.each(['closing', 'closed'])(
    'lands in the first open month after one that is %s',
    async (status) => {
      const period = status === 'closing' ? '2026-05' : '2026-04'
      await sql`insert into accounting_periods (period, starts_at, ends_at)
        values (${period}, ${`${period}-01`}, ${`${period}-01`}::timestamptz + interval '1 month')
        on conflict do nothing`.execute(product.db)
      await sql`update accounting_periods set status = ${status},
          closed_at = ${status === 'closed' ? new Date() : null}
        where period = ${period}`.execute(product.db)
      const entry = await book('market', { happened_at: `${period}-10T00:00:00Z` })
      expect(entry.period).toBe('2026-06')
    },
  )

  it('that was rejected is shown to the platform owner alone', async () => {
    const { body } = await propose(entryFor('market'))
    const rejected = { method: 'POST', key: product.second, body: { reason: 'No' } }
    await call(`/v1/approvals/${String(body.approval)}/reject`, rejected)
    const path = `/v1/adjustments/${String(body.id)}`
    expect((await call(path, { key: product.owner })).body).toEqual({ ...body, status: 'rejected' })
    expect((await call(path, { key: world.market.key })).status).toBe(404)
  })

  it.each<[string, Json, string[]]>([
    ['nothing', { amount: 0 }, ['invalid /amount']],
    ['part of a cent', { amount: 0.5 }, ['invalid /amount']],
    ['more than JSON keeps', { amount: 2 ** 53 }, ['invalid /amount']],
    ['an unknown currency', { currency: 'XYZ' }, ['invalid /currency']],
    ['no reason', { reason: ' ' }, ['invalid /reason']],
    ['a time to come', { happened_at: '2099-01-01T00:00:00Z' }, ['invalid /happened_at']],
    ['a time before all', { happened_at: '0000-01-01T00:00:00Z' }, ['invalid /happened_at']],
    ['a day', { happened_at: '2026-01-01' }, ['invalid /happened_at']],
    ['an unknown partner', { partner: unknownId('prt') }, ['invalid /partner']],
    ['a period', { period: '2026-01' }, ['unknown_field /period']],
  ])('is not proposed with %s', async (_what, changes, expected) => {
    expect(faults(await propose(entryFor('shop', changes)))).toEqual(expected)
  })
})

describe('entries that are booked', () => {
  const entries: Partial<Record<PlaceName, string>> = {}
  beforeAll(async () => {
    for (const name of placeNames) entries[name] = String((await book(name)).id)
  })

  it.each(viewerNames)('are seen by %s for itself and everyone below', async (viewer) => {
    const list = rows(await call('/v1/adjustments?limit=100', { key: world[viewer].key }))
    const seen = list.map(({ id }) => id)
    for (const name of placeNames) {
      expect([name, seen.includes(entries[name])]).toEqual([name, sees[viewer].includes(name)])
    }
    const partners = new Set(sees[viewer].map((name) => world[name].partner))
    for (const { partner } of list) expect(partners.has(String(partner))).toBe(true)
  })

  it.each(placeNames)('of %s are answered 404 to strangers', async (name) => {
    await expectHidden(call, {
      route: 'GET /v1/adjustments/:id',
      id: entries[name] ?? '',
      strangers: strangersOf(name).map((stranger) => world[stranger].key),
    })
  })

  it('leave every invariant of the books whole', async () => {
    const { violations } = await checkInvariants(product.db)
    expect(violations).toEqual([])
  })

  itRefusesBadQueries('/v1/adjustments', stage)
})

describe('proposing an entry', () => {
  itIsClosedTo(['master_reseller', 'reseller'], ['POST /v1/adjustments'], () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/adjustments',
    'POST /v1/adjustments',
    'GET /v1/adjustments/:id',
  ])
})
