import Stripe from 'stripe'
import { type Kit, problemOf, recipient, startKit, subscribe, until } from './kit.ts'

let kit: Kit
let stripe: Stripe
beforeAll(async () => {
  kit = await startKit()
  stripe = kit.stripe
})
afterAll(() => kit.stop())

const opening = 100_000_000

async function available(currency: string, stripeContext?: string): Promise<number> {
  const balance = await stripe.balance.retrieve({}, stripeContext ? { stripeContext } : {})
  return balance.available.find((one) => one.currency === currency)?.amount ?? 0
}

async function paidCharge(): Promise<Stripe.Charge> {
  const { invoice } = await subscribe(stripe)
  await kit.post(`/invoices/${invoice.id}/pay`)
  const { data } = await stripe.charges.list({ customer: String(invoice.customer) })
  return data[0] as Stripe.Charge
}

async function newTypes(act: () => Promise<unknown>): Promise<string[]> {
  const before = (await kit.list('events')).length
  await act()
  return (await kit.list('events')).slice(before).map(({ type }) => String(type))
}

describe('refunds', () => {
  test('take money from the balance and never more than was charged', async () => {
    const charge = await paidCharge()
    const before = await available('usd')
    let made: Stripe.Refund | undefined
    const types = await newTypes(async () => {
      made = await stripe.refunds.create({
        charge: charge.id,
        amount: 1000,
        reason: 'requested_by_customer',
        metadata: { why: 'goodwill' },
      })
    })
    expect(types).toEqual(['refund.created', 'charge.refunded', 'refund.updated'])
    expect(made).toMatchObject({
      amount: 1000,
      charge: charge.id,
      payment_intent: charge.payment_intent,
      status: 'succeeded',
      metadata: { why: 'goodwill' },
    })
    expect(await available('usd')).toBe(before - 1000)
    const over = await problemOf(stripe.refunds.create({ charge: charge.id, amount: 4000 }))
    expect(over).toMatchObject({ statusCode: 400, param: 'amount' })
    const rest = await stripe.refunds.create({ payment_intent: String(charge.payment_intent) })
    expect(rest.amount).toBe(3999)
    const none = await problemOf(stripe.refunds.create({ charge: charge.id }))
    expect(none.code).toBe('charge_already_refunded')
    const listed = await stripe.refunds.list({ charge: charge.id })
    expect(listed.data.map(({ id }) => id)).toEqual([rest.id, made?.id])
    expect((await stripe.refunds.retrieve(rest.id)).amount).toBe(3999)
    const after = await stripe.charges.retrieve(charge.id, { expand: ['refunds'] })
    expect(after).toMatchObject({ amount_refunded: 4999, refunded: true })
    expect(after.refunds?.data).toHaveLength(2)
  })

  test('may fail later, which gives the money back', async () => {
    const charge = await paidCharge()
    const before = await available('usd')
    const { body } = await kit.post(`/charges/${charge.id}/refund`, {
      amount: 500,
      fail: true,
      fail_after_ms: 50,
    })
    expect(body).toMatchObject({ status: 'succeeded', amount: 500 })
    await until(async () => (await stripe.refunds.retrieve(String(body.id))).status === 'failed')
    expect(await available('usd')).toBe(before)
    expect(await stripe.charges.retrieve(charge.id)).toMatchObject({ amount_refunded: 0 })
    const { data } = await stripe.events.list({
      types: ['refund.failed', 'refund.updated'],
      limit: 2,
    })
    expect(data.map(({ type }) => type)).toEqual(['refund.updated', 'refund.failed'])
  })
})

