import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { getApplication, listTimeline } from '../../db/onboarding/applications.ts'
import { getPartner } from '../../db/partners.ts'
import { getTenant, markTenant, recordTenant, stepsOf } from '../../db/provisioning.ts'
import { getSubscriptionOrder } from '../../db/subscriptions.ts'
import { findBranding } from '../../db/tenant-branding.ts'
import { listOffers } from '../../db/tenant-packages.ts'
import { findQuotas } from '../../db/tenant-quotas.ts'
import { outwardId } from '../../domain/ids.ts'
import { makeApplication, makeOrder, makePartner } from '../support/factories.ts'
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

const path = (tenantId: string, tries = 1, attempt = 1) => {
  const input = { tenantId, attempt, tries }
  return [
    () => kit.steps.prepareTenant(input),
    () => kit.steps.createBillingCustomer(input),
    () => kit.steps.openPlatformSubscription(input),
    () => kit.steps.inviteAdministrator(input),
    () => kit.steps.activateTenant({ tenantId }),
  ]
}

async function whatThereIs(tenantId: string, partnerId: string) {
  const id = outwardId('tenant', tenantId)
  const { contactEmail } = await getPartner(kit.db, partnerId)
  const { data: mails } = await kit.story.sandbox<{ data: { to: string }[] }>('/mails')
  const subscriptions = await sandboxObjects('subscriptions', 'tenant', id)
  return {
    customers: (await sandboxObjects('customers', 'tenant', id)).length,
    subscriptions: subscriptions.filter(({ status }) => status !== 'canceled').length,
    invitations: mails.filter(({ to }) => to === contactEmail).length,
  }
}

const one = { customers: 1, subscriptions: 1, invitations: 1 }

