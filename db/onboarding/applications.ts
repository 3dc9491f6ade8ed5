/** Applications, their timeline and the decision on them. */
import { randomUUIDv7 } from 'node:crypto'
import { type SqlBool, sql } from 'kysely'
import { companyDomainOf } from '../../domain/companies.ts'
import { DomainError } from '../../domain/errors.ts'
import type {
  ApplicationStage,
  ApplicationStatus,
  Audience,
  ContactRole,
  NextActor,
} from '../../domain/onboarding.ts'
import type { PartnerLevel, PartnerType } from '../../domain/partners.ts'
import type { TerritoryMode } from '../../domain/territories.ts'
import type { Db, Trx } from '../database.ts'
import { keptQuery } from '../kept-query.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { domainIndex, mailboxIndex, openedFields, sealedFields } from '../personal-fields.ts'

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
  legalName?: string | null
  registrationNumber?: string | null
  registrationNormalized?: string | null
  /** Where it wants to sell, like `US` or `US-CA`. */
  territoryCodes?: string[]
  territoryMode?: TerritoryMode
  /** In a month. */
  expectedVolume?: { amountMinor: bigint; currency: string } | null
  contacts?: ApplicationContact[]
  message?: string
  /** Answers to the programme's own questions. */
  custom?: Record<string, string | number | boolean>
  /** The rejected application that it comes after. */
  reappliesId?: string | null
  invitationId?: string | null
}

export interface ApplicationContact {
  name: string
  email: string
  role: ContactRole
}

