import type { Deps } from '../deps.ts'
import { invalidRequest } from './errors.ts'
import { presentEnvelope } from './present.ts'
import type { Envelope } from './wire.ts'

type Query = NodeJS.Dict<string | string[]>
type Json = Record<string, unknown>

/** Lists envelopes by ids (in the query, or in the body when the query says so) or by time. */
export function listEnvelopes(deps: Deps, query: Query, body: Json): object {
  const ids = names(query.envelope_ids, body.envelopeIds)
  const transactions = names(query.transaction_ids, body.transactionIds)
  const from = one(query.from_date)
  const field = one(query.custom_field)
  if (ids === null && transactions === null && from === undefined) {
    throw invalidRequest('One of from_date, envelope_ids or transaction_ids is required.')
  }
  const statuses = names(query.status, undefined)
  const since = from === undefined ? null : moment(from, 'from_date')
  const until = one(query.to_date)
  const fits = (envelope: Envelope): boolean => {
    if (ids && !ids.includes(envelope.id)) return false
    if (transactions && !transactions.includes(envelope.transactionId ?? '')) return false
    if (statuses && !statuses.includes('any') && !statuses.includes(envelope.status)) return false
    if (field !== undefined && !hasField(envelope, field)) return false
    const changed = Date.parse(envelope.statusChangedDateTime)
    if (since !== null && changed < since) return false
    return until === undefined || changed <= moment(until, 'to_date')
  }
  const found = deps.store.all('envelopes').filter(fits)
  return pageOf(deps, found, query)
}

function pageOf(deps: Deps, found: Envelope[], query: Query): object {
  const start = Number(one(query.start_position) ?? 0)
  const count = Number(one(query.count) ?? 1000)
  const include = (one(query.include) ?? '').split(',')
  const shown = found.slice(start, start + count)
  const more = start + shown.length < found.length
  const next = new URLSearchParams({ start_position: String(start + shown.length) })
  return {
    resultSetSize: String(shown.length),
    totalSetSize: String(found.length),
    startPosition: String(start),
    endPosition: String(Math.max(start, start + shown.length - 1)),
    nextUri: more ? `/envelopes?${next}` : '',
    previousUri: '',
    envelopes: shown.map((envelope) => presentEnvelope(deps, envelope, include)),
    envelopeTransactionStatuses: shown
      .filter(({ transactionId }) => transactionId !== null)
      .map(({ id, status, transactionId }) => ({ envelopeId: id, status, transactionId })),
  }
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

/** Comma-separated, or repeated; `request_body` points to the list in the body. */
function names(inQuery: string | string[] | undefined, inBody: unknown): string[] | null {
  const given = inQuery === undefined ? [] : [inQuery].flat().flatMap((text) => text.split(','))
  const asked = given.filter((name) => name !== 'request_body' && name !== '')
  const listed = Array.isArray(inBody) ? inBody.map(String) : []
  const all = [...asked, ...listed]
  return all.length > 0 ? all : null
}

/** `name=value` of a text custom field. */
function hasField(envelope: Envelope, wanted: string): boolean {
  return envelope.customFields.some(({ name, value }) => `${name}=${value}` === wanted)
}

function moment(text: string, name: string): number {
  const value = Date.parse(text)
  if (Number.isNaN(value)) throw invalidRequest(`${name} is "${text}", expected a date.`)
  return value
}
