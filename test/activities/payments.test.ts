import { bookInvoice } from '../../activities/commission/payments.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { startClosing } from '../../db/periods.ts'
import { recordTenant } from '../../db/provisioning.ts'
import { outwardId } from '../../domain/ids.ts'
import type { PaidInvoice } from '../../integrations/stripe-billing.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  makeChain,
  makeOrder,
  makePartner,
  makeProgramme,
  type Order,
  paidInvoice,
} from '../support/factories.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(20)
  await makeProgramme(database.db)
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
})
afterAll(() => database.drop())

async function chainOrder(): Promise<Order & { master: string; reseller: string }> {
  const chain = await makeChain(database.db)
  return { ...chain, ...(await makeOrder(database.db, chain.reseller)) }
}

const book = (invoice: PaidInvoice) => bookInvoice(database, invoice)

const sharesOf = async (invoice: PaidInvoice) =>
  database.db
    .selectFrom('accruals')
    .innerJoin('linePayments', 'linePayments.id', 'accruals.linePaymentId')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .select(['accruals.depth', 'accruals.partnerId', 'accruals.amountMinor as amount'])
    .where('payments.vendorInvoiceId', '=', invoice.invoiceId)
    .orderBy('payments.paidAt')
    .orderBy('accruals.depth')
    .execute()

const amountsOf = async (invoice: PaidInvoice) =>
  (await sharesOf(invoice)).map(({ amount }) => amount)

describe('a paid invoice', () => {
  it('gives the seller 20.00 and its master 5.00 of 99.99', async () => {
    const order = await chainOrder()
    const invoice = paidInvoice(order)
    await book(invoice)
    expect(await sharesOf(invoice)).toEqual([
      { depth: 0, partnerId: order.reseller, amount: 2_000n },
      { depth: 1, partnerId: order.master, amount: 500n },
    ])
  })

  it('is booked once, however often and by however many it is booked', async () => {
    const order = await chainOrder()
    const invoice = paidInvoice(order)
    await Promise.all(Array.from({ length: 12 }, () => book(invoice)))
    await book(invoice)
    expect(await amountsOf(invoice)).toEqual([2_000n, 500n])
  })

  it('earns on what was paid without tax', async () => {
    const order = await chainOrder()
    const invoice = paidInvoice(order, { net: 10_000n, tax: 1_900n })
    await book(invoice)
    expect(await amountsOf(invoice)).toEqual([2_000n, 500n])
  })

  it('that is paid in parts gives in all what the whole gives, rounded down', async () => {
    const order = await chainOrder()
    const invoice = paidInvoice(order, { parts: [3_333n, 3_333n, 3_333n] })
    await book({ ...invoice, payments: invoice.payments.slice(0, 1) })
    await book(invoice)
    const shares = await sharesOf(invoice)
    const total = (depth: number) =>
      shares.filter((share) => share.depth === depth).reduce((sum, { amount }) => sum + amount, 0n)
    expect(shares).toHaveLength(6)
    expect(total(0)).toBe(1_999n)
    expect(total(1)).toBe(499n)
  })

  it('of a partner without a parent leaves the second share with the platform', async () => {
    const partnerId = await makePartner(database.db, { level: 'master_reseller' })
    const invoice = paidInvoice(await makeOrder(database.db, partnerId))
    await book(invoice)
    expect(await amountsOf(invoice)).toEqual([2_000n])
  })

  it('makes the order active', async () => {
    const order = await chainOrder()
    await book(paidInvoice(order))
    const { status } = await database.db
      .selectFrom('subscriptions')
      .select('status')
      .where('id', '=', order.subscriptionId)
      .executeTakeFirstOrThrow()
    expect(status).toBe('active')
  })

  it('of nothing, or of nobody we know, is no payment', async () => {
    const order = await chainOrder()
    const free = paidInvoice(order, { net: 0n })
    await book(free)
    expect(await amountsOf(free)).toEqual([])
    const foreign = { ...paidInvoice(order), metadata: {} }
    expect(await book(foreign)).toBeNull()
    expect(await amountsOf(foreign)).toEqual([])
  })

  it('that is given up after a part was paid earns on that part, also where it is one base', async () => {
    const { db, drop } = await createTestDatabase()
    await makeProgramme(db, { allocationUnit: 'invoice' })
    const invoice = paidInvoice(await makeOrder(db, await makePartner(db)), {
      net: 10_000n,
      parts: [4_000n],
    })
    const earned = () => db.selectFrom('accruals').select('amountMinor').execute()
    await bookInvoice({ db }, { ...invoice, settled: false })
    expect(await earned()).toEqual([])
    // Voided at the vendor: nothing more will come.
    await bookInvoice({ db }, { ...invoice, settled: true })
    expect(await earned()).toEqual([{ amountMinor: 800n }])
    expect((await checkInvariants(db)).violations).toEqual([])
    await drop()
  })

  it('that reaches us after the close appears in the next open period, dated as it was', async () => {
    const { db, drop } = await createTestDatabase()
    await makeProgramme(db)
    const { reseller } = await makeChain(db)
    const order = await makeOrder(db, reseller)
    await inTransaction(db, (trx) => startClosing(trx, '2026-10'))
    await bookInvoice({ db }, paidInvoice(order, { paidAt: '2026-10-31T23:59:50Z' }))
    const journals = await db
      .selectFrom('ledgerJournals')
      .select(['period', 'effectiveAt'])
      .distinct()
      .execute()
    await drop()
    expect(journals).toEqual([{ period: '2026-11', effectiveAt: new Date('2026-10-31T23:59:50Z') }])
  })
})

describe("a partner's own fee", () => {
  it('earns nobody commission', async () => {
    const order = await chainOrder()
    await inTransaction(database.db, (trx) =>
      recordTenant(trx, { partnerId: order.reseller, name: 'Tenant' }),
    )
    const partner = outwardId('partner', order.reseller)
    const fee = { ...paidInvoice(order, { net: 4_900n }), metadata: { kind: 'platform', partner } }
    expect(await book(fee)).toMatchObject({ kind: 'platform' })
    expect(await amountsOf(fee)).toEqual([])
  })
})
