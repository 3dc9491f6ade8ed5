/** Payouts that wait for a person: why, what was decided, and how it ended. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { ExceptionCause, ExceptionResolution, PayoutDecisionKind } from '../domain/payouts.ts'
import { type Db, databaseNow, type Trx } from './database.ts'
import {
  lockUnsentPayouts,
  recordPayoutReturn,
  type UnsentPayout,
} from './lifecycle/payout-returns.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { bookingPeriod } from './periods.ts'

/** Of one look; what is left waits for the next. */
const mostCases = 1_000

/** Opens the case of a payout unless it is open. @returns the id of the open one. */
export async function openException(
  trx: Trx,
  payout: { payoutId: string; partnerId: string; cause: ExceptionCause },
): Promise<string> {
  const inserted = await trx
    .insertInto('payoutExceptions')
    .values(payout)
    .onConflict((conflict) => conflict.column('payoutId').where('closedAt', 'is', null).doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted?.id ?? (await findOpenException(trx, payout.payoutId))?.id ?? ''
}

/**
 * Opens a case for payouts that were made so long ago and are still held for what their partner
 * lacks: nobody could give them back to its balance otherwise, or write them off.
 */
export async function openHoldCases(db: Db, seconds: number): Promise<void> {
  await sql`insert into payout_exceptions (payout_id, partner_id, cause)
    select id, partner_id, 'held_too_long' from payouts
    where status = 'held' and hold_reason not in ('transfer_rejected', 'transfer_reversed')
      and created_at <= clock_timestamp() - make_interval(secs => ${seconds})
      and not exists (select from payout_exceptions open
        where open.payout_id = payouts.id and open.closed_at is null)
    order by id limit ${mostCases}
    on conflict (payout_id) where closed_at is null do nothing`.execute(db)
}

/** Ends the open case of a payout, where there is one. @returns its id. */
export async function closeException(
  trx: Trx,
  payoutId: string,
  resolution: ExceptionResolution,
): Promise<string | null> {
  const closed = await trx
    .updateTable('payoutExceptions')
    .set({ resolution, closedAt: sql<Date>`clock_timestamp()` })
    .where('payoutId', '=', payoutId)
    .where('closedAt', 'is', null)
    .returning('id')
    .executeTakeFirst()
  return closed?.id ?? null
}

export async function findOpenException(db: Db, payoutId: string) {
  return db
    .selectFrom('payoutExceptions')
    .selectAll()
    .where('payoutId', '=', payoutId)
    .where('closedAt', 'is', null)
    .executeTakeFirst()
}

export async function getException(db: Db, id: string) {
  return db
    .selectFrom('payoutExceptions')
    .innerJoin('payouts', 'payouts.id', 'payoutExceptions.payoutId')
    .selectAll('payoutExceptions')
    .select(['payouts.status', 'payouts.amountMinor', 'payouts.currency'])
    .where('payoutExceptions.id', '=', id)
    .executeTakeFirstOrThrow()
}

export type ExceptionRow = Awaited<ReturnType<typeof listExceptions>>['rows'][number]

/** Cases that the caller may see, newest first. */
export async function listExceptions(
  db: Db,
  filter: PageRequest & { open?: boolean | undefined; payoutId?: string | undefined },
) {
  let query = db
    .selectFrom('payoutExceptions')
    .innerJoin('payouts', 'payouts.id', 'payoutExceptions.payoutId')
    .selectAll('payoutExceptions')
    .select(['payouts.status', 'payouts.amountMinor', 'payouts.currency'])
    .orderBy('payoutExceptions.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('payoutExceptions.id', '<', filter.after)
  if (filter.payoutId) query = query.where('payoutExceptions.payoutId', '=', filter.payoutId)
  if (filter.open === true) query = query.where('payoutExceptions.closedAt', 'is', null)
  if (filter.open === false) query = query.where('payoutExceptions.closedAt', 'is not', null)
  const rows = await query.execute()
  return pageOf(rows, filter.limit) satisfies Page<(typeof rows)[number]>
}

/** Cases whose process has not seen their end, for the sweeper. */
export async function listUnendedExceptions(db: Db) {
  return db
    .selectFrom('payoutExceptions')
    .select(['id', 'payoutId', 'openedAt', 'closedAt'])
    .where('endedAt', 'is', null)
    .orderBy('id')
    .limit(mostCases)
    .execute()
}

export async function markExceptionEnded(db: Db, id: string): Promise<void> {
  await db
    .updateTable('payoutExceptions')
    .set({ endedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('closedAt', 'is not', null)
    .where('endedAt', 'is', null)
    .execute()
}

export async function markEscheat(db: Db, id: string): Promise<void> {
  await db
    .updateTable('payoutExceptions')
    .set({ escheatAt: sql<Date>`coalesce(escheat_at, clock_timestamp())` })
    .where('id', '=', id)
    .where('closedAt', 'is', null)
    .execute()
}

export interface PayoutDecision {
  id: string
  exceptionId: string
  kind: PayoutDecisionKind
  reason: string
  decidedBy: string
}

/** Inserts what somebody decided; a repeated request finds its own. */
export async function recordPayoutDecision(trx: Trx, decision: PayoutDecision): Promise<void> {
  await trx
    .insertInto('payoutDecisions')
    .values(decision)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

export async function getPayoutDecision(db: Db, id: string) {
  return db
    .selectFrom('payoutDecisions')
    .innerJoin('payoutExceptions', 'payoutExceptions.id', 'payoutDecisions.exceptionId')
    .select([
      'payoutDecisions.id',
      'kind',
      'exceptionId',
      'payoutId',
      'partnerId',
      'cause',
      'decidedAt',
    ])
    .where('payoutDecisions.id', '=', id)
    .executeTakeFirstOrThrow()
}

/** Decisions on any case of a payout, oldest first. */
export async function listPayoutDecisions(db: Db, payoutId: string) {
  return db
    .selectFrom('payoutDecisions')
    .innerJoin('payoutExceptions', 'payoutExceptions.id', 'payoutDecisions.exceptionId')
    .select(['payoutDecisions.id', 'kind', 'reason', 'decidedBy', 'decidedAt'])
    .where('payoutId', '=', payoutId)
    .orderBy('payoutDecisions.id')
    .execute()
}

/** @throws DomainError `conflict` for money that is not with us: it is sent, or on its way. */
async function lockUnsent(trx: Trx, payoutId: string): Promise<UnsentPayout> {
  const [payout] = await lockUnsentPayouts(trx, { payoutId })
  if (payout) return payout
  throw new DomainError('conflict', 'the money of this payout is not with us', {})
}

/** What a statement loses when this payout is given up, in the currency of the statement. */
export async function findWriteOff(trx: Trx, payoutId: string) {
  const { payableMinor, statementCurrency } = await lockUnsent(trx, payoutId)
  return { amountMinor: -payableMinor, currency: statementCurrency }
}

/** Gives a payout that nobody could deliver back to the balance of its partner, once. */
export async function releasePayout(
  trx: Trx,
  given: { exceptionId: string; payoutId: string; partnerId: string },
): Promise<void> {
  const { exceptionId, payoutId, partnerId } = given
  const payout = await lockUnsent(trx, payoutId)
  const effectiveAt = await databaseNow(trx)
  const period = await bookingPeriod(trx, effectiveAt)
  await recordPayoutReturn(trx, payout, { exceptionId, partnerId, period, effectiveAt })
  await closeException(trx, payoutId, 'released')
}

/**
 * The first half of giving a payout up: it returns to the balance in the month of the entry that
 * takes it away, so that no statement shows one without the other.
 * @throws DomainError `conflict` where its case is closed, or its money is not with us.
 */
export async function writeOffPayout(
  trx: Trx,
  { payoutId, happenedAt }: { payoutId: string; happenedAt: Date },
): Promise<void> {
  const payout = await lockUnsent(trx, payoutId)
  const open = await findOpenException(trx, payoutId)
  if (!open) throw new DomainError('conflict', 'nothing of this payout waits for a decision')
  const { id: exceptionId, partnerId } = open
  const period = await bookingPeriod(trx, happenedAt)
  const facts = { exceptionId, partnerId, period, effectiveAt: happenedAt }
  await recordPayoutReturn(trx, payout, facts)
  await closeException(trx, payoutId, 'written_off')
}
