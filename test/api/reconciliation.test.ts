import { sql } from 'kysely'
import { outwardId } from '../../domain/ids.ts'
import { unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { keyOf } from './two-persons.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const breaks = '/v1/reconciliation/breaks'

/** One that was seen two and a half days ago. @returns its id. */
async function plant(): Promise<string> {
  const { rows: made } = await sql<{ id: string }>`
    insert into recon_breaks (kind, subject, vendor_id, currency, expected_minor, found_currency,
      found_minor, happened_at, first_seen_at)
    values ('amount', ${unique('txn')}, 'tr_1', 'USD', -2000, 'USD', -1999,
      '2026-10-05T00:00:00Z', now() - interval '60 hours') returning id`.execute(product.db)
  return outwardId('reconBreak', made[0]?.id ?? '')
}

async function platformMember(): Promise<string> {
  const { rows: found } = await sql<{ id: string }>`
    select id from members where partner_id is null and customer_id is null limit 1`.execute(
    product.db,
  )
  return outwardId('member', found[0]?.id ?? '')
}

const read = async (id: string) => (await call(`${breaks}/${id}`, { key: world.owner.key })).body
const act = (id: string, what: string, body: Json, key: string | null = world.owner.key) =>
  call(`${breaks}/${id}/${what}`, { method: 'POST', key, body })
const list = async (query: string) =>
  rows(await call(`${breaks}?${query}`, { key: world.owner.key })).map(({ id }) => id)

describe('a break', () => {
  it('is listed with its figures and its age until a person has said what it was', async () => {
    const id = await plant()
    expect(await read(id)).toEqual({
      id,
      kind: 'amount',
      payout: null,
      reference: 'tr_1',
      currency: 'USD',
      expected: -2_000,
      found_currency: 'USD',
      found: -1_999,
      happened_at: '2026-10-05T00:00:00.000Z',
      first_seen_at: expect.stringMatching(/Z$/),
      age_days: 2,
      owner: null,
      assigned_at: null,
      resolved_at: null,
      resolution: null,
      resolved_by: null,
      note: null,
    })
    const member = await platformMember()
    const assigned = await act(id, 'assign', { member })
    expect([assigned.status, assigned.body.owner]).toEqual([200, member])
    expect(await list(`owner=${member}`)).toEqual([id])
    const resolved = await act(id, 'resolve', { note: 'a cent of rounding at the bank' })
    expect(resolved.body).toMatchObject({
      owner: member,
      resolution: 'by_person',
      resolved_by: expect.stringMatching(/^mem_/),
      note: 'a cent of rounding at the bank',
    })
    for (const [what, body] of [
      ['assign', { member }],
      ['resolve', { note: 'again' }],
    ] as const) {
      const again = await act(id, what, body)
      expect([again.status, again.body.code]).toEqual([409, 'conflict'])
    }
  })

  it('is found by its state, its kind and the month, quarter or week in which it happened', async () => {
    const id = await plant()
    expect(await list('status=open&kind=amount&period=2026-10')).toEqual([id])
    expect(await list('status=open&period=2026-09')).toEqual([])
    expect(await list('status=open&period=2026-Q4')).toEqual([id])
    expect(await list('status=open&period=2026-Q3')).toEqual([])
    expect(await list('status=open&period=2026-W41')).toEqual([id])
    expect(await list('status=open&period=2026-W40')).toEqual([])
    expect(await list('kind=missing_at_stripe')).toEqual([])
    await act(id, 'resolve', { note: 'seen' })
    expect(await list('status=open')).toEqual([])
    expect(await list('status=resolved')).toContain(id)
  })

  it('is given to active people of the platform only, and ended with words only', async () => {
    const id = await plant()
    const { rows: others } = await sql<{ id: string }>`
      select id from members where partner_id is not null limit 1`.execute(product.db)
    const stranger = outwardId('member', others[0]?.id ?? '')
    for (const member of [stranger, unknownId('mem')]) {
      expect(faults(await act(id, 'assign', { member }))).toEqual(['invalid /member'])
    }
    expect(faults(await act(id, 'assign', {}))).toEqual(['missing /member'])
    expect(faults(await act(id, 'resolve', { note: '' }))).toEqual(['invalid /note'])
    expect(faults(await act(id, 'resolve', {}))).toEqual(['missing /note'])
    const unknown = await act(unknownId('brk'), 'resolve', { note: 'x' })
    expect([unknown.status, unknown.body.code]).toEqual([404, 'not_found'])
  })

  it('is read by every member of the platform, and ended by those of finance', async () => {
    const id = await plant()
    const key = await keyOf(product.db, { email: 'viewer@platform.example', role: 'viewer' })
    expect((await call(`${breaks}/${id}`, { key })).status).toBe(200)
    const refused = await act(id, 'resolve', { note: 'x' }, key)
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden'])
    const finance = await keyOf(product.db, { email: 'f@platform.example', role: 'finance' })
    expect((await act(id, 'resolve', { note: 'x' }, finance)).status).toBe(200)
  })
})

describe('a month beside Stripe', () => {
  it('says what agrees, what is on its way, and when Stripe was read', async () => {
    const { body } = await call('/v1/reconciliation?period=2026-10', { key: world.owner.key })
    expect(body).toEqual({
      period: '2026-10',
      matched: 0,
      amounts: [],
      pending: 0,
      outside: [],
      mirrored_at: null,
    })
    for (const period of ['2026-Q4', '2026-W44']) {
      const other = await call(`/v1/reconciliation?period=${period}`, { key: world.owner.key })
      expect(other.body).toEqual({ ...body, period })
    }
    const without = await call('/v1/reconciliation', { key: world.owner.key })
    expect(faults(without)).toEqual(['missing /period'])
  })
})

itRefusesBadQueries(breaks, stage, [
  ['status=done', 'invalid /status'],
  ['kind=odd', 'invalid /kind'],
  ['period=2026-13', 'invalid /period'],
  ['period=2027-W53', 'invalid /period'],
  ['owner=me', 'invalid /owner'],
])

const routes = [
  'GET /v1/reconciliation?period=2026-10',
  `GET ${breaks}`,
  `GET ${breaks}/:id`,
  `POST ${breaks}/:id/assign`,
  `POST ${breaks}/:id/resolve`,
]
itIsClosedTo(['master_reseller', 'reseller'], routes, () => ({
  ...stage(),
  keys: {
    super_admin: world.owner.key,
    master_reseller: world.north.key,
    reseller: world.shop.key,
  },
}))
itTakesLiveKeysOnly(stage, routes)
