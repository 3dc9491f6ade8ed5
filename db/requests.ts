/** What the API remembers between requests: repeated keys and their answers. */
import { sql } from 'kysely'
import type { Db, Trx } from './database.ts'

export interface RequestKey {
  /** The organisation for which the request is made; null is the platform owner, or nobody. */
  partnerId: string | null
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

function isKey({ partnerId, principal, method, route, key }: RequestKey) {
  return sql<boolean>`partner_id is not distinct from ${partnerId}::uuid
    and principal = ${principal} and method = ${method} and route = ${route} and key = ${key}`
}

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
    insert into idempotency_keys as held
      (partner_id, principal, method, route, key, fingerprint)
    values (${key.partnerId}, ${key.principal}, ${key.method}, ${key.route}, ${key.key},
      ${fingerprint})
    on conflict (partner_id, principal, method, route, key)
      do update set claimed_at = clock_timestamp()
      where held.answer_status is null and held.fingerprint = excluded.fingerprint
        and held.claimed_at < clock_timestamp() - make_interval(secs => ${claimLifeSeconds})
    returning operation_id`.execute(db)
  const claimed = rows[0]
  if (claimed) return { state: 'claimed', operationId: claimed.operationId }
  const held = await findRequest(db, key)
  // Its request was refused a moment ago and left nothing; the next try finds the key free.
  if (!held) return { state: 'in_flight' }
  return claimOf(held, fingerprint) ?? { state: 'in_flight' }
}

function findRequest(db: Db, key: RequestKey) {
  return db
    .selectFrom('idempotencyKeys')
    .select(['fingerprint', 'operationId', 'answerStatus', 'answerHeaders', 'answerSealed'])
    .where(isKey(key))
    .executeTakeFirst()
}

type HeldRequest = NonNullable<Awaited<ReturnType<typeof findRequest>>>

/** What a held key means for a request; undefined where it has no answer yet. */
function claimOf(held: HeldRequest, fingerprint: Buffer): KeyClaim | undefined {
  if (!held.fingerprint.equals(fingerprint)) return { state: 'other_request' }
  if (held.answerStatus === null || held.answerSealed === null) return undefined
  return {
    state: 'answered',
    answer: {
      status: held.answerStatus,
      headers: held.answerHeaders,
      sealedBody: held.answerSealed,
    },
  }
}

/**
 * Claims a key for the rest of a transaction that will keep the answer beside its effect. Nothing
 * of the claim is seen by others but that the key is in flight; with the transaction it is gone.
 */
export async function lockRequestKey(
  trx: Trx,
  request: RequestKey & { fingerprint: Buffer; operationId: string },
): Promise<KeyClaim> {
  const { fingerprint, operationId, ...key } = request
  const name = JSON.stringify([
    'idempotency_keys',
    key.partnerId,
    key.principal,
    key.method,
    key.route,
    key.key,
  ])
  const { rows } = await sql<{ locked: boolean }>`
    select pg_try_advisory_xact_lock(lock_key(${name})) as locked`.execute(trx)
  if (!rows[0]?.locked) return { state: 'in_flight' }
  const held = await findRequest(trx, key)
  if (!held) return { state: 'claimed', operationId }
  return claimOf(held, fingerprint) ?? { state: 'claimed', operationId: held.operationId }
}

/**
 * Keeps the answer of a key that `lockRequestKey` has claimed, in the same transaction.
 * @returns whether it was kept; another answer may stand there already.
 */
export async function insertAnswer(
  trx: Trx,
  request: RequestKey & { fingerprint: Buffer; operationId: string },
  answer: StoredAnswer,
): Promise<boolean> {
  const kept = {
    answerStatus: answer.status,
    answerHeaders: JSON.stringify(answer.headers),
    answerSealed: answer.sealedBody,
  }
  const row = await trx
    .insertInto('idempotencyKeys')
    .values({ ...request, ...kept })
    .onConflict((conflict) =>
      conflict
        .columns(['partnerId', 'principal', 'method', 'route', 'key'])
        .doUpdateSet(kept)
        .where('idempotencyKeys.answerStatus', 'is', null),
    )
    .returning('operationId')
    .executeTakeFirst()
  return row !== undefined
}

export async function recordAnswer(db: Db, key: RequestKey, answer: StoredAnswer): Promise<void> {
  await db
    .updateTable('idempotencyKeys')
    .set({
      answerStatus: answer.status,
      answerHeaders: JSON.stringify(answer.headers),
      answerSealed: answer.sealedBody,
    })
    .where(isKey(key))
    .execute()
}

/** Lets the next request with this key go on at once, with the same operation. */
export async function releaseRequestKey(db: Db, key: RequestKey): Promise<void> {
  await db
    .updateTable('idempotencyKeys')
    .set({ claimedAt: sql<Date>`'-infinity'::timestamptz` })
    .where(isKey(key))
    .where('answerStatus', 'is', null)
    .execute()
}

/** Forgets a claim whose request was refused before it did anything. */
export async function removeRequestKey(db: Db, key: RequestKey): Promise<void> {
  await db
    .deleteFrom('idempotencyKeys')
    .where(isKey(key))
    .where('answerStatus', 'is', null)
    .execute()
}

/** How long a key is remembered. */
export const requestKeyDays = 30

/** Forgets keys that are older than 30 days, at most so many. @returns how many it forgot. */
export async function removeOldRequestKeys(db: Db, most: number): Promise<number> {
  const { rows } = await sql<{ key: string }>`
    delete from idempotency_keys where ctid = any(array(
      select ctid from idempotency_keys
      where created_at < clock_timestamp() - make_interval(days => ${requestKeyDays})
      order by created_at limit ${most} for update skip locked))
    returning key`.execute(db)
  return rows.length
}
