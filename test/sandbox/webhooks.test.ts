import Stripe from 'stripe'
import {
  endpointsAt,
  type Kit,
  type Received,
  type Receiver,
  recipient,
  startKit,
  startReceiver,
  subscribe,
  thinSecret,
  until,
  webhookSecret,
} from './kit.ts'

let kit: Kit
let stripe: Stripe
let receiver: Receiver
beforeEach(async () => {
  receiver = await startReceiver()
  kit = await startKit({ endpoints: endpointsAt(receiver.url) })
  stripe = kit.stripe
})
afterEach(async () => {
  await kit.stop()
  await receiver.close()
})

function typeOf({ body }: Received): string {
  return (JSON.parse(body) as { type: string }).type
}

const ofType = (type: string) => (one: Received) => typeOf(one) === type

describe('snapshot events', () => {
  test('are signed so that the SDK accepts them, and carry the whole object', async () => {
    const { invoice } = await subscribe(stripe, { subscription: 'sub_ours' })
    await kit.post(`/invoices/${invoice.id}/pay`)
    const [one] = await receiver.wait(ofType('invoice.paid'))
    const signature = String(one?.headers['stripe-signature'])
    const event = stripe.webhooks.constructEvent(String(one?.body), signature, webhookSecret)
    expect(one?.path).toBe('/snapshot')
    expect(event).toMatchObject({ object: 'event', api_version: Stripe.API_VERSION })
    const paid = event.data.object as Stripe.Invoice
    expect(paid).toMatchObject({ id: invoice.id, status: 'paid', amount_paid: 4999 })
    expect(paid.lines.data).toHaveLength(1)
    expect(await stripe.events.retrieve(event.id)).toMatchObject({ id: event.id })
    expect(() => stripe.webhooks.constructEvent(`${one?.body} `, signature, webhookSecret)).toThrow(
      Stripe.errors.StripeSignatureVerificationError,
    )
  })

  test('reach an endpoint only of the types that it wants, and stay listed all the same', async () => {
    const endpoints = endpointsAt(receiver.url).map((one) => ({
      ...one,
      enabled_events: ['invoice.*', 'customer.deleted'],
    }))
    await kit.post('/settings', { stripe_endpoints: endpoints })
    const { id } = await stripe.customers.create({ name: 'Ada' })
    await stripe.customers.del(id)
    await receiver.wait(ofType('customer.deleted'))
    expect(receiver.received.map(typeOf)).toEqual(['customer.deleted'])
    const listed = await stripe.events.list({ delivery_success: true })
    expect(listed.data.map(({ type }) => type)).toContain('customer.created')
  })

  test('name the request that caused them', async () => {
    const made = await stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'why' })
    const [one] = await receiver.wait(ofType('customer.created'))
    const event = JSON.parse(String(one?.body)) as Stripe.Event
    expect(event.request).toEqual({
      id: made.lastResponse.requestId,
      idempotency_key: 'why',
    })
  })

  test('are sent again until they are taken', async () => {
    receiver.answer(500)
    await stripe.customers.create({ name: 'Ada' })
    await receiver.wait(ofType('customer.created'), 2)
    const { data: waiting } = await stripe.events.list({ delivery_success: false })
    expect(waiting).toHaveLength(1)
    receiver.answer(204)
    await until(async () => (await kit.list('deliveries'))[0]?.state === 'delivered')
    const [first, second] = receiver.received
    expect(second?.body).toBe(first?.body)
    expect((await stripe.events.list({ delivery_success: false })).data).toEqual([])
  })
})

describe('thin events', () => {
  test('go to their own endpoint, and the SDK reads them as notifications', async () => {
    const id = await recipient(kit)
    const changed = 'v2.core.account[configuration.recipient].capability_status_updated'
    const [one] = await receiver.wait(ofType(changed))
    expect(one?.path).toBe('/thin')
    const event = stripe.parseEventNotification(
      String(one?.body),
      String(one?.headers['stripe-signature']),
      thinSecret,
    )
    expect(event).toMatchObject({ type: changed, related_object: { id } })
    expect(JSON.parse(String(one?.body))).not.toHaveProperty('data')
    const account = await (
      event as unknown as { fetchRelatedObject(): Promise<Stripe.V2.Core.Account> }
    ).fetchRelatedObject()
    expect(account.id).toBe(id)
    await receiver.wait(ofType('v2.core.account[requirements].updated'))
  })
})

describe('endpoints', () => {
  test('can be named later, and then get what has waited for them', async () => {
    const elsewhere = await startReceiver()
    receiver.answer(503)
    await stripe.customers.create({ name: 'Early' })
    await receiver.wait(ofType('customer.created'))
    const { status, body } = await kit.post('/settings', {
      stripe_endpoints: [
        { url: `${elsewhere.url}/moved`, secret: 'whsec_moved', payload: 'snapshot' },
      ],
    })
    expect(status).toBe(200)
    expect(JSON.stringify(body)).not.toContain('whsec_')
    const [one] = await elsewhere.wait(ofType('customer.created'))
    stripe.webhooks.constructEvent(
      String(one?.body),
      String(one?.headers['stripe-signature']),
      'whsec_moved',
    )
    await elsewhere.close()
  })
})

describe('faults of webhooks', () => {
  const arm = (kind: string, more: object = {}) =>
    kit.post('/faults', { vendor: 'stripe', kind, ...more })

  test('drop one, and never send it', async () => {
    await arm('drop_webhook', { path: 'customer.' })
    await stripe.customers.create({ name: 'Dropped' })
    await stripe.customers.create({ name: 'Sent' })
    await receiver.wait(ofType('customer.created'))
    const states = (await kit.list('deliveries')).map(({ state }) => state)
    expect(states).toContain('dropped')
    expect(receiver.received.map(({ body }) => JSON.parse(body).data.object.name)).toEqual(['Sent'])
  })

  test('send one twice with the same event id', async () => {
    await arm('duplicate_webhook')
    await stripe.customers.create({ name: 'Twice' })
    const both = await receiver.wait(ofType('customer.created'), 2)
    const ids = both.map(({ body }) => JSON.parse(body).id)
    expect(ids[0]).toBe(ids[1])
  })

  test('delay one, and let later ones pass it', async () => {
    await arm('delay_webhook', { ms: 250, path: 'customer.created' })
    await stripe.customers.create({ name: 'Late' })
    await stripe.products.create({ name: 'Soon' })
    await receiver.wait(ofType('customer.created'))
    expect(receiver.received.map(typeOf)).toEqual(['product.created', 'customer.created'])
  })

  test('mix up the order of many', async () => {
    await arm('reorder_webhooks', { rate: 1, ms: 200 })
    const { invoice } = await subscribe(stripe)
    await kit.post(`/invoices/${invoice.id}/pay`)
    const made = (await kit.list('events')).map(({ type }) => String(type))
    await until(() => receiver.received.length === made.length)
    const got = receiver.received.map(typeOf)
    expect(got).not.toEqual(made)
    expect(got.toSorted()).toEqual(made.toSorted())
  })
})
