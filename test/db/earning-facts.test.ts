/** What becomes of what a partner earns, from the sale until its money is paid or taken back. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookRefund } from '../../activities/commission/reversals.ts'
import { listEarningFacts } from '../../db/commission/earning-facts.ts'
import { listEarnings } from '../../db/commission/earnings.ts'
import { inTransaction } from '../../db/database.ts'
import { placeSettlementHold, releaseSettlementHold } from '../../db/settlement/holds.ts'
import { earningStatus } from '../../domain/earnings.ts'
import type { StripeBilling } from '../../integrations/stripe-billing.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeOrder, makePartner, makeProgramme, paidInvoice, unique } from '../support/factories.ts'

let database: TestDatabase
let books: Books
beforeEach(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
})
afterEach(() => database.drop())

/** The newest accrual of a partner. */
async function newest(partnerId: string): Promise<string> {
  const { id } = await database.db
    .selectFrom('accruals')
    .select('id')
    .where('partnerId', '=', partnerId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
  return id
}

async function sold(partnerId: string, paidAt: string): Promise<string> {
  await books.sell(partnerId, { paidAt })
  return newest(partnerId)
}

async function statusOf(id: string) {
  const facts = (await listEarningFacts(database.db, [id])).get(id)
  if (!facts) throw new Error('there is no such accrual')
  return earningStatus(facts)
}

/** As the attempts that paid them would leave them. */
async function allPaid(): Promise<void> {
  await database.db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`update payouts set status = 'paid', hold_reason = null, paid_at = now()`.execute(trx)
  })
}

test('waits for a statement, is due by it, and paid with its payout', async () => {
  await makeProgramme(database.db)
  const partnerId = await makePartner(database.db)
  const first = await sold(partnerId, '2024-08-02T00:00:00Z')
  expect(await statusOf(first)).toBe('pending')
  await books.settle('2024-08')
  expect(await statusOf(first)).toBe('due')
  await allPaid()
  const second = await sold(partnerId, '2024-09-02T00:00:00Z')
  expect([await statusOf(first), await statusOf(second)]).toEqual(['paid', 'pending'])
  await books.settle('2024-09')
  expect([await statusOf(first), await statusOf(second)]).toEqual(['paid', 'due'])
})

test('below the minimum it is due until a later statement pays it', async () => {
  await makeProgramme(database.db, { minimumPayoutMinor: 2_500n })
  const partnerId = await makePartner(database.db)
  const id = await sold(partnerId, '2024-08-02T00:00:00Z')
  await books.settle('2024-08')
  await allPaid()
  expect(await statusOf(id)).toBe('due')
  await sold(partnerId, '2024-09-02T00:00:00Z')
  await books.settle('2024-09')
  await allPaid()
  expect(await statusOf(id)).toBe('paid')
})

test('is held until it matures, though a statement has it', async () => {
  await makeProgramme(database.db, { holdDays: 60 })
  const partnerId = await makePartner(database.db)
  const id = await sold(partnerId, '2024-08-20T00:00:00Z')
  await books.settle('2024-08')
  await allPaid()
  expect(await statusOf(id)).toBe('due')
  const young = await sold(partnerId, new Date().toISOString())
  expect(await statusOf(young)).toBe('held')
})

test('is held while a customer disputes it, and is due by the statement after that', async () => {
  await makeProgramme(database.db)
  const partnerId = await makePartner(database.db)
  const contested = await sold(partnerId, '2024-08-02T00:00:00Z')
  await sql`insert into disputes (vendor_dispute_id, payment_id, amount_minor, status, opened_at)
    select 'dp_' || id, id, 10000, 'open', timestamptz '2024-08-05' from payments`.execute(
    database.db,
  )
  const other = await sold(partnerId, '2024-08-03T00:00:00Z')
  expect(await statusOf(contested)).toBe('held')
  await books.settle('2024-08')
  await allPaid()
  expect([await statusOf(contested), await statusOf(other)]).toEqual(['held', 'paid'])
  await sql`update disputes set status = 'won', closed_at = clock_timestamp()`.execute(database.db)
  expect(await statusOf(contested)).toBe('due')
  await books.settle('2024-09')
  await allPaid()
  expect(await statusOf(contested)).toBe('paid')
})

