import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookDispute, bookRefund } from '../../activities/commission/reversals.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { outwardId } from '../../domain/ids.ts'
import { balances, brokenAfter } from '../support/clearing.ts'
import { makeOrder, makePartner } from '../support/factories.ts'
import { failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeEach(async () => {
  kit = await startSteps()
  // Webhooks of the sandbox stay out: these tests book what happens themselves.
  await kit.story.sandbox('/settings', { stripe_endpoints: [] })
})
afterEach(async () => {
  expect((await checkInvariants(kit.db)).violations).toEqual([])
  await kit.stop()
})

interface Listed {
  id: string
  metadata: Record<string, string>
}

/** A customer's order at the sandbox, paid and booked: 99.99 USD. @returns its charge. */
async function paidCharge(): Promise<string> {
  const { steps, story, deps } = kit
  const order = await makeOrder(kit.db, await makePartner(kit.db))
  const input = { subscriptionId: order.subscriptionId }
  await steps.createCustomerAtVendor(input)
  await steps.createPriceAtVendor(input)
  await steps.openSubscription(input)
  const id = outwardId('subscription', order.subscriptionId)
  const { data } = await story.sandbox<{ data: Listed[] }>('/invoices')
  const invoice = data.find(({ metadata }) => metadata.subscription === id)?.id ?? ''
  await story.sandbox(`/invoices/${invoice}/pay`, {})
  const paid = await deps.billing.readInvoice(invoice)
  await bookInvoice(deps, paid)
  return paid.payments[0]?.chargeId ?? ''
}

async function mirrorAndBook(): Promise<void> {
  await kit.steps.mirrorBalance()
  await kit.steps.bookBalance()
}

const act = (path: string, body: object = {}) => kit.story.sandbox<{ id: string }>(path, body)

const revenue = { 'platform_revenue USD': -9_999n }
const paidOnce = { ...revenue, 'stripe_balance USD': 9_679n, 'stripe_fees USD': 320n }

describe('a payment', () => {
  it('leaves clearing for the fee and the balance, once, however often that is repeated', async () => {
    await paidCharge()
    expect(await balances(kit.db)).toMatchObject({ 'stripe_clearing USD': 9_999n })
    await mirrorAndBook()
    expect(await balances(kit.db)).toMatchObject(paidOnce)
    await Promise.all([mirrorAndBook(), mirrorAndBook(), mirrorAndBook()])
    const { 'stripe_clearing USD': left, ...rest } = await balances(kit.db)
    expect(left).toBeUndefined()
    expect(rest).toMatchObject(paidOnce)
    expect(await brokenAfter(kit.db, 30)).toEqual([])
  })

  it('is in clearing again for a refund that Stripe told first, until that is booked, too', async () => {
    const charge = await paidCharge()
    await kit.steps.mirrorBalance()
    const { id } = await act(`/charges/${charge}/refund`, { amount: 4_000 })
    await mirrorAndBook()
    expect(await balances(kit.db)).toMatchObject({
      'stripe_balance USD': 5_679n,
      'stripe_clearing USD': 4_000n,
    })
    await bookRefund(kit.deps, id)
    expect((await balances(kit.db))['stripe_clearing USD']).toBeUndefined()
  })

  it('whose movement was never booked is found after a day, and its clearing after ten', async () => {
    await paidCharge()
    await kit.steps.mirrorBalance()
    expect(await brokenAfter(kit.db, 0)).toEqual([])
    expect(await brokenAfter(kit.db, 2)).toMatchObject([
      { invariant: 'I18', rows: [{ type: 'charge', netMinor: 9_679n, amount: null }] },
    ])
    expect(await brokenAfter(kit.db, 11)).toMatchObject([
      { invariant: 'I18' },
      { invariant: 'I20', rows: [{ account: 'stripe_clearing', amount: 9_999n }] },
    ])
    await kit.steps.bookBalance()
    expect(await brokenAfter(kit.db, 11)).toEqual([])
  })
})

describe('what goes back', () => {
  const restful = async () => {
    expect((await balances(kit.db))['stripe_clearing USD']).toBeUndefined()
    expect(await brokenAfter(kit.db, 30)).toEqual([])
  }

  it('by a refund leaves the balance, and comes to it again when the refund fails', async () => {
    const charge = await paidCharge()
    const { id } = await act(`/charges/${charge}/refund`, { amount: 4_000 })
    await bookRefund(kit.deps, id)
    await mirrorAndBook()
    expect(await balances(kit.db)).toMatchObject({
      ...revenue,
      'refunds USD': 4_000n,
      'stripe_balance USD': 5_679n,
    })
    await restful()
    await act(`/refunds/${id}/fail`)
    await mirrorAndBook()
    expect(await brokenAfter(kit.db, 11)).toMatchObject([{ invariant: 'I20' }])
    await bookRefund(kit.deps, id)
    expect(await balances(kit.db)).toMatchObject(paidOnce)
    await restful()
  })

  it('by a lost dispute leaves the balance with the fee of the dispute', async () => {
    const charge = await paidCharge()
    const { id } = await act(`/charges/${charge}/dispute`)
    await bookDispute(kit.deps, id)
    await mirrorAndBook()
    expect(await balances(kit.db)).toMatchObject({
      'stripe_balance USD': -1_820n,
      'stripe_clearing USD': 9_999n,
    })
    // Until it is decided, that waits as long as it takes.
    expect(await brokenAfter(kit.db, 90)).toEqual([])
    await act(`/disputes/${id}/close`, { outcome: 'lost' })
    await bookDispute(kit.deps, id)
    await mirrorAndBook()
    expect(await balances(kit.db)).toMatchObject({
      ...revenue,
      'refunds USD': 9_999n,
      'stripe_balance USD': -1_820n,
      'stripe_fees USD': 1_820n,
    })
    await restful()
  })

  it('by a dispute that is won comes again with its fee', async () => {
    const charge = await paidCharge()
    const { id } = await act(`/charges/${charge}/dispute`, { amount: 5_000 })
    await bookDispute(kit.deps, id)
    await mirrorAndBook()
    await act(`/disputes/${id}/close`, { outcome: 'won' })
    await bookDispute(kit.deps, id)
    await mirrorAndBook()
    expect(await balances(kit.db)).toMatchObject(paidOnce)
    await restful()
  })

  it('by a refund and a dispute of the whole is more than was paid, and known to stay', async () => {
    const charge = await paidCharge()
    const refund = await act(`/charges/${charge}/refund`, { amount: 4_000 })
    await bookRefund(kit.deps, refund.id)
    const dispute = await act(`/charges/${charge}/dispute`)
    await bookDispute(kit.deps, dispute.id)
    await act(`/disputes/${dispute.id}/close`, { outcome: 'lost' })
    await bookDispute(kit.deps, dispute.id)
    await mirrorAndBook()
    expect(await balances(kit.db)).toMatchObject({
      'refunds USD': 9_999n,
      'stripe_clearing USD': 4_000n,
    })
    expect(await brokenAfter(kit.db, 30)).toEqual([])
  })
})

describe('a vendor that is away', () => {
  it('fails the mirror, not what is told already', async () => {
    await paidCharge()
    await kit.steps.mirrorBalance()
    const path = '/v1/balance_transactions'
    await kit.fault({ vendor: 'stripe', kind: 'error_500', path })
    expect(await failureOf(kit.steps.mirrorBalance())).toBe('vendor_unknown')
    expect(await kit.steps.bookBalance()).toBe(1)
    expect(await kit.steps.bookBalance()).toBe(0)
    expect(await balances(kit.db)).toMatchObject(paidOnce)
  })
})
