import { stripeBalance } from '../../integrations/stripe-balance.ts'
import { stripeBilling } from '../../integrations/stripe-billing.ts'
import { type Kit, recipient, startKit, subscribe } from '../sandbox/kit.ts'
import { type ScriptedVendor, startScriptedVendor, stripeFor, vendorErrorOf } from './kit.ts'

let kit: Kit
let balance: ReturnType<typeof stripeBalance>
beforeAll(async () => {
  kit = await startKit()
  balance = stripeBalance(stripeFor(kit.sandbox))
})
afterAll(() => kit.stop())

const at = (minute: number) => new Date(Date.UTC(2030, 0, 1, 12, minute))
const setClock = (minute: number) => kit.post('/clock', { now: at(minute).toISOString() })

async function paidCharge(): Promise<string> {
  const { invoice } = await subscribe(kit.stripe)
  await kit.post(`/invoices/${invoice.id}/pay`)
  const { data } = await kit.stripe.charges.list({ limit: 1 })
  return String(data[0]?.id)
}

/** The charge of an order in a currency of its own. */
async function paidIn(currency: string, amount: bigint): Promise<string> {
  const billing = stripeBilling(stripeFor(kit.sandbox))
  const owner = { name: 'Ada', email: 'ada@globex.example', metadata: {} }
  const customerId = await billing.createCustomer(owner, `${currency}:customer`)
  const price = { name: 'Professional', amount, currency, metadata: {} }
  const { priceId } = await billing.createMonthlyPrice(price, `${currency}:price`)
  const order = { customerId, priceId, metadata: {} }
  const { invoiceId } = await billing.openSubscription(order, `${currency}:order`)
  await kit.post(`/invoices/${invoiceId}/pay`)
  const { payments } = await billing.readInvoice(invoiceId ?? '')
  return payments[0]?.chargeId ?? ''
}

/** All pages of a range, one behind the other. */
async function pagesOf(range: { from: Date; until: Date | null }) {
  const pages = []
  let after: string | null = null
  do {
    const page: Awaited<ReturnType<typeof balance.listBalanceTransactions>> =
      await balance.listBalanceTransactions({ ...range, after })
    pages.push(page.transactions)
    after = page.next
  } while (after)
  return pages
}

describe('the movements of the balance', () => {
  test('come page by page, more than a hundred of them, and none of outside the range', async () => {
    await setClock(0)
    const charge = await paidCharge()
    await setClock(10)
    const refunds: string[] = []
    for (let n = 0; n < 120; n++) {
      refunds.push((await kit.stripe.refunds.create({ charge, amount: 1 })).id)
    }
    await setClock(20)
    await paidCharge()
    const pages = await pagesOf({ from: at(5), until: at(15) })
    expect(pages.map((page) => page.length)).toEqual([100, 20])
    expect(pages.flat().map(({ sourceId }) => sourceId)).toEqual(refunds.toReversed())
    const open = await pagesOf({ from: at(5), until: null })
    expect(open.flat()).toHaveLength(121)
  })

  test('name the charge behind a payment, its refund, the failure of that and a dispute', async () => {
    await setClock(30)
    const charge = await paidCharge()
    const { id } = await kit.stripe.refunds.create({ charge, amount: 999 })
    await kit.post(`/refunds/${id}/fail`)
    const { body } = await kit.post(`/charges/${charge}/dispute`)
    await kit.post(`/disputes/${body.id}/close`, { outcome: 'won' })
    const [page = []] = await pagesOf({ from: at(30), until: at(40) })
    const told = page.map(({ type, sourceId, amount, fee, net, settles }) => ({
      ...{ type, sourceId, amount, fee, net },
      settles,
    }))
    const of = (amount: bigint) => ({ chargeId: charge, currency: 'USD', amount })
    expect(told.toReversed()).toEqual([
      {
        type: 'charge',
        sourceId: charge,
        amount: 4_999n,
        fee: 175n,
        net: 4_824n,
        settles: of(4_999n),
      },
      { type: 'refund', sourceId: id, amount: -999n, fee: 0n, net: -999n, settles: of(-999n) },
      { type: 'refund_failure', sourceId: id, amount: 999n, fee: 0n, net: 999n, settles: of(999n) },
      {
        ...{ type: 'adjustment', sourceId: body.id, amount: -4_999n, fee: 1_500n, net: -6_499n },
        settles: of(-4_999n),
      },
      {
        ...{ type: 'adjustment', sourceId: body.id, amount: 4_999n, fee: -1_500n, net: 6_499n },
        settles: of(4_999n),
      },
    ])
    expect(page[0]).toMatchObject({ createdAt: at(30), availableAt: at(30), currency: 'USD' })
  })

  test('name no charge behind a transfer', async () => {
    await setClock(41)
    const destination = await recipient(kit)
    const sent = await kit.stripe.transfers.create({ amount: 2_000, currency: 'usd', destination })
    const [[line] = []] = await pagesOf({ from: at(41), until: at(42) })
    expect(line).toMatchObject({ type: 'transfer', sourceId: sent.id, net: -2_000n, settles: null })
  })

  // Stripe counts krona and shillings in hundredths, and its fee of a small amount in fractions.
  test.each([
    ['KRW', 10_000n, 320n],
    ['ISK', 500n, 15n],
    ['UGX', 70_000n, 2_031n],
    ['KWD', 12_340n, 388n],
  ])(
    'are minor units of the ledger in %s, with the fee rounded up',
    async (currency, amount, fee) => {
      await setClock(50)
      const chargeId = await paidIn(currency, amount)
      const all = (await pagesOf({ from: at(50), until: at(51) })).flat()
      const line = all.find(({ sourceId }) => sourceId === chargeId)
      expect(line).toMatchObject({
        ...{ currency, amount, fee, net: amount - fee },
        settles: { chargeId, currency, amount },
      })
    },
  )

  test('are an error, not an empty page, where the vendor does not answer', async () => {
    const path = '/v1/balance_transactions'
    await kit.post('/faults', { vendor: 'stripe', kind: 'error_500', path })
    const range = { from: at(0), until: at(59), after: null }
    expect((await vendorErrorOf(balance.listBalanceTransactions(range))).failure).toBe('unknown')
  })
})

