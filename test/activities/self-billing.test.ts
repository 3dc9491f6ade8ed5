/** Self-billed documents: whose, with which tax, where it lies in the books, and how it is paid. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookRefund } from '../../activities/commission/reversals.ts'
import { issueSelfBilling } from '../../activities/tax/self-billing.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { lockUnsentPayouts, recordPayoutReturn } from '../../db/lifecycle/payout-returns.ts'
import { openException } from '../../db/payout-exceptions.ts'
import { bookingPeriod } from '../../db/periods.ts'
import {
  recordAgreement,
  recordProfile,
  recordWithdrawal,
} from '../../db/tax/self-billing-consent.ts'
import { listSelfBillingOf } from '../../db/tax/self-billing-documents.ts'
import { recordVatRate } from '../../db/tax/vat-rates.ts'
import { monthsOf } from '../../domain/cadence.ts'
import type { PaidInvoice, StripeBilling } from '../../integrations/stripe-billing.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  makeMember,
  makeOrder,
  makePartner,
  makeProgramme,
  paidInvoice,
  unique,
} from '../support/factories.ts'
import { selfBillingTerms } from '../support/self-billing.ts'

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

async function turnOn(): Promise<void> {
  const change = JSON.stringify({ selfBilling: selfBillingTerms })
  await sql`update programmes set onboarding = onboarding || ${change}::jsonb`.execute(database.db)
  await rate('DE', 'standard', 1_900)
}

const rate = (
  country: string,
  treatment: 'standard' | 'reverse_charge',
  bps: number,
  from = '2026-01-01',
) =>
  inTransaction(database.db, (trx) =>
    recordVatRate(trx, { country, validFrom: from, treatment, bps, source: 'a test' }),
  )

async function declare(partnerId: string, vatId = 'DE123456789', country = 'DE') {
  const verifiedBy = await books.person(`${partnerId}@platform.example`)
  await inTransaction(database.db, (trx) =>
    recordProfile(trx, {
      ...{ id: randomUUIDv7(), partnerId, legalName: 'Łódź Handel GmbH', country, vatId },
      ...{ address: '1 Main Street, Hamburg', registered: true, verifiedBy },
    }),
  )
}

async function agree(partnerId: string): Promise<void> {
  const acceptedBy = await makeMember(database.db, { partnerId })
  await inTransaction(database.db, (trx) =>
    recordAgreement(trx, { id: randomUUIDv7(), partnerId, version: '1', acceptedBy, days: 365 }),
  )
}

/** A partner in Germany that said who it is and agreed. */
async function billed(): Promise<string> {
  const partnerId = await makePartner(database.db, { country: 'DE' })
  await declare(partnerId)
  await agree(partnerId)
  return partnerId
}

const sell = (partnerId: string, month: string, net?: bigint) =>
  books.sell(partnerId, { paidAt: `2026-${month}-10T00:00:00Z`, ...(net ? { net } : {}) })

/** A sale whose invoice can be refunded. */
async function sold(partnerId: string, month: string): Promise<PaidInvoice> {
  const order = await makeOrder(database.db, partnerId)
  const invoice = paidInvoice(order, { net: 10_000n, paidAt: `2026-${month}-10T00:00:00Z` })
  await bookInvoice({ db: database.db }, invoice)
  return invoice
}

async function refund(invoice: PaidInvoice, day: string, amount = 10_000n): Promise<void> {
  const refundId = unique('re')
  const told = {
    ...{ refundId, chargeId: invoice.payments[0]?.chargeId ?? '', currency: 'USD', amount },
    ...{ createdAt: new Date(`${day}T00:00:00Z`), failed: false },
  }
  const billing = { readRefund: async () => told } as unknown as StripeBilling
  await bookRefund({ db: database.db, billing }, refundId)
}

async function documents(partnerId: string) {
  return database.db
    .selectFrom('selfBillingDocuments')
    .select(['kind', 'documentNumber', 'number', 'treatment', 'rateBps as bps', 'period'])
    .select(['baseMinor as base', 'vatMinor as vat', 'totalMinor as total', 'correctsId', 'id'])
    .where('partnerId', '=', partnerId)
    .orderBy('number')
    .execute()
}

