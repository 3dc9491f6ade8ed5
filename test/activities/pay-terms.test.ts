/** When a payout is due, and what is paid although it is below the minimum. */
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { listClosedRunsToPay, listPayablePage } from '../../db/payouts.ts'
import { getProgramme, markProgramme } from '../../db/programmes.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makePayoutAccount, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
let books: Books
beforeEach(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
  books = openBooks(database.db)
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

interface Terms {
  minimumPayoutMinor?: bigint
  onboarding?: Partial<Awaited<ReturnType<typeof getProgramme>>['onboarding']>
}

async function setTerms({ onboarding = {}, ...columns }: Terms): Promise<void> {
  await inTransaction(database.db, async (trx) => {
    const before = await getProgramme(trx)
    const changed = { ...before, ...columns, onboarding: { ...before.onboarding, ...onboarding } }
    const { name, holdDays, minimumPayoutMinor, tierWindowMonths, deadlines } = changed
    const { onboarding: settings } = changed
    const columnsNow = { name, holdDays, minimumPayoutMinor, tierWindowMonths }
    await markProgramme(trx, before.id, { ...columnsNow, deadlines, onboarding: settings })
  })
}

async function seller(): Promise<string> {
  const partnerId = await makePartner(database.db, { level: 'master_reseller' })
  await makePayoutAccount(database.db, partnerId)
  return partnerId
}

const sell = (partnerId: string, period: string) =>
  books.sell(partnerId, { paidAt: `${period}-10T00:00:00Z` })

const payables = async () => {
  const { rows } = await sql<{ period: string; payable: bigint; reason: string | null }>`
    select period, payable_minor as payable, payable_reason as reason from statements
    order by period`.execute(database.db)
  return rows.map(({ period, payable, reason }) => [period, Number(payable), reason])
}

describe('a programme that pays so many days after the month', () => {
  const payDayOf = async (runId: string) => {
    const { rows } = await sql<{ payOn: string | null }>`
      select pay_on from payouts where run_id = ${runId}`.execute(database.db)
    return rows.map(({ payOn }) => payOn)
  }
  const movePayDay = async (days: number) => {
    const day = sql`(clock_timestamp() at time zone 'UTC') + make_interval(days => ${days})`
    await sql`update payouts set pay_on = to_char(${day}, 'YYYY-MM-DD')`.execute(database.db)
  }
  const payable = (runId: string) => listPayablePage(database.db, { runId, after: null, size: 10 })

  it('writes the day on the payout, and starts nothing before it', async () => {
    await setTerms({ onboarding: { payNetDays: 30 } })
    await sell(await seller(), '2026-05')
    const runId = await books.settle('2026-05')
    expect(await payDayOf(runId)).toEqual(['2026-06-30'])
    await movePayDay(1)
    expect(await payable(runId)).toEqual([])
    expect(await listClosedRunsToPay(database.db)).toEqual([])
    await movePayDay(0)
    expect(await payable(runId)).toHaveLength(1)
    expect(await listClosedRunsToPay(database.db)).toMatchObject([{ id: runId }])
  })

  it('pays at once where it says nothing', async () => {
    await sell(await seller(), '2026-05')
    const runId = await books.settle('2026-05')
    expect(await payDayOf(runId)).toEqual([null])
    expect(await payable(runId)).toHaveLength(1)
  })
})

describe('a balance below the minimum', () => {
  const months = ['2026-02', '2026-03', '2026-04', '2026-05', '2026-06']
  const settleAll = async () => {
    for (const period of months) await books.settle(period)
  }

  it('is paid after ninety days, with its reason', async () => {
    await setTerms({ minimumPayoutMinor: 5_000n })
    await sell(await seller(), '2026-02')
    await settleAll()
    expect(await payables()).toEqual([
      ['2026-02', 0, null],
      ['2026-03', 0, null],
      ['2026-04', 0, null],
      ['2026-05', 2_000, 'aged_balance'],
    ])
  })

  it('counts anew from a payout in between', async () => {
    await setTerms({ minimumPayoutMinor: 3_000n })
    const partnerId = await seller()
    for (const period of ['2026-02', '2026-03', '2026-04']) await sell(partnerId, period)
    await settleAll()
    expect(await payables()).toEqual([
      ['2026-02', 0, null],
      ['2026-03', 4_000, null],
      ['2026-04', 0, null],
      ['2026-05', 0, null],
      ['2026-06', 0, null],
    ])
  })

  it('waits on below what the programme names for its currency, and where it pays none', async () => {
    const agedBalanceFrom = [{ currency: 'USD', amount: 2_001 }]
    await setTerms({ minimumPayoutMinor: 5_000n, onboarding: { agedBalanceFrom } })
    await sell(await seller(), '2026-02')
    for (const period of months.slice(0, 4)) await books.settle(period)
    await setTerms({ onboarding: { agedBalanceDays: null, agedBalanceFrom: [] } })
    await books.settle('2026-06')
    expect((await payables()).map(([, payable]) => payable)).toEqual([0, 0, 0, 0, 0])
  })
})
