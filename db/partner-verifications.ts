/** What became of a partner's verification: each change a row, the newest is how it stands. */
import { sql } from 'kysely'
import type { VerificationStatus } from '../domain/onboarding.ts'
import type { IdentityStatus, RequirementDeadline } from '../domain/verification.ts'
import type { Db, Trx } from './database.ts'

export interface PartnerVerificationChange {
  status?: VerificationStatus
  identityStatus?: IdentityStatus | null
  detail?: string | null
  requirements?: string[]
  deadline?: RequirementDeadline | null
  deadlineAt?: Date | null
  payoutsHeld?: boolean
  salesStopped?: boolean
  extendedUntil?: Date | null
}

export type PartnerVerificationRow = NonNullable<
  Awaited<ReturnType<typeof findPartnerVerification>>
>

/** How it stands; nothing for a partner that never had an account. */
export async function findPartnerVerification(db: Db, partnerId: string) {
  return db
    .selectFrom('partnerVerifications')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** Its changes, newest first. */
export async function listPartnerVerifications(db: Db, partnerId: string, limit: number) {
  return db
    .selectFrom('partnerVerifications')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
}

const facts = (row: PartnerVerificationRow | undefined) => ({
  status: row?.status ?? ('not_started' as const),
  identityStatus: row?.identityStatus ?? null,
  detail: row?.detail ?? null,
  requirements: row?.requirements ?? [],
  deadline: row?.deadline ?? null,
  deadlineAt: row?.deadlineAt ?? null,
  payoutsHeld: row?.payoutsHeld ?? false,
  salesStopped: row?.salesStopped ?? false,
  extendedUntil: row?.extendedUntil ?? null,
})

/** Adds the change to the history; what stays the same adds nothing. */
export async function recordPartnerVerification(
  trx: Trx,
  partnerId: string,
  change: PartnerVerificationChange,
): Promise<{ changed: boolean }> {
  await sql`select from partners where id = ${partnerId} for update`.execute(trx)
  const row = await findPartnerVerification(trx, partnerId)
  const before = facts(row)
  const after = { ...before, ...change }
  if (row && JSON.stringify(before) === JSON.stringify(after)) return { changed: false }
  await trx
    .insertInto('partnerVerifications')
    .values({ partnerId, ...after })
    .execute()
  return { changed: true }
}

export interface NewExtension {
  id: string
  partnerId: string
  memberId: string
  lifts: boolean
  until: Date
  reason: string
}

/** What a person wrote; it holds once the process has taken it. */
export async function recordExtension(trx: Trx, extension: NewExtension): Promise<void> {
  await trx
    .insertInto('verificationExtensions')
    .values(extension)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

/** @returns the extension, which is taken from now on. */
export async function markExtensionTaken(trx: Trx, id: string) {
  return trx
    .updateTable('verificationExtensions')
    .set({ takenAt: sql<Date>`coalesce(taken_at, clock_timestamp())` })
    .where('id', '=', id)
    .returning(['partnerId', 'lifts', 'until'])
    .executeTakeFirstOrThrow()
}

/** Extensions that were taken, newest first; for the platform. */
export async function listExtensions(db: Db, partnerId: string) {
  return db
    .selectFrom('verificationExtensions')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .where('takenAt', 'is not', null)
    .orderBy('id', 'desc')
    .limit(100)
    .execute()
}