async function skips(partnerId: string) {
  return database.db
    .selectFrom('selfBillingSkips')
    .select(['reason', 'baseMinor as base'])
    .where('partnerId', '=', partnerId)
    .orderBy('statementId')
    .execute()
}

async function paid(partnerId: string, period: string) {
  return database.db
    .selectFrom('statements')
    .leftJoin('payouts', 'payouts.statementId', 'statements.id')
    .select(['statements.closingMinor as closing', 'statements.payableMinor as payable'])
    .select(['payouts.amountMinor as amount', 'payouts.currency', 'payouts.vatMinor as tax'])
    .where('statements.partnerId', '=', partnerId)
    .where('statements.period', '=', period)
    .where('statements.issuedAt', 'is not', null)
    .executeTakeFirstOrThrow()
}

/** What the books hold of this purpose. */
async function balanceOf(purpose: string): Promise<bigint> {
  const { rows } = await sql<{ amount: bigint }>`
    select coalesce(sum(case when account.id = posting.debit_account_id
      then amount_minor else -amount_minor end), 0)::bigint as amount
    from ledger_accounts account
    join ledger_postings posting on account.id in (credit_account_id, debit_account_id)
    where account.purpose = ${purpose}`.execute(database.db)
  return rows[0]?.amount ?? 0n
}

test('nothing is written or read of it while the programme has it off', async () => {
  const partnerId = await billed()
  await sell(partnerId, '08')
  await books.settle('2026-08')
  expect(await documents(partnerId)).toEqual([])
  expect(await skips(partnerId)).toEqual([])
  expect(await paid(partnerId, '2026-08')).toMatchObject({ payable: 2_000n, amount: 2_000n })
})

test('at home the tax is invoiced beside the statement and paid with its payout', async () => {
  await turnOn()
  const partnerId = await billed()
  await sell(partnerId, '08')
  await books.settle('2026-08')
  await sell(partnerId, '09', 20_000n)
  await books.settle('2026-09')
  expect(await documents(partnerId)).toMatchObject([
    { kind: 'invoice', base: 2_000n, vat: 380n, total: 2_380n, treatment: 'standard', bps: 1_900 },
    { kind: 'invoice', base: 4_000n, vat: 760n, total: 4_760n, period: '2026-09', number: 2 },
  ])
  expect((await documents(partnerId)).map(({ documentNumber }) => documentNumber)).toEqual([
    'SB-000001-000001',
    'SB-000001-000002',
  ])
  const statement = { closing: 2_000n, payable: 2_000n, amount: 2_380n, tax: 380n }
  expect(await paid(partnerId, '2026-08')).toMatchObject(statement)
  expect(await balanceOf('input_tax')).toBe(1_140n)
  expect(await balanceOf('partner_vat')).toBe(0n)
})

test('abroad the tax is the recipient’s: the document has none, and nothing is added', async () => {
  await turnOn()
  await rate('FR', 'reverse_charge', 0)
  const partnerId = await makePartner(database.db, { country: 'FR' })
  await declare(partnerId, 'FR12123456789', 'FR')
  await agree(partnerId)
  await sell(partnerId, '08')
  await books.settle('2026-08')
  expect(await documents(partnerId)).toMatchObject([
    { base: 2_000n, vat: 0n, total: 2_000n, treatment: 'reverse_charge', bps: 0 },
  ])
  expect(await paid(partnerId, '2026-08')).toMatchObject({ amount: 2_000n, tax: 0n })
  expect(await balanceOf('input_tax')).toBe(0n)
})

test('the rate is that of the last day of the period', async () => {
  await turnOn()
  await rate('DE', 'standard', 1_600, '2026-08-31')
  await rate('DE', 'standard', 700, '2026-09-01')
  const partnerId = await billed()
  await sell(partnerId, '08')
  await books.settle('2026-08')
  expect(await documents(partnerId)).toMatchObject([{ vat: 320n, bps: 1_600 }])
})

