/** What the API remembers between requests: repeated keys and rates. */
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface RequestKey {
  principal: string
  method: string
  route: string
  key: string
}

export interface StoredAnswer {
  status: number
  headers: unknown
  sealedBody: Buffer
}

export type KeyClaim =
  | { state: 'claimed'; operationId: string }
  | { state: 'answered'; answer: StoredAnswer }
  | { state: 'other_request' }
  | { state: 'in_flight' }

/** A claim whose process died may be taken over after this time. */
const claimLifeSeconds = 60

/**
 * Claims a key before its request is executed. A claim without an answer belongs to a request
 * that is running, or to one that died: after a minute it is taken over with the same operation.
 */
export async function claimRequestKey(
  db: Db,
  request: RequestKey & { fingerprint: Buffer },
): Promise<KeyClaim> {
  const { fingerprint, ...key } = request
  const { rows } = await sql<{ operationId: string }>`
    insert into idempotency_keys as held (principal, method, route, key, fingerprint)
    values (${key.principal}, ${key.method}, ${key.route}, ${key.key}, ${fingerprint})
    on conflict (principal, method, route, key) do update set claimed_at = clock_timestamp()
      where held.answer_status is null and held.fingerprint = excluded.fingerprint
        and held.claimed_at < clock_timestamp() - make_interval(secs => ${claimLifeSeconds})
    returning operation_id`.execute(db)
  const claimed = rows[0]
  if (claimed) return { state: 'claimed', operationId: claimed.operationId }
  const held = await db
    .selectFrom('idempotencyKeys')
    .select(['fingerprint', 'answerStatus', 'answerHeaders', 'answerSealed'])
    .where('principal', '=', key.principal)
    .where('method', '=', key.method)
    .where('route', '=', key.route)
    .where('key', '=', key.key)
    .executeTakeFirstOrThrow()
  if (!held.fingerprint.equals(fingerprint)) return { state: 'other_request' }
  if (held.answerStatus === null || held.answerSealed === null) return { state: 'in_flight' }
  return {
    state: 'answered',
    answer: {
      status: held.answerStatus,
      headers: held.answerHeaders,
      sealedBody: held.answerSealed,
    },
  }
}

export async function recordAnswer(
  db: Db,
  { principal, method, route, key }: RequestKey,
  answer: StoredAnswer,
): Promise<void> {
  await db
    .updateTable('idempotencyKeys')
    .set({
      answerStatus: answer.status,
      answerHeaders: JSON.stringify(answer.headers),
      answerSealed: answer.sealedBody,
    })
    .where('principal', '=', principal)
    .where('method', '=', method)
    .where('route', '=', route)
    .where('key', '=', key)
    .execute()
}

/** Lets the next request with this key go on at once, with the same operation. */
export async function releaseRequestKey(db: Db, key: RequestKey): Promise<void> {
  await db
    .updateTable('idempotencyKeys')
    .set({ claimedAt: sql<Date>`'-infinity'::timestamptz` })
    .where('principal', '=', key.principal)
    .where('method', '=', key.method)
    .where('route', '=', key.route)
    .where('key', '=', key.key)
    .where('answerStatus', 'is', null)
    .execute()
}

/** Forgets a claim whose request was refused before it did anything. */
export async function removeRequestKey(db: Db, key: RequestKey): Promise<void> {
  await db
    .deleteFrom('idempotencyKeys')
    .where('principal', '=', key.principal)
    .where('method', '=', key.method)
    .where('route', '=', key.route)
    .where('key', '=', key.key)
    .where('answerStatus', 'is', null)
    .execute()
}

/**
 * Takes one unit from a bucket that refills evenly (GCRA), in one statement and exactly.
 * @returns null when there was one, else the seconds until there is one again.
 */
export async function takeFromBucket(
  db: Db,
  bucket: { name: string; perMinute: number },
): Promise<number | null> {
  const interval = 60 / bucket.perMinute
  const { rows } = await sql<{ waitSeconds: number }>`
    with now as (select clock_timestamp() as at)
    insert into rate_limits as limits (bucket, full_until)
    select ${bucket.name}, at + make_interval(secs => ${interval}) from now
    on conflict (bucket) do update set full_until =
      greatest(limits.full_until, clock_timestamp()) + make_interval(secs => ${interval})
      where limits.full_until <= clock_timestamp() + make_interval(secs => ${60 - interval})
    returning 0 as wait_seconds`.execute(db)
  if (rows.length > 0) return null
  const held = await sql<{ waitSeconds: string }>`
    select greatest(1, ceil(extract(epoch from
      full_until - clock_timestamp()) - ${60 - interval}))::int as wait_seconds
    from rate_limits where bucket = ${bucket.name}`.execute(db)
  return Number(held.rows[0]?.waitSeconds ?? 1)
}
