/** What partners earn, computed again by I22: right books keep it silent, no wrong number does. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import type { Trx } from '../../db/database.ts'
import { recomputed } from '../../db/recompute.ts'
import { withScratchSchema } from '../../db/scratch.ts'
import { play } from '../../simulation/play.ts'
import { readScenario } from '../../simulation/scenario.ts'
import { scenarioVendor } from '../../simulation/vendor.ts'
import { makeWorld } from '../../simulation/world.ts'
import { bonus, event, type Fields, flat, over, payment, rule, tiered } from '../simulation/kit.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

/** Plays a scenario and leaves its books open for the work. */
const played = (file: unknown, work: (trx: Trx) => Promise<void>) =>
  withScratchSchema(database.db, async (trx) => {
    const world = await makeWorld(trx, readScenario(file))
    await play({ trx, world, vendor: scenarioVendor(world) })
    await work(trx)
  })

async function wrongIn(trx: Trx): Promise<string[]> {
  const { rows } = await sql.raw<{ wrong: string }>(recomputed.query).execute(trx)
  return [...new Set(rows.map(({ wrong }) => wrong))].sort()
}

const bands = [
  { from: 0, to: 10_000, rate_bps: 1_000 },
  { from: 10_000, to: null, rate_bps: 2_000 },
]

const partners = [
  { id: 'g', level: 'master_reseller', tier: 'silver' },
  { id: 'm', level: 'reseller', parent: 'g' },
  { id: 'r', level: 'reseller', parent: 'm', tier: 'gold' },
  { id: 's', level: 'reseller', parent: 'm' },
]

/** A rule of each kind and with each limit, by the product that it pays. */
const rules = [
  rule({ id: 'third', rate_bps: undefined, rate_num: 1, rate_den: 3 }),
  rule({ id: 'gold', tier: 'gold', rate_bps: 1_999 }),
  rule({ id: 'fee', product: 'started', tier: 'gold', setup_fee: true, rate_bps: 777 }),
  flat({ id: 'units', product: 'units', tier: 'gold', amount_per_unit: 133 }),
  flat({ id: 'dear', product: 'dear', tier: 'gold', amount_per_unit: 90_000 }),
  rule({ id: 'mixed', product: 'mixed', tier: 'gold', kind: 'hybrid', amount_per_unit: 51 }),
  tiered(bands, { id: 'marginal', product: 'marginal', tier: 'gold' }),
  tiered(bands, { id: 'cliff', product: 'cliff', tier: 'gold', kind: 'tiered_cliff' }),
  rule({ id: 'capped', product: 'capped', tier: 'gold', cap: { amount: 2_500, per: 'week' } }),
  rule({ id: 'least', product: 'least', tier: 'gold', rate_bps: 100, floor: 250 }),
  rule({ id: 'brief', product: 'brief', tier: 'gold', window: { months: 1 } }),
  over({ id: 'over', rate_bps: 501 }),
  over({ id: 'own', partner: 'm', product: 'units', rate_bps: 1_200 }),
  over({ id: 'top', depth: 2, rate_bps: 700 }),
  bonus({ id: 'volume', target: 20_000 }),
  bonus({ id: 'growth', depth: 1, metric: 'new_customers', target: 2, bonus: 321 }),
]

/** Sales of a product in parts of a line; the first part may be the whole. */
const sold = (product: string, amounts: number[], changes: Fields = {}) =>
  amounts.map((amount, index) =>
    payment({
      id: `${product}${index}`,
      invoice: product,
      line: product,
      product,
      amount,
      line_amount: amounts.reduce((a, b) => a + b, 0),
      quantity: 3,
      at: `2026-11-${String(3 + 5 * index).padStart(2, '0')}T10:00:00Z`,
      ...changes,
    }),
  )

const back = (of: string, amount: number, at: string, changes: Fields = {}) =>
  event('refund', { id: `back of ${of} at ${at}`, of, amount, at, ...changes })

const sales = [
  ...sold('whole', [9_999]),
  ...sold('parts', [3_333, 3_333, 3_334]),
  ...sold('third', [10_001], { partner: 's', customer: 'c2' }),
  ...sold('started', [5_003], { setup_fee: true }),
  ...sold('unpaid start', [4_001], { setup_fee: true }),
  ...sold('units', [1_111, 2_222, 7_777]),
  ...sold('dear', [1_000, 2_000]),
  ...sold('mixed', [4_999, 5_002]),
  ...sold('marginal', [7_771, 7_773, 7]),
  ...sold('cliff', [9_998]),
  ...sold('capped', [7_003, 6_001, 6_007]),
  ...sold('least', [99, 1_001, 9_007]),
]

