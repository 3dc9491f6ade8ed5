/** Who may do what, apart from the handlers. The rows that one sees are a matter of `db/`. */
import type { Principal } from '../db/access.ts'
import { DomainError } from '../domain/errors.ts'
import { type MemberRole, memberRoles } from '../domain/members.ts'
import { type ActorLevel, actorLevels } from '../domain/partners.ts'
import { allows, scopeOf } from '../domain/scopes.ts'

export const scopes = ['read', 'write', 'approvals:write'] as const
export type Scope = (typeof scopes)[number]

export interface Policy {
  levels: readonly ActorLevel[]
  scope: Scope
  /** Which members of the organisation; all of them when left out. */
  roles?: readonly MemberRole[]
  /** Only a partner that is active may do this. */
  active?: true
  /** A person proves itself again for this; a key needs the scope alone. */
  stepUp?: true
}

const everyone = actorLevels
const organisations = ['super_admin', 'master_reseller', 'reseller'] as const
const sellers = ['master_reseller', 'reseller'] as const
const approvers = ['super_admin', 'master_reseller'] as const
const owner = ['super_admin'] as const

const finance = ['owner', 'admin', 'finance'] as const
const admins = ['owner', 'admin'] as const

/**
 * The ladder: which levels, and which members of theirs, may do what. The API, its description and
 * the matrix test are driven by this table.
 */
