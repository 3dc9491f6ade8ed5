/** Who you are, your keys, and taking up an invitation. */
import { createHash, randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import {
  type ApiKeyRow,
  getApiKey,
  listApiKeys,
  markKeyRevoked,
  type Principal,
  recordApiKey,
  recordMember,
  takeInvitation,
} from '../db/access.ts'
import { databaseNow, inTransaction } from '../db/database.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import type { ApiDeps } from './deps.ts'
import { generateKey } from './keys.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { scopes } from './policies.ts'
import { type Call, openRoute, type Route, route } from './route.ts'
import { idAnswer, instantAnswer, pathId, text } from './validate.ts'

const keyLifeDays = 365
const dayMs = 24 * 3_600_000

const keyForm = z.strictObject({
  label: text(100),
  scopes: z.array(z.enum(scopes)).min(1).optional(),
  expires_in_days: z.int().min(1).max(keyLifeDays).default(keyLifeDays),
})

const keyAnswer = z.object({
  id: idAnswer('apiKey'),
  member: idAnswer('member'),
  label: z.string(),
  prefix: z.string(),
  last_four: z.string(),
  scopes: z.array(z.string()),
  expires_at: instantAnswer,
  revoked_at: instantAnswer.nullable(),
  last_used_at: instantAnswer.nullable(),
  created_at: instantAnswer,
})

const newKeyAnswer = keyAnswer.extend({
  key: z.string().meta({ description: 'The key itself; it is shown in this answer only.' }),
})

const meAnswer = z.object({
  member: idAnswer('member'),
  name: z.string(),
  level: z.enum(['super_admin', 'master_reseller', 'reseller']),
  partner: idAnswer('partner').nullable(),
  partner_name: z.string().nullable(),
  partner_status: z.string().nullable(),
  scopes: z.array(z.string()),
})

const invitationForm = z.strictObject({ token: text(200) })

const acceptedAnswer = z.object({
  member: idAnswer('member'),
  partner: idAnswer('partner'),
  api_key: z.string().meta({ description: 'The first key; it is shown in this answer only.' }),
})

const notFound = 'there is no such API key'

export function accessRoutes(deps: ApiDeps): Route[] {
  const { db } = deps
  return [
    route({
      method: 'GET',
      path: '/v1/me',
      tag: 'Access',
      summary: 'Who am I',
      access: 'account.read',
      answers: { 200: { description: 'The member behind the key', schema: meAnswer } },
      refusals: [],
      handle: async ({ principal }) => ({ status: 200, body: presentMe(principal) }),
    }),
    openRoute({
      method: 'POST',
      path: '/v1/invitations/accept',
      tag: 'Access',
      summary: 'Take up an invitation',
      description: 'The token of the mail works once and for seven days.',
      access: 'public',
      body: invitationForm,
      answers: { 201: { description: 'You are a member now', schema: acceptedAnswer } },
      refusals: ['not_found', 'gone'],
      handle: (call) => acceptInvitation(deps, call),
    }),
    route({
      method: 'POST',
      path: '/v1/api-keys',
      tag: 'Access',
      summary: 'Create an API key for yourself',
      description: 'A key never has more scopes than the one that makes it.',
      access: 'keys.write',
      body: keyForm,
      answers: { 201: { description: 'Created', schema: newKeyAnswer } },
      refusals: ['invalid_request', 'forbidden'],
      handle: (call) => createKey(deps, call),
    }),
    route({
      method: 'GET',
      path: '/v1/api-keys',
      tag: 'Access',
      summary: 'List the API keys of your organisation',
      access: 'keys.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(keyAnswer) } },
      refusals: [],
      handle: async ({ principal, query }) => {
        const page = await listApiKeys(db, principal, pageRequest(query))
        return { status: 200, body: presentPage(page, presentKey) }
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/api-keys/:id',
      tag: 'Access',
      summary: 'Revoke an API key at once',
      access: 'keys.write',
      answers: { 200: { description: 'Revoked', schema: keyAnswer } },
      refusals: ['not_found'],
      handle: async ({ principal, params }) => {
        const id = pathId('apiKey', params.id, notFound)
        const row = await inTransaction(db, async (trx) => {
          await getApiKey(trx, principal, id)
          await markKeyRevoked(trx, id)
          return getApiKey(trx, principal, id)
        })
        return { status: 200, body: presentKey(row) }
      },
    }),
  ]
}

async function acceptInvitation(
  { db, settings }: ApiDeps,
  { body, operationId }: Call<unknown, z.output<typeof invitationForm>, Principal | null>,
) {
  const tokenHash = createHash('sha256').update(body.token).digest()
  const key = generateKey(settings.keyMode)
  const taken = await inTransaction(db, async (trx) => {
    const { partnerId, name, email } = await takeInvitation(trx, {
      tokenHash,
      operationId,
    })
    const memberId = await recordMember(trx, { id: randomUUIDv7(), partnerId, name, email })
    const { secret: _shownOnce, ...stored } = key
    const now = await databaseNow(trx)
    await recordApiKey(trx, {
      ...stored,
      id: operationId,
      memberId,
      label: 'first key',
      scopes: [...scopes],
      expiresAt: new Date(now.getTime() + keyLifeDays * dayMs),
    })
    return { memberId, partnerId }
  })
  return {
    status: 201,
    body: {
      member: outwardId('member', taken.memberId),
      partner: outwardId('partner', taken.partnerId),
      api_key: key.secret,
    },
  }
}

async function createKey(
  { db, settings }: ApiDeps,
  { principal, body, operationId }: Call<unknown, z.output<typeof keyForm>>,
) {
  const wanted = body.scopes ?? principal.scopes
  const beyond = wanted.filter((scope) => !principal.scopes.includes(scope))
  if (beyond.length > 0) {
    throw new DomainError('forbidden', `your own key lacks the scopes ${beyond.join(', ')}`)
  }
  const { secret, ...stored } = generateKey(settings.keyMode)
  const row = await inTransaction(db, async (trx) => {
    const now = await databaseNow(trx)
    await recordApiKey(trx, {
      ...stored,
      id: operationId,
      memberId: principal.memberId,
      label: body.label,
      scopes: wanted,
      expiresAt: new Date(now.getTime() + body.expires_in_days * dayMs),
    })
    return getApiKey(trx, principal, operationId)
  })
  const created = { ...presentKey(row), key: secret }
  return { status: 201, body: created, headers: { Location: `/v1/api-keys/${created.id}` } }
}

function presentMe(principal: Principal) {
  return {
    member: outwardId('member', principal.memberId),
    name: principal.memberName,
    level: principal.level,
    partner: principal.partnerId && outwardId('partner', principal.partnerId),
    partner_name: principal.partnerName,
    partner_status: principal.partnerStatus,
    scopes: principal.scopes,
  }
}

function presentKey(row: ApiKeyRow) {
  return {
    id: outwardId('apiKey', row.id),
    member: outwardId('member', row.memberId),
    label: row.label,
    prefix: row.prefix,
    last_four: row.lastFour,
    scopes: row.scopes,
    expires_at: row.expiresAt.toISOString(),
    revoked_at: row.revokedAt?.toISOString() ?? null,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
  }
}
