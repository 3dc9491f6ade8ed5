/** What is asked for at once goes out at once, and stays whole. */
import { sql } from 'kysely'
import { type Db, inTransaction, readTogether } from '../../db/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let database: TestDatabase
let tenancy: TestTenancy
let db: Db
let partnerId: string

beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
  partnerId = await makePartner(database.db)
  tenancy = await openTestTenancy(database, { role: 'worker', poolSize: 2 })
  db = tenancy.dbFor(contextAt('worker'))
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

/** When its transaction began, and the connection that it runs on. */
async function moment(one: Db): Promise<string> {
  const { rows } = await sql<{ at: string }>`
    select now()::text || pg_backend_pid()::text as at where ${true}`.execute(one)
  return rows[0]?.at ?? ''
}

const nameIs = async () => {
  const { name } = await database.db
    .selectFrom('partners')
    .select('name')
    .where('id', '=', partnerId)
    .executeTakeFirstOrThrow()
  return name
}

const rename = (one: Db, name: string) =>
  one.updateTable('partners').set({ name }).where('id', '=', partnerId).execute()

const fails = (one: Db) => sql`select 1 / ${0}::int`.execute(one)

describe('reads that are asked for at once', () => {
  it('share a transaction, and those after them have another', async () => {
    const [first, second, later] = await readTogether(db, async (one) => {
      const both = await Promise.all([moment(one), moment(one)])
      return [...both, await moment(one)]
    })
    expect(second).toBe(first)
    expect(later).not.toBe(first)
  })

  it('see the rows of their caller', async () => {
    const other = await makePartner(database.db)
    const stranger = tenancy.dbFor(contextAt('worker'))
    const ids = (one: Db) =>
      one.selectFrom('partners').select('id').where('id', '=', other).execute()
    const seen = await readTogether(stranger, (one) => Promise.all([ids(one), ids(one)]))
    expect(seen.flat()).toEqual([{ id: other }, { id: other }])
    const reseller = tenancy.dbFor(contextAt('reseller', partnerId))
    const none = await readTogether(reseller, (one) => Promise.all([ids(one), ids(one)]))
    expect(none.flat()).toEqual([])
  })

  it('fail together, and leave the connection to others', async () => {
    const reads = readTogether(db, (one) => Promise.allSettled([moment(one), fails(one)]))
    expect((await reads).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await moment(db)).not.toBe('')
  })

  it('are part of the transaction that they are asked in', async () => {
    await inTransaction(db, async (trx) => {
      const [one] = await readTogether(trx, (same) => Promise.all([moment(same)]))
      expect(one).toBe(await moment(trx))
    })
  })
})

describe('changes that are asked for at once', () => {
  it('are kept together, in their order', async () => {
    await inTransaction(db, (trx) => Promise.all([rename(trx, 'First'), rename(trx, 'Second')]))
    expect(await nameIs()).toBe('Second')
  })

  it('are none where one of them fails, whatever the others go on to do', async () => {
    await rename(database.db, 'Before')
    const goOn = async (one: Db) => {
      await moment(one)
      await rename(one, 'After')
    }
    let rest: Promise<unknown> = Promise.resolve()
    const work = inTransaction(db, async (trx) => {
      const refused = Promise.reject(new Error('refused'))
      rest = goOn(trx)
      await Promise.all([refused, rest])
    })
    await expect(work).rejects.toThrow('refused')
    await expect(rest).rejects.toThrow('the transaction is over')
    expect(await nameIs()).toBe('Before')
  })
})
