/** Tax that is withheld: of whom, how much, where it lies in the books, and when it goes back. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { lockUnsentPayouts, recordPayoutReturn } from '../../db/lifecycle/payout-returns.ts'
import { openException } from '../../db/payout-exceptions.ts'
import { bookingPeriod } from '../../db/periods.ts'
import { insertRates } from '../../db/settlement/rates.ts'
import { type Declaration, recordTaxForm } from '../../db/tax/forms.ts'
import { listCompensation } from '../../db/tax/standing.ts'
import { recordTaxYear } from '../../db/tax/years.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
let books: Books
beforeEach(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
  await makeProgramme(database.db)
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

async function set(onboarding: Record<string, unknown>): Promise<void> {
  const change = JSON.stringify(onboarding)
  await sql`update programmes set onboarding = onboarding || ${change}::jsonb`.execute(database.db)
}

async function certified(partnerId: string, changes: Partial<Declaration> = {}): Promise<void> {
  const decidedBy = await books.person(`${partnerId}@platform.example`)
  await inTransaction(database.db, (trx) =>
    recordTaxForm(trx, {
      ...{ id: randomUUIDv7(), partnerId, kind: 'w9', country: 'US', decidedBy },
      legalName: 'Partner LLC',
      tinKind: 'ein',
      tinLastFour: '0001',
      classification: 'llc',
      subjectToWithholding: false,
      signedOn: '2026-01-01',
      expiresOn: null,
      ...changes,
    }),
  )
}

/** What August was for a partner that earned 20.00. */
async function august(partnerId: string) {
  await books.sell(partnerId, { paidAt: '2026-08-10T00:00:00Z' })
  await books.settle('2026-08')
  return paper(partnerId, '2026-08')
}

async function paper(partnerId: string, period: string) {
  const row = await database.db
    .selectFrom('statements')
    .leftJoin('payouts', 'payouts.statementId', 'statements.id')
    .select(['statements.payableMinor as payable', 'statements.openingMinor as opening'])
    .select(['statements.withheldMinor as withheld', 'statements.withheldBps as bps'])
    .select(['payouts.amountMinor as paid', 'payouts.currency'])
    .where('statements.partnerId', '=', partnerId)
    .where('statements.period', '=', period)
    .where('statements.issuedAt', 'is not', null)
    .executeTakeFirstOrThrow()
  return row
}

/** What the books owe the tax authority, by currency. */
async function owed(): Promise<Record<string, bigint>> {
  const { rows } = await sql<{ currency: string; amount: bigint }>`
    select posting.currency, sum(case when account.id = posting.credit_account_id
      then amount_minor else -amount_minor end)::bigint as amount
    from ledger_accounts account
    join ledger_postings posting on account.id in (credit_account_id, debit_account_id)
    where account.purpose = 'tax_withheld' group by 1`.execute(database.db)
  return Object.fromEntries(rows.map(({ currency, amount }) => [currency, amount]))
}

test('nothing is withheld unless the programme says so', async () => {
  const partnerId = await makePartner(database.db)
  expect(await august(partnerId)).toMatchObject({ withheld: 0n, bps: null, paid: 2_000n })
  expect(await owed()).toEqual({})
})

test('of a US partner without a form the rate of the year is withheld and owed', async () => {
  await set({ backupWithholding: true })
  const partnerId = await makePartner(database.db)
  expect(await august(partnerId)).toMatchObject({
    ...{ payable: 2_000n, withheld: 480n, bps: 2_400, paid: 1_520n },
  })
  expect(await owed()).toEqual({ USD: 480n })
  await books.sell(partnerId, { paidAt: '2026-09-10T00:00:00Z' })
  await books.settle('2026-09')
  // What was withheld is gone from what the partner is owed.
  expect(await paper(partnerId, '2026-09')).toMatchObject({ opening: 0n, withheld: 480n })
  expect(await owed()).toEqual({ USD: 960n })
})

test('what tax leaves is carried where it is less than the rail carries', async () => {
  await set({ backupWithholding: true })
  await sql`insert into payout_floors (country, currency, minimum_minor)
    values ('*', 'USD', 1600)`.execute(database.db)
  const partnerId = await makePartner(database.db)
  // 20.00 would do, the 15.20 that are sent would not.
  expect(await august(partnerId)).toMatchObject({ payable: 0n, withheld: 0n, paid: null })
  expect(await owed()).toEqual({})
})

