import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookCreditNote, bookDispute, bookRefund } from '../../activities/commission/reversals.ts'
import { checkInvariants } from '../../db/invariants.ts'
import type { PaidInvoice, StripeBilling } from '../../integrations/stripe-billing.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeChain, makeOrder, makeProgramme, paidInvoice, unique } from '../support/factories.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(20)
  await makeProgramme(database.db)
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
})
afterAll(() => database.drop())

interface Back {
  amount: bigint
  failed?: boolean
  outcome?: 'open' | 'won' | 'lost'
}

/** What the vendor says now of the charge of one invoice and of the money that went back on it. */
function vendorOf(invoice: PaidInvoice, backs: Record<string, Back>) {
  const chargeId = invoice.payments[0]?.chargeId ?? ''
  const at = new Date('2026-10-20T00:00:00Z')
  const of = (id: string) => {
    const back = backs[id]
    if (!back) throw new Error(`no ${id}`)
    return back
  }
  const billing: Pick<
    StripeBilling,
    'readRefund' | 'readCreditNote' | 'readDispute' | 'findInvoicesOfCharge' | 'readInvoice'
  > = {
    readCreditNote: async (creditNoteId) => ({
      creditNoteId,
      invoiceId: invoice.invoiceId,
      paymentId: null,
      amount: of(creditNoteId).amount,
      createdAt: at,
      voided: of(creditNoteId).failed ?? false,
    }),
    readRefund: async (refundId) => ({
      refundId,
      chargeId,
      currency: 'USD',
      amount: of(refundId).amount,
      createdAt: at,
      failed: of(refundId).failed ?? false,
    }),
    readDispute: async (disputeId) => ({
      disputeId,
      chargeId,
      currency: 'USD',
      amount: of(disputeId).amount,
      openedAt: at,
      outcome: of(disputeId).outcome ?? 'open',
    }),
    findInvoicesOfCharge: async () => [invoice.invoiceId],
    readInvoice: async () => invoice,
  }
  return { db: database.db, billing: billing as StripeBilling }
}

async function sold() {
  const { reseller } = await makeChain(database.db)
  return paidInvoice(await makeOrder(database.db, reseller))
}

/** What each depth had taken back by each refund or dispute, in the order of booking. */
async function clawbacksOf(invoice: PaidInvoice) {
  const rows = await database.db
    .selectFrom('clawbacks')
    .innerJoin('accruals', 'accruals.id', 'clawbacks.accrualId')
    .innerJoin('linePayments', 'linePayments.id', 'accruals.linePaymentId')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .select(['accruals.depth', 'clawbacks.amountMinor as amount'])
    .where('payments.vendorInvoiceId', '=', invoice.invoiceId)
    .orderBy('clawbacks.id')
    .execute()
  const of = (depth: number) => rows.filter((row) => row.depth === depth).map((row) => row.amount)
  return { seller: of(0), master: of(1) }
}

const total = (amounts: bigint[]) => amounts.reduce((sum, amount) => sum + amount, 0n)

describe('a refund', () => {
  it('in three parts takes back exactly what was earned, a part at a time', async () => {
    const invoice = await sold()
    const parts = [unique('re'), unique('re'), unique('re')]
    const deps = vendorOf(invoice, Object.fromEntries(parts.map((id) => [id, { amount: 3_333n }])))
    await bookInvoice(deps, invoice)
    for (const id of parts) await bookRefund(deps, id)
    expect(await clawbacksOf(invoice)).toEqual({
      seller: [666n, 667n, 667n],
      master: [166n, 167n, 167n],
    })
  })

  it('that comes before its payment, thrice and in any order, leaves the same books', async () => {
    const invoice = await sold()
    const id = unique('re')
    const deps = vendorOf(invoice, { [id]: { amount: 9_999n } })
    await bookRefund(deps, id)
    await Promise.all([bookInvoice(deps, invoice), bookRefund(deps, id), bookRefund(deps, id)])
    await bookInvoice(deps, invoice)
    expect(await clawbacksOf(invoice)).toEqual({ seller: [2_000n], master: [500n] })
  })

  it('that fails later gives back what it took', async () => {
    const invoice = await sold()
    const id = unique('re')
    const backs: Record<string, Back> = { [id]: { amount: 5_000n } }
    const deps = vendorOf(invoice, backs)
    await bookInvoice(deps, invoice)
    await bookRefund(deps, id)
    backs[id] = { amount: 5_000n, failed: true }
    await bookRefund(deps, id)
    await bookRefund(deps, id)
    const { seller, master } = await clawbacksOf(invoice)
    expect([total(seller), total(master)]).toEqual([0n, 0n])
    expect(seller).toHaveLength(2)
  })

  it('that failed before we heard of it takes nothing', async () => {
    const invoice = await sold()
    const id = unique('re')
    const deps = vendorOf(invoice, { [id]: { amount: 5_000n, failed: true } })
    await bookInvoice(deps, invoice)
    await bookRefund(deps, id)
    expect(await clawbacksOf(invoice)).toEqual({ seller: [], master: [] })
  })
})

