/** Accounting periods: which one a fact is booked in, and how one is closed. */
import { sql } from 'kysely'
import { eachMonth, type Months } from '../domain/cadence.ts'
import { DomainError } from '../domain/errors.ts'
import { nextPeriod, periodEnd, periodOf, periodStart } from '../domain/period.ts'
import type { Db, Trx } from './database.ts'

async function ensurePeriod(trx: Trx, period: string): Promise<void> {
  await trx
    .insertInto('accountingPeriods')
    .values({ period, startsAt: periodStart(period), endsAt: periodEnd(period) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/**
 * The period that a fact of this instant is booked in: its own month while that is open, else the
 * first open one after it. The period stays share-locked, so that it cannot close before the
 * booking commits; months are made when they are first needed.
 */
export async function bookingPeriod(trx: Trx, at: Date): Promise<string> {
  const { rows } = await sql<{ lastShut: string | null }>`
    select max(period) as last_shut from accounting_periods where status <> 'open'`.execute(trx)
  const lastShut = rows[0]?.lastShut
  const own = periodOf(at)
  let period = lastShut && own <= lastShut ? nextPeriod(lastShut) : own
  for (;;) {
    await ensurePeriod(trx, period)
    await sql`select pg_advisory_xact_lock_shared(period_lock_key(${period}))`.execute(trx)
    const found = await findPeriod(trx, period)
    if (found?.status === 'open') return period
    period = nextPeriod(period)
  }
}

/** The same for facts of many instants. */
export async function bookingPeriods(trx: Trx, instants: Date[]): Promise<(at: Date) => string> {
  const booked = new Map<string, string>()
  // In one order, so that nobody who closes several months waits for a booker that waits for them.
  for (const month of [...new Set(instants.map(periodOf))].sort()) {
    booked.set(month, await bookingPeriod(trx, periodStart(month)))
  }
  return (at) => booked.get(periodOf(at)) ?? periodOf(at)
}

/** The oldest period before this one that has journals and is not closed. */
export async function findUnsettledBefore(db: Db, period: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('accountingPeriods')
    .select('period')
    .where('period', '<', period)
    .where('status', '<>', 'closed')
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('ledgerJournals')
          .select('id')
          .whereRef('ledgerJournals.period', '=', 'accountingPeriods.period'),
      ),
    )
    .orderBy('period')
    .limit(1)
    .executeTakeFirst()
  return row?.period
}

/**
 * The first month that is not closed: the one after those that are, before any is the first with
 * journals, or the month that is given where that comes first.
 */
export async function findFirstUnclosed(db: Db, month: string): Promise<string> {
  const { rows } = await sql<{ closed: string | null; booked: string | null }>`
    select max(period) filter (where status = 'closed') as closed,
      min(period) filter (where exists (select from ledger_journals journal
        where journal.period = accounting_periods.period)) as booked
    from accounting_periods`.execute(db)
  const { closed = null, booked = null } = rows[0] ?? {}
  if (closed !== null) return nextPeriod(closed)
  return booked !== null && booked < month ? booked : month
}

/** Of these months, those that are not closed. */
export async function listUnclosed(trx: Trx, months: string[]): Promise<string[]> {
  if (months.length === 0) return []
  const rows = await trx
    .selectFrom('accountingPeriods')
    .select('period')
    .where('period', 'in', months)
    .where('status', '=', 'closed')
    .execute()
  const closed = new Set(rows.map(({ period }) => period))
  return months.filter((month) => !closed.has(month))
}

/** Of the months that a run is about, those that were closed since an instant. */
export async function listClosedSince(
  trx: Trx,
  { since, period }: Months,
  at: Date,
): Promise<string[]> {
  const rows = await trx
    .selectFrom('accountingPeriods')
    .select('period')
    .where('period', '>=', since)
    .where('period', '<=', period)
    .where('status', '=', 'closed')
    .where('closedAt', '>=', at)
    .orderBy('period')
    .execute()
  return rows.map((row) => row.period)
}

/**
 * Stops new bookings: from here on they go to the next period. Waits for writers that hold the
 * period already; repeating it is harmless.
 * @param since the first month of the run, where it settles more than one: those between need not
 *   be closed.
 * @throws DomainError `earlier_period_open` while an older period with journals is still open,
 *   `period_already_settled` when the period is closed.
 */
export async function startClosing(trx: Trx, period: string, since = period): Promise<void> {
  await ensurePeriod(trx, period)
  const earlier = await findUnsettledBefore(trx, since)
  if (earlier) {
    throw new DomainError('earlier_period_open', `${earlier} has to be settled before ${since}`)
  }
  const { status } = await lockPeriod(trx, period)
  if (status === 'closed') {
    throw new DomainError('period_already_settled', `${period} is closed`)
  }
  await trx
    .updateTable('accountingPeriods')
    .set({ status: 'closing' })
    .where('period', '=', period)
    .execute()
}

/**
 * Opens the months of a run again that was cancelled. Where the close has booked true-ups or
 * bonuses in one of them, all stay as they are: these count what was booked until then, and more
 * would prove them wrong. What comes in goes on into the next month, and the next run settles what
 * is there.
 * @returns whether they are open.
 */
export async function reopenMonths(trx: Trx, { since, period }: Months): Promise<boolean> {
  for (const month of eachMonth({ since, period })) await lockPeriod(trx, month)
  const reopened = await trx
    .updateTable('accountingPeriods')
    .set({ status: 'open' })
    .where('period', '>=', since)
    .where('period', '<=', period)
    .where('status', '=', 'closing')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('closingAccruals')
            .select('id')
            .where('closingAccruals.period', '>=', since)
            .where('closingAccruals.period', '<=', period),
        ),
      ),
    )
    .executeTakeFirst()
  return reopened.numUpdatedRows > 0n
}

/** Shuts the period for good; the time is taken after the lock, not at the transaction's start. */
export async function markPeriodClosed(trx: Trx, period: string): Promise<void> {
  await lockPeriod(trx, period)
  await trx
    .updateTable('accountingPeriods')
    .set({ status: 'closed', closedAt: sql<Date>`clock_timestamp()` })
    .where('period', '=', period)
    .where('status', '=', 'closing')
    .execute()
}

/** Waits for every writer that holds the period, and keeps later ones waiting. */
async function lockPeriod(trx: Trx, period: string) {
  await sql`select pg_advisory_xact_lock(period_lock_key(${period}))`.execute(trx)
  return trx
    .selectFrom('accountingPeriods')
    .selectAll()
    .where('period', '=', period)
    .forUpdate()
    .executeTakeFirstOrThrow()
}

/** Whether facts of the month are still booked in it. */
export async function isPeriodOpen(db: Db, period: string): Promise<boolean> {
  return (await findPeriod(db, period))?.status === 'open'
}

async function findPeriod(db: Db, period: string) {
  return db
    .selectFrom('accountingPeriods')
    .selectAll()
    .where('period', '=', period)
    .executeTakeFirst()
}

/** Makes the row of a period that a run refers to. */
export async function recordPeriod(trx: Trx, period: string): Promise<void> {
  await ensurePeriod(trx, period)
}
