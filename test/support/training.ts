/** Courses, who learns them, and certificates, made by the product's own code. */
import { randomBytes, randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { type Db, inTransaction } from '../../db/database.ts'
import {
  type CourseTerms,
  markCoursePublished,
  recordCourse,
  replaceModule,
} from '../../db/training/courses.ts'
import type { CertifiedStep } from '../../domain/training.ts'
import { unique } from './factories.ts'

/** A published course with two modules and two questions: `a` wants 0, `b` wants 1 and 2. */
export async function makeCourse(
  db: Db,
  changes: Partial<CourseTerms> & { code?: string; certifies?: CertifiedStep[] } = {},
): Promise<string> {
  const { code = unique('course').replace('_', '-'), ...terms } = changes
  const course = { validityDays: 365, passScore: 100, certifies: [], title: `Course ${code}` }
  const id = randomUUIDv7()
  await inTransaction(db, async (trx) => {
    await recordCourse(trx, { id, code, ...course, ...terms })
    const common = { body: 'Read this.', url: null, minutes: 10 }
    await replaceModule(trx, id, {
      ...{ ...common, ordinal: 1, title: 'One' },
      questions: [{ id: 'a', text: 'Which?', options: ['this', 'that'] }],
      answers: { a: [0] },
    })
    await replaceModule(trx, id, {
      ...{ ...common, ordinal: 2, title: 'Two' },
      questions: [{ id: 'b', text: 'Which ones?', options: ['x', 'y', 'z'] }],
      answers: { b: [1, 2] },
    })
    await markCoursePublished(trx, id)
  })
  return id
}

export interface Learner {
  partnerId: string
  memberId: string
  courseId: string
}

export async function makeEnrolment(db: Db, learner: Learner): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    insert into enrolments (partner_id, member_id, course_id)
    values (${learner.partnerId}, ${learner.memberId}, ${learner.courseId})
    returning id`.execute(db)
  return rows[0]?.id ?? ''
}

const newNumber = () =>
  (randomBytes(8).toString('hex').toUpperCase().match(/.{4}/g) ?? []).join('-')

/** A certificate as it stands after so many seconds of its life. */
export async function makeCertificate(
  db: Db,
  learner: Learner & { seconds?: number | null },
): Promise<string> {
  const { partnerId, memberId, courseId, seconds = 86_400 * 365 } = learner
  const enrolmentId = await makeEnrolment(db, learner)
  await sql`update enrolments set state = 'passed' where id = ${enrolmentId}`.execute(db)
  const { rows } = await sql<{ id: string }>`
    insert into certificates (number, partner_id, member_id, course_id, enrolment_id, issued_at,
      expires_at)
    values (${newNumber()}, ${partnerId}, ${memberId}, ${courseId}, ${enrolmentId},
      clock_timestamp() - interval '1 year',
      clock_timestamp() + make_interval(secs => ${seconds}))
    returning id`.execute(db)
  return rows[0]?.id ?? ''
}
