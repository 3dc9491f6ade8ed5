/**
 * How often a caller may ask. The limiter is exact and shared by all processes; it says in every
 * answer what is left (RateLimit header fields for HTTP).
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Db } from '../db/database.ts'
import { type Bucket, type BucketState, type Quota, takeFromBuckets } from '../db/limits.ts'
import { DomainError } from '../domain/errors.ts'
import type { ApiLog } from './deps.ts'

/** A limit as callers see it: by the name of its policy, whoever's bucket it is. */
export interface Limit extends Bucket {
  /** What callers read in the headers: `key`, `tenant`, `package`, `login` … */
  policy: string
  /** What is said of it when it is reached. */
  told?: string
}

export interface Limiter {
  db: Db
  log: Pick<ApiLog, 'warn'>
}

export interface LimitedRequest {
  limits: Limit[]
  /** What happens while the limiter cannot be asked: guessing must wait, reading may go on. */
  whenAway: 'open' | 'closed'
  /** Gets the fields of the answer, of the refusal as well. */
  setHeaders: (headers: Record<string, string>) => void
}

/** A limiter that does not answer in this time is taken to be away. */
const patienceMs = 1_000
const retryWhenAwaySeconds = 5

/**
 * Takes one unit of each limit, or of none.
 * @throws DomainError `too_many_requests` with `violatedPolicies`, `temporarily_unavailable`
 */
export async function takeQuota(limiter: Limiter, request: LimitedRequest): Promise<void> {
  const states = await statesOf(limiter, request)
  if (!states) return
  request.setHeaders(limitHeaders(states))
  const refused = states.filter((state) => state.refused)
  if (refused.length === 0) return
  const names = refused.map(({ policy }) => policy)
  const words = refused.flatMap(({ told }) => told ?? [])
  const message = [`the limit of ${names.join(' and ')} is reached`, ...words].join(': ')
  throw new DomainError('too_many_requests', message, {
    retryAfterSeconds: Math.max(...states.map((state) => waitOf(state))),
    violatedPolicies: names,
  })
}

/** Nobody comes back before every limit that refused has a unit again. */
const waitOf = ({ refused, resetSeconds }: BucketState) => (refused ? resetSeconds : 0)

type LimitState = BucketState & Limit

async function statesOf(
  { db, log }: Limiter,
  { limits, whenAway }: LimitedRequest,
): Promise<LimitState[] | undefined> {
  const patience = new AbortController()
  try {
    const { buckets } = await Promise.race([
      takeFromBuckets(db, limits),
      pause(patienceMs, undefined, { signal: patience.signal, ref: false }).then(() => {
        throw new Error(`the limiter has not answered in ${patienceMs} ms`)
      }),
    ])
    return buckets.map((state, n) => ({ ...(limits[n] as Limit), ...state }))
  } catch (error) {
    log.warn({ error }, 'the limiter is away')
    if (whenAway === 'open') return undefined
    throw new DomainError('temporarily_unavailable', 'this cannot be checked now; come back', {
      retryAfterSeconds: retryWhenAwaySeconds,
      reducedCapacity: true,
    })
  } finally {
    patience.abort()
  }
}

/** Both fields as structured lists: `"key";q=100;w=60` and `"key";r=49;t=12`. */
export function limitHeaders(states: (BucketState & { policy: string })[]) {
  const policy = states.map(
    (state) => `"${state.policy}";q=${state.quota};w=${state.windowSeconds}`,
  )
  const left = states.map(
    (state) => `"${state.policy}";r=${state.remaining};t=${state.resetSeconds}`,
  )
  return { 'RateLimit-Policy': policy.join(', '), RateLimit: left.join(', ') }
}

/** What a caller with a key is held to. */
export interface CallerQuotas {
  key: Quota
  tenant: Quota
  /** What the package of a customer allows, where it says something. */
  package?: Quota | null
  /** What the partner's tenant may ask, where it has a quota; no more than `tenant`. */
  ownTenant?: Quota | null
}

export function callerLimits(
  { keyId, tenantId }: { keyId: string; tenantId: string },
  quotas: CallerQuotas,
): Limit[] {
  return [
    { policy: 'key', name: keyId, ...quotas.key },
    { policy: 'tenant', name: `tenant:${tenantId}`, ...tenantQuota(quotas) },
    ...(quotas.package
      ? [{ policy: 'package', name: `package:${tenantId}`, ...quotas.package }]
      : []),
  ]
}

/** One bucket for both, so that a request is counted once: the smaller quota holds. */
function tenantQuota({ tenant, ownTenant }: CallerQuotas): Quota & Pick<Limit, 'told'> {
  if (!ownTenant || isSlower(tenant, ownTenant)) return tenant
  const told =
    `your tenant may send ${ownTenant.quota} requests in ${ownTenant.windowSeconds} seconds; ` +
    'come back after the time in Retry-After, or ask the platform for more'
  return { ...ownTenant, told }
}

const isSlower = (one: Quota, other: Quota) =>
  one.quota * other.windowSeconds <= other.quota * one.windowSeconds
