/** Tenants that leave: what is asked of them, how far they are, and their data to take along. */
import { Readable } from 'node:stream'
import { z } from 'zod'
import { type Db, inTransaction } from '../../db/database.ts'
import { listExportFiles } from '../../db/lifecycle/exports.ts'
import {
  findOffboarding,
  listOffboardingEvents,
  type OffboardingRow,
  recordOffboarding,
} from '../../db/lifecycle/offboardings.ts'
import { findDocument } from '../../db/onboarding/documents.ts'
import { getProgramme } from '../../db/programmes.ts'
import { findTenant } from '../../db/provisioning.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { offboardingDeadlines, offboardingStages } from '../../domain/lifecycle.ts'
import { workflowIds, workflowTypes } from '../../domain/process-names.ts'
import { tarEnd, tarEntry } from '../../integrations/tar.ts'
import { cancelOffboarding, confirmDeletion, setLegalHold } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { startCommitted, updateProcess } from '../processes.ts'
import { type Call, openRoute, type Route, route } from '../route.ts'
import { found, idAnswer, instantAnswer, pathId, text } from '../validate.ts'

const offboardingForm = z.strictObject({
  reason: text(500),
  /** The id of the tenant once more, so that none leaves by a slip. */
  confirm: z.string(),
  legal_hold: z.boolean().default(false),
  export: z.boolean().default(true),
})

const holdForm = z.strictObject({ on: z.boolean() })

const offboardingAnswer = z.object({
  tenant: idAnswer('tenant'),
  stage: z.enum(offboardingStages),
  next_actor: z.enum(['system', 'partner', 'super_admin']).nullable(),
  due_at: instantAnswer.nullable(),
  legal_hold: z.boolean(),
  export: z.boolean(),
  requested_by: idAnswer('member'),
  confirmed_by: idAnswer('member').nullable(),
  created_at: instantAnswer,
  ended_at: instantAnswer.nullable(),
  timeline: z.array(
    z.object({ at: instantAnswer, stage: z.string(), actor: z.string(), what: z.string() }),
  ),
})

const notFound = 'there is no such tenant, or it is not leaving'

export function offboardingRoutes(deps: ApiDeps): Route[] {
  return [startRoute(deps), readRoute(), ...decisionRoutes(deps), exportRoute(deps)]
}

function startRoute(deps: ApiDeps): Route {
  return route({
    method: 'POST',
    path: '/v1/tenants/:id/offboarding',
    tag: 'Lifecycle',
    summary: 'Have a tenant leave, and its data erased',
    description:
      'Its people can change nothing from then on, its platform subscription ends, its data can ' +
      'be fetched, and after another person has confirmed it they are erased. Send the id of the ' +
      'tenant once more as `confirm`. Statements, invoices and agreements are kept.',
    access: 'tenants.offboard',
    idempotencyKey: 'required',
    body: offboardingForm,
    answers: { 202: { description: 'It is leaving', schema: offboardingAnswer } },
    refusals: ['not_found', 'invalid_request', 'conflict'],
    handle: (call) => start(deps, call),
  })
}

function readRoute(): Route {
  return route({
    method: 'GET',
    path: '/v1/tenants/:id/offboarding',
    tag: 'Lifecycle',
    summary: 'Read how far a tenant is that leaves',
    access: 'tenants.offboarding',
    answers: { 200: { description: 'The newest one', schema: offboardingAnswer } },
    refusals: ['not_found'],
    handle: async ({ db, params }) => {
      const row = await leaving(db, params.id)
      return { status: 200, body: await presentOffboarding(db, row) }
    },
  })
}

function decisionRoutes(deps: ApiDeps): Route[] {
  const facts = {
    method: 'POST',
    tag: 'Lifecycle',
    access: 'tenants.offboard',
    answers: { 200: { description: 'Where it stands now', schema: offboardingAnswer } },
  } as const
  return [
    route({
      ...facts,
      path: '/v1/tenants/:id/offboarding/confirm',
      summary: 'Confirm the erasure: the second person',
      description: 'Nothing of it can be taken back.',
      idempotencyKey: 'required',
      refusals: [
        ...(['not_found', 'not_ready', 'already_decided', 'legal_hold'] as const),
        ...(['second_person_required', 'temporarily_unavailable'] as const),
      ],
      handle: (call) =>
        decide(deps, call, (update) => ({ ...update, definition: confirmDeletion })),
    }),
    route({
      ...facts,
      path: '/v1/tenants/:id/offboarding/cancel',
      summary: 'Have the tenant stay',
      idempotencyKey: 'required',
      refusals: ['not_found', 'already_decided', 'temporarily_unavailable'],
      handle: (call) =>
        decide(deps, call, (update) => ({ ...update, definition: cancelOffboarding })),
    }),
    route({
      ...facts,
      path: '/v1/tenants/:id/offboarding/legal-hold',
      summary: 'Place or lift a legal hold',
      description: 'While it is on, nothing is erased.',
      body: holdForm,
      refusals: ['not_found', 'already_decided', 'temporarily_unavailable'],
      handle: (call) =>
        decide(deps, call, ({ args: [{ memberId }], ...update }) => ({
          ...update,
          definition: setLegalHold,
          args: [{ memberId, on: call.body.on, entry: `hold_${call.operationId}` }],
        })),
    }),
  ]
}

