/** Courses: written by the platform owner in versions, read by those who learn. */
import { z } from 'zod'
import { inTransaction } from '../../db/database.ts'
import {
  type AnsweredModule,
  type CourseModule,
  type CourseRow,
  findCourse,
  listAnsweredModules,
  listCourses,
  listModules,
  markCoursePublished,
  markCourseRetired,
  recordCourse,
  removeModule,
  replaceCourse,
  replaceModule,
} from '../../db/training/courses.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { type CertifiedStep, certifiedSteps, courseStatuses } from '../../domain/training.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from '../paging.ts'
import { type Call, type Route, route } from '../route.ts'
import { found, idAnswer, instantAnswer, pathId, text, webAddress } from '../validate.ts'

const terms = {
  title: text(),
  /** How long a certificate is good for; null is for ever. */
  validity_days: z.int().min(1).max(36_500).nullable(),
  /** Percent of right answers. */
  pass_score: z.int().min(1).max(100),
  /** What a certificate of it is needed for, where the programme asks for one. */
  certifies: z.array(z.enum(certifiedSteps)).max(certifiedSteps.length).default([]),
}
const termsForm = z.strictObject(terms)
const courseForm = z.strictObject({
  code: z
    .string()
    .max(60)
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected small letters and digits, like first-steps'),
  ...terms,
})

const questionForm = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9_-]{1,40}$/, 'expected small letters, digits, - and _'),
    text: text(1_000),
    options: z.array(text(500)).min(2).max(20),
    /** The numbers of the right options, counted from 0. */
    right: z.array(z.int().min(0)).min(1).max(20),
  })
  .refine(({ options, right }) => right.every((n) => n < options.length), {
    path: ['right'],
    error: 'expected numbers of options, counted from 0',
  })

const moduleForm = z.strictObject({
  title: text(),
  body: text(100_000),
  url: webAddress.nullable().default(null),
  minutes: z.int().min(1).max(6_000),
  quiz: z.array(questionForm).max(100).default([]),
})

export const courseAnswer = z.object({
  id: idAnswer('course'),
  code: z.string(),
  version: z.int(),
  title: z.string(),
  status: z.enum(courseStatuses),
  validity_days: z.int().nullable(),
  pass_score: z.int(),
  certifies: z.array(z.enum(certifiedSteps)),
  published_at: instantAnswer.nullable(),
})

const wholeCourseAnswer = courseAnswer.extend({
  modules: z.array(
    z.object({
      number: z.int(),
      title: z.string(),
      body: z.string(),
      url: z.string().nullable(),
      minutes: z.int(),
      quiz: z.array(
        z.object({
          id: z.string(),
          text: z.string(),
          options: z.array(z.string()),
          /** For those who write courses alone. */
          right: z.array(z.int()).optional(),
        }),
      ),
    }),
  ),
})

const noCourse = 'there is no such course'
const noModule = 'there is no such module'
const courseId = (call: Pick<Call, 'params'>) => pathId('course', call.params.id, noCourse)

/** @throws DomainError `not_found` for what is no number of a module. */
export function moduleNumber({ params }: Pick<Call, 'params'>): number {
  if (!/^[1-9]\d{0,2}$/.test(params.n ?? '')) throw new DomainError('not_found', noModule)
  return Number(params.n)
}

export function courseRoutes(): Route[] {
  return [...readingRoutes(), ...draftRoutes(), ...moduleRoutes(), ...teachingRoutes()]
}

function readingRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/courses',
      tag: 'Training',
      summary: 'List courses',
      description: 'What is taught; the platform owner sees every version, drafts included.',
      access: 'training.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(courseAnswer) } },
      refusals: [],
      handle: async ({ db, query, principal }) => {
        const taught = principal.level !== 'super_admin'
        const page = await listCourses(db, { ...pageRequest(query), taught })
        return { status: 200, body: presentPage(page, presentCourse) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/courses/:id',
      tag: 'Training',
      summary: 'Read a course with its modules',
      description: 'Questions come without their answers.',
      access: 'training.read',
      answers: { 200: { description: 'The course', schema: wholeCourseAnswer } },
      refusals: ['not_found'],
      handle: async (call) => {
        const { db, principal } = call
        const row = found(await findCourse(db, courseId(call)), noCourse)
        const writes = principal.level === 'super_admin'
        if (!writes && row.status === 'draft') throw new DomainError('not_found', noCourse)
        return { status: 200, body: await presentWhole(db, row, writes) }
      },
    }),
  ]
}

function draftRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/courses',
      tag: 'Training',
      summary: 'Begin a course, or the next version of one',
      description: 'The draft of a next version begins with the modules of the last one.',
      access: 'courses.write',
      effect: 'transaction',
      body: courseForm,
      answers: { 201: { description: 'The draft', schema: courseAnswer } },
      refusals: ['invalid_request', 'conflict'],
      handle: async ({ db, body, operationId }) => {
        const { code, ...rest } = body
        const row = await inTransaction(db, (trx) =>
          recordCourse(trx, { id: operationId, code, ...termsOf(rest) }),
        )
        const made = presentCourse(row)
        return { status: 201, body: made, headers: { Location: `/v1/courses/${made.id}` } }
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/courses/:id',
      tag: 'Training',
      summary: 'Change the terms of a draft',
      access: 'courses.write',
      effect: 'transaction',
      body: termsForm,
      answers: { 200: { description: 'The draft', schema: courseAnswer } },
      refusals: ['not_found', 'invalid_request', 'conflict'],
      handle: async (call) => {
        const row = await inTransaction(call.db, (trx) =>
          replaceCourse(trx, courseId(call), termsOf(call.body)),
        )
        return { status: 200, body: presentCourse(row) }
      },
    }),
  ]
}

function moduleRoutes(): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v1/courses/:id/modules/:n',
      tag: 'Training',
      summary: 'Write a module of a draft',
      description: 'New, or in place of the one of this number. A question has its right answers.',
      access: 'courses.write',
      effect: 'transaction',
      body: moduleForm,
      answers: { 200: { description: 'The draft', schema: wholeCourseAnswer } },
      refusals: ['not_found', 'invalid_request', 'conflict'],
      handle: async (call) => {
        const id = courseId(call)
        const { quiz, ...module } = call.body
        const written: AnsweredModule = {
          ...module,
          ordinal: moduleNumber(call),
          questions: quiz.map(({ right: _, ...question }) => question),
          answers: Object.fromEntries(quiz.map((one) => [one.id, ordered(one.right)])),
        }
        const body = await inTransaction(call.db, async (trx) => {
          await replaceModule(trx, id, written)
          return presentWhole(trx, found(await findCourse(trx, id), noCourse), true)
        })
        return { status: 200, body }
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/courses/:id/modules/:n',
      tag: 'Training',
      summary: 'Take a module out of a draft',
      access: 'courses.write',
      effect: 'transaction',
      answers: { 200: { description: 'The draft', schema: wholeCourseAnswer } },
      refusals: ['not_found', 'conflict'],
      handle: async (call) => {
        const id = courseId(call)
        const body = await inTransaction(call.db, async (trx) => {
          await removeModule(trx, id, moduleNumber(call))
          return presentWhole(trx, found(await findCourse(trx, id), noCourse), true)
        })
        return { status: 200, body }
      },
    }),
  ]
}

function teachingRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/courses/:id/publish',
      tag: 'Training',
      summary: 'Teach a draft from now on',
      description: 'It never changes again. The version before is retired; who began goes on.',
      access: 'courses.write',
      effect: 'transaction',
      answers: { 200: { description: 'Published', schema: courseAnswer } },
      refusals: ['not_found', 'conflict'],
      handle: async (call) => {
        const row = await inTransaction(call.db, (trx) => markCoursePublished(trx, courseId(call)))
        return { status: 200, body: presentCourse(row) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/courses/:id/retire',
      tag: 'Training',
      summary: 'Teach a course no more',
      access: 'courses.write',
      effect: 'transaction',
      answers: { 200: { description: 'Retired', schema: courseAnswer } },
      refusals: ['not_found', 'conflict'],
      handle: async (call) => {
        const row = await inTransaction(call.db, (trx) => markCourseRetired(trx, courseId(call)))
        return { status: 200, body: presentCourse(row) }
      },
    }),
  ]
}

const ordered = (numbers: number[]) => [...new Set(numbers)].sort((a, b) => a - b)

const termsOf = (form: z.output<typeof termsForm>) => ({
  title: form.title,
  validityDays: form.validity_days,
  passScore: form.pass_score,
  certifies: [...new Set(form.certifies)],
})

function presentCourse(row: CourseRow) {
  return {
    id: outwardId('course', row.id),
    code: row.code,
    version: row.version,
    title: row.title,
    status: row.status,
    validity_days: row.validityDays,
    pass_score: row.passScore,
    certifies: row.certifies as CertifiedStep[],
    published_at: row.publishedAt?.toISOString() ?? null,
  }
}

async function presentWhole(db: Call['db'], row: CourseRow, withAnswers: boolean) {
  const modules: (CourseModule & Partial<AnsweredModule>)[] = withAnswers
    ? await listAnsweredModules(db, row.id)
    : await listModules(db, row.id)
  return {
    ...presentCourse(row),
    modules: modules.map(({ ordinal, title, body, url, minutes, questions, answers }) => ({
      number: ordinal,
      title,
      body,
      url,
      minutes,
      quiz: questions.map(({ id, text: words, options }) => ({
        id,
        text: words,
        options,
        ...(answers ? { right: answers[id] ?? [] } : {}),
      })),
    })),
  }
}
