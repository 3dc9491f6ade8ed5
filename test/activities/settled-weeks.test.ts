/** Partners that are settled and paid by the week, while months stay the books. */
import { sql } from 'kysely'
import { checkInvariants } from '../../db/invariants.ts'
import { listOverduePeriods } from '../../db/settlement/overdue.ts'
import { findStatement, listStatementLines } from '../../db/settlement/statements.ts'
import { sum } from '../../domain/money.ts'
import { isPrior, ownSince } from '../../domain/statements.ts'
import { type CadenceBooks, openCadenceBooks } from '../support/cadence-books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner } from '../support/factories.ts'
import { failureOf } from '../support/steps.ts'

let database: TestDatabase
let books: CadenceBooks
beforeEach(async () => {
  database = await createTestDatabase()
  books = await openCadenceBooks(database.db)
})
afterEach(async () => {
  await expectSound()
  await database.drop()
})

async function expectSound(): Promise<void> {
  expect((await checkInvariants(database.db)).violations).toEqual([])
}

async function linesOf(statementId: string | undefined) {
  const row = await findStatement(database.db, statementId ?? '')
  if (!row) throw new Error('there is no such statement')
  const lines = await listStatementLines(database.db, row)
  return lines.map((line) => ({ ...line, prior: isPrior(line, ownSince(row)) }))
}

describe('a week', () => {
  it('is a statement and a payout of its own, and leaves its month open', async () => {
    await books.sold('2026-09-21T00:00:00Z')
    await books.sold('2026-09-27T23:59:59Z')
    await books.sold('2026-09-28T00:00:00Z')
    const closed = await books.finish(await books.inReview('2026-W39'))
    expect(closed).toEqual([])
    expect(await books.statusOf('2026-09')).toEqual(['open'])
    expect(await books.statements()).toMatchObject([
      {
        ...{ period: '2026-09', name: '2026-W39', since: null, number: '2026-W39-000001' },
        ...{ opening: 0n, earned: 4_000n, payable: 4_000n, paid: 4_000n },
      },
    ])
  })

  it('takes back what is refunded in it of what an earlier one has paid', async () => {
    const refund = await books.soldAndRefunded('2026-09-22T00:00:00Z', '2026-09-29T00:00:00Z')
    await books.settle('2026-W39')
    await refund()
    await books.settle('2026-W40')
    await books.sold('2026-10-06T00:00:00Z', 30_000n)
    await books.settle('2026-W41')
    expect(await books.statements()).toMatchObject([
      { name: '2026-W39', earned: 2_000n, payable: 2_000n },
      { name: '2026-W40', earned: 0n, clawedBack: 2_000n, payable: 0n, carried: -2_000n },
      { name: '2026-W41', opening: -2_000n, earned: 6_000n, payable: 4_000n, paid: 4_000n },
    ])
  })

  it('has what came in late for one that is settled, as of a prior period', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    await books.settle('2026-W39')
    await books.sold('2026-09-23T00:00:00Z', 20_000n)
    await books.sold('2026-09-29T00:00:00Z', 30_000n)
    await books.settle('2026-W40')
    const [, second] = await books.statements()
    expect(second).toMatchObject({ earned: 10_000n, payable: 10_000n })
    expect(await linesOf(second?.id)).toMatchObject([
      { amount: 4_000n, prior: true },
      { amount: 6_000n, prior: false },
    ])
  })

  it('lists what it took and nothing else, also where that is nothing', async () => {
    await sql`update programmes set minimum_payout_minor = 2500`.execute(database.db)
    await books.sold('2026-09-22T00:00:00Z')
    await books.settle('2026-W39')
    await books.settle('2026-W40')
    await books.sold('2026-10-06T00:00:00Z')
    await books.settle('2026-W41')
    const statements = await books.statements()
    expect(statements).toMatchObject([
      { earned: 2_000n, payable: 0n, carried: 2_000n },
      { opening: 2_000n, earned: 0n, carried: 2_000n },
      { opening: 2_000n, earned: 2_000n, payable: 4_000n, carried: 0n },
    ])
    const counts: number[] = []
    for (const { id } of statements) counts.push((await linesOf(id)).length)
    expect(counts).toEqual([1, 0, 1])
  })

  it('holds what has not matured, and the week after its time pays it', async () => {
    await sql`update programmes set hold_days = 10`.execute(database.db)
    const refund = await books.soldAndRefunded('2026-09-25T00:00:00Z', '2026-09-26T00:00:00Z')
    await books.sold('2026-09-25T00:00:00Z')
    await books.settle('2026-W39')
    // What is refunded but not yet told of does not set free what is held.
    await refund()
    await books.settle('2026-W40')
    expect(await books.statements()).toMatchObject([
      { earned: 4_000n, held: 4_000n, payable: 0n, carried: 4_000n },
      { opening: 4_000n, clawedBack: 2_000n, held: 0n, payable: 2_000n },
    ])
  })

  it('does not hold for what nobody has taken yet', async () => {
    await sql`update programmes set hold_days = 3`.execute(database.db)
    await books.sold('2026-09-22T00:00:00Z')
    await books.sold('2026-09-30T00:00:00Z')
    await books.settle('2026-W39')
    expect(await books.statements()).toMatchObject([{ earned: 2_000n, held: 0n, payable: 2_000n }])
  })
})

