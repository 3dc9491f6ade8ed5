/** Tenants: the branded environment of a partner. */
import { sql } from 'kysely'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import {
  type ProvisioningStep,
  provisioningSteps,
  type StepState,
  stepStates,
  subdomainFor,
} from '../domain/provisioning.ts'
import { type Db, lockName, type Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

/** The tenant of a partner; a repeated step finds its own. */
export async function recordTenant(
  trx: Trx,
  tenant: { partnerId: string; name: string },
): Promise<string> {
  const inserted = await trx
    .insertInto('tenants')
    .values(tenant)
    .onConflict((conflict) => conflict.column('partnerId').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (inserted) return inserted.id
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

/** States of steps as they are kept: those that came to something. */
const stepsSchema = z.partialRecord(
  z.enum(provisioningSteps),
  z.object({ state: z.enum(stepStates), at: z.string() }),
)

/** Every step of provisioning in its order, with what it came to last. */
export function stepsOf({ steps }: Pick<TenantRow, 'steps'>) {
  const kept = stepsSchema.parse(steps)
  return provisioningSteps.map((step) => ({
    step,
    state: kept[step]?.state ?? ('pending' as const),
    at: kept[step] ? new Date(kept[step].at) : null,
  }))
}

export interface TenantChange {
  status?: TenantRow['status']
  subdomain?: null
  vendorCustomerId?: string | null
  vendorSubscriptionId?: string | null
  problem?: string | null
  waitsUntil?: Date | null
  /** What steps came to, by their names. */
  steps?: Partial<Record<ProvisioningStep, StepState>>
}

/** The entries to lay over those that are kept, with the time of the database. */
function stepEntries(steps: NonNullable<TenantChange['steps']>) {
  const entries = Object.entries(steps).map(
    ([step, state]) => sql`${step}::text, jsonb_build_object('state', ${state}::text,
      'at', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`,
  )
  return sql<string>`steps || jsonb_build_object(${sql.join(entries)})`
}

export async function markTenant(
  db: Db,
  id: string,
  { steps, ...change }: TenantChange,
): Promise<void> {
  await db
    .updateTable('tenants')
    .set({
      ...change,
      ...(steps ? { steps: stepEntries(steps) } : {}),
      ...(change.status === 'active' ? { activatedAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where('id', '=', id)
    .execute()
}
