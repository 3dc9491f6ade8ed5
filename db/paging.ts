/** Keyset pages: newest first, by UUIDv7, which sorts by time of creation. */

export interface PageRequest {
  limit: number
  /** Rows older than this id follow; absent on the first page. */
  after?: string | undefined
}

export interface Page<T> {
  rows: T[]
  /** The id to continue after, or null on the last page. */
  next: string | null
}

/** Cuts the one row too many that a page query fetches to learn whether more follow. */
export function pageOf<T extends { id: string }>(rows: T[], limit: number): Page<T> {
  const kept = rows.slice(0, limit)
  return { rows: kept, next: rows.length > limit ? (kept.at(-1)?.id ?? null) : null }
}
