import Stripe from 'stripe'
import { type Kit, problemOf, startKit, subscribe } from './kit.ts'

let kit: Kit
let stripe: Stripe
beforeAll(async () => {
  kit = await startKit()
  stripe = kit.stripe
})
afterAll(() => kit.stop())

const ours = { subscription: 'sub_ours', customer: 'cus_ours' }

async function eventTypes(since: number): Promise<string[]> {
  const events = await kit.list('events')
  return events.slice(since).map(({ type }) => String(type))
}

async function countEvents(): Promise<number> {
  return (await kit.list('events')).length
}

describe('a new subscription', () => {
  test('waits for the payment of a finalized open invoice', async () => {
    const before = await countEvents()
    const { subscription, invoice, customer } = await subscribe(stripe, ours)
    expect(subscription).toMatchObject({
      status: 'incomplete',
      collection_method: 'charge_automatically',
      currency: 'usd',
      metadata: ours,
    })
    const item = subscription.items.data[0]
    expect(item?.price.unit_amount).toBe(4999)
    expect(item?.current_period_end).toBeGreaterThan(item?.current_period_start ?? Infinity)
    expect(subscription).not.toHaveProperty('current_period_end')
    expect(invoice).toMatchObject({
      status: 'open',
      billing_reason: 'subscription_create',
      amount_due: 4999,
      amount_paid: 0,
      amount_remaining: 4999,
      customer: customer.id,
      parent: { subscription_details: { subscription: subscription.id, metadata: ours } },
    })
    expect(invoice.lines.data[0]).toMatchObject({ amount: 4999, quantity: 1 })
    for (const gone of ['subscription', 'charge', 'payment_intent', 'paid']) {
      expect(invoice).not.toHaveProperty(gone)
    }
    const payment = invoice.payments?.data[0]
    expect(payment).toMatchObject({ status: 'open', amount_requested: 4999, is_default: true })
    const intent = await stripe.paymentIntents.retrieve(String(payment?.payment.payment_intent))
    expect(intent).toMatchObject({ status: 'requires_payment_method', amount: 4999 })
    expect(await eventTypes(before)).toEqual([
      'customer.created',
      'product.created',
      'price.created',
      'invoice.created',
      'invoice.finalized',
      'customer.subscription.created',
    ])
  })

  test('needs payment_behavior=default_incomplete, because nobody has a stored card', async () => {
    const { customer, price } = await subscribe(stripe)
    const order = { customer: customer.id, items: [{ price: price.id }] }
    expect((await problemOf(stripe.subscriptions.create(order))).statusCode).toBe(400)
  })

  test('with invoices to be sent is active at once, and its invoice has a due date', async () => {
    const { customer, price } = await subscribe(stripe)
    const sent = await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id, quantity: 3 }],
      collection_method: 'send_invoice',
      days_until_due: 14,
      expand: ['latest_invoice'],
    })
    const invoice = sent.latest_invoice as Stripe.Invoice
    expect(sent.status).toBe('active')
    expect(invoice).toMatchObject({ status: 'open', amount_due: 14_997 })
    expect(invoice.due_date).toBe(invoice.created + 14 * 24 * 60 * 60)
  })

  test('over nothing is active and paid from the start', async () => {
    const customer = await stripe.customers.create({ name: 'Free' })
    const price = await stripe.prices.create({
      currency: 'usd',
      unit_amount: 0,
      recurring: { interval: 'month' },
      product_data: { name: 'Free' },
    })
    const subscription = await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      payment_behavior: 'default_incomplete',
      expand: ['latest_invoice'],
    })
    expect(subscription.status).toBe('active')
    expect((subscription.latest_invoice as Stripe.Invoice).status).toBe('paid')
  })
})

