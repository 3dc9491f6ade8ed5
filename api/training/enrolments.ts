/** Members of partners learn: they enrol, complete modules and hand in answers. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Principal } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { getProgramme } from '../../db/programmes.ts'
import { findCertificate } from '../../db/training/certificates.ts'
import {
  type EnrolmentRow,
  findEnrolment,
  listEnrolments,
  recordCompletion,
  recordEnrolment,
  recordQuiz,
} from '../../db/training/enrolments.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { signalNames, workflowIds, workflowTypes } from '../../domain/process-names.ts'
import { enrolmentStates } from '../../domain/training.ts'
import type { CertificationInput } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from '../paging.ts'
import { startCommitted } from '../processes.ts'
import { type Call, type Route, route } from '../route.ts'
import { found, idAnswer, idField, instantAnswer, pathId } from '../validate.ts'
import { moduleNumber } from './courses.ts'

const enrolmentForm = z.strictObject({ course: idField('course') })
const quizForm = z.strictObject({
  answers: z
    .array(
      z.strictObject({
        question: z.string().max(40),
        /** The numbers of the chosen options, counted from 0. */
        options: z.array(z.int().min(0).max(100)).max(20),
      }),
    )
    .max(1_000),
})

const enrolmentAnswer = z.object({
  id: idAnswer('enrolment'),
  partner: idAnswer('partner'),
  /** For its own organisation alone. */
  member: idAnswer('member').nullable(),
  course: z.object({
    id: idAnswer('course'),
    code: z.string(),
    title: z.string(),
    version: z.int(),
  }),
  state: z.enum(enrolmentStates),
  modules: z.int(),
  completed: z.array(z.int()),
  attempts: z.int(),
  score: z.int().nullable(),
  created_at: instantAnswer,
  finished_at: instantAnswer.nullable(),
})

const quizAnswer = z.object({
  score: z.int(),
  passed: z.boolean(),
  state: z.enum(enrolmentStates),
  certificate: z.object({ id: idAnswer('certificate'), number: z.string() }).nullable(),
})

const noEnrolment = 'there is no such enrolment'

export function enrolmentRoutes(deps: ApiDeps): Route[] {
  return [...readingRoutes(), ...learningRoutes(deps)]
}

function readingRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/enrolments',
      tag: 'Training',
      summary: 'List who learns what',
      description: 'Of your organisation and everyone below it.',
      access: 'training.read',
      query: z.strictObject({ ...pageQuery, partner: idField('partner').optional() }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(enrolmentAnswer) } },
      refusals: [],
      handle: async ({ db, query, principal }) => {
        const page = await listEnrolments(db, { ...pageRequest(query), partnerId: query.partner })
        return { status: 200, body: presentPage(page, (row) => presentEnrolment(row, principal)) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/enrolments/:id',
      tag: 'Training',
      summary: 'Read an enrolment',
      access: 'training.read',
      answers: { 200: { description: 'The enrolment', schema: enrolmentAnswer } },
      refusals: ['not_found'],
      handle: async (call) => ({
        status: 200,
        body: presentEnrolment(await enrolmentOf(call), call.principal),
      }),
    }),
  ]
}

function learningRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/enrolments',
      tag: 'Training',
      summary: 'Begin a course',
      description: 'A round that is open goes on; after a certificate it is the next one.',
      access: 'training.write',
      effect: 'transaction',
      body: enrolmentForm,
      answers: { 201: { description: 'Enrolled', schema: enrolmentAnswer } },
      refusals: ['not_found', 'invalid_request', 'conflict'],
      handle: async ({ db, principal, body, operationId }) => {
        const partnerId = ownPartner(principal)
        const row = await inTransaction(db, (trx) =>
          recordEnrolment(trx, {
            id: operationId,
            partnerId,
            memberId: principal.memberId,
            courseId: body.course,
          }),
        )
        const made = presentEnrolment(row, principal)
        return { status: 201, body: made, headers: { Location: `/v1/enrolments/${made.id}` } }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/enrolments/:id/modules/:n/complete',
      tag: 'Training',
      summary: 'Complete a module',
      access: 'training.write',
      effect: 'transaction',
      answers: { 200: { description: 'Noted', schema: enrolmentAnswer } },
      refusals: ['not_found', 'forbidden', 'conflict'],
      handle: async (call) => {
        const enrolment = await ownEnrolment(call)
        await inTransaction(call.db, (trx) =>
          recordCompletion(trx, { enrolment, ordinal: moduleNumber(call) }),
        )
        return { status: 200, body: presentEnrolment(await enrolmentOf(call), call.principal) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/enrolments/:id/quiz',
      tag: 'Training',
      summary: 'Hand in answers',
      description:
        'When every module is complete, three times in 24 hours at most. Enough right answers ' +
        'earn a certificate.',
      access: 'training.write',
      body: quizForm,
      answers: { 200: { description: 'Marked', schema: quizAnswer } },
      refusals: [
        'not_found',
        'invalid_request',
        'forbidden',
        'conflict',
        'not_ready',
        'too_many_requests',
      ],
      handle: (call) => handIn(deps, call),
    }),
  ]
}

