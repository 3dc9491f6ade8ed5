/** Breaks between the books and Stripe as people see them: who looks after one, how it ended. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { BreakKind } from '../domain/reconciliation.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import type { TimeRange } from './reconciliation.ts'

export type BreakRow = NonNullable<Awaited<ReturnType<typeof findBreak>>>

/** With the time of the database, by which ages are told. */
function breakQuery(db: Db) {
  return db.selectFrom('reconBreaks').selectAll().select(sql<Date>`clock_timestamp()`.as('now'))
}

export async function findBreak(db: Db, id: string) {
  return breakQuery(db).where('id', '=', id).executeTakeFirst()
}

export interface BreakFilter {
  open?: boolean | undefined
  kind?: BreakKind | undefined
  ownerId?: string | undefined
  /** By when what differs has happened. */
  range?: TimeRange | undefined
}

function filtered(db: Db, { open, kind, ownerId, range }: BreakFilter) {
  let query = breakQuery(db).orderBy('id', 'desc')
  if (open === true) query = query.where('resolvedAt', 'is', null)
  if (open === false) query = query.where('resolvedAt', 'is not', null)
  if (kind) query = query.where('kind', '=', kind)
  if (ownerId) query = query.where('ownerId', '=', ownerId)
  if (range) {
    query = query.where('happenedAt', '>=', range.from).where('happenedAt', '<', range.until)
  }
  return query
}

export async function listBreaks(
  db: Db,
  { after, limit, ...filter }: BreakFilter & PageRequest,
): Promise<Page<BreakRow>> {
  let query = filtered(db, filter).limit(limit + 1)
  if (after) query = query.where('id', '<', after)
  return pageOf(await query.execute(), limit)
}

/** All that are open of a time, newest first. */
export async function listOpenBreaks(db: Db, range: TimeRange): Promise<BreakRow[]> {
  return filtered(db, { open: true, range }).execute()
}

/** Open breaks in short, for those who have to know of them; undefined where there are none. */
export async function findOpenBreaks(db: Db) {
  const { rows } = await sql<{
    newest: string
    count: number
    withoutOwner: number
    oldest: Date
  }>`
    select max(id::text)::uuid as newest, count(*)::int as count,
      (count(*) filter (where owner_id is null))::int as without_owner,
      min(first_seen_at) as oldest
    from recon_breaks where resolved_at is null
    having count(*) > 0`.execute(db)
  return rows[0]
}

/**
 * Whether a person has said what breaks of the transfer of a payout are, and none of them is open;
 * how long it was on its way, and what was seen of an earlier transfer, says nothing of it.
 */
export async function isExplained(db: Db, payoutId: string): Promise<boolean> {
  const { rows } = await sql<{ explained: boolean }>`
    select coalesce(bool_and(resolved_at is not null) and bool_or(resolution = 'by_person'), false)
      as explained
    from recon_breaks join payouts on payouts.id = payout_id
    where payout_id = ${payoutId} and kind <> 'clearing_age' and first_seen_at >= paid_at`.execute(
    db,
  )
  return rows[0]?.explained ?? false
}

/** Whether somebody is an active person of the platform, who can look after breaks. */
export async function isPlatformMember(db: Db, memberId: string): Promise<boolean> {
  const row = await db
    .selectFrom('members')
    .select('id')
    .where('id', '=', memberId)
    .where('partnerId', 'is', null)
    .where('customerId', 'is', null)
    .where('status', '=', 'active')
    .executeTakeFirst()
  return row !== undefined
}

async function change(
  trx: Trx,
  id: string,
  set: { ownerId: string } | { note: string; resolvedBy: string },
): Promise<BreakRow> {
  const now = sql<Date>`clock_timestamp()`
  const changed = await trx
    .updateTable('reconBreaks')
    .set(
      'ownerId' in set
        ? { ...set, assignedAt: now }
        : { ...set, resolvedAt: now, resolution: 'by_person' },
    )
    .where('id', '=', id)
    .where('resolvedAt', 'is', null)
    .returning('id')
    .executeTakeFirst()
  const row = await findBreak(trx, id)
  if (!row) throw new DomainError('not_found', 'there is no such break')
  if (!changed) throw new DomainError('conflict', 'this break is resolved')
  return row
}

/** @throws DomainError `not_found`, `conflict` for one that is resolved. */
export function markBreakAssigned(trx: Trx, id: string, ownerId: string): Promise<BreakRow> {
  return change(trx, id, { ownerId })
}

/** A person has explained it. @throws DomainError `not_found`, `conflict` where it is resolved. */
export function markBreakResolved(
  trx: Trx,
  id: string,
  by: { memberId: string; note: string },
): Promise<BreakRow> {
  return change(trx, id, { note: by.note, resolvedBy: by.memberId })
}
