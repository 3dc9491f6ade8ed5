/** What is handed out of the books is what is in them, for whatever was booked. */
import { randomUUIDv7 } from 'node:crypto'
import fc from 'fast-check'
import { inTransaction, type Trx } from '../../db/database.ts'
import { type AccountPurpose, type AccountRef, recordJournals } from '../../db/ledger.ts'
import {
  type AccountFigures,
  getTrialBalance,
  type JournalLine,
  listAccountFigures,
  listJournalLines,
} from '../../db/ledger-reports.ts'
import { recordPeriod } from '../../db/periods.ts'
import { sum } from '../../domain/money.ts'
import { nextPeriod, periodStart } from '../../domain/period.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
let partners: string[]
beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
  partners = [await makePartner(database.db), await makePartner(database.db)]
})
afterAll(() => database.drop())

interface Booked {
  month: number
  debit: number
  credit: number
  currency: string
  amount: bigint
}

const platform: AccountPurpose[] = [
  ...(['stripe_clearing', 'stripe_balance', 'commission_expense', 'fx_clearing'] as const),
]
const accounts = (): AccountRef[] => [
  ...platform.map((purpose) => ({ purpose })),
  ...partners.flatMap((partnerId) =>
    (['partner_accrued', 'partner_payable'] as const).map((purpose) => ({ purpose, partnerId })),
  ),
]

const anyBooked: fc.Arbitrary<Booked> = fc
  .record({
    month: fc.integer({ min: 0, max: 2 }),
    debit: fc.nat(7),
    credit: fc.nat(7),
    currency: fc.constantFrom('USD', 'EUR'),
    amount: fc.bigInt({ min: 1n, max: 10n ** 12n }),
  })
  .filter(({ debit, credit }) => debit !== credit)

/** Every example has three months of its own. */
let months = ['2031-01', '2031-02', '2031-03']
function fresh(): string[] {
  const first = nextPeriod(months.at(-1) ?? '')
  months = [first, nextPeriod(first), nextPeriod(nextPeriod(first))]
  return months
}

const of = (figures: AccountFigures[], { purpose, partnerId }: AccountRef, currency: string) =>
  figures.find(
    (one) =>
      one.account === purpose && one.partnerId === (partnerId ?? null) && one.currency === currency,
  )

async function figuresOf(period: string): Promise<AccountFigures[]> {
  const found: AccountFigures[] = []
  await listAccountFigures(database.db, period, (part) => found.push(...part))
  return found
}

async function linesOf(period: string): Promise<JournalLine[]> {
  const found: JournalLine[] = []
  for await (const part of listJournalLines(database.db, period)) found.push(...part)
  return found
}

async function book(trx: Trx, periods: string[], all: Booked[]): Promise<void> {
  for (const period of periods) await recordPeriod(trx, period)
  await recordJournals(
    trx,
    all.map(({ month, debit, credit, currency, amount }) => ({
      kind: 'fx',
      sourceType: 'test',
      sourceId: randomUUIDv7(),
      period: periods[month] ?? '',
      effectiveAt: periodStart(periods[month] ?? ''),
      postings: [
        {
          debit: accounts()[debit] as AccountRef,
          credit: accounts()[credit] as AccountRef,
          currency,
          amount,
        },
      ],
    })),
  )
}

describe('what is handed out of the books', () => {
  it('is the sum of the postings, account by account and month by month', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyBooked, { minLength: 1, maxLength: 30 }), async (all) => {
        const periods = fresh()
        const before = await figuresOf(periods[0] ?? '')
        await inTransaction(database.db, (trx) => book(trx, periods, all))
        for (const [month, period] of periods.entries()) {
          const figures = await figuresOf(period)
          for (const [n, account] of accounts().entries()) {
            for (const currency of ['USD', 'EUR']) {
              const moved = (side: 'debit' | 'credit', of: (at: number) => boolean) =>
                sum(
                  all
                    .filter((one) => one[side] === n && one.currency === currency && of(one.month))
                    .map(({ amount }) => amount),
                )
              const carried = before.find(
                (one) =>
                  one.account === account.purpose &&
                  one.partnerId === (account.partnerId ?? null) &&
                  one.currency === currency,
              )
              const earlier = (side: 'debit' | 'credit') => moved(side, (at) => at < month)
              const own = (side: 'debit' | 'credit') => moved(side, (at) => at === month)
              const opening = (carried?.closing ?? 0n) + earlier('debit') - earlier('credit')
              const expected = {
                opening,
                debits: own('debit'),
                credits: own('credit'),
                closing: opening + own('debit') - own('credit'),
              }
              const zero = { opening: 0n, debits: 0n, credits: 0n, closing: 0n }
              expect({ ...zero, ...of(figures, account, currency) }).toMatchObject(expected)
            }
          }
        }
      }),
      { numRuns: 8 },
    )
  })

  it('sums to zero in every currency, and opens as the month before has closed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyBooked, { minLength: 1, maxLength: 30 }), async (all) => {
        const periods = fresh()
        await inTransaction(database.db, (trx) => book(trx, periods, all))
        let closed = new Map<string, bigint>()
        for (const period of periods) {
          const { rows, liability } = await getTrialBalance(database.db, period)
          for (const currency of liability.keys()) {
            const ours = rows.filter((row) => row.currency === currency)
            const total = (figure: 'opening' | 'debits' | 'credits' | 'closing') =>
              sum(ours.map((row) => row[figure]))
            expect([total('opening'), total('closing')]).toEqual([0n, 0n])
            expect(total('debits')).toBe(total('credits'))
            const owed = liability.get(currency)
            const partnersHave = sum(
              ours
                .filter(({ account }) => account.startsWith('partner_'))
                .map((row) => row.closing),
            )
            expect(
              (owed?.accruedNotDue ?? 0n) +
                (owed?.settledNotPaid ?? 0n) -
                (owed?.owedByPartners ?? 0n),
            ).toBe(-partnersHave)
          }
          const key = (row: { account: string; currency: string }) =>
            `${row.account} ${row.currency}`
          for (const row of rows) {
            if (closed.size > 0) expect(row.opening).toBe(closed.get(key(row)) ?? 0n)
          }
          closed = new Map(rows.map((row) => [key(row), row.closing]))
        }
      }),
      { numRuns: 8 },
    )
  })

  it('is the same posting by posting, over more journals than are read at once', async () => {
    const periods = fresh()
    const many = Array.from({ length: 4_500 }, (_, no) => ({
      ...{ month: no % 2, debit: no % 3, credit: 3 + (no % 4) },
      ...{ currency: no % 5 ? 'USD' : 'EUR', amount: BigInt(no + 1) },
    }))
    await inTransaction(database.db, (trx) => book(trx, periods, many))
    const [period = ''] = periods
    const lines = await linesOf(period)
    expect(lines).toHaveLength(2_250)
    expect(new Set(lines.map(({ journal }) => journal)).size).toBe(2_250)
    for (const { account, partnerId, currency, debits, credits } of await figuresOf(period)) {
      const onSide = (side: 'debit' | 'credit') =>
        sum(
          lines
            .filter((line) => line.currency === currency && line[side] === account)
            .filter((line) => line[`${side}PartnerId`] === partnerId)
            .map(({ amount }) => amount),
        )
      expect([onSide('debit'), onSide('credit')]).toEqual([debits, credits])
    }
    expect(await linesOf(periods[2] ?? '')).toEqual([])
  })
})
