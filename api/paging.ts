/** Lists: a page, and an opaque cursor to the next one. */
import { z } from 'zod'
import type { Page, PageRequest } from '../db/paging.ts'

const cursorField = z.string().transform((cursor, context) => {
  const id = Buffer.from(cursor, 'base64url').toString('utf8')
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id
  context.addIssue({ code: 'custom', message: 'expected a cursor from an earlier answer' })
  return z.NEVER
})

/** The query fields that every list takes. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(25),
  cursor: cursorField.optional(),
}

export function pageRequest(query: { limit: number; cursor?: string | undefined }): PageRequest {
  return { limit: query.limit, after: query.cursor }
}

export function listAnswer<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() })
}

/** Presents a page of rows. */
export function presentPage<Row, Item>(page: Page<Row>, present: (row: Row) => Item) {
  return {
    data: page.rows.map(present),
    next_cursor: page.next === null ? null : Buffer.from(page.next).toString('base64url'),
  }
}
