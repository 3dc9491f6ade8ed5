import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookCreditNote } from '../../activities/commission/reversals.ts'
import type { ActivityDeps } from '../../activities/deps.ts'
import type { Activities } from '../../activities/index.ts'
import { checkInvariants } from '../../db/invariants.ts'
import type { BalanceTransaction } from '../../integrations/stripe-balance.ts'
import type { PaidInvoice, StripeBilling } from '../../integrations/stripe-billing.ts'
import { openBooks } from '../support/books.ts'
import { age, balances, brokenAfter } from '../support/clearing.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  type InvoiceFacts,
  makeOrder,
  makePartner,
  makePayoutAccount,
  makeProgramme,
  paidInvoice,
  unique,
} from '../support/factories.ts'
import { asSteps, failureOf } from '../support/steps.ts'

let database: TestDatabase
let partnerId: string
let steps: Activities
/** What Stripe has, newest first; an error in the place of a page is thrown. */
let ledger: BalanceTransaction[]
let outages: number[]
let asked: { from: Date; until: Date | null; after: string | null }[]

const pageSize = 2

const balance: ActivityDeps['balance'] = {
  async listBalanceTransactions(range) {
    asked.push(range)
    if (outages.includes(asked.length)) throw new Error('no answer')
    const inRange = ledger.filter(
      ({ createdAt }) => createdAt >= range.from && (!range.until || createdAt < range.until),
    )
    const start = inRange.findIndex(({ transactionId }) => transactionId === range.after) + 1
    const transactions = inRange.slice(start, start + pageSize)
    const more = inRange.length > start + pageSize
    return { transactions, next: more ? (transactions.at(-1)?.transactionId ?? null) : null }
  },
}

