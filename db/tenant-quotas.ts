/** How much a tenant may hold, and how much it holds. */
import { sql } from 'kysely'
import type { ImageKind } from '../domain/branding.ts'
import { DomainError } from '../domain/errors.ts'
import type { CountedQuota, TenantQuotas } from '../domain/provisioning.ts'
import { type Db, lockName, type Trx } from './database.ts'
import type { Programme } from './programmes.ts'

export type TenantQuotasRow = NonNullable<Awaited<ReturnType<typeof findQuotas>>>

export async function findQuotas(db: Db, tenantId: string) {
  return db
    .selectFrom('tenantQuotas')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .executeTakeFirst()
}

/** The row for this transaction alone. @throws DomainError `not_found` */
export async function lockQuotas(trx: Trx, tenantId: string) {
  const row = await trx
    .selectFrom('tenantQuotas')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .forUpdate()
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'this tenant has no quotas yet')
  return row
}

/** What the programme gives a new tenant; a repeated step leaves what is there. */
export async function recordQuotas(
  trx: Trx,
  tenant: { id: string; partnerId: string },
  { quotas }: Pick<Programme, 'quotas'>,
): Promise<void> {
  const { storageBytes, ...counted } = quotas
  await trx
    .insertInto('tenantQuotas')
    .values({
      tenantId: tenant.id,
      partnerId: tenant.partnerId,
      ...counted,
      storageBytes: storageBytes === null ? null : BigInt(storageBytes),
    })
    .onConflict((conflict) => conflict.column('tenantId').doNothing())
    .execute()
}

export async function markQuotas(
  trx: Trx,
  tenantId: string,
  change: Partial<TenantQuotas>,
): Promise<void> {
  const { storageBytes, ...counted } = change
  const storage =
    storageBytes === undefined
      ? {}
      : { storageBytes: storageBytes === null ? null : BigInt(storageBytes) }
  if (Object.keys(change).length === 0) return
  await trx
    .updateTable('tenantQuotas')
    .set({ ...counted, ...storage })
    .where('tenantId', '=', tenantId)
    .execute()
}

/** Invited people have their place already; keys that ended have none any more. */
const counts = {
  customers: (partnerId: string) =>
    sql<bigint>`(select count(*) from customers where partner_id = ${partnerId})`,
  members: (partnerId: string) =>
    sql<bigint>`((select count(*) from members
        where partner_id = ${partnerId} and customer_id is null and status = 'active')
      + (select count(*) from member_invitations
        where partner_id = ${partnerId} and customer_id is null and accepted_at is null
          and revoked_at is null and expires_at > clock_timestamp()))`,
  apiKeys: (partnerId: string) =>
    sql<bigint>`(select count(*) from api_keys
      where partner_id = ${partnerId} and customer_id is null and revoked_at is null
        and expires_at > clock_timestamp())`,
}

/** How much of what is counted the partner holds, and how many bytes its images take. */
export async function getUse(db: Db, partnerId: string) {
  const { rows } = await sql<Record<CountedQuota | 'storageBytes', bigint>>`
    select ${counts.customers(partnerId)} as "customers", ${counts.members(partnerId)} as "members",
      ${counts.apiKeys(partnerId)} as "apiKeys",
      (select coalesce(sum(octet_length(content)), 0)::bigint from tenant_images
        where partner_id = ${partnerId}) as "storageBytes"`.execute(db)
  const [use] = rows
  if (!use) throw new Error('the database did not count')
  return {
    customers: Number(use.customers),
    members: Number(use.members),
    apiKeys: Number(use.apiKeys),
    storageBytes: Number(use.storageBytes),
  }
}

const words: Record<CountedQuota, string> = {
  customers: 'customers',
  members: 'members and open invitations',
  apiKeys: 'API keys',
}

/**
 * Refuses what would be one too many, before it is made. Whoever makes another of the same kind
 * for the same partner waits for the end of this transaction, so that two never take the last
 * place.
 * @throws DomainError `quota_exceeded`
 */
export async function requireRoom(
  trx: Trx,
  partnerId: string | null,
  kind: CountedQuota,
): Promise<void> {
  if (partnerId === null) return
  const quotas = await trx
    .selectFrom('tenantQuotas')
    .select(['customers', 'members', 'apiKeys'])
    .where('partnerId', '=', partnerId)
    .executeTakeFirst()
  const most = quotas?.[kind] ?? null
  if (most === null) return
  await lockName(trx, `quota:${kind}:${partnerId}`)
  const { rows } = await sql<{ held: bigint }>`
    select ${counts[kind](partnerId)} as held`.execute(trx)
  if (Number(rows[0]?.held ?? 0n) < most) return
  throw new DomainError(
    'quota_exceeded',
    `your tenant may have ${most} ${words[kind]}, and has them: ask the platform for more`,
  )
}

/**
 * Refuses an image that would take the tenant beyond its bytes; the one that it replaces makes
 * room. Two at once wait for each other.
 * @throws DomainError `quota_exceeded`
 */
export async function requireStorage(
  trx: Trx,
  tenant: { id: string; partnerId: string },
  image: { kind: ImageKind; bytes: number },
): Promise<void> {
  const quotas = await findQuotas(trx, tenant.id)
  const most = quotas?.storageBytes ?? null
  if (most === null) return
  await lockName(trx, `quota:storageBytes:${tenant.partnerId}`)
  const { rows } = await sql<{ held: bigint }>`
    select coalesce(sum(octet_length(content)), 0)::bigint as held from tenant_images
    where tenant_id = ${tenant.id} and kind <> ${image.kind}`.execute(trx)
  const held = rows[0]?.held ?? 0n
  if (held + BigInt(image.bytes) <= most) return
  throw new DomainError(
    'quota_exceeded',
    `your tenant may store ${most} bytes and would have ${held + BigInt(image.bytes)}: ` +
      'send a smaller image, or ask the platform for more',
  )
}
