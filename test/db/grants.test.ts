/** What the running product may do to the books: its worker appends to them, and no more. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import type { Db } from '../../db/database.ts'
import { guardTables } from '../../db/grants.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { levelRoles } from '../../db/roles.ts'
import { readScenario } from '../../simulation/scenario.ts'
import { simulate } from '../../simulation/simulate.ts'
import { openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeChain, makeProgramme } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let owner: TestDatabase
let worker: TestTenancy
let api: TestTenancy
let product: Db
beforeAll(async () => {
  owner = await createTestDatabase()
  await guardTables(owner.db)
  worker = await openTestTenancy(owner, { role: 'worker' })
  api = await openTestTenancy(owner)
  product = worker.dbFor(contextAt('worker', null, { actor: 'system:worker' }))
})
afterAll(async () => {
  await worker.close()
  await api.close()
  await owner.drop()
})

const appended = [
  'accrual_cancellations',
  'accruals',
  'adjustments',
  'agreement_resends',
  'audit_daily_chains',
  'audit_daily_heads',
  'bank_payout_parts',
  'clawbacks',
  'closing_accruals',
  'closing_clawbacks',
  'erasures',
  'fx_rates',
  'identity_check_events',
  'ledger_journals',
  'ledger_postings',
  'ledger_seals',
  'line_dispute_events',
  'line_payments',
  'line_reversals',
  'module_completions',
  'offboarding_events',
  'partner_places',
  'partner_status_changes',
  'partner_verifications',
  'payments',
  'payout_decisions',
  'payout_returns',
  'quiz_attempts',
  'reserve_releases',
  'screening_decisions',
  'screening_hits',
  'screenings',
  'self_billing_documents',
  'self_billing_skips',
  'settlement_exclusions',
  'statement_holds',
  'verification_events',
]

const refused = /permission denied/

/** Whether a role has a right on a table. */
async function may(role: string, table: string, right: string): Promise<boolean | undefined> {
  const { rows } = await sql<{ may: boolean }>`
    select has_table_privilege(${role}, ${table}, ${right}) as may`.execute(owner.db)
  return rows[0]?.may
}

describe('the worker', () => {
  it.each(appended)('may add to %s, and neither change nor remove what is there', async (table) => {
    for (const right of ['insert', 'select']) {
      expect(await may(levelRoles.worker, table, right)).toBe(true)
    }
    for (const right of ['update', 'delete', 'truncate']) {
      expect(await may(levelRoles.worker, table, right)).toBe(false)
    }
    await expect(sql.raw(`delete from ${table}`).execute(product)).rejects.toThrow(refused)
  })

  it('may change nothing of any other table that is only added to', async () => {
    const { rows } = await sql<{ name: string }>`
      select relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r'
        and has_table_privilege(${levelRoles.worker}, oid, 'insert')
        and not has_table_privilege(${levelRoles.worker}, oid, 'update')
      order by 1`.execute(owner.db)
    expect(rows.map(({ name }) => name)).toEqual(appended)
  })

  it('removes no partner and knows nothing of migrations', async () => {
    await expect(sql`delete from partners`.execute(product)).rejects.toThrow(refused)
    await expect(sql`delete from kysely_migration`.execute(product)).rejects.toThrow(refused)
  })

  it('sells, settles a month and checks the books', async () => {
    await makeProgramme(owner.db)
    const { reseller } = await makeChain(owner.db)
    const books = openBooks(product)
    await books.sell(reseller, { paidAt: '2026-08-02T00:00:00Z' })
    await books.settle('2026-08')
    expect((await checkInvariants(product)).violations).toEqual([])
  })
})

describe('no level', () => {
  const levels = Object.entries(levelRoles).filter(([level]) => level !== 'worker')

  it.each(levels)('%s changes or removes what is only added to', async (_level, role) => {
    const rights = ['update', 'delete', 'truncate']
    const found = await Promise.all(
      appended.flatMap((table) =>
        rights.map(async (right) => ((await may(role, table, right)) ? `${right} ${table}` : null)),
      ),
    )
    expect(found.filter((right) => right !== null)).toEqual([])
  })
})

describe('a simulation', () => {
  it('needs no right on any table, and leaves nothing', async () => {
    const file = join(import.meta.dirname, '../../docs/examples/simulations/volume.json')
    const scenario = readScenario(JSON.parse(readFileSync(file, 'utf8')))
    const db = api.dbFor(contextAt('simulation'))
    expect((await simulate(db, scenario)).invariants.violations).toEqual([])
    const { rows } = await sql`
      select from pg_namespace where nspname like 'scratch%'`.execute(owner.db)
    expect(rows).toEqual([])
  })
})
