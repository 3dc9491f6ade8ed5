import type { Work } from '../deps.ts'
import { newId, randomText } from '../ids.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { missing } from './errors.ts'
import { emit, emitChange } from './events.ts'
import { page, paging } from './lists.ts'
import {
  clearable,
  group,
  mergeMetadata,
  metadata,
  oneOf,
  range,
  text,
  type Values,
  within,
} from './params.ts'
import { endSubscriptionsOf } from './subscription-end.ts'
import type { Customer } from './wire.ts'

const addressFields = {
  city: clearable(text()),
  country: clearable(text()),
  line1: clearable(text()),
  line2: clearable(text()),
  postal_code: clearable(text()),
  state: clearable(text()),
}

const fields = {
  name: clearable(text(256)),
  email: clearable(text(512)),
  description: clearable(text()),
  phone: clearable(text(20)),
  address: clearable(group(addressFields)),
  tax_exempt: clearable(oneOf(['exempt', 'none', 'reverse'])),
  metadata: metadata(),
}

export const customerEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v1/customers',
    params: fields,
    run(work, { params }) {
      const customer = work.tx.put('customers', { ...blank(work), ...changes(params, {}) })
      emit(work, 'customer.created', customer)
      return customer
    },
  }),
  endpoint({
    on: 'GET /v1/customers',
    params: { ...paging, email: text(), created: range() },
    run(work, { params }) {
      const { email, created } = params
      const rows = work.tx.all('customers').filter((customer) => {
        return within(customer.created, created) && (!email || customer.email === email)
      })
      return page('/v1/customers', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/customers/:id',
    params: {},
    run: (work, call) =>
      work.tx.get('deleted_customers', idIn(call)) ??
      found(work.tx.get('customers', idIn(call)), 'customer', call),
  }),
  endpoint({
    on: 'DELETE /v1/customers/:id',
    params: {},
    run(work, call) {
      const customer = found(work.tx.get('customers', idIn(call)), 'customer', call)
      endSubscriptionsOf(work, customer.id)
      work.tx.drop('customers', customer.id)
      emit(work, 'customer.deleted', customer)
      const { id } = customer
      return work.tx.put('deleted_customers', { id, object: 'customer', deleted: true })
    },
  }),
  endpoint({
    on: 'POST /v1/customers/:id',
    params: fields,
    run(work, call) {
      const old = found(work.tx.get('customers', idIn(call)), 'customer', call)
      const patch = changes(call.params, old.metadata)
      const customer = work.tx.put('customers', { ...old, ...patch })
      emitChange(work, 'customer.updated', { object: customer, before: previously(old, patch) })
      return customer
    },
  }),
]

/** A customer that another request names by its parameter. */
export function customerNamed(work: Work, id: string): Customer {
  const customer = work.tx.get('customers', id)
  if (customer === undefined) throw missing('customer', id, 'customer')
  return customer
}

/** The old values of the fields that a change touches. */
export function previously<T extends object>(old: T, patch: Partial<T>): Partial<T> {
  const touched = Object.keys(patch) as (keyof T)[]
  const changed = touched.filter((key) => old[key] !== patch[key])
  return Object.fromEntries(changed.map((key) => [key, old[key]])) as Partial<T>
}

function changes(params: Values<typeof fields>, old: Record<string, string>): Partial<Customer> {
  const { name, email, description, phone, address, tax_exempt, metadata: patch } = params
  return {
    ...(name === undefined ? {} : { name }),
    ...(email === undefined ? {} : { email }),
    ...(description === undefined ? {} : { description }),
    ...(phone === undefined ? {} : { phone }),
    ...(address === undefined ? {} : { address: address && wholeAddress(address) }),
    ...(tax_exempt === undefined ? {} : { tax_exempt: tax_exempt ?? 'none' }),
    ...(patch === undefined ? {} : { metadata: mergeMetadata(old, patch) }),
  }
}

function wholeAddress(given: Values<typeof addressFields>): Customer['address'] & object {
  return {
    city: given.city ?? null,
    country: given.country ?? null,
    line1: given.line1 ?? null,
    line2: given.line2 ?? null,
    postal_code: given.postal_code ?? null,
    state: given.state ?? null,
  }
}

function blank(work: Work): Customer {
  return {
    id: newId('cus', 14),
    object: 'customer',
    address: null,
    balance: 0,
    created: work.seconds,
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: randomText(8).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  }
}
