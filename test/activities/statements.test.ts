/** What statements say of late events, of months without events, and of what they keep back. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { placeSettlementHold } from '../../db/settlement/holds.ts'
import { listStatementHolds } from '../../db/settlement/statement-holds.ts'
import { findStatement, listStatementLines } from '../../db/settlement/statements.ts'
import { isPrior } from '../../domain/statements.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
let books: Books
beforeEach(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

async function statement(partnerId: string, period: string) {
  const { id } = await database.db
    .selectFrom('statements')
    .select('id')
    .where('partnerId', '=', partnerId)
    .where('period', '=', period)
    .where('issuedAt', 'is not', null)
    .executeTakeFirstOrThrow()
  const row = await findStatement(database.db, id)
  if (!row) throw new Error('no statement')
  const lines = await listStatementLines(database.db, row)
  return { row, lines, held: await listStatementHolds(database.db, id) }
}

/** A person holds the newest line of a partner, or all of it. */
async function stopped(partnerId: string, what: 'line' | 'partner'): Promise<void> {
  const runId = await books.newRun('2026-08', 'preview')
  const { id } = await database.db
    .selectFrom('accruals')
    .select('id')
    .where('partnerId', '=', partnerId)
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow()
  const hold = { id: randomUUIDv7(), runId, partnerId, reason: 'test', placedBy: null }
  await inTransaction(database.db, (trx) =>
    placeSettlementHold(trx, { ...hold, accrualId: what === 'line' ? id : null }),
  )
}

describe('a payment of the last second of a month that is told after its close', () => {
  it('leaves the closed statement as it was, and is a line of an earlier period in the next', async () => {
    await makeProgramme(database.db)
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-10-05T00:00:00Z' })
    await books.settle('2026-10')
    const before = await statement(partnerId, '2026-10')
    await books.sell(partnerId, { paidAt: '2026-10-31T23:59:50Z' })
    await books.sell(partnerId, { paidAt: '2026-11-02T00:00:00Z' })
    await books.settle('2026-11')
    expect(await statement(partnerId, '2026-10')).toEqual(before)
    const { lines, row } = await statement(partnerId, '2026-11')
    expect(row).toMatchObject({ earnedMinor: 4_000n, payableMinor: 4_000n })
    expect(lines.map((line) => isPrior(line, '2026-11'))).toEqual([true, false])
    const { rows } = await sql<{ period: string; at: Date }>`
      select period, effective_at as at from ledger_journals
      where kind = 'accrual' and effective_at = '2026-10-31T23:59:50Z'`.execute(database.db)
    expect(rows.map(({ period }) => period)).toEqual(['2026-11'])
  })
})

describe('what a statement holds', () => {
  it('is told by cause: what has not matured, and what a dispute keeps back', async () => {
    await makeProgramme(database.db, { holdDays: 30 })
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
    await sql`insert into disputes (vendor_dispute_id, payment_id, amount_minor, status, opened_at)
      select 'dp_' || id, id, 5000, 'open', timestamptz '2026-08-05' from payments`.execute(
      database.db,
    )
    await books.sell(partnerId, { paidAt: '2026-08-20T00:00:00Z' })
    await books.sell(partnerId, { paidAt: '2026-08-21T00:00:00Z' })
    await books.settle('2026-08')
    const { row, held } = await statement(partnerId, '2026-08')
    expect(row.heldMinor).toBe(5_000n)
    expect(held).toEqual([
      { cause: 'disputed', amount: 1_000n, lines: null, until: null },
      {
        cause: 'not_matured',
        amount: 4_000n,
        lines: 2,
        until: new Date('2026-09-20T00:00:00Z'),
      },
    ])
  })

  it('keeps its causes when the dispute is over', async () => {
    await makeProgramme(database.db)
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
    await sql`insert into disputes (vendor_dispute_id, payment_id, amount_minor, status, opened_at)
      select 'dp_' || id, id, 5000, 'open', timestamptz '2026-08-05' from payments`.execute(
      database.db,
    )
    await books.settle('2026-08')
    const { held } = await statement(partnerId, '2026-08')
    await sql`update disputes set status = 'won', closed_at = now()`.execute(database.db)
    expect((await statement(partnerId, '2026-08')).held).toEqual(held)
    await expect(
      sql`update statement_holds set amount_minor = 1`.execute(database.db),
    ).rejects.toThrow('never changed or removed')
  })

  it('is told apart where a person stopped a line and a customer disputes another', async () => {
    await makeProgramme(database.db, { holdDays: 30 })
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
    await sql`insert into disputes (vendor_dispute_id, payment_id, amount_minor, status, opened_at)
      select 'dp_' || id, id, 5000, 'open', timestamptz '2026-08-05' from payments`.execute(
      database.db,
    )
    await books.sell(partnerId, { paidAt: '2026-08-03T00:00:00Z' })
    await stopped(partnerId, 'line')
    await books.sell(partnerId, { paidAt: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    const { held } = await statement(partnerId, '2026-08')
    expect(held.map(({ cause, amount }) => [cause, amount])).toEqual([
      ['by_person', 2_000n],
      ['disputed', 1_000n],
      ['not_matured', 2_000n],
    ])
  })

  it('is all by a person where one holds the partner, but for what has not matured', async () => {
    await makeProgramme(database.db, { holdDays: 30 })
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
    await books.sell(partnerId, { paidAt: '2026-08-03T00:00:00Z' })
    await stopped(partnerId, 'line')
    await stopped(partnerId, 'partner')
    await books.sell(partnerId, { paidAt: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    const { held } = await statement(partnerId, '2026-08')
    expect(held.map(({ cause, amount }) => [cause, amount])).toEqual([
      ['by_person', 4_000n],
      ['not_matured', 2_000n],
    ])
  })

  it('and its opening balance are all that a month without events has', async () => {
    await makeProgramme(database.db, { minimumPayoutMinor: 2_500n })
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-10T00:00:00Z' })
    await books.settle('2026-08')
    await books.settle('2026-09')
    const { row, lines, held } = await statement(partnerId, '2026-09')
    expect(row).toMatchObject({ openingMinor: 2_000n, closingMinor: 2_000n, payableMinor: 0n })
    expect([lines, held]).toEqual([[], []])
  })
})
