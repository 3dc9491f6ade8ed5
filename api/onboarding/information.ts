/** Questions to an applicant, and its answers. */
import { z } from 'zod'
import { inTransaction } from '../../db/database.ts'
import { findApplication, getApplication } from '../../db/onboarding/applications.ts'
import {
  findInformationRequest,
  listInformationRequests,
  recordInformationAnswer,
  recordInformationRequest,
} from '../../db/onboarding/information.ts'
import { DomainError } from '../../domain/errors.ts'
import { isDecided } from '../../domain/onboarding.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { answerInformation, requestInformation } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { updateProcess } from '../processes.ts'
import {
  type BrowserForm,
  type Call,
  openRoute,
  type Route,
  route,
  type SentForm,
} from '../route.ts'
import { found, pathId, text } from '../validate.ts'
import {
  applicationAnswer,
  type LinkCall,
  linked,
  linkQuery,
  notFound,
  pageForApplicant,
  presentApplication,
} from './applications.ts'
import { tellProcess } from './decision.ts'

const mostQuestions = 20
const questionsForm = z.strictObject({
  questions: z.array(text(1_000)).min(1).max(mostQuestions),
})
const answersForm = z.strictObject({ answers: z.array(text(5_000)).min(1).max(mostQuestions) })

const noSuchRequest = 'there are no such questions'

export function informationRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/applications/:id/information-requests',
      tag: 'Onboarding',
      summary: 'Ask the applicant for more information',
      description:
        'At the stage approval, one request at a time. The time to decide stands still until the ' +
        'applicant has answered; an application whose questions stay open lapses.',
      access: 'applications.decide',
      body: questionsForm,
      answers: { 200: { description: 'Asked', schema: applicationAnswer } },
      refusals: [
        'not_found',
        'not_ready',
        'already_decided',
        'conflict',
        'temporarily_unavailable',
      ],
      handle: (call) => askApplicant(deps, call),
    }),
    openRoute({
      method: 'POST',
      path: '/v1/applications/:id/information-requests/:number/answer',
      tag: 'Onboarding',
      summary: 'Answer questions about an application',
      description:
        'By the applicant, with the token of its link: an answer for each question, in their ' +
        'order. The first answer counts.',
      access: 'public',
      query: linkQuery,
      body: answersForm,
      form: answersPage(deps),
      answers: {
        200: { description: 'Answered', schema: applicationAnswer },
        303: { description: 'Answered; a browser goes back to its page' },
      },
      refusals: [
        'not_authenticated',
        'not_found',
        'not_ready',
        'conflict',
        'temporarily_unavailable',
      ],
      handle: (call) => answerQuestions(deps, call),
    }),
  ]
}

type QuestionsCall = Call<unknown, z.output<typeof questionsForm>>

async function askApplicant(
  deps: ApiDeps,
  { db, principal, params, body, operationId }: QuestionsCall,
) {
  const id = pathId('application', params.id, notFound)
  const row = found(await findApplication(db, id), notFound)
  const decided = new DomainError('already_decided', `the application is ${row.status} already`)
  const asked = await listInformationRequests(db, id)
  // A request that is repeated after its answer was lost finds its own questions.
  if (asked.some((request) => request.id === operationId)) {
    return { status: 200, body: await presentApplication(db, row, 'decider') }
  }
  if (isDecided(row.status)) throw decided
  if (row.stage !== 'approval') {
    throw new DomainError('not_ready', `the application is at the stage ${row.stage}`)
  }
  if (row.nextActor === 'applicant') {
    throw new DomainError('conflict', 'the applicant has questions to answer; wait for its answer')
  }
  await inTransaction(db, (trx) =>
    recordInformationRequest(trx, {
      id: operationId,
      applicationId: id,
      memberId: principal.memberId,
      questions: body.questions,
    }),
  )
  await tellProcess(deps, db, {
    id,
    definition: requestInformation,
    args: [{ requestId: operationId }],
    updateId: operationId,
  })
  const now = await getApplication(db, id)
  return { status: 200, body: await presentApplication(db, now, 'decider') }
}

type AnswersCall = LinkCall & { body: z.output<typeof answersForm>; operationId: string }

async function answerQuestions(deps: ApiDeps, call: AnswersCall) {
  const { body, operationId, params } = call
  const { db, row } = await linked(deps, call)
  const number = /^[1-9]\d{0,3}$/.test(params.number ?? '') ? Number(params.number) : 0
  const request = found(await findInformationRequest(db, row.id, number), noSuchRequest)
  if (request.answeredAt && request.answerId !== operationId) {
    throw new DomainError('conflict', 'these questions are answered; the first answer counts')
  }
  refuseOtherCount(body.answers.length, request.questionCount)
  const nobodyWaits = new DomainError('not_ready', 'nobody waits for this answer any more')
  if (!request.answeredAt && isDecided(row.status)) throw nobodyWaits
  if (!request.answeredAt) {
    const answer = { id: operationId, applicationId: row.id, requestId: request.id }
    await inTransaction(db, (trx) =>
      recordInformationAnswer(trx, { ...answer, answers: body.answers }),
    )
    await updateProcess(deps, {
      workflowId: workflowIds.onboarding(row.id),
      definition: answerInformation,
      args: [{ requestId: request.id }],
      updateId: operationId,
      ended: nobodyWaits,
    })
  }
  const now = await getApplication(db, row.id)
  return { status: 200, body: await presentApplication(db, now, 'applicant') }
}

/** The questions on the page of an applicant. */
function answersPage(deps: ApiDeps): BrowserForm {
  const own = ({ params, token, as }: SentForm) => linked(deps, { params, as, query: { token } })
  return {
    body: (fields) => ({ answers: answersIn(fields) }),
    answered: async (sent) => {
      const { row } = await own(sent)
      return { status: 303, body: null, headers: { Location: deps.links.statusUrl(row.id) } }
    },
    refused: async (sent, refusal) => {
      const { db, row } = await own(sent)
      const number = Number(sent.params.number)
      const unsent = { number, answers: answersIn(sent.fields), refusal }
      return pageForApplicant(deps, { db, row, unsent })
    },
  }
}

/** In the order of the questions; an empty one keeps its place. */
function answersIn(fields: URLSearchParams): string[] {
  return Array.from({ length: mostQuestions }, (_, n) => fields.get(`answers.${n}`)).flatMap(
    (answer) => answer ?? [],
  )
}

function refuseOtherCount(given: number, asked: number): void {
  if (given === asked) return
  throw new DomainError('invalid_request', 'the answers do not fit the questions', {
    fields: [{ pointer: '/answers', code: 'invalid', detail: `expected ${asked} answer(s)` }],
  })
}
