import { inTransaction } from '../../db/database.ts'
import { getPartner } from '../../db/partners.ts'
import { getTenant, recordTenant } from '../../db/provisioning.ts'
import { getSubscriptionOrder } from '../../db/subscriptions.ts'
import { outwardId } from '../../domain/ids.ts'
import { makeOrder, makePartner } from '../support/factories.ts'
import { failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
})
afterEach(async () => {
  await fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
})
afterAll(() => kit.stop())

async function newTenant() {
  const partnerId = await makePartner(kit.db)
  const tenantId = await inTransaction(kit.db, (trx) =>
    recordTenant(trx, { partnerId, name: `Tenant ${partnerId.slice(-6)}` }),
  )
  return { partnerId, tenantId }
}

interface Found {
  id: string
  status: string
  metadata: Record<string, string>
}

async function sandboxObjects(kind: string, key: string, value: string) {
  const { data } = await kit.story.sandbox<{ data: Found[] }>(`/${kind}`)
  return data.filter(({ metadata }) => metadata[key] === value)
}

describe('a tenant', () => {
  it('gets one customer, one subscription and one invitation, however often steps repeat', async () => {
    const { tenantId, partnerId } = await newTenant()
    for (let i = 0; i < 2; i++) {
      await kit.steps.reserveSubdomain({ tenantId })
      await kit.steps.createBillingCustomer({ tenantId })
      await kit.steps.openPlatformSubscription({ tenantId, attempt: 1 })
      await kit.steps.inviteAdministrator({ tenantId, attempt: 1 })
      await kit.steps.activateTenant({ tenantId })
    }
    const id = outwardId('tenant', tenantId)
    expect(await sandboxObjects('customers', 'tenant', id)).toHaveLength(1)
    expect(await sandboxObjects('subscriptions', 'tenant', id)).toHaveLength(1)
    const { contactEmail } = await getPartner(kit.db, partnerId)
    const { data: mails } = await kit.story.sandbox<{ data: { to: string }[] }>('/mails')
    expect(mails.filter(({ to }) => to === contactEmail)).toHaveLength(1)
    expect(await getTenant(kit.db, tenantId)).toMatchObject({ status: 'active' })
  })

  it('gets one subscription also when the answer of its opening was lost', async () => {
    const { tenantId } = await newTenant()
    await kit.steps.createBillingCustomer({ tenantId })
    const fault = { vendor: 'stripe', kind: 'timeout_after_commit', count: 2 } as const
    await kit.fault({ ...fault, path: '/v1/subscriptions' })
    const lost = await failureOf(kit.steps.openPlatformSubscription({ tenantId, attempt: 1 }))
    expect(lost).toBe('vendor_unknown')
    await kit.steps.openPlatformSubscription({ tenantId, attempt: 1 })
    const id = outwardId('tenant', tenantId)
    expect(await sandboxObjects('subscriptions', 'tenant', id)).toHaveLength(1)
  })

  it('is undone step by step, and a second try opens a subscription of its own', async () => {
    const { tenantId } = await newTenant()
    await kit.steps.reserveSubdomain({ tenantId })
    await kit.steps.createBillingCustomer({ tenantId })
    await kit.steps.openPlatformSubscription({ tenantId, attempt: 1 })
    await kit.steps.inviteAdministrator({ tenantId, attempt: 1 })
    for (let i = 0; i < 2; i++) {
      await kit.steps.revokeInvitation({ tenantId })
      await kit.steps.cancelPlatformSubscription({ tenantId })
      await kit.steps.releaseSubdomain({ tenantId })
      await kit.steps.markTenantFailed({ tenantId, problem: 'vendor_refused' })
    }
    const id = outwardId('tenant', tenantId)
    const first = await sandboxObjects('subscriptions', 'tenant', id)
    expect(first.map(({ status }) => status)).toEqual(['canceled'])
    expect(await getTenant(kit.db, tenantId)).toMatchObject({
      status: 'failed',
      subdomain: null,
      vendorSubscriptionId: null,
      problem: 'vendor_refused',
    })
    await kit.steps.openPlatformSubscription({ tenantId, attempt: 2 })
    expect(await sandboxObjects('subscriptions', 'tenant', id)).toHaveLength(2)
  })

  it('is not called ready while a part of it is missing', async () => {
    const { tenantId } = await newTenant()
    expect(await failureOf(kit.steps.activateTenant({ tenantId }))).toBe('not_ready')
  })

  it('can be invited again after its invitation was withdrawn', async () => {
    const { tenantId, partnerId } = await newTenant()
    await kit.steps.inviteAdministrator({ tenantId, attempt: 1 })
    await kit.steps.revokeInvitation({ tenantId })
    await kit.steps.inviteAdministrator({ tenantId, attempt: 2 })
    const { revokedAt } = await kit.db
      .selectFrom('invitations')
      .select('revokedAt')
      .where('partnerId', '=', partnerId)
      .executeTakeFirstOrThrow()
    expect(revokedAt).toBeNull()
  })
})

describe("a customer's order", () => {
  it('opens one customer, price and subscription, however often steps repeat', async () => {
    const order = await makeOrder(kit.db, await makePartner(kit.db))
    const input = { subscriptionId: order.subscriptionId }
    for (let i = 0; i < 2; i++) {
      await kit.steps.createCustomerAtVendor(input)
      await kit.steps.createPriceAtVendor(input)
      await kit.steps.openSubscription(input)
    }
    const id = outwardId('subscription', order.subscriptionId)
    expect(await sandboxObjects('subscriptions', 'subscription', id)).toHaveLength(1)
    expect(await sandboxObjects('invoices', 'subscription', id)).toHaveLength(1)
    expect(await getSubscriptionOrder(kit.db, order.subscriptionId)).toMatchObject({
      status: 'awaiting_payment',
    })
  })

  it('follows the vendor, and is canceled when nobody pays in time', async () => {
    const order = await makeOrder(kit.db, await makePartner(kit.db))
    const input = { subscriptionId: order.subscriptionId }
    await kit.steps.createCustomerAtVendor(input)
    await kit.steps.createPriceAtVendor(input)
    await kit.steps.openSubscription(input)
    expect(await kit.steps.followSubscription(input)).toBe('awaiting_payment')
    await kit.steps.expireSubscription(input)
    expect(await kit.steps.followSubscription(input)).toBe('canceled')
    expect(await getSubscriptionOrder(kit.db, order.subscriptionId)).toMatchObject({
      status: 'canceled',
      problem: 'the first invoice was not paid in time',
    })
  })
})
