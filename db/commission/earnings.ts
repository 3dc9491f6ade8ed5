/** How a partner stands today: what it earned this month, what waits, and what is paid next. */
import { sql } from 'kysely'
import type { PayoutStatus } from '../../domain/payouts.ts'
import type { Db } from '../database.ts'
import { everyEntry } from '../settlement/entries.ts'
import { isOfWeek } from '../settlement/weeks.ts'

export interface Earnings {
  currency: string
  /** Booked in the month that is asked for. */
  earned: bigint
  takenBack: bigint
  /** Of all months, less what went back: what no statement is about yet. */
  pending: bigint
  /** What the newest statement has left. */
  carried: bigint
}

/** In every currency in which a partner earned something or has a statement. */
export async function listEarnings(
  db: Db,
  { partnerId, month }: { partnerId: string; month: string },
): Promise<Earnings[]> {
  const own = sql`partner_id = ${partnerId}`
  const { rows } = await sql<Earnings>`
    with issued as materialized (
      select id, period, period_name, currency, carried_minor from statements
      where ${own} and issued_at is not null
    ), settled as (
      select currency, max(period) as through from issued where not ${sql.raw(isOfWeek('issued'))}
      group by 1
    ), entry as (
      select entry.*, entry.period > coalesce(settled.through, '') and not exists (
          select from statement_entries taken
          join statements told on told.run_id = taken.run_id and told.issued_at is not null
            and told.partner_id = taken.partner_id and told.currency = taken.currency
          where taken.kind = entry.kind and taken.entry_id = entry.entry_id) as is_pending
      from (${everyEntry(own)}) entry left join settled using (currency)
    ), summed as (
      select currency,
        sum(amount_minor) filter (where figure = 'earned' and period = ${month}) as earned,
        sum(amount_minor) filter (where figure = 'clawed' and period = ${month}) as taken_back,
        sum(case figure when 'clawed' then -amount_minor else amount_minor end)
          filter (where is_pending) as pending
      from entry group by 1
    ), newest as (
      select distinct on (currency) currency, carried_minor from issued
      order by currency, period desc, id desc
    )
    select currency, coalesce(earned, 0)::bigint as earned,
      coalesce(taken_back, 0)::bigint as taken_back, coalesce(pending, 0)::bigint as pending,
      coalesce(carried_minor, 0)::bigint as carried
    from summed full join newest using (currency) order by 1`.execute(db)
  return rows
}

export interface NextPayout {
  id: string
  statementId: string
  amountMinor: bigint
  currency: string
  status: PayoutStatus
  /** Not before this day; null is at once. */
  payOn: string | null
}

/** The payout that goes first of those that have not gone. */
export async function findNextPayout(db: Db, partnerId: string): Promise<NextPayout | undefined> {
  return db
    .selectFrom('payouts')
    .select(['id', 'statementId', 'amountMinor', 'currency', 'status', 'payOn'])
    .where('partnerId', '=', partnerId)
    .where('status', 'in', ['approved', 'held', 'in_flight', 'unknown'])
    .orderBy(sql`pay_on nulls first`)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
}
