import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { Activities } from '../../activities/index.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { listUnpaid } from '../../db/lifecycle/cancellations.ts'
import { type NewRunDecision, recordRunDecision } from '../../db/settlement/decisions.ts'
import { listLeftOut } from '../../db/settlement/holds.ts'
import { insertRates, markPayoutCurrency } from '../../db/settlement/rates.ts'
import { getRun } from '../../db/settlement/runs.ts'
import { listStages } from '../../db/settlement/stages.ts'
import { listStatementLines } from '../../db/settlement/statements.ts'
import { sum } from '../../domain/money.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'
import { failureOf } from '../support/steps.ts'

let database: TestDatabase
let books: Books
let steps: Activities
let one: string
let two: string
beforeEach(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
  steps = books.steps
  await makeProgramme(database.db)
  one = await books.person('one@platform.example')
  two = await books.person('two@platform.example')
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

/** A live run whose drafts are made and looked at. */
async function inReview(period: string): Promise<string> {
  const runId = await books.newRun(period)
  await steps.freezePeriod({ runId })
  await books.calculate(runId)
  await steps.enterStage({ runId, stage: 'review' })
  return runId
}

async function decide(
  runId: string,
  kind: NewRunDecision['kind'],
  about: Partial<NewRunDecision> = {},
): Promise<string> {
  const id = randomUUIDv7()
  const reason = 'looked at by a person'
  await recordRunDecision(database.db, { id, runId, kind, memberId: one, reason, ...about })
  await steps.applyRunDecision({ runId, decisionId: id })
  return id
}

async function finish(runId: string): Promise<void> {
  const totalsHash = (await getRun(database.db, runId)).totalsHash ?? ''
  await steps.recordReview({ runId, memberId: one, totalsHash })
  await steps.recordRelease({ runId, memberId: two, totalsHash })
  while ((await steps.issueStatements({ runId })) > 0);
  await steps.closePeriod({ runId })
}

const sold = (partnerId: string, day: string) =>
  books.sell(partnerId, { paidAt: `${day}T00:00:00Z` })

const statementsOf = (partnerId: string) =>
  database.db
    .selectFrom('statements')
    .select([
      'period',
      'sincePeriod as since',
      'openingMinor as opening',
      'earnedMinor as earned',
      'heldMinor as held',
      'payableMinor as payable',
      'carriedMinor as carried',
      'carryReason as reason',
    ])
    .where('partnerId', '=', partnerId)
    .where('issuedAt', 'is not', null)
    .orderBy('period')
    .execute()

const accrualsOf = (partnerId: string) =>
  database.db
    .selectFrom('accruals')
    .select(['id', 'amountMinor as amount'])
    .where('partnerId', '=', partnerId)
    .orderBy('id')
    .execute()

const periodStatus = async (period: string) => {
  const row = await database.db
    .selectFrom('accountingPeriods')
    .select('status')
    .where('period', '=', period)
    .executeTakeFirstOrThrow()
  return row.status
}

describe('a hold', () => {
  it('of a partner keeps all that is payable back, in this run and in later ones', async () => {
    const [held, other] = [await makePartner(database.db), await makePartner(database.db)]
    for (const partner of [held, other]) await sold(partner, '2026-08-10')
    const runId = await inReview('2026-08')
    await decide(runId, 'hold', { partnerId: held })
    await finish(runId)
    await sold(held, '2026-09-10')
    await finish(await inReview('2026-09'))
    expect(await statementsOf(held)).toMatchObject([
      { earned: 2_000n, held: 2_000n, payable: 0n, carried: 2_000n, reason: 'held' },
      { opening: 2_000n, earned: 2_000n, held: 4_000n, payable: 0n, carried: 4_000n },
    ])
    expect(await statementsOf(other)).toMatchObject([{ payable: 2_000n, held: 0n }])
  })

  it('that is released in review is paid by this very run', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    const first = await inReview('2026-08')
    const holdId = await decide(first, 'hold', { partnerId })
    await finish(first)
    const second = await inReview('2026-09')
    await decide(second, 'release_hold', { partnerId, holdId })
    await finish(second)
    expect(await statementsOf(partnerId)).toMatchObject([
      { payable: 0n, carried: 2_000n },
      { opening: 2_000n, held: 0n, payable: 2_000n, carried: 0n, reason: null },
    ])
  })

  it('of one accrual keeps back what that one earned, and nothing else', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    await sold(partnerId, '2026-08-11')
    const first = await inReview('2026-08')
    const [accrual] = await accrualsOf(partnerId)
    const holdId = await decide(first, 'hold', { partnerId, accrualId: accrual?.id })
    await finish(first)
    const second = await inReview('2026-09')
    await finish(second)
    const third = await inReview('2026-10')
    await decide(third, 'release_hold', { partnerId, holdId })
    await finish(third)
    expect(await statementsOf(partnerId)).toMatchObject([
      { earned: 4_000n, held: 2_000n, payable: 2_000n, carried: 2_000n, reason: 'held' },
      { opening: 2_000n, held: 2_000n, payable: 0n, carried: 2_000n },
      { opening: 2_000n, held: 0n, payable: 2_000n, carried: 0n },
    ])
  })

  it('of one accrual that is released leaves what its customer disputes unpaid', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    await sold(partnerId, '2026-08-11')
    const first = await inReview('2026-08')
    const [accrual] = await accrualsOf(partnerId)
    const holdId = await decide(first, 'hold', { partnerId, accrualId: accrual?.id })
    await finish(first)
    await sql`insert into disputes (vendor_dispute_id, payment_id, amount_minor, status, opened_at)
      select 'dp_' || line.payment_id, line.payment_id, 5000, 'open', timestamptz '2026-09-10'
      from line_payments line join accruals on accruals.line_payment_id = line.id
      where accruals.id = ${accrual?.id}`.execute(database.db)
    const second = await inReview('2026-09')
    await decide(second, 'release_hold', { partnerId, holdId })
    await finish(second)
    expect((await statementsOf(partnerId))[1]).toMatchObject({
      ...{ opening: 2_000n, held: 1_000n, payable: 1_000n, carried: 1_000n },
    })
  })

  it('is not placed on what a statement has paid, nor twice', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    await finish(await inReview('2026-08'))
    await sold(partnerId, '2026-09-10')
    const runId = await inReview('2026-09')
    const [paid, fresh] = await accrualsOf(partnerId)
    const hold = (accrualId: string | undefined) => decide(runId, 'hold', { partnerId, accrualId })
    expect(await failureOf(hold(paid?.id))).toBe('conflict')
    await hold(fresh?.id)
    expect(await failureOf(hold(fresh?.id))).toBe('conflict')
  })

  it('of an accrual leaves it unpaid for a termination, although its month was paid', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    await sold(partnerId, '2026-08-11')
    const runId = await inReview('2026-08')
    const [accrual] = await accrualsOf(partnerId)
    await decide(runId, 'hold', { partnerId, accrualId: accrual?.id })
    await finish(runId)
    const unpaid = await inTransaction(database.db, (trx) => listUnpaid(trx, partnerId))
    expect(unpaid.map(({ accrualId, amount }) => [accrualId, amount])).toEqual([
      [accrual?.id, 2_000n],
    ])
  })

  it('voids the review, whose totals are no longer those of the run', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    const runId = await inReview('2026-08')
    const totalsHash = (await getRun(database.db, runId)).totalsHash ?? ''
    await steps.recordReview({ runId, memberId: one, totalsHash })
    await decide(runId, 'hold', { partnerId })
    const run = await getRun(database.db, runId)
    expect(run.reviewedBy).toBeNull()
    expect(run.totalsHash).not.toBe(totalsHash)
    const release = steps.recordRelease({ runId, memberId: two, totalsHash: run.totalsHash ?? '' })
    expect(await failureOf(release)).toBe('not_reviewed')
  })
})