describe('a tenant', () => {
  it('gets one customer, one subscription and one invitation, however often steps repeat', async () => {
    const { tenantId, partnerId } = await newTenant()
    for (const step of path(tenantId)) {
      await step()
      await step()
    }
    for (const step of path(tenantId)) await step()
    expect(await whatThereIs(tenantId, partnerId)).toEqual(one)
    const tenant = await getTenant(kit.db, tenantId)
    expect(tenant).toMatchObject({ status: 'active', problem: null })
    expect(new Set(stepsOf(tenant).map(({ state }) => state))).toEqual(new Set(['done']))
  })

  it.each([
    ['/v1/customers', 1],
    ['/v1/subscriptions', 2],
  ])(
    'gets one of each when the answer of %s is lost and a person tries again',
    async (at, place) => {
      const { tenantId, partnerId } = await newTenant()
      const steps = path(tenantId)
      for (const step of steps.slice(0, place)) await step()
      await kit.fault({ vendor: 'stripe', kind: 'timeout_after_commit', count: 2, path: at })
      expect(await failureOf(steps[place]?.() as Promise<unknown>)).toBe('vendor_unknown')
      for (const step of path(tenantId, 2).slice(place)) await step()
      expect(await whatThereIs(tenantId, partnerId)).toEqual(one)
    },
  )

  it('gets its look, its quotas and every package that there is', async () => {
    const { subscriptionId } = await makeOrder(kit.db, await makePartner(kit.db))
    const { featurePackageId } = await getSubscriptionOrder(kit.db, subscriptionId)
    const { tenantId } = await newTenant()
    await path(tenantId)[0]?.()
    expect(await findBranding(kit.db, tenantId)).toMatchObject({ textColor: '#1a1a1a' })
    expect(await findQuotas(kit.db, tenantId)).toMatchObject({ customers: 100_000 })
    expect(await listOffers(kit.db, tenantId)).toContainEqual(
      expect.objectContaining({ featurePackageId, isOffered: true }),
    )
  })

  it('is undone step by step; its customer stays, because it has an invoice', async () => {
    const { tenantId, partnerId } = await newTenant()
    for (const step of path(tenantId).slice(0, 4)) await step()
    for (let i = 0; i < 2; i++) {
      await kit.steps.revokeInvitation({ tenantId })
      await kit.steps.cancelPlatformSubscription({ tenantId })
      await kit.steps.removeBillingCustomer({ tenantId })
      await kit.steps.clearTenant({ tenantId })
      const problem = 'vendor_refused'
      await kit.steps.markTenantFailed({ tenantId, attempt: 1, problem, left: [] })
    }
    expect(await whatThereIs(tenantId, partnerId)).toEqual({ ...one, subscriptions: 0 })
    const failed = await getTenant(kit.db, tenantId)
    expect(failed).toMatchObject({
      status: 'failed',
      subdomain: null,
      vendorSubscriptionId: null,
      vendorCustomerId: expect.stringMatching(/^cus_/),
      problem: 'vendor_refused',
    })
    expect(stepsOf(failed).map(({ state }) => state)).toEqual([
      ...['undone', 'undone', 'undone', 'undone', 'pending'],
    ])
    for (const step of path(tenantId, 1, 2)) await step()
    expect(await getTenant(kit.db, tenantId)).toMatchObject({ status: 'active', problem: null })
    expect(await whatThereIs(tenantId, partnerId)).toEqual({ ...one, invitations: 2 })
  })

  it('leaves no customer behind that has no invoice, also when its making was not answered', async () => {
    const { tenantId, partnerId } = await newTenant()
    const [prepare, createCustomer] = path(tenantId)
    await prepare?.()
    await kit.fault({
      ...{ vendor: 'stripe', kind: 'timeout_after_commit', count: 2 },
      path: '/v1/customers',
    } as const)
    expect(await failureOf(createCustomer?.() as Promise<unknown>)).toBe('vendor_unknown')
    expect(await whatThereIs(tenantId, partnerId)).toMatchObject({ customers: 1 })
    for (let i = 0; i < 2; i++) await kit.steps.removeBillingCustomer({ tenantId })
    expect(await whatThereIs(tenantId, partnerId)).toMatchObject({ customers: 0 })
    expect(await getTenant(kit.db, tenantId)).toMatchObject({ vendorCustomerId: null })
    // The next attempt makes a customer of its own: the vendor would repeat the first answer.
    for (const step of path(tenantId, 1, 2)) await step()
    expect(await whatThereIs(tenantId, partnerId)).toEqual(one)
  })

  it('cancels a subscription whose opening was never answered', async () => {
    const { tenantId, partnerId } = await newTenant()
    const steps = path(tenantId)
    for (const step of steps.slice(0, 2)) await step()
    await kit.fault({
      ...{ vendor: 'stripe', kind: 'timeout_after_commit', count: 2 },
      path: '/v1/subscriptions',
    } as const)
    expect(await failureOf(steps[2]?.() as Promise<unknown>)).toBe('vendor_unknown')
    await kit.steps.cancelPlatformSubscription({ tenantId })
    expect(await whatThereIs(tenantId, partnerId)).toMatchObject({ subscriptions: 0 })
  })

  it('is not called ready while a part of it is missing, and says which', async () => {
    const { tenantId } = await newTenant()
    const input = { tenantId, attempt: 1, tries: 1 }
    expect(await kit.steps.activateTenant({ tenantId })).toBe('subdomain')
    await kit.steps.prepareTenant(input)
    expect(await kit.steps.activateTenant({ tenantId })).toBe('customer')
    await kit.steps.createBillingCustomer(input)
    expect(await kit.steps.activateTenant({ tenantId })).toBe('subscription')
    await kit.steps.openPlatformSubscription(input)
    expect(await kit.steps.activateTenant({ tenantId })).toBe('invitation')
    // What our own row says is not believed where the vendor says otherwise.
    const { vendorSubscriptionId } = await getTenant(kit.db, tenantId)
    await kit.deps.billing.cancelSubscription(vendorSubscriptionId ?? '')
    expect(await kit.steps.activateTenant({ tenantId })).toBe('subscription')
    await markTenant(kit.db, tenantId, { vendorCustomerId: 'cus_gone' })
    expect(await kit.steps.activateTenant({ tenantId })).toBe('customer')
    expect(await getTenant(kit.db, tenantId)).toMatchObject({ status: 'provisioning' })
  })

  it('of a partner that was terminated meanwhile gets no invitation and is not called ready', async () => {
    const { tenantId, partnerId } = await newTenant()
    const steps = path(tenantId)
    for (const step of steps.slice(0, 3)) await step()
    await sql`update partners set status = 'terminated' where id = ${partnerId}`.execute(kit.db)
    for (const step of [steps[0], steps[3]]) {
      expect(await failureOf(step?.() ?? Promise.resolve())).toBe('partner_not_active')
    }
    expect(await whatThereIs(tenantId, partnerId)).toEqual({ ...one, invitations: 0 })
    await sql`update partners set status = 'active' where id = ${partnerId}`.execute(kit.db)
    await steps[3]?.()
    await sql`update partners set status = 'terminated' where id = ${partnerId}`.execute(kit.db)
    expect(await failureOf(kit.steps.activateTenant({ tenantId }))).toBe('partner_not_active')
    expect(await getTenant(kit.db, tenantId)).toMatchObject({ status: 'provisioning' })
  })

  it('can be invited again after its invitation was withdrawn', async () => {
    const { tenantId, partnerId } = await newTenant()
    await kit.steps.inviteAdministrator({ tenantId, attempt: 1, tries: 1 })
    await kit.steps.revokeInvitation({ tenantId })
    await kit.steps.inviteAdministrator({ tenantId, attempt: 2, tries: 1 })
    const { revokedAt } = await kit.db
      .selectFrom('invitations')
      .select('revokedAt')
      .where('partnerId', '=', partnerId)
      .executeTakeFirstOrThrow()
    expect(revokedAt).toBeNull()
  })

  it('tells who acts next while a step waits, once for each wait', async () => {
    const applicationId = await makeApplication(kit.db)
    await makePartner(kit.db, { id: applicationId })
    const tenantId = await inTransaction(kit.db, (trx) =>
      recordTenant(trx, { partnerId: applicationId, name: 'Waiting' }),
    )
    const waitsUntil = '2026-12-01T00:00:00.000Z'
    const wait = { tenantId, step: 'customer', problem: 'vendor_refused', waitsUntil } as const
    for (let i = 0; i < 2; i++) await kit.steps.markTenantWaiting(wait)
    expect(await getTenant(kit.db, tenantId)).toMatchObject({
      problem: 'customer: vendor_refused',
      waitsUntil: new Date(waitsUntil),
    })
    expect(await getApplication(kit.db, applicationId)).toMatchObject({
      nextActor: 'super_admin',
      dueAt: new Date(waitsUntil),
    })
    for (let i = 0; i < 2; i++) await kit.steps.markTenantResumed({ tenantId, step: 'customer' })
    expect(await getTenant(kit.db, tenantId)).toMatchObject({ problem: null, waitsUntil: null })
    expect(await getApplication(kit.db, applicationId)).toMatchObject({ nextActor: 'system' })
    const told = await listTimeline(kit.db, applicationId, 'decider')
    expect(told.filter(({ stage }) => stage === 'provisioning')).toHaveLength(2)
  })

  it('whose undo failed opens one task for a person, however often the step repeats', async () => {
    const { tenantId } = await newTenant()
    const left = ['cancelPlatformSubscription', 'clearTenant']
    const failed = { tenantId, attempt: 1, problem: 'vendor_refused', left }
    for (let i = 0; i < 2; i++) await kit.steps.markTenantFailed(failed)
    const tasks = await kit.db
      .selectFrom('manualTasks')
      .select(['kind', 'what', 'closedAt'])
      .where('subject', '=', outwardId('tenant', tenantId))
      .orderBy('what')
      .execute()
    expect(tasks).toEqual(left.map((what) => ({ kind: 'undo_failed', what, closedAt: null })))
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
