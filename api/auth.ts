/** Who makes the request: the member behind the bearer key. */
import { findPrincipal, markKeyUsed, type Principal } from '../db/access.ts'
import { DomainError } from '../domain/errors.ts'
import type { ApiDeps } from './deps.ts'
import { hashKey, isWellFormedKey } from './keys.ts'

/** @returns null when no key was sent. @throws DomainError `not_authenticated` for a wrong one. */
export async function authenticate(
  { db, settings }: Pick<ApiDeps, 'db' | 'settings'>,
  authorization: string,
): Promise<Principal | null> {
  if (authorization === '') return null
  const secret = /^Bearer ([\w-]+)$/i.exec(authorization)?.[1] ?? ''
  const principal = isWellFormedKey(secret, settings.keyMode)
    ? await findPrincipal(db, hashKey(secret))
    : undefined
  if (!principal) {
    throw new DomainError('not_authenticated', 'the API key is malformed, unknown or expired')
  }
  await markKeyUsed(db, principal.keyId)
  return principal
}

export function required(principal: Principal | null): Principal {
  if (principal) return principal
  throw new DomainError('not_authenticated', 'send an API key: Authorization: Bearer …')
}
