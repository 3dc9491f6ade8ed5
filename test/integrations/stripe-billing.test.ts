import type Stripe from 'stripe'
import { stripeBilling } from '../../integrations/stripe-billing.ts'
import { type Kit, startKit, until } from '../sandbox/kit.ts'
import { stripeFor, vendorErrorOf } from './kit.ts'

let kit: Kit
let billing: ReturnType<typeof stripeBilling>
beforeAll(async () => {
  kit = await startKit()
  billing = stripeBilling(stripeFor(kit.sandbox))
})
afterAll(() => kit.stop())

const metadata = { kind: 'customer', subscription: 'sub_ours', partner: 'prt_ours' }
let made = 0

/** An open subscription to a price, with keys of its own. */
async function open(amount = 9_999n, currency = 'USD') {
  made += 1
  const key = `order-${made}`
  const customer = { name: 'Globex', email: 'billing@globex.example', metadata }
  const customerId = await billing.createCustomer(customer, `${key}:customer`)
  const price = { name: 'Professional', amount, currency, metadata }
  const { priceId, productId } = await billing.createMonthlyPrice(price, `${key}:price`)
  const order = { customerId, priceId, metadata }
  const subscription = await billing.openSubscription(order, key)
  const invoiceId = subscription.invoiceId ?? ''
  return { key, order, productId, subscription, invoiceId }
}

const pay = (invoiceId: string, amount?: number) =>
  kit.post(`/invoices/${invoiceId}/pay`, amount === undefined ? {} : { amount })

async function paidCharge(amount = 9_999n, currency = 'USD') {
  const { invoiceId } = await open(amount, currency)
  await pay(invoiceId)
  const { payments } = await billing.readInvoice(invoiceId)
  return { invoiceId, chargeId: payments[0]?.chargeId ?? '' }
}

describe('one key makes one object', () => {
  test('a customer', async () => {
    const customer = { name: 'Ada', email: 'ada@globex.example', metadata: { customer: 'cus_1' } }
    const first = await billing.createCustomer(customer, 'customer-1')
    expect(await billing.createCustomer(customer, 'customer-1')).toBe(first)
    expect(await billing.createCustomer(customer, 'customer-2')).not.toBe(first)
    expect(await kit.stripe.customers.retrieve(first)).toMatchObject(customer)
  })

  test('a monthly price with its product', async () => {
    const price = { name: 'Basic', amount: 4_999n, currency: 'USD', metadata: { package: 'pkg_1' } }
    const first = await billing.createMonthlyPrice(price, 'price-1')
    expect(await billing.createMonthlyPrice(price, 'price-1')).toEqual(first)
    const found = await kit.stripe.prices.retrieve(first.priceId)
    expect(found).toMatchObject({
      product: first.productId,
      currency: 'usd',
      unit_amount: 4_999,
      recurring: { interval: 'month', interval_count: 1 },
      metadata: { package: 'pkg_1' },
    })
    const product = await kit.stripe.products.retrieve(first.productId)
    expect(product).toMatchObject({ name: 'Basic', metadata: { package: 'pkg_1' } })
  })

  test.each([
    ['ISK', 5n, 500],
    ['UGX', 5n, 500],
    ['JPY', 247n, 247],
    ['KWD', 12_340n, 12_340],
  ])('a price in %s of %s as the vendor counts it', async (currency, amount, expected) => {
    const price = { name: 'Basic', amount, currency, metadata: {} }
    const { priceId } = await billing.createMonthlyPrice(price, `price-${currency}`)
    expect((await kit.stripe.prices.retrieve(priceId)).unit_amount).toBe(expected)
  })

  test('a subscription that waits for its first payment', async () => {
    const { key, order, subscription } = await open()
    expect(subscription).toEqual({
      subscriptionId: expect.stringMatching(/^sub_/),
      invoiceId: expect.stringMatching(/^in_/),
      status: 'awaiting_payment',
      metadata,
    })
    expect(await billing.openSubscription(order, key)).toEqual(subscription)
    const all = await kit.stripe.subscriptions.list({ customer: order.customerId })
    expect(all.data).toHaveLength(1)
  })

  test('and refuses to make another object', async () => {
    const customer = { name: 'Ada', email: 'ada@globex.example', metadata: {} }
    await billing.createCustomer(customer, 'customer-3')
    const other = billing.createCustomer({ ...customer, name: 'Eve' }, 'customer-3')
    expect(await vendorErrorOf(other)).toMatchObject({ failure: 'rejected' })
  })
})

describe('a subscription', () => {
  const statusOf = async (id: string) => (await billing.readSubscription(id)).status

  test('is active once it is paid, and past due when a renewal fails', async () => {
    const { subscription, invoiceId } = await open()
    const id = subscription.subscriptionId
    expect(await statusOf(id)).toBe('awaiting_payment')
    await pay(invoiceId)
    expect(await billing.readSubscription(id)).toEqual({ ...subscription, status: 'active' })
    await kit.post(`/subscriptions/${id}/renew`)
    const renewed = await billing.readSubscription(id)
    await kit.post(`/invoices/${renewed.invoiceId}/fail`)
    expect(await statusOf(id)).toBe('past_due')
  })

  test('is canceled once, and canceling it again is fine', async () => {
    const { subscription } = await open()
    const id = subscription.subscriptionId
    await billing.cancelSubscription(id)
    expect(await statusOf(id)).toBe('canceled')
    await expect(billing.cancelSubscription(id)).resolves.toBeUndefined()
    expect(await statusOf(id)).toBe('canceled')
  })

  test('that nobody knows is refused', async () => {
    for (const call of [billing.readSubscription('sub_no'), billing.cancelSubscription('sub_no')]) {
      const error = await vendorErrorOf(call)
      expect(error).toMatchObject({ failure: 'rejected', code: 'resource_missing' })
    }
  })
})

