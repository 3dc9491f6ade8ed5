/** Partners that are settled once a quarter, or were by the month before. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookRefund } from '../../activities/commission/reversals.ts'
import { publishRules } from '../../db/commission/rules.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { getProgramme } from '../../db/programmes.ts'
import { recordRunDecision } from '../../db/settlement/decisions.ts'
import { listUnsettledPeriods } from '../../db/settlement/overdue.ts'
import { getRun } from '../../db/settlement/runs.ts'
import {
  findStatement,
  listStatementLines,
  listStatements,
} from '../../db/settlement/statements.ts'
import { monthsOf } from '../../domain/cadence.ts'
import type { CommissionRule } from '../../domain/commission-rules.ts'
import { basisPoints, sum } from '../../domain/money.ts'
import { isPrior, ownSince } from '../../domain/statements.ts'
import type { StripeBilling } from '../../integrations/stripe-billing.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeOrder, makePartner, makeProgramme, paidInvoice, unique } from '../support/factories.ts'
import { failureOf } from '../support/steps.ts'

let database: TestDatabase
let books: Books
let partnerId: string
beforeEach(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
  await makeProgramme(database.db, {
    minimumPayoutMinor: 2_500n,
    onboarding: { settlementCadence: 'quarterly' },
  })
  partnerId = await makePartner(database.db)
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

async function settleBy(settlementCadence: 'monthly' | 'quarterly'): Promise<void> {
  await sql`update programmes set onboarding = onboarding
    || jsonb_build_object('settlementCadence', ${settlementCadence}::text)`.execute(database.db)
}

const sold = (day: string, to = partnerId) => books.sell(to, { paidAt: `${day}T00:00:00Z` })

const statementsOf = (id = partnerId) =>
  database.db
    .selectFrom('statements')
    .select([
      'id',
      'period',
      'periodName as name',
      'sincePeriod as since',
      'openingMinor as opening',
      'earnedMinor as earned',
      'clawedBackMinor as clawedBack',
      'payableMinor as payable',
      'carriedMinor as carried',
      'documentNumber as number',
    ])
    .where('partnerId', '=', id)
    .where('issuedAt', 'is not', null)
    .orderBy('period')
    .execute()

const statusOf = async (...months: string[]) => {
  const rows = await database.db
    .selectFrom('accountingPeriods')
    .select(['period', 'status'])
    .where('period', 'in', months)
    .orderBy('period')
    .execute()
  return rows.map(({ status }) => status)
}

async function decide(runId: string, kind: 'cancel' | 'exclude', about: object): Promise<void> {
  const id = randomUUIDv7()
  const memberId = await books.person(`${unique('person')}@platform.example`)
  await recordRunDecision(database.db, { id, runId, kind, memberId, ...about })
  await books.steps.applyRunDecision({ runId, decisionId: id })
}

async function finish(runId: string): Promise<void> {
  const { steps } = books
  const totalsHash = (await getRun(database.db, runId)).totalsHash ?? ''
  const [one, two] = [await books.person('a@platform.example'), await books.person('b@p.example')]
  await steps.recordReview({ runId, memberId: one, totalsHash })
  await steps.recordRelease({ runId, memberId: two, totalsHash })
  while ((await steps.issueStatements({ runId })) > 0);
  await steps.closePeriod({ runId })
}

async function publish(changes: Partial<CommissionRule>): Promise<void> {
  const { id: programmeId } = await getProgramme(database.db)
  const rule: CommissionRule = {
    code: 'depth-0',
    depth: 0,
    terms: { kind: 'percentage', rate: basisPoints(2_000) },
    scope: { link: null, partner: null, tier: null, product: null },
    validFrom: null,
    validTo: null,
    cap: null,
    floor: null,
    windowMonths: null,
    setupFee: false,
    ...changes,
  }
  const from = new Date('2021-01-01T00:00:00Z')
  await inTransaction(database.db, (trx) =>
    publishRules(trx, { programmeId, rules: [rule], from, migratesAt: null }),
  )
}

/** A sale, and the whole of it given back on another day. */
async function soldAndRefunded(day: string, refundedOn: string): Promise<void> {
  const invoice = paidInvoice(await makeOrder(database.db, partnerId), {
    net: 10_000n,
    paidAt: `${day}T00:00:00Z`,
  })
  await bookInvoice({ db: database.db }, invoice)
  const refund = {
    refundId: unique('re'),
    chargeId: invoice.payments[0]?.chargeId ?? null,
    currency: 'USD',
    amount: 10_000n,
    createdAt: new Date(`${refundedOn}T00:00:00Z`),
    failed: false,
  }
  const billing = { readRefund: async () => refund } as unknown as StripeBilling
  await bookRefund({ db: database.db, billing }, refund.refundId)
}

const cliff: CommissionRule['terms'] = {
  kind: 'tiered_cliff',
  bands: [
    { from: 0n, to: 15_000n, rate: basisPoints(1_000) },
    { from: 15_000n, to: null, rate: basisPoints(2_000) },
  ],
}

