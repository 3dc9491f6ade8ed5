/** People, their invitations and their API keys. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { ActorLevel } from '../domain/partners.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import type { Viewer } from './partners.ts'

/** Who makes a request: a member, through one of its keys. */
export interface Principal extends Viewer {
  keyId: string
  memberId: string
  memberName: string
  partnerName: string | null
  partnerStatus: string | null
  scopes: string[]
}

/** The live key with this hash, and the member behind it; expired and revoked keys are none. */
export async function findPrincipal(db: Db, secretHash: Buffer): Promise<Principal | undefined> {
  const row = await db
    .selectFrom('apiKeys')
    .innerJoin('members', 'members.id', 'apiKeys.memberId')
    .leftJoin('partners', 'partners.id', 'members.partnerId')
    .select([
      'apiKeys.id as keyId',
      'apiKeys.scopes',
      'members.id as memberId',
      'members.name as memberName',
      'members.partnerId',
      'partners.name as partnerName',
      'partners.level as partnerLevel',
      'partners.status as partnerStatus',
    ])
    .where('apiKeys.secretHash', '=', secretHash)
    .where('apiKeys.revokedAt', 'is', null)
    .where('apiKeys.expiresAt', '>', sql<Date>`clock_timestamp()`)
    .executeTakeFirst()
  if (!row) return undefined
  const { partnerLevel, ...rest } = row
  const level: ActorLevel = partnerLevel ?? 'super_admin'
  return { ...rest, level }
}

/** Notes the use of a key, at most once a minute. */
export async function markKeyUsed(db: Db, keyId: string): Promise<void> {
  await db
    .updateTable('apiKeys')
    .set({ lastUsedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', keyId)
    .where((eb) =>
      eb.or([
        eb('lastUsedAt', 'is', null),
        eb('lastUsedAt', '<', sql<Date>`clock_timestamp() - interval '1 minute'`),
      ]),
    )
    .execute()
}

export interface NewMember {
  id: string
  partnerId: string | null
  name: string
  email: string
}

/** Inserts a person; the same e-mail address at the same partner is the same person. */
export async function recordMember(trx: Trx, member: NewMember): Promise<string> {
  await trx
    .insertInto('members')
    .values(member)
    .onConflict((conflict) => conflict.columns(['partnerId', 'email']).doNothing())
    .execute()
  const { id } = await trx
    .selectFrom('members')
    .select('id')
    .where('email', '=', member.email)
    .where(sql<boolean>`partner_id is not distinct from ${member.partnerId}`)
    .executeTakeFirstOrThrow()
  return id
}

/** The people of the platform owner. */
export async function listPlatformMembers(db: Db) {
  return db
    .selectFrom('members')
    .select(['id', 'name', 'email'])
    .where('partnerId', 'is', null)
    .orderBy('id')
    .execute()
}

export interface NewApiKey {
  id: string
  memberId: string
  label: string
  prefix: string
  lastFour: string
  secretHash: Buffer
  scopes: string[]
  expiresAt: Date
}

/** Inserts a key. A repeated request gets a new secret, because its first one was never seen. */
export async function recordApiKey(trx: Trx, key: NewApiKey): Promise<void> {
  const { prefix, lastFour, secretHash } = key
  await trx
    .insertInto('apiKeys')
    .values(key)
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ prefix, lastFour, secretHash }))
    .execute()
}

const keyColumns = [
  'apiKeys.id',
  'apiKeys.label',
  'apiKeys.prefix',
  'apiKeys.lastFour',
  'apiKeys.scopes',
  'apiKeys.expiresAt',
  'apiKeys.revokedAt',
  'apiKeys.lastUsedAt',
  'apiKeys.createdAt',
] as const

function keysOf(db: Db, viewer: Viewer) {
  return db
    .selectFrom('apiKeys')
    .innerJoin('members', 'members.id', 'apiKeys.memberId')
    .select([...keyColumns, 'members.id as memberId'])
    .where(sql<boolean>`members.partner_id is not distinct from ${viewer.partnerId}`)
}

export type ApiKeyRow = Awaited<ReturnType<typeof getApiKey>>

/** @throws DomainError `not_found` also for keys of another organisation. */
export async function getApiKey(db: Db, viewer: Viewer, id: string) {
  const row = await keysOf(db, viewer).where('apiKeys.id', '=', id).executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such API key')
  return row
}

export async function listApiKeys(
  db: Db,
  viewer: Viewer,
  page: PageRequest,
): Promise<Page<ApiKeyRow>> {
  let query = keysOf(db, viewer)
    .orderBy('apiKeys.id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('apiKeys.id', '<', page.after)
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

export interface NewInvitation {
  id: string
  partnerId: string
  name: string
  email: string
  tokenHash: Buffer
  expiresAt: Date
}

/**
 * One invitation for the first administrator of a partner; a repeated step finds its own, and one
 * that was withdrawn holds again. What was taken up stays as it is.
 */
export async function recordInvitation(trx: Trx, invitation: NewInvitation): Promise<void> {
  const { expiresAt } = invitation
  await trx
    .insertInto('invitations')
    .values(invitation)
    .onConflict((conflict) =>
      conflict
        .column('partnerId')
        .doUpdateSet({ revokedAt: null, expiresAt })
        .where('invitations.acceptedAt', 'is', null),
    )
    .execute()
}

export async function findInvitationOf(db: Db, partnerId: string) {
  return db
    .selectFrom('invitations')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .executeTakeFirst()
}

/**
 * Uses up an invitation.
 * @throws DomainError `not_found` for an unknown token, `gone` for a used, revoked or old one.
 */
export async function takeInvitation(
  trx: Trx,
  { tokenHash, operationId }: { tokenHash: Buffer; operationId: string },
) {
  const invitation = await trx
    .selectFrom('invitations')
    .selectAll()
    .where('tokenHash', '=', tokenHash)
    .forUpdate()
    .executeTakeFirst()
  if (!invitation) throw new DomainError('not_found', 'this invitation does not exist')
  const taken = await trx
    .updateTable('invitations')
    .set({ acceptedAt: sql<Date>`clock_timestamp()`, acceptedOperationId: operationId })
    .where('id', '=', invitation.id)
    .where((eb) =>
      eb.or([eb('acceptedAt', 'is', null), eb('acceptedOperationId', '=', operationId)]),
    )
    .where('revokedAt', 'is', null)
    .where('expiresAt', '>', sql<Date>`clock_timestamp()`)
    .returning('id')
    .executeTakeFirst()
  if (!taken) {
    throw new DomainError('gone', 'this invitation was used, withdrawn or is older than 7 days')
  }
  return invitation
}

export async function markInvitationRevoked(trx: Trx, partnerId: string): Promise<void> {
  await trx
    .updateTable('invitations')
    .set({ revokedAt: sql<Date>`clock_timestamp()` })
    .where('partnerId', '=', partnerId)
    .where('acceptedAt', 'is', null)
    .where('revokedAt', 'is', null)
    .execute()
}
