import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import type { ActivityDeps } from '../../activities/deps.ts'
import { recordEvent } from '../../db/inbox.ts'
import { markAgreementSent } from '../../db/onboarding/agreements.ts'
import { findLastSeal, verifySeals } from '../../db/seals.ts'
import { outwardId } from '../../domain/ids.ts'
import { type Vendor, workflowIds } from '../../domain/process-names.ts'
import {
  makeAgreement,
  makeApplication,
  makeOrder,
  makePartner,
  makePayoutAccount,
  paidInvoice,
  unique,
} from '../support/factories.ts'
import { unsealed } from '../support/seals.ts'
import { asSteps, failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
  // Webhooks of the sandbox stay out: these tests put events into the inbox themselves.
  await kit.story.sandbox('/settings', { stripe_endpoints: [] })
})
afterEach(async () => {
  await fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
  await kit.db.deleteFrom('webhookEvents').execute()
})
afterAll(() => kit.stop())

const come = (type: string, objectId: string, vendor: 'stripe' | 'docusign' = 'stripe') =>
  recordEvent(kit.db, {
    vendor,
    eventId: unique('evt'),
    type,
    objectId,
    occurredAt: new Date('2026-10-05T00:00:00Z'),
  })

type Told = Parameters<ActivityDeps['processes']['tell']>[0]

const drainTelling = (
  tell: (message: Told) => Promise<void>,
  { vendor = 'stripe', ...parts }: Partial<ActivityDeps> & { vendor?: Vendor } = {},
) =>
  asSteps({
    ...{ ...kit.deps, ...parts },
    processes: { ...kit.deps.processes, tell },
  }).drainInbox({ vendor })

/** @returns whom a batch told, and of what. */
async function drained(vendor: Vendor, parts: Partial<ActivityDeps> = {}): Promise<Told[]> {
  const told: Told[] = []
  const hear = (message: Told) => {
    told.push(message)
    return Promise.resolve()
  }
  await drainTelling(hear, { vendor, ...parts })
  return told
}

const statuses = async () => {
  const rows = await kit.db
    .selectFrom('webhookEvents')
    .select(['type', 'status', 'attempts'])
    .orderBy('id')
    .execute()
  return rows.map(({ type, status }) => `${type} ${status}`)
}

/** An order at the sandbox whose first invoice is paid. */
async function paidOrder() {
  const order = await makeOrder(kit.db, await makePartner(kit.db))
  const input = { subscriptionId: order.subscriptionId }
  await kit.steps.createCustomerAtVendor(input)
  await kit.steps.createPriceAtVendor(input)
  await kit.steps.openSubscription(input)
  const id = outwardId('subscription', order.subscriptionId)
  const { data } = await kit.story.sandbox<{
    data: { id: string; metadata: Record<string, string> }[]
  }>('/invoices')
  const invoice = data.find(({ metadata }) => metadata.subscription === id)
  await kit.story.sandbox(`/invoices/${invoice?.id}/pay`, {})
  return { ...order, invoiceId: invoice?.id ?? '' }
}

const accruals = async (partnerId: string) =>
  kit.db.selectFrom('accruals').select('amountMinor').where('partnerId', '=', partnerId).execute()

