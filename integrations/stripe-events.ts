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

export function stripeEvents(stripe: Stripe) {
  return {
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
      const events = page.data.map((event) => ({
        eventId: event.id,
        type: event.type,
        objectId: 'id' in event.data.object ? String(event.data.object.id) : event.id,
        occurredAt: new Date(event.created * 1000),
      }))
      return { events, next: page.has_more ? (events.at(-1)?.eventId ?? null) : null }
    },
  }
}

const seconds = (instant: Date) => Math.floor(instant.getTime() / 1000)
