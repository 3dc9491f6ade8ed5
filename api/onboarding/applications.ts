/** Applications as those see them who decide, and the applicant through its link. */
import { z } from 'zod'
import type { Db } from '../../db/database.ts'
import {
  type ApplicationRow,
  findApplication,
  getApplication,
  listApplications,
  listTimeline,
} from '../../db/onboarding/applications.ts'
import { readChecklist } from '../../db/onboarding/checklist.ts'
import { listGivenNotes } from '../../db/onboarding/decisions.ts'
import { listInformationRequests } from '../../db/onboarding/information.ts'
import { getProgramme } from '../../db/programmes.ts'
import { listTerritoriesOf } from '../../db/territories.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import {
  type Audience,
  applicationStages,
  applicationStatuses,
  nextActors,
  reapplyFrom,
} from '../../domain/onboarding.ts'
import { partnerLevels, partnerTypes } from '../../domain/partners.ts'
import type { ApiDeps } from '../deps.ts'
import { wantsPage } from '../html.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from '../paging.ts'
import { authorize } from '../policies.ts'
import { type Answer, type Call, openRoute, type Route, route } from '../route.ts'
import { presentWishedTerritory, wishedTerritoryAnswer } from '../territories.ts'
import { found, idAnswer, instantAnswer, pathId } from '../validate.ts'
import { decisionFacts, presentForDecision } from './application-details.ts'
import {
  approvals,
  informationRequests,
  presentDecisions,
  presentInformationRequest,
} from './review.ts'
import { statusPage, type UnsentAnswers } from './status-page.ts'

const applicationSummary = z.object({
  id: idAnswer('application'),
  status: z.enum(applicationStatuses),
  stage: z.enum(applicationStages),
  company: z.string(),
  level: z.enum(partnerLevels),
  type: z.enum(partnerTypes),
  parent: idAnswer('partner').nullable(),
  partner: idAnswer('partner').nullable(),
  next_actor: z.string().nullable(),
  due_at: instantAnswer.nullable(),
  submitted_at: instantAnswer,
  /** Until when the approval can be taken back; nothing follows from it before. */
  undo_until: instantAnswer.nullable(),
})

export const applicationAnswer = applicationSummary.extend({
  checklist: z.array(
    z.object({ item: z.string(), state: z.string(), done: z.boolean(), blocking: z.boolean() }),
  ),
  /** What it asked for, for those who decide alone. */
  territories: z.array(wishedTerritoryAnswer).optional(),
  timeline: z.array(
    z.object({
      at: instantAnswer,
      stage: z.string(),
      actor: z.string(),
      what: z.string(),
      due_at: instantAnswer.nullable(),
    }),
  ),
  reapply_from: instantAnswer.nullable(),
  ...decisionFacts,
  information_requests: informationRequests,
  /** For those who decide. */
  decided_by: z.string().nullable().optional(),
  approvals: approvals.optional(),
})

/** What the link of a mail adds to the path. */
export const linkQuery = z.object({ token: z.string().optional() })
const listQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(applicationStatuses).optional(),
  stage: z.enum(applicationStages).optional(),
  next_actor: z.enum(nextActors).optional(),
  overdue: z.enum(['true', 'false']).optional(),
})

export const notFound = 'there is no such application'

export function applicationRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/applications',
      tag: 'Onboarding',
      summary: 'List applications',
      access: 'applications.read',
      query: listQuery,
      answers: {
        200: { description: 'Newest first', schema: listAnswer(applicationSummary) },
      },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listApplications(db, {
          ...pageRequest(query),
          status: query.status,
          stage: query.stage,
          nextActor: query.next_actor,
          overdue: query.overdue === undefined ? undefined : query.overdue === 'true',
        })
        return { status: 200, body: presentPage(page, presentSummary) }
      },
    }),
    openRoute({
      method: 'GET',
      path: '/v1/applications/:id',
      tag: 'Onboarding',
      summary: 'Read an application',
      description:
        'With a key, or with the token of the status link; that one a browser gets as a page.',
      access: 'optional',
      query: linkQuery,
      answers: { 200: { description: 'Where it stands', schema: applicationAnswer, page: true } },
      refusals: ['not_authenticated', 'not_found'],
      handle: async (call) => {
        const { db, row, audience } = await readable(deps, call)
        // A shared cache must not give one of the two forms to who asked for the other.
        const headers = { Vary: 'Authorization, Cookie, Origin, Accept' }
        if (audience === 'decider' || !wantsPage(call.header)) {
          return { status: 200, body: await presentApplication(db, row, audience), headers }
        }
        const page = await pageForApplicant(deps, { db, row })
        return { ...page, headers: { ...page.headers, ...headers } }
      },
    }),
  ]
}

