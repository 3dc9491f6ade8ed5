/** Where a partner is paid, and what the processor says of its identity. */
import { type SqlBool, sql } from 'kysely'
import type { VerificationStatus } from '../../domain/onboarding.ts'
import {
  nextState,
  type RequirementDeadline,
  type VerificationReading,
} from '../../domain/verification.ts'
import type { Db, Trx } from '../database.ts'
import { recordPartnerVerification } from '../partner-verifications.ts'
import { identityIsOld, markIdentityOwner } from './identity-checks.ts'

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
  const fresh = await db
    .insertInto('payoutAccounts')
    .values({ applicationId })
    .onConflict((conflict) => conflict.column('applicationId').doNothing())
    .returningAll()
    .executeTakeFirst()
  if (fresh) return fresh
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
  link: { url: string; expiresAt: Date | null },
): Promise<void> {
  await db
    .updateTable('payoutAccounts')
    .set({ linkUrl: link.url, linkExpiresAt: link.expiresAt })
    .where('id', '=', id)
    .execute()
}

/** What was read, as far as a caller knows it; what is left out follows from the state. */
export type SeenVerification = Pick<VerificationReading, 'status' | 'detail'> &
  Partial<VerificationReading> & { deadlineAt?: Date | null }

export interface RecordedVerification {
  changed: boolean
  before: VerificationStatus
  status: VerificationStatus
  /** How often what was handed in was refused. */
  refusals: number
  partnerId: string | null
  transfersActive: boolean
  requirements: string[]
  deadline: RequirementDeadline | null
}

const sameCodes = (one: string[], other: string[]) => one.join() === other.join()

/**
 * Writes what was read at the processor as the state that it leads to; a change also enters the
 * history, and that of the partner where there is one.
 */
export async function recordVerification(
  trx: Trx,
  accountId: string,
  seen: SeenVerification,
): Promise<RecordedVerification> {
  const before = await trx
    .selectFrom('payoutAccounts')
    .selectAll()
    .where('id', '=', accountId)
    .forUpdate()
    .executeTakeFirstOrThrow()
  const { requirements = [], deadline = null, deadlineAt = null, detail } = seen
  const everVerified = before.verifiedAt !== null
  const status = nextState({ status: before.status, everVerified }, { ...seen, deadline })
  const transfersActive = seen.transfersActive ?? status === 'verified'
  const changed =
    before.status !== status ||
    before.statusDetail !== detail ||
    before.deadline !== deadline ||
    !sameCodes(before.requirements, requirements)
  const refused = changed && (seen.refused ?? false)
  const written = trx
    .updateTable('payoutAccounts')
    .set({
      status,
      statusDetail: detail,
      requirements,
      deadline,
      deadlineAt,
      transfersActive,
      checkedAt: sql<Date>`clock_timestamp()`,
      ...(status === 'verified' ? { verifiedAt: sql<Date>`clock_timestamp()` } : {}),
      ...(refused ? { refusals: before.refusals + 1 } : {}),
    })
    .where('id', '=', accountId)
    .execute()
  const facts = { status, detail, requirements, deadline }
  const event = { payoutAccountId: accountId, ...facts }
  await Promise.all([
    written,
    changed && trx.insertInto('verificationEvents').values(event).execute(),
  ])
  if (changed) {
    if (before.partnerId) {
      await recordPartnerVerification(trx, before.partnerId, { ...facts, deadlineAt })
    }
  }
  return {
    changed,
    before: before.status,
    status,
    refusals: before.refusals + (refused ? 1 : 0),
    partnerId: before.partnerId,
    transfersActive,
    requirements,
    deadline,
  }
}

export async function markPayoutAccountOwner(
  trx: Trx,
  applicationId: string,
  partnerId: string,
): Promise<void> {
  const [account, check] = await Promise.all([
    trx
      .updateTable('payoutAccounts')
      .set({ partnerId })
      .where('applicationId', '=', applicationId)
      .returning(['status', 'statusDetail as detail', 'requirements', 'deadline', 'deadlineAt'])
      .executeTakeFirst(),
    markIdentityOwner(trx, applicationId, partnerId),
  ])
  if (!account) return
  const identityStatus = check ?? null
  await recordPartnerVerification(trx, partnerId, { ...account, identityStatus })
}

/** The account of an application that came to nothing. One that was refused stays so. */
export async function markPayoutAccountClosed(trx: Trx, id: string): Promise<void> {
  const closed = await trx
    .updateTable('payoutAccounts')
    .set({
      closedAt: sql<Date>`clock_timestamp()`,
      transfersActive: false,
      status: sql<VerificationStatus>`case status when 'rejected' then status else 'expired' end`,
    })
    .where('id', '=', id)
    .where('closedAt', 'is', null)
    .returning('status')
    .executeTakeFirst()
  if (closed?.status !== 'expired') return
  await trx
    .insertInto('verificationEvents')
    .values({ payoutAccountId: id, status: 'expired', detail: 'closed' })
    .execute()
}

/** Notes another bank. @returns false where somebody else has noted one since. */
export async function markBankMark(
  trx: Trx,
  { id, before, mark }: { id: string; before: string | null; mark: string },
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('payoutAccounts')
    .set({ bankMark: mark })
    .where('id', '=', id)
    .where('bankMark', 'is not distinct from', before)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function findPayoutAccountOf(db: Db, partnerId: string) {
  return db
    .selectFrom('payoutAccounts')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .executeTakeFirst()
}

/**
 * Accounts at the processor that are due for a look: those whose check is not over and that were
 * not read for the better part of a day, and those that were verified a year ago, the company or
 * the person.
 */
export async function listAccountsToRead(
  db: Db,
  page: { after: string | null; size: number; identityWanted: boolean },
): Promise<{ id: string; vendorAccountId: string }[]> {
  const rows = await db
    .selectFrom('payoutAccounts')
    .innerJoin('applications', 'applications.id', 'payoutAccounts.applicationId')
    .select(['payoutAccounts.id', 'payoutAccounts.vendorAccountId'])
    .where('vendorAccountId', 'is not', null)
    .where('payoutAccounts.closedAt', 'is', null)
    .where(sql<SqlBool>`case payout_accounts.status
      when 'verified' then payout_accounts.partner_id is not null
        and (payout_accounts.checked_at < clock_timestamp() - interval '1 year'
          or ${page.identityWanted} and ${identityIsOld(sql.ref('payout_accounts.partner_id'))})
      when 'rejected' then false
      else (payout_accounts.partner_id is not null or applications.closed_at is null)
        and coalesce(payout_accounts.checked_at, payout_accounts.created_at)
          < clock_timestamp() - interval '20 hours' end`)
    .$if(page.after !== null, (query) => query.where('payoutAccounts.id', '>', page.after ?? ''))
    .orderBy('payoutAccounts.id')
    .limit(page.size)
    .execute()
  return rows.map(({ id, vendorAccountId }) => ({ id, vendorAccountId: vendorAccountId ?? '' }))
}
