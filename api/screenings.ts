/** What was found on lists of sanctioned parties, and the decisions on it. */
import { z } from 'zod'
import { recordProposal } from '../db/approvals.ts'
import { inTransaction } from '../db/database.ts'
import {
  findScreening,
  listScreenings,
  lockOpenScreening,
  recordScreeningDecision,
  type ScreeningRow,
} from '../db/screenings.ts'
import { DomainError, isDomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { workflowIds } from '../domain/process-names.ts'
import { screeningStatuses } from '../domain/screening.ts'
import { confirmScreening } from '../workflows/contract.ts'
import { approvalAnswer, presentApproval } from './approvals.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { updateProcess } from './processes.ts'
import { type Call, type Route, route } from './route.ts'
import { found, idAnswer, idField, instantAnswer, pathId, text } from './validate.ts'

const reasonForm = z.strictObject({ reason: text(1_000) })

const screeningAnswer = z.object({
  id: idAnswer('screening'),
  application: idAnswer('application').nullable(),
  partner: idAnswer('partner').nullable(),
  kind: z.enum(['company', 'person']),
  role: z.string(),
  status: z.enum(screeningStatuses),
  /** False where the same name was looked up again since. */
  current: z.boolean(),
  provider: z.enum(['file', 'watchman', 'none']),
  list: z.string(),
  list_version: z.string(),
  threshold: z.int(),
  screened_at: instantAnswer,
  hits: z.array(
    z.object({
      list: z.string(),
      entry: z.string(),
      name: z.string(),
      programs: z.array(z.string()),
      score: z.int().min(0).max(100),
    }),
  ),
  decision: z
    .object({
      by: idAnswer('member'),
      at: instantAnswer,
      reason: z.string(),
      approval: idAnswer('approval').nullable(),
    })
    .nullable(),
})

const notFound = 'there is no such screening'

export function screeningRoutes(deps: ApiDeps): Route[] {
  return [...readingRoutes(), ...decisionRoutes(deps)]
}

function readingRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/screenings',
      tag: 'Screening',
      summary: 'List screenings',
      description:
        'Every name that was looked up, with what was found: the evidence. A master reseller ' +
        'reads those of the applicants that it decides on; who is screened reads none.',
      access: 'screenings.read',
      query: z.strictObject({
        ...pageQuery,
        application: idField('application').optional(),
        partner: idField('partner').optional(),
        status: z.enum(screeningStatuses).optional(),
      }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(screeningAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const { application: applicationId, partner: partnerId, status } = query
        const search = { ...pageRequest(query), applicationId, partnerId, status }
        return { status: 200, body: presentPage(await listScreenings(db, search), present) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/screenings/:id',
      tag: 'Screening',
      summary: 'Read a screening',
      access: 'screenings.read',
      answers: { 200: { description: 'The screening', schema: screeningAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('screening', params.id, notFound)
        return { status: 200, body: present(found(await findScreening(db, id), notFound)) }
      },
    }),
  ]
}

function decisionRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/screenings/:id/override',
      tag: 'Screening',
      summary: 'Propose that it is somebody else',
      description:
        'Holds once another person approves it: `POST /v1/approvals/{id}/approve`. Its ' +
        '`payload_hash` covers the hits and the version of the lists.',
      access: 'screenings.decide',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: reasonForm,
      answers: { 202: { description: 'It waits for another person', schema: approvalAnswer } },
      refusals: ['not_found', 'already_decided'],
      handle: propose,
    }),
    route({
      method: 'POST',
      path: '/v1/screenings/:id/confirm',
      tag: 'Screening',
      summary: 'Confirm that it is the one on the list',
      description: 'Ends an application as rejected; the payouts of a partner stay held. It stays.',
      access: 'screenings.decide',
      idempotencyKey: 'required',
      body: reasonForm,
      answers: { 200: { description: 'Confirmed', schema: screeningAnswer } },
      refusals: ['not_found', 'already_decided', 'temporarily_unavailable'],
      handle: (call) => confirm(deps, call),
    }),
  ]
}

type ReasonCall = Call<unknown, z.output<typeof reasonForm>>

async function propose({ db, principal, params, body, operationId }: ReasonCall) {
  const screeningId = pathId('screening', params.id, notFound)
  const row = await inTransaction(db, async (trx) => {
    const { partnerId, listVersion, hits } = await lockOpenScreening(trx, screeningId)
    return recordProposal(trx, {
      kind: 'screening_override',
      id: operationId,
      concernedId: partnerId,
      ...{ screeningId, listVersion, hits },
      reason: body.reason,
      proposedBy: principal.memberId,
    })
  })
  const answer = presentApproval(row)
  return { status: 202, body: answer, headers: { Location: `/v1/approvals/${answer.id}` } }
}

/** The decision is written before the process hears of it: repeated, it is told again. */
async function confirm(deps: ApiDeps, call: ReasonCall) {
  const { db, principal, params, body, operationId } = call
  const screeningId = pathId('screening', params.id, notFound)
  const row = await inTransaction(db, (trx) =>
    recordScreeningDecision(trx, {
      id: operationId,
      screeningId,
      decision: 'confirmed',
      reason: body.reason,
      decidedBy: principal.memberId,
      approvalId: null,
    }),
  )
  if (row.applicationId) await endApplication(deps, row.applicationId, operationId)
  return { status: 200, body: present(row) }
}

/** One that is over, or approved for good, has nothing to end. */
async function endApplication(deps: ApiDeps, applicationId: string, updateId: string) {
  const over = new DomainError('application_closed', 'the application is over')
  try {
    await updateProcess(deps, {
      workflowId: workflowIds.onboarding(applicationId),
      definition: confirmScreening,
      args: [],
      updateId,
      ended: over,
    })
  } catch (error) {
    if (!isDomainError(error, 'application_closed')) throw error
  }
}

function present(row: ScreeningRow) {
  const { decidedBy, decidedAt, decisionReason, approvalId } = row
  return {
    id: outwardId('screening', row.id),
    application: row.applicationId && outwardId('application', row.applicationId),
    partner: row.partnerId && outwardId('partner', row.partnerId),
    kind: row.kind,
    role: row.role,
    status: row.status,
    current: row.current,
    provider: row.provider,
    list: row.list,
    list_version: row.listVersion,
    threshold: row.threshold,
    screened_at: row.screenedAt.toISOString(),
    hits: row.hits.map(({ list, entryId, entryName, programs, score }) => ({
      ...{ list, entry: entryId, name: entryName, programs, score },
    })),
    decision:
      decidedBy && decidedAt && decisionReason
        ? {
            by: outwardId('member', decidedBy),
            at: decidedAt.toISOString(),
            reason: decisionReason,
            approval: approvalId && outwardId('approval', approvalId),
          }
        : null,
  }
}
