/** Balances that are given up: only after a year, only by two persons, and only as they are. */
import { randomUUIDv7 } from 'node:crypto'
import { recordDecision, recordProposal } from '../../db/approvals.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { partnerBalance } from '../../db/ledger.ts'
import { outwardId } from '../../domain/ids.ts'
import { nextPeriod, periodOf } from '../../domain/period.ts'
import { type Books, openBooks } from '../support/books.ts'
import { balances } from '../support/clearing.ts'
import { makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { keyOf } from './two-persons.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
let books: Books
let second: string
const partners: Record<string, string> = {}

/** An entry by two persons, so that a balance comes about without a month of sales. */
async function enter(name: string, amountMinor: bigint, month: string): Promise<void> {
  const { db } = product
  const entry = {
    ...{ kind: 'manual_entry' as const, id: randomUUIDv7(), concernedId: partners[name] ?? '' },
    ...{ amountMinor, currency: 'USD', reason: 'as it came about' },
    happenedAt: new Date(`${month}-10T00:00:00Z`),
    proposedBy: await books.person('one@platform.example'),
  }
  const memberId = await books.person('two@platform.example')
  await inTransaction(db, async (trx) => {
    const { id, payloadHash } = await recordProposal(trx, entry)
    await recordDecision(trx, { id, memberId, verdict: 'approved', payloadHash })
  })
}

beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  books = openBooks(product.db)
  second = await keyOf(product.db, { email: 'second@platform.example' })
  for (const name of ['debtor', 'crumbs', 'young', 'recovered', 'small']) {
    partners[name] = await makePartner(product.db, { level: 'master_reseller' })
  }
  await enter('debtor', -5_000n, '2025-01')
  await enter('crumbs', 40n, '2025-01')
  await enter('recovered', -900n, '2025-01')
  // A whole unit is no dust: it waits for the minimum.
  await enter('small', 100n, '2025-01')
  await books.settle('2025-01')
  await enter('recovered', 1_000n, '2025-02')
  await books.settle('2025-02')
  await enter('recovered', -800n, '2025-03')
  await books.settle('2025-03')
  const recent = nextPeriod(periodOf(new Date(Date.now() - 200 * 86_400_000)))
  await enter('young', -700n, recent)
  await enter('recovered', 900n, recent)
  await books.settle(recent)
  await enter('recovered', -2_000n, nextPeriod(recent))
  await books.settle(nextPeriod(recent))
})
afterEach(async () => {
  expect((await checkInvariants(product.db)).violations).toEqual([])
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const outward = (name: string) => outwardId('partner', partners[name] ?? '')
const candidates = async () =>
  rows(await call('/v1/write-off-candidates', { key: world.owner.key }))
const propose = (body: Json, headers: Record<string, string> = {}) =>
  call('/v1/write-offs', { method: 'POST', key: world.owner.key, body, headers })
const approve = ({ id, payload_hash }: Json, key = second) =>
  call(`/v1/approvals/${String(id)}/approve`, { method: 'POST', key, body: { payload_hash } })
const accrued = (name: string) =>
  partnerBalance(product.db, {
    ...{ purpose: 'partner_accrued', partnerId: partners[name] ?? '', currency: 'USD' },
  })

describe('a balance that may be written off', () => {
  it('was negative, or less than a whole unit, at the end of every month for a year', async () => {
    const found = await candidates()
    expect(found.map(({ partner }) => partner).sort()).toEqual(
      [outward('debtor'), outward('crumbs')].sort(),
    )
    const since = '2025-02-01T00:00:00.000Z'
    expect(found).toEqual(
      expect.arrayContaining([
        { partner: outward('debtor'), currency: 'USD', kind: 'negative', balance: -5_000, since },
        { partner: outward('crumbs'), currency: 'USD', kind: 'dust', balance: 40, since },
      ]),
    )
  })

  it('is none while the partner has earned it back, and is what is left later', async () => {
    const month = periodOf(new Date())
    await enter('debtor', 6_000n, month)
    expect((await candidates()).map(({ kind }) => kind)).toEqual(['dust'])
    await enter('debtor', -5_500n, month)
    expect(await candidates()).toContainEqual(
      expect.objectContaining({ kind: 'negative', balance: -4_500 }),
    )
    await enter('debtor', -500n, month)
  })
})

describe('a write-off', () => {
  it('is refused when the balance is another one by the time of the approval', async () => {
    const body = { partner: outward('debtor'), currency: 'USD', reason: 'gone' }
    const proposed = await propose(body)
    expect(proposed.body.entry).toMatchObject({ amount: 5_000 })
    const month = periodOf(new Date())
    await enter('debtor', -1n, month)
    const refused = await approve(proposed.body)
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict'])
    await enter('debtor', 1n, month)
    expect(await accrued('debtor')).toBe(0n)
  })

  it('is booked by a second person alone, against an account of its own', async () => {
    const body = { partner: outward('debtor'), currency: 'USD', reason: 'out of business' }
    const key = randomUUIDv7()
    const proposed = await propose(body, { 'Idempotency-Key': key })
    expect(proposed.status).toBe(202)
    expect(proposed.body).toMatchObject({
      kind: 'write_off',
      status: 'proposed',
      partner: outward('debtor'),
      entry: { amount: 5_000, currency: 'USD' },
      reason: 'out of business',
    })
    expect((await propose(body, { 'Idempotency-Key': key })).body).toEqual(proposed.body)
    expect(await accrued('debtor')).toBe(0n)
    const own = await approve(proposed.body, world.owner.key)
    expect([own.status, own.body.code]).toEqual([403, 'second_person_required'])
    const other = await approve({ ...proposed.body, payload_hash: 'a'.repeat(64) })
    expect([other.status, other.body.code]).toEqual([409, 'payload_changed'])
    const approved = await approve(proposed.body)
    expect(approved.status).toBe(200)
    expect(approved.body).toMatchObject({ effect: expect.stringMatching(/^adj_/) })
    expect(await accrued('debtor')).toBe(5_000n)
    expect(await balances(product.db)).toMatchObject({ 'write_offs USD': 5_000n })
    expect((await candidates()).map(({ kind }) => kind)).toEqual(['dust'])
    const entry = await call(`/v1/adjustments/${String(approved.body.effect)}`, {
      key: world.owner.key,
    })
    expect(entry.body).toMatchObject({ status: 'booked', amount: 5_000, reason: 'out of business' })
  })

  it('takes dust away the other way round', async () => {
    const proposed = await propose({ partner: outward('crumbs'), currency: 'USD', reason: 'dust' })
    expect(proposed.body.entry).toMatchObject({ amount: -40 })
    expect((await approve(proposed.body)).status).toBe(200)
    expect(await balances(product.db)).toMatchObject({ 'write_offs USD': 4_960n })
    expect(await candidates()).toEqual([])
  })

  it('is proposed of a balance of that kind only, and of partners that there are', async () => {
    for (const name of ['recovered', 'small', 'crumbs']) {
      const answer = await propose({ partner: outward(name), currency: 'USD', reason: 'x' })
      expect([name, answer.status, answer.body.code]).toEqual([name, 409, 'conflict'])
    }
    const partner = outward('debtor')
    const strange = { partner: unknownId('prt'), currency: 'USD', reason: 'x' }
    expect(faults(await propose(strange))).toEqual(['invalid /partner'])
    expect(faults(await propose({ partner, currency: 'QQQ', reason: 'x' }))).toEqual([
      'invalid /currency',
    ])
    expect(faults(await propose({ partner, currency: 'USD' }))).toEqual(['missing /reason'])
  })
})

itRefusesBadQueries('/v1/write-off-candidates', stage, [])

const routes = ['GET /v1/write-off-candidates', 'POST /v1/write-offs']
itIsClosedTo(['master_reseller', 'reseller'], routes, () => ({
  ...stage(),
  keys: {
    super_admin: world.owner.key,
    master_reseller: world.north.key,
    reseller: world.shop.key,
  },
}))
itTakesLiveKeysOnly(stage, routes)
