/** Persons and their passwords; a person is known by its address in small letters. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { MemberRole, MemberStatus } from '../../domain/members.ts'
import type { ActorLevel } from '../../domain/partners.ts'
import type { Db, Trx } from '../database.ts'
import {
  mailboxIndex,
  mailboxOf,
  openedField,
  openedFields,
  sealedFields,
} from '../personal-fields.ts'
import { endSessionsOf } from './sessions.ts'

export type PersonRow = NonNullable<Awaited<ReturnType<typeof findPerson>>>

export async function findPerson(db: Db, email: string) {
  return db
    .selectFrom('people')
    .selectAll()
    .select(openedFields('people'))
    .select((eb) => [
      eb
        .selectFrom('passkeys')
        .select(sql<number>`count(*)::int`.as('count'))
        .whereRef('passkeys.personId', '=', 'people.id')
        .as('passkeys'),
    ])
    .where('emailIndex', '=', mailboxIndex(email))
    .executeTakeFirst()
}

/** One of the organisations in which a person may sign in. */
export interface Membership {
  memberId: string
  partnerId: string | null
  customerId: string | null
  level: ActorLevel
  role: MemberRole
  name: string
}

/** Where this address is a member that is not disabled, oldest first; closed partners are none. */
export async function listMemberships(db: Db, email: string): Promise<Membership[]> {
  const rows = await db
    .selectFrom('members')
    .leftJoin('partners', 'partners.id', 'members.partnerId')
    .select([
      'members.id as memberId',
      'members.partnerId',
      'members.customerId',
      'members.role',
      openedField('members', 'name').as('name'),
      'partners.level as partnerLevel',
    ])
    .where('members.emailIndex', '=', mailboxIndex(email))
    .where('members.status', '=', 'active' satisfies MemberStatus)
    .where(sql<boolean>`partners.status is distinct from 'terminated'`)
    .orderBy('members.id')
    .execute()
  return rows.map(({ partnerLevel, ...row }) => ({
    ...row,
    level: row.customerId ? 'customer' : (partnerLevel ?? 'super_admin'),
  }))
}

/** Inserts a person at its first credential; the same address is the same person. */
export async function recordPerson(db: Db, email: string): Promise<string> {
  const proposedId = randomUUIDv7()
  const emailIndex = mailboxIndex(email)
  const sealed = sealedFields('people', { id: proposedId }, { email: mailboxOf(email) })
  await db
    .insertInto('people')
    .values({ id: proposedId, ...sealed, emailIndex })
    .onConflict((conflict) => conflict.column('emailIndex').doNothing())
    .execute()
  const { id } = await db
    .selectFrom('people')
    .select('id')
    .where('emailIndex', '=', emailIndex)
    .executeTakeFirstOrThrow()
  return id
}

/**
 * Sets the password of somebody who has none.
 * @throws DomainError `conflict` where there is one: only a reset or the old one changes it.
 */
export async function recordFirstPassword(
  trx: Trx,
  { email, passwordHash }: { email: string; passwordHash: string },
): Promise<void> {
  const id = await recordPerson(trx, email)
  const set = await trx
    .updateTable('people')
    .set({ passwordHash, passwordSetAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('passwordHash', 'is', null)
    .returning('id')
    .executeTakeFirst()
  if (!set) {
    throw new DomainError(
      'conflict',
      'you have a password already, from another organisation: leave it out',
    )
  }
}

/** A new password ends every session but the one that changed it. */
export async function markPassword(
  trx: Trx,
  change: { personId: string; passwordHash: string; keepSession: string | null },
): Promise<void> {
  await trx
    .updateTable('people')
    .set({ passwordHash: change.passwordHash, passwordSetAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', change.personId)
    .execute()
  await endSessionsOf(trx, {
    personId: change.personId,
    except: change.keepSession,
    because: 'password_changed',
  })
}

export interface NewReset {
  id: string
  email: string
  tokenHash: Buffer
  lifeSeconds: number
}

/**
 * Notes that somebody asks for a new password; the newest request is the one that holds.
 * @returns the person, or undefined where the address signs in nowhere.
 */
export async function recordReset(
  trx: Trx,
  reset: NewReset,
): Promise<{ name: string } | undefined> {
  const [membership] = await listMemberships(trx, reset.email)
  if (!membership) return undefined
  const personId = await recordPerson(trx, reset.email)
  await trx.deleteFrom('passwordResets').where('personId', '=', personId).execute()
  await trx
    .insertInto('passwordResets')
    .values({
      id: reset.id,
      personId,
      tokenHash: reset.tokenHash,
      expiresAt: sql<Date>`clock_timestamp() + make_interval(secs => ${reset.lifeSeconds})`,
    })
    .execute()
  return { name: membership.name }
}

/**
 * The person behind a reset that still holds.
 * @throws DomainError `gone`, the same for an unknown token as for one that was used or is old.
 */
export async function lockReset(trx: Trx, tokenHash: Buffer) {
  const row = await trx
    .selectFrom('passwordResets')
    .innerJoin('people', 'people.id', 'passwordResets.personId')
    .select(['passwordResets.id', 'people.id as personId'])
    .select(openedFields('people'))
    .where('tokenHash', '=', tokenHash)
    .where('usedAt', 'is', null)
    .where('expiresAt', '>', sql<Date>`clock_timestamp()`)
    .forUpdate('passwordResets')
    .executeTakeFirst()
  const [membership] = row ? await listMemberships(trx, row.email) : []
  if (row && membership) return { ...row, name: membership.name }
  throw new DomainError('gone', 'this link was used, is older than an hour, or was never given')
}

export async function markResetUsed(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('passwordResets')
    .set({ usedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .execute()
}
