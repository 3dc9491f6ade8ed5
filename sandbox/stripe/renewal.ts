import type { Work } from '../deps.ts'
import { refused } from './errors.ts'
import { emit, emitChange } from './events.ts'
import { openInvoice } from './invoice-make.ts'
import { nextPeriod } from './subscription-make.ts'
import type { Subscription } from './wire.ts'

/** Begins the next period with an open invoice. The clock does not do this by itself. */
export function renew(work: Work, old: Subscription): Subscription {
  if (old.status !== 'active' && old.status !== 'past_due') {
    throw refused(`The subscription ${old.id} is ${old.status}; only a running one is renewed.`)
  }
  if (old.cancel_at_period_end) return end(work, old)
  const data = old.items.data.map((item) => nextPeriod(item, old.billing_cycle_anchor))
  const moved: Subscription = { ...old, items: { ...old.items, data } }
  work.tx.put('subscriptions', moved)
  const invoice = openInvoice(work, moved, 'subscription_cycle')
  const subscription = work.tx.put('subscriptions', { ...moved, latest_invoice: invoice.id })
  emitChange(work, 'customer.subscription.updated', {
    object: subscription,
    before: {
      items: old.items,
      latest_invoice: old.latest_invoice,
    },
  })
  return subscription
}

function end(work: Work, old: Subscription): Subscription {
  const subscription = work.tx.put('subscriptions', {
    ...old,
    status: 'canceled',
    ended_at: work.seconds,
  })
  emit(work, 'customer.subscription.deleted', subscription)
  return subscription
}
