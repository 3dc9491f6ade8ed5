import { stripeBilling } from '../../integrations/stripe-billing.ts'
import { type ScriptedVendor, startScriptedVendor, stripeFor } from './kit.ts'

let vendor: ScriptedVendor
let billing: ReturnType<typeof stripeBilling>
beforeAll(async () => {
  vendor = await startScriptedVendor()
  billing = stripeBilling(stripeFor(vendor))
})
afterAll(() => vendor.close())

const list = (data: object[], hasMore = false) => ({
  object: 'list',
  url: '/v1/elsewhere',
  has_more: hasMore,
  data,
})

/** An invoice as the vendor tells it; what a case does not name is plain. */
function invoice(changes: object): object {
  return {
    id: 'in_1',
    object: 'invoice',
    currency: 'usd',
    total: 10_000,
    lines: list([]),
    payments: list([]),
    parent: { subscription_details: { subscription: 'sub_1', metadata: { kind: 'customer' } } },
    ...changes,
  }
}

const line = (id: string, amount: number, changes: object = {}) => ({
  id,
  object: 'line_item',
  amount,
  quantity: 1,
  pricing: { price_details: { product: 'prod_1', price: 'price_1' } },
  ...changes,
})

const payment = (n: number, changes: object = {}) => ({
  id: `inpay_${n}`,
  object: 'invoice_payment',
  amount_paid: 100,
  status: 'paid',
  created: 1_790_000_000,
  status_transitions: { paid_at: 1_790_000_000 + n, canceled_at: null },
  payment: {
    type: 'payment_intent',
    payment_intent: { id: `pi_${n}`, object: 'payment_intent', latest_charge: `ch_${n}` },
  },
  ...changes,
})

async function linesOf(lines: object[]) {
  vendor.answer(() => ({ body: invoice({ lines: list(lines) }) }))
  return (await billing.readInvoice('in_1')).lines
}

describe('what a line costs', () => {
  test('is without the discount', async () => {
    const discounted = line('il_1', 10_000, {
      discount_amounts: [{ amount: 1_500 }, { amount: 500 }],
    })
    expect(await linesOf([discounted])).toMatchObject([{ net: 8_000n, tax: 0n }])
  })

  test('is without tax, whether the tax comes on top or is inside the price', async () => {
    const onTop = line('il_1', 10_000, { taxes: [{ amount: 1_900, tax_behavior: 'exclusive' }] })
    const inside = line('il_2', 11_900, { taxes: [{ amount: 1_900, tax_behavior: 'inclusive' }] })
    expect(await linesOf([onTop, inside])).toMatchObject([
      { net: 10_000n, tax: 1_900n },
      { net: 10_000n, tax: 1_900n },
    ])
  })

  test('is without a discount and several taxes together', async () => {
    const both = line('il_1', 12_000, {
      quantity: 3,
      discount_amounts: [{ amount: 2_000 }],
      taxes: [
        { amount: 500, tax_behavior: 'inclusive' },
        { amount: 700, tax_behavior: 'exclusive' },
      ],
    })
    expect(await linesOf([both])).toEqual([
      {
        lineId: 'il_1',
        product: 'prod_1',
        quantity: 3,
        setupFee: false,
        net: 9_500n,
        tax: 1_200n,
      },
    ])
  })

  test('is known also of a line without product or quantity', async () => {
    const bare = line('il_1', 500, { pricing: null, quantity: null })
    expect(await linesOf([bare])).toMatchObject([{ product: null, quantity: 1, net: 500n }])
  })
})