describe('a payment', () => {
  test('makes a charge, books it without the fee, and activates the subscription', async () => {
    const { subscription, invoice } = await subscribe(stripe, ours)
    const before = await countEvents()
    const { status } = await kit.post(`/invoices/${invoice.id}/pay`)
    expect(status).toBe(200)
    expect(await eventTypes(before)).toEqual([
      'payment_intent.succeeded',
      'charge.succeeded',
      'invoice_payment.paid',
      'invoice.paid',
      'invoice.payment_succeeded',
      'customer.subscription.updated',
    ])
    const paid = await stripe.invoices.retrieve(invoice.id, { expand: ['payments'] })
    expect(paid).toMatchObject({ status: 'paid', amount_paid: 4999, amount_remaining: 0 })
    expect(paid.status_transitions.paid_at).toEqual(expect.any(Number))
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('active')
    const id = String(paid.payments?.data[0]?.payment.payment_intent)
    const intent = await stripe.paymentIntents.retrieve(id, {
      expand: ['latest_charge.balance_transaction'],
    })
    const charge = intent.latest_charge as Stripe.Charge
    expect(charge).toMatchObject({ amount: 4999, paid: true, status: 'succeeded', metadata: ours })
    expect(charge.balance_transaction).toMatchObject({ amount: 4999, fee: 175, net: 4824 })
    const [payment] = (
      await stripe.invoicePayments.list({
        payment: { type: 'payment_intent', payment_intent: id },
      })
    ).data
    expect(payment).toMatchObject({ invoice: invoice.id, amount_paid: 4999, status: 'paid' })
    expect(await stripe.invoicePayments.retrieve(String(payment?.id))).toEqual(payment)
    expect((await stripe.charges.list({ payment_intent: id })).data).toHaveLength(1)
    const deep = await stripe.invoices.retrieve(invoice.id, {
      expand: ['payments.data.payment.payment_intent.latest_charge', 'lines', 'customer'],
    })
    const inside = deep.payments?.data[0]?.payment.payment_intent as Stripe.PaymentIntent
    expect(inside.latest_charge).toMatchObject({ id: charge.id, object: 'charge' })
    expect(deep.customer).toMatchObject({ object: 'customer', name: 'Ada' })
  })

  test('of a part leaves the invoice open for the rest', async () => {
    const { invoice, subscription } = await subscribe(stripe)
    await kit.post(`/invoices/${invoice.id}/pay`, { amount: 2000 })
    const part = await stripe.invoices.retrieve(invoice.id, { expand: ['payments'] })
    expect(part).toMatchObject({ status: 'open', amount_paid: 2000, amount_remaining: 2999 })
    const payments = part.payments?.data.map((one) => [one.status, one.amount_requested])
    expect(payments).toEqual([
      ['open', 2999],
      ['paid', 2000],
    ])
    const over = await kit.post(`/invoices/${invoice.id}/pay`, { amount: 3000 })
    expect(over.status).toBe(409)
    await kit.post(`/invoices/${invoice.id}/pay`)
    const paid = await stripe.invoices.retrieve(invoice.id)
    expect(paid).toMatchObject({ status: 'paid', amount_paid: 4999 })
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('active')
    const charges = await stripe.charges.list({ customer: String(paid.customer) })
    expect(charges.data.map(({ amount }) => amount)).toEqual([2999, 2000])
  })

  test('that fails leaves the invoice open and tells why', async () => {
    const { invoice, subscription } = await subscribe(stripe)
    const before = await countEvents()
    await kit.post(`/invoices/${invoice.id}/fail`)
    expect(await eventTypes(before)).toEqual([
      'charge.failed',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
    ])
    const failed = await stripe.invoices.retrieve(invoice.id)
    expect(failed).toMatchObject({ status: 'open', attempt_count: 1, attempted: true })
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('incomplete')
  })

  test('through the API works with a test card, and a declined card is a card error', async () => {
    const { invoice } = await subscribe(stripe)
    const none = await problemOf(stripe.invoices.pay(invoice.id))
    expect(none).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError)
    const declined = await problemOf(
      stripe.invoices.pay(invoice.id, { payment_method: 'pm_card_chargeDeclined' }),
    )
    expect(declined).toBeInstanceOf(Stripe.errors.StripeCardError)
    expect(declined).toMatchObject({ code: 'card_declined', decline_code: 'generic_decline' })
    expect((await stripe.invoices.retrieve(invoice.id)).attempt_count).toBe(1)
    const paid = await stripe.invoices.pay(invoice.id, { payment_method: 'pm_card_visa' })
    expect(paid.status).toBe('paid')
    const again = await problemOf(
      stripe.invoices.pay(invoice.id, { payment_method: 'pm_card_visa' }),
    )
    expect(again.message).toBe('Invoice is already paid')
  })

  test('out of band emits invoice.paid but neither a charge nor payment_succeeded', async () => {
    const { invoice } = await subscribe(stripe)
    const before = await countEvents()
    const paid = await stripe.invoices.pay(invoice.id, { paid_out_of_band: true })
    expect(paid.status).toBe('paid')
    const types = await eventTypes(before)
    expect(types).toContain('invoice.paid')
    expect(types).not.toContain('invoice.payment_succeeded')
    expect(types).not.toContain('charge.succeeded')
  })
})

