/** Whose tenants these are: what is inside of one is its own partner's and the platform's alone. */
import { findTenant, type TenantRow } from '../../db/provisioning.ts'
import { DomainError } from '../../domain/errors.ts'
import type { Call } from '../route.ts'
import { found, pathId } from '../validate.ts'

export const noTenant = 'there is no such tenant'

/**
 * The tenant that the path names.
 * @throws DomainError `not_found`, and `forbidden` for a tenant of somebody below.
 */
export async function ownTenant({
  db,
  params,
  principal,
}: Pick<Call, 'db' | 'params' | 'principal'>): Promise<TenantRow> {
  const tenant = found(await findTenant(db, pathId('tenant', params.id, noTenant)), noTenant)
  const { partnerId } = principal
  if (partnerId === null || partnerId === tenant.partnerId) return tenant
  throw new DomainError('forbidden', 'what is inside of a tenant is its own partner’s')
}
