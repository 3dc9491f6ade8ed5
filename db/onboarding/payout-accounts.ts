/** Where a partner is paid, and what the processor says of its identity. */
import { sql } from 'kysely'
import type { VerificationStatus } from '../../domain/onboarding.ts'
import type { Db, Trx } from '../database.ts'

export type PayoutAccountRow = NonNullable<Awaited<ReturnType<typeof findPayoutAccount>>>

export async function findPayoutAccount(db: Db, applicationId: string) {
  return db
    .selectFrom('payoutAccounts')
    .selectAll()
    .where('applicationId', '=', applicationId)
    .executeTakeFirst()
}

export async function findPayoutAccountByVendorId(db: Db, vendorAccountId: string) {
  return db
    .selectFrom('payoutAccounts')
    .selectAll()
    .where('vendorAccountId', '=', vendorAccountId)
    .executeTakeFirst()
}

export async function recordPayoutAccount(db: Db, applicationId: string) {
  await db
    .insertInto('payoutAccounts')
    .values({ applicationId })
    .onConflict((conflict) => conflict.column('applicationId').doNothing())
    .execute()
  return db
    .selectFrom('payoutAccounts')
    .selectAll()
    .where('applicationId', '=', applicationId)
    .executeTakeFirstOrThrow()
}

export async function markPayoutAccountOpened(
  db: Db,
  id: string,
  vendorAccountId: string,
): Promise<void> {
  await db.updateTable('payoutAccounts').set({ vendorAccountId }).where('id', '=', id).execute()
}

export async function markVerificationLink(
  db: Db,
  id: string,
  link: { url: string; expiresAt: Date },
): Promise<void> {
  await db
    .updateTable('payoutAccounts')
    .set({ linkUrl: link.url, linkExpiresAt: link.expiresAt })
    .where('id', '=', id)
    .execute()
}

/** Writes what was read at the processor; a change also enters the history. */
export async function recordVerification(
  trx: Trx,
  accountId: string,
  seen: { status: VerificationStatus; detail: string | null },
): Promise<{ changed: boolean }> {
  const before = await trx
    .selectFrom('payoutAccounts')
    .select(['status', 'statusDetail'])
    .where('id', '=', accountId)
    .forUpdate()
    .executeTakeFirstOrThrow()
  await trx
    .updateTable('payoutAccounts')
    .set({
      status: seen.status,
      statusDetail: seen.detail,
      checkedAt: sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', accountId)
    .execute()
  const changed = before.status !== seen.status || before.statusDetail !== seen.detail
  if (changed) {
    await trx
      .insertInto('verificationEvents')
      .values({ payoutAccountId: accountId, status: seen.status, detail: seen.detail })
      .execute()
  }
  return { changed }
}

export async function markPayoutAccountOwner(
  trx: Trx,
  applicationId: string,
  partnerId: string,
): Promise<void> {
  await trx
    .updateTable('payoutAccounts')
    .set({ partnerId })
    .where('applicationId', '=', applicationId)
    .execute()
}