describe('what the vendor says beyond the sandbox', () => {
  let vendor: ScriptedVendor
  let scripted: ReturnType<typeof stripeBalance>
  beforeAll(async () => {
    vendor = await startScriptedVendor()
    scripted = stripeBalance(stripeFor(vendor))
  })
  afterAll(() => vendor.close())

  const txn = (changes: object) => ({
    id: 'txn_1',
    object: 'balance_transaction',
    amount: 10_830,
    available_on: 1_790_172_800,
    created: 1_790_000_000,
    currency: 'usd',
    fee: 344,
    net: 10_486,
    source: { id: 'ch_1', object: 'charge', amount: 10_000, currency: 'eur' },
    type: 'charge',
    ...changes,
  })

  async function told(...data: object[]) {
    vendor.answer(() => ({ body: { object: 'list', url: '/v1/x', has_more: true, data } }))
    return scripted.listBalanceTransactions({ from: at(0), until: null, after: 'txn_0' })
  }

  test('a payment that was converted settles the currency of its customer', async () => {
    const { transactions } = await told(txn({}))
    expect(transactions).toEqual([
      {
        transactionId: 'txn_1',
        transfer: null,
        type: 'charge',
        sourceId: 'ch_1',
        currency: 'USD',
        amount: 10_830n,
        fee: 344n,
        net: 10_486n,
        settles: { chargeId: 'ch_1', currency: 'EUR', amount: 10_000n },
        createdAt: new Date(1_790_000_000_000),
        availableAt: new Date(1_790_172_800_000),
      },
    ])
  })

  test('a converted refund settles with the sign of what left the balance', async () => {
    const source = { id: 're_1', object: 'refund', charge: 'ch_1', amount: 5_000, currency: 'eur' }
    const { transactions } = await told(
      txn({ type: 'refund', amount: -5_500, fee: 0, net: -5_500, source }),
    )
    const settles = { chargeId: 'ch_1', currency: 'EUR', amount: -5_000n }
    expect(transactions).toMatchObject([{ net: -5_500n, settles }])
  })

  test('a currency that the books do not know is left out, and the list goes on behind it', async () => {
    const page = await told(txn({}), txn({ id: 'txn_2', currency: 'ars', source: 'po_1' }))
    expect(page.transactions.map(({ transactionId }) => transactionId)).toEqual(['txn_1'])
    expect(page.next).toBe('txn_2')
  })

  test('a payout to the bank and a fee without a source are of no charge', async () => {
    const { transactions } = await told(
      txn({ type: 'payout', source: { id: 'po_1', object: 'payout', amount: 5, currency: 'usd' } }),
      txn({ id: 'txn_2', type: 'stripe_fee', source: null }),
    )
    expect(transactions).toMatchObject([
      { sourceId: 'po_1', settles: null },
      { sourceId: null, settles: null },
    ])
  })
})
