/** Applications of partners: the form, its state, and the decision. */
import { z } from 'zod'
import { type Db, inTransaction } from '../db/database.ts'
import { takeFromBucket } from '../db/limits.ts'
import {
  type ApplicationRow,
  findApplication,
  findTakenNote,
  getApplication,
  listApplications,
  listTimeline,
  recordApplication,
  recordDecisionNote,
} from '../db/onboarding/applications.ts'
import { findPayoutAccount } from '../db/onboarding/payout-accounts.ts'
import { findParent } from '../db/partners.ts'
import { getProgramme } from '../db/programmes.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import {
  applicationStages,
  applicationStatuses,
  checklistOf,
  isDecided,
  normalizedCompanyName,
} from '../domain/onboarding.ts'
import { mayCreate, type PartnerLevel, partnerLevels, partnerTypes } from '../domain/partners.ts'
import { workflowIds, workflowTypes } from '../domain/process-names.ts'
import {
  decideApplication,
  type OnboardingInput,
  refreshVerificationLink,
} from '../workflows/contract.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { authorize } from './policies.ts'
import { startCommitted, updateProcess } from './processes.ts'
import { type Call, openRoute, type Route, route } from './route.ts'
import {
  emailAddress,
  found,
  idAnswer,
  idField,
  instantAnswer,
  pathId,
  text,
  webAddress,
} from './validate.ts'

const country = z.string().regex(/^[A-Z]{2}$/, 'expected a country code like US')

const applicationForm = z.strictObject({
  company: z.strictObject({
    name: text(),
    country,
    website: webAddress,
  }),
  contact: z.strictObject({ name: text(), email: emailAddress }),
  type: z.enum(partnerTypes),
  level: z.enum(partnerLevels),
  parent: idField('partner').optional(),
})

const decisionForm = z.strictObject({
  decision: z.enum(['approve', 'reject']),
  reason: text(2_000),
  effective_from: z.union([z.iso.datetime({ offset: true }), z.iso.date()]).optional(),
})

const statusAnswer = z.object({
  id: idAnswer('application'),
  status: z.enum(applicationStatuses),
  status_url: z.url(),
})

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

const applicationAnswer = applicationSummary.extend({
  checklist: z.array(z.object({ item: z.string(), state: z.string(), done: z.boolean() })),
  timeline: z.array(
    z.object({ at: instantAnswer, stage: z.string(), actor: z.string(), what: z.string() }),
  ),
})

const linkQuery = z.object({ token: z.string().optional() })
const listQuery = z.strictObject({ ...pageQuery, status: z.enum(applicationStatuses).optional() })

const notFound = 'there is no such application'

export function onboardingRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/v1/applications',
      tag: 'Onboarding',
      summary: 'Apply as a partner',
      description: 'Starts the onboarding. The status link works without a key.',
      access: 'public',
      body: applicationForm,
      answers: { 202: { description: 'The application is taken', schema: statusAnswer } },
      refusals: ['invalid_request', 'parent_not_active', 'too_many_requests'],
      handle: (call) => apply(deps, call),
    }),
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
        const { db, row } = await readable(deps, call)
        return { status: 200, body: await presentApplication(db, row) }
      },
    }),
    openRoute({
      method: 'GET',
      path: '/v1/applications/:id/verification',
      tag: 'Onboarding',
      summary: 'Go to the identity check',
      description: 'Leads to a fresh page of the payment provider; its links live for minutes.',
      access: 'optional',
      query: linkQuery,
      answers: { 303: { description: 'The page is in the Location header' } },
      refusals: ['not_authenticated', 'not_found', 'not_ready', 'temporarily_unavailable'],
      handle: (call) => toVerification(deps, call),
    }),
    route({
      method: 'POST',
      path: '/v1/applications/:id/decision',
      tag: 'Onboarding',
      summary: 'Approve or reject an application',
      description:
        'The platform owner decides on any, a master reseller on those that name it as parent. ' +
        'Parent and tier hold from `effective_from`, which is now when it is left out.',
      access: 'applications.decide',
      idempotencyKey: 'required',
      body: decisionForm,
      answers: { 200: { description: 'Decided', schema: applicationAnswer } },
      refusals: ['not_found', 'already_decided', 'not_ready', 'temporarily_unavailable'],
      handle: (call) => decide(deps, call),
    }),
  ]
}