describe('disputes', () => {
  test('hold the money and the fee, and give both back when they are won', async () => {
    const charge = await paidCharge()
    const before = await available('usd')
    const opened = await newTypes(() => kit.post(`/charges/${charge.id}/dispute`, { amount: 4999 }))
    expect(opened).toEqual(['charge.dispute.created', 'charge.dispute.funds_withdrawn'])
    expect(await available('usd')).toBe(before - 4999 - 1500)
    const [dispute] = (await stripe.disputes.list({ charge: charge.id })).data
    expect(dispute).toMatchObject({ amount: 4999, status: 'needs_response' })
    expect(dispute?.balance_transactions).toHaveLength(1)
    const refund = await problemOf(stripe.refunds.create({ charge: charge.id }))
    expect(refund.code).toBe('charge_disputed')
    const closed = await newTypes(() =>
      kit.post(`/disputes/${dispute?.id}/close`, { outcome: 'won' }),
    )
    expect(closed).toEqual(['charge.dispute.closed', 'charge.dispute.funds_reinstated'])
    expect(await available('usd')).toBe(before)
    expect((await stripe.disputes.retrieve(String(dispute?.id))).status).toBe('won')
  })

  test('that are lost or given up keep the money', async () => {
    const charge = await paidCharge()
    const { body } = await kit.post(`/charges/${charge.id}/dispute`)
    const before = await available('usd')
    const types = await newTypes(() => stripe.disputes.close(String(body.id)))
    expect(types).toEqual(['charge.dispute.closed'])
    expect(await available('usd')).toBe(before)
    const again = await kit.post(`/disputes/${body.id}/close`, { outcome: 'won' })
    expect(again.status).toBe(409)
    expect((await kit.post(`/charges/${charge.id}/dispute`)).status).toBe(409)
  })
})

describe('transfers', () => {
  test('move money to a recipient, and are found by group and destination', async () => {
    const destination = await recipient(kit)
    const before = await available('eur')
    const made = await stripe.transfers.create({
      amount: 1234,
      currency: 'eur',
      destination,
      transfer_group: 'po_1',
      metadata: { partner: 'prt_1', payout: 'pay_1' },
    })
    expect(made).toMatchObject({ amount: 1234, destination, reversed: false })
    expect(await available('eur')).toBe(before - 1234)
    expect(await available('eur', destination)).toBe(1234)
    expect((await stripe.transfers.list({ transfer_group: 'po_1' })).data).toEqual([made])
    expect((await stripe.transfers.list({ destination, limit: 5 })).data).toHaveLength(1)
    expect((await stripe.transfers.list({ transfer_group: 'po_2' })).data).toEqual([])
    const [line] = (await stripe.balanceTransactions.list({ type: 'transfer', limit: 1 })).data
    expect(line).toMatchObject({ amount: -1234, net: -1234, source: made.id })
    const view = (await kit.list('transfers')).at(-1)
    expect(view).toMatchObject({
      id: made.id,
      amount: 1234,
      currency: 'eur',
      destination,
      metadata: { partner: 'prt_1', payout: 'pay_1' },
    })
  })

  test('are reversed in parts, as long as the recipient still has the money', async () => {
    const destination = await recipient(kit)
    const made = await stripe.transfers.create({ amount: 900, currency: 'usd', destination })
    const types = await newTypes(() =>
      stripe.transfers.createReversal(made.id, { amount: 300, metadata: { why: 'test' } }),
    )
    expect(types).toEqual(['transfer.reversed'])
    await kit.post('/balance', { account: destination, currency: 'usd', amount: 100 })
    const short = await problemOf(stripe.transfers.createReversal(made.id))
    expect(short.code).toBe('balance_insufficient')
    await kit.post('/balance', { account: destination, currency: 'usd', amount: 600 })
    const rest = await stripe.transfers.createReversal(made.id)
    expect(rest.amount).toBe(600)
    const after = await stripe.transfers.retrieve(made.id)
    expect(after).toMatchObject({ amount_reversed: 900, reversed: true })
    const reversals = await stripe.transfers.listReversals(made.id)
    expect(reversals.data.map(({ amount }) => amount)).toEqual([600, 300])
    const one = await stripe.transfers.retrieveReversal(made.id, rest.id)
    expect(one).toMatchObject({ id: rest.id, transfer: made.id })
  })

  test('are refused when the platform or the recipient cannot', async () => {
    const destination = await recipient(kit)
    await kit.post('/balance', { currency: 'gbp', amount: 99 })
    const short = await problemOf(
      stripe.transfers.create({ amount: 100, currency: 'gbp', destination }),
    )
    expect(short).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError)
    expect(short).toMatchObject({ statusCode: 400, code: 'balance_insufficient' })
    const account = await stripe.v2.core.accounts.create({
      identity: { country: 'us' },
      configuration: {
        recipient: { capabilities: { stripe_balance: { stripe_transfers: { requested: true } } } },
      },
    })
    const unknown = await problemOf(
      stripe.transfers.create({ amount: 1, currency: 'usd', destination: account.id }),
    )
    expect(unknown).toMatchObject({
      statusCode: 400,
      code: 'insufficient_capabilities_for_transfer',
    })
    const nobody = await problemOf(
      stripe.transfers.create({ amount: 1, currency: 'usd', destination: 'acct_nobody' }),
    )
    expect(nobody).toMatchObject({ statusCode: 400, code: 'resource_missing' })
  })

  test.each([
    ['isk', 500, 550],
    ['ugx', 500, 501],
    ['kwd', 1230, 1234],
  ])('in %s move %i but not %i, as the vendor counts', async (currency, good, bad) => {
    const destination = await recipient(kit)
    const made = await stripe.transfers.create({ amount: good, currency, destination })
    expect(made.amount).toBe(good)
    const odd = await problemOf(stripe.transfers.create({ amount: bad, currency, destination }))
    expect(odd.param).toBe('amount')
  })
})