const later = [
  back('whole0', 3_333, '2026-11-20T00:00:00Z'),
  back('parts1', 1_001, '2026-11-20T01:00:00Z'),
  event('refund_failed', {
    of: 'back of parts1 at 2026-11-20T01:00:00Z',
    at: '2026-11-22T00:00:00Z',
  }),
  event('dispute_lost', { id: 'd1', of: 'units2', amount: 2_223, at: '2026-11-23T00:00:00Z' }),
  event('dispute_won', { id: 'd1', of: 'units2', amount: 2_223, at: '2026-11-24T00:00:00Z' }),
  event('credit_note', { id: 'n1', of: 'marginal0', amount: 17, at: '2026-11-25T00:00:00Z' }),
  payment({
    id: 'more',
    product: 'cliff',
    invoice: 'more',
    amount: 9_013,
    at: '2026-11-26T00:00:00Z',
  }),
  back('more', 1_009, '2026-11-27T00:00:00Z'),
  payment({
    id: 'late',
    product: 'brief',
    invoice: 'late',
    amount: 777,
    at: '2026-12-10T00:00:00Z',
  }),
  back('more', 4_001, '2026-12-11T00:00:00Z'),
  back('whole0', 3_333, '2026-12-12T00:00:00Z'),
]

const everything = {
  currency: 'USD',
  programme: { override_pool_bps: 999 },
  partners,
  rules,
  events: [...sales, ...later].toSorted((a, b) => (String(a.at) < String(b.at) ? -1 : 1)),
  close: ['2026-11', '2026-12'],
}

/** All lines of an invoice are one base; money went back before the last of them was paid. */
const invoices = {
  currency: 'USD',
  programme: { allocation_unit: 'invoice' },
  partners,
  rules: [rule({ rate_bps: 1_500 }), over({ rate_bps: 333 }), flat({ id: 'top', depth: 2 })],
  events: [
    ...Array.from({ length: 9 }, (_, index) =>
      payment({ id: `p${index}`, invoice: 'i1', line: `l${index}`, amount: 3 }),
    ),
    back('p1', 2, '2026-11-04T00:00:00Z'),
    payment({ id: 'p9', invoice: 'i1', line: 'l9', amount: 701, at: '2026-11-05T00:00:00Z' }),
    back('p9', 350, '2026-11-06T00:00:00Z'),
  ],
  close: ['2026-11'],
}

const examples = join(import.meta.dirname, '..', '..', 'docs', 'examples', 'simulations')
const exampleFiles = readdirSync(examples).filter((name) => !name.includes('.expected.'))

describe('right books', () => {
  it('are computed again without a difference, whatever their rules are', async () => {
    await played(everything, async (trx) => {
      const { rows } = await sql<{ limitedBy: string | null }>`
        select distinct limited_by from accruals order by 1`.execute(trx)
      expect(rows.map(({ limitedBy }) => limitedBy)).toEqual([
        ...['cap', 'floor', 'line', 'pool', 'setup_fee', 'window'],
        null,
      ])
      expect(await wrongIn(trx)).toEqual([])
    })
  })

  it('are so where invoices are shared as one base', async () => {
    await played(invoices, async (trx) => expect(await wrongIn(trx)).toEqual([]))
  })

  it.each(exampleFiles)('are so in the example %s', async (name) => {
    const file = JSON.parse(readFileSync(join(examples, name), 'utf8'))
    await played(file, async (trx) => expect(await wrongIn(trx)).toEqual([]))
  })
})

const ruleId = (code: string) => `(select id from commission_rules where code = '${code}')`
const under = (code: string) => `where rule_id = ${ruleId(code)}`
const last = (table: string) => `where id = (select id from ${table} order by id desc limit 1)`
const one = (table: string, where: string) =>
  `where id = (select id from ${table} where ${where} order by id limit 1)`