describe('a credit note', () => {
  it('that gives back otherwise than by a refund takes its part, once, and gives it again when void', async () => {
    const invoice = await sold()
    const id = unique('cn')
    const backs: Record<string, Back> = { [id]: { amount: 3_333n } }
    const deps = vendorOf(invoice, backs)
    await bookCreditNote(deps, id)
    await bookCreditNote(deps, id)
    expect(await clawbacksOf(invoice)).toEqual({ seller: [666n], master: [166n] })
    backs[id] = { amount: 3_333n, failed: true }
    await bookCreditNote(deps, id)
    await bookCreditNote(deps, id)
    expect(await clawbacksOf(invoice)).toEqual({ seller: [666n, -666n], master: [166n, -166n] })
  })

  it('is spread over the payments of an invoice that was paid in parts', async () => {
    const { reseller } = await makeChain(database.db)
    const order = await makeOrder(database.db, reseller)
    const invoice = paidInvoice(order, { parts: [3_000n, 6_999n] })
    const id = unique('cn')
    const deps = vendorOf(invoice, { [id]: { amount: 9_999n } })
    await bookInvoice(deps, invoice)
    await bookCreditNote(deps, id)
    const { seller } = await clawbacksOf(invoice)
    expect(seller).toEqual([600n, 1_399n])
  })
})

describe('a dispute', () => {
  it('takes nothing while it is open or when it is won', async () => {
    const invoice = await sold()
    const id = unique('dp')
    const backs: Record<string, Back> = { [id]: { amount: 9_999n } }
    const deps = vendorOf(invoice, backs)
    await bookInvoice(deps, invoice)
    await bookDispute(deps, id)
    backs[id] = { amount: 9_999n, outcome: 'won' }
    await bookDispute(deps, id)
    expect(await clawbacksOf(invoice)).toEqual({ seller: [], master: [] })
  })

  it('that is lost takes back once, and never more than a refund left', async () => {
    const invoice = await sold()
    const [refund, dispute] = [unique('re'), unique('dp')]
    const deps = vendorOf(invoice, {
      [refund]: { amount: 6_000n },
      [dispute]: { amount: 9_999n, outcome: 'lost' },
    })
    await bookInvoice(deps, invoice)
    await bookRefund(deps, refund)
    await bookDispute(deps, dispute)
    await bookDispute(deps, dispute)
    const { seller, master } = await clawbacksOf(invoice)
    expect([total(seller), total(master)]).toEqual([2_000n, 500n])
  })

  it('that was lost and is won after all gives back', async () => {
    const invoice = await sold()
    const id = unique('dp')
    const backs: Record<string, Back> = { [id]: { amount: 9_999n, outcome: 'lost' } }
    const deps = vendorOf(invoice, backs)
    await bookInvoice(deps, invoice)
    await bookDispute(deps, id)
    backs[id] = { amount: 9_999n, outcome: 'won' }
    await bookDispute(deps, id)
    expect(total((await clawbacksOf(invoice)).seller)).toBe(0n)
  })
})