describe('invoices', () => {
  test('are found by customer, subscription and status', async () => {
    const { invoice, customer, subscription } = await subscribe(stripe)
    for (const filter of [
      { customer: customer.id },
      { subscription: subscription.id },
      { subscription: subscription.id, status: 'open' as const },
    ]) {
      const { data } = await stripe.invoices.list(filter)
      expect(data.map(({ id }) => id)).toEqual([invoice.id])
    }
    const paid = await stripe.invoices.list({ subscription: subscription.id, status: 'paid' })
    expect(paid.data).toEqual([])
    const lines = await stripe.invoices.listLineItems(invoice.id)
    expect(lines.data[0]?.pricing?.price_details?.price).toEqual(expect.stringMatching(/^price_/))
  })

  test('that are voided cancel their payment and cannot be paid', async () => {
    const { invoice } = await subscribe(stripe)
    const voided = await stripe.invoices.voidInvoice(invoice.id, { expand: ['payments'] })
    expect(voided.status).toBe('void')
    expect(voided.payments?.data[0]?.status).toBe('canceled')
    const problem = await problemOf(
      stripe.invoices.pay(invoice.id, { payment_method: 'pm_card_visa' }),
    )
    expect(problem.statusCode).toBe(400)
    expect((await kit.post(`/invoices/${invoice.id}/pay`)).status).toBe(409)
  })

  test('come with a page and a real PDF', async () => {
    const { invoice } = await subscribe(stripe)
    const pdf = await fetch(String(invoice.invoice_pdf))
    expect(pdf.headers.get('content-type')).toBe('application/pdf')
    const bytes = Buffer.from(await pdf.arrayBuffer()).toString('latin1')
    expect(bytes.startsWith('%PDF')).toBe(true)
    expect(bytes.trimEnd().endsWith('%%EOF')).toBe(true)
    expect((await fetch(String(invoice.hosted_invoice_url))).status).toBe(200)
  })
})

describe('a running subscription', () => {
  test('is changed, and tells what it was before', async () => {
    const { subscription } = await subscribe(stripe, ours)
    const item = subscription.items.data[0]
    const changed = await stripe.subscriptions.update(subscription.id, {
      items: [{ id: String(item?.id), quantity: 2 }],
      proration_behavior: 'none',
      cancel_at_period_end: true,
      metadata: { note: 'two' },
    })
    expect(changed.items.data[0]).toMatchObject({ id: item?.id, quantity: 2 })
    expect(changed).toMatchObject({
      cancel_at_period_end: true,
      metadata: { ...ours, note: 'two' },
    })
    const { data } = await stripe.events.list({ type: 'customer.subscription.updated', limit: 1 })
    expect(data[0]?.data.previous_attributes).toMatchObject({ cancel_at_period_end: false })
    const prorated = stripe.subscriptions.update(subscription.id, {
      items: [{ id: String(item?.id), quantity: 3 }],
    })
    expect((await problemOf(prorated)).message).toContain('proration_behavior=none')
  })

  test('is canceled once', async () => {
    const { subscription, customer } = await subscribe(stripe)
    const canceled = await stripe.subscriptions.cancel(subscription.id)
    expect(canceled).toMatchObject({ status: 'canceled', ended_at: expect.any(Number) })
    expect(await problemOf(stripe.subscriptions.cancel(subscription.id))).toMatchObject({
      statusCode: 404,
      code: 'resource_missing',
    })
    const listed = (status?: 'all') =>
      stripe.subscriptions.list({ customer: customer.id, ...(status ? { status } : {}) })
    expect((await listed()).data).toEqual([])
    expect((await listed('all')).data).toHaveLength(1)
  })

  test('is renewed from its anchor, so that the 31st survives a short month', async () => {
    await kit.post('/clock', { now: '2027-01-31T10:00:00Z' })
    const { subscription, invoice } = await subscribe(stripe, ours)
    await kit.post(`/invoices/${invoice.id}/pay`)
    const ends: string[] = []
    for (let n = 0; n < 3; n += 1) {
      const now = await stripe.subscriptions.retrieve(subscription.id)
      ends.push(new Date((now.items.data[0]?.current_period_end ?? 0) * 1000).toISOString())
      expect((await kit.post(`/subscriptions/${subscription.id}/renew`)).status).toBe(200)
    }
    await kit.post('/clock', { now: null })
    expect(ends.map((end) => end.slice(0, 10))).toEqual(['2027-02-28', '2027-03-31', '2027-04-30'])
    const invoices = await stripe.invoices.list({ subscription: subscription.id })
    expect(invoices.data.map(({ billing_reason }) => billing_reason)).toEqual([
      'subscription_cycle',
      'subscription_cycle',
      'subscription_cycle',
      'subscription_create',
    ])
    const [newest] = invoices.data
    await kit.post(`/invoices/${newest?.id}/fail`)
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('past_due')
    await kit.post(`/invoices/${newest?.id}/pay`)
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('active')
  })
})