test('without a valid yes there is a reason in the place of a document', async () => {
  await turnOn()
  const silent = await makePartner(database.db, { country: 'DE' })
  const changed = await billed()
  await declare(changed, 'DE987654321')
  const gone = await billed()
  await inTransaction(database.db, (trx) => recordWithdrawal(trx, gone))
  const renewed = await billed()
  await declare(renewed, 'DE987654321')
  await agree(renewed)
  for (const partnerId of [silent, changed, gone, renewed]) await sell(partnerId, '08')
  await books.settle('2026-08')
  expect(await skips(silent)).toEqual([{ reason: 'no_profile', base: 2_000n }])
  expect(await skips(changed)).toEqual([{ reason: 'vat_id_changed', base: 2_000n }])
  expect(await skips(gone)).toEqual([{ reason: 'consent_ended', base: 2_000n }])
  expect(await skips(renewed)).toEqual([])
  expect(await documents(renewed)).toMatchObject([{ base: 2_000n, vat: 380n }])
  expect(await paid(silent, '2026-08')).toMatchObject({ amount: 2_000n, tax: 0n })
})

test('what is taken back is credited from the newest invoice on, as that was taxed', async () => {
  await turnOn()
  const partnerId = await billed()
  const first = await sold(partnerId, '08')
  await books.settle('2026-08')
  await rate('DE', 'standard', 700, '2026-09-01')
  const second = await sold(partnerId, '09')
  await books.settle('2026-09')
  await refund(second, '2026-10-05')
  await refund(first, '2026-10-06', 5_000n)
  await books.settle('2026-10')
  const [august, september, ...credits] = await documents(partnerId)
  expect([august?.vat, september?.vat]).toEqual([380n, 140n])
  expect(credits).toMatchObject([
    { kind: 'credit_note', correctsId: september?.id, base: -2_000n, vat: -140n, bps: 700 },
    { kind: 'credit_note', correctsId: august?.id, base: -1_000n, vat: -190n, bps: 1_900 },
  ])
  expect(await balanceOf('input_tax')).toBe(190n)
  // What the partner owes back is set off against its next documents, and not against its balance.
  expect(await balanceOf('partner_vat')).toBe(330n)
  expect(await paid(partnerId, '2026-10')).toMatchObject({ closing: -3_000n, amount: null })
  await sell(partnerId, '11', 40_000n)
  await books.settle('2026-11')
  expect(await paid(partnerId, '2026-11')).toMatchObject({ payable: 5_000n, amount: 5_230n })
  expect(await balanceOf('partner_vat')).toBe(0n)
})

test('what was never invoiced like this is not credited, and says so', async () => {
  const partnerId = await billed()
  const sale = await sold(partnerId, '08')
  await books.settle('2026-08')
  await turnOn()
  await refund(sale, '2026-09-05')
  await books.settle('2026-09')
  expect(await documents(partnerId)).toEqual([])
  expect(await skips(partnerId)).toEqual([{ reason: 'nothing_to_credit', base: -2_000n }])
})

test('tax of a month that pays nothing goes with the next payout', async () => {
  await turnOn()
  const partnerId = await billed()
  await sell(partnerId, '08', 500n)
  await books.settle('2026-08')
  expect(await paid(partnerId, '2026-08')).toMatchObject({ payable: 0n, amount: null })
  expect(await balanceOf('partner_vat')).toBe(-19n)
  await sell(partnerId, '09')
  await books.settle('2026-09')
  expect(await paid(partnerId, '2026-09')).toMatchObject({ payable: 2_100n, amount: 2_499n })
  expect(await balanceOf('partner_vat')).toBe(0n)
})

test('who is paid in another currency has its tax converted at the same rate', async () => {
  await turnOn()
  const partnerId = await billed()
  await sql`update partners set payout_currency = 'EUR' where id = ${partnerId}`.execute(
    database.db,
  )
  await sql`insert into fx_rates (base, quote, rate, source, as_of)
    values ('USD', 'EUR', 0.92341, 'test', '2026-08-15')`.execute(database.db)
  await sell(partnerId, '08')
  await books.settle('2026-08')
  // 18.47 EUR, and 3.80 USD are 3.508958 EUR.
  expect(await paid(partnerId, '2026-08')).toMatchObject({
    ...{ payable: 2_000n, amount: 2_198n, tax: 351n, currency: 'EUR' },
  })
  expect(await balanceOf('partner_vat')).toBe(0n)
})

