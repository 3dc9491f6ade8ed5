/**
 * The audit trail as it is read, and what is added to it from outside of the database: refusals
 * and the signature of a day. Changes are recorded by triggers (`db/migrations/0023-audit.sql`).
 * Whose events are seen is decided by the context of `db`.
 */
import { sql } from 'kysely'
import {
  type AuditSigner,
  type DailyHead,
  type SignedHead,
  signedText,
  smallestIdAt,
} from '../domain/audit.ts'
import { type Db, databaseNow, lockName, type Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

export interface AuditFilter {
  actor?: string | undefined
  kind?: string | undefined
  subject?: string | undefined
  action?: string | undefined
  /** From this instant on. */
  from?: Date | undefined
  /** Before this instant. */
  to?: Date | undefined
}

export type AuditEventRow = Awaited<ReturnType<typeof listAuditEvents>>['rows'][number]

/** The clock is read for the id and for the time of an event, one after the other. */
const clockSlackMs = 1_000

function eventQuery(db: Db, filter: AuditFilter) {
  const { actor, kind, subject, action, from, to } = filter
  let query = db
    .selectFrom('auditEvents')
    .select([
      ...(['id', 'seq', 'partnerId', 'at', 'actor', 'onBehalfOf', 'requestId', 'action'] as const),
      ...(['kind', 'subject', 'verb', 'code', 'changed', 'beforeHash', 'afterHash'] as const),
      'hash',
    ])
  if (actor !== undefined) query = query.where('actor', '=', actor)
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (subject !== undefined) query = query.where('subject', '=', subject)
  if (action !== undefined) query = query.where('action', '=', action)
  if (from) {
    const first = smallestIdAt(new Date(from.getTime() - clockSlackMs))
    query = query.where('at', '>=', from).where('id', '>=', first)
  }
  if (to) {
    const last = smallestIdAt(new Date(to.getTime() + clockSlackMs))
    query = query.where('at', '<', to).where('id', '<', last)
  }
  return query
}

/** Newest first. */
export async function listAuditEvents(db: Db, filter: AuditFilter, page: PageRequest) {
  let query = eventQuery(db, filter)
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  const rows = await query.execute()
  return pageOf(rows, page.limit) satisfies Page<(typeof rows)[number]>
}

/** Oldest first, at most this many. */
export async function listAuditEventsOf(
  db: Db,
  filter: AuditFilter & { from: Date; to: Date },
  limit: number,
): Promise<AuditEventRow[]> {
  return eventQuery(db, filter).orderBy('id').limit(limit).execute()
}

/**
 * Records that a request was refused. Not within the transaction of what was refused, which takes
 * the record back with it.
 * @param refusal.route like `POST /v1/customers`
 */
export async function recordRefusal(
  db: Db,
  { route, code }: { route: string; code: string },
): Promise<void> {
  await sql`select record_refusal(${route}, ${code})`.execute(db)
}

/** The end of a chain as it goes under the signature of a day; a row `own` of that day. */
const chainDigest = `sha256(convert_to(
  json_build_array(own.tenant, own.seq, encode(own.hash, 'hex'))::text, 'UTF8'))`

/** The root of a row `head`: over the root before it, and the chains that grew since. */
export const rootOfDay = `sha256(head.previous_root || convert_to(head.day, 'UTF8') || coalesce(
  (select string_agg(${chainDigest}, ''::bytea order by own.tenant)
    from audit_daily_chains own where own.day = head.day), ''))`

/**
 * Signs the ends of all chains that grew since the last signature, once a day by the database's
 * clock. Any number of callers may do so at once.
 * @returns the head of the day, or undefined where it is signed already.
 */
export async function recordDailyHead(
  trx: Trx,
  signer: AuditSigner,
): Promise<SignedHead | undefined> {
  await lockName(trx, 'audit_daily_heads')
  const signedAt = await databaseNow(trx)
  const day = signedAt.toISOString().slice(0, 10)
  const last = await trx
    .selectFrom('auditDailyHeads')
    .select(['day', 'root'])
    .orderBy('day', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (last && last.day >= day) return undefined
  const previous = last?.root ?? Buffer.alloc(0)
  const grown = await sql`
    insert into audit_daily_chains (day, tenant, seq, hash)
    select ${day}, tenant, seq, hash from audit_heads head
    where not exists (select from audit_daily_chains signed
      where signed.tenant = head.tenant and signed.seq = head.seq)`.execute(trx)
  const { rows } = await sql<{ root: Buffer }>`
    select ${sql.raw(rootOfDay)} as root
    from (select ${previous}::bytea as previous_root, ${day}::text as day) head`.execute(trx)
  const root = rows[0]?.root ?? Buffer.alloc(0)
  const chains = Number(grown.numAffectedRows ?? 0n)
  const head: DailyHead = {
    day,
    chains,
    previousRoot: previous.toString('hex'),
    root: root.toString('hex'),
    signedAt,
  }
  const signature = signer.sign(signedText(head))
  await trx
    .insertInto('auditDailyHeads')
    .values({
      day,
      chains: BigInt(chains),
      previousRoot: previous,
      root,
      keyId: signer.keyId,
      signature,
      signedAt,
    })
    .execute()
  return { ...head, keyId: signer.keyId, signature: signature.toString('base64') }
}

/** Signed days after this one, oldest first; all of them where it is null. */
export async function listDailyHeads(db: Db, after: string | null): Promise<SignedHead[]> {
  let query = db.selectFrom('auditDailyHeads').selectAll().orderBy('day')
  if (after !== null) query = query.where('day', '>', after)
  const rows = await query.execute()
  return rows.map((row) => ({
    day: row.day,
    chains: Number(row.chains),
    previousRoot: row.previousRoot.toString('hex'),
    root: row.root.toString('hex'),
    signedAt: row.signedAt,
    keyId: row.keyId,
    signature: row.signature.toString('base64'),
  }))
}