describe('an event', () => {
  it('is kept once by its id', async () => {
    const event = {
      vendor: 'stripe' as const,
      eventId: unique('evt'),
      type: 'invoice.paid',
      objectId: 'in_1',
      occurredAt: new Date(),
    }
    const kept = await Promise.all(Array.from({ length: 10 }, () => recordEvent(kit.db, event)))
    expect(kept.filter(Boolean)).toHaveLength(1)
  })

  it('of a paid invoice is booked once, and tells the order until that is heard', async () => {
    const order = await paidOrder()
    await come('invoice.paid', order.invoiceId)
    const away = new Error('the engine does not answer')
    expect(await failureOf(drainTelling(() => Promise.reject(away)))).toBe('internal')
    expect(await accruals(order.partnerId)).toEqual([{ amountMinor: 2_000n }])
    expect(await statuses()).toEqual(['invoice.paid applied'])
    const workflowId = workflowIds.subscription(order.subscriptionId)
    expect(await drained('stripe')).toEqual([{ workflowId, signal: 'subscriptionChanged' }])
    expect(await drained('stripe')).toEqual([])
    expect(await statuses()).toEqual(['invoice.paid done'])
    expect(await accruals(order.partnerId)).toHaveLength(1)
  })

  it('that comes with others about the same object needs one look and one telling', async () => {
    const partnerId = await makePartner(kit.db)
    const owner = { name: 'A', email: 'a@a.example', country: 'US', metadata: {} }
    const account = await kit.deps.connect.openPayoutAccount(owner, unique('key'))
    await makePayoutAccount(kit.db, partnerId, account)
    for (const what of ['requirements', 'configuration.recipient', 'identity']) {
      await come(`v2.core.account[${what}].updated`, account)
    }
    const looks: string[] = []
    const connect = {
      ...kit.deps.connect,
      readVerification: (id: string) => {
        looks.push(id)
        return kit.deps.connect.readVerification(id)
      },
    }
    await drained('stripe', { connect })
    expect(looks).toEqual([account])
    const agreement = await makeAgreement(kit.db, await makeApplication(kit.db))
    const envelope = randomUUIDv7()
    await markAgreementSent(kit.db, agreement.id, envelope)
    for (const _twice of [1, 2]) await come('envelope-completed', envelope, 'docusign')
    expect(await drained('docusign')).toHaveLength(1)
    const left = (await statuses()).filter((status) => !status.endsWith(' done'))
    expect(left).toEqual([])
  })

  it('that comes among others is booked with them, one that cannot be read alone', async () => {
    const orders = [await paidOrder(), await paidOrder(), await paidOrder()]
    for (const { invoiceId } of orders) await come('invoice.paid', invoiceId)
    await come('invoice.paid', 'in_unknown')
    const told = await drained('stripe')
    expect(told.map(({ workflowId }) => workflowId)).toEqual(
      orders.map(({ subscriptionId }) => workflowIds.subscription(subscriptionId)),
    )
    const journals = await kit.db
      .selectFrom('ledgerJournals')
      .innerJoin('linePayments', 'linePayments.id', 'ledgerJournals.sourceId')
      .select('ledgerJournals.xid')
      .distinct()
      .where(
        'linePayments.partnerId',
        'in',
        orders.map(({ partnerId }) => partnerId),
      )
      .execute()
    expect(journals).toHaveLength(1)
    for (const { partnerId } of orders) {
      expect(await accruals(partnerId)).toEqual([{ amountMinor: 2_000n }])
    }
    expect((await statuses()).at(-1)).toBe('invoice.paid parked')
  })

  it('of an order that does not exist leaves the others of its batch to be booked', async () => {
    const [order, lost] = [await paidOrder(), await paidOrder()]
    await kit.db.transaction().execute(async (trx) => {
      await sql`set local session_replication_role = replica`.execute(trx)
      await trx.deleteFrom('subscriptions').where('id', '=', lost.subscriptionId).execute()
    })
    await come('invoice.paid', lost.invoiceId)
    await come('invoice.paid', order.invoiceId)
    await kit.steps.drainInbox({ vendor: 'stripe' })
    expect(await statuses()).toEqual(['invoice.paid parked', 'invoice.paid done'])
    expect(await accruals(order.partnerId)).toHaveLength(1)
  })

  it('that means nothing to us is done without effect', async () => {
    await come('customer.created', 'cus_1')
    await come('envelope-sent', 'unknown', 'docusign')
    await kit.steps.drainInbox({ vendor: 'stripe' })
    await kit.steps.drainInbox({ vendor: 'docusign' })
    expect(await statuses()).toEqual(['customer.created done', 'envelope-sent done'])
  })

  it('that can never be booked is parked for a person and stops no other', async () => {
    const order = await paidOrder()
    await come('invoice.paid', 'in_unknown')
    await come('invoice.paid', order.invoiceId)
    await kit.steps.drainInbox({ vendor: 'stripe' })
    expect(await statuses()).toEqual(['invoice.paid parked', 'invoice.paid done'])
  })

  it('that meets a vendor in trouble waits, and is booked with the next try', async () => {
    const order = await paidOrder()
    await come('invoice.paid', order.invoiceId)
    await kit.fault({ vendor: 'stripe', kind: 'error_500', path: '/v1/invoices', count: 1 })
    expect(await failureOf(kit.steps.drainInbox({ vendor: 'stripe' }))).toBe('vendor_unknown')
    expect(await statuses()).toEqual(['invoice.paid pending'])
    await kit.steps.drainInbox({ vendor: 'stripe' })
    expect(await statuses()).toEqual(['invoice.paid done'])
    expect(await accruals(order.partnerId)).toHaveLength(1)
  })

  it('of a signed envelope tells the application', async () => {
    const applicationId = await makeApplication(kit.db)
    const envelope = randomUUIDv7()
    const agreement = await makeAgreement(kit.db, applicationId)
    await markAgreementSent(kit.db, agreement.id, envelope)
    await come('envelope-completed', envelope, 'docusign')
    expect(await drained('docusign')).toEqual([
      { workflowId: workflowIds.onboarding(applicationId), signal: 'agreementChanged' },
    ])
  })

  it('of an account of an active partner is followed, because nobody is verified for ever', async () => {
    const partnerId = await makePartner(kit.db)
    const owner = { name: 'P', email: 'p@p.example', country: 'US', metadata: {} }
    const account = await kit.deps.connect.openPayoutAccount(owner, unique('key'))
    await makePayoutAccount(kit.db, partnerId, account)
    await come('v2.core.account[requirements].updated', account)
    expect(await drained('stripe')).toEqual([])
    const { status } = await kit.db
      .selectFrom('payoutAccounts')
      .select('status')
      .where('partnerId', '=', partnerId)
      .executeTakeFirstOrThrow()
    expect(status).toBe('needs_input')
  })
})

describe('the sweeper', () => {
  it('wakes inboxes that hold something and starts what was committed and never started', async () => {
    const applicationId = await makeApplication(kit.db)
    const order = await makeOrder(kit.db, await makePartner(kit.db))
    await kit.db
      .updateTable('applications')
      .set({ submittedAt: new Date(0) })
      .execute()
    await kit.db
      .updateTable('subscriptions')
      .set({ createdAt: new Date(0) })
      .execute()
    await come('invoice.paid', 'in_1')
    await kit.steps.sweep()
    await kit.steps.sweep()
    const describe = (id: string) => kit.temporal.workflow.getHandle(id).describe()
    for (const id of [
      workflowIds.inbox('stripe'),
      workflowIds.onboarding(applicationId),
      workflowIds.subscription(order.subscriptionId),
    ]) {
      expect((await describe(id)).status.name).toBe('RUNNING')
    }
  })

  it('seals what was booked since its last round', async () => {
    const order = await makeOrder(kit.db, await makePartner(kit.db))
    await bookInvoice({ db: kit.db }, paidInvoice(order))
    while ((await unsealed(kit.db)).length > 0) await kit.steps.sweep()
    expect(await findLastSeal(kit.db)).toBeDefined()
    expect(await verifySeals(kit.db)).toEqual([])
  })
})