/** The same for a person. */
export async function pageForApplicant(
  { links }: ApiDeps,
  { db, row, unsent }: { db: Db; row: ApplicationRow; unsent?: UnsentAnswers },
): Promise<Answer> {
  const standing = await presentApplication(db, row, 'applicant')
  const programme = await getProgramme(db)
  return statusPage(standing, row, { programme, links, ...(unsent ? { unsent } : {}) })
}

export type LinkCall = Call<z.output<typeof linkQuery>, unknown, Call['principal'] | null>

/** By key for those who decide, by the signed link for the applicant; else it does not exist. */
export async function readable(deps: ApiDeps, call: LinkCall) {
  if (call.query.token !== undefined) return linked(deps, call)
  if (!call.principal) {
    throw new DomainError('not_authenticated', 'send an API key or open the link of your mail')
  }
  const id = pathId('application', call.params.id, notFound)
  authorize(call.principal, 'applications.read')
  const { db } = call
  const audience: Audience = 'decider'
  return { db, row: found(await findApplication(db, id), notFound), audience }
}

/** By the signed link alone, for what the applicant does itself. */
export async function linked({ links }: ApiDeps, call: Pick<LinkCall, 'params' | 'query' | 'as'>) {
  const id = pathId('application', call.params.id, notFound)
  const { token } = call.query
  if (token === undefined) {
    throw new DomainError('not_authenticated', 'this is for the applicant: open the link of a mail')
  }
  if (!links.isApplicationToken(id, token)) throw new DomainError('not_found', notFound)
  const db = call.as('intake', id)
  const audience: Audience = 'applicant'
  return { db, row: await getApplication(db, id), audience }
}

function presentSummary(row: ApplicationRow) {
  return {
    id: outwardId('application', row.id),
    status: row.status,
    stage: row.stage,
    company: row.companyName,
    level: row.level,
    type: row.type,
    parent: row.parentId && outwardId('partner', row.parentId),
    partner: isAdmitted(row) ? outwardId('partner', row.id) : null,
    next_actor: row.nextActor,
    due_at: row.dueAt?.toISOString() ?? null,
    submitted_at: row.submittedAt.toISOString(),
    undo_until: row.undoUntil?.toISOString() ?? null,
  }
}

/** The partner keeps the id of its application, which is known before its row is made. */
const isAdmitted = ({ status, partnerId }: ApplicationRow) =>
  partnerId !== null || status === 'approved'

export async function presentApplication(db: Db, row: ApplicationRow, audience: Audience) {
  const timeline = await listTimeline(db, row.id, audience)
  const { deadlines } = await getProgramme(db)
  const checklist = await readChecklist(db, row, audience)
  const requests = await listInformationRequests(db, row.id)
  return {
    ...presentSummary(row),
    checklist: checklist.map(({ item, state, done, blocking }) => ({
      item,
      state,
      done,
      blocking,
    })),
    timeline: timeline.map(({ at, dueAt, ...entry }) => ({
      ...entry,
      at: at.toISOString(),
      due_at: dueAt?.toISOString() ?? null,
    })),
    reapply_from: reapplyFrom(row, deadlines.reapplication)?.toISOString() ?? null,
    information_requests: requests.map(presentInformationRequest),
    ...(audience === 'decider' ? await presentReview(db, row) : {}),
  }
}

/** What those who decide read beside it. */
async function presentReview(db: Db, row: ApplicationRow) {
  const territories = await listTerritoriesOf(db, row.id)
  return {
    ...(await presentForDecision(db, row)),
    territories: territories.map(presentWishedTerritory),
    ...presentDecisions(await listGivenNotes(db, row.id)),
  }
}
