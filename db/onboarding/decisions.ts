/** The decision on an application: what persons and rules said, what of it counts. */
import { type SqlBool, sql } from 'kysely'
import type { RejectionCode } from '../../domain/decisions.ts'
import type { ActorLevel } from '../../domain/partners.ts'
import type { Db, Trx } from '../database.ts'
import { openedField } from '../personal-fields.ts'
import { isSamePerson } from '../same-person.ts'

export interface NewDecisionNote {
  id: string
  applicationId: string
  /** Null where a rule decides. */
  memberId: string | null
  rule?: string
  decision: 'approve' | 'reject'
  reason: string
  code?: RejectionCode | null
  effectiveFrom: Date
}

/** Inserts what somebody wants; it counts once the process has taken it. */
export async function recordDecisionNote(trx: Trx, note: NewDecisionNote): Promise<void> {
  await trx
    .insertInto('decisionNotes')
    .values(note)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

export type DecisionNote = Awaited<ReturnType<typeof getDecisionNote>>

export async function getDecisionNote(db: Db, id: string) {
  return db
    .selectFrom('decisionNotes')
    .leftJoin('members', 'members.id', 'decisionNotes.memberId')
    .leftJoin('partners', 'partners.id', 'members.partnerId')
    .selectAll('decisionNotes')
    .select(['partners.level as memberLevel'])
    .where('decisionNotes.id', '=', id)
    .executeTakeFirstOrThrow()
}

/** The note that is the decision. */
export async function findTakenNote(db: Db, applicationId: string) {
  return db
    .selectFrom('decisionNotes')
    .select(['id', 'decision', 'reason', 'code', 'memberId', 'rule', 'takenAt'])
    .where('applicationId', '=', applicationId)
    .where('takenAt', 'is not', null)
    .where('undoneAt', 'is', null)
    .executeTakeFirst()
}

/** Everything that was said and counted, taken back or not, oldest first. */
export async function listGivenNotes(db: Db, applicationId: string) {
  return db
    .selectFrom('decisionNotes')
    .select(['id', 'decision', 'memberId', 'rule', 'givenAt', 'takenAt', 'undoneAt'])
    .where('applicationId', '=', applicationId)
    .where('givenAt', 'is not', null)
    .orderBy('givenAt')
    .execute()
}

/** The decision of a rule, taken or not; there is one at most. */
export async function findRuleNote(db: Db, applicationId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('decisionNotes')
    .select('id')
    .where('applicationId', '=', applicationId)
    .where('rule', 'is not', null)
    .executeTakeFirst()
  return row?.id
}

/** Counts a note as the first of two approvals. */
export async function markDecisionGiven(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('decisionNotes')
    .set({ givenAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('givenAt', 'is', null)
    .execute()
}

/** Makes this note the decision; the database refuses a second one for the application. */
export async function markDecisionTaken(trx: Trx, id: string): Promise<void> {
  const now = sql<Date>`clock_timestamp()`
  await trx
    .updateTable('decisionNotes')
    .set({ takenAt: now, givenAt: sql<Date>`coalesce(given_at, clock_timestamp())` })
    .where('id', '=', id)
    .where('takenAt', 'is', null)
    .execute()
}

/** Takes back every approval of an application; what was said stays readable. */
export async function markDecisionsUndone(
  trx: Trx,
  applicationId: string,
  memberId: string | null,
): Promise<void> {
  await trx
    .updateTable('decisionNotes')
    .set({ undoneAt: sql<Date>`clock_timestamp()`, undoneBy: memberId })
    .where('applicationId', '=', applicationId)
    .where('givenAt', 'is not', null)
    .where('undoneAt', 'is', null)
    .execute()
}

/** As whom a member acts. */
export async function levelOfMember(db: Db, memberId: string): Promise<ActorLevel> {
  const row = await db
    .selectFrom('members')
    .leftJoin('partners', 'partners.id', 'members.partnerId')
    .select('partners.level')
    .where('members.id', '=', memberId)
    .executeTakeFirst()
  return row?.level ?? 'super_admin'
}

/** The members who may decide now: active administrators of the platform, and of the master. */
function deciders(db: Db, masterId: string | null) {
  return db
    .selectFrom('members')
    .leftJoin('partners', 'partners.id', 'members.partnerId')
    .where('members.customerId', 'is', null)
    .where('members.status', '=', 'active')
    .where('members.role', 'in', ['owner', 'admin'])
    .where((eb) =>
      eb.or([
        eb('members.partnerId', 'is', null),
        ...(masterId === null
          ? []
          : [
              eb.and([
                eb('members.partnerId', '=', masterId),
                eb('partners.status', '=', 'active'),
              ]),
            ]),
      ]),
    )
}

/** Whether this member may decide on applications of this master reseller, as things are now. */
export async function mayDecide(
  db: Db,
  memberId: string,
  masterId: string | null,
): Promise<boolean> {
  const found = await deciders(db, masterId)
    .select('members.id')
    .where('members.id', '=', memberId)
    .executeTakeFirst()
  return found !== undefined
}

/** Who is asked: the administrators of the master reseller, or those of the platform. */
export async function listDeciders(db: Db, masterId: string | null) {
  return deciders(db, masterId)
    .select([
      'members.id',
      openedField('members', 'name').as('name'),
      openedField('members', 'email').as('email'),
    ])
    .where(sql<SqlBool>`members.partner_id is not distinct from ${masterId}::uuid`)
    .orderBy('members.id')
    .execute()
}

/** Whether a member is one of the persons who gave these notes, under whatever membership. */
export async function gaveOneOf(
  trx: Trx,
  notes: { memberId: string | null }[],
  memberId: string,
): Promise<boolean> {
  for (const note of notes) {
    if (note.memberId && (await isSamePerson(trx, note.memberId, memberId))) return true
  }
  return false
}
