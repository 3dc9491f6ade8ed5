import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { partnerBalance, type Reversal, recordJournals, recordReversal } from '../../db/ledger.ts'
import { recordPeriod } from '../../db/periods.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
let partnerId: string
beforeAll(async () => {
  database = await createTestDatabase(24)
  await makeProgramme(database.db)
  partnerId = await makePartner(database.db)
  await inTransaction(database.db, async (trx) => {
    await recordPeriod(trx, '2026-10')
    await recordPeriod(trx, '2026-11')
  })
})
afterAll(() => database.drop())

/** Two postings that reserve a payout; @returns the id of the journal. */
async function reserve(): Promise<bigint> {
  const sourceId = randomUUIDv7()
  const leg = (amount: bigint) => ({
    debit: { purpose: 'partner_payable' as const, partnerId },
    credit: { purpose: 'payout_in_transit' as const },
    currency: 'USD',
    amount,
  })
  await inTransaction(database.db, (trx) =>
    recordJournals(trx, [
      {
        kind: 'payout_reserve',
        sourceType: 'payout',
        sourceId,
        period: '2026-10',
        effectiveAt: new Date('2026-10-05T00:00:00Z'),
        postings: [leg(2_000n), leg(35n)],
      },
    ]),
  )
  const { id } = await database.db
    .selectFrom('ledgerJournals')
    .select('id')
    .where('sourceId', '=', sourceId)
    .executeTakeFirstOrThrow()
  return id
}

const reverse = (journalId: bigint, changes: Partial<Reversal> = {}) =>
  inTransaction(database.db, (trx) =>
    recordReversal(trx, {
      journalId,
      period: '2026-11',
      effectiveAt: new Date('2026-11-02T00:00:00Z'),
      ...changes,
    }),
  )

const balance = () =>
  partnerBalance(database.db, { purpose: 'partner_payable', partnerId, currency: 'USD' })

const legs = (journalId: bigint) =>
  database.db
    .selectFrom('ledgerPostings')
    .select(['debitAccountId', 'creditAccountId', 'currency', 'amountMinor'])
    .where('journalId', '=', journalId)
    .orderBy('id')
    .execute()

describe('a reversal', () => {
  it('is the exact mirror, and the balances are what they were', async () => {
    const before = await balance()
    const journal = await reserve()
    expect((await balance()) - before).toBe(-2_035n)
    const reversal = await reverse(journal, { reason: 'the transfer came back' })
    expect(await balance()).toBe(before)
    const mirrored = (await legs(journal)).map((leg) => ({
      ...leg,
      debitAccountId: leg.creditAccountId,
      creditAccountId: leg.debitAccountId,
    }))
    expect(await legs(reversal)).toEqual(mirrored)
    const row = await database.db
      .selectFrom('ledgerJournals')
      .select(['kind', 'sourceType', 'period', 'reversesId', 'reason'])
      .where('id', '=', reversal)
      .executeTakeFirstOrThrow()
    expect(row).toEqual({
      kind: 'reversal',
      sourceType: 'payout_reserve/payout',
      period: '2026-11',
      reversesId: journal,
      reason: 'the transfer came back',
    })
  })

  it('happens once, however often and by how many it is asked for', async () => {
    const before = await balance()
    const journal = await reserve()
    const first = await reverse(journal)
    const more = await Promise.all(Array.from({ length: 5 }, () => reverse(journal)))
    expect(new Set([first, ...more]).size).toBe(1)
    const other = await reserve()
    const raced = await Promise.all(Array.from({ length: 20 }, () => reverse(other)))
    expect(new Set(raced).size).toBe(1)
    expect(await balance()).toBe(before)
  })

  it('is refused a second time in another period, for another time or another reason', async () => {
    const journal = await reserve()
    await reverse(journal)
    for (const changes of [
      { period: '2026-10' },
      { effectiveAt: new Date('2026-11-03T00:00:00Z') },
      { reason: 'a new thought' },
    ]) {
      await expect(reverse(journal, changes)).rejects.toMatchObject({
        code: 'idempotency_mismatch',
      })
    }
    expect(await legs(await reverse(journal))).toHaveLength(2)
  })

  it('needs a journal', async () => {
    await expect(reverse(999_999_999n)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('does not enter a closed period', async () => {
    const journal = await reserve()
    await inTransaction(database.db, (trx) => recordPeriod(trx, '2026-09'))
    await sql`update accounting_periods set status = 'closed', closed_at = clock_timestamp()
      where period = '2026-09'`.execute(database.db)
    await expect(reverse(journal, { period: '2026-09' })).rejects.toThrow(/2026-09 is closed/)
  })

  it('can be reversed itself, which puts back what was taken', async () => {
    const journal = await reserve()
    const after = await balance()
    await reverse(await reverse(journal))
    expect(await balance()).toBe(after)
  })
})

describe('the database', () => {
  /** A reversing journal with postings of these columns, written past our own code. */
  const forged = (reverses: bigint, postings: string) => `
    with made as (
      insert into ledger_journals
        (kind, source_type, source_id, period, effective_at, request_hash, reverses_id)
      values ('reversal', 'forged', uuidv7(), '2026-11', now(), '', ${reverses}) returning id)
    insert into ledger_postings
      (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
    select made.id, ${postings} from made, ledger_postings p where p.journal_id = ${reverses}`

  it('takes nothing but the mirror', async () => {
    const journal = await reserve()
    const mirror = 'p.credit_account_id, p.debit_account_id, p.currency'
    for (const postings of [
      'p.debit_account_id, p.credit_account_id, p.currency, p.amount_minor',
      `${mirror}, p.amount_minor + 1`,
      `${mirror}, 2035`,
    ]) {
      const forgery = sql.raw(forged(journal, postings)).execute(database.db)
      await expect(forgery).rejects.toThrow(/not the mirror/)
    }
    const part = sql.raw(`${forged(journal, `${mirror}, p.amount_minor`)} limit 1`)
    await expect(part.execute(database.db)).rejects.toThrow(/not the mirror/)
    await rolledBack(database.db, async (trx) => {
      await sql.raw(forged(journal, `${mirror}, p.amount_minor`)).execute(trx)
      const more = sql`insert into ledger_postings
          (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
        select max(journal_id), min(credit_account_id), max(debit_account_id), 'USD', 1
        from ledger_postings where journal_id >= ${journal}`
      await expect(more.execute(trx)).rejects.toThrow(/not the mirror/)
    })
  })

  it('takes no second reversal, whatever its source is called', async () => {
    const journal = await reserve()
    await reverse(journal)
    const mirror = 'p.credit_account_id, p.debit_account_id, p.currency, p.amount_minor'
    await expect(sql.raw(forged(journal, mirror)).execute(database.db)).rejects.toThrow(
      /ledger_journals_reversed_once/,
    )
  })

  it('knows a reversal by what it reverses, and by nothing else', async () => {
    const journal = await reserve()
    const insert = (kind: string, reverses: string) =>
      sql
        .raw(`insert into ledger_journals
          (kind, source_type, source_id, period, effective_at, request_hash, reverses_id)
          values ('${kind}', 'forged', uuidv7(), '2026-11', now(), '', ${reverses})`)
        .execute(database.db)
    await expect(insert('reversal', 'null')).rejects.toThrow(/check constraint/)
    await expect(insert('payment', `${journal}`)).rejects.toThrow(/check constraint/)
    await expect(insert('reversal', '9223372036854775807')).rejects.toThrow(/check constraint/)
  })
})