type EnrolmentCall = Pick<Call, 'db' | 'params' | 'principal'>

const enrolmentOf = async ({ db, params }: Pick<Call, 'db' | 'params'>) =>
  found(await findEnrolment(db, pathId('enrolment', params.id, noEnrolment)), noEnrolment)

/** @throws DomainError `forbidden` for the round of somebody else. */
async function ownEnrolment(call: EnrolmentCall): Promise<EnrolmentRow> {
  const row = await enrolmentOf(call)
  if (row.memberId === call.principal.memberId) return row
  throw new DomainError('forbidden', 'only the member who is enrolled learns here')
}

function ownPartner({ partnerId }: Principal): string {
  if (partnerId) return partnerId
  throw new DomainError('level_not_allowed', 'only members of partners learn')
}

async function handIn(
  deps: ApiDeps,
  call: EnrolmentCall & { body: z.output<typeof quizForm>; operationId: string },
) {
  const { db, principal, body, operationId } = call
  const enrolment = await ownEnrolment(call)
  const result = await inTransaction(db, (trx) =>
    recordQuiz(trx, {
      id: operationId,
      enrolmentId: enrolment.id,
      memberId: principal.memberId,
      answers: Object.fromEntries(body.answers.map((one) => [one.question, one.options])),
      number: newNumber(),
    }),
  )
  const certificate = result.certificateId ? await findCertificate(db, result.certificateId) : null
  if (certificate) {
    const { deadlines } = await getProgramme(db)
    const reminders = deadlines.certificateReminders
    const { id: certificateId, expiresAt, partnerId } = certificate
    await startCommitted(deps, async () => {
      if (expiresAt) await watch(deps, { certificateId, reminders })
      for (const renewed of result.renewed) await tellRenewed(deps, renewed)
      if (principal.partnerStatus === 'approved') await tellOnboarding(deps, partnerId)
    })
  }
  const { state } = await enrolmentOf(call)
  return {
    status: 200,
    body: {
      score: result.score,
      passed: result.passed,
      state,
      certificate: certificate && {
        id: outwardId('certificate', certificate.id),
        number: certificate.number,
      },
    },
  }
}

const watch = ({ processes }: ApiDeps, input: CertificationInput) =>
  processes.startOnce({
    type: workflowTypes.certification,
    workflowId: workflowIds.certification(input.certificateId),
    input,
  })

/** The process of a certificate looks again at how that stands. */
export const tellRenewed = ({ processes }: Pick<ApiDeps, 'processes'>, certificateId: string) =>
  processes.tell({
    workflowId: workflowIds.certification(certificateId),
    signal: signalNames.certificateChanged,
  })

/** A partner that waits to be active may have what it lacked. */
export const tellOnboarding = ({ processes }: Pick<ApiDeps, 'processes'>, partnerId: string) =>
  processes.tell({
    workflowId: workflowIds.onboarding(partnerId),
    signal: signalNames.trainingChanged,
  })

const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** 80 bits in letters and digits that are not taken for one another. */
function newNumber(): string {
  const characters = [...randomBytes(16)].map((byte) => alphabet.charAt(byte % alphabet.length))
  return (characters.join('').match(/.{4}/g) ?? []).join('-')
}

function presentEnrolment(row: EnrolmentRow, { partnerId }: Pick<Principal, 'partnerId'>) {
  return {
    id: outwardId('enrolment', row.id),
    partner: outwardId('partner', row.partnerId),
    member: row.partnerId === partnerId ? outwardId('member', row.memberId) : null,
    course: {
      id: outwardId('course', row.courseId),
      code: row.code,
      title: row.title,
      version: row.version,
    },
    state: row.state,
    modules: row.modules,
    completed: row.completed,
    attempts: row.attempts,
    score: row.score,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  }
}
