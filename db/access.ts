/** Who somebody is: people, the keys that they act through, and how the first one comes in. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import { type MemberRole, scopesOfRole } from '../domain/members.ts'
import type { ActorLevel, PartnerStatus } from '../domain/partners.ts'
import { covers } from '../domain/scopes.ts'
import type { Db, Trx } from './database.ts'
import type { Quota } from './limits.ts'
import { secondsBetweenMails } from './onboarding/application-invitations.ts'
import { mailboxIndex, openedField, openedFields, sealedFields } from './personal-fields.ts'

/** Who makes a request: a member, through one of its keys or a session. */
export interface Principal {
  level: ActorLevel
  /** The organisation; null for the platform owner. */
  partnerId: string | null
  /** For people of a customer, which one. */
  customerId: string | null
  /** `key:…` or `session:…`: through what the member acts. */
  through: string
  memberId: string
  memberName: string
  role: MemberRole
  partnerName: string | null
  partnerStatus: PartnerStatus | null
  /** The organisation or one above it is suspended. */
  suspended: boolean
  /** Stands, or stood, below another reseller. */
  chained: boolean
  scopes: string[]
  /** What the packages of a customer allow, where they say something. */
  packageLimit: Quota | null
  /** What the tenant of a partner may ask, where it has a quota. */
  tenantLimit: Quota | null
  /** Null for a key: only people prove themselves again. */
  stepUp: { fresh: boolean } | null
}

export const limitOf = (perMinute: number | null): Quota | null =>
  perMinute === null ? null : { quota: perMinute, windowSeconds: 60 }

/** What stands above an organisation as far as it matters for its people. */
export const standing = {
  suspended: sql<boolean>`exists (select from partner_ancestry above
    join partners upper on upper.id = above.ancestor_id
    where above.partner_id = members.partner_id and upper_inf(above.valid)
      and upper.status = 'suspended')`,
  /** The most that an active package of the customer allows. */
  perMinute: sql<number | null>`(select max(api_per_minute) from subscriptions
    join feature_packages on feature_packages.id = subscriptions.feature_package_id
    where subscriptions.customer_id = members.customer_id and subscriptions.status = 'active')`,
  /** The quota of the partner itself; what its customers may ask, their packages say. */
  tenantPerMinute: sql<number | null>`(select api_per_minute from tenant_quotas
    where tenant_quotas.partner_id = members.partner_id and members.customer_id is null)`,
  chained: sql<boolean>`exists (select from partner_places place
    where place.partner_id = members.partner_id and place.reseller_id <> place.partner_id)`,
}

/** A member that acts through a key. */
export interface KeyHolder extends Principal {
  keyId: string
  /** Whether this use is to be noted: the one before is older than a minute. */
  isUseDue: boolean
}

const isUseDue = sql<boolean>`(api_keys.last_used_at is null
  or api_keys.last_used_at < clock_timestamp() - interval '1 minute')`

/** Whether the request comes from where the key may be used, as the context of `db` has it. */
const comesFromAllowed = sql<boolean>`(api_keys.allowed_ips is null
  or context_address() <<= any(api_keys.allowed_ips::inet[]))`

/**
 * The live key with this hash, and the member behind it; expired and revoked keys are none, and a
 * key is none where it may not be used. Its scopes are those that its member's role still has.
 */
export async function findPrincipal(db: Db, secretHash: Buffer): Promise<KeyHolder | undefined> {
  const row = await db
    .selectFrom('apiKeys')
    .innerJoin('members', 'members.id', 'apiKeys.memberId')
    .leftJoin('partners', 'partners.id', 'members.partnerId')
    .select([
      'apiKeys.id as keyId',
      'apiKeys.scopes',
      isUseDue.as('isUseDue'),
      'members.id as memberId',
      openedField('members', 'name').as('memberName'),
      'members.role',
      'members.partnerId',
      'members.customerId',
      standing.suspended.as('suspended'),
      standing.chained.as('chained'),
      standing.perMinute.as('perMinute'),
      standing.tenantPerMinute.as('tenantPerMinute'),
      'partners.name as partnerName',
      'partners.level as partnerLevel',
      'partners.status as partnerStatus',
    ])
    .where('apiKeys.secretHash', '=', secretHash)
    .where('apiKeys.revokedAt', 'is', null)
    .where('apiKeys.expiresAt', '>', sql<Date>`clock_timestamp()`)
    .where(comesFromAllowed)
    .where('members.status', '=', 'active')
    .where(sql<boolean>`partners.status is distinct from 'terminated'`)
    .executeTakeFirst()
  if (!row) return undefined
  const { partnerLevel, perMinute, tenantPerMinute, ...rest } = row
  const level = rest.customerId ? 'customer' : (partnerLevel ?? 'super_admin')
  const ofRole = scopesOfRole[rest.role]
  const scopes = rest.scopes.filter((scope) => covers(ofRole, scope))
  return {
    ...rest,
    scopes,
    level,
    through: `key:${rest.keyId}`,
    packageLimit: limitOf(perMinute),
    tenantLimit: limitOf(tenantPerMinute),
    stepUp: null,
  }
}

