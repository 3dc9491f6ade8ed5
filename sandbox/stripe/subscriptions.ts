import type { Work } from '../deps.ts'
import { customerNamed, previously } from './customers.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { invalid, missing } from './errors.ts'
import { emit, emitChange } from './events.ts'
import { openInvoice } from './invoice-make.ts'
import { page, paging } from './lists.ts'
import {
  bool,
  clearable,
  group,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  range,
  required,
  text,
  type Values,
  within,
} from './params.ts'
import { endSubscription } from './subscription-end.ts'
import { newItem, newSubscription } from './subscription-make.ts'
import type { Subscription, SubscriptionItem } from './wire.ts'

const feedback = [
  'customer_service',
  'low_quality',
  'missing_features',
  'other',
  'switched_service',
  'too_complex',
  'too_expensive',
  'unused',
] as const
const cancellation = group({ comment: clearable(text()), feedback: clearable(oneOf(feedback)) })

const createFields = {
  customer: required(text()),
  items: required(
    list(group({ price: required(text()), quantity: integer(0), metadata: metadata() })),
  ),
  payment_behavior: oneOf([
    'allow_incomplete',
    'default_incomplete',
    'error_if_incomplete',
  ] as const),
  collection_method: oneOf(['charge_automatically', 'send_invoice'] as const),
  days_until_due: integer(0, 365),
  billing_mode: group({
    type: required(oneOf(['classic', 'flexible'] as const)),
    flexible: group({ proration_discounts: oneOf(['included', 'itemized'] as const) }),
  }),
  cancel_at_period_end: bool(),
  currency: text(),
  description: text(500),
  off_session: bool(),
  payment_settings: group({
    save_default_payment_method: oneOf(['off', 'on_subscription'] as const),
  }),
  proration_behavior: oneOf(['always_invoice', 'create_prorations', 'none'] as const),
  metadata: metadata(),
}

const updateFields = {
  items: list(
    group({
      id: required(text()),
      price: text(),
      quantity: integer(0),
      metadata: metadata(),
    }),
  ),
  cancel_at_period_end: bool(),
  cancellation_details: cancellation,
  description: clearable(text(500)),
  payment_behavior: text(),
  proration_behavior: oneOf(['always_invoice', 'create_prorations', 'none'] as const),
  metadata: metadata(),
}

