/**
 * Limits against guessing, kept in the database: a try is counted before it is looked at, so that
 * any number of tries at once are no more than the limit, and without the database there are none.
 */
import { sql } from 'kysely'
import { type Db, inTransaction } from '../database.ts'

export interface TryLimit {
  /** Whom it counts for; nobody has to read it. */
  bucket: string
  tries: number
  seconds: number
}

class Refused extends Error {
  readonly seconds: number

  constructor(seconds: number) {
    super('no try is left')
    this.seconds = seconds
  }
}

/**
 * Takes a try from all the limits, or from none; committed by itself.
 * @returns null, or the seconds until there is a try again.
 */
export async function takeTry(db: Db, limits: TryLimit[]): Promise<number | null> {
  // In one order for everybody, so that no two wait for each other.
  const ordered = [...limits].sort((left, right) => (left.bucket < right.bucket ? -1 : 1))
  try {
    await inTransaction(db, async (trx) => {
      for (const limit of ordered) {
        const wait = await takeFrom(trx, limit)
        if (wait !== null) throw new Refused(wait)
      }
    })
    return null
  } catch (error) {
    if (error instanceof Refused) return error.seconds
    throw error
  }
}

async function takeFrom(db: Db, { bucket, tries, seconds }: TryLimit): Promise<number | null> {
  const { rows } = await sql<{ bucket: string }>`
    insert into sign_in_limits as held (bucket, tries, resets_at)
    values (${bucket}, 1, clock_timestamp() + make_interval(secs => ${seconds}))
    on conflict (bucket) do update set
      tries = case when held.resets_at <= clock_timestamp() then 1 else held.tries + 1 end,
      resets_at = case when held.resets_at <= clock_timestamp() then excluded.resets_at
        else held.resets_at end
      where held.resets_at <= clock_timestamp() or held.tries < ${tries}
    returning bucket`.execute(db)
  if (rows.length > 0) return null
  const held = await sql<{ wait: number }>`
    select greatest(1, ceil(extract(epoch from resets_at - clock_timestamp())))::int as wait
    from sign_in_limits where bucket = ${bucket}`.execute(db)
  return held.rows[0]?.wait ?? 1
}

/** Gives back a try that was no guess. */
export async function returnTry(db: Db, bucket: string): Promise<void> {
  await db
    .updateTable('signInLimits')
    .set({ tries: sql<number>`tries - 1` })
    .where('bucket', '=', bucket)
    .where('tries', '>', 0)
    .execute()
}

/** Whoever has shown the right thing starts anew. */
export async function removeTries(db: Db, buckets: string[]): Promise<void> {
  await db.deleteFrom('signInLimits').where('bucket', 'in', buckets).execute()
}
