import type { Work } from '../deps.ts'
import { newId } from '../ids.ts'
import { checkStep, readCurrency } from './currencies.ts'
import { previously } from './customers.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { invalid, missing } from './errors.ts'
import { emit, emitChange } from './events.ts'
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
  within,
} from './params.ts'
import type { Price, Product } from './wire.ts'

const intervals = ['day', 'week', 'month', 'year'] as const

const productEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v1/products',
    params: {
      name: required(text()),
      id: text(),
      active: bool(),
      description: text(),
      unit_label: text(),
      metadata: metadata(),
    },
    run(work, { params }) {
      const id = params.id ?? newId('prod', 14)
      if (work.tx.get('products', id)) {
        throw invalid(`Product already exists.`, { code: 'resource_already_exists', param: 'id' })
      }
      const product = work.tx.put('products', newProduct(work, { ...params, id }))
      emit(work, 'product.created', product)
      return product
    },
  }),
  endpoint({
    on: 'GET /v1/products',
    params: { ...paging, active: bool(), ids: list(text()), created: range() },
    run(work, { params }) {
      const { active, ids, created } = params
      const rows = work.tx.all('products').filter((product) => {
        if (active !== undefined && product.active !== active) return false
        return within(product.created, created) && (!ids || ids.includes(product.id))
      })
      return page('/v1/products', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/products/:id',
    params: {},
    run: (work, call) => found(work.tx.get('products', idIn(call)), 'product', call),
  }),
  endpoint({
    on: 'POST /v1/products/:id',
    params: {
      name: text(),
      active: bool(),
      description: clearable(text()),
      metadata: metadata(),
    },
    run(work, call) {
      const old = found(work.tx.get('products', idIn(call)), 'product', call)
      const { name, active, description, metadata: patch } = call.params
      const changes: Partial<Product> = {
        ...(name === undefined ? {} : { name }),
        ...(active === undefined ? {} : { active }),
        ...(description === undefined ? {} : { description }),
        ...(patch === undefined ? {} : { metadata: mergeMetadata(old.metadata, patch) }),
        updated: work.seconds,
      }
      const product = work.tx.put('products', { ...old, ...changes })
      emitChange(work, 'product.updated', { object: product, before: previously(old, changes) })
      return product
    },
  }),
]

interface ProductFields {
  id: string
  name: string
  active?: boolean | undefined
  description?: string | undefined
  unit_label?: string | undefined
  metadata?: Record<string, string | null> | null | undefined
}

function newProduct(work: Work, given: ProductFields): Product {
  return {
    id: given.id,
    object: 'product',
    active: given.active ?? true,
    created: work.seconds,
    default_price: null,
    description: given.description ?? null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: mergeMetadata({}, given.metadata),
    name: given.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: 'service',
    unit_label: given.unit_label ?? null,
    updated: work.seconds,
    url: null,
  }
}

const priceEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v1/prices',
    params: {
      currency: required(text()),
      unit_amount: required(integer(0)),
      product: text(),
      product_data: group({ name: required(text()), id: text(), metadata: metadata() }),
      recurring: group({
        interval: required(oneOf(intervals)),
        interval_count: integer(1, 36),
        usage_type: oneOf(['licensed']),
      }),
      lookup_key: text(200),
      transfer_lookup_key: bool(),
      nickname: text(),
      active: bool(),
      billing_scheme: oneOf(['per_unit']),
      tax_behavior: oneOf(['exclusive', 'inclusive', 'unspecified']),
      metadata: metadata(),
    },
    run(work, { params }) {
      const currency = readCurrency(params.currency)
      checkStep(params.unit_amount, currency, 'unit_amount')
      const product = productOf(work, params)
      claimLookupKey(work, params.lookup_key, params.transfer_lookup_key ?? false)
      const { recurring } = params
      const price: Price = work.tx.put('prices', {
        id: newId('price'),
        object: 'price',
        active: params.active ?? true,
        billing_scheme: 'per_unit',
        created: work.seconds,
        currency,
        custom_unit_amount: null,
        livemode: false,
        lookup_key: params.lookup_key ?? null,
        metadata: mergeMetadata({}, params.metadata),
        nickname: params.nickname ?? null,
        product,
        recurring: recurring
          ? {
              interval: recurring.interval,
              interval_count: recurring.interval_count ?? 1,
              meter: null,
              trial_period_days: null,
              usage_type: 'licensed',
            }
          : null,
        tax_behavior: params.tax_behavior ?? 'unspecified',
        tiers_mode: null,
        transform_quantity: null,
        type: recurring ? 'recurring' : 'one_time',
        unit_amount: params.unit_amount,
        unit_amount_decimal: String(params.unit_amount),
      })
      emit(work, 'price.created', price)
      return price
    },
  }),
  endpoint({
    on: 'GET /v1/prices',
    params: {
      ...paging,
      active: bool(),
      created: range(),
      currency: text(),
      lookup_keys: list(text()),
      product: text(),
      type: oneOf(['one_time', 'recurring']),
    },
    run(work, { params }) {
      const { active, created, currency, lookup_keys, product, type } = params
      const rows = work.tx.all('prices').filter((price) => {
        if (active !== undefined && price.active !== active) return false
        if (currency !== undefined && price.currency !== currency.toLowerCase()) return false
        if (product !== undefined && price.product !== product) return false
        if (lookup_keys && !lookup_keys.includes(price.lookup_key ?? '')) return false
        return (type === undefined || price.type === type) && within(price.created, created)
      })
      return page('/v1/prices', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/prices/:id',
    params: {},
    run: (work, call) => found(work.tx.get('prices', idIn(call)), 'price', call),
  }),
  endpoint({
    on: 'POST /v1/prices/:id',
    params: {
      active: bool(),
      nickname: clearable(text()),
      lookup_key: clearable(text(200)),
      transfer_lookup_key: bool(),
      metadata: metadata(),
    },
    run(work, call) {
      const old = found(work.tx.get('prices', idIn(call)), 'price', call)
      const { active, nickname, lookup_key, transfer_lookup_key, metadata: patch } = call.params
      if (lookup_key !== old.lookup_key) {
        claimLookupKey(work, lookup_key ?? undefined, transfer_lookup_key ?? false)
      }
      const changes: Partial<Price> = {
        ...(active === undefined ? {} : { active }),
        ...(nickname === undefined ? {} : { nickname }),
        ...(lookup_key === undefined ? {} : { lookup_key }),
        ...(patch === undefined ? {} : { metadata: mergeMetadata(old.metadata, patch) }),
      }
      const price = work.tx.put('prices', { ...old, ...changes })
      emitChange(work, 'price.updated', { object: price, before: previously(old, changes) })
      return price
    },
  }),
]

export const catalogEndpoints = [...productEndpoints, ...priceEndpoints]

interface PriceOwner {
  product?: string | undefined
  product_data?:
    | {
        name: string
        id: string | undefined
        metadata: Record<string, string | null> | null | undefined
      }
    | undefined
}

function productOf(work: Work, { product, product_data }: PriceOwner): string {
  if (product !== undefined) {
    if (work.tx.get('products', product)) return product
    throw missing('product', product, 'product')
  }
  if (product_data === undefined) {
    throw invalid('Missing required param: product.', {
      code: 'parameter_missing',
      param: 'product',
    })
  }
  const id = product_data.id ?? newId('prod', 14)
  const made = work.tx.put('products', newProduct(work, { ...product_data, id }))
  emit(work, 'product.created', made)
  return made.id
}

/** A lookup key names one price; the next price may take it over only when asked to. */
function claimLookupKey(work: Work, key: string | undefined, transfer: boolean): void {
  if (key === undefined) return
  const holder = work.tx.all('prices').find((price) => price.lookup_key === key)
  if (holder === undefined) return
  if (!transfer) {
    throw invalid(`A price (\`${holder.id}\`) already uses that lookup key.`, {
      param: 'lookup_key',
    })
  }
  const price = work.tx.put('prices', { ...holder, lookup_key: null })
  emitChange(work, 'price.updated', { object: price, before: { lookup_key: key } })
}
