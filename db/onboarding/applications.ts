/** Applications, their timeline and the decision on them. */
import { type SqlBool, sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type {
  ApplicationStage,
  ApplicationStatus,
  Audience,
  NextActor,
} from '../../domain/onboarding.ts'
import type { PartnerLevel, PartnerType } from '../../domain/partners.ts'
import type { Db, Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { openedField, openedFields, sealedFields } from '../personal-fields.ts'

export interface NewApplication {
  id: string
  programmeId: string
  type: PartnerType
  level: PartnerLevel
  parentId: string | null
  companyName: string
  companyNormalized: string
  country: string
  website: string
  contactName: string
  contactEmail: string
}

/** Inserts the form as it was sent; the same id is the same form. */
export async function recordApplication(trx: Trx, application: NewApplication): Promise<void> {
  const { contactName, contactEmail, ...columns } = application
  const { id } = columns
  const contact = { contactName, contactEmail }
  const inserted = await trx
    .insertInto('applications')
    .values({
      ...columns,
      ...sealedFields('applications', { id, organisation: id }, contact),
      nextActor: 'system',
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) return
  await recordTimeline(trx, application.id, {
    key: 'submitted',
    stage: 'screening',
    actor: 'applicant',
    what: 'application submitted',
  })
}

function applicationQuery(db: Db) {
  return db
    .selectFrom('applications')
    .leftJoin('agreements', (join) =>
      join.onRef('agreements.applicationId', '=', 'applications.id').on(sql<SqlBool>`
        agreements.attempt = (
          select max(attempt) from agreements newest
          where newest.application_id = applications.id)`),
    )
    .leftJoin('payoutAccounts', 'payoutAccounts.applicationId', 'applications.id')
    .leftJoin('identityChecks', (join) =>
      join.onRef('identityChecks.applicationId', '=', 'applications.id').on(sql<SqlBool>`
        identity_checks.attempt = (
          select max(attempt) from identity_checks newest
          where newest.application_id = applications.id)`),
    )
    .selectAll('applications')
    .select([
      'agreements.status as agreementStatus',
      'payoutAccounts.status as verificationStatus',
      'identityChecks.status as identityStatus',
    ])
    .select(openedFields('applications'))
}

export type ApplicationRow = Awaited<ReturnType<typeof getApplication>>

/** @throws DomainError `not_found` */
export async function getApplication(db: Db, id: string) {
  const row = await applicationQuery(db).where('applications.id', '=', id).executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such application')
  return row
}

export async function findApplication(db: Db, id: string) {
  return applicationQuery(db).where('applications.id', '=', id).executeTakeFirst()
}

export async function listApplications(
  db: Db,
  filter: PageRequest & { status?: ApplicationStatus | undefined },
): Promise<Page<ApplicationRow>> {
  let query = applicationQuery(db)
    .orderBy('applications.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('applications.id', '<', filter.after)
  if (filter.status) query = query.where('applications.status', '=', filter.status)
  return pageOf(await query.execute(), filter.limit)
}

/** Other applications or partners of the same company: same country, same name but for its form. */
export async function listTwins(
  db: Db,
  application: { id: string; country: string; companyNormalized: string },
): Promise<string[]> {
  const rows = await db
    .selectFrom('applications')
    .select('id')
    .where('country', '=', application.country)
    .where('companyNormalized', '=', application.companyNormalized)
    .where('id', '<>', application.id)
    .where('status', 'not in', ['rejected', 'withdrawn', 'lapsed'])
    .execute()
  return rows.map((row) => row.id)
}

export interface StageChange {
  stage: ApplicationStage
  status?: ApplicationStatus
  nextActor: NextActor
  dueAt?: Date | null
  screening?: 'clear' | 'review'
  partnerId?: string
}

/** Moves an application on; one that is closed stays as it is. */
export async function markApplication(trx: Trx, id: string, change: StageChange): Promise<void> {
  const closing =
    change.status && ['active', 'rejected', 'withdrawn', 'lapsed'].includes(change.status)
  await trx
    .updateTable('applications')
    .set({
      ...change,
      dueAt: change.dueAt ?? null,
      ...(closing ? { closedAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where('id', '=', id)
    .where('closedAt', 'is', null)
    .execute()
}

export interface TimelineEntry {
  /** Names the entry within its application, so that a repeated step writes it once. */
  key: string
  stage: ApplicationStage
  actor: string
  what: string
  /** Until when the next step is due. */
  dueAt?: Date | null
  /** True for what the applicant is not told. */
  internal?: boolean
}

export async function recordTimeline(
  trx: Db,
  applicationId: string,
  { key, ...entry }: TimelineEntry,
): Promise<void> {
  await trx
    .insertInto('applicationEvents')
    .values({ applicationId, entryKey: key, ...entry })
    .onConflict((conflict) => conflict.columns(['applicationId', 'entryKey']).doNothing())
    .execute()
}

/** The timeline as it is told to who reads it. */
export async function listTimeline(db: Db, applicationId: string, audience: Audience) {
  let query = db
    .selectFrom('applicationEvents')
    .select(['at', 'stage', 'actor', 'what'])
    .where('applicationId', '=', applicationId)
    .orderBy('id')
  if (audience === 'applicant') query = query.where('internal', '=', false)
  return query.execute()
}

export interface NewDecisionNote {
  id: string
  applicationId: string
  memberId: string
  decision: 'approve' | 'reject'
  reason: string
  effectiveFrom: Date
}

export async function recordDecisionNote(trx: Trx, note: NewDecisionNote): Promise<void> {
  await trx
    .insertInto('decisionNotes')
    .values(note)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

export async function getDecisionNote(db: Db, id: string) {
  return db
    .selectFrom('decisionNotes')
    .innerJoin('members', 'members.id', 'decisionNotes.memberId')
    .leftJoin('partners', 'partners.id', 'members.partnerId')
    .selectAll('decisionNotes')
    .select([openedField('members', 'name').as('memberName'), 'partners.level as memberLevel'])
    .where('decisionNotes.id', '=', id)
    .executeTakeFirstOrThrow()
}

/** The note that became the decision. */
export async function findTakenNote(db: Db, applicationId: string) {
  return db
    .selectFrom('decisionNotes')
    .select(['id', 'decision', 'reason', 'memberId', 'takenAt'])
    .where('applicationId', '=', applicationId)
    .where('takenAt', 'is not', null)
    .executeTakeFirst()
}

/** Makes this note the decision; the database refuses a second one for the application. */
export async function markDecisionTaken(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('decisionNotes')
    .set({ takenAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('takenAt', 'is', null)
    .execute()
}

/** Open applications that are older than the given age; a sweeper starts what is not running. */
export async function listOpenApplications(db: Db, olderThanSeconds: number): Promise<string[]> {
  const rows = await db
    .selectFrom('applications')
    .select('id')
    .where('closedAt', 'is', null)
    .where(
      'submittedAt',
      '<',
      sql<Date>`clock_timestamp() - make_interval(secs => ${olderThanSeconds})`,
    )
    .orderBy('submittedAt')
    .limit(500)
    .execute()
  return rows.map((row) => row.id)
}
