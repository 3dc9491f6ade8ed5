/** A tenant's own domain: claimed, proven, and certified at the edge. */
import { randomBytes } from 'node:crypto'
import { domainToASCII } from 'node:url'
import { z } from 'zod'
import { inTransaction } from '../../db/database.ts'
import { takeFromBucket } from '../../db/limits.ts'
import { getProgramme } from '../../db/programmes.ts'
import {
  findDomainOf,
  findTenantByDomain,
  markDomain,
  recordDomain,
  type TenantDomainRow,
} from '../../db/tenant-domains.ts'
import { challengeName, domainFault, domainStates } from '../../domain/domains.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { workflowIds, workflowTypes } from '../../domain/process-names.ts'
import { type DomainInput, lookAtDomain } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { startCommitted, updateProcess } from '../processes.ts'
import { type Call, openRoute, type Route, route } from '../route.ts'
import { found, idAnswer, instantAnswer, text } from '../validate.ts'
import { ownTenant } from './own.ts'

const tag = 'Tenants'
const noDomain = 'this tenant has no domain of its own'

const domainForm = z.strictObject({ domain: text(253) })

const recordAnswer = z.object({
  type: z.enum(['TXT', 'CNAME']),
  name: z.string(),
  value: z.string(),
})

const domainAnswer = z.object({
  id: idAnswer('tenantDomain'),
  tenant: idAnswer('tenant'),
  domain: z.string(),
  state: z.enum(domainStates),
  problem: z.string().nullable(),
  /** What has to be in the DNS. */
  records: z.array(recordAnswer),
  created_at: instantAnswer,
  expires_at: instantAnswer,
  proven_at: instantAnswer.nullable(),
  looked_at: instantAnswer.nullable(),
  certificate_ends_at: instantAnswer.nullable(),
  ended_at: instantAnswer.nullable(),
})

export function domainRoutes(deps: ApiDeps): Route[] {
  return [claimRoute(deps), ...standingRoutes(deps), askRoute()]
}

function claimRoute(deps: ApiDeps): Route {
  return route({
    method: 'PUT',
    path: '/v1/tenants/:id/domain',
    tag,
    summary: 'Claim a domain for a tenant',
    description:
      'Whoever writes the TXT record of the answer into its DNS has it. Only a proven domain is ' +
      'exclusive; the same claim again answers as it stands. A domain with other letters than ' +
      'a-z may be given in its own letters.',
    access: 'tenants.domain',
    body: domainForm,
    answers: { 202: { description: 'It is waited for the proof', schema: domainAnswer } },
    refusals: ['not_found', 'invalid_request', 'conflict'],
    handle: async (call) => {
      const tenant = await ownTenant(call)
      const domain = normalized(deps, call.body.domain)
      const { deadlines } = await getProgramme(call.db)
      const row = await inTransaction(call.db, (trx) =>
        recordDomain(trx, {
          id: call.operationId,
          tenantId: tenant.id,
          partnerId: tenant.partnerId,
          domain,
          token: randomBytes(32).toString('base64url'),
          expirySeconds: deadlines.domainExpiry,
        }),
      )
      const input: DomainInput = {
        domainId: row.id,
        reminders: deadlines.domainReminders,
        expiry: deadlines.domainExpiry,
      }
      await startCommitted(deps, () =>
        deps.processes.startOnce({
          type: workflowTypes.domainVerification,
          workflowId: workflowIds.domain(row.id),
          input,
        }),
      )
      return { status: 202, body: present(deps, row) }
    },
  })
}

function standingRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tenants/:id/domain',
      tag,
      summary: 'Read how the domain of a tenant stands',
      access: 'tenants.read',
      answers: { 200: { description: 'The newest one', schema: domainAnswer } },
      refusals: ['not_found'],
      handle: async (call) => ({ status: 200, body: present(deps, await newest(call)) }),
    }),
    route({
      method: 'DELETE',
      path: '/v1/tenants/:id/domain',
      tag,
      summary: 'Let the domain of a tenant go',
      description: 'At once, and for anybody else to prove. The subdomain goes on.',
      access: 'tenants.domain',
      effect: 'transaction',
      answers: { 200: { description: 'Removed', schema: domainAnswer } },
      refusals: ['not_found'],
      handle: async (call) => {
        const { id } = await newest(call)
        await markDomain(call.db, id, { state: 'removed', problem: null })
        return { status: 200, body: present(deps, await newest(call)) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/tenants/:id/domain/check',
      tag,
      summary: 'Look at the domain now',
      description: 'At most once a minute. What it came to is in the answer.',
      access: 'tenants.domain',
      answers: { 200: { description: 'As it stands now', schema: domainAnswer } },
      refusals: ['not_found', 'not_ready', 'too_many_requests', 'temporarily_unavailable'],
      handle: (call) => lookNow(deps, call),
    }),
  ]
}

async function lookNow(deps: ApiDeps, call: Call) {
  const row = await newest(call)
  const bucket = { name: `domain:${row.id}`, perMinute: 1 }
  const wait = await takeFromBucket(call.as('sign_in'), bucket)
  if (wait !== null) {
    throw new DomainError('too_many_requests', 'somebody looked less than a minute ago', {
      retryAfterSeconds: wait,
    })
  }
  await updateProcess(deps, {
    workflowId: workflowIds.domain(row.id),
    definition: lookAtDomain,
    args: [],
    updateId: call.operationId,
    ended: new DomainError('not_ready', `the domain is ${row.state}, and nothing of it is awaited`),
  })
  return { status: 200, body: present(deps, await newest(call)) }
}

/** The convention of edges that get certificates on demand: 200 for a name that may have one. */
function askRoute(): Route {
  return openRoute({
    method: 'GET',
    path: '/v1/tls/ask',
    tag,
    summary: 'Whether the edge may get a certificate for a domain',
    description: 'What Caddy’s `on_demand_tls` asks with `?domain=`: 200 is yes, 404 is no.',
    access: 'public',
    query: z.strictObject({ domain: text(253).toLowerCase() }),
    answers: { 200: { description: 'It may', schema: z.object({ domain: z.string() }) } },
    refusals: ['not_found'],
    handle: async ({ db, query: { domain } }) => {
      found(await findTenantByDomain(db, domain), 'no tenant has proven this domain')
      return { status: 200, body: { domain } }
    },
  })
}

async function newest(call: Pick<Call, 'db' | 'params' | 'principal'>) {
  const tenant = await ownTenant(call)
  return found(await findDomainOf(call.db, tenant.id), noDomain)
}

/** @throws DomainError `invalid_request` */
function normalized({ links, settings }: ApiDeps, given: string): string {
  const domain = domainToASCII(given.replace(/\.$/, '')).toLowerCase()
  const sandbox = settings.keyMode === 'test'
  const detail = domainFault(domain, { ours: links.tenantDomain, sandbox })
  if (detail === undefined) return domain
  throw new DomainError('invalid_request', 'body: this cannot be a domain of a tenant', {
    fields: [{ pointer: '/domain', code: 'invalid', detail }],
  })
}

function present({ links }: ApiDeps, row: TenantDomainRow) {
  return {
    id: outwardId('tenantDomain', row.id),
    tenant: outwardId('tenant', row.tenantId),
    domain: row.domain,
    state: row.state,
    problem: row.problem,
    records: [
      { type: 'TXT' as const, name: challengeName(row.domain), value: row.token },
      { type: 'CNAME' as const, name: row.domain, value: links.domainTarget },
    ],
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
    proven_at: row.provenAt?.toISOString() ?? null,
    looked_at: row.lookedAt?.toISOString() ?? null,
    certificate_ends_at: row.certificateEndsAt?.toISOString() ?? null,
    ended_at: row.endedAt?.toISOString() ?? null,
  }
}
