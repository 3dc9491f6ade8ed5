/** What should be settled by now and is not, whether it has a run or none. */
import { sql } from 'kysely'
import { type Cadence, lastEnded, stretchOf } from '../../domain/cadence.ts'
import { closeDelayHours } from '../../domain/period.ts'
import type { RunStage } from '../../domain/settlement.ts'
import type { Db } from '../database.ts'
import { deadlinesSchema, onboardingSettingsSchema } from '../programme-settings.ts'

export interface OverduePeriod {
  /** By its name: a week, a month, or the quarter that it belongs to. */
  period: string
  /** Today, by the clock of the database. */
  day: string
  /** Null where nobody has started its run. */
  stage: RunStage | null
}

/** Those that wait for longer than the programme allows; none before there is a programme. */
export async function listOverduePeriods(db: Db): Promise<OverduePeriod[]> {
  const programme = await db
    .selectFrom('programmes')
    .select(['deadlines', 'onboarding'])
    .executeTakeFirst()
  if (!programme) return []
  const { settlementAlarm: seconds } = deadlinesSchema.parse(programme.deadlines)
  const { settlementCadence: cadence } = onboardingSettingsSchema.parse(programme.onboarding)
  const late = await listUnsettledPeriods(db, { seconds, cadence })
  return cadence === 'weekly' ? [...late, ...(await listUnsettledWeek(db, seconds))] : late
}

/**
 * What has months with journals that are not closed so many seconds after they could be; oldest
 * first. A month belongs to its run, and before it has one to what the cadence makes of it.
 */
export async function listUnsettledPeriods(
  db: Db,
  { seconds, cadence }: { seconds: number; cadence: Cadence },
): Promise<OverduePeriod[]> {
  const { rows } = await sql<OverduePeriod>`
    with late as (
      select months.period, months.starts_at at time zone 'UTC' as starts_at, run.stage,
        run.name, to_date(run.period, 'YYYY-MM') + interval '1 month' as run_ends_at
      from accounting_periods months
      left join settlement_runs run on run.mode = 'live' and run.cancelled_at is null
        and months.period between run.since_period and run.period and run.cadence <> 'weekly'
      where months.status <> 'closed' and (${cadence} <> 'weekly' or run.name is not null)
        and months.ends_at + make_interval(hours => ${closeDelayHours}, secs => ${seconds})
          < clock_timestamp()
        and exists (select from ledger_journals journal where journal.period = months.period)
    ), named as (
      select stage, case when name is not null then name
          when ${cadence} = 'quarterly' then to_char(starts_at, 'YYYY"-Q"Q')
          else period end as period,
        coalesce(run_ends_at, case when ${cadence} = 'quarterly'
          then date_trunc('quarter', starts_at) + interval '3 months'
          else starts_at + interval '1 month' end) at time zone 'UTC' as ends_at,
        starts_at
      from late
    )
    select period, to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD') as day, stage
    from named
    where ends_at + make_interval(hours => ${closeDelayHours}, secs => ${seconds})
      < clock_timestamp()
    group by period, stage
    order by min(starts_at)`.execute(db)
  return rows
}

/**
 * The oldest week whose run has not ended in time; where every run has, the last week that has none
 * although something came in that a run of it would take.
 */
async function listUnsettledWeek(db: Db, seconds: number): Promise<OverduePeriod[]> {
  const { rows } = await sql<{ day: string; dueBy: Date; name: string | null; stage: RunStage }>`
    with due as (
      select clock_timestamp() as now, clock_timestamp()
        - make_interval(hours => ${closeDelayHours}, secs => ${seconds}) as by
    )
    select to_char(now at time zone 'UTC', 'YYYY-MM-DD') as day, by as due_by, run.name, run.stage
    from due left join lateral (
      select name, stage from settlement_runs
      where cadence = 'weekly' and mode = 'live' and stage not in ('closed', 'cancelled')
        and cutoff_at + make_interval(secs => ${seconds}) < now
      order by cutoff_at limit 1) run on true`.execute(db)
  const [found] = rows
  if (!found) return []
  const { day, dueBy, name, stage } = found
  if (name !== null) return [{ period: name, day, stage }]
  const week = lastEnded('weekly', dueBy)
  const { from, until } = stretchOf(week)
  const missing = await sql`
    select from ledger_journals journal join accounting_periods month using (period)
    where month.status <> 'closed' and journal.effective_at >= ${from}
      and journal.effective_at < ${until}
      and journal.kind in ('accrual', 'clawback', 'adjustment', 'cancellation', 'payout_return')
      and not exists (select from settlement_runs run
        where run.mode = 'live' and run.cancelled_at is null
          and run.cutoff_at >= ${until})
    limit 1`.execute(db)
  return missing.rows.length === 0 ? [] : [{ period: week, day, stage: null }]
}
