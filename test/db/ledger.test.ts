import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { type Journal, partnerBalance, recordJournals } from '../../db/ledger.ts'
import { bookingPeriod, markPeriodClosed, recordPeriod, startClosing } from '../../db/periods.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
let partnerId: string
beforeAll(async () => {
  database = await createTestDatabase(24)
  await makeProgramme(database.db)
  partnerId = await makePartner(database.db)
  await inTransaction(database.db, (trx) => recordPeriod(trx, '2026-10'))
})
afterAll(() => database.drop())

function accrual(changes: Partial<Journal> & { amount?: bigint } = {}): Journal {
  const { amount = 2_000n, ...rest } = changes
  return {
    kind: 'accrual',
    sourceType: 'line_payment',
    sourceId: randomUUIDv7(),
    period: '2026-10',
    effectiveAt: new Date('2026-10-05T00:00:00Z'),
    postings: [
      {
        debit: { purpose: 'commission_expense' },
        credit: { purpose: 'partner_accrued', partnerId },
        currency: 'USD',
        amount,
      },
    ],
    ...rest,
  }
}

const post = (...journals: Journal[]) =>
  inTransaction(database.db, (trx) => recordJournals(trx, journals))

const balance = () =>
  partnerBalance(database.db, { purpose: 'partner_accrued', partnerId, currency: 'USD' })

describe('a journal', () => {
  it('moves its amount once, however often it is posted', async () => {
    const before = await balance()
    const journal = accrual()
    await post(journal)
    await post(journal)
    await post(journal, accrual({ amount: 1n }))
    expect((await balance()) - before).toBe(2_001n)
  })

  it('is refused when it says something else than the one of the same key', async () => {
    const journal = accrual()
    await post(journal)
    const other = accrual({
      ...journal,
      amount: 2_001n,
      postings: accrual({ amount: 2_001n }).postings,
    })
    await expect(post(other)).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  })

  it('is posted once by twenty writers at the same time', async () => {
    const before = await balance()
    const journal = accrual()
    await Promise.all(Array.from({ length: 20 }, () => post(journal)))
    expect((await balance()) - before).toBe(2_000n)
  })

  it('of nothing is no journal', async () => {
    const journals = () => database.db.selectFrom('ledgerJournals').select('id').execute()
    const before = await journals()
    await post(accrual({ amount: 0n }))
    expect(await journals()).toEqual(before)
  })

  it('takes accounts of one currency only', async () => {
    await post(accrual())
    const wrong = sql`
      with journal as (
        insert into ledger_journals
          (kind, source_type, source_id, period, effective_at, request_hash)
        select kind, source_type, uuidv7(), period, effective_at, request_hash
        from ledger_journals limit 1 returning id)
      insert into ledger_postings
        (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
      select journal.id, debit_account_id, credit_account_id, 'EUR', 1
      from journal, (select * from ledger_postings limit 1) posted`
    await expect(wrong.execute(database.db)).rejects.toThrow(/there is no account \d+ in EUR/)
  })

  it('never has an amount of zero or less, or one account on both sides', async () => {
    const copy = (columns: string) =>
      sql
        .raw(`insert into ledger_postings
          (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
          select journal_id, ${columns} from ledger_postings limit 1`)
        .execute(database.db)
    await expect(copy('debit_account_id, credit_account_id, currency, 0')).rejects.toThrow(/check/)
    await expect(copy('debit_account_id, debit_account_id, currency, 1')).rejects.toThrow(/check/)
  })
})

describe('what is booked', () => {
  const kept = [
    'ledger_journals',
    'ledger_postings',
    'line_payments',
    'accruals',
    'line_reversals',
    'clawbacks',
  ]

  it.each(kept)('stays as it is: %s takes no truncation', async (table) => {
    await expect(sql.raw(`truncate ${table} cascade`).execute(database.db)).rejects.toThrow(
      /never changed or removed/,
    )
  })

  it('stays as it is: a journal and its postings take no update and no delete', async () => {
    await post(accrual())
    for (const change of [
      `update ledger_journals set period = '2026-11'`,
      'delete from ledger_journals',
      'update ledger_postings set amount_minor = 1',
      'delete from ledger_postings',
    ]) {
      await expect(sql.raw(change).execute(database.db)).rejects.toThrow(/never changed/)
    }
  })
})

