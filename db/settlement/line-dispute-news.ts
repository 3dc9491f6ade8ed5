/** What is to be told of disputes of lines, and whose turn it is. */
import { sql } from 'kysely'
import type { DisputeSide, DisputeStatus } from '../../domain/line-disputes.ts'
import type { Db } from '../database.ts'
import { openedFields } from '../personal-fields.ts'

export const disputeNotice = 'line_dispute'

export interface DisputeNews {
  id: string
  documentNumber: string
  contactName: string
  contactEmail: string
}

/** Events of the last days that the partner was not told; it is told after all others. */
export async function listUntoldDisputeEvents(
  db: Db,
  limit: number,
): Promise<(DisputeNews & { kind: string; side: DisputeSide })[]> {
  const rows = await db
    .selectFrom('lineDisputeEvents as event')
    .innerJoin('lineDisputes as dispute', 'dispute.id', 'event.disputeId')
    .innerJoin('statements', 'statements.id', 'dispute.statementId')
    .innerJoin('partners', 'partners.id', 'event.partnerId')
    .select(['event.id', 'event.kind', 'event.side', 'statements.documentNumber'])
    .select(openedFields('partners'))
    .where('event.happenedAt', '>', sql<Date>`clock_timestamp() - interval '3 days'`)
    .where(
      sql<boolean>`not exists (select from notices where kind = ${disputeNotice}
        and subject_id = event.id and occurrence = 'partner'
        and (sent_at is not null or refused_at is not null))`,
    )
    .orderBy('event.id')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...row, documentNumber: row.documentNumber ?? '' }))
}

/**
 * Disputes of whose turn a mark has come that nobody was reminded of, the oldest turn first; with
 * the newest such mark, in seconds since the turn began.
 */
export async function listDueTurns(
  db: Db,
  marks: number[],
  limit: number,
): Promise<(DisputeNews & { status: DisputeStatus; turnAt: Date; dueAt: Date; mark: number })[]> {
  const mark = sql<number>`(select max(one) from unnest(${marks}::int[]) one
    where clock_timestamp() >= dispute.turn_at + make_interval(secs => one))`
  const rows = await db
    .selectFrom('lineDisputes as dispute')
    .innerJoin('statements', 'statements.id', 'dispute.statementId')
    .innerJoin('partners', 'partners.id', 'dispute.partnerId')
    .select(['dispute.id', 'dispute.status', 'dispute.turnAt', 'dispute.dueAt'])
    .select(['statements.documentNumber', mark.as('mark')])
    .select(openedFields('partners'))
    .where('dispute.closedAt', 'is', null)
    .where(sql<boolean>`${mark} > dispute.reminded_mark`)
    .orderBy('dispute.turnAt')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...row, documentNumber: row.documentNumber ?? '' }))
}

/** Everybody whose turn it is was reminded of this mark, unless the turn is another one by now. */
export async function markTurnReminded(
  db: Db,
  { id, turnAt, mark }: { id: string; turnAt: Date; mark: number },
): Promise<void> {
  await db
    .updateTable('lineDisputes')
    .set({ remindedMark: mark })
    .where('id', '=', id)
    .where(sql<boolean>`date_trunc('milliseconds', turn_at) = ${turnAt}`)
    .where('closedAt', 'is', null)
    .execute()
}
