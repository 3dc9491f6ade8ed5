/** Payouts, reserved with their statement. */
import { sql } from 'kysely'
import type { Months } from '../domain/cadence.ts'
import type { HoldReason, PayoutStatus } from '../domain/payouts.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { reasonOfHolds } from './partner-holds.ts'
import { transferRequestSchema } from './payout-attempts.ts'
import { openedFields } from './personal-fields.ts'
import { inShard } from './settlement/shards.ts'
import { shownPeriod, tellsOf } from './settlement/statements.ts'

export interface NewPayout {
  statementId: string
  runId: string
  partnerId: string
  currency: string
  amountMinor: bigint
  /** Of it, the tax of self-billed documents; and what that is in the statement's currency. */
  vatMinor: bigint
  vatOwedMinor: bigint
  holdReason: HoldReason | null
  /** Not before this day; null is at once. */
  payOn: string | null
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
    .returning(['id', 'statementId', 'partnerId', 'currency', 'amountMinor', 'vatMinor'])
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

/** That the day of a payout has come. */
const isDue = sql<boolean>`(payouts.pay_on is null
  or payouts.pay_on <= to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD'))`

/** Payouts of a run that are due, neither paid nor held, in the order of their ids. */
export async function listPayablePage(
  db: Db,
  page: PayoutShard & { after: string | null; without?: string[] | undefined; size: number },
): Promise<{ id: string; currency: string }[]> {
  let query = db
    .selectFrom('payouts')
    .select(['id', 'currency'])
    .where('runId', '=', page.runId)
    .where('status', 'in', ['approved', 'in_flight', 'unknown'])
    .where(isDue)
    .where(ofShard(page.shard))
    .orderBy('id')
    .limit(page.size)
  if (page.after) query = query.where('id', '>', page.after)
  if (page.without?.length) query = query.where('currency', 'not in', page.without)
  return query.execute()
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

/** What of a run waits to be sent, by currency. */
export async function listUnpaidAmounts(db: Db, runId: string) {
  const { rows } = await sql<{ currency: string; amount: bigint }>`
    select currency, sum(amount_minor)::bigint as amount from payouts
    where run_id = ${runId} and status = 'approved' and ${isDue}
    group by 1 order by 1`.execute(db)
  return rows
}

/** By what the process of a live run goes, like `processPeriod`. */
const processOfRun = sql.raw(
  "case run.cadence when 'weekly' then run.name else run.period end as period",
)

/** Batches of payouts that may be waiting for money, by the run and its shards. */
export async function listWaitingBatches(db: Db): Promise<{ period: string; shard: number }[]> {
  const { rows } = await sql<{ period: string; shard: number }>`
    select ${processOfRun}, coalesce(shard.number, 0) as shard from settlement_runs run
    left join settlement_shards shard on shard.run_id = run.id and run.stage = 'pay'
    where run.stage in ('pay', 'closed') and exists (
      select from payouts where payouts.run_id = run.id and payouts.status = 'approved'
        and ${isDue})
    order by 1, 2`.execute(db)
  return rows
}

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
    select id, ${processOfRun} from settlement_runs run
    where stage = 'closed' and exists (
      select from payouts left join payout_accounts account using (partner_id)
      where payouts.run_id = run.id
        and (payouts.status in ('approved', 'in_flight', 'unknown') or ${holdIsOver})
        and ${isDue})
    order by 2 limit 100`.execute(db)
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

/** The money of a payout is with us again. */
export async function markPayoutReversed(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('payouts')
    .set({ status: 'held', holdReason: 'transfer_reversed', paidAt: null })
    .where('id', '=', id)
    .where('status', 'in', ['paid', 'bank_failed'])
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
      'statements.documentNumber',
      'statements.sealNumber',
      'statements.sealHash',
    ])
    .select(shownPeriod)
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
            .where(sql<boolean>`(notices.sent_at is not null or notices.refused_at is not null)`),
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
    .select('payoutAttempts.vendorTransferId as transferId')
    .select(shownPeriod)
}

export type PayoutRow = NonNullable<Awaited<ReturnType<typeof findPayout>>>

export async function findPayout(db: Db, id: string) {
  return payoutQuery(db).where('payouts.id', '=', id).executeTakeFirst()
}

export async function listPayouts(
  db: Db,
  filter: PageRequest & {
    partnerId?: string | undefined
    months?: Months | undefined
    week?: string | undefined
  },
): Promise<Page<PayoutRow>> {
  let query = payoutQuery(db)
    .orderBy('payouts.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('payouts.id', '<', filter.after)
  if (filter.partnerId) query = query.where('payouts.partnerId', '=', filter.partnerId)
  if (filter.months) query = query.where(tellsOf(filter.months, filter.week))
  return pageOf(await query.execute(), filter.limit)
}
