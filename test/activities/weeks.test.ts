/** Weeks as a programme that settles by months may look at them. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookRefund } from '../../activities/commission/reversals.ts'
import { publishRules } from '../../db/commission/rules.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { getProgramme } from '../../db/programmes.ts'
import { recordRunDecision } from '../../db/settlement/decisions.ts'
import { getRun } from '../../db/settlement/runs.ts'
import { nameAt, nextName } from '../../domain/cadence.ts'
import { basisPoints, sum } from '../../domain/money.ts'
import { periodEnd, periodStart } from '../../domain/period.ts'
import type { StripeBilling } from '../../integrations/stripe-billing.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeOrder, makePartner, makeProgramme, paidInvoice, unique } from '../support/factories.ts'

let database: TestDatabase
let books: Books
let partnerId: string
beforeEach(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
  await makeProgramme(database.db)
  partnerId = await makePartner(database.db)
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

const sold = (at: string, net = 10_000n) => books.sell(partnerId, { paidAt: at, net })

/** A sale, and the whole of it given back on another day. */
async function soldAndRefunded(at: string, refundedAt: string, net = 10_000n): Promise<void> {
  const order = await makeOrder(database.db, partnerId)
  const invoice = paidInvoice(order, { net, paidAt: at })
  await bookInvoice({ db: database.db }, invoice)
  const refund = {
    refundId: unique('re'),
    chargeId: invoice.payments[0]?.chargeId ?? null,
    currency: 'USD',
    amount: net,
    createdAt: new Date(refundedAt),
    failed: false,
  }
  const billing = { readRefund: async () => refund } as unknown as StripeBilling
  await bookRefund({ db: database.db, billing }, refund.refundId)
}

/** The figures of the partner in a preview of this name; null where it has none. */
async function previewed(name: string) {
  const runId = await books.newRun(name, 'preview')
  await books.calculate(runId)
  const row = await database.db
    .selectFrom('statements')
    .select([
      'openingMinor as opening',
      'earnedMinor as earned',
      'clawedBackMinor as clawedBack',
      'adjustmentsMinor as adjustments',
      'closingMinor as closing',
      'heldMinor as held',
      'payableMinor as payable',
      'issuedAt',
    ])
    .where('runId', '=', runId)
    .where('partnerId', '=', partnerId)
    .executeTakeFirst()
  return row ?? null
}

/** Every week that touches a month. */
function weeksOf(month: string): string[] {
  const weeks: string[] = []
  const last = nameAt('weekly', new Date(periodEnd(month).getTime() - 1))
  for (let week = nameAt('weekly', periodStart(month)); ; week = nextName(week)) {
    weeks.push(week)
    if (week === last) return weeks
  }
}

describe('the preview of a week', () => {
  it('has what happened from Monday to Sunday, and opens with what is unpaid by then', async () => {
    await sold('2026-11-02T00:00:00Z', 10_000n)
    await sold('2026-11-15T23:59:59Z', 20_000n)
    await sold('2026-11-16T00:00:00Z', 30_000n)
    await sold('2026-11-22T23:59:59Z', 40_000n)
    await sold('2026-11-23T00:00:00Z', 50_000n)
    expect(await previewed('2026-W47')).toMatchObject({
      opening: 6_000n,
      earned: 14_000n,
      closing: 20_000n,
      payable: 20_000n,
      issuedAt: null,
    })
    expect(await previewed('2026-W48')).toMatchObject({ opening: 20_000n, earned: 10_000n })
  })

  it('takes back in the week of the refund, also of what an earlier week earned', async () => {
    await soldAndRefunded('2026-11-10T00:00:00Z', '2026-11-18T00:00:00Z')
    await sold('2026-11-19T00:00:00Z')
    expect(await previewed('2026-W46')).toMatchObject({ earned: 2_000n, clawedBack: 0n })
    expect(await previewed('2026-W47')).toMatchObject({
      opening: 2_000n,
      earned: 2_000n,
      clawedBack: 2_000n,
      closing: 2_000n,
    })
  })

  it('holds what was not due at its end, whatever was given back after it', async () => {
    await sql`update programmes set hold_days = 30`.execute(database.db)
    await soldAndRefunded('2026-11-17T00:00:00Z', '2026-11-25T00:00:00Z')
    const week = { earned: 2_000n, clawedBack: 0n, closing: 2_000n, held: 2_000n, payable: 0n }
    expect(await previewed('2026-W47')).toMatchObject(week)
    expect(await previewed('2026-W48')).toMatchObject({ opening: 2_000n, closing: 0n, held: 0n })
  })

  it('reaches over the end of a month', async () => {
    await sold('2026-11-29T12:00:00Z')
    await sold('2026-11-30T12:00:00Z')
    await sold('2026-12-01T12:00:00Z')
    const runId = await books.newRun('2026-W49', 'preview')
    expect(await getRun(database.db, runId)).toMatchObject({
      cadence: 'weekly',
      sincePeriod: '2026-11',
      period: '2026-12',
      cutoffAt: new Date('2026-12-10T00:00:00Z'),
    })
    expect(await previewed('2026-W49')).toMatchObject({ opening: 2_000n, earned: 4_000n })
  })

  it('opens with what the last statement carried once the month before is settled', async () => {
    await sql`update programmes set minimum_payout_minor = 2500`.execute(database.db)
    await sold('2026-10-10T00:00:00Z')
    await sold('2026-11-03T00:00:00Z')
    expect(await previewed('2026-W46')).toMatchObject({ opening: 4_000n })
    await books.settle('2026-10')
    expect(await previewed('2026-W46')).toMatchObject({ opening: 4_000n, earned: 0n })
    await books.settle('2026-11')
    expect(await previewed('2026-W50')).toBeNull()
  })

  it('has what a late event booked in the first week of the month that took it', async () => {
    await sold('2026-09-10T00:00:00Z')
    await books.settle('2026-09')
    await sold('2026-09-20T00:00:00Z')
    const first = nameAt('weekly', periodStart('2026-10'))
    // September was unpaid when that week began, and is paid by the one after it.
    expect(await previewed(first)).toMatchObject({ opening: 2_000n, earned: 2_000n })
    expect(await previewed(nextName(first))).toMatchObject({ opening: 2_000n, earned: 0n })
  })

  it('has the months in which a run left the partner out in its opening', async () => {
    await sold('2026-09-10T00:00:00Z')
    const runId = await books.newRun('2026-09')
    await books.steps.freezePeriod({ runId })
    await books.calculate(runId)
    await books.steps.enterStage({ runId, stage: 'review' })
    const memberId = await books.person('one@platform.example')
    const decision = { id: randomUUIDv7(), runId, kind: 'exclude' as const, memberId, partnerId }
    await recordRunDecision(database.db, { ...decision, reason: 'its contract is looked at' })
    await books.steps.applyRunDecision({ runId, decisionId: decision.id })
    const totalsHash = (await getRun(database.db, runId)).totalsHash ?? ''
    const second = await books.person('two@platform.example')
    await books.steps.recordReview({ runId, memberId, totalsHash })
    await books.steps.recordRelease({ runId, memberId: second, totalsHash })
    while ((await books.steps.issueStatements({ runId })) > 0);
    await books.steps.closePeriod({ runId })
    expect(await previewed('2026-W43')).toMatchObject({ opening: 2_000n, earned: 0n })
  })
})

