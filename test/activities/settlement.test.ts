import { sql } from 'kysely'
import type { Activities } from '../../activities/index.ts'
import { draftRun } from '../../activities/settlement/calculation.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { findLastSeal, hasSeal } from '../../db/seals.ts'
import { getRun } from '../../db/settlement/runs.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeChain, makePartner, makeProgramme } from '../support/factories.ts'
import { sealAllBut } from '../support/seals.ts'
import { failureOf } from '../support/steps.ts'

let database: TestDatabase
let books: Books
let steps: Activities
beforeEach(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
  steps = books.steps
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

const statementsOf = (partnerId: string) =>
  database.db
    .selectFrom('statements')
    .select([
      'period',
      'openingMinor as opening',
      'earnedMinor as earned',
      'heldMinor as held',
      'payableMinor as payable',
      'carriedMinor as carried',
      'carryReason as reason',
      'documentNumber as number',
    ])
    .where('partnerId', '=', partnerId)
    .where('issuedAt', 'is not', null)
    .orderBy('period')
    .execute()

describe('a settlement', () => {
  it('carries what is below the minimum into the next month and pays it then', async () => {
    await makeProgramme(database.db, { minimumPayoutMinor: 2_500n })
    const partnerId = await makePartner(database.db, { level: 'master_reseller' })
    await books.sell(partnerId, { paidAt: '2026-08-10T00:00:00Z' })
    await books.settle('2026-08')
    await books.sell(partnerId, { paidAt: '2026-09-10T00:00:00Z' })
    await books.settle('2026-09')
    expect(await statementsOf(partnerId)).toMatchObject([
      { opening: 0n, earned: 2_000n, payable: 0n, carried: 2_000n, reason: 'below_minimum' },
      { opening: 2_000n, earned: 2_000n, payable: 4_000n, carried: 0n, reason: null },
    ])
  })

  it('gives every statement the newest seal, which the chain then still has', async () => {
    await makeProgramme(database.db)
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-10T00:00:00Z' })
    await sealAllBut(database.db)
    const newest = await findLastSeal(database.db)
    await books.settle('2026-08')
    await sealAllBut(database.db)
    const { sealNumber, sealHash } = await database.db
      .selectFrom('statements')
      .select(['sealNumber', 'sealHash'])
      .executeTakeFirstOrThrow()
    expect(sealNumber).toBe(newest?.number)
    const kept = { number: sealNumber ?? 0n, hash: sealHash?.toString('hex') ?? '' }
    expect(await hasSeal(database.db, kept)).toBe(true)
  })

  it('makes a statement of a month that has only an opening balance', async () => {
    await makeProgramme(database.db, { minimumPayoutMinor: 2_500n })
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-10T00:00:00Z' })
    await books.settle('2026-08')
    await books.settle('2026-09')
    expect(await statementsOf(partnerId)).toMatchObject([
      { period: '2026-08' },
      { period: '2026-09', opening: 2_000n, earned: 0n, carried: 2_000n },
    ])
  })

  it('holds what has not matured at the close, and pays it with a later month', async () => {
    await makeProgramme(database.db, { holdDays: 30 })
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
    await books.sell(partnerId, { paidAt: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    await books.settle('2026-09')
    expect(await statementsOf(partnerId)).toMatchObject([
      { earned: 4_000n, held: 2_000n, payable: 2_000n, carried: 2_000n, reason: 'held' },
      { opening: 2_000n, held: 0n, payable: 2_000n, carried: 0n },
    ])
  })

  it('holds what an open dispute keeps back, and nothing that was paid before', async () => {
    await makeProgramme(database.db)
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
    await books.settle('2026-08')
    await books.sell(partnerId, { paidAt: '2026-09-02T00:00:00Z' })
    await sql`insert into disputes (vendor_dispute_id, payment_id, amount_minor, status, opened_at)
      select 'dp_' || id, id, 5000, 'open', timestamptz '2026-09-10' from payments`.execute(
      database.db,
    )
    await books.settle('2026-09')
    expect(await statementsOf(partnerId)).toMatchObject([
      { payable: 2_000n },
      { earned: 2_000n, held: 1_000n, payable: 1_000n, carried: 1_000n },
    ])
    await books.settle('2026-10')
    expect((await statementsOf(partnerId))[2]).toMatchObject({ held: 1_000n, payable: 0n })
  })

  it('waits for an earlier month that is not settled, also where nothing is booked in that', async () => {
    await makeProgramme(database.db, { holdDays: 60 })
    await books.sell(await makePartner(database.db), { paidAt: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    const quiet = await books.newRun('2026-09')
    await steps.freezePeriod({ runId: quiet })
    const next = await books.newRun('2026-10')
    // Both would open with what August carried, and pay it.
    expect(await failureOf(steps.freezePeriod({ runId: next }))).toBe('earlier_period_open')
  })

  it('is not made of a month before one that is settled', async () => {
    await makeProgramme(database.db, { holdDays: 60 })
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    await books.settle('2026-11')
    const late = books.newRun('2026-10')
    await expect(late).rejects.toMatchObject({ code: 'period_already_settled' })
    expect(await statementsOf(partnerId)).toMatchObject([{ carried: 2_000n }, { payable: 2_000n }])
  })

  it('gives each statement a number of its own in the order of the period', async () => {
    await makeProgramme(database.db)
    for (let i = 0; i < 3; i++) {
      const { reseller } = await makeChain(database.db)
      await books.sell(reseller, { paidAt: '2026-08-02T00:00:00Z' })
    }
    await books.settle('2026-08')
    const rows = await database.db
      .selectFrom('statements')
      .select('documentNumber')
      .orderBy('documentNumber')
      .execute()
    expect(rows.map((row) => row.documentNumber)).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => `2026-08-00000${n}`),
    )
  })

  it('that is repeated at any step leaves one run, the same totals and no second journal', async () => {
    await makeProgramme(database.db)
    const { reseller } = await makeChain(database.db)
    await books.sell(reseller, { paidAt: '2026-08-02T00:00:00Z' })
    const runId = await books.newRun('2026-08')
    expect(await books.newRun('2026-08')).toBe(runId)
    await steps.freezePeriod({ runId })
    await steps.freezePeriod({ runId })
    const totalsHash = await books.calculate(runId)
    expect(await books.calculate(runId)).toBe(totalsHash)
    const one = await books.person('one@platform.example')
    const two = await books.person('two@platform.example')
    for (let i = 0; i < 2; i++) await steps.recordReview({ runId, memberId: one, totalsHash })
    for (let i = 0; i < 2; i++) await steps.recordRelease({ runId, memberId: two, totalsHash })
    expect(await steps.issueStatements({ runId })).toBe(2)
    expect(await steps.issueStatements({ runId })).toBe(0)
    for (let i = 0; i < 2; i++) await steps.closePeriod({ runId })
    const { rows } = await sql<{ kind: string; n: number }>`
      select kind, count(*)::int as n from ledger_journals group by 1 order by 1`.execute(
      database.db,
    )
    expect(rows).toEqual([
      { kind: 'accrual', n: 1 },
      { kind: 'payment', n: 1 },
      { kind: 'payout_reserve', n: 2 },
      { kind: 'settlement', n: 2 },
    ])
  })
})

describe('the two persons', () => {
  async function calculated() {
    await makeProgramme(database.db)
    await books.sell(await makePartner(database.db), { paidAt: '2026-08-02T00:00:00Z' })
    const runId = await books.newRun('2026-08')
    await steps.freezePeriod({ runId })
    return { runId, totalsHash: await books.calculate(runId) }
  }

  it('are two: who reviewed cannot release, and nobody releases what nobody reviewed', async () => {
    const { runId, totalsHash } = await calculated()
    const [one, two] = [await books.person('1@p.example'), await books.person('2@p.example')]
    const release = (memberId: string, hash = totalsHash) =>
      steps.recordRelease({ runId, memberId, totalsHash: hash })
    expect(await failureOf(release(two))).toBe('not_reviewed')
    await steps.recordReview({ runId, memberId: one, totalsHash })
    expect(await failureOf(release(one))).toBe('second_person_required')
    expect(await failureOf(release(two, 'f'.repeat(64)))).toBe('totals_changed')
    await release(two)
    expect(await getRun(database.db, runId)).toMatchObject({ reviewedBy: one, releasedBy: two })
  })

  it('are required by the database itself', async () => {
    const { runId } = await calculated()
    const one = await books.person('1@p.example')
    const cheat = sql`update settlement_runs set reviewed_by = ${one}, released_by = ${one}
      where id = ${runId}`
    await expect(cheat.execute(database.db)).rejects.toThrow(/check constraint/)
  })

  it('issue nothing before they have both agreed', async () => {
    const { runId } = await calculated()
    expect(await failureOf(steps.issueStatements({ runId }))).toBe('not_reviewed')
  })
})

describe('an issued statement', () => {
  it('never changes and is never removed', async () => {
    await makeProgramme(database.db)
    await books.sell(await makePartner(database.db), { paidAt: '2026-08-02T00:00:00Z' })
    await books.settle('2026-08')
    const { db } = database
    await expect(sql`update statements set held_minor = 0`.execute(db)).rejects.toThrow(/issued/)
    await expect(sql`delete from statements`.execute(db)).rejects.toThrow(/issued|foreign key/)
  })
})

describe('a preview', () => {
  it('calculates an open month without stopping it', async () => {
    await makeProgramme(database.db)
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
    const runId = await books.newRun('2026-08', 'preview')
    await books.calculate(runId)
    expect((await getRun(database.db, runId)).totals).toMatchObject([
      { currency: 'USD', statements: 1, earned: 2_000n, payable: 2_000n },
    ])
    await books.sell(partnerId, { paidAt: '2026-08-03T00:00:00Z' })
    const second = await books.newRun('2026-08', 'preview')
    await books.calculate(second)
    expect(await getRun(database.db, second)).toMatchObject({
      number: 2,
      totals: [{ earned: 4_000n }],
    })
    expect(await statementsOf(partnerId)).toEqual([])
  })

  it('of a month in which sales go on comes to its totals', async () => {
    await makeProgramme(database.db)
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
    const runId = await books.newRun('2026-08', 'preview')
    await draftRun(steps, runId)
    await books.sell(partnerId, { paidAt: '2026-08-03T00:00:00Z' })
    await steps.totalStatements({ runId })
    const { totals, problem } = await getRun(database.db, runId)
    expect({ totals, problem }).toMatchObject({ totals: [{ earned: 2_000n }], problem: null })
  })
})

describe('totals that the ledger does not confirm', () => {
  it('stop the run and say so', async () => {
    await makeProgramme(database.db)
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { paidAt: '2026-08-02T00:00:00Z' })
    const runId = await books.newRun('2026-08')
    await steps.freezePeriod({ runId })
    await draftRun(steps, runId)
    await sql`update statements set earned_minor = earned_minor + 1,
      closing_minor = closing_minor + 1, carried_minor = carried_minor + 1`.execute(database.db)
    expect(await failureOf(steps.totalStatements({ runId }))).toBe('ledger_violation')
    expect((await getRun(database.db, runId)).problem).toMatch(/disagree/)
  })
})
