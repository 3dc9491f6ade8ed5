/** Whoever moves takes along what lives on, and leaves its history where it was made. */
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { recordMove } from '../../db/partner-places.ts'
import { openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeChain, makeProgramme } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let database: TestDatabase
let tenancy: TestTenancy
let from: { master: string; reseller: string }
let to: { master: string; reseller: string }

beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await makeProgramme(db)
  from = await makeChain(db)
  to = await makeChain(db)
  const books = openBooks(db)
  const [partnerId, parentId] = [from.reseller, to.master]
  await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
  await inTransaction(db, (trx) =>
    recordMove(trx, { partnerId, parentId, from: new Date('2026-09-01T00:00:00Z') }),
  )
  // One that was paid before the move and is booked after it, and one that came later.
  await books.sell(partnerId, { paidAt: '2026-08-20T00:00:00Z' })
  await books.sell(partnerId, { paidAt: '2026-09-15T00:00:00Z' })
  tenancy = await openTestTenancy(database)
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

/** When a row's facts happened; null for what lives on. */
const happened: Record<string, string | null> = {
  payments: 'own.paid_at',
  line_payments: 'own.paid_at',
  accruals: '(select paid_at from line_payments where id = own.line_payment_id)',
  customers: null,
  subscriptions: null,
}
const viewers = ['the master before', 'the master after', 'the partner itself'] as const

/** Rows of which this partner was above, or the one, when they happened. */
async function belowAtTheTime(table: string, partner: string): Promise<string[]> {
  const when = happened[table]
  const holds = when ? sql`above.valid @> ${sql.raw(when)}` : sql`upper_inf(above.valid)`
  const { rows } = await sql<{ id: string }>`
    select own.id from ${sql.table(table)} own
    where exists (select from partner_ancestry above where above.partner_id = own.partner_id
      and above.ancestor_id = ${partner} and ${holds})
    order by 1`.execute(database.db)
  return rows.map(({ id }) => id)
}

describe.each(Object.keys(happened))('of %s', (table) => {
  it.each(viewers)('%s sees what was below it at the time', async (name) => {
    const viewer = {
      'the master before': contextAt('master_reseller', from.master),
      'the master after': contextAt('master_reseller', to.master),
      'the partner itself': contextAt('reseller', from.reseller),
    }[name]
    const { rows } = await tenancy.withTenant(viewer, (trx) =>
      sql<{ id: string }>`select id from ${sql.table(table)} order by 1`.execute(trx),
    )
    const expected = await belowAtTheTime(table, viewer.partnerId ?? '')
    expect(rows.map(({ id }) => id)).toEqual(expected)
  })
})

it('history and the present went to different masters', async () => {
  expect(await belowAtTheTime('payments', from.master)).toHaveLength(2)
  expect(await belowAtTheTime('payments', to.master)).toHaveLength(1)
  expect(await belowAtTheTime('customers', from.master)).toEqual([])
})
