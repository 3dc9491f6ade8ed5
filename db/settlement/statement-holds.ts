/** Why a statement keeps something back, kept when it is issued. */
import { sql } from 'kysely'
import type { HeldPart } from '../../domain/settlement.ts'
import type { Db, Trx } from '../database.ts'

/**
 * Splits what these statements hold by its cause. What has not matured is known to the line; the
 * rest is what termination forfeits, else what an open dispute or a person keeps back.
 */
export async function recordStatementHolds(
  trx: Trx,
  issue: { statementIds: string[]; forfeitedBy: string[] },
): Promise<void> {
  await sql`
    insert into statement_holds (statement_id, cause, partner_id, amount_minor, lines, until)
    select statement.id, part.cause, statement.partner_id, part.amount, part.lines, part.until
    from statements statement
    join settlement_runs run on run.id = statement.run_id
    cross join lateral (
      select coalesce(sum(remaining), 0)::bigint as amount, count(*)::int as lines,
        max(matures_at) as until
      from (
        select matures_at, amount_minor - coalesce((
            select sum(back.amount_minor) from clawbacks back
            where back.accrual_id = accrual.id and back.period <= statement.period), 0)
          - coalesce((
            select sum(gone.amount_minor) from accrual_cancellations gone
            where gone.accrual_id = accrual.id and gone.period <= statement.period), 0)
          as remaining
        from accruals accrual
        where accrual.partner_id = statement.partner_id
          and accrual.currency = statement.currency and accrual.period <= statement.period
          and accrual.matures_at > run.cutoff_at) unpaid
      where remaining > 0) young
    cross join lateral (
      select 'not_matured' as cause, least(young.amount, statement.held_minor) as amount,
        young.lines, young.until
      union all
      select case
          when statement.partner_id = any(${issue.forfeitedBy}::uuid[]) then 'forfeited'
          when exists (
            select from disputes
            join line_payments line on line.payment_id = disputes.payment_id
            join line_payments own
              on own.id = line.id or own.allocation_unit = line.allocation_unit
            join accruals earned on earned.line_payment_id = own.id
            where disputes.status = 'open' and earned.partner_id = statement.partner_id)
          then 'disputed' else 'by_person' end,
        statement.held_minor - least(young.amount, statement.held_minor), null, null) part
    where statement.id = any(${issue.statementIds}::uuid[]) and statement.held_minor > 0
      and part.amount > 0
    on conflict (statement_id, cause) do nothing`.execute(trx)
}

/** What a statement holds, cause by cause; the sum is the figure. */
export async function listStatementHolds(db: Db, statementId: string): Promise<HeldPart[]> {
  return db
    .selectFrom('statementHolds')
    .select(['cause', 'amountMinor as amount', 'lines', 'until'])
    .where('statementId', '=', statementId)
    .orderBy('cause')
    .execute()
}
