/** Checks of a person beside that of its company: the outcome, never what was shown. */
import { type Expression, type SqlBool, sql } from 'kysely'
import type { IdentityStatus } from '../../domain/verification.ts'
import type { Db, Trx } from '../database.ts'

export type IdentityCheckRow = NonNullable<Awaited<ReturnType<typeof findIdentityCheck>>>

/** The newest check of an application. */
export async function findIdentityCheck(db: Db, applicationId: string) {
  return db
    .selectFrom('identityChecks')
    .selectAll()
    .where('applicationId', '=', applicationId)
    .orderBy('attempt', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** The newest check of a partner. */
export async function findIdentityCheckOf(db: Db, partnerId: string) {
  return db
    .selectFrom('identityChecks')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .orderBy('attempt', 'desc')
    .limit(1)
    .executeTakeFirst()
}

export async function findIdentityCheckBySession(db: Db, vendorSessionId: string) {
  return db
    .selectFrom('identityChecks')
    .selectAll()
    .where('vendorSessionId', '=', vendorSessionId)
    .executeTakeFirst()
}

/** The contact was last known more than a year ago, or never, by a partner of more than a year. */
export function identityIsOld(partnerId: Expression<unknown>) {
  return sql<boolean>`(coalesce(
    (select max(known.verified_at) from identity_checks known
      where known.partner_id = ${partnerId}),
    (select created_at from partners where partners.id = ${partnerId}))
      < clock_timestamp() - interval '1 year')`
}

export async function isIdentityOld(db: Db, partnerId: string): Promise<boolean> {
  const { isOld } = await db
    .selectNoFrom(identityIsOld(sql`${partnerId}::uuid`).as('isOld'))
    .executeTakeFirstOrThrow()
  return isOld
}

/** The row of one session, made before the session; repeating it finds the same. */
export async function recordIdentityCheck(
  db: Db,
  check: { applicationId: string; partnerId: string | null; attempt: number },
): Promise<IdentityCheckRow> {
  await db
    .insertInto('identityChecks')
    .values(check)
    .onConflict((conflict) => conflict.columns(['applicationId', 'attempt']).doNothing())
    .execute()
  return db
    .selectFrom('identityChecks')
    .selectAll()
    .where('applicationId', '=', check.applicationId)
    .where('attempt', '=', check.attempt)
    .executeTakeFirstOrThrow()
}

export async function markIdentitySession(
  db: Db,
  id: string,
  vendorSessionId: string,
): Promise<void> {
  await db.updateTable('identityChecks').set({ vendorSessionId }).where('id', '=', id).execute()
}

export interface SeenIdentity {
  /** Null for a word that we do not know: the state stays as it was. */
  status: IdentityStatus | null
  lastError: string | null
  reportId: string | null
}

/** Writes what was read of a session; a change enters the history. What is redacted stays so. */
export async function recordIdentity(trx: Trx, id: string, seen: SeenIdentity) {
  const before = await trx
    .selectFrom('identityChecks')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirstOrThrow()
  const status = before.status === 'redacted' ? before.status : (seen.status ?? before.status)
  const { lastError } = seen
  const changed = before.status !== status || before.lastError !== lastError
  const refused = changed && status === 'requires_input' && lastError !== null
  const now = sql<Date>`clock_timestamp()`
  await trx
    .updateTable('identityChecks')
    .set({
      status,
      lastError,
      reportId: seen.reportId,
      checkedAt: now,
      ...(refused ? { refusals: before.refusals + 1 } : {}),
      ...(status === 'verified' && before.status !== 'verified' ? { verifiedAt: now } : {}),
      ...(status === 'redacted' && before.status !== 'redacted' ? { redactedAt: now } : {}),
    })
    .where('id', '=', id)
    .execute()
  if (changed) {
    const detail = seen.status === null ? 'unknown' : lastError
    await trx
      .insertInto('identityCheckEvents')
      .values({ identityCheckId: id, status, detail })
      .execute()
  }
  return { changed, status, refusals: before.refusals + (refused ? 1 : 0), lastError }
}

/** The checks of an application become those of its partner. @returns how the newest stands. */
export async function markIdentityOwner(
  trx: Trx,
  applicationId: string,
  partnerId: string,
): Promise<IdentityStatus | undefined> {
  await trx
    .updateTable('identityChecks')
    .set({ partnerId })
    .where('applicationId', '=', applicationId)
    .where('partnerId', 'is', null)
    .execute()
  return (await findIdentityCheck(trx, applicationId))?.status
}

/**
 * Sessions whose results the vendor has kept for long enough: since they were verified, since the
 * end of an application that came to nothing, or since the last look at one that a partner that is
 * terminated never passed.
 */
export async function listChecksToRedact(
  db: Db,
  page: { retentionSeconds: number; after: string | null; size: number },
): Promise<{ id: string; vendorSessionId: string }[]> {
  const before = sql<Date>`clock_timestamp() - make_interval(secs => ${page.retentionSeconds})`
  const rows = await db
    .selectFrom('identityChecks')
    .innerJoin('applications', 'applications.id', 'identityChecks.applicationId')
    .select(['identityChecks.id', 'vendorSessionId'])
    .where('redactedAt', 'is', null)
    .where('vendorSessionId', 'is not', null)
    .where(sql<SqlBool>`coalesce(identity_checks.verified_at,
      case when applications.status in ('rejected', 'withdrawn', 'lapsed')
        then applications.closed_at end,
      case when identity_checks.status = 'canceled' or exists (select from partners
        where partners.id = identity_checks.partner_id and partners.status = 'terminated')
        then coalesce(identity_checks.checked_at, identity_checks.created_at) end)
        < ${before}`)
    .$if(page.after !== null, (query) => query.where('identityChecks.id', '>', page.after ?? ''))
    .orderBy('identityChecks.id')
    .limit(page.size)
    .execute()
  return rows.map(({ id, vendorSessionId }) => ({ id, vendorSessionId: vendorSessionId ?? '' }))
}

/** Asked for; the vendor takes up to four days. */
export async function markRedactionAsked(trx: Trx, id: string): Promise<void> {
  const asked = await trx
    .updateTable('identityChecks')
    .set({ redactionAskedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('redactionAskedAt', 'is', null)
    .returning('status')
    .executeTakeFirst()
  if (!asked) return
  await trx
    .insertInto('identityCheckEvents')
    .values({ identityCheckId: id, status: asked.status, detail: 'redaction_asked' })
    .execute()
}
