/** Steps of the webhook inbox: book what came in, then tell the processes that wait for it. */
import { log } from '@temporalio/activity'
import {
  listPendingEvents,
  listUndeliveredWakes,
  markEventApplied,
  markEventParked,
  markEventTried,
  markWakesDelivered,
  type PendingEvent,
  type Wake,
} from '../db/inbox.ts'
import { findAgreementByEnvelope, isLive } from '../db/onboarding/agreements.ts'
import { findSubscriptionByVendorId, markSubscription } from '../db/subscriptions.ts'
import { isDomainError } from '../domain/errors.ts'
import { uuidOf } from '../domain/ids.ts'
import { signalNames, type Vendor, workflowIds } from '../domain/process-names.ts'
import type { PaidInvoice } from '../integrations/stripe-billing.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import { bookInvoice, bookInvoices } from './commission/payments.ts'
import { bookCreditNote, bookDispute, bookRefund } from './commission/reversals.ts'
import type { Sale } from './commission/sales.ts'
import type { ActivityDeps } from './deps.ts'
import { bookBankPayout, noteBankChange } from './payout-exceptions/bank.ts'
import { tellOfBalance } from './payouts.ts'
import { wakeForAccount, wakeForSession } from './verification/news.ts'

/** So many events are booked together, the paid invoices among them in one transaction. */
export const inboxBatch = 2_000

export interface DrainedInbox {
  /** Processes to tell; each stays listed until its delivery is confirmed. */
  wakes: { eventRowId: string; wake: Wake }[]
  /** True where more events wait than one batch takes. */
  more: boolean
}

export function inboxActivities(deps: ActivityDeps) {
  const { db } = deps
  return {
    /** Books the next batch. Every event is tried; one that cannot ever succeed is parked. */
    async drainInbox({ vendor }: { vendor: Vendor }): Promise<DrainedInbox> {
      const events = await listPendingEvents(db, vendor, inboxBatch)
      const booked = await bookTogether(deps, events)
      const failures: unknown[] = []
      for (const event of events) {
        const failure = await bookEvent(deps, event, booked)
        if (failure) failures.push(failure)
      }
      const wakes = await listUndeliveredWakes(db, vendor, inboxBatch)
      // Whatever could be booked is booked; the rest is tried again with the step.
      if (failures.length > 0 && wakes.length === 0) throw failures[0]
      return { wakes, more: events.length === inboxBatch || failures.length > 0 }
    },

    async confirmWakes({ eventRowIds }: { eventRowIds: string[] }): Promise<void> {
      await markWakesDelivered(db, eventRowIds)
    },
  }
}

/** Whom to tell of events that are booked already, by their ids. */
type Booked = Map<PendingEvent['id'], Wake | null>

/**
 * Books the paid invoices of a batch in one transaction. What could not be read, or all where the
 * transaction fails, is tried alone: one that cannot be booked keeps no other waiting.
 */
async function bookTogether(deps: ActivityDeps, events: PendingEvent[]): Promise<Booked> {
  const paid = events.filter(({ type }) => /^invoice\.(paid|voided)$/.test(type))
  if (paid.length < 2) return new Map()
  const read = await readInvoices(deps, paid)
  try {
    const sales = await bookInvoices(
      deps,
      read.map(({ invoice }) => invoice),
    )
    return new Map(read.map(({ eventRowId }, i) => [eventRowId, wakeForSale(sales[i] ?? null)]))
  } catch (error) {
    log.warn('invoices could not be booked together', { problem: problemOf(error) })
    return new Map()
  }
}

/** So many invoices are asked for at once. */
const readsAtOnce = 8

async function readInvoices({ billing }: ActivityDeps, events: PendingEvent[]) {
  const found: { eventRowId: PendingEvent['id']; invoice: PaidInvoice }[] = []
  for (let next = 0; next < events.length; next += readsAtOnce) {
    const group = events.slice(next, next + readsAtOnce)
    const answers = await Promise.allSettled(
      group.map(({ objectId }) => billing.readInvoice(objectId)),
    )
    for (const [i, { id }] of group.entries()) {
      const answer = answers[i]
      if (answer?.status === 'fulfilled') found.push({ eventRowId: id, invoice: answer.value })
    }
  }
  return found
}