/** What changes one number of one row, by what finds it. */
const faults: Record<string, Record<string, string>> = {
  share: {
    'a unit less': `update accruals set amount_minor = amount_minor - 1
      ${one('accruals', `amount_minor > 0 and rule_id = ${ruleId('gold')}`)}`,
    'another base': `update accruals set base_minor = base_minor + 1 ${last('accruals')}`,
    'another rate': `update accruals set rate_num = rate_num + 1 ${under('gold')}`,
    'another band': `update accruals set rate_num = 3000 - rate_num ${under('marginal')}`,
    'another volume': `update accruals set volume_minor = volume_minor + 1
      ${one('accruals', `rule_id = ${ruleId('marginal')}`)}`,
    'another volume of a cliff': `update accruals set volume_minor = volume_minor - 1
      ${one('accruals', `rule_id = ${ruleId('cliff')}`)}`,
    'another rounding': `update accruals set rounding = 'cumulative_floor'
      ${one('accruals', `rounding = 'largest_remainder'`)}`,
    'a rule of another tier': `update accruals set tier = 'bronze' ${under('gold')}`,
    'a rule of another product': `update accruals set rule_id = ${ruleId('units')}
      ${under('mixed')}`,
    'a rule of another depth': `update accruals set rule_id = ${ruleId('over')} ${under('gold')}`,
    'a rule of another partner': `update accruals set partner_id =
      (select id from partners where name = 'g') ${under('own')}`,
    'a rule that pays no set-up fees': `update accruals set limited_by = null
      where limited_by = 'setup_fee'`,
    'a window that the rule has not': `update accruals
      set limited_by = 'window', amount_minor = 0, target_minor = 0 ${under('units')}`,
    'a window that kept nothing back': `update accruals set limited_by = null
      where limited_by = 'window'`,
    'a cap that did not end it': `update accruals set limited_by = null where limited_by = 'cap'`,
    'a pool that did not end it': `update accruals set limited_by = 'line'
      ${one('accruals', `limited_by = 'pool'`)}`,
    'a floor that it did not need': `update accruals set limited_by = 'floor'
      ${one('accruals', `limited_by is null`)}`,
    'another currency': `update accruals set currency = 'EUR' ${last('accruals')}`,
  },
  clawback: {
    'a unit more': `update clawbacks set amount_minor = amount_minor + 1
      ${one('clawbacks', 'amount_minor > 0')}`,
    'a unit less': `update clawbacks set amount_minor = amount_minor - 1
      ${one('clawbacks', 'amount_minor > 0')}`,
    'nothing for what went back': `delete from clawbacks ${one('clawbacks', 'amount_minor > 0')}`,
    'another partner': `update clawbacks set partner_id =
      (select id from partners where name = 's') ${last('clawbacks')}`,
  },
  'true-up': {
    'a unit more': `update closing_accruals set amount_minor = amount_minor + 1
      where kind = 'true_up'`,
    'another volume': `update closing_accruals set metric = metric + 1 where kind = 'true_up'`,
    'no true-up': `delete from closing_accruals where kind = 'true_up'`,
  },
  'clawback of a true-up': {
    'a unit more': 'update closing_clawbacks set amount_minor = amount_minor + 1',
    'another currency': `update closing_clawbacks set currency = 'EUR'`,
  },
  bonus: {
    'a unit more': `update closing_accruals set amount_minor = amount_minor + 1
      where kind = 'bonus'`,
    'more collected': `update closing_accruals set metric = metric + 1 ${under('volume')}`,
    'more customers': `update closing_accruals set metric = metric + 1 ${under('growth')}`,
    'no bonus': `delete from closing_accruals where kind = 'bonus'`,
    'a target that was not reached': `update commission_rules set target = 1000000
      where code = 'growth'`,
  },
}

/** The wrong row past every guard, and the books as they were. */
async function wrongAfter(trx: Trx, fault: string): Promise<string[]> {
  await sql`savepoint unharmed`.execute(trx)
  await sql`set local session_replication_role = replica`.execute(trx)
  const { numAffectedRows } = await sql.raw(fault).execute(trx)
  expect(numAffectedRows).toBeGreaterThan(0n)
  const wrong = await wrongIn(trx)
  await sql`rollback to savepoint unharmed`.execute(trx)
  return wrong
}

describe('a wrong number', () => {
  it('is found, whichever it is', async () => {
    await played(everything, async (trx) => {
      const missed: string[] = []
      for (const [kind, named] of Object.entries(faults)) {
        for (const [name, fault] of Object.entries(named)) {
          const wrong = await wrongAfter(trx, fault)
          if (!wrong.includes(kind)) missed.push(`${kind}: ${name}`)
        }
      }
      expect(missed).toEqual([])
    })
  })

  it('is found in every share, and in what its rule alone gave', async () => {
    await played(everything, async (trx) => {
      const { rows } = await sql<{ id: string }>`select id from accruals order by id`.execute(trx)
      const missed: string[] = []
      for (const { id } of rows) {
        for (const column of ['amount_minor', 'target_minor']) {
          const fault = `update accruals set ${column} = ${column}
            + case when ${column} < base_minor then 1 else -1 end where id = '${id}'`
          if (!(await wrongAfter(trx, fault)).includes('share')) missed.push(fault)
        }
      }
      expect(missed).toEqual([])
    })
  })

  it('is found in an invoice that was shared as one base', async () => {
    await played(invoices, async (trx) => {
      for (const table of ['accruals', 'clawbacks']) {
        const fault = `update ${table} set amount_minor = amount_minor - 1
          ${one(table, 'amount_minor > 0')}`
        expect(await wrongAfter(trx, fault)).not.toEqual([])
      }
    })
  })
})
