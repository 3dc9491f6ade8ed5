/** What became of accruals: taken back, held, on a statement, paid. */
import { type RawBuilder, sql } from 'kysely'
import type { EarningFacts } from '../../domain/earnings.ts'
import { closeDelayHours } from '../../domain/period.ts'
import type { Db } from '../database.ts'
import { isOfStatement } from '../settlement/entries.ts'
import { endOf } from '../settlement/weeks.ts'

export interface Earning extends EarningFacts {
  /** The statement that it is a line of. */
  statementId: string | null
}

/** That a dispute of the line of `accrual` was open at an instant, as far as it was known then. */
const isContested = (at: RawBuilder<unknown>) => sql<boolean>`exists (
  select from line_payments own
  join line_payments line on line.id = own.id or line.allocation_unit = own.allocation_unit
  join disputes dispute on dispute.payment_id = line.payment_id
  where own.id = accrual.line_payment_id and dispute.received_at <= ${at}
    and (dispute.status = 'open' or dispute.closed_at > ${at}))`

const isStopped = (at: RawBuilder<unknown>) =>
  sql<boolean>`(${isContested(at)} or accrual_is_held(accrual.id, accrual.partner_id, ${at}))`

/** Issued statements of the partner of `accrual` in its currency. */
const issuedStatement = sql<boolean>`(issued.partner_id = accrual.partner_id
  and issued.currency = accrual.currency and issued.issued_at is not null)`

/** How accruals stand, by their ids, as far as the caller sees their statements and payouts. */
export async function listEarningFacts(db: Db, ids: string[]): Promise<Map<string, Earning>> {
  if (ids.length === 0) return new Map()
  const now = sql`clock_timestamp()`
  const { rows } = await sql<Earning & { id: string }>`
    select accrual.id, accrual.amount_minor as amount, back.amount as taken_back,
      accrual.matures_at > ${now} or ${isStopped(now)} as is_held,
      told.id is not null as is_settled, told.id as statement_id, paying.payout
    from accruals accrual
    cross join lateral (select (
        coalesce((select sum(amount_minor) from clawbacks where accrual_id = accrual.id), 0)
        + coalesce((select sum(amount_minor) from accrual_cancellations
            where accrual_id = accrual.id), 0))::bigint as amount) back
    left join lateral (
      select issued.id, issued.period from statements issued
      where ${issuedStatement}
        and accrual.period between coalesce(issued.since_period, issued.period) and issued.period
        and ${isOfStatement('issued', { kind: 'accrual', id: 'accrual.id' })}
      order by issued.period, issued.id limit 1) told on true
    left join lateral (
      select case when payout.paid_at is null then 'waiting' else 'sent' end as payout
      from statements issued join payouts payout on payout.statement_id = issued.id
      where ${issuedStatement} and (issued.period, issued.id) >= (told.period, told.id)
        and payout.status <> 'returned'
        and accrual.matures_at <= (${sql.raw(endOf('issued'))})
          + make_interval(hours => ${sql.lit(closeDelayHours)})
        and not ${isStopped(sql`issued.drafted_at`)}
      order by issued.period, issued.id limit 1) paying on true
    where accrual.id = any(${ids}::uuid[])`.execute(db)
  return new Map(rows.map(({ id, ...earning }) => [id, earning]))
}
