/** What banks do with the money of partners, as the processor tells it. */
import { sql } from 'kysely'
import { sum } from '../domain/money.ts'
import { type BankPayoutStatus, hasComeBack, isLaterAtBank } from '../domain/payouts.ts'
import type { Db, Trx } from './database.ts'

/** Payouts of ours behind what a payout to a bank consists of: payments, or earlier ones. */
export async function listPartsBehind(db: Db, sources: string[]): Promise<string[]> {
  if (sources.length === 0) return []
  const { rows } = await sql<{ id: string }>`
    select payout_id as id from payout_attempts
    where vendor_payment_id = any(${sources}::text[]) and status <> 'reversed'
    union
    select part.payout_id from bank_payout_parts part
    join bank_payouts bank on bank.id = part.bank_payout_id
    where bank.vendor_payout_id = any(${sources}::text[])
    order by id`.execute(db)
  return rows.map(({ id }) => id)
}

export async function findBankPayout(db: Db, which: { vendorPayoutId: string } | { id: string }) {
  const query = db.selectFrom('bankPayouts').selectAll()
  return 'id' in which
    ? query.where('id', '=', which.id).executeTakeFirst()
    : query.where('vendorPayoutId', '=', which.vendorPayoutId).executeTakeFirst()
}

export interface ToldBankPayout {
  vendorPayoutId: string
  currency: string
  amount: bigint
  status: BankPayoutStatus
  failureCode: string | null
  createdAt: Date
}

/** Keeps an automatic one that the processor told of. @returns its row, also of an earlier time. */
export async function recordBankPayout(
  trx: Trx,
  owner: { partnerId: string; vendorAccountId: string },
  { told, parts }: { told: ToldBankPayout; parts: string[] },
): Promise<string> {
  const { vendorPayoutId, currency, amount, createdAt } = told
  const row = { ...owner, vendorPayoutId, currency, amountMinor: amount, askedAt: createdAt }
  const inserted = await trx
    .insertInto('bankPayouts')
    .values({ ...row, status: 'pending' })
    .onConflict((conflict) => conflict.column('vendorPayoutId').doNothing())
    .returning('id')
    .executeTakeFirst()
  const id = inserted?.id ?? (await findBankPayout(trx, { vendorPayoutId }))?.id ?? ''
  if (inserted) await insertParts(trx, { id, partnerId: owner.partnerId }, parts)
  return id
}

async function insertParts(
  trx: Trx,
  { id, partnerId }: { id: string; partnerId: string },
  parts: string[],
): Promise<void> {
  if (parts.length === 0) return
  await trx
    .insertInto('bankPayoutParts')
    .values(parts.map((payoutId) => ({ bankPayoutId: id, payoutId, partnerId })))
    .execute()
}

/** Goes forward to what was told. @returns the payouts of ours that it carries. */
export async function markBankPayout(trx: Trx, id: string, told: ToldBankPayout) {
  const { status: before } = await trx
    .selectFrom('bankPayouts')
    .select('status')
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirstOrThrow()
  const { vendorPayoutId, status, failureCode, createdAt: askedAt } = told
  if (isLaterAtBank(before, status)) {
    await trx
      .updateTable('bankPayouts')
      .set({ vendorPayoutId, status, failureCode, askedAt, changedAt: sql`clock_timestamp()` })
      .where('id', '=', id)
      .execute()
  }
  const parts = await trx
    .selectFrom('bankPayoutParts')
    .select('payoutId')
    .where('bankPayoutId', '=', id)
    .orderBy('payoutId')
    .execute()
  return parts.map(({ payoutId }) => payoutId)
}

/**
 * The newest that carried a payout of ours and was not refused. What carried a transfer that was
 * taken back is none of the next one's: news of it may come late, or twice.
 */
