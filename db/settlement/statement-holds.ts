/** Why a statement keeps something back, kept when it is issued. */
import { sql } from 'kysely'
import type { HeldPart } from '../../domain/settlement.ts'
import type { Db, Trx } from '../database.ts'
import { type EntryKind, wasSettledBy } from './entries.ts'
import { keptReserves } from './reserves.ts'

/**
 * Splits what these statements hold by its cause, as it was when they were drafted. Reserves have
 * rows of their own; what has not matured and what a person stopped is known to the line; the rest
 * is what a termination forfeits, what a person holds of the whole partner, or else what an open
 * dispute keeps back.
 */
export async function recordStatementHolds(
  trx: Trx,
  issue: { statementIds: string[]; forfeitedBy: string[]; takesEntries: boolean },
): Promise<void> {
  const isSettled = (kind: EntryKind, entry: string) =>
    issue.takesEntries
      ? sql`and ${wasSettledBy('run', { kind, id: `${entry}.id`, period: `${entry}.period` })}`
      : sql``
  await sql`
    insert into statement_holds (statement_id, cause, partner_id, amount_minor, lines, until)
    select statement.id, part.cause, statement.partner_id, sum(part.amount), max(part.lines),
      max(part.until)
    from statements statement
    join settlement_runs run on run.id = statement.run_id
    cross join lateral (
      select
        coalesce(sum(remaining) filter (where not matured), 0)::bigint as young,
        count(*) filter (where not matured)::int as lines,
        max(matures_at) filter (where not matured) as until,
        coalesce(sum(remaining) filter (where matured), 0)::bigint as stopped
      from (
        select matures_at, matures_at <= run.cutoff_at as matured,
          amount_minor - coalesce((
            select sum(back.amount_minor) from clawbacks back
            where back.accrual_id = accrual.id and back.period <= statement.period
              ${isSettled('clawback', 'back')}), 0)
          - coalesce((
            select sum(gone.amount_minor) from accrual_cancellations gone
            where gone.accrual_id = accrual.id and gone.period <= statement.period
              ${isSettled('cancellation', 'gone')}), 0)
          as remaining
        from accruals accrual
        where accrual.partner_id = statement.partner_id
          and accrual.currency = statement.currency and accrual.period <= statement.period
          ${isSettled('accrual', 'accrual')}
          and (accrual.matures_at > run.cutoff_at or accrual.id in (
            select hold.accrual_id from settlement_holds hold
            where hold.partner_id = statement.partner_id and ${heldThen}))) unpaid
      where remaining > 0) line
    cross join lateral (
      select coalesce(sum(remaining), 0)::bigint as amount, max(until) as until
      from ${keptReserves} kept
      where kept.partner_id = statement.partner_id and kept.currency = statement.currency
        and remaining > 0) reserve
    cross join lateral (select statement.held_minor - reserve.amount as amount) other
    cross join lateral (
      select least(line.young, other.amount) as young,
        least(line.stopped, other.amount - least(line.young, other.amount)) as stopped) known
    cross join lateral (
      select 'reserve' as cause, reserve.amount, null::int as lines, reserve.until
      union all
      select 'not_matured', known.young, line.lines, line.until
      union all
      select 'by_person', known.stopped, null, null
      union all
      select case
          when statement.partner_id = any(${issue.forfeitedBy}::uuid[]) then 'forfeited'
          when exists (select from settlement_holds hold
            where hold.partner_id = statement.partner_id and hold.accrual_id is null
              and ${heldThen}) then 'by_person'
          else 'disputed' end,
        other.amount - known.young - known.stopped, null, null) part
    where statement.id = any(${issue.statementIds}::uuid[]) and statement.held_minor > 0
      and part.amount > 0
    group by statement.id, part.cause
    on conflict (statement_id, cause) do nothing`.execute(trx)
}

const heldThen = sql`hold.placed_at <= statement.drafted_at
  and (hold.released_at is null or hold.released_at > statement.drafted_at)`

/** What a statement holds, cause by cause; the sum is the figure. */
export async function listStatementHolds(db: Db, statementId: string): Promise<HeldPart[]> {
  return db
    .selectFrom('statementHolds')
    .select(['cause', 'amountMinor as amount', 'lines', 'until'])
    .where('statementId', '=', statementId)
    .orderBy('cause')
    .execute()
}