beforeEach(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
  partnerId = await makePartner(database.db)
  ledger = []
  outages = []
  asked = []
  steps = asSteps({ db: database.db, balance } as ActivityDeps)
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

const hour = 3_600_000
const day = 24 * hour
const ago = (ms: number) => new Date(Date.now() - ms)

async function sold(facts: InvoiceFacts = {}): Promise<PaidInvoice> {
  const order = await makeOrder(database.db, partnerId)
  const invoice = paidInvoice(order, { paidAt: ago(3 * day).toISOString(), ...facts })
  await bookInvoice({ db: database.db }, invoice)
  return invoice
}

const chargeOf = (invoice: PaidInvoice, part = 0) => invoice.payments[part]?.chargeId ?? ''

/** Stripe tells of a charge, a fee of 3.00 included; the newest stands first. */
function tell(chargeId: string, changes: Partial<BalanceTransaction> = {}): BalanceTransaction {
  const { amount = 9_999n, fee = 300n, currency = 'USD' } = changes
  const told: BalanceTransaction = {
    transactionId: unique('txn'),
    type: 'charge',
    sourceId: chargeId,
    currency,
    amount,
    fee,
    net: amount - fee,
    settles: { chargeId, currency, amount },
    createdAt: ago(2 * day),
    availableAt: ago(day),
    ...changes,
  }
  ledger.unshift(told)
  return told
}

async function mirrored(): Promise<string[]> {
  const rows = await database.db
    .selectFrom('stripeTxns')
    .select('vendorTxnId')
    .orderBy('vendorTxnId')
    .execute()
  return rows.map((row) => row.vendorTxnId)
}

const everything = () => ledger.map(({ transactionId }) => transactionId).sort()

describe('the mirror', () => {
  it('reads nothing before the first payment', async () => {
    tell('ch_1')
    expect(await steps.mirrorBalance()).toEqual({ mirrored: 0, complete: true })
    expect(asked).toEqual([])
  })

  it('goes on behind the last page that it kept when it was stopped between two', async () => {
    await sold()
    for (let n = 0; n < 7; n++) tell(`ch_${n}`)
    outages = [3]
    expect(await failureOf(steps.mirrorBalance())).toBe('internal')
    expect(await mirrored()).toHaveLength(4)
    // What comes meanwhile stands above the place where it goes on.
    tell('ch_new', { createdAt: ago(day) })
    expect(await steps.mirrorBalance()).toEqual({ mirrored: 3, complete: true })
    expect(asked.at(-1)?.after).toBe(ledger[6]?.transactionId)
    await steps.mirrorBalance()
    expect(await mirrored()).toEqual(everything())
  })

  it('begins an hour before the newest that it knows, and keeps each once', async () => {
    await sold()
    tell('ch_1', { createdAt: ago(10 * hour) })
    await steps.mirrorBalance()
    tell('ch_2', { createdAt: ago(5 * hour) })
    await steps.mirrorBalance()
    expect(await steps.mirrorBalance()).toEqual({ mirrored: 0, complete: true })
    const [newest] = ledger
    expect(asked.at(-1)?.from).toEqual(new Date((newest?.createdAt.getTime() ?? 0) - hour))
    expect(await mirrored()).toEqual(everything())
  })

  it('is not led into the future by a time of the vendor', async () => {
    await sold()
    tell('ch_1', { createdAt: new Date(Date.now() + 40 * day) })
    await steps.mirrorBalance()
    ledger.push({ ...tell('ch_2'), createdAt: ago(60_000) })
    ledger.shift()
    expect(await steps.mirrorBalance()).toMatchObject({ mirrored: 1 })
  })

  it('of a month has all of it, whatever was read before', async () => {
    const { db } = database
    await sold({ paidAt: '2026-08-20T00:00:00Z' })
    tell('ch_now', { createdAt: ago(hour) })
    await steps.mirrorBalance()
    for (let n = 0; n < 5; n++) tell(`ch_${n}`, { createdAt: new Date('2026-08-05T00:00:00Z') })
    ledger.reverse()
    tell('ch_july', { createdAt: new Date('2026-07-31T23:59:59Z') })
    await steps.mirrorBalance()
    const runId = await openBooks(db).newRun('2026-08')
    outages = [asked.length + 2]
    await failureOf(steps.mirrorPeriodBalance({ runId, after: null }))
    expect(await steps.mirrorPeriodBalance({ runId, after: null })).toBeNull()
    expect(asked.at(-1)).toMatchObject({
      from: new Date('2026-08-01T00:00:00Z'),
      until: new Date('2026-09-04T00:00:00Z'),
    })
    const missing = everything().filter((id) => id !== ledger[0]?.transactionId)
    expect(await mirrored()).toEqual(missing)
  })

  it('keeps what Stripe said as it was said', async () => {
    await sold()
    tell('ch_1')
    await steps.mirrorBalance()
    const change = sql`update stripe_txns set net_minor = 1, amount_minor = 301`.execute(
      database.db,
    )
    await expect(change).rejects.toThrow(/never changes/)
    await expect(sql`delete from stripe_txns`.execute(database.db)).rejects.toThrow(/never changes/)
  })
})

describe('what is told', () => {
  const read = async () => {
    await steps.mirrorBalance()
    return steps.bookBalance()
  }

  it('books the fee at once and the money when it is available', async () => {
    const invoice = await sold()
    tell(chargeOf(invoice), { availableAt: new Date(Date.now() + 2 * day) })
    expect(await read()).toBe(1)
    expect(await balances(database.db)).toEqual({
      'platform_revenue USD': -9_999n,
      'commission_expense USD': 2_000n,
      'stripe_clearing USD': 9_699n,
      'stripe_fees USD': 300n,
    })
    expect(await read()).toBe(0)
    expect(await brokenAfter(database.db, 1)).toEqual([])
    await database.db.transaction().execute((trx) => age(trx, 3))
    expect(await steps.bookBalance()).toBe(1)
    expect(await balances(database.db)).toMatchObject({
      'stripe_balance USD': 9_699n,
      'stripe_fees USD': 300n,
    })
  })

  it('waits for a payment that is booked later, and is not ours as long as there is none', async () => {
    await sold()
    const order = await makeOrder(database.db, partnerId)
    const later = paidInvoice(order, { paidAt: ago(2 * day).toISOString() })
    tell(chargeOf(later))
    tell('ch_of_somebody_else')
    expect(await read()).toBe(0)
    expect((await brokenAfter(database.db, 30)).map(({ invariant }) => invariant)).toEqual(['I20'])
    await bookInvoice({ db: database.db }, later)
    expect(await read()).toBe(1)
    expect(await balances(database.db)).toMatchObject({ 'stripe_balance USD': 9_699n })
  })

  it('of a currency that Stripe converted moves both currencies and empties clearing', async () => {
    const invoice = await sold({ currency: 'EUR', net: 10_000n })
    const chargeId = chargeOf(invoice)
    const settles = { chargeId, currency: 'EUR', amount: 10_000n }
    tell(chargeId, { amount: 10_830n, fee: 344n, settles })
    expect(await read()).toBe(1)
    expect(await balances(database.db)).toMatchObject({
      'fx_clearing EUR': 10_000n,
      'fx_clearing USD': -10_830n,
      'stripe_balance USD': 10_486n,
      'stripe_fees USD': 344n,
    })
    expect((await balances(database.db))['stripe_clearing EUR']).toBeUndefined()
    expect(await brokenAfter(database.db, 30)).toEqual([])
  })

  it.each([
    ['KRW', 10_000n, 320n],
    ['ISK', 500n, 15n],
    ['UGX', 1n, 1n],
  ])('in %s empties clearing, to the unit', async (currency, amount, fee) => {
    const invoice = await sold({ currency, net: amount })
    tell(chargeOf(invoice), { currency, amount, fee })
    expect(await read()).toBe(1)
    expect(await read()).toBe(0)
    const found = await balances(database.db)
    expect(found[`stripe_clearing ${currency}`]).toBeUndefined()
    expect(found[`stripe_fees ${currency}`]).toBe(fee)
    expect(await brokenAfter(database.db, 30)).toEqual([])
  })

  it('of a transfer of ours belongs to the journal of its payout, and is posted by nothing else', async () => {
    const { db } = database
    const books = openBooks(db)
    const invoice = await sold({ paidAt: '2026-08-02T00:00:00Z' })
    tell(chargeOf(invoice))
    await makePayoutAccount(db, partnerId)
    const runId = await books.settle('2026-08')
    const sent = { kind: 'succeeded', transferId: 'tr_1' } as const
    const connect = { sendTransfer: async () => sent } as unknown as ActivityDeps['connect']
    const type = 'transfer'
    tell('', { type, sourceId: 'tr_1', amount: -2_000n, fee: 0n, settles: null })
    tell('', { type, sourceId: 'tr_2', amount: -7n, fee: 0n, settles: null })
    await read()
    await asSteps({ db, connect, stripePerSecond: 1_000 } as ActivityDeps).payPage({
      runId,
      after: null,
    })
    expect(await brokenAfter(db, 2)).toMatchObject([{ invariant: 'I18', rows: [{ type }] }])
    await read()
    expect(await balances(db)).toMatchObject({ 'stripe_balance USD': 7_699n })
    expect(await brokenAfter(db, 30)).toEqual([])
    const journals = await db
      .selectFrom('stripeTxns')
      .innerJoin('ledgerJournals', 'ledgerJournals.id', 'stripeTxns.journalId')
      .select(['vendorSourceId', 'kind'])
      .where('type', '=', type)
      .execute()
    expect(journals).toEqual([{ vendorSourceId: 'tr_1', kind: 'payout_paid' }])
  })

  it('of a service of Stripe is a fee from the first payment on, and a payout to the bank is none', async () => {
    const invoice = await sold()
    tell(chargeOf(invoice))
    const own = { type: 'stripe_fee', sourceId: null, amount: -250n, fee: 0n, settles: null }
    tell('', { ...own, createdAt: ago(20 * day), availableAt: ago(20 * day) })
    tell('', own)
    tell('', { ...own, type: 'payout', sourceId: 'po_1', amount: -5_000n })
    expect(await read()).toBe(2)
    expect(await balances(database.db)).toMatchObject({
      'stripe_balance USD': 9_449n,
      'stripe_fees USD': 550n,
    })
    expect(await brokenAfter(database.db, 30)).toEqual([])
  })

  it('empties clearing of what was not given back by a credit note, which moves no money', async () => {
    const invoice = await sold()
    tell(chargeOf(invoice))
    const note = {
      ...{ creditNoteId: 'cn_1', invoiceId: invoice.invoiceId, paymentId: null },
      ...{ amount: 3_333n, createdAt: ago(day), voided: false },
    }
    const billing = { readCreditNote: async () => note, readInvoice: async () => invoice }
    await bookCreditNote({ db: database.db, billing: billing as unknown as StripeBilling }, 'cn_1')
    await read()
    expect(await balances(database.db)).toMatchObject({ 'stripe_clearing USD': -3_333n })
    expect(await brokenAfter(database.db, 30)).toEqual([])
  })

  it('of a part of an invoice leaves its rounding, and nothing when the rest is paid', async () => {
    const { db } = database
    const order = await makeOrder(db, partnerId)
    const whole = paidInvoice(order, { net: 100n, tax: 19n, parts: [50n, 69n] })
    const [first, second] = whole.payments
    if (!first || !second) throw new Error('two parts')
    await bookInvoice({ db }, { ...whole, settled: false, payments: [first] })
    tell(first.chargeId ?? '', { amount: 50n, fee: 3n })
    await read()
    expect(await balances(db)).toMatchObject({ 'stripe_clearing USD': -1n })
    expect(await brokenAfter(db, 30)).toEqual([])
    await bookInvoice({ db }, whole)
    expect(await brokenAfter(db, 30)).toMatchObject([{ invariant: 'I20' }])
    tell(second.chargeId ?? '', { amount: 69n, fee: 3n })
    await read()
    expect((await balances(db))['stripe_clearing USD']).toBeUndefined()
    expect(await brokenAfter(db, 30)).toEqual([])
  })
})
