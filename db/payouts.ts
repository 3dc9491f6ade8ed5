/** Payouts and their attempts: one live attempt for a payout, each written before it is sent. */
import { sql } from 'kysely'
import { z } from 'zod'
import type { HoldReason, PayoutStatus } from '../domain/payouts.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { reasonOfHolds } from './partner-holds.ts'
import { openedFields } from './personal-fields.ts'
import { inShard } from './settlement/shards.ts'

export interface NewPayout {
  statementId: string
  runId: string
  partnerId: string
  currency: string
  amountMinor: bigint
  holdReason: HoldReason | null
  vendorAccountId: string | null
}

/** One payout for a statement; repeating a page is harmless. */
export async function recordPayouts(trx: Trx, payouts: NewPayout[]) {
  if (payouts.length === 0) return []
  return trx
    .insertInto('payouts')
    .values(
      payouts.map((payout) => ({
        ...payout,
        status: payout.holdReason ? ('held' as const) : ('approved' as const),
      })),
    )
    .onConflict((conflict) => conflict.column('statementId').doNothing())
    .returning(['id', 'partnerId', 'currency', 'amountMinor'])
    .execute()
}

/** Accounts of these partners, by partner. */
export async function listPayoutAccountsOf(db: Db, partnerIds: string[]) {
  if (partnerIds.length === 0)
    return new Map<string, { vendorAccountId: string | null; status: string }>()
  const rows = await db
    .selectFrom('payoutAccounts')
    .select(['partnerId', 'vendorAccountId'])
    // While transfers reach the account, what is still asked for holds nothing by itself.
    .select(sql<string>`case when payable then 'verified' else status end`.as('status'))
    .where('partnerId', 'in', partnerIds)
    .execute()
  return new Map(rows.map(({ partnerId, ...account }) => [partnerId ?? '', account]))
}

/** The payouts of a run, or of one of its shards. */
export interface PayoutShard {
  runId: string
  /** None for all of them. */
  shard?: number
}

const ofShard = (shard: number | undefined) =>
  inShard({ partner: 'payouts.partnerId', run: 'payouts.runId' }, shard)

/** Payouts of a run that are neither paid nor held, in the order of their ids. */
export async function listPayablePage(
  db: Db,
  page: PayoutShard & { after: string | null; size: number },
): Promise<string[]> {
  let query = db
    .selectFrom('payouts')
    .select('id')
    .where('runId', '=', page.runId)
    .where('status', 'in', ['approved', 'in_flight', 'unknown'])
    .where(ofShard(page.shard))
    .orderBy('id')
    .limit(page.size)
  if (page.after) query = query.where('id', '>', page.after)
  const rows = await query.execute()
  return rows.map((row) => row.id)
}

const partnerIsHeld = sql<boolean>`exists (select from partner_holds hold
  where hold.partner_id = payouts.partner_id and hold.released_at is null)`

const holdsBecause = sql<HoldReason | null>`(select ${reasonOfHolds} from partner_holds hold
  where hold.partner_id = payouts.partner_id and hold.released_at is null)`

/**
 * A held payout whose partner is held no more, with an account that is verified by now;
 * what was refused or taken back waits for more.
 */
const holdIsOver = sql<boolean>`payouts.status = 'held'
  and payouts.hold_reason not in ('transfer_rejected', 'transfer_reversed')
  and account.partner_id = payouts.partner_id and account.payable
  and not ${partnerIsHeld}`

/** Lets held payouts of a run go where nothing holds the partner any more. */
export async function releaseHeldPayouts(trx: Trx, { runId, shard }: PayoutShard): Promise<number> {
  const { rows } = await sql`
    update payouts set status = 'approved', hold_reason = null,
      vendor_account_id = account.vendor_account_id
    from payout_accounts account
    where payouts.run_id = ${runId} and ${ofShard(shard)} and ${holdIsOver}
    returning payouts.id`.execute(trx)
  return rows.length
}

/** The processor has news of a partner: a transfer that it refused before is worth a new try. */
export async function retryRejectedPayouts(trx: Trx, partnerId: string): Promise<void> {
  await trx
    .updateTable('payouts')
    .set({ status: 'approved', holdReason: null })
    .where('partnerId', '=', partnerId)
    .where('status', '=', 'held')
    .where('holdReason', '=', 'transfer_rejected')
    .execute()
}