describe('an invoice', () => {
  test('with more lines than one page is read whole', async () => {
    const all = Array.from({ length: 130 }, (_, n) => line(`il_${n}`, n))
    vendor.answer(({ path }) => {
      if (!path.includes('/lines')) {
        return { body: invoice({ lines: list(all.slice(0, 10), true) }) }
      }
      const after = /starting_after=il_(\d+)/.exec(path)?.[1]
      const from = after === undefined ? 0 : Number(after) + 1
      return { body: list(all.slice(from, from + 100), from + 100 < all.length) }
    })
    const { lines } = await billing.readInvoice('in_1')
    expect(lines.map(({ lineId }) => lineId)).toEqual(all.map(({ id }) => id))
  })

  test('with more payments than one page is read whole, with their charges', async () => {
    const all = Array.from({ length: 12 }, (_, n) => payment(n))
    vendor.answer(({ path }) => {
      if (path.startsWith('/v1/invoices/')) {
        return { body: invoice({ payments: list(all.slice(0, 10), true) }) }
      }
      const fits = path.startsWith('/v1/invoice_payments?') && path.includes('invoice=in_1')
      return { body: list(fits ? all : []) }
    })
    const { payments } = await billing.readInvoice('in_1')
    expect(payments.map(({ chargeId }) => chargeId)).toEqual(all.map((_, n) => `ch_${n}`))
  })

  test('counts only payments that were made', async () => {
    const open = payment(1, { status: 'open', amount_paid: null })
    const canceled = payment(2, { status: 'canceled', amount_paid: null })
    vendor.answer(() => ({ body: invoice({ payments: list([open, canceled, payment(3)]) }) }))
    const { payments } = await billing.readInvoice('in_1')
    expect(payments).toEqual([
      {
        paymentId: 'inpay_3',
        amount: 100n,
        paidAt: new Date((1_790_000_000 + 3) * 1_000),
        chargeId: 'ch_3',
        lineId: null,
      },
    ])
  })

  test('names the charge of a payment that was no intent', async () => {
    const direct = payment(1, { payment: { type: 'charge', charge: 'ch_direct' } })
    vendor.answer(() => ({ body: invoice({ payments: list([direct]) }) }))
    expect((await billing.readInvoice('in_1')).payments[0]?.chargeId).toBe('ch_direct')
  })

  test('of no subscription has nothing of ours on it', async () => {
    vendor.answer(() => ({ body: invoice({ parent: null }) }))
    const { subscriptionId, metadata } = await billing.readInvoice('in_1')
    expect({ subscriptionId, metadata }).toEqual({ subscriptionId: null, metadata: {} })
  })

  test('is not looked for where a charge paid none', async () => {
    vendor.answer(() => ({ body: { id: 'ch_1', object: 'charge', payment_intent: null } }))
    expect(await billing.findInvoicesOfCharge('ch_1')).toEqual([])
  })
})

describe('the words of the vendor', () => {
  test.each([
    ['incomplete', 'awaiting_payment'],
    ['incomplete_expired', 'canceled'],
    ['trialing', 'active'],
    ['active', 'active'],
    ['past_due', 'past_due'],
    ['unpaid', 'past_due'],
    ['paused', 'active'],
    ['canceled', 'canceled'],
    ['something_new', 'awaiting_payment'],
  ])('for a subscription: %s is %s', async (status, ours) => {
    vendor.answer(() => ({
      body: { id: 'sub_1', object: 'subscription', status, metadata: {}, latest_invoice: null },
    }))
    const read = await billing.readSubscription('sub_1')
    expect(read).toMatchObject({ status: ours, invoiceId: null })
  })

  test.each([
    ['warning_needs_response', 'open'],
    ['warning_under_review', 'open'],
    ['warning_closed', 'won'],
    ['needs_response', 'open'],
    ['under_review', 'open'],
    ['prevented', 'won'],
    ['won', 'won'],
    ['lost', 'lost'],
    ['something_new', 'open'],
  ])('for a dispute: %s is %s', async (status, outcome) => {
    const dispute = {
      id: 'du_1',
      object: 'dispute',
      status,
      amount: 1,
      currency: 'usd',
      created: 1,
    }
    vendor.answer(() => ({ body: dispute }))
    expect(await billing.readDispute('du_1')).toMatchObject({ outcome, chargeId: null })
  })

  test.each([
    ['succeeded', false],
    ['pending', false],
    ['requires_action', false],
    ['failed', true],
    ['canceled', true],
  ])('for a refund: %s failed: %s', async (status, failed) => {
    const refund = { id: 're_1', object: 'refund', status, amount: 1, currency: 'usd', created: 1 }
    vendor.answer(() => ({ body: refund }))
    expect((await billing.readRefund('re_1')).failed).toBe(failed)
  })

  test('for an ended subscription are enough not to cancel it again', async () => {
    for (const status of ['canceled', 'incomplete_expired']) {
      vendor.answer(() => ({ body: { id: 'sub_1', object: 'subscription', status } }))
      const before = vendor.asked.length
      await billing.cancelSubscription('sub_1')
      expect(vendor.asked.slice(before).map(({ method }) => method)).toEqual(['GET'])
    }
  })
})