describe('a draft that is made anew', () => {
  it('at another rate voids the review, although all else is as it was', async () => {
    const partnerId = await makePartner(database.db)
    await inTransaction(database.db, (trx) => markPayoutCurrency(trx, partnerId, 'EUR'))
    const rated = (rate: string, day: string) =>
      inTransaction(database.db, (trx) =>
        insertRates(trx, [
          { ...{ base: 'USD', quote: 'EUR', rate, source: 'test' }, asOf: new Date(day) },
        ]),
      )
    await rated('0.9', '2026-08-20T00:00:00Z')
    await sold(partnerId, '2026-08-10')
    const runId = await inReview('2026-08')
    const totalsHash = (await getRun(database.db, runId)).totalsHash ?? ''
    await steps.recordReview({ runId, memberId: one, totalsHash })
    await rated('0.8', '2026-08-31T00:00:00Z')
    await decide(runId, 'rerun_partner', { partnerId })
    expect((await getRun(database.db, runId)).reviewedBy).toBeNull()
  })
})

describe('an exclusion', () => {
  it('gives the partner no statement, and the next one is about both periods', async () => {
    const [out, other] = [await makePartner(database.db), await makePartner(database.db)]
    for (const partner of [out, other]) await sold(partner, '2026-08-10')
    await finish(await inReview('2026-08'))
    for (const partner of [out, other]) await sold(partner, '2026-09-10')
    const second = await inReview('2026-09')
    await decide(second, 'exclude', { partnerId: out })
    await finish(second)
    const third = await inReview('2026-10')
    await decide(third, 'exclude', { partnerId: out })
    await finish(third)
    await sold(out, '2026-11-10')
    await finish(await inReview('2026-11'))
    await finish(await inReview('2026-12'))
    expect(await statementsOf(out)).toMatchObject([
      { period: '2026-08', since: null, payable: 2_000n },
      { period: '2026-11', since: '2026-09', opening: 0n, earned: 4_000n, payable: 4_000n },
    ])
    expect(await statementsOf(other)).toMatchObject([
      { period: '2026-08', payable: 2_000n },
      { period: '2026-09', payable: 2_000n },
    ])
    const statement = await database.db
      .selectFrom('statements')
      .selectAll()
      .where('partnerId', '=', out)
      .where('period', '=', '2026-11')
      .executeTakeFirstOrThrow()
    const lines = await listStatementLines(database.db, statement)
    expect(sum(lines.map(({ amount }) => amount))).toBe(4_000n)
    expect(await listLeftOut(database.db, statement)).toEqual([
      { period: '2026-09', reason: 'looked at by a person' },
      { period: '2026-10', reason: 'looked at by a person' },
    ])
  })

  it('carries the opening balance over the period that was left out', async () => {
    const partnerId = await makePartner(database.db)
    await sql`update programmes set minimum_payout_minor = 5000`.execute(database.db)
    await sold(partnerId, '2026-08-10')
    await finish(await inReview('2026-08'))
    await sold(partnerId, '2026-09-10')
    const second = await inReview('2026-09')
    await decide(second, 'exclude', { partnerId })
    await finish(second)
    await sold(partnerId, '2026-10-10')
    await finish(await inReview('2026-10'))
    expect(await statementsOf(partnerId)).toMatchObject([
      { carried: 2_000n, reason: 'below_minimum' },
      { opening: 2_000n, earned: 4_000n, payable: 6_000n },
    ])
  })

  it('of a run that was cancelled leaves nothing out later', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    const first = await inReview('2026-08')
    await decide(first, 'exclude', { partnerId })
    await decide(first, 'cancel')
    await finish(await inReview('2026-08'))
    expect(await statementsOf(partnerId)).toMatchObject([{ since: null, payable: 2_000n }])
  })
})