export const subscriptionEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v1/subscriptions',
    params: createFields,
    run: (work, { params }) => create(work, params),
  }),
  endpoint({
    on: 'GET /v1/subscriptions',
    params: {
      ...paging,
      customer: text(),
      price: text(),
      status: text(),
      collection_method: text(),
      created: range(),
    },
    run(work, { params }) {
      const { customer, price, status, collection_method, created } = params
      const rows = work.tx.all('subscriptions').filter((one) => {
        if (customer !== undefined && one.customer !== customer) return false
        if (price && !one.items.data.some((item) => item.price.id === price)) return false
        if (collection_method && one.collection_method !== collection_method) return false
        return within(one.created, created) && hasStatus(one.status, status)
      })
      return page('/v1/subscriptions', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/subscriptions/:id',
    params: {},
    run: (work, call) => found(work.tx.get('subscriptions', idIn(call)), 'subscription', call),
  }),
  endpoint({
    on: 'POST /v1/subscriptions/:id',
    params: updateFields,
    run(work, call) {
      const old = found(work.tx.get('subscriptions', idIn(call)), 'subscription', call)
      return update(work, old, call.params)
    },
  }),
  endpoint({
    on: 'DELETE /v1/subscriptions/:id',
    params: { cancellation_details: cancellation, invoice_now: bool(), prorate: bool() },
    run(work, call) {
      const old = found(work.tx.get('subscriptions', idIn(call)), 'subscription', call)
      if (old.status === 'canceled') throw missing('subscription', old.id)
      return endSubscription(work, old, call.params.cancellation_details)
    },
  }),
]

/** Without a wish, what has ended is left out. */
function hasStatus(status: string, wanted: string | undefined): boolean {
  if (wanted === 'all') return true
  if (wanted === 'ended') return status === 'canceled' || status === 'incomplete_expired'
  if (wanted !== undefined) return status === wanted
  return status !== 'canceled' && status !== 'incomplete_expired'
}

function create(work: Work, params: Values<typeof createFields>): Subscription {
  const customer = customerNamed(work, params.customer)
  const collection = params.collection_method ?? 'charge_automatically'
  if (collection === 'send_invoice' && params.days_until_due === undefined) {
    throw invalid(
      'You must pass `days_until_due` if you are using `collection_method=send_invoice`',
      { code: 'parameter_missing', param: 'days_until_due' },
    )
  }
  if (collection === 'charge_automatically' && params.payment_behavior !== 'default_incomplete') {
    // Nobody has a stored payment method here, so only the other two ways can begin.
    throw invalid(
      'This customer has no attached payment source or default payment method. Please consider ' +
        'adding a default payment method.',
      { code: 'resource_missing' },
    )
  }
  const items = params.items.map((item, index) => ({
    price: recurringPrice(work, item.price, `items[${index}][price]`),
    quantity: item.quantity ?? 1,
    metadata: mergeMetadata({}, item.metadata),
  }))
  const draft = newSubscription(work, { customer, items, collection, params })
  if (customer.currency === null) {
    work.tx.put('customers', { ...customer, currency: draft.currency })
  }
  work.tx.put('subscriptions', draft)
  const invoice = openInvoice(work, draft, 'subscription_create')
  const active = collection === 'send_invoice' || invoice.status === 'paid'
  const subscription = work.tx.put('subscriptions', {
    ...draft,
    latest_invoice: invoice.id,
    status: active ? 'active' : 'incomplete',
  })
  emit(work, 'customer.subscription.created', subscription)
  return subscription
}

function recurringPrice(work: Work, id: string, param: string) {
  const price = work.tx.get('prices', id)
  if (price === undefined) throw missing('price', id, param)
  const details = { param }
  if (!price.active) throw invalid(`The price specified is inactive: ${id}`, details)
  if (price.recurring === null) {
    throw invalid(`The price specified is set to \`type=one_time\`: ${id}`, details)
  }
  return price
}

function update(work: Work, old: Subscription, params: Values<typeof updateFields>): Subscription {
  if (old.status === 'canceled') {
    throw invalid('A canceled subscription can only update its cancellation_details and metadata.')
  }
  if (params.items !== undefined && params.proration_behavior !== 'none') {
    throw invalid('This sandbox changes items only with proration_behavior=none.', {
      param: 'proration_behavior',
    })
  }
  const { cancel_at_period_end: ending, description, metadata: patch } = params
  const items = params.items && changedItems(work, old, params.items)
  const end = old.items.data[0]?.current_period_end ?? null
  const changes: Partial<Subscription> = {
    ...(description === undefined ? {} : { description }),
    ...(patch === undefined ? {} : { metadata: mergeMetadata(old.metadata, patch) }),
    ...(items === undefined ? {} : { items: { ...old.items, data: items } }),
    ...(ending === undefined
      ? {}
      : {
          cancel_at_period_end: ending,
          cancel_at: ending ? end : null,
          canceled_at: ending ? work.seconds : null,
        }),
  }
  const subscription = work.tx.put('subscriptions', { ...old, ...changes })
  emitChange(work, 'customer.subscription.updated', {
    object: subscription,
    before: previously(old, changes),
  })
  return subscription
}

type ItemPatch = NonNullable<Values<typeof updateFields>['items']>[number]

function changedItems(work: Work, old: Subscription, patches: ItemPatch[]): SubscriptionItem[] {
  const changed = new Map(
    patches.map((patch, index) => {
      const item = old.items.data.find(({ id }) => id === patch.id)
      if (item === undefined) {
        throw missing('subscription item', patch.id, `items[${index}][id]`)
      }
      const price = patch.price
        ? recurringPrice(work, patch.price, `items[${index}][price]`)
        : item.price
      const made = newItem(work, old.id, {
        price,
        quantity: patch.quantity ?? item.quantity ?? 1,
        metadata: mergeMetadata(item.metadata, patch.metadata),
      })
      const { id, created, current_period_start, current_period_end } = item
      return [id, { ...made, id, created, current_period_start, current_period_end }]
    }),
  )
  return old.items.data.map((item) => changed.get(item.id) ?? item)
}