describe('the weeks of a month', () => {
  it('add up to the month, and each opens with what the one before closed with', async () => {
    await sold('2026-11-01T00:00:00Z', 10_000n)
    await soldAndRefunded('2026-11-08T23:00:00Z', '2026-11-30T23:59:59Z', 7_000n)
    await sold('2026-11-30T00:00:00Z', 30_000n)
    const weeks: NonNullable<Awaited<ReturnType<typeof previewed>>>[] = []
    for (const week of weeksOf('2026-11')) {
      const figures = await previewed(week)
      if (figures) weeks.push(figures)
    }
    const month = await previewed('2026-11')
    expect(sum(weeks.map(({ earned }) => earned))).toBe(month?.earned)
    expect(sum(weeks.map(({ clawedBack }) => clawedBack))).toBe(month?.clawedBack)
    expect(weeks.at(-1)?.closing).toBe(month?.closing)
    const closings = weeks.map(({ closing }) => closing)
    expect(weeks.map(({ opening }) => opening)).toEqual([0n, ...closings.slice(0, -1)])
  })

  it('have what its close books in the last of them', async () => {
    const { id: programmeId } = await getProgramme(database.db)
    const bands = [
      { from: 0n, to: 15_000n, rate: basisPoints(1_000) },
      { from: 15_000n, to: null, rate: basisPoints(2_000) },
    ]
    const rule = {
      ...{ code: 'depth-0', depth: 0, terms: { kind: 'tiered_cliff' as const, bands } },
      scope: { link: null, partner: null, tier: null, product: null },
      ...{ validFrom: null, validTo: null, cap: null, floor: null, windowMonths: null },
      setupFee: false,
    }
    const from = new Date('2021-01-01T00:00:00Z')
    await inTransaction(database.db, (trx) =>
      publishRules(trx, { programmeId, rules: [rule], from, migratesAt: null }),
    )
    await sold('2026-09-08T00:00:00Z')
    await sold('2026-09-09T00:00:00Z')
    const before = await previewed('2026-W40')
    await books.settle('2026-09')
    const after = await previewed('2026-W40')
    const { amountMinor } = await database.db
      .selectFrom('closingAccruals')
      .select('amountMinor')
      .executeTakeFirstOrThrow()
    expect(amountMinor).not.toBe(0n)
    expect((after?.closing ?? 0n) - (before?.closing ?? 0n)).toBe(amountMinor)
  })
})

describe('a programme that settles by months', () => {
  it('may look at weeks, and they move nothing', async () => {
    await sold('2026-09-10T00:00:00Z')
    await previewed('2026-W37')
    const before = await sql`select kind from ledger_journals`.execute(database.db)
    await previewed('2026-W37')
    const after = await sql`select kind from ledger_journals`.execute(database.db)
    expect(after.rows).toEqual(before.rows)
    await books.settle('2026-09')
    const { rows } = await sql`select period, period_name from statements
      where issued_at is not null`.execute(database.db)
    expect(rows).toEqual([{ period: '2026-09', periodName: null }])
    const taken = await sql`select from statement_entries`.execute(database.db)
    expect(taken.rows).toEqual([])
  })

  it('has no run of a week from its schedules', async () => {
    expect(await books.steps.openScheduledRun({ period: '2026-W37' })).toBeNull()
  })
})
