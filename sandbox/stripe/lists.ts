import { missing } from './errors.ts'
import { integer, text } from './params.ts'

/** What every v1 list takes. */
export const paging = {
  limit: integer(1, 100),
  starting_after: text(),
  ending_before: text(),
}

export interface Paging {
  limit?: number | undefined
  starting_after?: string | undefined
  ending_before?: string | undefined
}

export interface ListObject<T> {
  object: 'list'
  url: string
  has_more: boolean
  data: T[]
}

/** Newest first. `rows` come in the order of their making. */
export function page<T extends { id: string }>(
  url: string,
  rows: T[],
  { limit = 10, starting_after, ending_before }: Paging,
): ListObject<T> {
  const newest = rows.toReversed()
  const place = (id: string, param: string): number => {
    const found = newest.findIndex((row) => row.id === id)
    if (found < 0) throw missing('object', id, param)
    return found
  }
  if (ending_before !== undefined) {
    const before = newest.slice(0, place(ending_before, 'ending_before'))
    const data = before.slice(-limit)
    return { object: 'list', url, has_more: before.length > data.length, data }
  }
  const start = starting_after ? place(starting_after, 'starting_after') + 1 : 0
  const data = newest.slice(start, start + limit)
  return { object: 'list', url, has_more: newest.length > start + data.length, data }
}

/** A list that hangs inside another object. */
export function whole<T>(url: string, data: T[]): ListObject<T> {
  return { object: 'list', url, has_more: false, data }
}
