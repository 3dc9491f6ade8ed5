/** Tenants: the branded environment of a partner. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import { subdomainFor } from '../domain/provisioning.ts'
import { type Db, lockName, type Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

/** The tenant of a partner; a repeated step finds its own. */
export async function recordTenant(
  trx: Trx,
  tenant: { partnerId: string; name: string },
): Promise<string> {
  await trx
    .insertInto('tenants')
    .values(tenant)
    .onConflict((conflict) => conflict.column('partnerId').doNothing())
    .execute()
  const { id } = await trx
    .selectFrom('tenants')
    .select('id')
    .where('partnerId', '=', tenant.partnerId)
    .executeTakeFirstOrThrow()
  return id
}

export type TenantRow = Awaited<ReturnType<typeof getTenant>>

/** @throws DomainError `not_found` */
export async function getTenant(db: Db, id: string) {
  const row = await db.selectFrom('tenants').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such tenant')
  return row
}

export async function findTenantOf(db: Db, partnerId: string) {
  return db.selectFrom('tenants').selectAll().where('partnerId', '=', partnerId).executeTakeFirst()
}

/** Those of these partners that have a tenant. */
export async function listTenantOwners(db: Db, partnerIds: string[]): Promise<Set<string>> {
  if (partnerIds.length === 0) return new Set()
  const rows = await db
    .selectFrom('tenants')
    .select('partnerId')
    .where('partnerId', 'in', partnerIds)
    .execute()
  return new Set(rows.map(({ partnerId }) => partnerId))
}

export async function findTenant(db: Db, id: string) {
  return db.selectFrom('tenants').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function listTenants(db: Db, page: PageRequest): Promise<Page<TenantRow>> {
  let query = db
    .selectFrom('tenants')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

/**
 * Gives the tenant the first free subdomain that its name suggests; one that it has stays.
 * @throws DomainError `subdomain_taken` after fifty attempts.
 */
export async function reserveSubdomain(trx: Trx, tenantId: string): Promise<string> {
  const tenant = await trx
    .selectFrom('tenants')
    .select(['name', 'subdomain'])
    .where('id', '=', tenantId)
    .forUpdate()
    .executeTakeFirstOrThrow()
  if (tenant.subdomain) return tenant.subdomain
  // One writer at a time looks for a free name, so that two never meet on the same one.
  await lockName(trx, 'tenants.subdomain')
  for (let attempt = 1; attempt <= 50; attempt++) {
    const subdomain = subdomainFor(tenant.name, attempt)
    const taken = await trx
      .selectFrom('tenants')
      .select('id')
      .where('subdomain', '=', subdomain)
      .executeTakeFirst()
    if (taken) continue
    await trx.updateTable('tenants').set({ subdomain }).where('id', '=', tenantId).execute()
    return subdomain
  }
  throw new DomainError('subdomain_taken', 'no subdomain could be found for this name')
}

export interface TenantChange {
  status?: TenantRow['status']
  subdomain?: null
  vendorCustomerId?: string
  vendorSubscriptionId?: string | null
  problem?: string | null
}

export async function markTenant(db: Db, id: string, change: TenantChange): Promise<void> {
  await db
    .updateTable('tenants')
    .set({
      ...change,
      ...(change.status === 'active' ? { activatedAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where('id', '=', id)
    .execute()
}