export async function findNewestBankPayout(db: Db, payoutId: string) {
  return db
    .selectFrom('bankPayouts')
    .innerJoin('bankPayoutParts', 'bankPayoutParts.bankPayoutId', 'bankPayouts.id')
    .selectAll('bankPayouts')
    .where('bankPayoutParts.payoutId', '=', payoutId)
    .where('status', '<>', 'refused')
    .where(
      sql<boolean>`bank_payouts.created_at > coalesce((
        select min(next.created_at) from payout_attempts next
        where next.payout_id = ${payoutId} and next.attempt_no > (
          select max(gone.attempt_no) from payout_attempts gone
          where gone.payout_id = ${payoutId} and gone.status = 'reversed')), '-infinity')`,
    )
    .orderBy('askedAt', 'desc')
    .orderBy('bankPayouts.id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** Every one that carried a payout of ours, oldest first. */
export async function listBankPayouts(db: Db, payoutId: string) {
  return db
    .selectFrom('bankPayouts')
    .innerJoin('bankPayoutParts', 'bankPayoutParts.bankPayoutId', 'bankPayouts.id')
    .selectAll('bankPayouts')
    .where('bankPayoutParts.payoutId', '=', payoutId)
    .orderBy('askedAt')
    .orderBy('bankPayouts.id')
    .execute()
}

/**
 * What a payout is by the newest thing that its bank did: `paid`, or `bank_failed`. While nothing
 * is known of a new one it stays as it is.
 * @returns the change, or null where there is none.
 */
export async function markPayoutByBank(
  trx: Trx,
  payoutId: string,
): Promise<'paid' | 'bank_failed' | null> {
  const newest = await findNewestBankPayout(trx, payoutId)
  if (!newest) return null
  const [from, to] = hasComeBack(newest.status)
    ? (['paid', 'bank_failed'] as const)
    : (['bank_failed', 'paid'] as const)
  if (to === 'paid' && newest.status !== 'paid') return null
  const { numUpdatedRows } = await trx
    .updateTable('payouts')
    .set({ status: to })
    .where('id', '=', payoutId)
    .where('status', '=', from)
    .executeTakeFirst()
  return numUpdatedRows > 0n ? to : null
}

/** What of a payout that came back still lies there: others of its parts were taken back since. */
async function partsThere(trx: Trx, bank: { id: string; currency: string; amountMinor: bigint }) {
  const parts = await trx
    .selectFrom('bankPayoutParts')
    .innerJoin('payouts', 'payouts.id', 'bankPayoutParts.payoutId')
    .select(['payouts.id', 'payouts.status', 'payouts.currency', 'payouts.amountMinor'])
    .where('bankPayoutId', '=', bank.id)
    .execute()
  const there = parts.filter(({ status }) => status === 'bank_failed')
  const gone = parts.filter((part) => !there.includes(part) && part.currency === bank.currency)
  const amountMinor = bank.amountMinor - sum(gone.map((part) => part.amountMinor))
  return { payoutIds: there.map(({ id }) => id), amountMinor }
}

/**
 * The next try of money that came back, asked for once: what is left of it, with its parts.
 * @returns the row of the one that is to be sent, or null where the money has not come back.
 */
export async function recordBankRetry(trx: Trx, payoutId: string, key: (id: string) => string) {
  const failed = await findNewestBankPayout(trx, payoutId)
  if (!failed) return null
  if (failed.status === 'requested') return failed
  if (!hasComeBack(failed.status)) return null
  const { partnerId, vendorAccountId, currency } = failed
  const { payoutIds, amountMinor } = await partsThere(trx, failed)
  if (amountMinor <= 0n) return null
  const { id } = (await sql<{ id: string }>`select uuidv7() as id`.execute(trx)).rows[0] ?? {
    id: '',
  }
  const row = { id, partnerId, vendorAccountId, currency, amountMinor, retryOf: failed.id }
  const made = await trx
    .insertInto('bankPayouts')
    .values({ ...row, status: 'requested', idempotencyKey: key(id) })
    .returningAll()
    .executeTakeFirstOrThrow()
  await insertParts(trx, made, payoutIds)
  return made
}

/** Noted before the call leaves. */
export async function markBankPayoutSent(db: Db, id: string): Promise<void> {
  await db
    .updateTable('bankPayouts')
    .set({ firstSentAt: sql<Date>`coalesce(first_sent_at, clock_timestamp())` })
    .where('id', '=', id)
    .execute()
}

/** Noted that the processor does not show it; the first such time counts. */
export async function markBankPayoutMissed(db: Db, id: string): Promise<void> {
  await db
    .updateTable('bankPayouts')
    .set({ firstMissedAt: sql<Date>`coalesce(first_missed_at, clock_timestamp())` })
    .where('id', '=', id)
    .execute()
}

/** The processor would not: another may be asked for. */
export async function markBankPayoutRefused(db: Db, id: string, code: string): Promise<void> {
  await db
    .updateTable('bankPayouts')
    .set({ status: 'refused', failureCode: code, changedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('status', '=', 'requested')
    .execute()
}
