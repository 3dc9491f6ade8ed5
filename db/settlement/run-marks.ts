/** What becomes of a settlement run: its stages, its totals, and who has signed them. */
import { sql } from 'kysely'
import type { RunStage } from '../../domain/settlement.ts'
import type { Db, Trx } from '../database.ts'
import { recordStage } from './stages.ts'

export async function markRunStage(trx: Trx, id: string, stage: RunStage): Promise<void> {
  await recordStage(trx, id, stage)
  await trx
    .updateTable('settlementRuns')
    .set({
      stage,
      problem: null,
      ...(stage === 'closed' ? { closedAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where('id', '=', id)
    .execute()
}

/** Null where it is over. */
export async function markRunProblem(db: Db, id: string, problem: string | null): Promise<void> {
  await db.updateTable('settlementRuns').set({ problem }).where('id', '=', id).execute()
}

/**
 * Sums the run's statements into its control totals and the hash that a reviewer signs. A review of
 * other totals is void.
 */
export async function markRunTotals(trx: Trx, id: string): Promise<string> {
  const { rows } = await sql<{ totals: string; totalsHash: string }>`
    with lines as not materialized (
      select * from statements where run_id = ${id}
    ), totals as (
      select currency, count(*)::int as statements,
        sum(opening_minor) as opening, sum(earned_minor) as earned,
        sum(clawed_back_minor) as clawed_back, sum(adjustments_minor) as adjustments,
        sum(closing_minor) as closing, sum(held_minor) as held,
        sum(payable_minor) as payable, sum(carried_minor) as carried
      from lines group by currency
    )
    select
      coalesce((select jsonb_agg(jsonb_build_object(
        'currency', currency, 'statements', statements, 'opening', opening::text,
        'earned', earned::text, 'clawedBack', clawed_back::text,
        'adjustments', adjustments::text, 'closing', closing::text, 'held', held::text,
        'payable', payable::text, 'carried', carried::text) order by currency) from totals),
        '[]'::jsonb)::text as totals,
      encode(sha256(convert_to(coalesce((select string_agg(concat_ws('|', partner_id, currency,
        opening_minor, earned_minor, clawed_back_minor, adjustments_minor, held_minor,
        payable_minor, payout_currency, payout_minor, nullif(withheld_minor, 0)), E'\n'
        order by partner_id, currency) from lines), ''), 'UTF8')), 'hex')
        as totals_hash`.execute(trx)
  const totals = rows[0]
  if (!totals) throw new Error('the totals query answered nothing')
  await trx
    .updateTable('settlementRuns')
    .set({
      totals: totals.totals,
      totalsHash: totals.totalsHash,
      reviewedBy: sql`case when totals_hash = ${totals.totalsHash} then reviewed_by end`,
      reviewedAt: sql`case when totals_hash = ${totals.totalsHash} then reviewed_at end`,
    })
    .where('id', '=', id)
    .execute()
  return totals.totalsHash
}

export async function markRunReviewed(
  trx: Trx,
  id: string,
  review: { memberId: string },
): Promise<void> {
  await trx
    .updateTable('settlementRuns')
    .set({ reviewedBy: review.memberId, reviewedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('releasedBy', 'is', null)
    .execute()
}

export async function markRunReleased(
  trx: Trx,
  id: string,
  release: { memberId: string; at?: Date },
): Promise<void> {
  await trx
    .updateTable('settlementRuns')
    .set({
      releasedBy: release.memberId,
      releasedAt: release.at ?? sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .where('releasedBy', 'is', null)
    .execute()
}

/** Stops a run for a while, or lets it go on. */
export async function markRunPaused(trx: Trx, id: string, isPaused: boolean): Promise<void> {
  await trx
    .updateTable('settlementRuns')
    .set({ pausedAt: isPaused ? sql<Date>`coalesce(paused_at, clock_timestamp())` : null })
    .where('id', '=', id)
    .execute()
}

const nothingSigned = { totals: null, totalsHash: null, reviewedBy: null, reviewedAt: null }

/** Notes that the statements of a run are made of entries that it takes one by one. */
export async function markRunTakes(trx: Trx, id: string, takesEntries: boolean): Promise<void> {
  await trx.updateTable('settlementRuns').set({ takesEntries }).where('id', '=', id).execute()
}

/** Sends a run back: what it came to is gone, with the review of it. */
export async function markRunRejected(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('settlementShards').where('runId', '=', id).execute()
  await recordStage(trx, id, 'calculate')
  await trx
    .updateTable('settlementRuns')
    .set({
      ...nothingSigned,
      stage: 'calculate',
      problem: null,
      rejectedAt: sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .execute()
}

/** Lets a run be calculated again. */
export async function markRunRecalculated(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('settlementRuns')
    .set({ stage: 'calculate', rejectedAt: null, reviewedBy: null, reviewedAt: null })
    .where('id', '=', id)
    .execute()
}

/** Ends a run; whoever still drafts a page of it finds that it has none. */
export async function markRunCancelled(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('settlementShards').where('runId', '=', id).execute()
  await recordStage(trx, id, 'cancelled')
  await trx
    .updateTable('settlementRuns')
    .set({
      stage: 'cancelled',
      problem: null,
      pausedAt: null,
      cancelledAt: sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .where('cancelledAt', 'is', null)
    .execute()
}
