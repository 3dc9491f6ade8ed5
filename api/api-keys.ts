/** API keys: made, listed, rolled, revoked, and reported by whoever came across one. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { type Principal, recordApiKey } from '../db/access.ts'
import {
  type ApiKeyRow,
  findApiKey,
  listApiKeys,
  lockKeyToRoll,
  markKeyLeaked,
  markKeyReplaced,
  markKeyRevoked,
} from '../db/api-keys.ts'
import { databaseNow, inTransaction } from '../db/database.ts'
import { takeFromBucket } from '../db/limits.ts'
import { requireRoom } from '../db/tenant-quotas.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { broadScopes, isNarrow, scopeOf, scopesBeyond } from '../domain/scopes.ts'
import type { ApiDeps } from './deps.ts'
import {
  generateKey,
  hashKey,
  isWellFormedKey,
  type KeyKind,
  keyKinds,
  kindOfPrefix,
} from './keys.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { policies } from './policies.ts'
import { type Answer, type Call, openRoute, type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId, text } from './validate.ts'

export const keyLifeDays = 365
const dayMs = 24 * 3_600_000
const longestGraceSeconds = 7 * 24 * 3_600
const mostNetworks = 20
const reportsPerMinute = 10

/** Every scope that a key can have: the broad ones, and one for each capability and way of use. */
export const keyScopes = [
  ...broadScopes,
  ...new Set(
    Object.entries(policies)
      .map(([permission, { scope }]) => scopeOf(permission, scope))
      .filter(isNarrow)
      .sort(),
  ),
]

/** An address or a network; the bits behind its prefix do not count. */
function isNetwork(text: string): boolean {
  const [, address = '', , prefix] = /^([0-9A-Fa-f:.]+)(\/([1-9]\d{0,2}))?$/.exec(text) ?? []
  const family = isIP(address)
  // Requests from addresses of version 4 are known by these, whatever they are dressed in.
  const isPlain = !address.toLowerCase().startsWith('::ffff:')
  return family !== 0 && isPlain && Number(prefix ?? 1) <= (family === 4 ? 32 : 128)
}

export const networksField = z
  .array(z.string().refine(isNetwork, 'expected an address or a network, like 203.0.113.0/24'))
  .min(1)
  .max(mostNetworks)

export const lifeField = z.int().min(1).max(keyLifeDays).default(keyLifeDays)

/** Any of these, each once. */
export const scopesField = (scopes: string[]) =>
  z
    .array(z.enum(scopes))
    .min(1)
    .transform((given) => [...new Set(given)])

const keyForm = z.strictObject({
  label: text(100),
  kind: z.enum(keyKinds).optional(),
  scopes: scopesField(keyScopes).optional(),
  allowed_ips: networksField.optional(),
  expires_in_days: lifeField,
})

const rollForm = z.strictObject({ grace_seconds: z.int().min(0).max(longestGraceSeconds) })
const reportForm = z.strictObject({ key: text(500) })

const keyAnswer = z.object({
  id: idAnswer('apiKey'),
  member: idAnswer('member'),
  label: z.string(),
  kind: z.enum(keyKinds),
  prefix: z.string(),
  last_four: z.string(),
  scopes: z.array(z.string()),
  allowed_ips: z.array(z.string()).nullable(),
  expires_at: instantAnswer,
  revoked_at: instantAnswer.nullable(),
  replaced_by: idAnswer('apiKey').nullable(),
  leaked_at: instantAnswer.nullable(),
  last_used_at: instantAnswer.nullable(),
  last_used_ip: z.string().nullable(),
  created_at: instantAnswer,
})

export const newKeyAnswer = keyAnswer.extend({
  key: z.string().meta({ description: 'The key itself; it is shown in this answer only.' }),
})

const reportAnswer = z.object({ status: z.literal('received') })

const tag = 'API keys'
const notFound = 'there is no such API key'

export function apiKeyRoutes(deps: ApiDeps): Route[] {
  return [...keptRoutes(), ...madeRoutes(deps)]
}

function keptRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/api-keys',
      tag,
      summary: 'List the API keys of your organisation',
      access: 'keys.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(keyAnswer) } },
      refusals: [],
      handle: async ({ db, principal, query }) => {
        const page = await listApiKeys(db, principal, pageRequest(query))
        return { status: 200, body: presentPage(page, presentKey) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/api-keys/:id',
      tag,
      summary: 'Read an API key',
      access: 'keys.read',
      answers: { 200: { description: 'The key, but for its secret', schema: keyAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, principal, params }) => {
        const id = pathId('apiKey', params.id, notFound)
        const row = found(await findApiKey(db, principal, id), notFound)
        return { status: 200, body: presentKey(row) }
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/api-keys/:id',
      tag,
      summary: 'Revoke an API key at once',
      access: 'keys.write',
      effect: 'transaction',
      answers: { 200: { description: 'Revoked', schema: keyAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, principal, params }) => {
        const id = pathId('apiKey', params.id, notFound)
        const row = await inTransaction(db, async (trx) => {
          found(await findApiKey(trx, principal, id), notFound)
          await markKeyRevoked(trx, id)
          return found(await findApiKey(trx, principal, id), notFound)
        })
        return { status: 200, body: presentKey(row) }
      },
    }),
  ]
}

function madeRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/api-keys',
      tag,
      summary: 'Create an API key for yourself',
      description:
        'A key never has more scopes than the one that makes it, and ends with it at the latest. ' +
        'With scopes of single capabilities, like `customers:read`, it is a restricted one.',
      access: 'keys.write',
      effect: 'transaction',
      body: keyForm,
      answers: { 201: { description: 'Created', schema: newKeyAnswer } },
      refusals: ['invalid_request', 'forbidden', 'quota_exceeded'],
      handle: (call) => createKey(deps, call),
    }),
    route({
      method: 'POST',
      path: '/v1/api-keys/:id/roll',
      tag,
      summary: 'Replace one of your API keys by a new one',
      description:
        'The new key has the label, the scopes, the allowed addresses and the life of the old ' +
        'one, which goes on working for the grace: 0 to 604800 seconds.',
      access: 'keys.write',
      effect: 'transaction',
      body: rollForm,
      answers: { 201: { description: 'The new key', schema: newKeyAnswer } },
      refusals: ['invalid_request', 'forbidden', 'not_found', 'conflict'],
      handle: (call) => rollKey(deps, call),
    }),
    openRoute({
      method: 'POST',
      path: '/v1/api-keys/report-leak',
      tag,
      summary: 'Report a key that you should not have',
      description:
        'It is revoked at once and its owners are told by mail. The answer never says whether ' +
        'there was such a key.',
      access: 'public',
      takesKeys: true,
      body: reportForm,
      answers: { 202: { description: 'Thank you', schema: reportAnswer } },
      refusals: ['invalid_request', 'too_many_requests'],
      handle: (call) => reportLeak(deps, call),
    }),
  ]
}

/** When a key ends that is made now. */
export function keyEnd(now: Date, days = keyLifeDays): Date {
  return new Date(now.getTime() + days * dayMs)
}

/** @throws DomainError `forbidden` for scopes that who makes the key does not have. */
export function requireScopes({ scopes }: Principal, wanted: string[]): void {
  const beyond = scopesBeyond(scopes, wanted)
  if (beyond.length === 0) return
  throw new DomainError('forbidden', `you lack the scopes ${beyond.join(', ')} yourself`)
}

function wrongField(pointer: string, detail: string): DomainError {
  return new DomainError('invalid_request', `body: ${detail}`, {
    fields: [{ pointer, code: 'invalid', detail }],
  })
}

/** @throws DomainError `invalid_request` for scopes that do not fit the kind. */
function kindFor({ kind, scopes }: z.output<typeof keyForm>, wanted: string[]): KeyKind {
  const narrow = wanted.some(isNarrow)
  if (kind === 'secret' && narrow) throw wrongField('/kind', 'a secret key has broad scopes only')
  if (kind === 'restricted' && !scopes) {
    throw wrongField('/scopes', 'a restricted key names its scopes')
  }
  return kind ?? (narrow ? 'restricted' : 'secret')
}