describe('a dispute', () => {
  const disputed = () =>
    sql`insert into disputes (vendor_dispute_id, payment_id, amount_minor, status, opened_at)
      select 'dp_' || id, id, 10000, 'open', timestamptz '2026-09-30' from payments`.execute(
      database.db,
    )

  it('keeps back what no week has paid yet, though one of its month has paid something', async () => {
    await books.sold('2026-09-15T00:00:00Z')
    await books.settle('2026-W38')
    await books.sold('2026-09-22T00:00:00Z')
    await disputed()
    await books.settle('2026-W39')
    expect(await books.statements()).toMatchObject([
      { payable: 2_000n },
      { earned: 2_000n, held: 2_000n, payable: 0n },
    ])
    const holds = await sql`select cause, amount_minor from statement_holds`.execute(database.db)
    expect(holds.rows).toEqual([{ cause: 'disputed', amountMinor: 2_000n }])
  })

  it('holds nothing of what an earlier week has paid', async () => {
    await books.sold('2026-09-15T00:00:00Z')
    await books.settle('2026-W38')
    await disputed()
    await books.sold('2026-09-22T00:00:00Z', 20_000n)
    await books.settle('2026-W39')
    const [, second] = await books.statements()
    expect(second).toMatchObject({ earned: 4_000n, held: 0n, payable: 4_000n })
  })
})

describe('the week in which a month ends', () => {
  it('closes the month, and pays its true-up', async () => {
    await books.publishCliff()
    await books.sold('2026-09-22T00:00:00Z')
    await books.sold('2026-09-30T00:00:00Z')
    await books.sold('2026-10-02T00:00:00Z')
    await books.settle('2026-W39')
    await expectSound()
    const closed = await books.finish(await books.inReview('2026-W40'))
    expect(closed).toEqual(['2026-09'])
    await expectSound()
    expect(await books.statusOf('2026-09', '2026-10')).toEqual(['closed', 'open'])
    await books.sold('2026-10-06T00:00:00Z')
    expect(await books.finish(await books.inReview('2026-W41'))).toEqual([])
    expect(await books.statements()).toMatchObject([
      { name: '2026-W39', earned: 1_000n },
      // 20 % of one sale and 10 % of another, and 10 % more of the first one of September.
      { name: '2026-W40', period: '2026-10', since: '2026-09', earned: 4_000n, payable: 4_000n },
      { name: '2026-W41', since: null, earned: 2_000n },
    ])
  })

  it('takes all of the month, whatever no week before has settled', async () => {
    await books.sold('2026-09-02T00:00:00Z')
    await books.sold('2026-09-22T00:00:00Z')
    await books.settle('2026-W41')
    expect(await books.statusOf('2026-09', '2026-10')).toEqual(['closed', 'open'])
    expect(await books.statements()).toMatchObject([
      { name: '2026-W41', since: '2026-09', earned: 4_000n, payable: 4_000n },
    ])
  })

  it('has what a closed month could not take any more with the month after it', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    await books.settle('2026-W40')
    await books.sold('2026-09-23T00:00:00Z')
    await books.settle('2026-W41')
    expect(await books.statements()).toMatchObject([
      { name: '2026-W40', earned: 2_000n },
      { name: '2026-W41', earned: 2_000n, payable: 2_000n },
    ])
  })
})