/** Closed runs with a payout that may be paid after all; the open ones pay theirs themselves. */
export async function listClosedRunsToPay(db: Db): Promise<{ id: string; period: string }[]> {
  const { rows } = await sql<{ id: string; period: string }>`
    select id, period from settlement_runs
    where stage = 'closed' and exists (
      select from payouts left join payout_accounts account using (partner_id)
      where payouts.run_id = settlement_runs.id
        and (payouts.status in ('approved', 'in_flight', 'unknown') or ${holdIsOver}))
    order by period limit 100`.execute(db)
  return rows
}

export async function lockPayout(trx: Trx, id: string) {
  return trx
    .selectFrom('payouts')
    .innerJoin('settlementRuns', 'settlementRuns.id', 'payouts.runId')
    .selectAll('payouts')
    .select('settlementRuns.period as runPeriod')
    .select(holdsBecause.as('holdsBecause'))
    .select(
      sql<boolean>`exists (select from payout_attempts gone
        where gone.payout_id = payouts.id and gone.status = 'reversed')`.as('wasReversed'),
    )
    .where('payouts.id', '=', id)
    .forUpdate('payouts')
    .executeTakeFirstOrThrow()
}

export async function markPayout(
  trx: Trx,
  id: string,
  change: { status: Exclude<PayoutStatus, 'held'> } | { status: 'held'; holdReason: HoldReason },
): Promise<void> {
  await trx
    .updateTable('payouts')
    .set({
      ...change,
      ...(change.status === 'paid' ? { paidAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where('id', '=', id)
    .where('status', 'not in', ['paid', 'held', 'returned', 'bank_failed'])
    .execute()
}

/** Transfers of a payout that its attempts name. */
export async function listTransferIds(db: Db, payoutId: string): Promise<Set<string>> {
  const rows = await db
    .selectFrom('payoutAttempts')
    .select('vendorTransferId as id')
    .where('payoutId', '=', payoutId)
    .where('vendorTransferId', 'is not', null)
    .execute()
  return new Set(rows.map(({ id }) => id ?? ''))
}

/** The exact body of a transfer, as it is stored before the first send. */
export const transferRequestSchema = z.strictObject({
  amount: z.int().positive(),
  currency: z.string(),
  destination: z.string(),
  transferGroup: z.string(),
  metadata: z.record(z.string(), z.string()),
})
export type TransferRequest = z.infer<typeof transferRequestSchema>

/** The newest attempt of a payout, whatever became of it. */
export async function findLastAttempt(trx: Trx, payoutId: string) {
  const row = await trx
    .selectFrom('payoutAttempts')
    .selectAll()
    .where('payoutId', '=', payoutId)
    .orderBy('attemptNo', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && { ...row, request: transferRequestSchema.parse(row.request) }
}

/** Every attempt of a payout, in order. */
export async function listAttempts(db: Db, payoutId: string) {
  return db
    .selectFrom('payoutAttempts')
    .selectAll()
    .where('payoutId', '=', payoutId)
    .orderBy('attemptNo')
    .execute()
}

export async function insertAttempt(
  trx: Trx,
  attempt: {
    payoutId: string
    attemptNo: number
    idempotencyKey: string
    request: TransferRequest
  },
): Promise<string> {
  const { id } = await trx
    .insertInto('payoutAttempts')
    .values({ ...attempt, request: JSON.stringify(attempt.request) })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

/** Taken back at the processor. @returns false when that is known. */
export async function markAttemptReversed(
  trx: Trx,
  id: string,
  vendorReversalId: string,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('payoutAttempts')
    .set({ status: 'reversed', vendorReversalId })
    .where('id', '=', id)
    .where('status', '=', 'succeeded')
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** The money of a payout is with us again. */
export async function markPayoutReversed(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('payouts')
    .set({ status: 'held', holdReason: 'transfer_reversed', paidAt: null })
    .where('id', '=', id)
    .where('status', '=', 'bank_failed')
    .execute()
}

/** A person lets a held payout go, to another account where one is given. */
export async function markPayoutApproved(
  trx: Trx,
  id: string,
  vendorAccountId: string | null = null,
): Promise<void> {
  await trx
    .updateTable('payouts')
    .set({
      status: 'approved',
      holdReason: null,
      ...(vendorAccountId === null ? {} : { vendorAccountId }),
    })
    .where('id', '=', id)
    .where('status', '=', 'held')
    .execute()
}

/** Noted before the call leaves, so that a crash during the call is known as one. */
export async function markAttemptSent(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('payoutAttempts')
    .set({ status: 'sent', firstSentAt: sql<Date>`coalesce(first_sent_at, clock_timestamp())` })
    .where('id', '=', id)
    .where('status', 'in', ['prepared', 'sent', 'unknown'])
    .execute()
}

/** Notes that the processor does not show this attempt; the first such time counts. */
export async function markAttemptMissed(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('payoutAttempts')
    .set({
      status: 'unknown',
      firstMissedAt: sql<Date>`coalesce(first_missed_at, clock_timestamp())`,
    })
    .where('id', '=', id)
    .where('status', 'not in', ['succeeded', 'rejected', 'reversed'])
    .execute()
}

export type AttemptEnd =
  | { status: 'succeeded'; transferId: string; paymentId: string | null }
  | { status: 'rejected' | 'unknown'; problem: string }

/** @returns false for one that has ended: another worker was told the same. */
export async function markAttempt(trx: Trx, id: string, end: AttemptEnd): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('payoutAttempts')
    .set({
      status: end.status,
      vendorTransferId: end.status === 'succeeded' ? end.transferId : null,
      vendorPaymentId: end.status === 'succeeded' ? end.paymentId : null,
      problem: end.status === 'succeeded' ? null : end.problem,
      finishedAt: end.status === 'unknown' ? null : sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .where('status', 'not in', ['succeeded', 'rejected', 'reversed'])
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Paid payouts of a run whose partner was not told yet. */
export async function listUnannouncedPayouts(db: Db, page: PayoutShard & { size: number }) {
  return db
    .selectFrom('payouts')
    .innerJoin('statements', 'statements.id', 'payouts.statementId')
    .innerJoin('partners', 'partners.id', 'payouts.partnerId')
    .select([
      'payouts.id',
      'payouts.amountMinor',
      'payouts.currency',
      'statements.period',
      'statements.documentNumber',
      'statements.sealNumber',
      'statements.sealHash',
    ])
    .select(openedFields('partners'))
    .where('payouts.runId', '=', page.runId)
    .where('payouts.status', '=', 'paid')
    .where(ofShard(page.shard))
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('notices')
            .select('notices.id')
            .where('notices.kind', '=', 'payout_sent')
            .whereRef('notices.subjectId', '=', 'payouts.id')
            .where('notices.sentAt', 'is not', null),
        ),
      ),
    )
    .orderBy('payouts.id')
    .limit(page.size)
    .execute()
}

/** Transfers of a run, page by page, for the comparison with the processor. */
export async function listSentTransfers(
  db: Db,
  page: { runId: string; after: string | null; size: number },
) {
  let query = db
    .selectFrom('payouts')
    .innerJoin('payoutAttempts', 'payoutAttempts.payoutId', 'payouts.id')
    .select([
      'payouts.id',
      'payoutAttempts.vendorTransferId as transferId',
      'payoutAttempts.request',
    ])
    .where('payouts.runId', '=', page.runId)
    .where('payoutAttempts.status', '=', 'succeeded')
    .orderBy('payouts.id')
    .limit(page.size)
  if (page.after) query = query.where('payouts.id', '>', page.after)
  const rows = await query.execute()
  return rows.map((row) => ({ ...row, request: transferRequestSchema.parse(row.request) }))
}

function payoutQuery(db: Db) {
  return db
    .selectFrom('payouts')
    .leftJoin('payoutAttempts', (join) =>
      join
        .onRef('payoutAttempts.payoutId', '=', 'payouts.id')
        .on('payoutAttempts.status', '=', 'succeeded'),
    )
    .innerJoin('statements', 'statements.id', 'payouts.statementId')
    .selectAll('payouts')
    .select(['payoutAttempts.vendorTransferId as transferId', 'statements.period'])
}

export type PayoutRow = NonNullable<Awaited<ReturnType<typeof findPayout>>>

export async function findPayout(db: Db, id: string) {
  return payoutQuery(db).where('payouts.id', '=', id).executeTakeFirst()
}

export async function listPayouts(
  db: Db,
  filter: PageRequest & { partnerId?: string | undefined; period?: string | undefined },
): Promise<Page<PayoutRow>> {
  let query = payoutQuery(db)
    .orderBy('payouts.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('payouts.id', '<', filter.after)
  if (filter.partnerId) query = query.where('payouts.partnerId', '=', filter.partnerId)
  if (filter.period) query = query.where('statements.period', '=', filter.period)
  return pageOf(await query.execute(), filter.limit)
}
