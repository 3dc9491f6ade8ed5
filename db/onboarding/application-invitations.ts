/** Who was invited to apply: by whom, until when, and what came of it. */
import { type SqlBool, sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { PartnerLevel, PartnerType } from '../../domain/partners.ts'
import { type Db, lockName, type Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { mailboxIndex, openedFields, sealedFields } from '../personal-fields.ts'

/** How long a mail of an invitation works. */
const lifeDays = 30
/** The first mail and five more. */
export const mostMails = 6
export const secondsBetweenMails = 3_600

export interface NewApplicationInvitation {
  id: string
  /** Null where the platform invites. */
  partnerId: string | null
  invitedBy: string
  name: string
  email: string
  message: string
  level: PartnerLevel
  type: PartnerType | null
  tokenHash: Buffer
}

const isOpen = sql<SqlBool>`revoked_at is null and used_at is null
  and expires_at > clock_timestamp()`

const lifeEnd = sql<Date>`clock_timestamp() + make_interval(days => ${lifeDays})`

/**
 * Invites somebody; a repeated request finds its own row.
 * @throws DomainError `conflict` where the same organisation has invited this mailbox already.
 */
export async function recordApplicationInvitation(
  trx: Trx,
  invitation: NewApplicationInvitation,
): Promise<{ isNew: boolean }> {
  const { name, email, message, ...columns } = invitation
  const { id, partnerId } = columns
  await lockName(trx, `application invitations:${partnerId ?? 'platform'}`)
  const emailIndex = mailboxIndex(email)
  const earlier = await trx
    .selectFrom('applicationInvitations')
    .select('id')
    .where(sql<SqlBool>`partner_id is not distinct from ${partnerId}`)
    .where('emailIndex', '=', emailIndex)
    .where('id', '<>', id)
    .where(isOpen)
    .executeTakeFirst()
  if (earlier) {
    throw new DomainError('conflict', 'this address is invited already: send that one again')
  }
  const fields = { name, email, message }
  const inserted = await trx
    .insertInto('applicationInvitations')
    .values({
      ...columns,
      ...sealedFields('applicationInvitations', { id, organisation: partnerId }, fields),
      emailIndex,
      expiresAt: lifeEnd,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst()
  return { isNew: inserted !== undefined }
}

function invitationQuery(db: Db) {
  return db
    .selectFrom('applicationInvitations')
    .leftJoin('partners', 'partners.id', 'applicationInvitations.partnerId')
    .selectAll('applicationInvitations')
    .select('partners.name as inviter')
    .select(openedFields('applicationInvitations'))
}

export type ApplicationInvitationRow = NonNullable<
  Awaited<ReturnType<typeof findApplicationInvitation>>
>

export async function findApplicationInvitation(db: Db, id: string) {
  return invitationQuery(db).where('applicationInvitations.id', '=', id).executeTakeFirst()
}

/** By its secret, whatever has become of it. */
export async function findInvitationByToken(db: Db, tokenHash: Buffer) {
  return invitationQuery(db).where('tokenHash', '=', tokenHash).executeTakeFirst()
}

export async function listApplicationInvitations(
  db: Db,
  page: PageRequest,
): Promise<Page<ApplicationInvitationRow>> {
  let query = invitationQuery(db)
    .orderBy('applicationInvitations.id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('applicationInvitations.id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

/** The application that came of an invitation, for those who may see it. */
export async function findInvitedApplication(db: Db, invitationId: string) {
  return db
    .selectFrom('applications')
    .select('id')
    .where('invitationId', '=', invitationId)
    .executeTakeFirst()
}

/**
 * Holds an invitation while it is changed, and tells what stands against another mail of it.
 * Undefined where there is none of these.
 */
export async function lockApplicationInvitation(trx: Trx, id: string) {
  return trx
    .selectFrom('applicationInvitations')
    .select(['id', 'revokedAt', 'usedAt', 'timesSent'])
    .select(
      sql<number>`greatest(0, ceil(extract(epoch from last_sent_at
        + make_interval(secs => ${secondsBetweenMails}) - clock_timestamp())))::integer`.as(
        'waitSeconds',
      ),
    )
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
}

/** Another mail of it begins another time in which it works. */
export async function markInvitationSentAgain(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('applicationInvitations')
    .set({
      timesSent: sql<number>`times_sent + 1`,
      lastSentAt: sql<Date>`clock_timestamp()`,
      expiresAt: lifeEnd,
    })
    .where('id', '=', id)
    .execute()
}

export async function markInvitationRevoked(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('applicationInvitations')
    .set({ revokedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('revokedAt', 'is', null)
    .execute()
}

/** Uses an invitation up. @throws DomainError `gone` where that cannot be any more. */
export async function takeApplicationInvitation(trx: Trx, id: string): Promise<void> {
  const taken = await trx
    .updateTable('applicationInvitations')
    .set({ usedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where(isOpen)
    .returning('id')
    .executeTakeFirst()
  if (!taken) throw new DomainError('gone', 'this invitation was used, withdrawn or is too old')
}
