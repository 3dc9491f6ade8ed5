/** Codes of authenticator apps, and the codes on paper for the day when the app is lost. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { Db, Trx } from '../database.ts'
import { endSessionsOf } from './sessions.ts'

export interface TotpState {
  /** Encrypted; null where there is none. */
  secret: Buffer | null
  lastStep: number
  isConfirmed: boolean
}

export async function getTotp(db: Db, personId: string): Promise<TotpState> {
  const row = await db
    .selectFrom('people')
    .select(['totpSecret', 'totpLastStep', 'totpConfirmedAt'])
    .where('id', '=', personId)
    .executeTakeFirstOrThrow()
  return {
    secret: row.totpSecret,
    lastStep: Number(row.totpLastStep),
    isConfirmed: row.totpConfirmedAt !== null,
  }
}

/**
 * Keeps a secret that has yet to be confirmed.
 * @throws DomainError `conflict` where an app is set up already.
 */
export async function recordTotpSecret(db: Db, personId: string, secret: Buffer): Promise<void> {
  const kept = await db
    .updateTable('people')
    .set({ totpSecret: secret, totpLastStep: 0n })
    .where('id', '=', personId)
    .where('totpConfirmedAt', 'is', null)
    .returning('id')
    .executeTakeFirst()
  if (!kept) throw new DomainError('conflict', 'an app is set up already: remove it first')
}

/** Uses up a step; @returns false when it, or a later one, was used before. */
export async function markStepUsed(db: Db, personId: string, step: number): Promise<boolean> {
  const used = await db
    .updateTable('people')
    .set({ totpLastStep: BigInt(step) })
    .where('id', '=', personId)
    .where('totpLastStep', '<', BigInt(step))
    .returning('id')
    .executeTakeFirst()
  return used !== undefined
}

export async function markTotpConfirmed(trx: Trx, personId: string): Promise<void> {
  await trx
    .updateTable('people')
    .set({ totpConfirmedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', personId)
    .where('totpConfirmedAt', 'is', null)
    .execute()
}

export async function removeTotp(trx: Trx, personId: string): Promise<void> {
  await trx
    .updateTable('people')
    .set({ totpSecret: null, totpConfirmedAt: null, totpLastStep: 0n })
    .where('id', '=', personId)
    .execute()
}

/** New codes in place of the old ones. */
export async function recordRecoveryCodes(
  trx: Trx,
  personId: string,
  hashes: Buffer[],
): Promise<void> {
  await removeRecoveryCodes(trx, personId)
  await trx
    .insertInto('recoveryCodes')
    .values(hashes.map((codeHash) => ({ personId, codeHash })))
    .execute()
}

export async function removeRecoveryCodes(trx: Trx, personId: string): Promise<void> {
  await trx.deleteFrom('recoveryCodes').where('personId', '=', personId).execute()
}

/** Uses up a code; @returns false for one that is unknown or was used before. */
export async function takeRecoveryCode(
  db: Db,
  personId: string,
  codeHash: Buffer,
): Promise<boolean> {
  const taken = await db
    .updateTable('recoveryCodes')
    .set({ usedAt: sql<Date>`clock_timestamp()` })
    .where('personId', '=', personId)
    .where('codeHash', '=', codeHash)
    .where('usedAt', 'is', null)
    .returning('id')
    .executeTakeFirst()
  return taken !== undefined
}

export async function countRecoveryCodes(db: Db, personId: string): Promise<number> {
  const { left } = await db
    .selectFrom('recoveryCodes')
    .select(sql<number>`count(*)::int`.as('left'))
    .where('personId', '=', personId)
    .where('usedAt', 'is', null)
    .executeTakeFirstOrThrow()
  return left
}

/** Holds the person, so that of two changes of its factors the second sees the first. */
export async function lockFactors(trx: Trx, personId: string) {
  return trx
    .selectFrom('people')
    .select([
      sql<boolean>`totp_confirmed_at is not null`.as('hasTotp'),
      sql<number>`(select count(*)::int from passkeys where person_id = people.id)`.as('passkeys'),
    ])
    .where('id', '=', personId)
    .forUpdate()
    .executeTakeFirstOrThrow()
}

/** Sessions that did not show the new factor, or that showed the old one, end. */
export async function endOtherSessions(
  trx: Trx,
  { personId, id }: { personId: string; id: string },
): Promise<void> {
  await endSessionsOf(trx, { personId, except: id, because: 'factors_changed' })
}
