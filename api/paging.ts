/**
 * Lists: a page, and a cursor to the next one. Outside, a cursor is sealed: it holds for the list
 * with its filters and for the organisation that it was given to, and nowhere else.
 */
import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Page, PageRequest } from '../db/paging.ts'
import { DomainError } from '../domain/errors.ts'
import type { Answer } from './route.ts'

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The query fields that every list takes; a cursor was opened before it gets here. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(25),
  cursor: z.string().regex(uuidPattern, 'expected a cursor from an earlier answer').optional(),
}

export function pageRequest(query: { limit: number; cursor?: string | undefined }): PageRequest {
  return { limit: query.limit, after: query.cursor }
}

export function listAnswer<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    has_more: z.boolean(),
    next_cursor: z.string().nullable(),
  })
}

/** Presents a page of rows. */
export function presentPage<Row, Item>(page: Page<Row>, present: (row: Row) => Item) {
  return { data: page.rows.map(present), has_more: page.next !== null, next_cursor: page.next }
}

/** The list that a cursor belongs to. */
export interface ListScope {
  /** Path without query, as it was asked. */
  path: string
  /** All parameters of the query, `limit` and `cursor` among them. */
  query: Record<string, string>
  /** The organisation that asks; null is the platform owner. */
  partnerId: string | null
  /** Who sees more than others of its organisation, or less, has cursors of its own. */
  level: string
  /** From which the key of the cursors is made. */
  secret: string
}

const idBytes = 16
const macBytes = 16

function filtersOf({ path, query }: ListScope): Buffer {
  const { limit: _limit, cursor: _cursor, ...filters } = query
  const sorted = Object.entries(filters).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify([path, sorted]))
    .digest()
}

function macOf(id: Buffer, scope: ListScope): Buffer {
  const key = Buffer.from(hkdfSync('sha256', scope.secret, '', 'tributary cursors', 32))
  const place = JSON.stringify([scope.level, scope.partnerId])
  return createHmac('sha256', key)
    .update(id)
    .update(filtersOf(scope))
    .update(place)
    .digest()
    .subarray(0, macBytes)
}

function sealCursor(uuid: string, scope: ListScope): string {
  const id = Buffer.from(uuid.replaceAll('-', ''), 'hex')
  return Buffer.concat([id, macOf(id, scope)]).toString('base64url')
}

/** The id in a cursor, or undefined for one that was not given for this list. */
function unsealCursor(cursor: string, scope: ListScope): string | undefined {
  const bytes = Buffer.from(cursor, 'base64url')
  // Text that decodes to the same bytes in another spelling was not given by us either.
  if (bytes.length !== idBytes + macBytes || bytes.toString('base64url') !== cursor) return
  const id = bytes.subarray(0, idBytes)
  if (!timingSafeEqual(bytes.subarray(idBytes), macOf(id, scope))) return
  return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/**
 * The query with its cursor opened, if it has one.
 * @throws DomainError `malformed_request` for a cursor that was cut, made up, or given to another
 * organisation or for other filters; they all look the same.
 */
export function withOpenCursor(scope: ListScope): Record<string, string> {
  const { query } = scope
  if (query.cursor === undefined) return query
  const cursor = unsealCursor(query.cursor, scope)
  if (cursor) return { ...query, cursor }
  throw new DomainError('malformed_request', 'the cursor is not one of this list: leave it out')
}

const pageSchema = z.looseObject({
  data: z.array(z.unknown()),
  has_more: z.literal(true),
  next_cursor: z.string().regex(uuidPattern),
})

/**
 * An answer as it goes out: the page of a list gets a sealed cursor and a link to the next one.
 * Anything else stays what it is.
 * @param publicUrl where the API is reached, without a slash at its end.
 */
export function withSealedCursor(answer: Answer, scope: ListScope, publicUrl: string): Answer {
  if (answer.status !== 200 || Buffer.isBuffer(answer.body)) return answer
  const page = pageSchema.safeParse(answer.body)
  if (!page.success) return answer
  const cursor = sealCursor(page.data.next_cursor, scope)
  const next = new URLSearchParams({ ...scope.query, cursor })
  return {
    ...answer,
    body: { ...page.data, next_cursor: cursor },
    headers: { ...answer.headers, Link: `<${publicUrl}${scope.path}?${next}>; rel="next"` },
  }
}
