/** The durable inbox of vendor events, and the notices that went out. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { z } from 'zod'
import { signalNames, type Vendor } from '../domain/process-names.ts'
import type { Db, Trx } from './database.ts'
import { mailboxIndex, openedFields, sealedFields } from './personal-fields.ts'

export interface IncomingEvent {
  vendor: Vendor
  eventId: string
  type: string
  /** The object that changed, at the vendor. */
  objectId: string
  occurredAt: Date
  /** The connected account at which it happened. */
  account?: string | null
}

/** @returns false for an event that is there already. */
export async function recordEvent(db: Db, event: IncomingEvent): Promise<boolean> {
  const inserted = await db
    .insertInto('webhookEvents')
    .values(event)
    .onConflict((conflict) => conflict.columns(['vendor', 'eventId']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted !== undefined
}

export interface PendingEvent extends IncomingEvent {
  id: bigint
  attempts: number
}

export async function listPendingEvents(
  db: Db,
  vendor: Vendor,
  limit: number,
): Promise<PendingEvent[]> {
  return db
    .selectFrom('webhookEvents')
    .select(['id', 'vendor', 'eventId', 'type', 'objectId', 'occurredAt', 'attempts', 'account'])
    .where('vendor', '=', vendor)
    .where('status', '=', 'pending')
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** Whom to tell of an event once it is booked. */
export const wakeSchema = z.strictObject({
  signal: z.enum(Object.values(signalNames)),
  workflowId: z.string(),
})
export type Wake = z.infer<typeof wakeSchema>

/** Booked; `wake` is kept until it was delivered, so that a crash in between loses nothing. */
export async function markEventsApplied(
  db: Db,
  events: { id: bigint; wake: Wake | null }[],
): Promise<void> {
  if (events.length === 0) return
  const ids = events.map(({ id }) => id.toString())
  const wakes = events.map(({ wake }) => (wake ? JSON.stringify(wake) : null))
  await sql`
    update webhook_events set wake = applied.wake::jsonb,
      status = case when applied.wake is null then 'done' else 'applied' end,
      done_at = case when applied.wake is null then clock_timestamp() end
    from unnest(${ids}::bigint[], ${wakes}::text[]) as applied (id, wake)
    where webhook_events.id = applied.id and status = 'pending'`.execute(db)
}

/** Left for a person: repeating it cannot help. */
export async function markEventParked(db: Db, id: bigint, problem: string): Promise<void> {
  await db
    .updateTable('webhookEvents')
    .set({ status: 'parked', problem, attempts: sql`attempts + 1` })
    .where('id', '=', id)
    .where('status', '=', 'pending')
    .execute()
}

/** Tried without success; it stays pending. */
export async function markEventTried(db: Db, id: bigint, problem: string): Promise<void> {
  await db
    .updateTable('webhookEvents')
    .set({ problem, attempts: sql`attempts + 1` })
    .where('id', '=', id)
    .where('status', '=', 'pending')
    .execute()
}

export async function listUndeliveredWakes(db: Db, vendor: Vendor, limit: number) {
  const rows = await db
    .selectFrom('webhookEvents')
    .select(['id', 'wake'])
    .where('vendor', '=', vendor)
    .where('status', '=', 'applied')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(({ id, wake }) => ({ eventRowId: id.toString(), wake: wakeSchema.parse(wake) }))
}

export async function markWakesDelivered(db: Db, eventRowIds: string[]): Promise<void> {
  if (eventRowIds.length === 0) return
  await db
    .updateTable('webhookEvents')
    .set({ status: 'done', doneAt: sql<Date>`clock_timestamp()` })
    .where('id', 'in', eventRowIds.map(BigInt))
    .where('status', '=', 'applied')
    .execute()
}

/** Vendors whose inbox holds something; a sweeper wakes their processes. */
export async function listWaitingVendors(db: Db): Promise<Vendor[]> {
  const rows = await db
    .selectFrom('webhookEvents')
    .select('vendor')
    .distinct()
    .where('status', 'in', ['pending', 'applied'])
    .execute()
  return rows.map((row) => row.vendor)
}

/** Events that are not booked yet; those that are parked wait for a person. */
export async function countOpenEvents(db: Db, vendor: Vendor): Promise<number> {
  const { count } = await db
    .selectFrom('webhookEvents')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('vendor', '=', vendor)
    .where('status', '=', 'pending')
    .executeTakeFirstOrThrow()
  return count
}

export interface Notice {
  kind: string
  subjectId: string
  /** Tells several mails of one kind about one subject apart, like the number of a reminder. */
  occurrence?: string
  recipient: string
}

/** Claims a mail; `sent` tells that it went out before. */
export async function recordNotice(trx: Trx | Db, notice: Notice) {
  const { kind, subjectId, occurrence = '', recipient } = notice
  const id = randomUUIDv7()
  const fresh = await trx
    .insertInto('notices')
    .values({
      ...{ id, kind, subjectId, occurrence },
      ...sealedFields('notices', { id }, { recipient }),
      recipientIndex: mailboxIndex(recipient),
    })
    .onConflict((conflict) => conflict.columns(['kind', 'subjectId', 'occurrence']).doNothing())
    .returning('id')
    .executeTakeFirst()
  if (fresh) return { id, recipient, sent: false }
  const row = await trx
    .selectFrom('notices')
    .select(['id', 'sentAt'])
    .select(openedFields('notices'))
    .where('kind', '=', kind)
    .where('subjectId', '=', subjectId)
    .where('occurrence', '=', occurrence)
    .executeTakeFirstOrThrow()
  return { id: row.id, recipient: row.recipient, sent: row.sentAt !== null }
}

/** The mailbox refuses it for good; a person has to see to the address. */
export async function markNoticeRefused(db: Db, notice: Notice): Promise<void> {
  await db
    .updateTable('notices')
    .set({ refusedAt: sql<Date>`clock_timestamp()` })
    .where('kind', '=', notice.kind)
    .where('subjectId', '=', notice.subjectId)
    .where('occurrence', '=', notice.occurrence ?? '')
    .where('sentAt', 'is', null)
    .execute()
}

export async function markNoticeSent(db: Db, id: string): Promise<void> {
  await db
    .updateTable('notices')
    .set({ sentAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('sentAt', 'is', null)
    .execute()
}