describe('a quarter', () => {
  it('is one statement and one payout of all three months, and closes them together', async () => {
    await sold('2026-07-10')
    await sold('2026-08-10')
    await sold('2026-09-10')
    const runId = await books.settle('2026-Q3')
    expect(await getRun(database.db, runId)).toMatchObject({
      name: '2026-Q3',
      cadence: 'quarterly',
      sincePeriod: '2026-07',
      period: '2026-09',
      cutoffAt: new Date('2026-10-04T00:00:00Z'),
    })
    const said = { name: '2026-Q3', since: '2026-07', period: '2026-09', number: '2026-Q3-000001' }
    expect(await statementsOf()).toEqual([
      expect.objectContaining({ ...said, opening: 0n, earned: 6_000n, payable: 6_000n }),
    ])
    expect(await statusOf('2026-07', '2026-08', '2026-09')).toEqual(['closed', 'closed', 'closed'])
    const payouts = await database.db.selectFrom('payouts').selectAll().execute()
    expect(payouts).toMatchObject([{ partnerId, amountMinor: 6_000n }])
  })

  it('opens with what the one before has carried', async () => {
    await sold('2026-03-10')
    await books.settle('2026-Q1')
    await sold('2026-05-10')
    await books.settle('2026-Q2')
    expect(await statementsOf()).toMatchObject([
      { name: '2026-Q1', earned: 2_000n, payable: 0n, carried: 2_000n },
      { name: '2026-Q2', opening: 2_000n, earned: 2_000n, payable: 4_000n, carried: 0n },
    ])
  })

  it('has every line of its months on its statement, those of older ones as prior', async () => {
    await sold('2026-06-10')
    await books.settle('2026-Q2')
    await sold('2026-06-20')
    await sold('2026-07-10')
    await sold('2026-09-10')
    await books.settle('2026-Q3')
    const { id } = (await statementsOf())[1] ?? { id: '' }
    const row = await findStatement(database.db, id)
    if (!row) throw new Error('there is no statement')
    const lines = await listStatementLines(database.db, row)
    expect(sum(lines.map(({ amount }) => amount))).toBe(6_000n)
    expect(lines.map((line) => isPrior(line, ownSince(row)))).toEqual([true, false, false])
  })

  it('takes what comes after its freeze into the next month, whichever of its own it was', async () => {
    await sold('2026-07-10')
    const runId = await books.newRun('2026-Q3')
    await books.steps.freezePeriod({ runId })
    await sold('2026-08-10')
    await books.calculate(runId)
    await finish(runId)
    const { rows } = await sql<{ period: string }>`
      select period from accruals order by id`.execute(database.db)
    expect(rows.map(({ period }) => period)).toEqual(['2026-07', '2026-10'])
    expect(await statementsOf()).toMatchObject([{ earned: 2_000n }])
  })

  it('judges bands by the month, and a refund of a later month takes back of an earlier true-up', async () => {
    await publish({ terms: cliff })
    await sold('2026-07-10')
    await soldAndRefunded('2026-07-11', '2026-08-02')
    await sold('2026-09-10')
    await books.settle('2026-Q3')
    const { rows } = await sql<{ period: string; amount: string }>`
      select period, amount_minor::text as amount from closing_accruals
      where kind = 'true_up'`.execute(database.db)
    expect(rows).toHaveLength(1)
    expect(rows[0]?.period).toBe('2026-07')
    const back = await database.db.selectFrom('closingClawbacks').selectAll().execute()
    expect(back).toMatchObject([
      { period: '2026-08', amountMinor: BigInt(rows[0]?.amount ?? 0) / 2n },
    ])
  })

  it('waits for the quarter before it', async () => {
    await sold('2026-05-10')
    await sold('2026-07-10')
    const runId = await books.newRun('2026-Q3')
    expect(await failureOf(books.steps.freezePeriod({ runId }))).toBe('earlier_period_open')
    await books.settle('2026-Q2')
    await books.steps.freezePeriod({ runId })
    expect(await statusOf('2026-07', '2026-08', '2026-09')).toEqual([
      'closing',
      'closing',
      'closing',
    ])
  })

  it('that left a partner out is part of its next one, and so are all its months', async () => {
    await sold('2026-04-10')
    await sold('2026-06-10')
    const runId = await books.newRun('2026-Q2')
    await books.steps.freezePeriod({ runId })
    await books.calculate(runId)
    await books.steps.enterStage({ runId, stage: 'review' })
    await decide(runId, 'exclude', { partnerId, reason: 'its contract is looked at' })
    await finish(runId)
    await sold('2026-08-10')
    await books.settle('2026-Q3')
    expect(await statementsOf()).toMatchObject([
      { name: '2026-Q3', since: '2026-04', earned: 6_000n, payable: 6_000n },
    ])
  })

  it('that is cancelled opens all its months again, and can be settled anew', async () => {
    await sold('2026-07-10')
    const first = await books.newRun('2026-Q3')
    await books.steps.freezePeriod({ runId: first })
    await decide(first, 'cancel', { reason: 'too early' })
    expect(await statusOf('2026-07', '2026-08', '2026-09')).toEqual(['open', 'open', 'open'])
    await sold('2026-08-10')
    await books.settle('2026-Q3')
    expect(await statementsOf()).toMatchObject([{ earned: 4_000n }])
  })

  it('that is cancelled after it has booked a true-up stays frozen until its next run', async () => {
    await publish({ terms: cliff })
    await sold('2026-07-10')
    await sold('2026-07-11')
    const first = await books.newRun('2026-Q3')
    await books.steps.freezePeriod({ runId: first })
    await decide(first, 'cancel', { reason: 'looked at too early' })
    const frozen = ['closing', 'closing', 'closing']
    expect(await statusOf('2026-07', '2026-08', '2026-09')).toEqual(frozen)
    await sold('2026-08-10')
    await books.settle('2026-Q3')
    await books.settle('2026-Q4')
    expect(await statementsOf()).toMatchObject([
      { name: '2026-Q3', earned: 4_000n, payable: 4_000n },
      { name: '2026-Q4', earned: 1_000n },
    ])
  })

  it('can be previewed again and again while it runs, and moves nothing', async () => {
    await sold('2026-07-10')
    const runId = await books.newRun('2026-Q3', 'preview')
    await books.calculate(runId)
    await sold('2026-08-10')
    const again = await books.newRun('2026-Q3', 'preview')
    await books.calculate(again)
    const totals = [await getRun(database.db, runId), await getRun(database.db, again)]
    expect(totals).toMatchObject([
      { number: 1, totals: [{ earned: 2_000n, payable: 0n }] },
      { number: 2, totals: [{ earned: 4_000n, payable: 4_000n }] },
    ])
    expect(await statusOf('2026-07', '2026-08', '2026-09')).toEqual(['open', 'open', 'open'])
  })

  it('is found by each of its months among the statements', async () => {
    await sold('2026-08-10')
    await books.settle('2026-Q3')
    const found = async (period: string) =>
      (await listStatements(database.db, { limit: 10, after: undefined, months: monthsOf(period) }))
        .rows.length
    const counts: number[] = []
    for (const name of ['2026-06', '2026-07', '2026-09', '2026-Q3', '2026-10', '2026-Q4']) {
      counts.push(await found(name))
    }
    expect(counts).toEqual([0, 1, 1, 1, 0, 0])
  })
})

