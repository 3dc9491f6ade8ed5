/** Who learns what, and how far they are. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import { normalizedAnswers, type QuizAnswers } from '../../domain/training.ts'
import type { Db, Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { findCourse } from './courses.ts'

function enrolmentQuery(db: Db) {
  return db
    .selectFrom('enrolments')
    .innerJoin('courses', 'courses.id', 'enrolments.courseId')
    .selectAll('enrolments')
    .select(['courses.code', 'courses.title', 'courses.version'])
    .select(
      sql<number[]>`array(select done.ordinal from module_completions done
        where done.enrolment_id = enrolments.id order by 1)`.as('completed'),
    )
    .select(
      sql<number>`(select count(*)::int from course_modules
        where course_modules.course_id = courses.id)`.as('modules'),
    )
}

export type EnrolmentRow = NonNullable<Awaited<ReturnType<typeof findEnrolment>>>

export async function findEnrolment(db: Db, id: string) {
  return enrolmentQuery(db).where('enrolments.id', '=', id).executeTakeFirst()
}

export async function listEnrolments(
  db: Db,
  filter: PageRequest & { partnerId?: string | undefined },
): Promise<Page<EnrolmentRow>> {
  let query = enrolmentQuery(db)
    .orderBy('enrolments.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('enrolments.id', '<', filter.after)
  if (filter.partnerId) query = query.where('enrolments.partnerId', '=', filter.partnerId)
  return pageOf(await query.execute(), filter.limit)
}

export interface NewEnrolment {
  id: string
  partnerId: string
  memberId: string
  courseId: string
}

/**
 * Begins a round of a member through a course; one that is open goes on.
 * @throws DomainError `not_found` for a course that is not taught, `conflict` where a certificate
 *   of this course is good for ever.
 */
export async function recordEnrolment(trx: Trx, made: NewEnrolment): Promise<EnrolmentRow> {
  const course = await findCourse(trx, made.courseId)
  if (course?.status !== 'published') {
    throw new DomainError('not_found', 'there is no such course')
  }
  const good = await trx
    .selectFrom('certificates')
    .innerJoin('courses', 'courses.id', 'certificates.courseId')
    .select('certificates.id')
    .where('certificates.memberId', '=', made.memberId)
    .where('courses.code', '=', course.code)
    .where('certificates.expiresAt', 'is', null)
    .where('certificates.revokedAt', 'is', null)
    .executeTakeFirst()
  const own = await findEnrolment(trx, made.id)
  if (good && !own) {
    throw new DomainError('conflict', 'your certificate of this course is good for ever')
  }
  await insertEnrolment(trx, made)
  return enrolmentQuery(trx)
    .where('enrolments.memberId', '=', made.memberId)
    .where('enrolments.courseId', '=', made.courseId)
    .orderBy('enrolments.id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
}

async function insertEnrolment(trx: Trx, made: NewEnrolment): Promise<void> {
  await trx
    .insertInto('enrolments')
    .values(made)
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Enrols the first member of a partner in what is taught under these codes, once. */
export async function enrolFirstMember(
  trx: Trx,
  { partnerId, codes }: { partnerId: string; codes: string[] },
): Promise<boolean> {
  if (codes.length === 0) return false
  const member = await trx
    .selectFrom('members')
    .select('id')
    .where('partnerId', '=', partnerId)
    .where('customerId', 'is', null)
    .where('status', '=', 'active')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  if (!member) return false
  await sql`insert into enrolments (partner_id, member_id, course_id)
    select ${partnerId}, ${member.id}, courses.id from courses
    where courses.status = 'published' and courses.code = any(${codes})
      and not exists (select from certificates good
        join courses held on held.id = good.course_id
        where good.member_id = ${member.id} and held.code = courses.code
          and good.revoked_at is null
          and (good.expires_at is null or good.expires_at > clock_timestamp()))
    on conflict do nothing`.execute(trx)
  return true
}

/**
 * Notes that a module is done; done twice is done once.
 * @throws DomainError `not_found` for a number that the course has not, `conflict` after the end.
 */
export async function recordCompletion(
  trx: Trx,
  { enrolment, ordinal }: { enrolment: EnrolmentRow; ordinal: number },
): Promise<void> {
  if (enrolment.completed.includes(ordinal)) return
  if (enrolment.state === 'passed' || enrolment.state === 'expired') {
    throw new DomainError('conflict', `this round is ${enrolment.state}: enrol again to renew`)
  }
  const module = await trx
    .selectFrom('courseModules')
    .select('id')
    .where('courseId', '=', enrolment.courseId)
    .where('ordinal', '=', ordinal)
    .executeTakeFirst()
  if (!module) throw new DomainError('not_found', 'there is no such module')
  await trx
    .insertInto('moduleCompletions')
    .values({ enrolmentId: enrolment.id, ordinal })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export interface QuizResult {
  score: number
  passed: boolean
  /** The certificate that was earned. */
  certificateId: string | null
  /** Older certificates that this one takes the place of. */
  renewed: string[]
}

/**
 * Hands in answers, once by the id of the attempt.
 * @throws DomainError `not_found`; `conflict` after the end of the round; `not_ready` while modules
 *   are left; `too_many_requests` after three attempts in 24 hours.
 */
export async function recordQuiz(
  trx: Trx,
  attempt: {
    id: string
    enrolmentId: string
    memberId: string
    answers: QuizAnswers
    /** Of the certificate, in case. */
    number: string
  },
): Promise<QuizResult> {
  const { id, enrolmentId, memberId, number } = attempt
  const answers = JSON.stringify(normalizedAnswers(attempt.answers))
  const { rows } = await sql<{
    outcome: string
    score: number
    certificate: string | null
    renewed: string[]
    waitSeconds: number | null
  }>`select * from hand_in_quiz(${id}, ${enrolmentId}, ${memberId}, ${answers}::jsonb,
    ${number})`.execute(trx)
  const [result] = rows
  switch (result?.outcome) {
    case 'passed':
    case 'failed':
      return {
        score: result.score,
        passed: result.outcome === 'passed',
        certificateId: result.certificate,
        renewed: result.renewed,
      }
    case 'over':
      throw new DomainError('conflict', 'this round is over: enrol again to renew')
    case 'unfinished':
      throw new DomainError('not_ready', 'modules are left: complete them first')
    case 'too_often':
      throw new DomainError('too_many_requests', 'three attempts in a day: try again tomorrow', {
        retryAfterSeconds: Math.max(result.waitSeconds ?? 0, 1),
      })
    default:
      throw new DomainError('not_found', 'there is no such enrolment')
  }
}
