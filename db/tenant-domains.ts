/** Domains of tenants' own, from the claim to the end. */
import { sql } from 'kysely'
import { type DomainState, heldStates } from '../domain/domains.ts'
import { DomainError } from '../domain/errors.ts'
import { type Db, lockName, type Trx } from './database.ts'

export type TenantDomainRow = Awaited<ReturnType<typeof getDomain>>

/** @throws DomainError `not_found` */
export async function getDomain(db: Db, id: string) {
  const row = await db
    .selectFrom('tenantDomains')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such domain')
  return row
}

/** The newest domain of a tenant, also one that has ended. */
export async function findDomainOf(db: Db, tenantId: string) {
  return db
    .selectFrom('tenantDomains')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

async function isHeldByOther(db: Db, domain: string, id: string | null): Promise<boolean> {
  let query = db
    .selectFrom('tenantDomains')
    .select('id')
    .where('domain', '=', domain)
    .where('state', 'in', [...heldStates])
  if (id) query = query.where('id', '<>', id)
  return (await query.executeTakeFirst()) !== undefined
}

export interface NewDomain {
  id: string
  tenantId: string
  partnerId: string
  domain: string
  token: string
  expirySeconds: number
}

/**
 * Claims a domain for a tenant; the same claim again finds its own.
 * @throws DomainError `conflict` where the tenant has another one.
 */
export async function recordDomain(trx: Trx, claim: NewDomain): Promise<TenantDomainRow> {
  const { expirySeconds, ...row } = claim
  await lockName(trx, `domain-of:${claim.tenantId}`)
  const current = await findDomainOf(trx, claim.tenantId)
  if (current && current.endedAt === null) {
    if (current.domain === claim.domain) return current
    throw new DomainError('conflict', 'the tenant has another domain: remove that one first')
  }
  await trx
    .insertInto('tenantDomains')
    .values({
      ...row,
      expiresAt: sql<Date>`clock_timestamp() + make_interval(secs => ${expirySeconds})`,
    })
    .execute()
  return getDomain(trx, claim.id)
}

/** The proof is there. @returns what it came to; `taken` where another tenant proved it before. */
export async function markDomainProven(
  trx: Trx,
  id: string,
): Promise<'proven' | 'taken' | 'ended'> {
  const { domain } = await getDomain(trx, id)
  await lockName(trx, `domain:${domain}`)
  const row = await getDomain(trx, id)
  if (row.endedAt) return 'ended'
  if (row.provenAt) return 'proven'
  if (await isHeldByOther(trx, domain, id)) {
    await markDomain(trx, id, { state: 'expired', problem: 'taken' })
    return 'taken'
  }
  const provenAt = sql<Date>`clock_timestamp()`
  await trx
    .updateTable('tenantDomains')
    .set({ state: 'proven', provenAt, problem: null })
    .where('id', '=', id)
    .execute()
  return 'proven'
}

export interface DomainChange {
  state?: DomainState
  problem?: string | null
  certificateEndsAt?: Date | null
  toldEnd?: Date
  isMissing?: boolean
  looked?: true
}

/** What has ended stays as it is. */
export async function markDomain(
  db: Db,
  id: string,
  { isMissing, looked, ...change }: DomainChange,
): Promise<void> {
  const ends = change.state === 'expired' || change.state === 'removed'
  const now = sql<Date>`clock_timestamp()`
  await db
    .updateTable('tenantDomains')
    .set({
      ...change,
      ...(ends ? { endedAt: now } : {}),
      ...(looked ? { lookedAt: now } : {}),
      ...(isMissing === undefined
        ? {}
        : {
            missingSince: isMissing ? sql<Date>`coalesce(missing_since, clock_timestamp())` : null,
          }),
    })
    .where('id', '=', id)
    .where('endedAt', 'is', null)
    .execute()
}

/** Held domains at which nobody has looked for a day, the longest ago first. */
export async function listDueDomains(db: Db, limit: number) {
  return db
    .selectFrom('tenantDomains')
    .selectAll()
    .select(sql<boolean>`missing_since < clock_timestamp() - interval '7 days'`.as('isLost'))
    .select(
      sql<boolean>`certificate_ends_at < clock_timestamp() + interval '14 days'
        and told_end is distinct from certificate_ends_at`.as('isEndToTell'),
    )
    .where('state', 'in', [...heldStates])
    .where(sql<boolean>`looked_at is null or looked_at < clock_timestamp() - interval '1 day'`)
    .orderBy(sql`looked_at nulls first`)
    .limit(limit)
    .execute()
}

/** Claims that wait for their proof and are old enough to have been started. */
export async function listOpenClaims(db: Db, graceSeconds: number) {
  return db
    .selectFrom('tenantDomains')
    .select('id')
    .where('state', 'in', ['pending', 'proven', 'certificate_pending'])
    .where(sql<boolean>`created_at < clock_timestamp() - make_interval(secs => ${graceSeconds})`)
    .where(sql<boolean>`expires_at > clock_timestamp() - interval '1 day'`)
    .limit(500)
    .execute()
}

/** The active tenant that holds a proven domain. */
export async function findTenantByDomain(db: Db, domain: string) {
  return db
    .selectFrom('tenantDomains')
    .innerJoin('tenants', 'tenants.id', 'tenantDomains.tenantId')
    .select(['tenants.id', 'tenants.partnerId', 'tenants.name'])
    .where('tenantDomains.domain', '=', domain)
    .where('tenantDomains.state', 'in', [...heldStates])
    .where('tenants.status', '=', 'active')
    .executeTakeFirst()
}
