/** Settlement runs: one live run for a period, any number of previews. */
import { sql } from 'kysely'
import { z } from 'zod'
import {
  cadenceOf,
  eachMonth,
  type Months,
  monthsEnded,
  monthsOf,
  stretchOf,
} from '../../domain/cadence.ts'
import { DomainError } from '../../domain/errors.ts'
import { closeDelayHours, nextPeriod } from '../../domain/period.ts'
import type { RunMode } from '../../domain/settlement.ts'
import { type Db, lockName, type Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { findFirstUnclosed, recordPeriod } from '../periods.ts'

const hourMs = 3_600_000

const amount = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt)

/** Control totals of a run, one entry for each currency. */
export const runTotalsSchema = z.array(
  z.strictObject({
    currency: z.string(),
    statements: z.int(),
    opening: amount,
    earned: amount,
    clawedBack: amount,
    adjustments: amount,
    closing: amount,
    held: amount,
    payable: amount,
    carried: amount,
  }),
)
export type RunTotals = z.infer<typeof runTotalsSchema>

function parsed<T extends { totals: unknown }>(row: T) {
  return { ...row, totals: row.totals === null ? null : runTotalsSchema.parse(row.totals) }
}

export type RunRow = Awaited<ReturnType<typeof getRun>>

/** @throws DomainError `not_found` */
export async function getRun(db: Db, id: string) {
  const row = await db
    .selectFrom('settlementRuns')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such settlement run')
  return parsed(row)
}

export async function lockRun(trx: Trx, id: string) {
  const row = await trx
    .selectFrom('settlementRuns')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirstOrThrow()
  return parsed(row)
}

/**
 * The live run that settles what is named like this, by whatever cadence: the one of that name, or
 * one that leaves nothing of it. A week leaves nothing of months and weeks that end with it or
 * before; months leave nothing of each other, of weeks that end in them, and, once they have begun
 * to calculate, of months before them: they open with what statements before those have carried.
 */
export async function findSettling(
  db: Db,
  programmeId: string,
  name: string,
): Promise<RunRow | undefined> {
  const { period } = monthsOf(name)
  const cutoffAt = cutoffOf(name)
  const row = await db
    .selectFrom('settlementRuns')
    .selectAll()
    .where('programmeId', '=', programmeId)
    .where('mode', '=', 'live')
    .where('cancelledAt', 'is', null)
    .where((eb) => {
      const later = eb.and([eb('cadence', '=', 'weekly'), eb('cutoffAt', '>=', cutoffAt)])
      const whole = [eb('cadence', '<>', 'weekly'), eb('period', '>=', period)]
      const { exists, selectFrom } = eb
      const before = selectFrom('statements')
        .select('statements.id')
        .where('issuedAt', 'is not', null)
        .where('statements.period', '<', period)
      const opensWith = eb.and([eb('stage', '<>', 'freeze'), exists(before)])
      const takesAll = eb.or([eb('sincePeriod', '<=', period), opensWith])
      const ofMonths = cadenceOf(name) === 'weekly' ? whole : [...whole, takesAll]
      return eb.or([later, eb.and(ofMonths)])
    })
    .orderBy(sql`name = ${name}`, 'desc')
    .orderBy('cutoffAt')
    .limit(1)
    .executeTakeFirst()
  return row && parsed(row)
}

/**
 * A live run that has not ended, for which this one has to wait: what the one takes of a month the
 * other does not, and each opens with what the one before carried.
 */
export async function findUnendedBefore(db: Db, run: RunRow): Promise<string | undefined> {
  const row = await db
    .selectFrom('settlementRuns')
    .select('name')
    .where('programmeId', '=', run.programmeId)
    .where('mode', '=', 'live')
    .where('stage', 'not in', ['closed', 'cancelled'])
    .where('cutoffAt', '<', run.cutoffAt)
    .orderBy('cutoffAt')
    .limit(1)
    .executeTakeFirst()
  return row?.name
}

export async function listRuns(
  db: Db,
  filter: PageRequest & {
    name?: string | undefined
    /** So many seconds after its cut-off a live run that has not ended is overdue. */
    overdue?: { is: boolean; seconds: number } | undefined
  },
): Promise<Page<RunRow>> {
  let query = db
    .selectFrom('settlementRuns')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('id', '<', filter.after)
  if (filter.name) query = query.where('name', '=', filter.name)
  if (filter.overdue) {
    const { is, seconds } = filter.overdue
    const isOverdue = sql<boolean>`(mode = 'live' and stage not in ('closed', 'cancelled')
      and cutoff_at + make_interval(secs => ${seconds}) < clock_timestamp())`
    query = query.where(is ? isOverdue : sql<boolean>`not ${isOverdue}`)
  }
  const page = pageOf(await query.execute(), filter.limit)
  return { rows: page.rows.map(parsed), next: page.next }
}