describe('a period', () => {
  const book = (at: string) => inTransaction(database.db, (trx) => bookingPeriod(trx, new Date(at)))

  it('takes what happened in it while it is open', async () => {
    expect(await book('2026-10-31T23:59:59.999Z')).toBe('2026-10')
    expect(await book('2026-11-01T00:00:00.000Z')).toBe('2026-11')
  })

  it('that is closing takes nothing but its settlement; late facts go to the next one', async () => {
    const { db, drop } = await createTestDatabase()
    try {
      await makeProgramme(db)
      const own = await makePartner(db)
      const journal = (changes: Partial<Journal>) =>
        accrual({
          postings: [
            {
              debit: { purpose: 'partner_accrued', partnerId: own },
              credit: { purpose: 'partner_payable', partnerId: own },
              currency: 'USD',
              amount: 5n,
            },
          ],
          ...changes,
        })
      await inTransaction(db, (trx) => startClosing(trx, '2026-10'))
      const at = (instant: string) =>
        inTransaction(db, (trx) => bookingPeriod(trx, new Date(instant)))
      expect(await at('2026-10-31T10:00:00Z')).toBe('2026-11')
      expect(await at('2026-08-01T10:00:00Z')).toBe('2026-11')
      const late = inTransaction(db, (trx) => recordJournals(trx, [journal({ kind: 'accrual' })]))
      await expect(late).rejects.toThrow(/2026-10 is closing/)
      await inTransaction(db, (trx) => recordJournals(trx, [journal({ kind: 'settlement' })]))
      await inTransaction(db, (trx) => markPeriodClosed(trx, '2026-10'))
      const later = inTransaction(db, (trx) =>
        recordJournals(trx, [journal({ kind: 'settlement', sourceId: randomUUIDv7() })]),
      )
      await expect(later).rejects.toThrow(/2026-10 is closed/)
      await expect(inTransaction(db, (trx) => startClosing(trx, '2026-10'))).rejects.toMatchObject({
        code: 'period_already_settled',
      })
    } finally {
      await drop()
    }
  })

  it('is not closed before an older one that holds journals', async () => {
    const { db, drop } = await createTestDatabase()
    try {
      await makeProgramme(db)
      const own = await makePartner(db)
      await inTransaction(db, async (trx) => {
        const period = await bookingPeriod(trx, new Date('2026-09-10T00:00:00Z'))
        const posting = {
          debit: { purpose: 'commission_expense' as const },
          credit: { purpose: 'partner_accrued' as const, partnerId: own },
          currency: 'USD',
          amount: 1n,
        }
        await recordJournals(trx, [accrual({ period, postings: [posting] })])
      })
      const closing = inTransaction(db, (trx) => startClosing(trx, '2026-10'))
      await expect(closing).rejects.toMatchObject({ code: 'earlier_period_open' })
    } finally {
      await drop()
    }
  })

  it('closes between sixteen writers without a late journal, twenty times', async () => {
    const months = Array.from({ length: 20 }, (_, n) => new Date(Date.UTC(2030, n, 10)))
    for (const at of months) {
      const period = at.toISOString().slice(0, 7)
      let closed = false
      const writer = async () => {
        while (!closed) {
          await inTransaction(database.db, async (trx) => {
            const own = await bookingPeriod(trx, at)
            await recordJournals(trx, [accrual({ period: own, amount: 1n })])
          })
        }
      }
      const writers = Array.from({ length: 16 }, writer)
      await new Promise((resolve) => setTimeout(resolve, 10))
      await sql`update accounting_periods set status = 'closed', closed_at = clock_timestamp()
        where period < ${period} and status <> 'closed'`.execute(database.db)
      await inTransaction(database.db, (trx) => startClosing(trx, period))
      await inTransaction(database.db, (trx) => markPeriodClosed(trx, period))
      closed = true
      await Promise.all(writers)
    }
    const { violations } = await checkInvariants(database.db)
    expect(violations.filter(({ invariant }) => invariant === 'I15')).toEqual([])
  })
})
