/** Programmes that change how often they settle, in the middle of a month or of a quarter. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { getRun } from '../../db/settlement/runs.ts'
import { findStatement, listStatementLines } from '../../db/settlement/statements.ts'
import { sum } from '../../domain/money.ts'
import { type CadenceBooks, openCadenceBooks } from '../support/cadence-books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const open: TestDatabase[] = []
async function newBooks(cadence: 'weekly' | 'monthly' | 'quarterly'): Promise<CadenceBooks> {
  const database = await createTestDatabase()
  open.push(database)
  return openCadenceBooks(database.db, cadence)
}
afterEach(async () => {
  for (const database of open.splice(0)) {
    expect((await checkInvariants(database.db)).violations).toEqual([])
    await database.drop()
  }
})

/** Every line of every statement is on one of them; what they pay and carry is their sum. */
async function expectEachEntryOnce(books: CadenceBooks): Promise<void> {
  const ids: string[] = []
  let net = 0n
  const statements = await books.statements()
  for (const { id } of statements) {
    const row = await findStatement(books.db, id)
    const lines = row ? await listStatementLines(books.db, row) : []
    ids.push(...lines.map((line) => line.id))
    net += sum(lines.map(({ amount }) => amount))
  }
  expect(new Set(ids).size).toBe(ids.length)
  const paid = sum(statements.map(({ payable }) => payable))
  expect(paid + (statements.at(-1)?.carried ?? 0n)).toBe(net)
}

/** The same story for all: sales, a refund in a later week, a late event, the end of a month. */
async function play(books: CadenceBooks, settleAt: (day: string) => Promise<void>) {
  await books.publishCliff()
  await books.sold('2026-09-03T00:00:00Z')
  await books.sold('2026-09-14T00:00:00Z')
  const refund = await books.soldAndRefunded('2026-09-16T00:00:00Z', '2026-09-22T00:00:00Z')
  await settleAt('2026-W38')
  await refund()
  await books.sold('2026-09-15T00:00:00Z', 7_000n)
  await books.sold('2026-09-26T00:00:00Z', 3_000n)
  await settleAt('2026-W39')
  await books.sold('2026-09-30T00:00:00Z', 20_000n)
  await books.sold('2026-10-01T00:00:00Z', 5_000n)
  await settleAt('2026-W40')
}

describe('weeks', () => {
  it('pay together what a month would have paid of the same events', async () => {
    const weekly = await newBooks('weekly')
    await play(weekly, async (week) => {
      await weekly.settle(week)
      expect((await checkInvariants(weekly.db)).violations).toEqual([])
    })
    await weekly.sold('2026-10-20T00:00:00Z')
    await weekly.settle('2026-W44')
    const monthly = await newBooks('monthly')
    await play(monthly, async () => {})
    await monthly.settle('2026-09')
    await monthly.sold('2026-10-20T00:00:00Z')
    await monthly.settle('2026-10')
    const paidBy = async (books: CadenceBooks) =>
      sum((await books.statements()).map(({ paid }) => paid ?? 0n))
    expect(await paidBy(weekly)).toBe(await paidBy(monthly))
    expect(await weekly.statusOf('2026-09', '2026-10')).toEqual(['closed', 'closed'])
    expect((await weekly.statements()).map(({ name }) => name)).toEqual([
      ...['2026-W38', '2026-W39', '2026-W40', '2026-W44'],
    ])
    await expectEachEntryOnce(weekly)
  })
})