test('that a person holds is held, and nothing beside it', async () => {
  await makeProgramme(database.db)
  const partnerId = await makePartner(database.db)
  const other = await sold(partnerId, '2024-08-02T00:00:00Z')
  const accrualId = await sold(partnerId, '2024-08-03T00:00:00Z')
  const runId = await books.newRun('2024-08', 'preview')
  const hold = { id: randomUUIDv7(), runId, partnerId, accrualId, reason: 'a test' }
  await inTransaction(database.db, (trx) => placeSettlementHold(trx, { ...hold, placedBy: null }))
  await books.settle('2024-08')
  await allPaid()
  expect([await statusOf(other), await statusOf(accrualId)]).toEqual(['paid', 'held'])
  await inTransaction(database.db, (trx) =>
    releaseSettlementHold(trx, { id: hold.id, reason: 'over', memberId: null }),
  )
  expect(await statusOf(accrualId)).toBe('due')
})

test('is reversed when all of it went back, also after it was paid', async () => {
  await makeProgramme(database.db)
  const partnerId = await makePartner(database.db)
  const order = await makeOrder(database.db, partnerId)
  const invoice = paidInvoice(order, { net: 10_000n, paidAt: '2024-08-02T00:00:00Z' })
  await bookInvoice({ db: database.db }, invoice)
  const id = await newest(partnerId)
  const refund = async (amount: bigint) => {
    const refundId = unique('re')
    const told = {
      ...{ refundId, chargeId: invoice.payments[0]?.chargeId ?? '', currency: 'USD', amount },
      ...{ createdAt: new Date('2024-09-03T00:00:00Z'), failed: false },
    }
    const billing = { readRefund: async () => told } as unknown as StripeBilling
    await bookRefund({ db: database.db, billing }, refundId)
  }
  await books.settle('2024-08')
  await allPaid()
  await refund(4_000n)
  expect(await statusOf(id)).toBe('paid')
  await refund(6_000n)
  expect(await statusOf(id)).toBe('reversed')
})

test('of a week is on its own statement, and what comes later in the month waits', async () => {
  await makeProgramme(database.db, { onboarding: { settlementCadence: 'weekly' } })
  const partnerId = await makePartner(database.db)
  const first = await sold(partnerId, '2024-09-03T00:00:00Z')
  await books.settle('2024-W36')
  await allPaid()
  const second = await sold(partnerId, '2024-09-10T00:00:00Z')
  const pending = async () =>
    (await listEarnings(database.db, { partnerId, month: '2024-09' })).map((own) => own.pending)
  expect([await statusOf(first), await statusOf(second)]).toEqual(['paid', 'pending'])
  expect(await pending()).toEqual([2_000n])
  await books.settle('2024-W37')
  expect([await statusOf(first), await statusOf(second)]).toEqual(['paid', 'due'])
  expect(await pending()).toEqual([0n])
})

test('of a quarter is on the one statement of its months', async () => {
  await makeProgramme(database.db, { onboarding: { settlementCadence: 'quarterly' } })
  const partnerId = await makePartner(database.db)
  const ids = [
    await sold(partnerId, '2024-07-03T00:00:00Z'),
    await sold(partnerId, '2024-09-03T00:00:00Z'),
  ]
  const later = await sold(partnerId, '2024-10-03T00:00:00Z')
  await books.settle('2024-Q3')
  expect(await Promise.all([...ids, later].map(statusOf))).toEqual(['due', 'due', 'pending'])
  expect(await listEarnings(database.db, { partnerId, month: '2024-10' })).toEqual([
    { currency: 'USD', earned: 2_000n, takenBack: 0n, pending: 2_000n, carried: 0n },
  ])
})