/** The key through which the member acts, if it does through one. */
const keyOf = ({ through }: Principal) =>
  through.startsWith('key:') ? through.slice('key:'.length) : null

async function createKey(
  { settings }: ApiDeps,
  { db, principal, body, operationId }: Call<unknown, z.output<typeof keyForm>>,
): Promise<Answer> {
  const wanted = body.scopes ?? principal.scopes
  const kind = kindFor(body, wanted)
  requireScopes(principal, wanted)
  const { secret, ...stored } = generateKey(settings.keyMode, kind)
  const row = await inTransaction(db, async (trx) => {
    if (!principal.customerId) await requireRoom(trx, principal.partnerId, 'apiKeys')
    const makerId = keyOf(principal)
    const maker = makerId === null ? undefined : await findApiKey(trx, principal, makerId)
    const end = keyEnd(await databaseNow(trx), body.expires_in_days)
    await recordApiKey(trx, {
      ...stored,
      id: operationId,
      memberId: principal.memberId,
      label: body.label,
      scopes: wanted,
      allowedIps: body.allowed_ips ?? maker?.allowedIps ?? null,
      expiresAt: maker && maker.expiresAt < end ? maker.expiresAt : end,
    })
    return found(await findApiKey(trx, principal, operationId), notFound)
  })
  return presentNewKey(row, secret)
}

async function rollKey(
  { settings }: ApiDeps,
  { db, principal, params, body, operationId }: Call<unknown, z.output<typeof rollForm>>,
): Promise<Answer> {
  const id = pathId('apiKey', params.id, notFound)
  const { row, secret } = await inTransaction(db, async (trx) => {
    const old = await lockKeyToRoll(trx, principal, { id, operationId })
    // Whoever could get the key of another person could act as that person too.
    if (old.memberId !== principal.memberId) {
      throw new DomainError('forbidden', "roll your own keys; others' can be revoked only")
    }
    requireScopes(principal, old.scopes)
    const { secret, ...stored } = generateKey(settings.keyMode, kindOfPrefix(old.prefix))
    const { memberId, label, scopes, allowedIps, nextEnd: expiresAt } = old
    const made = { memberId, label, scopes, allowedIps, expiresAt }
    await recordApiKey(trx, { ...stored, ...made, id: operationId })
    const graceSeconds = body.grace_seconds
    await markKeyReplaced(trx, id, { replacedBy: operationId, graceSeconds })
    return { row: found(await findApiKey(trx, principal, operationId), notFound), secret }
  })
  return presentNewKey(row, secret)
}

async function reportLeak(
  { settings }: ApiDeps,
  { db, body, ip }: Pick<Call<unknown, z.output<typeof reportForm>>, 'db' | 'body' | 'ip'>,
): Promise<Answer> {
  const wait = await takeFromBucket(db, { name: `leaks:${ip}`, perMinute: reportsPerMinute })
  if (wait !== null) {
    throw new DomainError('too_many_requests', 'too many reports from this address', {
      retryAfterSeconds: wait,
    })
  }
  if (isWellFormedKey(body.key, settings.keyMode)) await markKeyLeaked(db, hashKey(body.key))
  return { status: 202, body: { status: 'received' } }
}

function presentKey(row: ApiKeyRow) {
  return {
    id: outwardId('apiKey', row.id),
    member: outwardId('member', row.memberId),
    label: row.label,
    kind: kindOfPrefix(row.prefix),
    prefix: row.prefix,
    last_four: row.lastFour,
    scopes: row.scopes,
    allowed_ips: row.allowedIps,
    expires_at: row.expiresAt.toISOString(),
    revoked_at: row.revokedAt?.toISOString() ?? null,
    replaced_by: row.replacedBy && outwardId('apiKey', row.replacedBy),
    leaked_at: row.leakedAt?.toISOString() ?? null,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    last_used_ip: row.lastUsedIp,
    created_at: row.createdAt.toISOString(),
  }
}

/** The only answer that shows the key. */
export function presentNewKey(row: ApiKeyRow, secret: string): Answer {
  const created = { ...presentKey(row), key: secret }
  return { status: 201, body: created, headers: { Location: `/v1/api-keys/${created.id}` } }
}