describe('a programme that changes its cadence', () => {
  it('settles the rest of a quarter whose first months had runs of their own', async () => {
    await settleBy('monthly')
    await sold('2026-07-10')
    await books.settle('2026-07')
    await settleBy('quarterly')
    await sold('2026-08-10')
    await sold('2026-09-10')
    const runId = await books.settle('2026-Q3')
    expect(await getRun(database.db, runId)).toMatchObject({ sincePeriod: '2026-08' })
    expect(await statementsOf()).toMatchObject([
      { period: '2026-07', name: null, carried: 2_000n },
      { period: '2026-09', name: '2026-Q3', since: '2026-08', opening: 2_000n, payable: 6_000n },
    ])
  })

  it('settles no month twice', async () => {
    await sold('2026-08-10')
    const runId = await books.newRun('2026-Q3')
    for (const month of ['2026-07', '2026-08', '2026-09']) {
      await expect(books.newRun(month)).rejects.toMatchObject({ code: 'period_already_settled' })
    }
    await decide(runId, 'cancel', { reason: 'by the month after all' })
    await books.settle('2026-08')
    await books.settle('2026-09')
    await expect(books.newRun('2026-Q3')).rejects.toMatchObject({ code: 'period_already_settled' })
  })
})

describe('the run of a schedule', () => {
  it('is opened once, by the cadence of the programme alone', async () => {
    const open = (period: string) => books.steps.openScheduledRun({ period })
    expect(await open('2026-08')).toBeNull()
    expect(await open('2026-W33')).toBeNull()
    const opened = await open('2026-Q3')
    expect(opened).toMatchObject({ releaseReminder: 86_400 })
    expect(await open('2026-Q3')).toEqual(opened)
    await settleBy('monthly')
    expect(await open('2026-Q3')).toBeNull()
    // September is settled with its quarter.
    expect(await open('2026-09')).toBeNull()
    expect(await open('2026-10')).toMatchObject({ releaseReminder: 86_400 })
  })
})

describe('a quarter that nobody settles', () => {
  it('is overdue as one, counted from its end', async () => {
    await sold('2025-10-10')
    await sold('2025-12-10')
    const since = (Date.now() - Date.parse('2026-01-04T00:00:00Z')) / 1_000
    const overdue = async (seconds: number) =>
      (
        await listUnsettledPeriods(database.db, {
          seconds: Math.floor(seconds),
          cadence: 'quarterly',
        })
      ).map(({ period, stage }) => [period, stage])
    expect(await overdue(since + 60)).toEqual([])
    expect(await overdue(since - 60)).toEqual([['2025-Q4', null]])
    const runId = await books.newRun('2025-Q4')
    await books.steps.enterStage({ runId, stage: 'review' })
    expect(await overdue(since - 60)).toEqual([['2025-Q4', 'review']])
    expect(await overdue(since + 60)).toEqual([])
  })
})