describe('what people decide about the run of a week', () => {
  it('leaves a partner out, and the next week settles both', async () => {
    const other = await makePartner(database.db)
    await books.sold('2026-09-22T00:00:00Z')
    await books.sold('2026-09-22T00:00:00Z', 10_000n, other)
    const first = await books.inReview('2026-W39')
    await books.decide(first, 'exclude', { partnerId: books.partnerId })
    await books.finish(first)
    await books.sold('2026-09-29T00:00:00Z')
    const second = await books.inReview('2026-W40')
    await books.decide(second, 'exclude', { partnerId: books.partnerId })
    await books.finish(second)
    await expectSound()
    await books.sold('2026-10-06T00:00:00Z')
    await books.settle('2026-W41')
    expect(await books.statements()).toMatchObject([
      { name: '2026-W41', since: '2026-09', earned: 6_000n, payable: 6_000n },
    ])
    expect(await books.statements(other)).toMatchObject([{ name: '2026-W39', payable: 2_000n }])
  })

  it('holds a line, which the week after its release pays', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    await books.sold('2026-09-23T00:00:00Z', 20_000n)
    const first = await books.inReview('2026-W39')
    const { id: accrualId } = await database.db
      .selectFrom('accruals')
      .select('id')
      .where('amountMinor', '=', 4_000n)
      .executeTakeFirstOrThrow()
    const about = { partnerId: books.partnerId, accrualId }
    const holdId = await books.decide(first, 'hold', about)
    await books.finish(first)
    const second = await books.inReview('2026-W40')
    await books.decide(second, 'release_hold', { partnerId: books.partnerId, holdId })
    await books.finish(second)
    expect(await books.statements()).toMatchObject([
      { earned: 6_000n, held: 4_000n, payable: 2_000n },
      { opening: 4_000n, held: 0n, payable: 4_000n },
    ])
    const third = await books.inReview('2026-W41')
    const again = await failureOf(books.decide(third, 'hold', about))
    expect(again).toBe('conflict')
  })

  it('gives back what a run had taken that is cancelled or sent back', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    const first = await books.inReview('2026-W39')
    expect(await books.taken()).toBe(1)
    await books.decide(first, 'reject')
    expect(await books.taken()).toBe(0)
    await books.decide(first, 'recalculate')
    await books.calculate(first)
    expect(await books.taken()).toBe(1)
    await books.decide(first, 'cancel')
    expect(await books.taken()).toBe(0)
    await books.settle('2026-W39')
    expect(await books.statements()).toMatchObject([{ name: '2026-W39', payable: 2_000n }])
  })

  it('opens the month again that a cancelled week was about to close', async () => {
    await books.sold('2026-09-29T00:00:00Z')
    await books.decide(await books.inReview('2026-W40'), 'cancel')
    expect(await books.statusOf('2026-09')).toEqual(['open'])
  })

  it('counts one partner anew, with what came in since', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    const runId = await books.inReview('2026-W39')
    await books.sold('2026-09-23T00:00:00Z')
    await books.decide(runId, 'rerun_partner', { partnerId: books.partnerId })
    await books.finish(runId)
    expect(await books.statements()).toMatchObject([{ earned: 4_000n, payable: 4_000n }])
  })
})

