import type { Work } from '../deps.ts'
import { emit } from './events.ts'
import type { Subscription } from './wire.ts'

type Kept = Subscription['cancellation_details'] & object
type Details = { [K in 'comment' | 'feedback']?: Kept[K] | undefined }

/** Cancels a subscription now, as somebody asked for it. */
export function endSubscription(
  work: Work,
  old: Subscription,
  details: Details = {},
): Subscription {
  const subscription = work.tx.put('subscriptions', {
    ...old,
    status: 'canceled',
    canceled_at: work.seconds,
    ended_at: work.seconds,
    cancellation_details: {
      comment: details.comment ?? null,
      feedback: details.feedback ?? null,
      feedback_option: null,
      reason: 'cancellation_requested',
    },
  })
  emit(work, 'customer.subscription.deleted', subscription)
  return subscription
}

/** What deleting a customer does to its subscriptions. */
export function endSubscriptionsOf(work: Work, customerId: string): void {
  for (const one of work.tx.all('subscriptions')) {
    const live = one.status !== 'canceled' && one.status !== 'incomplete_expired'
    if (one.customer === customerId && live) endSubscription(work, one)
  }
}