describe('the course of a run', () => {
  it('that is rejected removes its drafts and its totals, and can be calculated again', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    const runId = await inReview('2026-08')
    const { totalsHash } = await getRun(database.db, runId)
    await steps.recordReview({ runId, memberId: one, totalsHash: totalsHash ?? '' })
    await decide(runId, 'reject')
    expect(await getRun(database.db, runId)).toMatchObject({
      stage: 'calculate',
      totals: null,
      totalsHash: null,
      reviewedBy: null,
      rejectedAt: expect.any(Date),
    })
    expect(await database.db.selectFrom('statements').select('id').execute()).toEqual([])
    expect(await periodStatus('2026-08')).toBe('closing')
    await decide(runId, 'recalculate')
    expect(await books.calculate(runId)).toBe(totalsHash)
    await steps.enterStage({ runId, stage: 'review' })
    await finish(runId)
    expect(await statementsOf(partnerId)).toMatchObject([{ payable: 2_000n }])
  })

  it('that is cancelled opens the period again, and another live run may be made', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    const runId = await inReview('2026-08')
    await decide(runId, 'cancel')
    expect(await periodStatus('2026-08')).toBe('open')
    await sold(partnerId, '2026-08-20')
    const again = await inReview('2026-08')
    expect(again).not.toBe(runId)
    await finish(again)
    expect(await statementsOf(partnerId)).toMatchObject([{ earned: 4_000n, payable: 4_000n }])
    const totalsHash = (await getRun(database.db, runId)).totalsHash ?? ''
    const late = steps.recordReview({ runId, memberId: one, totalsHash })
    expect(await failureOf(late)).toBe('run_finished')
  })

  it('that is released is not cancelled or changed any more', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    const runId = await inReview('2026-08')
    const totalsHash = (await getRun(database.db, runId)).totalsHash ?? ''
    await steps.recordReview({ runId, memberId: one, totalsHash })
    await steps.recordRelease({ runId, memberId: two, totalsHash })
    for (const kind of ['cancel', 'reject', 'recalculate'] as const) {
      expect([kind, await failureOf(decide(runId, kind))]).toEqual([kind, 'run_finished'])
    }
    expect(await failureOf(decide(runId, 'hold', { partnerId }))).toBe('run_finished')
    await finish(runId)
  })

  it('is told by its stages: how much was done, and the money in it', async () => {
    const partnerId = await makePartner(database.db)
    await sold(partnerId, '2026-08-10')
    const runId = await books.newRun('2026-08')
    await steps.enterStage({ runId, stage: 'freeze' })
    await steps.freezePeriod({ runId })
    await steps.enterStage({ runId, stage: 'calculate' })
    await books.calculate(runId)
    await steps.enterStage({ runId, stage: 'review' })
    const totalsHash = (await getRun(database.db, runId)).totalsHash ?? ''
    await steps.recordReview({ runId, memberId: one, totalsHash })
    await steps.recordRelease({ runId, memberId: two, totalsHash })
    await steps.enterStage({ runId, stage: 'release' })
    while ((await steps.issueStatements({ runId })) > 0);
    const stages = await listStages(database.db, runId)
    const money = [{ currency: 'USD', amount: 2_000n }]
    expect(stages.map(({ stage, endedAt }) => [stage, endedAt !== null])).toEqual([
      ['freeze', true],
      ['calculate', true],
      ['review', true],
      ['release', false],
    ])
    expect(stages.map(({ progress }) => progress)).toEqual([
      null,
      { done: 1, total: 1, control: money },
      null,
      { done: 1, total: 1, control: money },
    ])
    await steps.closePeriod({ runId })
    expect((await listStages(database.db, runId)).at(-1)).toMatchObject({
      stage: 'closed',
      endedAt: expect.any(Date),
    })
  })
})
