/** API keys after they were made: what their organisation sees of them, and how they end. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { Principal } from './access.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { openedField } from './personal-fields.ts'

/** Whose keys: of a customer, of its partner, or of the platform. */
export type KeyOwner = Pick<Principal, 'partnerId' | 'customerId'>

const keyColumns = [
  'id',
  'memberId',
  'label',
  'prefix',
  'lastFour',
  'scopes',
  'allowedIps',
  'expiresAt',
  'revokedAt',
  'replacedBy',
  'leakedAt',
  'lastUsedAt',
  'lastUsedIp',
  'createdAt',
] as const

/** Of one organisation: the platform owner sees those of its own people here, not everybody's. */
function keysOf(db: Db, { partnerId, customerId }: KeyOwner) {
  return db
    .selectFrom('apiKeys')
    .select(keyColumns)
    .where(sql<boolean>`partner_id is not distinct from ${partnerId}
      and customer_id is not distinct from ${customerId}`)
}

export type ApiKeyRow = NonNullable<Awaited<ReturnType<typeof findApiKey>>>

/** A key of this organisation. */
export async function findApiKey(db: Db, owner: KeyOwner, id: string) {
  return keysOf(db, owner).where('id', '=', id).executeTakeFirst()
}

export async function listApiKeys(
  db: Db,
  owner: KeyOwner,
  page: PageRequest,
): Promise<Page<ApiKeyRow>> {
  let query = keysOf(db, owner)
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

export async function markKeyRevoked(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('apiKeys')
    .set({ revokedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('revokedAt', 'is', null)
    .execute()
}

/**
 * A key that is about to be replaced, for this transaction alone.
 * @throws DomainError `not_found`; `conflict` for one that works no more, or was rolled by another
 * request before.
 */
export async function lockKeyToRoll(
  trx: Trx,
  owner: KeyOwner,
  { id, operationId }: { id: string; operationId: string },
) {
  const row = await keysOf(trx, owner)
    .select([
      sql<boolean>`revoked_at is null and expires_at > clock_timestamp()`.as('works'),
      // As long as the old one was made for, from now on.
      sql<Date>`clock_timestamp() + (expires_at - created_at)`.as('nextEnd'),
    ])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such API key')
  if (row.replacedBy === operationId) return row
  if (row.replacedBy) throw new DomainError('conflict', 'another key took over from this one')
  if (!row.works) throw new DomainError('conflict', 'this key has ended: make a new one')
  return row
}

/** From now on another key takes over; the old one works for the rest of the grace. */
export async function markKeyReplaced(
  trx: Trx,
  id: string,
  { replacedBy, graceSeconds }: { replacedBy: string; graceSeconds: number },
): Promise<void> {
  await trx
    .updateTable('apiKeys')
    .set({
      replacedBy,
      expiresAt: sql<Date>`least(expires_at,
        clock_timestamp() + make_interval(secs => ${graceSeconds}))`,
    })
    .where('id', '=', id)
    .where('replacedBy', 'is', null)
    .execute()
}

/** Revokes the key with this hash, if there is one, because somebody else has it too. */
export async function markKeyLeaked(db: Db, secretHash: Buffer): Promise<void> {
  await db
    .updateTable('apiKeys')
    .set({
      leakedAt: sql<Date>`clock_timestamp()`,
      revokedAt: sql<Date>`coalesce(revoked_at, clock_timestamp())`,
    })
    .where('secretHash', '=', secretHash)
    .where('leakedAt', 'is', null)
    .execute()
}

/** Days before the end of a key at which its owners are told. */
const warnings = [30, 7, 1]

/**
 * Keys whose owners have to be told that they end, soonest first, with the days of the warning. A
 * key that was made for less than these days needs none.
 */
export async function listEndingKeys(db: Db, limit: number) {
  const { rows } = await sql<{
    id: string
    label: string
    prefix: string
    lastFour: string
    expiresAt: Date
    days: number
  }>`
    select id, label, prefix, last_four, expires_at, warning.days
    from api_keys
    cross join lateral (
      select min(days) as days from unnest(${warnings}::int[]) days
      where expires_at <= clock_timestamp() + make_interval(days => days)
        and expires_at > created_at + make_interval(days => days)) warning
    where revoked_at is null and replaced_by is null
      and expires_at > clock_timestamp()
      and expires_at <= clock_timestamp() + make_interval(days => ${Math.max(...warnings)})
      and warning.days is not null
      and (end_told_days is null or end_told_days > warning.days)
    order by expires_at, id
    limit ${limit}`.execute(db)
  return rows
}

/** Keys that were reported and whose owners do not know yet. */
export async function listLeakedKeys(db: Db, limit: number) {
  return db
    .selectFrom('apiKeys')
    .select(['id', 'label', 'prefix', 'lastFour'])
    .where('leakedAt', 'is not', null)
    .where('leakToldAt', 'is', null)
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** Who is told about a key: its member, and the owners of the organisation. */
export async function listKeyOwners(db: Db, id: string) {
  const { rows } = await sql<{ id: string; name: string; email: string }>`
    select member.id, ${openedField('members', 'name', 'member')} as name,
      ${openedField('members', 'email', 'member')} as email
    from members member
    join api_keys key on key.id = ${id}
      and key.partner_id is not distinct from member.partner_id
      and key.customer_id is not distinct from member.customer_id
    where member.status = 'active' and (member.role = 'owner' or member.id = key.member_id)
    order by member.id`.execute(db)
  return rows
}

export async function markKeyEndTold(db: Db, id: string, days: number): Promise<void> {
  await db.updateTable('apiKeys').set({ endToldDays: days }).where('id', '=', id).execute()
}

export async function markKeyLeakTold(db: Db, id: string): Promise<void> {
  await db
    .updateTable('apiKeys')
    .set({ leakToldAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .execute()
}
