/** The step of the webhook inbox: books what came in, then tells the processes that wait for it. */
import { log } from '@temporalio/activity'
import {
  listPendingEvents,
  listUndeliveredWakes,
  markEventParked,
  markEventsApplied,
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
import { bookTakenBack } from './payout-exceptions/taken-back.ts'
import { tellOfBalance } from './payouts.ts'
import { wakeForAccount, wakeForSession } from './verification/news.ts'

/** So many events are booked together, the paid invoices among them in one transaction. */
export const inboxBatch = 2_000

/** So many processes are told at once. */
const tellsAtOnce = 8

export interface DrainedInbox {
  /** How many processes were told of something. */
  told: number
  /** True where more waits than one batch takes, or something could not be booked. */
  more: boolean
}

export function inboxActivities(deps: ActivityDeps) {
  const { db } = deps
  return {
    /**
     * Books the next batch and tells who waits for it. Every event is tried; one that cannot ever
     * succeed is parked. Who could not be told stays listed.
     */
    async drainInbox({ vendor }: { vendor: Vendor }): Promise<DrainedInbox> {
      const events = await listPendingEvents(db, vendor, inboxBatch)
      const failures: unknown[] = []
      const batch: Batch = { booked: await bookTogether(deps, events), looks: new Map() }
      for (let next = 0; next < events.length; next += marksAtOnce) {
        failures.push(...(await bookGroup(deps, events.slice(next, next + marksAtOnce), batch)))
      }
      const told = await tellWaiting(deps, vendor)
      // Whatever could be booked is booked; the rest is tried again with the step.
      if (failures.length > 0 && told === 0) throw failures[0]
      return {
        told,
        more: events.length === inboxBatch || told === inboxBatch || failures.length > 0,
      }
    },
  }
}

/** So many events are put away together. */
const marksAtOnce = 100

interface Batch {
  /** Whom to tell of events that are booked already, by their ids. */
  booked: Map<PendingEvent['id'], Wake | null>
  /**
   * What was seen of objects: all events of the batch were there before the first look, so that
   * another look at the same object would see nothing that this one did not.
   */
  looks: Map<string, Promise<Wake | null>>
}

/** @returns the errors of events that have to be tried again. */
async function bookGroup(deps: ActivityDeps, events: PendingEvent[], batch: Batch) {
  const applied: { id: PendingEvent['id']; wake: Wake | null }[] = []
  const failures: unknown[] = []
  for (const event of events) {
    try {
      applied.push({ id: event.id, wake: await applyOnce(deps, event, batch) })
    } catch (error) {
      if (await isLeft(deps, event, error)) failures.push(error)
    }
  }
  await markEventsApplied(deps.db, applied)
  return failures
}

/** Tells each process once of what is booked. @returns how many events told of something. */
async function tellWaiting({ db, processes }: ActivityDeps, vendor: Vendor): Promise<number> {
  const waiting = await listUndeliveredWakes(db, vendor, inboxBatch)
  const each = new Map(waiting.map(({ wake }) => [`${wake.workflowId} ${wake.signal}`, wake]))
  const wakes = [...each.values()]
  for (let next = 0; next < wakes.length; next += tellsAtOnce) {
    await Promise.all(wakes.slice(next, next + tellsAtOnce).map(processes.tell))
  }
  await markWakesDelivered(
    db,
    waiting.map(({ eventRowId }) => eventRowId),
  )
  return waiting.length
}

/**
 * Books the paid invoices of a batch in one transaction. What could not be read, or all where the
 * transaction fails, is tried alone: one that cannot be booked keeps no other waiting.
 */
async function bookTogether(deps: ActivityDeps, events: PendingEvent[]): Promise<Batch['booked']> {
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

/** @returns whether the event is tried again; one that is hopeless is parked. */
async function isLeft(deps: ActivityDeps, event: PendingEvent, error: unknown): Promise<boolean> {
  const problem = problemOf(error)
  const hopeless =
    isDomainError(error) || (error instanceof VendorError && error.failure === 'rejected')
  log.warn('an event could not be booked', { event: event.eventId, type: event.type, problem })
  if (hopeless) await markEventParked(deps.db, event.id, problem)
  else await markEventTried(deps.db, event.id, problem)
  return !hopeless
}

function problemOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

/** Events that are only a reason to look at their object. */
const reasonToLook = /^(v2\.core\.account|identity\.verification_session\.)/

function applyOnce(
  deps: ActivityDeps,
  event: PendingEvent,
  { booked, looks }: Batch,
): Promise<Wake | null> | Wake | null {
  const known = booked.get(event.id)
  if (known !== undefined) return known
  if (!reasonToLook.test(event.type)) return applyEvent(deps, event)
  const seen = looks.get(event.objectId) ?? applyEvent(deps, event)
  looks.set(event.objectId, seen)
  return seen
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
    case 'transfer.reversed':
      await bookTakenBack(deps, objectId)
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
