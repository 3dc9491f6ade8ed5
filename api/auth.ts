/** Who makes the request, and the context in which the database serves it. */
import { findPrincipal, markKeyUsed, type Principal } from '../db/access.ts'
import type { Db } from '../db/database.ts'
import type { TenantContext } from '../db/tenancy.ts'
import { DomainError } from '../domain/errors.ts'
import type { ApiDeps } from './deps.ts'
import { hashKey, isWellFormedKey } from './keys.ts'

/** What a request tells of itself before anybody is known. */
export interface RequestFacts {
  requestId: string
  ip: string
  /** Stands for the address where it is kept: the same for the same one, and no way back. */
  caller: string
  /** The route, like `POST /v1/customers`. */
  action: string
}

/**
 * The member behind a key.
 * @param door looks up who is there.
 * @returns null when no key was sent. @throws DomainError `not_authenticated` for a wrong one.
 */
export async function authenticate(
  door: Db,
  { keyMode }: Pick<ApiDeps['settings'], 'keyMode'>,
  authorization: string,
): Promise<Principal | null> {
  if (authorization === '') return null
  const secret = /^Bearer ([\w-]+)$/i.exec(authorization)?.[1] ?? ''
  const principal = isWellFormedKey(secret, keyMode)
    ? await findPrincipal(door, hashKey(secret))
    : undefined
  if (!principal) {
    throw new DomainError('not_authenticated', 'the API key is malformed, unknown or expired')
  }
  // Most requests find it noted a moment ago, and need no write for it.
  if (principal.isUseDue) await markKeyUsed(door, principal.keyId)
  return principal
}

export function required(principal: Principal | null): Principal {
  if (principal) return principal
  throw new DomainError('not_authenticated', 'send an API key: Authorization: Bearer …')
}

/** Whom repeated requests belong to: keys of one member share what they have asked. */
export function principalOf(principal: Principal | null, { caller }: RequestFacts): string {
  return principal ? `member:${principal.memberId}` : caller
}

/** The context of a caller. */
export function contextOf(principal: Principal, request: RequestFacts): TenantContext {
  const { level, chained, partnerId, customerId, through } = principal
  return {
    level: level === 'reseller' && chained ? 'subreseller' : level,
    partnerId,
    customerId,
    actor: through,
    onBehalfOf: principalOf(principal, request),
    requestId: request.requestId,
    action: request.action,
  }
}

/** The context of a request of which nobody is known, or of what it does beside its caller. */
export function doorContext(
  level: TenantContext['level'],
  request: RequestFacts,
  partnerId: string | null = null,
): TenantContext {
  return {
    level,
    partnerId,
    customerId: null,
    address: request.ip,
    actor: request.caller,
    onBehalfOf: null,
    requestId: request.requestId,
    action: request.action,
  }
}