/** Inserts the form as it was sent; the same id is the same form. */
export async function recordApplication(trx: Trx, application: NewApplication): Promise<void> {
  const { contactName, contactEmail, expectedVolume, contacts, message, custom, ...columns } =
    application
  const { id } = columns
  const contact = { contactName, contactEmail }
  const domain = companyDomainOf(contactEmail)
  const inserted = await trx
    .insertInto('applications')
    .values({
      ...columns,
      ...sealedFields('applications', { id, organisation: id }, contact),
      contactEmailIndex: mailboxIndex(contactEmail),
      domainIndex: domain === null ? null : domainIndex(domain),
      expectedVolumeMinor: expectedVolume?.amountMinor ?? null,
      expectedVolumeCurrency: expectedVolume?.currency ?? null,
      nextActor: 'system',
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) return
  await recordFormWords(trx, id, { contacts, message, custom })
  await recordTimeline(trx, application.id, {
    key: 'submitted',
    stage: 'screening',
    actor: 'applicant',
    what: 'application submitted',
  })
}

/** What of a form stands in tables of its own. */
type FormWords = { [Field in 'contacts' | 'message' | 'custom']: NewApplication[Field] | undefined }

async function recordFormWords(
  trx: Trx,
  applicationId: string,
  { contacts = [], message = '', custom = {} }: FormWords,
): Promise<void> {
  const sealedRow = () => ({ id: randomUUIDv7(), organisation: applicationId })
  for (const { role, ...person } of contacts) {
    const row = sealedRow()
    const fields = sealedFields('applicationContacts', row, person)
    await trx
      .insertInto('applicationContacts')
      .values({ id: row.id, applicationId, role, ...fields })
      .execute()
  }
  if (message === '' && Object.keys(custom).length === 0) return
  const row = sealedRow()
  const words = { message, custom: JSON.stringify(custom) }
  await trx
    .insertInto('applicationAnswers')
    .values({ id: row.id, applicationId, ...sealedFields('applicationAnswers', row, words) })
    .execute()
}

/** More people of the applicant, in the order in which it named them. */
export async function listContacts(db: Db, applicationId: string) {
  return db
    .selectFrom('applicationContacts')
    .select(['id', 'role'])
    .select(openedFields('applicationContacts'))
    .where('applicationId', '=', applicationId)
    .orderBy('id')
    .execute()
}

/** What the applicant wrote; undefined where it wrote nothing. `custom` is JSON. */
export async function findAnswers(db: Db, applicationId: string) {
  return db
    .selectFrom('applicationAnswers')
    .select('id')
    .select(openedFields('applicationAnswers'))
    .where('applicationId', '=', applicationId)
    .executeTakeFirst()
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

const applicationById = keptQuery((db, id) =>
  applicationQuery(db).where('applications.id', '=', id),
)

export type ApplicationRow = Awaited<ReturnType<typeof getApplication>>

/** @throws DomainError `not_found` */
export async function getApplication(db: Db, id: string) {
  const [row] = await applicationById(db, id)
  if (!row) throw new DomainError('not_found', 'there is no such application')
  return row
}

/** How many applications of a mailbox are on their way; the answer to a count, and no more. */
export async function countOpenApplications(trx: Trx, email: string): Promise<number> {
  const { rows } = await sql<{ open: number }>`
    select open_applications_of(${mailboxIndex(email)}) as open`.execute(trx)
  return rows[0]?.open ?? 0
}

/**
 * The application, kept from changing until the transaction ends.
 * @throws DomainError `not_found`
 */
export async function lockApplication(trx: Trx, id: string): Promise<ApplicationRow> {
  await trx.selectFrom('applications').select('id').where('id', '=', id).forUpdate().execute()
  return getApplication(trx, id)
}

export async function findApplication(db: Db, id: string) {
  const [row] = await applicationById(db, id)
  return row
}

export interface ApplicationFilter {
  status?: ApplicationStatus | undefined
  stage?: ApplicationStage | undefined
  nextActor?: Exclude<NextActor, null> | undefined
  /** Whether somebody should have acted before now. */
  overdue?: boolean | undefined
}

export async function listApplications(
  db: Db,
  filter: PageRequest & ApplicationFilter,
): Promise<Page<ApplicationRow>> {
  let query = applicationQuery(db)
    .orderBy('applications.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('applications.id', '<', filter.after)
  if (filter.status) query = query.where('applications.status', '=', filter.status)
  if (filter.stage) query = query.where('applications.stage', '=', filter.stage)
  if (filter.nextActor) query = query.where('applications.nextActor', '=', filter.nextActor)
  if (filter.overdue !== undefined) {
    const late = sql<SqlBool>`coalesce(applications.due_at < clock_timestamp(), false)`
    query = query.where(filter.overdue ? late : sql<SqlBool>`not ${late}`)
  }
  return pageOf(await query.execute(), filter.limit)
}

export interface StageChange {
  stage: ApplicationStage
  status?: ApplicationStatus
  nextActor: NextActor
  dueAt?: Date | null
  screening?: 'clear' | 'review'
  preScreen?: 'reject' | 'review'
  /** The words of the rule. */
  preScreenReason?: string
  partnerId?: string
  /** Until when an approval may be taken back; null once it is taken back. */
  undoUntil?: Date | null
}

/**
 * Moves an application on; one that is closed stays as it is.
 * @returns false where it was closed before.
 */
export async function markApplication(trx: Trx, id: string, change: StageChange) {
  const closing =
    change.status && ['active', 'rejected', 'withdrawn', 'lapsed'].includes(change.status)
  const { numUpdatedRows } = await trx
    .updateTable('applications')
    .set({
      ...change,
      dueAt: change.dueAt ?? null,
      ...(closing ? { closedAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where('id', '=', id)
    .where('closedAt', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
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

/** Entries of the timeline, in their order. */
export async function recordTimeline(
  trx: Db,
  applicationId: string,
  ...entries: TimelineEntry[]
): Promise<void> {
  await trx
    .insertInto('applicationEvents')
    .values(entries.map(({ key, ...entry }) => ({ applicationId, entryKey: key, ...entry })))
    .onConflict((conflict) => conflict.columns(['applicationId', 'entryKey']).doNothing())
    .execute()
}

/** The timeline as it is told to who reads it. */
export async function listTimeline(db: Db, applicationId: string, audience: Audience) {
  let query = db
    .selectFrom('applicationEvents')
    .select(['at', 'stage', 'actor', 'what', 'dueAt'])
    .where('applicationId', '=', applicationId)
    .orderBy('id')
  if (audience === 'applicant') query = query.where('internal', '=', false)
  return query.execute()
}

/**
 * Open applications that are older than the given age; a sweeper starts what is not running. Where
 * more are open than one round takes, half of them are the newest, which are the likeliest to have
 * been left behind, and the others come in turn, round by round.
 */
export async function listOpenApplications(
  db: Db,
  { olderThanSeconds, round, most }: { olderThanSeconds: number; round: number; most: number },
): Promise<string[]> {
  const half = Math.ceil(most / 2)
  const { rows } = await sql<{ id: string }>`
    select id from (
      select id, submitted_at, row_number() over (order by submitted_at desc, id desc) as place,
        greatest(count(*) over () - ${half}, 1) as others
      from applications
      where closed_at is null
        and submitted_at < clock_timestamp() - make_interval(secs => ${olderThanSeconds})
    ) waiting
    where place <= ${half}
      or (place - 1 + ${round}::bigint * ${most - half}) % others < ${most - half}
    order by submitted_at`.execute(db)
  return rows.map(({ id }) => id)
}
