import { enqueue } from '../deliveries.ts'
import type { Work } from '../deps.ts'
import { orderedText, randomText } from '../ids.ts'
import type { StripeEndpoint } from '../records.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { invalid, missing } from './errors.ts'
import { page, paging } from './lists.ts'
import { bool, group, integer, list, type Range, range, text, within } from './params.ts'
import { apiVersion, type EventType, type ThinEvent, type ThinEventType } from './wire.ts'

/** Tells the world that a v1 object changed; the event carries the whole object of this moment. */
export function emit(work: Work, type: EventType, object: object): void {
  publish(work, type, { object })
}

/** The same with what the changed fields were before. */
export function emitChange(
  work: Work,
  type: EventType,
  { object, before }: { object: object; before: object },
): void {
  publish(work, type, { object, previous_attributes: before })
}

/** Tells what happened at a connected account: the same endpoints hear of it. */
export function emitFor(
  work: Work,
  account: string,
  { type, object, before }: { type: EventType; object: object; before?: object },
): void {
  publish(work, type, {
    object,
    account,
    ...(before ? { previous_attributes: before } : {}),
  })
}

interface EventData {
  object: object
  previous_attributes?: object
}

function publish(work: Work, type: EventType, told: EventData & { account?: string }): void {
  const { account, ...data } = told
  const endpoints = endpointsFor(work, { payload: 'snapshot', type })
  const event = work.tx.put('events', {
    id: `evt_1${orderedText()}${randomText(14)}`,
    object: 'event',
    api_version: apiVersion,
    created: work.seconds,
    data,
    livemode: false,
    pending_webhooks: endpoints.length,
    request: work.request ?? { id: null, idempotency_key: null },
    type,
    ...(account === undefined ? {} : { account }),
  })
  announce(work, endpoints, event)
}

/** Tells that something about an account changed; the receiver reads the account again. */
export function emitThin(
  work: Work,
  type: ThinEventType,
  { account, data = null }: { account: string; data?: object | null },
): void {
  const { request } = work
  const event: ThinEvent = work.tx.put('thin_events', {
    id: `evt_test_${orderedText()}${randomText(41)}`,
    object: 'v2.core.event',
    type,
    created: work.iso,
    livemode: false,
    context: null,
    related_object: {
      id: account,
      type: 'v2.core.account',
      url: `/v2/core/accounts/${account}`,
    },
    reason: request && {
      type: 'request',
      request: { id: request.id, idempotency_key: request.idempotency_key ?? '' },
    },
    data,
  })
  announce(work, endpointsFor(work, { payload: 'thin', type }), event)
}

function endpointsFor(
  work: Work,
  { payload, type }: { payload: StripeEndpoint['payload']; type: string },
): StripeEndpoint[] {
  const endpoints = work.tx.get('settings', 'stripe_endpoints')?.endpoints ?? []
  return endpoints.filter(
    ({ payload: takes, enabled_events: wanted }) =>
      takes === payload && (wanted?.some((one) => fits(type, one)) ?? true),
  )
}

function announce(
  { tx, deps }: Work,
  endpoints: StripeEndpoint[],
  event: { id: string; type: string },
): void {
  for (const { id: target } of endpoints) {
    enqueue(tx, deps.faults, { vendor: 'stripe', target, message: event.id, type: event.type })
  }
}

/** `invoice.*` stands for every type that starts so. */
function fits(type: string, wanted: string): boolean {
  return wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted
}

function pendingEvents(work: Work): Set<string> {
  const waiting = work.tx.all('deliveries').filter(({ state }) => state !== 'delivered')
  return new Set(waiting.map(({ message }) => message))
}

const v1Events: Endpoint[] = [
  endpoint({
    on: 'GET /v1/events',
    params: {
      ...paging,
      type: text(),
      types: list(text()),
      created: range(),
      delivery_success: bool(),
    },
    run(work, { params }) {
      const { type, types, created, delivery_success } = params
      const wanted = type === undefined ? types : [type]
      const pending = delivery_success === undefined ? new Set() : pendingEvents(work)
      const rows = work.tx.all('events').filter((event) => {
        if (!within(event.created, created)) return false
        if (wanted && !wanted.some((one) => fits(event.type, one))) return false
        return delivery_success === undefined || pending.has(event.id) !== delivery_success
      })
      return page('/v1/events', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/events/:id',
    params: {},
    run: (work, call) => found(work.tx.get('events', idIn(call)), 'event', call),
  }),
]

const v2Events: Endpoint[] = [
  endpoint({
    on: 'GET /v2/core/events',
    params: {
      limit: integer(1, 100),
      page: text(),
      object_id: text(),
      types: list(text()),
      created: group({ gt: text(), gte: text(), lt: text(), lte: text() }),
    },
    run(work, { params }) {
      const { limit = 20, object_id, types, page: after } = params
      const bounds = secondsOf(params.created ?? {})
      const rows = work.tx.all('thin_events').filter((event) => {
        if (!within(Date.parse(event.created) / 1000, bounds)) return false
        if (object_id !== undefined && event.related_object.id !== object_id) return false
        return types === undefined || types.includes(event.type)
      })
      const query = { object_id, ...filtersOf(params) }
      return pageV2('/v2/core/events', rows, { limit, after, query })
    },
  }),
  endpoint({
    on: 'GET /v2/core/events/:id',
    params: {},
    run(work, call) {
      const event = work.tx.get('thin_events', idIn(call))
      if (event === undefined) throw missing('event', idIn(call))
      return event
    },
  }),
]

/** What the address of the next page says again. */
function filtersOf(params: {
  types?: string[] | undefined
  created?: Record<string, string | undefined> | undefined
}): Record<string, string | undefined> {
  const types = (params.types ?? []).map((type, n) => [`types[${n}]`, type])
  const bounds = Object.entries(params.created ?? {}).map(([key, at]) => [`created[${key}]`, at])
  return Object.fromEntries([...types, ...bounds])
}

/** The v2 API writes moments as ISO texts, and its SDK also sends seconds. */
function secondsOf(bounds: Record<string, string | undefined>): Range {
  const pairs = Object.entries(bounds).flatMap(([key, value]): [string, number][] => {
    if (value === undefined) return []
    const seconds = /^\d+$/.test(value) ? Number(value) : Date.parse(value) / 1000
    if (Number.isNaN(seconds)) throw invalid(`Invalid timestamp: ${value}`, { param: 'created' })
    return [[key, seconds]]
  })
  return Object.fromEntries(pairs)
}

export const eventEndpoints = [...v1Events, ...v2Events]

interface PageV2 {
  limit: number
  after: string | undefined
  query: Record<string, string | undefined>
}

/** The v2 way: newest first, and the next page is an address. */
export function pageV2<T extends { id: string }>(
  path: string,
  rows: T[],
  { limit, after, query }: PageV2,
): { data: T[]; next_page_url: string | null; previous_page_url: null } {
  const newest = rows.toReversed()
  const start = after === undefined ? 0 : newest.findIndex(({ id }) => id === after) + 1
  const data = newest.slice(start, start + limit)
  const last = data.at(-1)
  const more = last !== undefined && newest.length > start + limit
  const next = new URLSearchParams({ limit: String(limit), page: last?.id ?? '' })
  for (const [key, value] of Object.entries(query)) if (value !== undefined) next.set(key, value)
  return { data, next_page_url: more ? `${path}?${next}` : null, previous_page_url: null }
}