/** @returns the error of an event that has to be tried again. */
async function bookEvent(
  deps: ActivityDeps,
  event: PendingEvent,
  booked: Booked,
): Promise<unknown> {
  try {
    const wake = booked.get(event.id)
    await markEventApplied(
      deps.db,
      event.id,
      wake === undefined ? await applyEvent(deps, event) : wake,
    )
    return undefined
  } catch (error) {
    const problem = problemOf(error)
    const hopeless =
      isDomainError(error) || (error instanceof VendorError && error.failure === 'rejected')
    log.warn('an event could not be booked', { event: event.eventId, type: event.type, problem })
    if (!hopeless) {
      await markEventTried(deps.db, event.id, problem)
      return error
    }
    await markEventParked(deps.db, event.id, problem)
    return undefined
  }
}

function problemOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

/** Books one event by what its object is now. @returns whom to tell, or null. */
async function applyEvent(deps: ActivityDeps, event: PendingEvent): Promise<Wake | null> {
  const { type, objectId } = event
  if (event.vendor === 'docusign') return wakeForEnvelope(deps, event)
  if (type.startsWith('v2.core.account')) return wakeForAccount(deps, objectId)
  if (type.startsWith('identity.verification_session.')) return wakeForSession(deps, objectId)
  if (type.startsWith('payout.') && event.account) {
    await bookBankPayout(deps, { account: event.account, payoutId: objectId })
    return null
  }
  switch (type) {
    case 'invoice.paid':
    case 'invoice.voided':
      return wakeForInvoice(deps, objectId)
    case 'credit_note.created':
    case 'credit_note.voided':
      await bookCreditNote(deps, objectId, event.occurredAt)
      return null
    case 'refund.created':
    case 'refund.updated':
    case 'refund.failed':
      await bookRefund(deps, objectId, event.occurredAt)
      return null
    case 'charge.dispute.created':
    case 'charge.dispute.closed':
      await bookDispute(deps, objectId, event.occurredAt)
      return null
    case 'account.external_account.created':
    case 'account.external_account.updated':
      if (event.account) await noteBankChange(deps, event.account)
      return null
    case 'balance.available':
      if (!event.account) await tellOfBalance(deps)
      return null
    case 'customer.subscription.updated':
    case 'customer.subscription.deleted':
      return wakeForSubscription(deps, objectId)
    default:
      return null
  }
}

async function wakeForInvoice(deps: ActivityDeps, invoiceId: string): Promise<Wake | null> {
  return wakeForSale(await bookInvoice(deps, await deps.billing.readInvoice(invoiceId)))
}

function wakeForSale(sale: Sale | null): Wake | null {
  if (!sale?.subscriptionId) return null
  return {
    workflowId: workflowIds.subscription(sale.subscriptionId),
    signal: signalNames.subscriptionChanged,
  }
}

async function wakeForSubscription(deps: ActivityDeps, vendorId: string): Promise<Wake | null> {
  const { status, metadata } = await deps.billing.readSubscription(vendorId)
  const known = await findSubscriptionByVendorId(deps.db, vendorId)
  const id = known?.id ?? uuidOf('subscription', metadata.subscription ?? '')
  if (!id) return null
  await markSubscription(deps.db, id, status)
  return {
    workflowId: workflowIds.subscription(id),
    signal: signalNames.subscriptionChanged,
  }
}

async function wakeForEnvelope(
  deps: ActivityDeps,
  { type, objectId }: PendingEvent,
): Promise<Wake | null> {
  if (!/^envelope-(completed|declined|voided)$/.test(type)) return null
  const agreement = await findAgreementByEnvelope(deps.db, objectId)
  // What we have ended ourselves is news to nobody.
  if (!agreement || !isLive(agreement)) return null
  const { applicationId, termsId, holderId } = agreement
  return {
    workflowId: applicationId
      ? workflowIds.onboarding(applicationId)
      : workflowIds.terms(termsId, holderId),
    signal: signalNames.agreementChanged,
  }
}
