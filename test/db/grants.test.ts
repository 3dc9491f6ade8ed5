/** What the running product may do to the books: it takes a role that only appends to them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { type Database, openDatabase } from '../../db/database.ts'
import { appRole, grantAppRole } from '../../db/grants.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { readScenario } from '../../simulation/scenario.ts'
import { simulate } from '../../simulation/simulate.ts'
import { openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeChain, makeProgramme } from '../support/factories.ts'

let owner: TestDatabase
let product: Database
beforeAll(async () => {
  owner = await createTestDatabase()
  await grantAppRole(owner.db)
  product = openDatabase({
    url: owner.url,
    poolSize: 4,
    applicationName: 'grants',
    role: appRole,
    onError: () => {},
  })
})
afterAll(async () => {
  await product.close()
  await owner.drop()
})

const appended = [
  'accruals',
  'adjustments',
  'clawbacks',
  'closing_accruals',
  'closing_clawbacks',
  'fx_rates',
  'ledger_journals',
  'ledger_postings',
  'ledger_seals',
  'line_payments',
  'line_reversals',
  'payments',
]

describe('the role of the product', () => {
  it.each(appended)('may add to %s, and neither change nor remove what is there', async (table) => {
    const may = async (right: string) => {
      const { rows } = await sql<{ may: boolean }>`
        select has_table_privilege(${appRole}, ${table}, ${right}) as may`.execute(owner.db)
      return rows[0]?.may
    }
    expect(await may('insert')).toBe(true)
    expect(await may('select')).toBe(true)
    for (const right of ['update', 'delete', 'truncate']) expect(await may(right)).toBe(false)
    await expect(sql.raw(`delete from ${table}`).execute(product.db)).rejects.toThrow(
      /permission denied/,
    )
  })

  it('may change nothing of any other table that is only added to', async () => {
    const { rows } = await sql<{ name: string }>`
      select relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r'
        and has_table_privilege(${appRole}, oid, 'insert')
        and not has_table_privilege(${appRole}, oid, 'update')
      order by 1`.execute(owner.db)
    expect(rows.map(({ name }) => name)).toEqual(appended)
  })

  it('removes no partner, and knows the migrations without being able to change them', async () => {
    const refused = /permission denied/
    await expect(sql`delete from partners`.execute(product.db)).rejects.toThrow(refused)
    await expect(sql`delete from kysely_migration`.execute(product.db)).rejects.toThrow(refused)
    await sql`select from kysely_migration`.execute(product.db)
  })

  it('is enough to sell, to settle a month and to check the books', async () => {
    const { db } = product
    await makeProgramme(db)
    const { reseller } = await makeChain(db)
    const books = openBooks(db)
    await books.sell(reseller, { paidAt: '2026-08-02T00:00:00Z' })
    await books.settle('2026-08')
    expect((await checkInvariants(db)).violations).toEqual([])
  })

  it('is enough to simulate, and leaves nothing of it', async () => {
    const file = join(import.meta.dirname, '../../docs/examples/simulations/volume.json')
    const scenario = readScenario(JSON.parse(readFileSync(file, 'utf8')))
    expect((await simulate(product.db, scenario)).invariants.violations).toEqual([])
    const { rows } = await sql`
      select from pg_namespace where nspname like 'scratch%'`.execute(owner.db)
    expect(rows).toEqual([])
  })
})
