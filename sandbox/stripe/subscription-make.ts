import type { Work } from '../deps.ts'
import { newId } from '../ids.ts'
import { invalid } from './errors.ts'
import { whole } from './lists.ts'
import { type MetadataPatch, mergeMetadata } from './params.ts'
import type { Customer, Price, Subscription, SubscriptionItem } from './wire.ts'

export interface ItemOrder {
  price: Price
  quantity: number
  metadata: Record<string, string>
}

export interface SubscriptionOrder {
  customer: Customer
  items: ItemOrder[]
  collection: 'charge_automatically' | 'send_invoice'
  params: {
    days_until_due: number | undefined
    billing_mode:
      | {
          type: 'classic' | 'flexible'
          flexible: { proration_discounts: 'included' | 'itemized' | undefined } | undefined
        }
      | undefined
    cancel_at_period_end: boolean | undefined
    currency: string | undefined
    description: string | undefined
    payment_settings:
      | { save_default_payment_method: 'off' | 'on_subscription' | undefined }
      | undefined
    metadata: MetadataPatch | undefined
  }
}

/** A subscription that has neither an invoice nor its final status yet. */
export function newSubscription(work: Work, order: SubscriptionOrder): Subscription {
  const { customer, items, collection, params } = order
  const id = newId('sub')
  const currency = currencyOf(items, params.currency)
  const data = items.map((item) => newItem(work, id, item))
  const ending = params.cancel_at_period_end ?? false
  return {
    id,
    object: 'subscription',
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: work.seconds,
    billing_cycle_anchor_config: null,
    billing_mode: billingMode(work, params.billing_mode),
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: ending ? (data[0]?.current_period_end ?? null) : null,
    cancel_at_period_end: ending,
    canceled_at: ending ? work.seconds : null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: collection,
    created: work.seconds,
    currency,
    customer: customer.id,
    customer_account: null,
    days_until_due: params.days_until_due ?? null,
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: params.description ?? null,
    discounts: [],
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: 'self' },
    },
    items: whole(`/v1/subscription_items?subscription=${id}`, data),
    latest_invoice: null,
    livemode: false,
    managed_payments: null,
    metadata: mergeMetadata({}, params.metadata),
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: params.payment_settings?.save_default_payment_method ?? 'off',
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: work.seconds,
    status: 'incomplete',
    test_clock: null,
    transfer_data: null,
    trial_end: null,
    trial_settings: {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: 'create_invoice' },
    },
    trial_start: null,
  }
}

function currencyOf(items: ItemOrder[], asked: string | undefined): string {
  const [first, ...rest] = items
  if (first === undefined) {
    throw invalid('Missing required param: items.', { code: 'parameter_missing', param: 'items' })
  }
  const currency = asked?.toLowerCase() ?? first.price.currency
  const odd = [first, ...rest].find(({ price }) => price.currency !== currency)
  if (odd) {
    throw invalid(
      `The price specified only supports \`${odd.price.currency}\`. This doesn't match the ` +
        `expected currency: \`${currency}\`.`,
      { param: 'items' },
    )
  }
  return currency
}

function billingMode(
  work: Work,
  asked: SubscriptionOrder['params']['billing_mode'],
): Subscription['billing_mode'] {
  if (asked?.type === 'classic') return { flexible: null, type: 'classic' }
  const proration_discounts = asked?.flexible?.proration_discounts ?? 'itemized'
  return { flexible: { proration_discounts }, type: 'flexible', updated_at: work.seconds }
}

export function newItem(work: Work, subscription: string, order: ItemOrder): SubscriptionItem {
  const { price, quantity, metadata } = order
  return {
    id: newId('si', 14),
    object: 'subscription_item',
    billing_thresholds: null,
    created: work.seconds,
    current_period_end: boundary(work.seconds, price, 1),
    current_period_start: work.seconds,
    current_trial: null,
    discounts: [],
    metadata,
    plan: planOf(price),
    price,
    quantity,
    subscription,
    tax_rates: [],
  }
}

/** The old name of a recurring price, which items still carry beside it. */
function planOf(price: Price): SubscriptionItem['plan'] {
  return {
    id: price.id,
    object: 'plan',
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: 'per_unit',
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? 'month',
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: false,
    metadata: price.metadata,
    meter: null,
    nickname: price.nickname,
    product: price.product,
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: 'licensed',
  }
}

/** The end of the n-th period after the anchor; the 31st of a short month is its last day. */
export function boundary(anchor: number, { recurring }: Price, n: number): number {
  const count = (recurring?.interval_count ?? 1) * n
  const day = 24 * 60 * 60
  if (recurring?.interval === 'day') return anchor + count * day
  if (recurring?.interval === 'week') return anchor + count * 7 * day
  const months = recurring?.interval === 'year' ? 12 * count : count
  const date = new Date(anchor * 1000)
  const wanted = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(wanted, last))
  return Math.floor(date.getTime() / 1000)
}

/** The item in the period that follows its present one. */
export function nextPeriod(item: SubscriptionItem, anchor: number): SubscriptionItem {
  let n = 1
  while (boundary(anchor, item.price, n) <= item.current_period_end) n += 1
  return {
    ...item,
    current_period_start: item.current_period_end,
    current_period_end: boundary(anchor, item.price, n),
  }
}
