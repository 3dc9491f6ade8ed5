/** Months that should be settled by now and are not, whether they have a run or none. */
import { sql } from 'kysely'
import { closeDelayHours } from '../../domain/period.ts'
import type { RunStage } from '../../domain/settlement.ts'
import type { Db } from '../database.ts'
import { deadlinesSchema } from '../programme-settings.ts'

export interface OverduePeriod {
  period: string
  /** Today, by the clock of the database. */
  day: string
  /** Null where nobody has started its run. */
  stage: RunStage | null
}

/** Those that wait for longer than the programme allows; none before there is a programme. */
export async function listOverduePeriods(db: Db): Promise<OverduePeriod[]> {
  const programme = await db.selectFrom('programmes').select('deadlines').executeTakeFirst()
  if (!programme) return []
  return listUnsettledPeriods(db, deadlinesSchema.parse(programme.deadlines).settlementAlarm)
}

/** Periods with journals that are not closed so many seconds after they could be; oldest first. */
export async function listUnsettledPeriods(db: Db, seconds: number): Promise<OverduePeriod[]> {
  const { rows } = await sql<OverduePeriod>`
    select months.period, to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD') as day,
      run.stage
    from accounting_periods months
    left join settlement_runs run on run.period = months.period and run.mode = 'live'
      and run.cancelled_at is null
    where months.status <> 'closed'
      and months.ends_at + make_interval(hours => ${closeDelayHours}, secs => ${seconds})
        < clock_timestamp()
      and exists (select from ledger_journals journal where journal.period = months.period)
    order by months.period`.execute(db)
  return rows
}