/** Notes the use of a key and from where, at most once a minute. */
export async function markKeyUsed(db: Db, keyId: string): Promise<void> {
  await db
    .updateTable('apiKeys')
    .set({
      lastUsedAt: sql<Date>`clock_timestamp()`,
      lastUsedIp: sql<string | null>`host(context_address())`,
    })
    .where('id', '=', keyId)
    .where(isUseDue)
    .execute()
}

export interface NewMember {
  id: string
  partnerId: string | null
  /** For people of a customer, which one. */
  customerId?: string | null
  /** An owner, unless it says otherwise. */
  role?: MemberRole
  name: string
  email: string
}

/** Inserts a person; the same e-mail address at the same organisation is the same person. */
export async function recordMember(trx: Trx, member: NewMember): Promise<string> {
  const { name, email, ...kept } = member
  const { id: proposedId, partnerId } = kept
  await trx
    .insertInto('members')
    .values({
      role: 'owner',
      ...kept,
      ...sealedFields('members', { id: proposedId, organisation: partnerId }, { name, email }),
      emailIndex: mailboxIndex(email),
    })
    .onConflict((conflict) => conflict.constraint('members_once').doNothing())
    .execute()
  const { id } = await trx
    .selectFrom('members')
    .select('id')
    .where('emailIndex', '=', mailboxIndex(email))
    .where(sql<boolean>`partner_id is not distinct from ${partnerId}`)
    .where(sql<boolean>`customer_id is not distinct from ${member.customerId ?? null}`)
    .executeTakeFirstOrThrow()
  return id
}

/** The people of the platform owner, without those who have left. */
export async function listPlatformMembers(db: Db) {
  return db
    .selectFrom('members')
    .select('id')
    .select(openedFields('members'))
    .where('partnerId', 'is', null)
    .where('status', '=', 'active')
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
  /** Addresses and networks from which it works; from anywhere when left out. */
  allowedIps?: string[] | null
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

export interface NewInvitation {
  id: string
  partnerId: string
  name: string
  email: string
  tokenHash: Buffer
  expiresAt: Date
}

/** How long the invitation of a first administrator works. */
export const invitationDays = 7

/**
 * One invitation for the first administrator of a partner; a repeated step finds its own, and one
 * that was withdrawn holds again. What was taken up stays as it is.
 */
export async function recordInvitation(trx: Trx, invitation: NewInvitation): Promise<void> {
  const { name, email, ...kept } = invitation
  const { id, partnerId, expiresAt } = kept
  await trx
    .insertInto('invitations')
    .values({
      ...kept,
      ...sealedFields('invitations', { id, organisation: partnerId }, { name, email }),
    })
    .onConflict((conflict) =>
      conflict
        .column('partnerId')
        .doUpdateSet({ revokedAt: null, expiresAt })
        .where('invitations.acceptedAt', 'is', null),
    )
    .execute()
}

/**
 * Lets an invitation that nobody took up work for another seven days.
 * @throws DomainError `not_ready` where none holds, `conflict` once it was taken up,
 *   `too_many_requests` within an hour of its last mail.
 */
export async function renewInvitation(trx: Trx, partnerId: string) {
  const life = sql`make_interval(days => ${invitationDays})`
  const row = await trx
    .selectFrom('invitations')
    .select(['id', 'acceptedAt', 'revokedAt'])
    .select(openedFields('invitations'))
    .select(
      sql<number>`ceil(extract(epoch from expires_at - ${life} - clock_timestamp())
        + ${secondsBetweenMails})::integer`.as('waitSeconds'),
    )
    .where('partnerId', '=', partnerId)
    .forUpdate()
    .executeTakeFirst()
  if (row?.acceptedAt) throw new DomainError('conflict', 'the invitation was taken up already')
  if (!row || row.revokedAt) throw new DomainError('not_ready', 'nobody is invited to this tenant')
  if (row.waitSeconds > 0) {
    throw new DomainError('too_many_requests', 'an invitation is sent at most once an hour', {
      retryAfterSeconds: row.waitSeconds,
    })
  }
  const { expiresAt } = await trx
    .updateTable('invitations')
    .set({ expiresAt: sql<Date>`clock_timestamp() + ${life}` })
    .where('id', '=', row.id)
    .returning('expiresAt')
    .executeTakeFirstOrThrow()
  return { name: row.name, email: row.email, expiresAt }
}

export async function findInvitationOf(db: Db, partnerId: string) {
  return db
    .selectFrom('invitations')
    .selectAll()
    .select(openedFields('invitations'))
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
    .select(openedFields('invitations'))
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
