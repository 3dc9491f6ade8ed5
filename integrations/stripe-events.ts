/** The events that Stripe keeps for thirty days: what a lost webhook would have said. */
import type Stripe from 'stripe'
import { callStripe } from './stripe-client.ts'
import type { VerifiedEvent } from './stripe-webhooks.ts'

export type StripeEvents = ReturnType<typeof stripeEvents>

/** Events that move money in our books. */
export const moneyEventTypes = [
  'invoice.paid',
  'invoice.voided',
  'credit_note.created',
  'credit_note.voided',
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.closed',
]

/** Events that say that a check of a company or of a person has news. */
const accountEventTypes = [
  'v2.core.account[requirements].updated',
  'v2.core.account[configuration.recipient].capability_status_updated',
  'v2.core.account.closed',
]
const sessionEventTypes = ['processing', 'requires_input', 'verified', 'canceled', 'redacted'].map(
  (what) => `identity.verification_session.${what}`,
)

/**
 * What the two webhook destinations have to be told of, and nothing else: of what the inbox only
 * puts away, no delivery is worth its way.
 */
export const webhookEventTypes = {
  snapshot: [
    ...moneyEventTypes,
    ...sessionEventTypes,
    'customer.subscription.updated',
    'customer.subscription.deleted',
    'balance.available',
    'transfer.reversed',
    // Of connected accounts.
    ...['created', 'updated', 'paid', 'failed', 'canceled', 'reconciliation_completed'].map(
      (what) => `payout.${what}`,
    ),
    'account.external_account.created',
    'account.external_account.updated',
  ],
  thin: accountEventTypes,
}

export function stripeEvents(stripe: Stripe) {
  return {
    /** Every event about verification since the instant; a page is asked for when it is needed. */
    async *listVerificationEvents(from: Date): AsyncGenerator<VerifiedEvent> {
      const query = { types: accountEventTypes, created: { gte: seconds(from) }, limit: 100 }
      let accounts = await callStripe(stripe.v2.core.events.list(query))
      for (;;) {
        for (const event of accounts.data) {
          const related = 'related_object' in event ? event.related_object : null
          if (!related || !('id' in related)) continue
          const { id: eventId, type } = event
          const objectId = String(related.id)
          yield { eventId, type, objectId, occurredAt: new Date(event.created) }
        }
        const next = accounts.next_page_url
        if (!next) break
        accounts = await callStripe(stripe.rawRequest('GET', next) as Promise<typeof accounts>)
      }
      const created = { gte: seconds(from) }
      let after: string | undefined
      do {
        const page = await callStripe(
          stripe.events.list({
            types: sessionEventTypes,
            created,
            limit: 100,
            ...(after ? { starting_after: after } : {}),
          }),
        )
        for (const event of page.data) yield snapshotOf(event)
        after = page.has_more ? page.data.at(-1)?.id : undefined
      } while (after)
    },

    /** One page of money events that happened in the range, newest first. */
    async listMoneyEvents(range: {
      from: Date
      until: Date
      after: string | null
    }): Promise<{ events: VerifiedEvent[]; next: string | null }> {
      const page = await callStripe(
        stripe.events.list({
          types: moneyEventTypes,
          created: { gte: seconds(range.from), lt: seconds(range.until) },
          limit: 100,
          ...(range.after ? { starting_after: range.after } : {}),
        }),
      )
      const events = page.data.map(snapshotOf)
      return { events, next: page.has_more ? (events.at(-1)?.eventId ?? null) : null }
    },
  }
}

function snapshotOf(event: Stripe.Event): VerifiedEvent {
  return {
    eventId: event.id,
    type: event.type,
    objectId: 'id' in event.data.object ? String(event.data.object.id) : event.id,
    occurredAt: new Date(event.created * 1000),
  }
}

const seconds = (instant: Date) => Math.floor(instant.getTime() / 1000)