test.each(['USD', 'EUR'])('a payout in %s that is given back leaves its tax owed', async (to) => {
  await turnOn()
  const partnerId = await billed()
  if (to === 'EUR') {
    await sql`update partners set payout_currency = 'EUR' where id = ${partnerId}`.execute(
      database.db,
    )
    await sql`insert into fx_rates (base, quote, rate, source, as_of)
      values ('USD', 'EUR', 0.92341, 'test', '2026-08-15')`.execute(database.db)
  }
  await sell(partnerId, '08')
  await books.settle('2026-08')
  await inTransaction(database.db, async (trx) => {
    const [payout] = await lockUnsentPayouts(trx, { partnerId })
    if (!payout) throw new Error('it was reserved')
    const cause = 'transfer_rejected' as const
    const exceptionId = await openException(trx, { payoutId: payout.id, partnerId, cause })
    const effectiveAt = new Date('2026-09-20T00:00:00Z')
    const period = await bookingPeriod(trx, effectiveAt)
    await recordPayoutReturn(trx, payout, { exceptionId, partnerId, effectiveAt, period })
  })
  expect(await balanceOf('partner_vat')).toBe(-380n)
  await books.settle('2026-09')
  const amount = to === 'EUR' ? 2_198n : 2_380n
  expect(await paid(partnerId, '2026-09')).toMatchObject({ payable: 2_000n, amount })
  // What was earned once is invoiced once.
  expect(await documents(partnerId)).toHaveLength(1)
  expect(await balanceOf('partner_vat')).toBe(0n)
})

test('an issue that breaks off and is repeated takes the same number once', async () => {
  await turnOn()
  const partnerId = await billed()
  await sell(partnerId, '08')
  const statement = {
    ...{ id: randomUUIDv7(), partnerId, period: '2026-08', periodName: null, currency: 'USD' },
    ...{ earnedMinor: 2_000n, clawedBackMinor: 0n },
  }
  const broken = inTransaction(database.db, async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await issueSelfBilling(trx, [statement], new Date('2026-09-04T00:00:00Z'))
    throw new Error('the worker is gone')
  })
  await expect(broken).rejects.toThrow('the worker is gone')
  await books.settle('2026-08')
  expect((await documents(partnerId)).map(({ number }) => number)).toEqual([1])
})

test('documents of a week over the end of a month count to the month in which it ends', async () => {
  await turnOn()
  const partnerId = await billed()
  await sql`update programmes set onboarding = onboarding || '{"settlementCadence": "weekly"}'
    `.execute(database.db)
  await books.sell(partnerId, { paidAt: '2026-09-29T00:00:00Z' })
  await books.settle('2026-W40')
  const counts: number[] = []
  for (const month of ['2026-09', '2026-10']) {
    counts.push((await listSelfBillingOf(database.db, monthsOf(month))).length)
  }
  expect(counts).toEqual([0, 1])
})

test('what was written never changes, and no number is taken away', async () => {
  await turnOn()
  const partnerId = await billed()
  await sell(partnerId, '08')
  await books.settle('2026-08')
  for (const change of [
    sql`update self_billing_documents set vat_minor = 0, total_minor = base_minor`,
    sql`delete from self_billing_documents`,
    sql`delete from self_billing_series`,
    sql`update self_billing_agreements set valid_until = '2099-01-01'`,
    sql`update self_billing_profiles set country = 'FR'`,
    sql`update self_billing_profiles set vat_id_sealed = 'another'`,
    sql`update self_billing_profiles set verified_by = null, verified_at = null`,
  ]) {
    await expect(change.execute(database.db)).rejects.toMatchObject({ code: '23001' })
  }
})
