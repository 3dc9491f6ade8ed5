/** Attempts of payouts: one live attempt for a payout, each written before it is sent. */
import { sql } from 'kysely'
import { z } from 'zod'
import type { Db, Trx } from './database.ts'

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

/** The attempt that a transfer belongs to. */
export async function findAttemptOf(db: Db, vendorTransferId: string) {
  return db
    .selectFrom('payoutAttempts')
    .select(['id', 'payoutId', 'status'])
    .where('vendorTransferId', '=', vendorTransferId)
    .executeTakeFirst()
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
