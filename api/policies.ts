/** Who may do what, apart from the handlers. The rows that one sees are a matter of `db/`. */
import type { Principal } from '../db/access.ts'
import { DomainError } from '../domain/errors.ts'
import type { ActorLevel } from '../domain/partners.ts'

export const scopes = ['read', 'write', 'approvals:write'] as const
export type Scope = (typeof scopes)[number]

interface Policy {
  levels: readonly ActorLevel[]
  scope: Scope
  /** Only a partner that is active may do this. */
  active?: true
}

const everyone = ['super_admin', 'master_reseller', 'reseller'] as const
const sellers = ['master_reseller', 'reseller'] as const
const approvers = ['super_admin', 'master_reseller'] as const
const owner = ['super_admin'] as const

export const policies = {
  'account.read': { levels: everyone, scope: 'read' },
  'accruals.read': { levels: everyone, scope: 'read' },
  'applications.read': { levels: approvers, scope: 'read' },
  'applications.decide': { levels: approvers, scope: 'approvals:write' },
  'customers.read': { levels: everyone, scope: 'read' },
  'customers.write': { levels: sellers, scope: 'write', active: true },
  'keys.read': { levels: everyone, scope: 'read' },
  'keys.write': { levels: everyone, scope: 'write' },
  'links.read': { levels: everyone, scope: 'read' },
  'links.write': { levels: sellers, scope: 'write', active: true },
  'packages.read': { levels: everyone, scope: 'read' },
  'packages.write': { levels: owner, scope: 'write' },
  'partners.read': { levels: everyone, scope: 'read' },
  'payouts.read': { levels: everyone, scope: 'read' },
  'settlement.read': { levels: owner, scope: 'read' },
  'settlement.start': { levels: owner, scope: 'write' },
  'settlement.sign': { levels: owner, scope: 'approvals:write' },
  'simulations.run': { levels: everyone, scope: 'read' },
  'statements.read': { levels: everyone, scope: 'read' },
  'subscriptions.read': { levels: everyone, scope: 'read' },
  'subscriptions.write': { levels: sellers, scope: 'write', active: true },
  'tenants.read': { levels: everyone, scope: 'read' },
  'tenants.retry': { levels: owner, scope: 'write' },
  'tiers.read': { levels: everyone, scope: 'read' },
} as const satisfies Record<string, Policy>

export type Permission = keyof typeof policies

/** @throws DomainError `level_not_allowed`, `forbidden`, `partner_not_active` */
export function authorize(principal: Principal, permission: Permission): void {
  const policy: Policy = policies[permission]
  if (!policy.levels.includes(principal.level)) {
    throw new DomainError('level_not_allowed', 'your level may not do this')
  }
  if (!principal.scopes.includes(policy.scope)) {
    throw new DomainError('forbidden', `this key lacks the scope ${policy.scope}`)
  }
  if (policy.active && principal.partnerStatus !== 'active') {
    throw new DomainError('partner_not_active', 'only an active partner may do this')
  }
}