export const policies = {
  'account.read': { levels: everyone, scope: 'read' },
  'account.write': { levels: everyone, scope: 'write' },
  'accruals.read': { levels: organisations, scope: 'read' },
  'adjustments.read': { levels: organisations, scope: 'read' },
  'adjustments.propose': { levels: owner, scope: 'approvals:write', roles: finance, stepUp: true },
  'agreements.read': { levels: organisations, scope: 'read' },
  'applications.read': { levels: approvers, scope: 'read' },
  'applications.decide': {
    levels: approvers,
    scope: 'approvals:write',
    roles: admins,
    stepUp: true,
  },
  'applications.invite': { levels: approvers, scope: 'write', roles: admins },
  'approvals.read': { levels: owner, scope: 'read' },
  'approvals.decide': { levels: owner, scope: 'approvals:write', roles: finance, stepUp: true },
  'audit.read': { levels: organisations, scope: 'read', roles: finance },
  'audit.export': { levels: organisations, scope: 'read', roles: finance, stepUp: true },
  'certificates.revoke': {
    levels: owner,
    scope: 'approvals:write',
    roles: admins,
    stepUp: true,
  },
  'courses.write': { levels: owner, scope: 'write', roles: admins },
  'customers.access': {
    levels: sellers,
    scope: 'write',
    roles: admins,
    active: true,
    stepUp: true,
  },
  'customers.read': { levels: everyone, scope: 'read' },
  'customers.write': { levels: sellers, scope: 'write', roles: finance, active: true },
  'disputes.read': { levels: organisations, scope: 'read' },
  'disputes.open': { levels: sellers, scope: 'write', roles: finance },
  'disputes.answer': { levels: organisations, scope: 'write', roles: finance },
  'disputes.decide': { levels: owner, scope: 'approvals:write', roles: finance, stepUp: true },
  'keys.read': { levels: everyone, scope: 'read', roles: admins },
  'keys.write': { levels: everyone, scope: 'write', roles: admins, stepUp: true },
  'ledger.read': { levels: owner, scope: 'read', roles: finance },
  'ledger.export': { levels: owner, scope: 'read', roles: finance, stepUp: true },
  'links.read': { levels: organisations, scope: 'read' },
  'links.write': { levels: sellers, scope: 'write', roles: finance, active: true },
  'mails.read': { levels: organisations, scope: 'read' },
  'mails.write': { levels: organisations, scope: 'write', roles: admins },
  'members.read': { levels: everyone, scope: 'read' },
  'members.write': { levels: everyone, scope: 'write', roles: admins, stepUp: true },
  'packages.read': { levels: everyone, scope: 'read' },
  'packages.write': { levels: owner, scope: 'write', roles: admins },
  'partners.read': { levels: organisations, scope: 'read' },
  'partners.suspend': {
    levels: approvers,
    scope: 'approvals:write',
    roles: admins,
    stepUp: true,
  },
  'partners.terminate': {
    levels: owner,
    scope: 'approvals:write',
    roles: admins,
    stepUp: true,
  },
  'partners.write': { levels: owner, scope: 'approvals:write', roles: admins, stepUp: true },
  'payouts.decide': { levels: owner, scope: 'approvals:write', roles: finance, stepUp: true },
  'payouts.decide.read': { levels: owner, scope: 'read' },
  'payouts.rates': { levels: owner, scope: 'approvals:write', roles: finance, stepUp: true },
  'payouts.rates.read': { levels: owner, scope: 'read', roles: finance },
  'payouts.read': { levels: organisations, scope: 'read' },
  'programme.read': { levels: organisations, scope: 'read' },
  'programme.write': { levels: owner, scope: 'write', roles: admins, stepUp: true },
  'reconciliation.read': { levels: owner, scope: 'read' },
  'reconciliation.write': { levels: owner, scope: 'write', roles: finance },
  'reserves.read': { levels: organisations, scope: 'read' },
  'reserves.release': { levels: owner, scope: 'approvals:write', roles: finance, stepUp: true },
  'screenings.read': { levels: approvers, scope: 'read', roles: admins },
  'screenings.decide': { levels: owner, scope: 'approvals:write', roles: admins, stepUp: true },
  'settlement.read': { levels: owner, scope: 'read' },
  'settlement.start': { levels: owner, scope: 'write', roles: finance },
  'settlement.sign': { levels: owner, scope: 'approvals:write', roles: finance, stepUp: true },
  'simulations.run': { levels: organisations, scope: 'read' },
  'statements.read': { levels: organisations, scope: 'read' },
  'subscriptions.read': { levels: everyone, scope: 'read' },
  'subscriptions.write': { levels: sellers, scope: 'write', roles: finance, active: true },
  'tax.read': { levels: organisations, scope: 'read', roles: finance },
  'tax.export': { levels: owner, scope: 'read', roles: finance, stepUp: true },
  'tax.declare': { levels: organisations, scope: 'write', roles: finance, stepUp: true },
  'tax.decide': { levels: owner, scope: 'approvals:write', roles: finance, stepUp: true },
  'tenants.read': { levels: organisations, scope: 'read' },
  'tasks.read': { levels: owner, scope: 'read' },
  'tasks.close': { levels: owner, scope: 'write', roles: admins },
  'tenants.brand': { levels: organisations, scope: 'write', roles: admins },
  'tenants.domain': { levels: organisations, scope: 'write', roles: admins },
  'tenants.limit': { levels: owner, scope: 'write', roles: admins },
  'tenants.offboard': {
    levels: owner,
    scope: 'approvals:write',
    roles: admins,
    stepUp: true,
  },
  'tenants.offboarding': { levels: owner, scope: 'read' },
  'tenants.retry': { levels: owner, scope: 'write', roles: admins },
  'territories.read': { levels: organisations, scope: 'read' },
  'conflicts.read': { levels: approvers, scope: 'read' },
  'conflicts.rule': { levels: approvers, scope: 'approvals:write', roles: admins, stepUp: true },
  'territories.write': {
    levels: approvers,
    scope: 'approvals:write',
    roles: admins,
    stepUp: true,
  },
  'terms.read': { levels: owner, scope: 'read' },
  'terms.write': { levels: owner, scope: 'write', roles: admins },
  'terms.publish': { levels: owner, scope: 'approvals:write', roles: admins, stepUp: true },
  'tiers.read': { levels: organisations, scope: 'read' },
  'tiers.review': { levels: owner, scope: 'read' },
  'tiers.override': { levels: owner, scope: 'approvals:write', roles: admins, stepUp: true },
  'verification.extend': {
    levels: owner,
    scope: 'approvals:write',
    roles: admins,
    stepUp: true,
  },
  'verification.link': { levels: sellers, scope: 'write', roles: admins },
  // Also of a partner that is not active yet: it may have to learn before.
  'training.read': { levels: organisations, scope: 'read' },
  'training.write': { levels: sellers, scope: 'write' },
} as const satisfies Record<string, Policy>

export type Permission = keyof typeof policies

/**
 * @throws DomainError `level_not_allowed`, `forbidden`, `step_up_required`, `suspended`,
 * `partner_not_active`
 */
export function authorize(principal: Principal, permission: Permission): void {
  const policy: Policy = policies[permission]
  if (!policy.levels.includes(principal.level)) {
    throw new DomainError('level_not_allowed', 'your level may not do this')
  }
  if (!(policy.roles ?? memberRoles).includes(principal.role)) {
    throw new DomainError('forbidden', `a member who is ${principal.role} may not do this`)
  }
  if (!allows(principal.scopes, permission, policy.scope)) {
    const scope = scopeOf(permission, policy.scope)
    throw new DomainError('forbidden', `this key lacks the scope ${scope}`, { scope })
  }
  if (policy.scope !== 'read' && principal.suspended) {
    throw new DomainError('suspended', 'your organisation, or one above it, is suspended')
  }
  if (policy.active && principal.partnerStatus !== 'active') {
    throw new DomainError('partner_not_active', 'only an active partner may do this')
  }
  if (policy.stepUp && principal.stepUp && !principal.stepUp.fresh) {
    throw new DomainError('step_up_required', 'prove again who you are, then repeat the request')
  }
}
