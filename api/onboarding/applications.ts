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
import { getProgramme } from '../../db/programmes.ts'
import { listTerritoriesOf } from '../../db/territories.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import {
  type Audience,
  applicationStages,
  applicationStatuses,
  checklistOf,
  reapplyFrom,
} from '../../domain/onboarding.ts'
import { partnerLevels, partnerTypes } from '../../domain/partners.ts'
import type { ApiDeps } from '../deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from '../paging.ts'
import { authorize } from '../policies.ts'
import { type Call, openRoute, type Route, route } from '../route.ts'
import { presentWishedTerritory, wishedTerritoryAnswer } from '../territories.ts'
import { found, idAnswer, instantAnswer, pathId } from '../validate.ts'
import { decisionFacts, presentForDecision } from './application-details.ts'

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
})

export const applicationAnswer = applicationSummary.extend({
  checklist: z.array(z.object({ item: z.string(), state: z.string(), done: z.boolean() })),
  /** What it asked for, for those who decide alone. */
  territories: z.array(wishedTerritoryAnswer).optional(),
  timeline: z.array(
    z.object({ at: instantAnswer, stage: z.string(), actor: z.string(), what: z.string() }),
  ),
  reapply_from: instantAnswer.nullable(),
  ...decisionFacts,
})

/** What the link of a mail adds to the path. */
export const linkQuery = z.object({ token: z.string().optional() })
const listQuery = z.strictObject({ ...pageQuery, status: z.enum(applicationStatuses).optional() })

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
        })
        return { status: 200, body: presentPage(page, presentSummary) }
      },
    }),
    openRoute({
      method: 'GET',
      path: '/v1/applications/:id',
      tag: 'Onboarding',
      summary: 'Read an application',
      description: 'With a key, or with the token of the status link.',
      access: 'optional',
      query: linkQuery,
      answers: { 200: { description: 'Where it stands', schema: applicationAnswer } },
      refusals: ['not_authenticated', 'not_found'],
      handle: async (call) => {
        const { db, row, audience } = await readable(deps, call)
        return { status: 200, body: await presentApplication(db, row, audience) }
      },
    }),
  ]
}

export type LinkCall = Call<z.output<typeof linkQuery>, unknown, Call['principal'] | null>

/** By key for those who decide, by the signed link for the applicant; else it does not exist. */
export async function readable({ links }: ApiDeps, call: LinkCall) {
  const id = pathId('application', call.params.id, notFound)
  if (call.query.token !== undefined) {
    if (!links.isApplicationToken(id, call.query.token)) {
      throw new DomainError('not_found', notFound)
    }
    const db = call.as('intake', id)
    return { db, row: await getApplication(db, id), audience: 'applicant' as const }
  }
  if (!call.principal) {
    throw new DomainError('not_authenticated', 'send an API key or open the link of your mail')
  }
  authorize(call.principal, 'applications.read')
  const { db } = call
  return { db, row: found(await findApplication(db, id), notFound), audience: 'decider' as const }
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
    partner: row.partnerId && outwardId('partner', row.partnerId),
    next_actor: row.nextActor,
    due_at: row.dueAt?.toISOString() ?? null,
    submitted_at: row.submittedAt.toISOString(),
  }
}

export async function presentApplication(
  db: Db,
  row: ApplicationRow,
  audience: Audience = 'decider',
) {
  const timeline = await listTimeline(db, row.id, audience)
  const territories = audience === 'applicant' ? [] : await listTerritoriesOf(db, row.id)
  const { deadlines } = await getProgramme(db)
  return {
    ...presentSummary(row),
    checklist: checklistOf({
      screening: row.screening,
      agreement: row.agreementStatus,
      verification: row.verificationStatus,
      territories: territories.map(({ status }) => status),
      identity: row.identityStatus,
    }),
    ...(audience === 'applicant' ? {} : { territories: territories.map(presentWishedTerritory) }),
    timeline: timeline.map((entry) => ({ ...entry, at: entry.at.toISOString() })),
    reapply_from: reapplyFrom(row, deadlines.reapplication)?.toISOString() ?? null,
    ...(audience === 'decider' ? await presentForDecision(db, row) : {}),
  }
}
