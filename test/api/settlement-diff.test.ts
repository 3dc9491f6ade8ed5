/** A run beside the one before it: who is new, gone or changed, and what made it so. */
import { sql } from 'kysely'
import { publishRules } from '../../db/commission/rules.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { getProgramme } from '../../db/programmes.ts'
import type { CommissionRule } from '../../domain/commission-rules.ts'
import { outwardId } from '../../domain/ids.ts'
import { basisPoints } from '../../domain/money.ts'
import { periodStart, previousPeriod } from '../../domain/period.ts'
import { type Books, openBooks } from '../support/books.ts'
import { makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itIsClosedTo, itTakesLiveKeysOnly, unknownId, walk } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, settledPeriod, type World } from './world.ts'

let product: Product
let call: Call
let books: Books
let world: World
let now: string
let first: string

const before = previousPeriod(settledPeriod)
const names = [
  'steady',
  'grown',
  'newcomer',
  'leaver',
  'tiered',
  'favoured',
  'rewritten',
  'stopped',
]
const ids: Record<string, string> = {}
const partner = (name: string) => outwardId('partner', ids[name] ?? '')

const sell = (name: string, period: string, net = 10_000n) =>
  books.sell(ids[name] ?? '', { paidAt: `${period}-10T00:00:00Z`, net })

function percentage(
  code: string,
  bps: number,
  scope: Partial<CommissionRule['scope']> = {},
): CommissionRule {
  return {
    code,
    depth: 0,
    terms: { kind: 'percentage', rate: basisPoints(bps) },
    scope: { link: null, partner: null, tier: null, product: null, ...scope },
    validFrom: null,
    validTo: null,
    cap: null,
    floor: null,
    windowMonths: null,
    setupFee: false,
  }
}

const publish = async (from: Date, rules: CommissionRule[]) => {
  const { id: programmeId } = await getProgramme(product.db)
  const set = { programmeId, rules, from, migratesAt: null }
  await inTransaction(product.db, (trx) => publishRules(trx, set))
}

beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  books = openBooks(product.db)
  world = await makeWorld(product.db)
  for (const name of names) ids[name] = await makePartner(product.db)
  const contract = { partner: ids.rewritten ?? '' }
  const ofOld = percentage('depth-0', 2_000)
  await publish(new Date('2020-01-01T00:00:00Z'), [ofOld, percentage('contract', 2_000, contract)])
  await publish(periodStart(settledPeriod), [
    ofOld,
    percentage('contract', 1_500, contract),
    percentage('favour', 3_000, { partner: ids.favoured ?? '' }),
    percentage('silver', 2_500, { tier: 'silver' }),
  ])
  const boundary = periodStart(settledPeriod)
  await sql`update partner_tiers set valid = tstzrange(lower(valid), ${boundary})
    where partner_id = ${ids.tiered}`.execute(product.db)
  await sql`insert into partner_tiers (partner_id, tier, previous_tier, valid, reason)
    values (${ids.tiered}, 'silver', 'bronze', tstzrange(${boundary}, null), 'reached')`.execute(
    product.db,
  )
  for (const name of names) if (name !== 'newcomer') await sell(name, before)
  first = await books.settle(before)
  for (const name of names) if (name !== 'leaver') await sell(name, settledPeriod)
  await sell('grown', settledPeriod, 5_000n)
  now = await books.newRun(settledPeriod)
  await sql`insert into settlement_holds (id, run_id, partner_id, reason)
    values (uuidv7(), ${now}, ${ids.stopped}, 'looked at')`.execute(product.db)
  await books.steps.freezePeriod({ runId: now })
  await books.calculate(now)
})
afterAll(async () => {
  expect((await checkInvariants(product.db)).violations).toEqual([])
  await product.stop()
})

const runs = '/v1/settlement-runs'
const pathOf = (run: string) => `${runs}/${outwardId('settlementRun', run)}/diff`
const diff = (query = '', run = now) => call(`${pathOf(run)}?${query}`, { key: product.owner })
const ofPartners = (data: Json[]): Record<string, Json> =>
  Object.fromEntries(data.map(({ partner, currencies }) => [partner, (currencies as Json[])[0]]))
const namesIn = async (query: string) => {
  const found = rows(await diff(`limit=100&${query}`)).map((row) => row.partner)
  return names.filter((name) => found.includes(partner(name)))
}

