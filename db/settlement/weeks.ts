/**
 * What a week was for each partner of a programme that settles by months: a view, which leaves the
 * books as they are. Every entry belongs to one week, that of its own time; one that was booked in
 * a later month than its own to the first of that month, and what a close books to the last one.
 */
import { sql } from 'kysely'
import type { Months, Stretch } from '../../domain/cadence.ts'
import type { Trx } from '../database.ts'
import { everyEntry, withinMonth } from './entries.ts'
import { heldBy, type PartnerRange, type StatementFigures, within } from './figures.ts'
import { monthsLeftOut } from './holds.ts'

/** That a statement is the draft of a week. */
export const isOfWeek = (statement: string) =>
  `coalesce(${statement}.period_name like '____-W__', false)`

const mondayOf = (statement: string) =>
  `to_date(${statement}.period_name, 'IYYY"-W"IW')::timestamp at time zone 'UTC'`

/** The first instant that what a statement is about does not hold any more. */
export const endOf = (statement: string) =>
  `case when ${isOfWeek(statement)} then ${mondayOf(statement)} + interval '7 days'
    else (select ends_at from accounting_periods last where last.period = ${statement}.period) end`

/** That an entry is one of a statement, as far as its week decides that. */
export const inWeekOf = (statement: string, at: string) => {
  const monday = mondayOf(statement)
  return sql<boolean>`${sql.raw(`(not ${isOfWeek(statement)} or (${at} >= ${monday}
    and ${at} < ${monday} + interval '7 days'))`)}`
}

/**
 * The figures of a week, of the partners in the range. It opens with what the last statement
 * before its months carried and what came since; held is what was not due at its end.
 */
export async function listWeekFigures(
  trx: Trx,
  {
    since,
    period,
    week: { from, until },
    cutoffAt,
    range,
  }: { week: Stretch; cutoffAt: Date; range: PartnerRange } & Months,
): Promise<StatementFigures[]> {
  const inRange = within(sql`partner_id`, range)
  const counts = sql`(period = any(array(select period from months)) and ${inRange})`
  const sumOf = (figure: string) =>
    sql`coalesce(sum(amount_minor) filter (where at >= ${from} and figure = ${figure}), 0)`
  const { rows } = await sql<StatementFigures>`
    with late as (${monthsLeftOut(cutoffAt, (partner) => within(partner, range))}), previous as (
      select distinct on (partner_id, currency) partner_id, currency, period, carried_minor
      from statements
      where issued_at is not null and period < ${since} and ${inRange}
      order by partner_id, currency, period desc
    ), months as (
      -- Everything before them is part of what a statement carried.
      select period from accounting_periods where period <= ${period} and period >= least(${since},
        (select min(since) from late), (
          select min(open.period) from accounting_periods open
          where open.status <> 'closed' and exists (
            select from ledger_journals journal where journal.period = open.period)))
    ), entry as (
      select figure, partner_id, currency, amount_minor, ${sql.raw(withinMonth('told.at'))} as at
      from (${everyEntry(counts)}) told
      join accounting_periods month using (period)
      left join previous using (partner_id, currency)
      where previous.period is null or told.period > previous.period
    ), summed as (
      select partner_id, currency,
        coalesce(sum(case figure when 'clawed' then -amount_minor else amount_minor end)
          filter (where at < ${from}), 0) as before,
        ${sumOf('earned')} as earned, ${sumOf('clawed')} as clawed,
        ${sumOf('adjusted')} as adjusted
      from entry where at < ${until} group by 1, 2
    ), ${heldBy({ period, cutoffAt, inRange, until })}
    ), concerned as (
      select partner_id, currency from previous where carried_minor <> 0
      union select partner_id, currency from summed
    )
    select partner_id, currency,
      (coalesce(previous.carried_minor, 0) + coalesce(summed.before, 0))::bigint as opening,
      coalesce(summed.earned, 0)::bigint as earned,
      coalesce(summed.clawed, 0)::bigint as clawed_back,
      coalesce(summed.adjusted, 0)::bigint as adjustments,
      greatest(coalesce(held.amount, 0), 0)::bigint as held,
      ${since < period ? since : null}::text as since
    from concerned
    left join previous using (partner_id, currency)
    left join summed using (partner_id, currency)
    left join held using (partner_id, currency)
    where coalesce(previous.carried_minor, 0) + coalesce(summed.before, 0) <> 0
      or (summed.earned, summed.clawed, summed.adjusted) is distinct from (0, 0, 0)
    order by partner_id, currency`.execute(trx)
  return rows
}
