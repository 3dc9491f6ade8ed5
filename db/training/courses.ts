/** Courses in their versions: written as drafts, taught unchanged. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import {
  type CertifiedStep,
  courseProblem,
  type Question,
  type QuizAnswers,
} from '../../domain/training.ts'
import { type Db, lockName, type Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { getProgramme } from '../programmes.ts'

export interface CourseTerms {
  title: string
  validityDays: number | null
  passScore: number
  certifies: CertifiedStep[]
}

export type CourseRow = NonNullable<Awaited<ReturnType<typeof findCourse>>>

export async function findCourse(db: Db, id: string) {
  return db.selectFrom('courses').selectAll().where('id', '=', id).executeTakeFirst()
}

/** @param filter.taught leaves out what is being written. */
export async function listCourses(
  db: Db,
  filter: PageRequest & { taught: boolean },
): Promise<Page<CourseRow>> {
  let query = db
    .selectFrom('courses')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('id', '<', filter.after)
  if (filter.taught) query = query.where('status', '=', 'published')
  return pageOf(await query.execute(), filter.limit)
}

/**
 * Begins the next version of a course, with the modules of the last one.
 * @throws DomainError `conflict` while another version is being written.
 */
export async function recordCourse(
  trx: Trx,
  course: CourseTerms & { id: string; code: string },
): Promise<CourseRow> {
  const before = await findCourse(trx, course.id)
  if (before) return before
  const { id: programmeId } = await getProgramme(trx)
  await lockName(trx, `courses:${course.code}`)
  const last = await trx
    .selectFrom('courses')
    .select(['id', 'version', 'status'])
    .where('programmeId', '=', programmeId)
    .where('code', '=', course.code)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (last?.status === 'draft') {
    throw new DomainError('conflict', `version ${last.version} is a draft: change or publish it`)
  }
  const made = await trx
    .insertInto('courses')
    .values({ ...course, programmeId, version: (last?.version ?? 0) + 1 })
    .returningAll()
    .executeTakeFirstOrThrow()
  if (last) await copyModules(trx, { from: last.id, to: made.id })
  return made
}

async function copyModules(trx: Trx, { from, to }: { from: string; to: string }): Promise<void> {
  await sql`insert into course_modules (course_id, ordinal, title, body, url, minutes, quiz)
    select ${to}, ordinal, title, body, url, minutes, quiz
    from course_modules where course_id = ${from}`.execute(trx)
  await sql`insert into course_answers (module_id, answers)
    select copy.id, correct.answers from course_answers correct
    join course_modules module on module.id = correct.module_id and module.course_id = ${from}
    join course_modules copy on copy.course_id = ${to}
      and copy.ordinal = module.ordinal`.execute(trx)
}

/** @throws DomainError `not_found`, or `conflict` for what is taught already. */
async function lockDraft(trx: Trx, id: string): Promise<CourseRow> {
  const row = await trx
    .selectFrom('courses')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such course')
  if (row.status !== 'draft') {
    throw new DomainError('conflict', `it is ${row.status}: begin its next version instead`)
  }
  return row
}

/** @throws DomainError `not_found`, `conflict` */
export async function replaceCourse(trx: Trx, id: string, terms: CourseTerms): Promise<CourseRow> {
  await lockDraft(trx, id)
  return trx
    .updateTable('courses')
    .set(terms)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
}

export interface CourseModule {
  ordinal: number
  title: string
  body: string
  url: string | null
  minutes: number
  questions: Question[]
}

export interface AnsweredModule extends CourseModule {
  answers: QuizAnswers
}

/** Writes a module of a draft, new or over the one of this number. @throws as `lockDraft` */
export async function replaceModule(
  trx: Trx,
  courseId: string,
  { answers, questions, ...module }: AnsweredModule,
): Promise<void> {
  await lockDraft(trx, courseId)
  const columns = { ...module, quiz: JSON.stringify(questions) }
  const { id: moduleId } = await trx
    .insertInto('courseModules')
    .values({ courseId, ...columns })
    .onConflict((conflict) => conflict.columns(['courseId', 'ordinal']).doUpdateSet(columns))
    .returning('id')
    .executeTakeFirstOrThrow()
  const right = JSON.stringify(answers)
  await trx
    .insertInto('courseAnswers')
    .values({ moduleId, answers: right })
    .onConflict((conflict) => conflict.column('moduleId').doUpdateSet({ answers: right }))
    .execute()
}

/** @throws DomainError `not_found` also for a number that there is not; `conflict` */
export async function removeModule(trx: Trx, courseId: string, ordinal: number): Promise<void> {
  await lockDraft(trx, courseId)
  const module = await trx
    .selectFrom('courseModules')
    .select('id')
    .where('courseId', '=', courseId)
    .where('ordinal', '=', ordinal)
    .executeTakeFirst()
  if (!module) throw new DomainError('not_found', 'there is no such module')
  await trx.deleteFrom('courseAnswers').where('moduleId', '=', module.id).execute()
  await trx.deleteFrom('courseModules').where('id', '=', module.id).execute()
}

/** What a learner reads: questions, and no answers. */
export async function listModules(db: Db, courseId: string): Promise<CourseModule[]> {
  const rows = await db
    .selectFrom('courseModules')
    .select(['ordinal', 'title', 'body', 'url', 'minutes', 'quiz'])
    .where('courseId', '=', courseId)
    .orderBy('ordinal')
    .execute()
  return rows.map(({ quiz, ...module }) => ({ ...module, questions: quiz as Question[] }))
}

/** For those who write courses alone. */
export async function listAnsweredModules(db: Db, courseId: string): Promise<AnsweredModule[]> {
  const rows = await db
    .selectFrom('courseModules')
    .innerJoin('courseAnswers', 'courseAnswers.moduleId', 'courseModules.id')
    .select(['ordinal', 'title', 'body', 'url', 'minutes', 'quiz', 'answers'])
    .where('courseId', '=', courseId)
    .orderBy('ordinal')
    .execute()
  return rows.map(({ quiz, answers, ...module }) => ({
    ...module,
    questions: quiz as Question[],
    answers: answers as QuizAnswers,
  }))
}

/**
 * Teaches a draft from now on, in place of the version before.
 * @throws DomainError `not_found`; `conflict` for what is no draft or cannot be taught.
 */
export async function markCoursePublished(trx: Trx, id: string): Promise<CourseRow> {
  const { programmeId, code } = await lockDraft(trx, id)
  const problem = courseProblem(await listModules(trx, id))
  if (problem) throw new DomainError('conflict', `the course cannot be published: ${problem}`)
  await trx
    .updateTable('courses')
    .set({ status: 'retired' })
    .where('programmeId', '=', programmeId)
    .where('code', '=', code)
    .where('status', '=', 'published')
    .execute()
  return trx
    .updateTable('courses')
    .set({ status: 'published', publishedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** Teaches it no more; who began goes on. @throws DomainError `not_found`, `conflict` */
export async function markCourseRetired(trx: Trx, id: string): Promise<CourseRow> {
  const row = await trx
    .updateTable('courses')
    .set({ status: 'retired' })
    .where('id', '=', id)
    .where('status', '=', 'published')
    .returningAll()
    .executeTakeFirst()
  if (row) return row
  const { status } = (await findCourse(trx, id)) ?? {}
  if (!status) throw new DomainError('not_found', 'there is no such course')
  throw new DomainError('conflict', `only what is published is retired: this is ${status}`)
}