async function apply(
  deps: ApiDeps,
  {
    as,
    body,
    operationId,
    ip,
  }: Pick<Call<unknown, z.output<typeof applicationForm>>, 'as' | 'body' | 'operationId' | 'ip'>,
) {
  const { links, settings, processes } = deps
  const db = as('intake', operationId)
  const wait = await takeFromBucket(db, {
    name: `applications:${ip}`,
    perMinute: settings.applicationsPerMinute,
  })
  if (wait !== null) {
    throw new DomainError('too_many_requests', 'too many applications from this address', {
      retryAfterSeconds: wait,
    })
  }
  const parentId = body.parent ?? null
  const programme = await getProgramme(db)
  if (parentId) await refuseUnfitParent(db, { programme, parentId, level: body.level })
  await inTransaction(db, (trx) =>
    recordApplication(trx, {
      id: operationId,
      programmeId: programme.id,
      type: body.type,
      level: body.level,
      parentId,
      companyName: body.company.name,
      companyNormalized: normalizedCompanyName(body.company.name),
      country: body.company.country,
      website: body.company.website,
      contactName: body.contact.name,
      contactEmail: body.contact.email,
    }),
  )
  const input: OnboardingInput = {
    applicationId: operationId,
    parentId,
    deadlines: onboardingDeadlines(programme.deadlines),
  }
  await startCommitted(deps, () =>
    processes.startOnce({
      type: workflowTypes.partnerOnboarding,
      workflowId: workflowIds.onboarding(operationId),
      input,
    }),
  )
  const row = await getApplication(db, operationId)
  return {
    status: 202,
    body: {
      id: outwardId('application', row.id),
      status: row.status,
      status_url: links.statusUrl(row.id),
    },
    headers: { Location: links.applicationUrl(row.id) },
  }
}

type Programme = Awaited<ReturnType<typeof getProgramme>>

function onboardingDeadlines({
  firstPaymentExpiry: _payment,
  releaseReminder: _release,
  ...deadlines
}: Programme['deadlines']): OnboardingInput['deadlines'] {
  return deadlines
}

/** @throws DomainError `parent_not_active`, also for a parent that does not exist. */
async function refuseUnfitParent(
  db: Db,
  asked: { programme: Programme; parentId: string; level: PartnerLevel },
): Promise<void> {
  const { programme, parentId, level } = asked
  const parent = await findParent(db, parentId)
  if (parent?.status !== 'active' || !mayCreate(parent.level, level, programme)) {
    throw new DomainError(
      'parent_not_active',
      'this parent does not exist, is not active or may not have a partner of this level',
    )
  }
}

type LinkCall = Call<z.output<typeof linkQuery>, unknown, Call['principal'] | null>

/** By key for those who decide, by the signed link for the applicant; else it does not exist. */
async function readable({ links }: ApiDeps, call: LinkCall) {
  const id = pathId('application', call.params.id, notFound)
  if (call.query.token !== undefined) {
    if (!links.isApplicationToken(id, call.query.token)) {
      throw new DomainError('not_found', notFound)
    }
    const db = call.as('intake', id)
    return { db, row: await getApplication(db, id) }
  }
  if (!call.principal) {
    throw new DomainError('not_authenticated', 'send an API key or open the link of your mail')
  }
  authorize(call.principal, 'applications.read')
  const { db } = call
  return { db, row: found(await findApplication(db, id), notFound) }
}

async function toVerification(deps: ApiDeps, call: LinkCall & { operationId: string }) {
  const { db, row } = await readable(deps, call)
  await updateProcess(deps, {
    workflowId: workflowIds.onboarding(row.id),
    definition: refreshVerificationLink,
    args: [],
    updateId: call.operationId,
    ended: new DomainError('not_ready', 'no identity check is waiting'),
  })
  const account = await findPayoutAccount(db, row.id)
  if (!account?.linkUrl) throw new DomainError('not_ready', 'no identity check is waiting')
  return { status: 303, body: null, headers: { Location: account.linkUrl } }
}

type DecisionCall = Call<unknown, z.output<typeof decisionForm>>

async function decide(deps: ApiDeps, { db, principal, params, body, operationId }: DecisionCall) {
  const id = pathId('application', params.id, notFound)
  const row = found(await findApplication(db, id), notFound)
  const decided = new DomainError('already_decided', `the application is ${row.status} already`)
  if (isDecided(row.status)) {
    // A request that is repeated after its answer was lost finds its own decision.
    const taken = await findTakenNote(db, id)
    if (taken?.id !== operationId) throw decided
    return { status: 200, body: await presentApplication(db, row) }
  }
  if (row.stage !== 'approval') {
    throw new DomainError('not_ready', `the application is at the stage ${row.stage}`)
  }
  await inTransaction(db, (trx) =>
    recordDecisionNote(trx, {
      id: operationId,
      applicationId: id,
      memberId: principal.memberId,
      decision: body.decision,
      reason: body.reason,
      effectiveFrom: body.effective_from ? new Date(body.effective_from) : new Date(),
    }),
  )
  await updateProcess(deps, {
    workflowId: workflowIds.onboarding(id),
    definition: decideApplication,
    args: [
      {
        noteId: operationId,
        decision: body.decision,
        memberId: principal.memberId,
        memberPartnerId: principal.partnerId,
      },
    ],
    updateId: operationId,
    ended: decided,
  })
  return { status: 200, body: await presentApplication(db, await getApplication(db, id)) }
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

async function presentApplication(db: Db, row: ApplicationRow) {
  const timeline = await listTimeline(db, row.id)
  return {
    ...presentSummary(row),
    checklist: checklistOf({
      screening: row.screening,
      agreement: row.agreementStatus,
      verification: row.verificationStatus,
    }),
    timeline: timeline.map((entry) => ({ ...entry, at: entry.at.toISOString() })),
  }
}