describe('an invoice', () => {
  test('that is open has lines and a total, and no payments', async () => {
    const { invoiceId, productId, subscription } = await open()
    expect(await billing.readInvoice(invoiceId)).toEqual({
      invoiceId,
      currency: 'USD',
      total: 9_999n,
      settled: false,
      lines: [
        {
          lineId: expect.stringMatching(/^il_/),
          product: productId,
          quantity: 1,
          setupFee: false,
          net: 9_999n,
          tax: 0n,
        },
      ],
      payments: [],
      subscriptionId: subscription.subscriptionId,
      metadata,
    })
  })

  test('that is paid at once has one payment with its charge and its time', async () => {
    const { invoiceId } = await open()
    await pay(invoiceId)
    const charges = await kit.stripe.charges.list({ limit: 1 })
    const charge = charges.data[0] as Stripe.Charge
    const { payments } = await billing.readInvoice(invoiceId)
    expect(payments).toEqual([
      {
        paymentId: expect.stringMatching(/^inpay_/),
        amount: 9_999n,
        paidAt: new Date(charge.created * 1_000),
        chargeId: charge.id,
        lineId: null,
      },
    ])
  })

  test('that is paid in parts has each part with a charge of its own', async () => {
    const { invoiceId } = await open()
    await pay(invoiceId, 3_333)
    const half = await billing.readInvoice(invoiceId)
    expect(half.payments.map(({ amount }) => amount)).toEqual([3_333n])
    await pay(invoiceId, 3_333)
    await pay(invoiceId)
    const { payments } = await billing.readInvoice(invoiceId)
    expect(payments.map(({ amount }) => amount)).toEqual([3_333n, 3_333n, 3_333n])
    expect(new Set(payments.map(({ chargeId }) => chargeId)).size).toBe(3)
    expect(new Set(payments.map(({ paymentId }) => paymentId)).size).toBe(3)
  })

  test.each([
    ['ISK', 5n, 500],
    ['JPY', 1_980n, 1_980],
  ])('in %s is read in the units of the books', async (currency, amount, stripe) => {
    const { invoiceId } = await open(amount, currency)
    await pay(invoiceId)
    const invoice = await billing.readInvoice(invoiceId)
    expect(invoice).toMatchObject({ currency, total: amount, lines: [{ net: amount }] })
    expect(invoice.payments[0]?.amount).toBe(amount)
    expect((await kit.stripe.invoices.retrieve(invoiceId)).total).toBe(stripe)
  })

  test('is found by any of the charges that paid it', async () => {
    const { invoiceId, chargeId } = await paidCharge()
    expect(await billing.findInvoicesOfCharge(chargeId)).toEqual([invoiceId])
    const error = await vendorErrorOf(billing.findInvoicesOfCharge('ch_nobody'))
    expect(error.code).toBe('resource_missing')
  })
})

describe('a refund', () => {
  test('is read with its charge, amount and time', async () => {
    const { chargeId } = await paidCharge()
    const { body } = await kit.post(`/charges/${chargeId}/refund`, { amount: 3_333 })
    const { created } = await kit.stripe.refunds.retrieve(String(body.id))
    expect(await billing.readRefund(String(body.id))).toEqual({
      refundId: body.id,
      chargeId,
      currency: 'USD',
      amount: 3_333n,
      createdAt: new Date(created * 1_000),
      failed: false,
    })
  })

  test('that failed later is read as failed, however it began', async () => {
    const { chargeId } = await paidCharge(5n, 'ISK')
    const wish = { amount: 500, fail: true, fail_after_ms: 20 }
    const { body } = await kit.post(`/charges/${chargeId}/refund`, wish)
    const read = () => billing.readRefund(String(body.id))
    expect(await read()).toMatchObject({ failed: false, currency: 'ISK', amount: 5n })
    await until(async () => (await read()).failed)
    expect(await read()).toMatchObject({ amount: 5n, chargeId })
  })
})

describe('a credit note', () => {
  test('counts what it gave back beside its refunds, which are events of their own', async () => {
    const { invoiceId } = await paidCharge()
    const outside = await kit.stripe.creditNotes.create({
      invoice: invoiceId,
      amount: 3_000,
      refund_amount: 1_000,
      out_of_band_amount: 2_000,
    })
    expect(await billing.readCreditNote(outside.id)).toEqual({
      creditNoteId: outside.id,
      invoiceId,
      paymentId: null,
      amount: 2_000n,
      createdAt: new Date(outside.created * 1_000),
      voided: false,
    })
  })
})

describe('a dispute', () => {
  test.each(['won', 'lost'] as const)('is open until it is %s', async (outcome) => {
    const { chargeId } = await paidCharge()
    const { body } = await kit.post(`/charges/${chargeId}/dispute`, { amount: 5_000 })
    const id = String(body.id)
    const { created } = await kit.stripe.disputes.retrieve(id)
    const open = await billing.readDispute(id)
    expect(open).toEqual({
      disputeId: id,
      chargeId,
      currency: 'USD',
      amount: 5_000n,
      openedAt: new Date(created * 1_000),
      outcome: 'open',
    })
    await kit.post(`/disputes/${id}/close`, { outcome })
    expect(await billing.readDispute(id)).toEqual({ ...open, outcome })
  })
})