describe('weeks one after the other', () => {
  it('are settled once each, and none before the last that was', async () => {
    const first = await books.newRun('2026-W39')
    expect(await books.newRun('2026-W39')).toBe(first)
    await expect(books.newRun('2026-W38')).rejects.toMatchObject({
      ...{ code: 'period_already_settled', message: '2026-W38 is settled by the run 2026-W39' },
    })
  })

  it('wait for each other', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    const first = await books.inReview('2026-W39')
    const second = await books.newRun('2026-W40')
    const refused = await failureOf(books.steps.freezePeriod({ runId: second }))
    expect(refused).toBe('earlier_period_open')
    await books.finish(first)
    await books.steps.freezePeriod({ runId: second })
    expect(await books.statusOf('2026-09')).toEqual(['closing'])
  })

  it('stop where the ledger holds other than what was taken and what is left', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    await books.sold('2026-09-30T00:00:00Z')
    const runId = await books.newRun('2026-W39')
    await books.steps.freezePeriod({ runId })
    const change = (sign: number) =>
      sql`update ledger_balances set credits_minor = credits_minor + ${sign}
        where account_id in (select id from ledger_accounts where purpose = 'partner_accrued')
        `.execute(database.db)
    await change(1)
    expect(await failureOf(books.calculate(runId))).toBe('ledger_violation')
    await change(-1)
    await books.calculate(runId)
    await books.finish(runId)
    expect(await books.statements()).toMatchObject([{ earned: 2_000n, payable: 2_000n }])
  })

  it('keep for good what they took', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    await books.settle('2026-W39')
    for (const change of [
      sql`delete from statement_entries`,
      sql`update statement_entries set amount_minor = 1`,
      sql`truncate statement_entries`,
    ]) {
      await expect(change.execute(database.db)).rejects.toThrow()
    }
    expect(await books.taken()).toBe(1)
  })

  it('are previewed as they would be settled, and a preview takes nothing', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    await books.settle('2026-W39')
    await books.sold('2026-09-23T00:00:00Z')
    await books.sold('2026-09-29T00:00:00Z')
    const preview = await books.newRun('2026-W40', 'preview')
    await books.calculate(preview)
    const drafted = await database.db
      .selectFrom('statements')
      .select(['earnedMinor as earned', 'payableMinor as payable'])
      .where('runId', '=', preview)
      .execute()
    expect(drafted).toEqual([{ earned: 4_000n, payable: 4_000n }])
    expect(await books.taken()).toBe(1)
    expect(await books.statusOf('2026-09')).toEqual(['open'])
  })

  it('raise an alarm where one is not settled in time', async () => {
    await books.sold('2026-09-22T00:00:00Z')
    await books.settle('2026-W39')
    await sql`update programmes set deadlines = deadlines || '{"settlementAlarm": 3600}'`.execute(
      database.db,
    )
    const newest = (await listOverduePeriods(database.db)).map(({ period }) => period)
    expect(newest).toEqual([])
    await books.newRun('2026-W40')
    expect(await listOverduePeriods(database.db)).toMatchObject([
      { period: '2026-W40', stage: 'freeze' },
    ])
  })
})

test('the lines of a week add up to its figures, of every kind of entry', async () => {
  await books.publishCliff()
  const refund = await books.soldAndRefunded('2026-09-22T00:00:00Z', '2026-10-01T00:00:00Z')
  await books.sold('2026-09-28T00:00:00Z', 20_000n)
  await books.settle('2026-W39')
  await refund()
  await books.settle('2026-W40')
  await books.settle('2026-W41')
  for (const { id, opening, payable, carried } of await books.statements()) {
    const lines = await linesOf(id)
    expect(opening + sum(lines.map(({ amount }) => amount))).toBe(payable + carried)
  }
})