describe('the balance', () => {
  test('begins with the documented amount in every currency, until it is set', async () => {
    expect(await available('jpy')).toBe(opening)
    await kit.post('/balance', { currency: 'jpy', amount: 7 })
    expect(await available('jpy')).toBe(7)
  })

  test('is told line by line, by type and by time', async () => {
    const charge = await paidCharge()
    const list = await stripe.balanceTransactions.list({
      type: 'charge',
      created: { gte: charge.created },
      limit: 100,
    })
    const line = list.data.find(({ source }) => source === charge.id)
    expect(line).toMatchObject({ amount: 4999, fee: 175, net: 4824, status: 'available' })
    expect(await stripe.balanceTransactions.retrieve(String(line?.id))).toEqual(line)
    const later = await stripe.balanceTransactions.list({ created: { gt: charge.created + 9 } })
    expect(later.data).toEqual([])
  })

  test('of somebody unknown is a permission error', async () => {
    const problem = await problemOf(stripe.balance.retrieve({}, { stripeContext: 'acct_nobody' }))
    expect(problem).toBeInstanceOf(Stripe.errors.StripePermissionError)
  })
})

describe('credit notes', () => {
  test('lower an open invoice, and refund a paid one', async () => {
    const { invoice } = await subscribe(stripe)
    const note = await stripe.creditNotes.create({ invoice: invoice.id, amount: 999 })
    expect(note).toMatchObject({ amount: 999, type: 'pre_payment', status: 'issued' })
    expect((await stripe.invoices.retrieve(invoice.id)).amount_remaining).toBe(4000)
    await kit.post(`/invoices/${invoice.id}/pay`)
    const back = await stripe.creditNotes.create({
      invoice: invoice.id,
      amount: 1000,
      refund_amount: 1000,
    })
    expect(back).toMatchObject({ type: 'post_payment', post_payment_amount: 1000 })
    const [refund] = (await stripe.refunds.list({ limit: 1 })).data
    expect(back.refunds[0]?.refund).toBe(refund?.id)
    const listed = await stripe.creditNotes.list({ invoice: invoice.id })
    expect(listed.data).toHaveLength(2)
    expect(await stripe.creditNotes.retrieve(note.id)).toMatchObject({ id: note.id })
  })
})
