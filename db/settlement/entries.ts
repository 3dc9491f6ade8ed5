/**
 * Entries as statements are made of them: those of whole months, or those that were taken one by
 * one, because weeks do not fit into months.
 */
import { type RawBuilder, sql } from 'kysely'
import type { StatementEntriesTable } from '../schema.ts'

export type EntryKind = StatementEntriesTable['kind']

/** The time of an entry, kept within the month that it is booked in. */
export const withinMonth = (at: string, month = 'month') =>
  `least(greatest(${at}, ${month}.starts_at), ${month}.ends_at - interval '1 microsecond')`

/**
 * Every kind of entry for which a condition on its partner and its month holds, with the figure
 * that it belongs to and the time that counts for it. What a close books counts at the very end.
 */
export const everyEntry = (counts: RawBuilder<unknown>) => sql`
  select 'accrual' as kind, id as entry_id, 'earned' as figure, partner_id, reseller_id, master_id,
    currency, period, amount_minor, (select paid_at from line_payments line
      where line.id = line_payment_id) as at
  from accruals where ${counts}
  union all
  select 'closing_accrual', id, 'earned', partner_id, reseller_id, master_id, currency, period,
    amount_minor, 'infinity'
  from closing_accruals where ${counts}
  union all
  select 'clawback', id, 'clawed', partner_id, reseller_id, master_id, currency, period,
    amount_minor, (select happened_at from line_reversals back where back.id = line_reversal_id)
  from clawbacks where ${counts}
  union all
  select 'closing_clawback', id, 'clawed', partner_id, reseller_id, master_id, currency, period,
    amount_minor, (select happened_at from line_reversals back where back.id = line_reversal_id)
  from closing_clawbacks where ${counts}
  union all
  select 'cancellation', id, 'clawed', partner_id, reseller_id, master_id, currency, period,
    amount_minor, recorded_at
  from accrual_cancellations where ${counts}
  union all
  select 'adjustment', id, 'adjusted', partner_id, reseller_id, master_id, currency, period,
    amount_minor, happened_at
  from adjustments where ${counts}
  union all
  select 'payout_return', id, 'adjusted', partner_id, reseller_id, master_id, currency, period,
    amount_minor, recorded_at
  from payout_returns where ${counts}`

/** That a run has taken an entry, by the kind and the id of that; any run where none is named. */
export const isTaken = (entry: { kind: EntryKind; id: string }, run?: string) =>
  sql.raw(`exists (select from statement_entries own where own.kind = '${entry.kind}'
    and own.entry_id = ${entry.id}${run ? ` and own.run_id = ${run}` : ''})`)

/**
 * That the statements of a run, or earlier ones, were about an entry: what was not taken by itself
 * was settled with its month.
 */
export const wasSettledBy = (run: string, entry: { kind: EntryKind; id: string; period: string }) =>
  sql.raw(`(case when exists (select from statement_entries own
      where own.kind = '${entry.kind}' and own.entry_id = ${entry.id})
    then exists (select from statement_entries own
      join settlement_runs taker on taker.id = own.run_id
      where own.kind = '${entry.kind}' and own.entry_id = ${entry.id}
        and taker.cutoff_at <= ${run}.cutoff_at)
    else exists (select from settlement_runs whole
      where whole.mode = 'live' and whole.cancelled_at is null and not whole.takes_entries
        and whole.cutoff_at <= ${run}.cutoff_at and whole.period >= ${entry.period}) end)`)

/**
 * That an entry is one of an issued statement whose months it is in. A week has nothing but what
 * it took; in a month of which weeks took a part, nothing is left that nobody took.
 */
export const isOfStatement = (statement: string, entry: { kind: EntryKind; id: string }) =>
  sql<boolean>`(case when ${isTaken(entry)} then ${isTaken(entry, `${statement}.run_id`)}
    else ${sql.raw(`coalesce(${statement}.period_name not like '____-W__', true)`)} end)`