test('the rate is that which is set for the year', async () => {
  await set({ backupWithholding: true })
  await inTransaction(database.db, (trx) =>
    recordTaxYear(trx, {
      ...{ year: 2026, thresholdMinor: 200_000n, backupWithholdingBps: 2_801 },
      source: 'a test',
    }),
  )
  const partnerId = await makePartner(database.db)
  expect(await august(partnerId)).toMatchObject({ withheld: 560n, bps: 2_801, paid: 1_440n })
})

test.each<[string, Partial<Declaration> | null, string, bigint]>([
  ['a W-9', {}, 'US', 0n],
  ['a W-9 that says that it is subject to it', { subjectToWithholding: true }, 'US', 480n],
  ['the W-9 of a corporation', { classification: 'c_corporation' }, 'US', 0n],
  ['no form, abroad', null, 'DE', 0n],
])('of a partner with %s', async (_, form, country, withheld) => {
  await set({ backupWithholding: true })
  const partnerId = await makePartner(database.db, { country })
  if (form) await certified(partnerId, form)
  expect(await august(partnerId)).toMatchObject({ withheld, paid: 2_000n - withheld })
})

test('where payouts wait for the form, all of it is paid when there is one', async () => {
  await set({ backupWithholding: true, taxFormRequired: 'us' })
  const partnerId = await makePartner(database.db)
  expect(await august(partnerId)).toMatchObject({ withheld: 0n, paid: 2_000n })
})

test('who is paid in another currency has its tax withheld in that', async () => {
  await set({ backupWithholding: true })
  const partnerId = await makePartner(database.db)
  await sql`update partners set payout_currency = 'EUR' where id = ${partnerId}`.execute(
    database.db,
  )
  await inTransaction(database.db, (trx) =>
    insertRates(trx, [
      {
        ...{ base: 'USD', quote: 'EUR', rate: '0.92341', source: 'test' },
        asOf: new Date('2026-08-15T00:00:00Z'),
      },
    ]),
  )
  // 18.47 EUR, of which 24 % are 4.4328.
  expect(await august(partnerId)).toMatchObject({
    ...{ payable: 2_000n, withheld: 443n, paid: 1_404n, currency: 'EUR' },
  })
  expect(await owed()).toEqual({ EUR: 443n })
})

test.each(['USD', 'EUR'])(
  'a payout in %s that is given back brings its tax with it',
  async (to) => {
    await set({ backupWithholding: true })
    const partnerId = await makePartner(database.db)
    if (to === 'EUR') {
      await sql`update partners set payout_currency = 'EUR' where id = ${partnerId}`.execute(
        database.db,
      )
      await sql`insert into fx_rates (base, quote, rate, source, as_of)
      values ('USD', 'EUR', 0.92341, 'test', '2026-08-15')`.execute(database.db)
    }
    await august(partnerId)
    await inTransaction(database.db, async (trx) => {
      const [payout] = await lockUnsentPayouts(trx, { partnerId })
      if (!payout) throw new Error('it was reserved')
      const cause = 'transfer_rejected' as const
      const exceptionId = await openException(trx, { payoutId: payout.id, partnerId, cause })
      const effectiveAt = new Date('2026-09-20T00:00:00Z')
      await recordPayoutReturn(trx, payout, {
        ...{ exceptionId, partnerId, effectiveAt },
        period: await bookingPeriod(trx, effectiveAt),
      })
    })
    expect(await owed()).toEqual({ [to]: 0n })
    await books.settle('2026-09')
    const { payable, withheld } = await paper(partnerId, '2026-09')
    expect([payable, withheld > 0n]).toEqual([2_000n, true])
  },
)

test('the year tells what was paid before tax, and what was withheld of it', async () => {
  await set({ backupWithholding: true })
  const partnerId = await makePartner(database.db)
  await august(partnerId)
  await database.db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`update payouts set status = 'paid', hold_reason = null,
      paid_at = '2026-09-05T00:00:00Z'`.execute(trx)
    const { rows } = await listCompensation(
      trx,
      { year: 2026, currency: 'USD', partnerId: null },
      null,
    )
    expect(rows).toMatchObject([{ partnerId, amount: 2_000n, withheld: 480n, payouts: 1 }])
    await sql`update payouts set status = 'held', hold_reason = 'no_payout_account',
      paid_at = null`.execute(trx)
  })
})
