/** How often something may happen: exact limits (GCRA) that all processes of the API share. */
import { sql } from 'kysely'
import type { Db } from './database.ts'

/** So many units in so many seconds; they come back evenly. */
export interface Quota {
  quota: number
  windowSeconds: number
}

export interface Bucket extends Quota {
  /** Whose units these are, like `key:0199…`. */
  name: string
}

export interface BucketState extends Bucket {
  /** Units that can be taken at once. */
  remaining: number
  /** Seconds until the next unit where none remains, else until all are there again. */
  resetSeconds: number
  /** Whether there was none to take. */
  refused: boolean
}

export interface Taking {
  /** Whether a unit was taken from each bucket; otherwise none was taken from any. */
  taken: boolean
  /** In the order in which the buckets were given. */
  buckets: BucketState[]
}

const microsPerSecond = 1_000_000
const windowOf = (bucket: Quota) => bucket.windowSeconds * microsPerSecond
const stepOf = (bucket: Quota) => Math.floor(windowOf(bucket) / bucket.quota)

/** Written out, so that the statement has no values apart and is over with its message. */
const list = (items: (string | number)[]) =>
  sql`array[${sql.join(items.map((item) => sql.lit(item)))}]`

const inOrder = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)

/**
 * Takes one unit from each bucket or from none, exactly, in one statement. It has to be a
 * transaction of its own: others who take from the same bucket wait until it ends.
 */
export async function takeFromBuckets(db: Db, buckets: Bucket[]): Promise<Taking> {
  // Every caller locks in the same order, so that no two wait for each other.
  const sorted = buckets.toSorted(inOrder)
  const names = sorted.map(({ name }) => name)
  const { rows } = await sql<{ fullInMicros: bigint; refused: boolean }>`
    select full_in_micros, refused from take_from_buckets(
      ${list(names)}::text[], ${list(sorted.map(stepOf))}::bigint[],
      ${list(sorted.map(windowOf))}::bigint[])`.execute(db)
  const states = new Map(
    rows.map((row, n) => {
      const bucket = sorted[n] as Bucket
      return [bucket, stateOf(bucket, { ...row, fullInMicros: Number(row.fullInMicros) })]
    }),
  )
  return {
    taken: rows.every(({ refused }) => !refused),
    buckets: buckets.map((bucket) => states.get(bucket) as BucketState),
  }
}

function stateOf(
  bucket: Bucket,
  { fullInMicros, refused }: { fullInMicros: number; refused: boolean },
): BucketState {
  const [window, step] = [windowOf(bucket), stepOf(bucket)]
  const remaining = refused ? 0 : Math.max(0, Math.floor((window - fullInMicros) / step))
  const reset = remaining > 0 ? fullInMicros : fullInMicros - (window - step)
  return {
    ...bucket,
    remaining,
    resetSeconds: Math.max(refused ? 1 : 0, Math.ceil(reset / microsPerSecond)),
    refused,
  }
}

/**
 * Takes one unit from a bucket of so many a minute.
 * @returns null when there was one, else the seconds until there is one again.
 */
export async function takeFromBucket(
  db: Db,
  { name, perMinute }: { name: string; perMinute: number },
): Promise<number | null> {
  const bucket = { name, quota: perMinute, windowSeconds: 60 }
  const { taken, buckets } = await takeFromBuckets(db, [bucket])
  return taken ? null : (buckets[0]?.resetSeconds ?? 1)
}

/** Forgets buckets that are full again, at most so many. @returns how many it forgot. */
export async function removeFullBuckets(db: Db, most: number): Promise<number> {
  const { rows } = await sql<{ dropped: number }>`
    select drop_full_buckets(${most}) as dropped`.execute(db)
  return rows[0]?.dropped ?? 0
}