describe('a programme that changes over', () => {
  it('from weeks to months settles the rest of the month, and nothing twice', async () => {
    const books = await newBooks('weekly')
    await books.sold('2026-09-03T00:00:00Z')
    await books.settle('2026-W37')
    await books.settleBy('monthly')
    await books.sold('2026-09-04T00:00:00Z')
    await books.sold('2026-09-22T00:00:00Z', 20_000n)
    await books.settle('2026-09')
    await books.sold('2026-10-05T00:00:00Z', 30_000n)
    const before = await books.taken()
    await books.settle('2026-10')
    expect(await books.statements()).toMatchObject([
      { name: '2026-W37', earned: 2_000n },
      { name: null, period: '2026-09', earned: 6_000n, payable: 6_000n },
      { name: null, period: '2026-10', earned: 6_000n, payable: 6_000n },
    ])
    // A month without weeks is taken as a whole again.
    expect(await books.taken()).toBe(before)
    await expectEachEntryOnce(books)
  })

  it('from weeks that ended with a month goes on where the last of them ended', async () => {
    const books = await newBooks('weekly')
    await sql`update programmes set minimum_payout_minor = 2500`.execute(books.db)
    await books.sold('2026-05-20T00:00:00Z')
    await books.settle('2026-W21')
    await books.sold('2026-05-31T23:59:59Z')
    await books.settle('2026-W22')
    expect(await books.statusOf('2026-05')).toEqual(['closed'])
    await books.settleBy('monthly')
    const before = await books.taken()
    await books.sold('2026-06-10T00:00:00Z', 20_000n)
    await books.settle('2026-06')
    expect(await books.statements()).toMatchObject([
      { name: '2026-W21', carried: 2_000n },
      { name: '2026-W22', opening: 2_000n, payable: 4_000n, carried: 0n },
      { name: null, period: '2026-06', opening: 0n, earned: 4_000n, payable: 4_000n },
    ])
    expect(await books.taken()).toBe(before)
    await expectEachEntryOnce(books)
  })

  it('from months to weeks begins with all that no month has settled', async () => {
    const books = await newBooks('monthly')
    await books.sold('2026-08-10T00:00:00Z')
    await books.settle('2026-08')
    await books.sold('2026-09-02T00:00:00Z')
    await books.settleBy('weekly')
    await books.sold('2026-09-22T00:00:00Z')
    await books.settle('2026-W39')
    await books.sold('2026-09-29T00:00:00Z')
    await books.settle('2026-W40')
    expect(await books.statements()).toMatchObject([
      { period: '2026-08', earned: 2_000n },
      { name: '2026-W39', earned: 4_000n },
      { name: '2026-W40', earned: 2_000n },
    ])
    await expectEachEntryOnce(books)
  })

  it('from weeks to quarters settles what is left of the quarter', async () => {
    const books = await newBooks('weekly')
    await books.sold('2026-07-10T00:00:00Z')
    await books.sold('2026-08-03T00:00:00Z')
    await books.settle('2026-W32')
    await books.settleBy('quarterly')
    await books.sold('2026-08-04T00:00:00Z')
    await books.sold('2026-09-10T00:00:00Z')
    const runId = await books.settle('2026-Q3')
    expect(await getRun(books.db, runId)).toMatchObject({ sincePeriod: '2026-08' })
    expect(await books.statusOf('2026-07', '2026-08', '2026-09')).toEqual(
      Array.from({ length: 3 }, () => 'closed'),
    )
    expect(await books.statements()).toMatchObject([
      { name: '2026-W32', since: '2026-07', earned: 4_000n },
      { name: '2026-Q3', since: '2026-08', earned: 4_000n, payable: 4_000n },
    ])
    await expectEachEntryOnce(books)
  })

  it('has whom the weeks left out with the month that comes after them', async () => {
    const books = await newBooks('weekly')
    await books.sold('2026-09-22T00:00:00Z')
    await books.sold('2026-10-01T00:00:00Z')
    const runId = await books.inReview('2026-W40')
    await books.decide(runId, 'exclude', { partnerId: books.partnerId })
    await books.finish(runId)
    await books.settleBy('monthly')
    await books.sold('2026-10-20T00:00:00Z')
    await books.settle('2026-10')
    expect(await books.statements()).toMatchObject([
      { period: '2026-10', since: '2026-09', earned: 6_000n, payable: 6_000n },
    ])
    await expectEachEntryOnce(books)
  })

  it('has whom a month left out with the week that comes after it', async () => {
    const books = await newBooks('monthly')
    await books.sold('2026-09-22T00:00:00Z')
    const runId = await books.inReview('2026-09')
    await books.decide(runId, 'exclude', { partnerId: books.partnerId })
    await books.finish(runId)
    await books.settleBy('weekly')
    await books.sold('2026-10-01T00:00:00Z')
    await books.settle('2026-W40')
    await books.settle('2026-W41')
    expect(await books.statements()).toMatchObject([
      { name: '2026-W40', since: '2026-09', earned: 4_000n, payable: 4_000n },
    ])
    await expectEachEntryOnce(books)
  })

  it('settles nothing again that a run of another cadence has settled', async () => {
    const books = await newBooks('weekly')
    const refused = { code: 'period_already_settled' }
    await books.newRun('2026-W40')
    for (const name of ['2026-09', '2026-Q3']) {
      await expect(books.newRun(name)).rejects.toMatchObject(refused)
    }
    await books.newRun('2026-10')
    for (const name of ['2026-W41', '2026-W43']) {
      await expect(books.newRun(name)).rejects.toMatchObject(refused)
    }
    expect(typeof (await books.newRun('2026-W44'))).toBe('string')
  })

  it('has no two live runs of one name, whoever writes them', async () => {
    const books = await newBooks('weekly')
    const run = await getRun(books.db, await books.newRun('2026-W40'))
    const { programmeId, name, cadence, sincePeriod, period, cutoffAt } = run
    const again = inTransaction(books.db, (trx) =>
      trx
        .insertInto('settlementRuns')
        .values({
          ...{ id: randomUUIDv7(), programmeId, name, cadence, sincePeriod, period, cutoffAt },
          ...{ mode: 'live', number: 2 },
        })
        .execute(),
    )
    await expect(again).rejects.toThrow('settlement_runs_once')
  })
})
