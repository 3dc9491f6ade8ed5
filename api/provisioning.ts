/** Tenants of partners. */
import { z } from 'zod'
import { renewInvitation } from '../db/access.ts'
import { inTransaction } from '../db/database.ts'
import { recordAccessMail } from '../db/people/mails.ts'
import { findTenant, listTenants, stepsOf, type TenantRow } from '../db/provisioning.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { workflowIds } from '../domain/process-names.ts'
import { provisioningSteps, stepStates, tenantStatuses } from '../domain/provisioning.ts'
import { abandonProvisioning, retryProvisioning, retryStep } from '../workflows/contract.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { updateProcess } from './processes.ts'
import { type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId } from './validate.ts'

const tenantAnswer = z.object({
  id: idAnswer('tenant'),
  partner: idAnswer('partner'),
  name: z.string(),
  subdomain: z.string().nullable(),
  url: z.url().nullable(),
  status: z.enum(tenantStatuses),
  problem: z.string().nullable(),
  waits_until: instantAnswer.nullable(),
  steps: z.array(
    z.object({
      step: z.enum(provisioningSteps),
      state: z.enum(stepStates),
      at: instantAnswer.nullable(),
    }),
  ),
  created_at: instantAnswer,
  activated_at: instantAnswer.nullable(),
})

const notFound = 'there is no such tenant'

const notWaiting = ({ status }: TenantRow) =>
  new DomainError('not_ready', `the tenant is ${status}, and no step of it waits for anybody`)

export function provisioningRoutes(deps: ApiDeps): Route[] {
  const { links } = deps

  function presentTenant(row: TenantRow) {
    return {
      id: outwardId('tenant', row.id),
      partner: outwardId('partner', row.partnerId),
      name: row.name,
      subdomain: row.subdomain,
      url: row.subdomain && links.tenantUrl(row.subdomain),
      status: row.status,
      problem: row.problem,
      waits_until: row.waitsUntil?.toISOString() ?? null,
      steps: stepsOf(row).map(({ step, state, at }) => ({
        step,
        state,
        at: at?.toISOString() ?? null,
      })),
      created_at: row.createdAt.toISOString(),
      activated_at: row.activatedAt?.toISOString() ?? null,
    }
  }

  return [
    route({
      method: 'GET',
      path: '/v1/tenants',
      tag: 'Tenants',
      summary: 'List tenants',
      access: 'tenants.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(tenantAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listTenants(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentTenant) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/tenants/:id',
      tag: 'Tenants',
      summary: 'Read a tenant',
      access: 'tenants.read',
      answers: { 200: { description: 'The tenant', schema: tenantAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('tenant', params.id, notFound)
        const row = found(await findTenant(db, id), notFound)
        return { status: 200, body: presentTenant(row) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/tenants/:id/retry',
      tag: 'Tenants',
      summary: 'Try a failed provisioning again',
      description:
        'The step that failed while it waits for a person (`waits_until`), everything after all ' +
        'was undone.',
      access: 'tenants.retry',
      idempotencyKey: 'required',
      answers: { 202: { description: 'It is tried again', schema: tenantAnswer } },
      refusals: ['not_found', 'not_ready', 'temporarily_unavailable'],
      handle: async ({ db, params, operationId }) => {
        const id = pathId('tenant', params.id, notFound)
        const row = found(await findTenant(db, id), notFound)
        // The application has the partner's id.
        const whole = {
          workflowId: workflowIds.onboarding(row.partnerId),
          definition: retryProvisioning,
        }
        const step = { workflowId: workflowIds.provisioning(id), definition: retryStep }
        if (row.status !== 'failed' && !row.waitsUntil) throw notWaiting(row)
        await updateProcess(deps, {
          ...(row.waitsUntil ? step : whole),
          args: [],
          updateId: operationId,
          ended: notWaiting(row),
        })
        return { status: 202, body: presentTenant(row) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/tenants/:id/abandon',
      tag: 'Tenants',
      summary: 'Give up a provisioning that waits, and undo it',
      description: 'All of it can be tried again afterwards.',
      access: 'tenants.retry',
      idempotencyKey: 'required',
      answers: { 202: { description: 'It is being undone', schema: tenantAnswer } },
      refusals: ['not_found', 'not_ready', 'temporarily_unavailable'],
      handle: async ({ db, params, operationId }) => {
        const id = pathId('tenant', params.id, notFound)
        const row = found(await findTenant(db, id), notFound)
        if (!row.waitsUntil) throw notWaiting(row)
        await updateProcess(deps, {
          workflowId: workflowIds.provisioning(id),
          definition: abandonProvisioning,
          args: [],
          updateId: operationId,
          ended: notWaiting(row),
        })
        return { status: 202, body: presentTenant(row) }
      },
    }),
    invitationRoute(),
  ]
}

const invitationAnswer = z.object({ tenant: idAnswer('tenant'), expires_at: instantAnswer })

/** The mail of the first administrator may have been lost, or found too late. */
function invitationRoute(): Route {
  return route({
    method: 'POST',
    path: '/v1/tenants/:id/invitation/resend',
    tag: 'Tenants',
    summary: 'Mail the invitation of the first administrator again',
    description: 'While nobody took it up, at most once an hour. It works seven days from then on.',
    access: 'tenants.retry',
    effect: 'transaction',
    answers: { 200: { description: 'It is on its way', schema: invitationAnswer } },
    refusals: ['not_found', 'not_ready', 'conflict', 'too_many_requests'],
    handle: async ({ db, params }) => {
      const id = pathId('tenant', params.id, notFound)
      const { partnerId } = found(await findTenant(db, id), notFound)
      const expiresAt = await inTransaction(db, async (trx) => {
        const { name, email, expiresAt: until } = await renewInvitation(trx, partnerId)
        // The invitation has the partner's id.
        const about = { kind: 'invitation', subjectId: partnerId, partnerId } as const
        await recordAccessMail(trx, { ...about, recipient: email, name })
        return until
      })
      const tenant = outwardId('tenant', id)
      return { status: 200, body: { tenant, expires_at: expiresAt.toISOString() } }
    },
  })
}
