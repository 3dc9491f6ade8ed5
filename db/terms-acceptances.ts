/** Who has to accept terms that were changed, until when, and what came of it. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { Db, Trx } from './database.ts'
import { placeHold, releaseHold } from './partner-holds.ts'

export const acceptanceStatuses = [
  'pending',
  'accepted',
  'declined',
  'overdue',
  'superseded',
] as const
export type AcceptanceStatus = (typeof acceptanceStatuses)[number]
export type AcceptanceCounts = Record<AcceptanceStatus, number>

export async function countAcceptances(db: Db, termsId: string): Promise<AcceptanceCounts> {
  const rows = await db
    .selectFrom('termsAcceptances')
    .select(['status', sql<number>`count(*)::int`.as('count')])
    .where('termsId', '=', termsId)
    .groupBy('status')
    .execute()
  const counts = Object.fromEntries(acceptanceStatuses.map((status) => [status, 0]))
  for (const { status, count } of rows) counts[status] = count
  return counts as AcceptanceCounts
}

export interface Acceptance {
  termsId: string
  partnerId: string
}

/** @throws DomainError `not_found` */
export async function getAcceptance(db: Db, { termsId, partnerId }: Acceptance) {
  const row = await db
    .selectFrom('termsAcceptances')
    .selectAll()
    .where('termsId', '=', termsId)
    .where('partnerId', '=', partnerId)
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'this partner was not asked to accept these terms')
  return row
}

/** The version that partners have to accept. */
const newestAsking = sql`
      select id, programme_id, notice_seconds from agreement_terms
      where status = 'published' and notice_seconds is not null
      order by effective_from desc, id desc limit 1`

/**
 * Asks every active partner that has not signed the newest version that asks for it. What an
 * earlier version asked and nobody answered is superseded.
 */
export async function recordAcceptancesDue(db: Db): Promise<void> {
  await sql`
    with newest as (${newestAsking}),
    asked as (
      insert into terms_acceptances (terms_id, partner_id, due_at)
      select newest.id, partner.id,
        clock_timestamp() + make_interval(secs => newest.notice_seconds)
      from newest join partners partner on partner.programme_id = newest.programme_id
      where partner.status = 'active'
        and not exists (select from terms_acceptances known
          where known.partner_id = partner.id and known.terms_id = newest.id)
        and not exists (select from agreements signed
          join agreement_terms own on own.id = signed.terms_id, agreement_terms asking
          where signed.holder_id = partner.id and signed.status = 'completed'
            and asking.id = newest.id
            and (own.effective_from, own.id) >= (asking.effective_from, asking.id))
      on conflict do nothing
      returning partner_id, terms_id)
    update terms_acceptances earlier
    set status = 'superseded', decided_at = clock_timestamp()
    from asked where earlier.partner_id = asked.partner_id and earlier.terms_id <> asked.terms_id
      and earlier.status in ('pending', 'overdue', 'declined')`.execute(db)
}

/** Whether no later version asks, and the partner has not answered and is not gone. */
export async function isStillAsked(db: Db, { termsId, partnerId }: Acceptance): Promise<boolean> {
  const { rows } = await sql<{ asked: boolean }>`
    select exists (select from terms_acceptances asked
      join partners on partners.id = asked.partner_id and partners.status <> 'terminated'
      where asked.terms_id = ${termsId} and asked.partner_id = ${partnerId}
        and asked.status in ('pending', 'overdue')
        and asked.terms_id = (select id from (${newestAsking}) newest)) as asked`.execute(db)
  return rows[0]?.asked ?? false
}

/** Those whose process was not started yet, the first ones first. */
export async function listUnstarted(db: Db, limit: number) {
  return db
    .selectFrom('termsAcceptances')
    .select(['id', 'termsId', 'partnerId', 'createdAt', 'dueAt'])
    .where('startedAt', 'is', null)
    .where('status', '=', 'pending')
    .orderBy('id')
    .limit(limit)
    .execute()
}

export async function markAcceptanceStarted(db: Db, id: string): Promise<void> {
  await db
    .updateTable('termsAcceptances')
    .set({ startedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('startedAt', 'is', null)
    .execute()
}

/** What an answer, or time without one, makes of it; payouts are held and released with it. */
export async function markAcceptance(
  trx: Trx,
  { termsId, partnerId }: Acceptance,
  status: AcceptanceStatus,
): Promise<void> {
  await trx
    .updateTable('termsAcceptances')
    .set({ status, decidedAt: sql<Date>`clock_timestamp()` })
    .where('termsId', '=', termsId)
    .where('partnerId', '=', partnerId)
    .where('status', '<>', 'accepted')
    .execute()
  const hold = { partnerId, cause: 'agreement' as const, source: termsId }
  if (status === 'overdue' || status === 'declined') {
    await placeHold(trx, { ...hold, reason: `terms_${status}` })
  }
  // Whoever has signed these needs no earlier version any more.
  if (status === 'accepted') await releaseHold(trx, { partnerId, cause: 'agreement' })
  if (status === 'superseded') await releaseHold(trx, hold)
}
