/**
 * What a key may be used for. A scope is broad (`read`, `write`, `approvals:write`) or of one
 * capability (`customers:read`): capabilities are the first words of the permissions.
 */

export const broadScopes = ['read', 'write', 'approvals:write'] as const
export type BroadScope = (typeof broadScopes)[number]

/** Approvals are what no other scope ever implies. */
const apart: BroadScope = 'approvals:write'

/**
 * The narrowest scope that suffices for a permission, like `tenants:write` for `tenants.retry`.
 * @param broad what the permission takes of a key with broad scopes.
 */
export function scopeOf(permission: string, broad: BroadScope): string {
  return broad === apart ? broad : `${permission.split('.')[0]}:${broad}`
}

/** The broad scope that implies one of a capability; a broad one is implied by nothing else. */
function impliedBy(scope: string): string | undefined {
  if (scope === apart) return undefined
  return /^[a-z]+:(read|write)$/.exec(scope)?.[1]
}

/** Whether who has these scopes has this one. */
export function covers(own: readonly string[], scope: string): boolean {
  const broad = impliedBy(scope)
  return own.includes(scope) || (broad !== undefined && own.includes(broad))
}

/** Whether a key with these scopes may be used for what takes the permission. */
export function allows(own: readonly string[], permission: string, broad: BroadScope): boolean {
  return covers(own, scopeOf(permission, broad))
}

/** The scopes that somebody with its own may not give. */
export function scopesBeyond(own: readonly string[], wanted: readonly string[]): string[] {
  return wanted.filter((scope) => !covers(own, scope))
}

/** Whether a scope is of one capability, and a key that has it a restricted one. */
export const isNarrow = (scope: string) => impliedBy(scope) !== undefined

/** Whether a scope lets a key look and nothing else. */
export const isReading = (scope: string) => scope === 'read' || scope.endsWith(':read')