export interface NewRun {
  id: string
  programmeId: string
  /** The name of what it is about: `2026-11`, `2026-Q4`, `2026-W47`. */
  period: string
  mode: RunMode
  requestedBy: string | null
}

/**
 * The months that a live run of this name is about. A quarter in which the programme changed its
 * cadence begins after the last month that a run of its own has settled, a week with the first
 * month that is not closed.
 */
export async function findMonths(db: Db, programmeId: string, name: string): Promise<Months> {
  const { since, period } = monthsOf(name)
  const cadence = cadenceOf(name)
  if (cadence === 'monthly') return { since, period }
  if (cadence === 'weekly') {
    const first = await findFirstUnclosed(db, since)
    const isSettled = first > period
    return { since: isSettled ? period : first, period }
  }
  const settled = await db
    .selectFrom('settlementRuns')
    .select(['name', 'period'])
    .where('programmeId', '=', programmeId)
    .where('mode', '=', 'live')
    .where('cancelledAt', 'is', null)
    .where('period', '>=', since)
    .where('period', '<=', period)
    .where('name', '<>', name)
    .execute()
  const ended = settled.flatMap((run) =>
    cadenceOf(run.name) === 'weekly' ? monthsEnded(run.name, { since, period }) : [run.period],
  )
  const last = ended
    .filter((month) => month < period)
    .sort()
    .at(-1)
  return { since: last === undefined ? since : nextPeriod(last), period }
}

const cutoffOf = (name: string) =>
  new Date(stretchOf(name).until.getTime() + closeDelayHours * hourMs)

/**
 * Inserts a run. A live run of a period exists once, unless it was cancelled: a second request
 * gets the first one back.
 * Previews are numbered.
 * @throws DomainError `period_already_settled` where a run of another name settles the period.
 */
export async function recordRun(trx: Trx, run: NewRun): Promise<RunRow> {
  const { id, programmeId, period: name, mode, requestedBy } = run
  const again = await trx.selectFrom('settlementRuns').select('id').where('id', '=', id).execute()
  if (again.length === 0) {
    await lockName(trx, 'settlement_runs')
    const isView = mode === 'preview' && cadenceOf(name) === 'weekly'
    const months = isView ? monthsOf(name) : await findMonths(trx, programmeId, name)
    const live = mode === 'live' ? await findSettling(trx, programmeId, name) : undefined
    if (live?.name === name) return live
    if (live) throw settledBy(live, name)
    for (const month of eachMonth(months)) await recordPeriod(trx, month)
    const { since: sincePeriod, period } = months
    const { number } = await trx
      .selectFrom('settlementRuns')
      .select(sql<number>`count(*)::int + 1`.as('number'))
      .where('programmeId', '=', programmeId)
      .where('period', '=', period)
      .where('mode', '=', mode)
      .executeTakeFirstOrThrow()
    const cadence = cadenceOf(name) ?? 'monthly'
    const about = { name, cadence, sincePeriod, period, cutoffAt: cutoffOf(name) }
    await trx
      .insertInto('settlementRuns')
      .values({ id, programmeId, mode, number, requestedBy, ...about })
      .execute()
  }
  return getRun(trx, id)
}

/** What to tell of a run of another name that settles what was asked for. */
export function settledBy(run: Pick<RunRow, 'name'>, asked: string): DomainError {
  return new DomainError('period_already_settled', `${asked} is settled by the run ${run.name}`)
}

/** Runs that still have something to do; a sweeper starts what is not running. */
export async function listOpenRuns(db: Db, olderThanSeconds: number) {
  return db
    .selectFrom('settlementRuns')
    .select(['id', 'name', 'period', 'mode', 'number'])
    .where((eb) =>
      eb.or([
        eb.and([eb('mode', '=', 'live'), eb('stage', 'not in', ['closed', 'cancelled'])]),
        eb.and([eb('mode', '=', 'preview'), eb('stage', 'in', ['freeze', 'calculate'])]),
      ]),
    )
    .where(
      'createdAt',
      '<',
      sql<Date>`clock_timestamp() - make_interval(secs => ${olderThanSeconds})`,
    )
    .orderBy('createdAt')
    .limit(100)
    .execute()
}
