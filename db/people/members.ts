/** The members of an organisation, and who is invited to be one. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { MemberRole, MemberStatus } from '../../domain/members.ts'
import { type Db, lockName, type Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { mailboxIndex, openedFields, sealedFields } from '../personal-fields.ts'

/** An organisation whose people they are: a customer, its partner, or the platform. */
export interface Organisation {
  partnerId: string | null
  customerId: string | null
}

const memberColumns = ['id', 'role', 'status', 'createdAt', 'disabledAt', 'version'] as const

/** The platform sees everybody's members, and keeps its own. */
const isOf = ({ partnerId, customerId }: Organisation) =>
  sql<boolean>`partner_id is not distinct from ${partnerId}
    and customer_id is not distinct from ${customerId}`

export type MemberRow = NonNullable<Awaited<ReturnType<typeof findMember>>>

/** A member of this organisation. */
export async function findMember(db: Db, organisation: Organisation, id: string) {
  return db
    .selectFrom('members')
    .select(memberColumns)
    .select(openedFields('members'))
    .where('id', '=', id)
    .where(isOf(organisation))
    .executeTakeFirst()
}

export async function listMembers(
  db: Db,
  organisation: Organisation,
  page: PageRequest,
): Promise<Page<MemberRow>> {
  let query = db
    .selectFrom('members')
    .select(memberColumns)
    .select(openedFields('members'))
    .where(isOf(organisation))
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

/** One change at a time of who is what in an organisation: the last owner is counted under it. */
export async function lockMembers(trx: Trx, { partnerId, customerId }: Organisation) {
  await lockName(trx, `members:${customerId ?? partnerId ?? 'platform'}`)
}

export async function hasOtherOwner(
  trx: Trx,
  organisation: Organisation,
  id: string,
): Promise<boolean> {
  const other = await trx
    .selectFrom('members')
    .select('id')
    .where(isOf(organisation))
    .where('id', '<>', id)
    .where('role', '=', 'owner')
    .where('status', '=', 'active')
    .executeTakeFirst()
  return other !== undefined
}

export async function markMemberRole(trx: Trx, id: string, role: MemberRole): Promise<void> {
  await trx.updateTable('members').set({ role }).where('id', '=', id).execute()
}

/** Disabling revokes the member's keys, and the database ends its sessions; none comes back. */
export async function markMemberStatus(trx: Trx, id: string, status: MemberStatus): Promise<void> {
  const changed = await trx
    .updateTable('members')
    .set({ status, disabledAt: status === 'disabled' ? sql<Date>`clock_timestamp()` : null })
    .where('id', '=', id)
    .where('status', '<>', status)
    .returning('id')
    .executeTakeFirst()
  if (!changed || status === 'active') return
  await trx
    .updateTable('apiKeys')
    .set({ revokedAt: sql<Date>`clock_timestamp()` })
    .where('memberId', '=', id)
    .where('revokedAt', 'is', null)
    .execute()
}

const invitationColumns = [
  'id',
  'partnerId',
  'customerId',
  'role',
  'invitedBy',
  'expiresAt',
  'acceptedAt',
  'revokedAt',
  'createdAt',
] as const

export type MemberInvitationRow = NonNullable<Awaited<ReturnType<typeof findMemberInvitation>>>

export async function findMemberInvitation(db: Db, organisation: Organisation, id: string) {
  return db
    .selectFrom('memberInvitations')
    .select(invitationColumns)
    .select(openedFields('memberInvitations'))
    .where('id', '=', id)
    .where(isOf(organisation))
    .executeTakeFirst()
}

export async function listMemberInvitations(
  db: Db,
  organisation: Organisation,
  page: PageRequest,
): Promise<Page<MemberInvitationRow>> {
  let query = db
    .selectFrom('memberInvitations')
    .select(invitationColumns)
    .select(openedFields('memberInvitations'))
    .where(isOf(organisation))
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

export interface NewMemberInvitation extends Organisation {
  id: string
  name: string
  email: string
  role: MemberRole
  tokenHash: Buffer
  invitedBy: string
  lifeSeconds: number
}

/**
 * Invites somebody, in place of an earlier open invitation; a repeated request finds its own.
 * @throws DomainError `conflict` for who is a member already.
 */
export async function recordMemberInvitation(
  trx: Trx,
  { lifeSeconds, name, email, ...invitation }: NewMemberInvitation,
): Promise<{ isNew: boolean }> {
  const { id, partnerId } = invitation
  const emailIndex = mailboxIndex(email)
  const member = await trx
    .selectFrom('members')
    .select('id')
    .where(isOf(invitation))
    .where('emailIndex', '=', emailIndex)
    .executeTakeFirst()
  if (member) throw new DomainError('conflict', 'this address is a member already')
  await trx
    .updateTable('memberInvitations')
    .set({ revokedAt: sql<Date>`clock_timestamp()` })
    .where(isOf(invitation))
    .where('emailIndex', '=', emailIndex)
    .where('id', '<>', id)
    .where('acceptedAt', 'is', null)
    .where('revokedAt', 'is', null)
    .execute()
  const inserted = await trx
    .insertInto('memberInvitations')
    .values({
      ...invitation,
      ...sealedFields('memberInvitations', { id, organisation: partnerId }, { name, email }),
      emailIndex,
      expiresAt: sql<Date>`clock_timestamp() + make_interval(secs => ${lifeSeconds})`,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst()
  return { isNew: inserted !== undefined }
}

export async function markMemberInvitationRevoked(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('memberInvitations')
    .set({ revokedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('acceptedAt', 'is', null)
    .where('revokedAt', 'is', null)
    .execute()
}

/** An invitation that holds only as long as who gave it is there and may give it. */
const holds = sql<boolean>`accepted_at is null and revoked_at is null
  and expires_at > clock_timestamp()
  and exists (select from members giver where giver.id = invited_by and giver.status = 'active')`

/**
 * Uses up an invitation and makes the member.
 * @throws DomainError `not_found` for an unknown token, `gone` for one that does not hold any more.
 */
export async function takeMemberInvitation(
  trx: Trx,
  { tokenHash, memberId }: { tokenHash: Buffer; memberId: string },
) {
  const found = await trx
    .selectFrom('memberInvitations')
    .select([...invitationColumns, holds.as('holds')])
    .select(openedFields('memberInvitations'))
    .where('tokenHash', '=', tokenHash)
    .forUpdate()
    .executeTakeFirst()
  if (!found) throw new DomainError('not_found', 'this invitation does not exist')
  if (!found.holds) {
    throw new DomainError('gone', 'this invitation was used, withdrawn or is older than 7 days')
  }
  await trx
    .updateTable('memberInvitations')
    .set({ acceptedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', found.id)
    .execute()
  const { partnerId, customerId, name, email, role } = found
  const kept = { id: memberId, partnerId, customerId, role }
  const inserted = await trx
    .insertInto('members')
    .values({
      ...kept,
      ...sealedFields('members', { id: memberId, organisation: partnerId }, { name, email }),
      emailIndex: mailboxIndex(email),
    })
    .onConflict((conflict) => conflict.constraint('members_once').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) throw new DomainError('gone', 'you are a member already')
  return { ...kept, name, email }
}