describe('a run beside the one before it', () => {
  it('tells of each partner whose statement differs what made it so', async () => {
    const { status, body } = await diff('limit=100')
    expect(status).toBe(200)
    const compared = { id: outwardId('settlementRun', first), period: before }
    expect((body.data as Json[])[0]?.compared_with).toEqual(compared)
    const found = ofPartners(body.data as Json[])
    const told = Object.fromEntries(
      names.map((name) => {
        const { change, causes, payable } = (found[partner(name)] ?? {}) as Json
        return [name, { change, causes, difference: (payable as Json | undefined)?.difference }]
      }),
    )
    const changed = (cause: string, amount: number, kind = 'changed') => ({
      change: kind,
      causes: [{ cause, amount }],
      difference: amount,
    })
    expect(told).toEqual({
      steady: { change: undefined, causes: undefined, difference: undefined },
      grown: changed('volume', 1_000),
      newcomer: changed('volume', 2_000, 'new'),
      leaver: changed('volume', -2_000, 'gone'),
      tiered: changed('tier', 500),
      favoured: changed('rate', 1_000),
      rewritten: changed('rule_version', -500),
      stopped: changed('hold', -2_000),
    })
  })

  it('shows both statements, and the change of what the period gave and of what is paid', async () => {
    const found = ofPartners(rows(await diff('limit=100')))
    const amounts = { opening: 0, clawed_back: 0, adjustments: 0, held: 0, carried: 0 }
    expect(found[partner('grown')]).toEqual({
      currency: 'USD',
      change: 'changed',
      payable: { before: 2_000, after: 3_000, difference: 1_000, bps: 5_000 },
      net: { before: 2_000, after: 3_000, difference: 1_000, bps: 5_000 },
      causes: [{ cause: 'volume', amount: 1_000 }],
      before: { ...amounts, earned: 2_000, closing: 2_000, payable: 2_000 },
      after: { ...amounts, earned: 3_000, closing: 3_000, payable: 3_000 },
    })
    expect(found[partner('newcomer')]).toMatchObject({ before: null, payable: { bps: null } })
    expect(found[partner('leaver')]).toMatchObject({ after: null, payable: { bps: -10_000 } })
    expect(found[partner('stopped')]).toMatchObject({ net: { difference: 0, bps: 0 } })
  })

  it.each([
    ['change=new', ['newcomer']],
    ['change=gone', ['leaver']],
    ['change=changed', ['grown', 'tiered', 'favoured', 'rewritten', 'stopped']],
    ['change=changed&above_amount=999', ['grown', 'favoured', 'stopped']],
    ['change=changed&above_amount=1000', ['stopped']],
    ['change=changed&above_bps=2499', ['grown', 'tiered', 'favoured', 'rewritten', 'stopped']],
    ['change=changed&above_bps=5000', ['stopped']],
    ['change=changed&above_bps=9999&above_amount=999', ['grown', 'favoured', 'stopped']],
    ['above_bps=100000', ['newcomer', 'leaver']],
  ])('is narrowed by %s', async (query, expected) => {
    expect(await namesIn(query)).toEqual(expected)
  })

  it('is read page by page, each partner once', async () => {
    const whole = rows(await diff('limit=100'))
    const paged = await walk(call, { path: pathOf(now), key: product.owner, limit: 2 })
    expect(paged).toEqual(whole)
  })

  it('takes a partner that it leaves out for what it is', async () => {
    await sql`insert into settlement_exclusions (run_id, partner_id, reason)
      values (${now}, ${ids.grown}, 'looked at')`.execute(product.db)
    await books.calculate(now)
    const found = ofPartners(rows(await diff('change=gone')))
    expect(found[partner('grown')]).toMatchObject({
      causes: [{ cause: 'exclusion', amount: -2_000 }],
    })
  })

  it('has nothing before it where it is the first', async () => {
    const found = rows(await diff('limit=100', first))
    expect(found.map((row) => row.compared_with)).toEqual(found.map(() => null))
    const changes = Object.values(ofPartners(found)).map((row) => row?.change)
    expect(changes).toEqual(names.slice(1).map(() => 'new'))
  })

  it('that does not exist is told as such', async () => {
    const { status, body } = await call(`${runs}/${unknownId('run')}/diff`, { key: product.owner })
    expect([status, body.code]).toEqual([404, 'not_found'])
  })

  it.each([
    ['above_amount=-1', 'invalid /above_amount'],
    ['above_bps=1.5', 'invalid /above_bps'],
    ['above_bps=ten', 'invalid /above_bps'],
    ['change=moved', 'invalid /change'],
    ['limit=101', 'invalid /limit'],
  ])('is not asked for with %s', async (query, fault) => {
    expect(faults(await diff(query))).toEqual([fault])
  })
})

describe('a comparison, whose strangers are answered 401 and 403', () => {
  const routes = [`GET ${runs}/:id/diff`]
  const stage = () => ({ db: product.db, call, key: product.owner })
  itTakesLiveKeysOnly(stage, routes)
  itIsClosedTo(['master_reseller', 'reseller'], routes, () => ({
    ...stage(),
    keys: {
      super_admin: product.owner,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})
