/** Statements are kept with their plan, and still see what their caller may see now. */
import { sql } from 'kysely'
import { type Db, isDatabaseAway } from '../../db/database.ts'
import { preparedNames } from '../../db/prepared.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeOrder, makePartner, makeProgramme } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let database: TestDatabase
let tenancy: TestTenancy
let sellers: [string, string]

beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
  sellers = [await makePartner(database.db), await makePartner(database.db)]
  for (const seller of sellers) await makeOrder(database.db, seller)
  tenancy = await openTestTenancy(database, { poolSize: 1 })
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

const kept = async (db: Db) => {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from pg_prepared_statements`.execute(db)
  return rows[0]?.count ?? 0
}

const customersOf = (db: Db) =>
  db.selectFrom('customers').select('partnerId').where('createdAt', '>', new Date(0)).execute()

describe('a statement that is kept', () => {
  it('shows each of those who take turns on one connection only its own rows', async () => {
    for (let turn = 0; turn < 24; turn += 1) {
      const seller = sellers[turn % 2] as string
      const level = turn % 3 === 0 ? contextAt('super_admin') : contextAt('reseller', seller)
      const seen = (await customersOf(tenancy.dbFor(level))).map(({ partnerId }) => partnerId)
      expect(seen.toSorted()).toEqual(turn % 3 === 0 ? sellers.toSorted() : [seller])
    }
    expect(await kept(tenancy.dbFor(contextAt('super_admin')))).toBeGreaterThan(0)
  })

  it('answers with the columns that its table has got meanwhile', async () => {
    const db = tenancy.dbFor(contextAt('super_admin'))
    const read = (from: Db) =>
      from.selectFrom('partners').selectAll().where('id', '=', sellers[0]).executeTakeFirst()
    const readTogether = () => db.transaction().execute(read)
    for (let turn = 0; turn < 3; turn += 1) await read(db)
    await sql`alter table partners add column colour text default 'red'`.execute(database.db)
    try {
      expect(await read(db)).toMatchObject({ colour: 'red' })
      await readTogether()
      await readTogether()
      await sql`alter table partners drop column colour`.execute(database.db)
      // A transaction fails whole, and the next one finds the tables as they are.
      expect(isDatabaseAway(await readTogether().catch((error: unknown) => error))).toBe(true)
      expect(await readTogether()).not.toHaveProperty('colour')
    } finally {
      await sql`alter table partners drop column if exists colour`.execute(database.db)
    }
  })

  it('has one plan from the first on where all are of few rows, and there alone', async () => {
    const few = contextAt('super_admin', null, { isOfFew: true })
    const plansOf = async (context: typeof few, column: 'website' | 'country') => {
      for (let turn = 0; turn < 3; turn += 1) {
        await tenancy.withTenant(context, (trx) =>
          trx.selectFrom('partners').select(column).where('name', '=', 'x').execute(),
        )
      }
      // Named when it comes for the second time.
      const { rows } = await sql<{ generic: number; custom: number }>`
        select generic_plans::int as generic, custom_plans::int as custom
        from pg_prepared_statements where statement like ${`select "${column}" from "partners"%`}
      `.execute(tenancy.dbFor(contextAt('super_admin')))
      return rows
    }
    expect(await plansOf(few, 'website')).toEqual([{ generic: 2, custom: 0 }])
    expect(await plansOf(contextAt('super_admin'), 'country')).toEqual([{ generic: 0, custom: 2 }])
  })
})

describe('the names of statements', () => {
  it('are given to what comes again, never to what works on many rows', () => {
    const names = preparedNames()
    const one = 'select "id" from "partners" where "id" = $1'
    expect(names.of('worker', one)).toBeUndefined()
    const name = names.of('worker', one)
    expect(name).toBeDefined()
    expect(names.of('worker', one)).toBe(name)
    names.of('reader', one)
    expect(names.of('reader', one)).not.toBe(name)
    const many = 'update statements set paid = true where id = any($1)'
    for (let turn = 0; turn < 3; turn += 1) expect(names.of('worker', many)).toBeUndefined()
  })

  it('are others once the tables changed, and are not given without end', () => {
    const names = preparedNames()
    const given = (text: string) => {
      names.of('worker', text)
      return names.of('worker', text)
    }
    const before = given('select 1 where 1 = $1')
    names.forget()
    expect(given('select 1 where 1 = $1')).not.toBe(before)
    const all = Array.from({ length: 5_000 }, (_, no) => given(`select ${no} where 1 = $1`))
    expect(all.filter((name) => name !== undefined).length).toBeLessThan(1_000)
  })
})
