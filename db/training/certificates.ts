/** Certificates: who has which, until when, and who lacks what the programme asks for. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { CertifiedStep, EnrolmentState } from '../../domain/training.ts'
import type { Db, Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { openedField } from '../personal-fields.ts'

function certificateQuery(db: Db) {
  return db
    .selectFrom('certificates')
    .innerJoin('courses', 'courses.id', 'certificates.courseId')
    .innerJoin('partners', 'partners.id', 'certificates.partnerId')
    .selectAll('certificates')
    .select(['courses.code', 'courses.title', 'courses.version', 'partners.name as partnerName'])
    .select(sql<Date>`clock_timestamp()`.as('now'))
}

export type CertificateRow = NonNullable<Awaited<ReturnType<typeof findCertificate>>>

export async function findCertificate(db: Db, id: string) {
  return certificateQuery(db).where('certificates.id', '=', id).executeTakeFirst()
}

/** What is printed: the name of the person too, where the one who reads may know it. */
export async function findPrintedCertificate(db: Db, id: string) {
  return certificateQuery(db)
    .leftJoin('members', 'members.id', 'certificates.memberId')
    .select(openedField('members', 'name').as('memberName'))
    .select(openedField('members', 'email').as('memberEmail'))
    .where('certificates.id', '=', id)
    .executeTakeFirst()
}

export async function findCertificateByNumber(db: Db, number: string) {
  return certificateQuery(db).where('certificates.number', '=', number).executeTakeFirst()
}

export async function listCertificates(db: Db, page: PageRequest): Promise<Page<CertificateRow>> {
  let query = certificateQuery(db)
    .orderBy('certificates.id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('certificates.id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

/** @throws DomainError `not_found`; `conflict` where it was revoked before. */
export async function markCertificateRevoked(
  trx: Trx,
  { id, reason }: { id: string; reason: string },
): Promise<CertificateRow> {
  const { numUpdatedRows } = await trx
    .updateTable('certificates')
    .set({ revokedAt: sql<Date>`clock_timestamp()`, revokeReason: reason })
    .where('id', '=', id)
    .where('revokedAt', 'is', null)
    .executeTakeFirst()
  const row = await findCertificate(trx, id)
  if (!row) throw new DomainError('not_found', 'there is no such certificate')
  if (numUpdatedRows === 0n && row.revokeReason !== reason)
    throw new DomainError('conflict', 'the certificate was revoked before')
  return row
}

/** Notes that a process watches the certificate. */
export async function markCertificateWatched(db: Db, id: string): Promise<void> {
  await db
    .updateTable('certificates')
    .set({ watchedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('watchedAt', 'is', null)
    .execute()
}

/** Certificates that run out one day and that no process watches. */
export async function listUnwatchedCertificates(
  db: Db,
  olderThanSeconds: number,
): Promise<string[]> {
  const rows = await db
    .selectFrom('certificates')
    .select('id')
    .where('watchedAt', 'is', null)
    .where('expiredAt', 'is', null)
    .where('expiresAt', 'is not', null)
    .where(
      'issuedAt',
      '<',
      sql<Date>`clock_timestamp() - make_interval(secs => ${olderThanSeconds})`,
    )
    .orderBy('issuedAt')
    .limit(500)
    .execute()
  return rows.map(({ id }) => id)
}

/** Notes that a certificate has run out, and with it its round. @returns false where it has not. */
export async function markCertificateExpired(trx: Trx, id: string): Promise<boolean> {
  const row = await trx
    .updateTable('certificates')
    .set({ expiredAt: sql<Date>`coalesce(expired_at, clock_timestamp())` })
    .where('id', '=', id)
    .where('expiresAt', '<=', sql<Date>`clock_timestamp()`)
    .returning('enrolmentId')
    .executeTakeFirst()
  if (!row) return false
  await trx
    .updateTable('enrolments')
    .set({ state: 'expired' })
    .where('id', '=', row.enrolmentId)
    .where('state', '=', 'passed')
    .execute()
  return true
}

const isGood = sql<boolean>`(good.revoked_at is null
  and (good.expires_at is null or good.expires_at > clock_timestamp()))`

/**
 * Which of these partners may not take a step yet, and the codes of the courses that they lack.
 * Where no course is taught for the step, nobody may, and the list of codes is empty.
 */
export async function listCertificationGaps(
  db: Db,
  { partnerIds, step }: { partnerIds: string[]; step: CertifiedStep },
): Promise<Map<string, string[]>> {
  if (partnerIds.length === 0) return new Map()
  const { rows } = await sql<{ partnerId: string; missing: string[]; taught: number }>`
    select concerned.id as partner_id,
      (select count(*)::int from courses where status = 'published'
        and ${step} = any(certifies)) as taught,
      array(select course.code from courses course
        where course.status = 'published' and ${step} = any(course.certifies)
          and not exists (select from certificates good
            join courses held on held.id = good.course_id
            where good.partner_id = concerned.id and held.code = course.code and ${isGood})
        order by 1) as missing
    from unnest(${partnerIds}::uuid[]) concerned (id)`.execute(db)
  return new Map(
    rows
      .filter(({ missing, taught }) => missing.length > 0 || taught === 0)
      .map(({ partnerId, missing }) => [partnerId, missing]),
  )
}

export interface CourseStanding {
  courseId: string
  code: string
  title: string
  version: number
  certifies: CertifiedStep[]
  states: EnrolmentState[]
  /** The certificate that is good for longest. */
  number: string | null
  expiresAt: Date | null
}

/** How far a partner is with every course that is taught. */
export async function listCourseStandings(db: Db, partnerId: string): Promise<CourseStanding[]> {
  const { rows } = await sql<CourseStanding>`
    select course.id as course_id, course.code, course.title, course.version, course.certifies,
      array(select round.state from enrolments round
        join courses held on held.id = round.course_id
        where round.partner_id = ${partnerId} and held.code = course.code) as states,
      best.number, best.expires_at
    from courses course
    left join lateral (select good.number, good.expires_at from certificates good
      join courses held on held.id = good.course_id
      where good.partner_id = ${partnerId} and held.code = course.code and ${isGood}
      order by good.expires_at desc nulls first limit 1) best on true
    where course.status = 'published'
    order by course.code`.execute(db)
  return rows
}
