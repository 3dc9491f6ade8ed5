/** What members may be in their organisation, and how long and how well they are signed in. */
import type { ActorLevel } from './partners.ts'

export const memberRoles = ['owner', 'admin', 'finance', 'viewer'] as const
export type MemberRole = (typeof memberRoles)[number]

export const memberStatuses = ['active', 'disabled'] as const
export type MemberStatus = (typeof memberStatuses)[number]

const ranks: Record<MemberRole, number> = { owner: 4, admin: 3, finance: 2, viewer: 1 }

/** Whether a member of this role keeps the others' roles at all. */
export function keepsMembers(role: MemberRole): boolean {
  return role === 'owner' || role === 'admin'
}

/** Nobody gives a role above its own, and nobody changes who stands above itself. */
export function mayGrant(actor: MemberRole, role: MemberRole): boolean {
  return keepsMembers(actor) && ranks[actor] >= ranks[role]
}

/** What a session of a role may be used for, in the words of the scopes of keys. */
export const scopesOfRole = {
  owner: ['read', 'write', 'approvals:write'],
  admin: ['read', 'write', 'approvals:write'],
  finance: ['read', 'write', 'approvals:write'],
  viewer: ['read'],
} as const satisfies Record<MemberRole, readonly string[]>

/** Levels that act for others sign in with two factors. */
export function needsSecondFactor(level: ActorLevel): boolean {
  return level === 'super_admin' || level === 'master_reseller'
}

const minute = 60
const hour = 3_600
const day = 86_400

/** Seconds that a session lives unused, and at most. */
export function sessionLife(level: ActorLevel): { idle: number; absolute: number } {
  return needsSecondFactor(level)
    ? { idle: 30 * minute, absolute: 12 * hour }
    : { idle: 12 * hour, absolute: 14 * day }
}

/** Who has not shown its second factor, or has yet to get one, is done within this time. */
export const pendingSeconds = 10 * minute

/** How long the last proof of who it is holds for what takes a fresh one. */
export const stepUpSeconds = 5 * minute

/** What a session still has to do; null when it is whole. */
export type SessionNeed = 'totp' | 'passkey' | 'enrolment'

/** Which proofs a person has beside its password. */
export interface Factors {
  hasTotp: boolean
  passkeys: number
}

export const hasFactor = ({ hasTotp, passkeys }: Factors) => hasTotp || passkeys > 0

/**
 * What is left to do after the first proof. A person that has a second factor always shows it;
 * `strong` says that the identity provider has seen two already.
 */
export function needAfterFirst(
  person: Factors & { level: ActorLevel; strong: boolean },
): SessionNeed | null {
  if (person.strong) return null
  if (person.hasTotp) return 'totp'
  if (person.passkeys > 0) return 'passkey'
  return needsSecondFactor(person.level) ? 'enrolment' : null
}