function exportRoute({ links }: ApiDeps): Route {
  return openRoute({
    method: 'GET',
    path: '/v1/tenants/:id/export',
    tag: 'Lifecycle',
    summary: 'Fetch the data of a tenant that leaves',
    description: 'With the token of the link in its mail, while the data can be fetched.',
    access: 'public',
    query: z.object({ token: z.string().max(200) }),
    answers: { 200: { description: 'A tar archive', mediaType: 'application/x-tar' } },
    refusals: ['not_found', 'gone'],
    handle: async ({ as, params, query }) => {
      const tenantId = pathId('tenant', params.id, notFound)
      const row = found(await findOffboarding(as('intake'), tenantId), notFound)
      if (!links.isExportToken(row.id, query.token)) throw new DomainError('not_found', notFound)
      if (!['retrieval', 'confirmation'].includes(row.stage)) {
        throw new DomainError('gone', 'the export cannot be fetched now')
      }
      const body = Readable.from(archiveOf(as('intake', row.partnerId), row.id))
      const name = `${outwardId('tenant', tenantId)}.tar`
      const headers = {
        'Content-Type': 'application/x-tar',
        'Content-Disposition': `attachment; filename="${name}"`,
      }
      return { status: 200, body, headers }
    },
  })
}

/** One file after the other: no more than one of them is in memory. */
async function* archiveOf(db: Db, offboardingId: string) {
  for (const { name, documentId } of await listExportFiles(db, offboardingId)) {
    const document = await findDocument(db, documentId)
    if (document) yield tarEntry(name, document.content)
  }
  yield tarEnd
}

async function start(deps: ApiDeps, call: Call<unknown, z.output<typeof offboardingForm>>) {
  const { db, params, principal, body, operationId: id } = call
  const missing = 'there is no such tenant'
  const tenant = found(await findTenant(db, pathId('tenant', params.id, missing)), missing)
  if (body.confirm !== outwardId('tenant', tenant.id)) {
    throw new DomainError('invalid_request', 'body: this is not the tenant of the path', {
      fields: [{ pointer: '/confirm', code: 'invalid', detail: 'expected the id of the tenant' }],
    })
  }
  const said = {
    reason: body.reason,
    requestedBy: principal.memberId,
    exportWanted: body.export,
    legalHold: body.legal_hold,
  }
  const { partnerId, id: tenantId } = tenant
  await inTransaction(db, (trx) => recordOffboarding(trx, { id, tenantId, partnerId, ...said }))
  const { deadlines } = await getProgramme(db)
  await startCommitted(deps, () =>
    deps.processes.ensureRunning({
      type: workflowTypes.tenantOffboarding,
      workflowId: workflowIds.offboarding(tenantId),
      input: {
        offboardingId: id,
        tenantId,
        requestedBy: principal.memberId,
        exportWanted: said.exportWanted,
        legalHold: said.legalHold,
        deadlines: offboardingDeadlines(deadlines),
      },
    }),
  )
  const row = found(await findOffboarding(db, tenantId), notFound)
  return { status: 202, body: await presentOffboarding(db, row) }
}

async function leaving(db: Db, id: string | undefined): Promise<OffboardingRow> {
  return found(await findOffboarding(db, pathId('tenant', id, notFound)), notFound)
}

interface Said {
  args: [{ memberId: string }]
}

async function decide<Body>(
  deps: ApiDeps,
  { db, params, principal, operationId }: Call<unknown, Body>,
  updateOf: (said: Said) => Pick<Parameters<typeof updateProcess>[1], 'definition' | 'args'>,
) {
  const row = await leaving(db, params.id)
  await updateProcess(deps, {
    ...updateOf({ args: [{ memberId: principal.memberId }] }),
    workflowId: workflowIds.offboarding(row.tenantId),
    updateId: operationId,
    ended: new DomainError('already_decided', `the tenant is ${row.stage}`),
  })
  return { status: 200, body: await presentOffboarding(db, await leaving(db, params.id)) }
}

async function presentOffboarding(db: Db, row: OffboardingRow) {
  const events = await listOffboardingEvents(db, row.id)
  return {
    tenant: outwardId('tenant', row.tenantId),
    stage: row.stage,
    next_actor: row.nextActor,
    due_at: row.dueAt?.toISOString() ?? null,
    legal_hold: row.legalHold,
    export: row.exportWanted,
    requested_by: outwardId('member', row.requestedBy),
    confirmed_by: row.confirmedBy && outwardId('member', row.confirmedBy),
    created_at: row.createdAt.toISOString(),
    ended_at: row.endedAt?.toISOString() ?? null,
    timeline: events.map(({ at, ...event }) => ({ at: at.toISOString(), ...event })),
  }
}
