/**
 * Entries that statements take one by one. A week takes what happened before its end and nothing
 * has taken yet; a run over months in which weeks were settled takes what these left.
 */
import { type RawBuilder, sql } from 'kysely'
import { stretchOf } from '../../domain/cadence.ts'
import type { Db, Trx } from '../database.ts'
import { type EntryKind, everyEntry, isTaken, withinMonth } from './entries.ts'
import { heldBy, type PartnerRange, type StatementFigures, within } from './figures.ts'
import { monthsLeftOut } from './holds.ts'
import type { RunRow } from './runs.ts'

interface Bounds {
  /** The first month of which something may be open. */
  since: string
  /** The last one that was settled as a whole; nothing is before all months. */
  through: string
}

/** The months that a run takes entries of. */
async function findBounds(db: Db, run: RunRow): Promise<Bounds> {
  const { rows } = await sql<{ since: string | null; through: string }>`
    with whole as (
      select coalesce(max(period), '') as through from settlement_runs
      where mode = 'live' and cancelled_at is null and not takes_entries
        and released_at is not null and cutoff_at < ${run.cutoffAt}
    )
    select through, (select min(period) from accounting_periods
      where status <> 'closed' and period > through) as since
    from whole`.execute(db)
  const { since = null, through = '' } = rows[0] ?? {}
  return { through, since: run.cadence === 'weekly' ? (since ?? run.period) : run.sincePeriod }
}

/**
 * What no statement has taken of partners in a range, with `late`: of whom runs left out, the
 * months before, too. Of a preview what drafts of others have taken is open as well.
 */
function openEntries(
  { since }: Bounds,
  { run, range, until }: { run: RunRow; range: PartnerRange; until: Date | null },
): RawBuilder<unknown> {
  const inRange = within(sql`partner_id`, range)
  const last = until ? sql`period <= ${run.period}` : sql`true`
  const ofLate = sql`${inRange} and period < ${since}
    and partner_id = any(array(select partner_id from late))`
  const others =
    run.mode === 'live'
      ? sql``
      : sql`join settlement_runs taker on taker.id = own.run_id and taker.released_at is not null`
  return sql`
    select entry.* from (
      ${everyEntry(sql`${inRange} and period >= ${since} and ${last}`)}
      union all
      select told.* from (${everyEntry(ofLate)}) told
      join late using (partner_id) where told.period >= late.since) entry
    join accounting_periods month using (period)
    where ${until ? sql`${sql.raw(withinMonth('entry.at'))} < ${until}` : sql`true`}
      and not exists (select from statement_entries own ${others}
        where own.kind = entry.kind and own.entry_id = entry.entry_id)`
}

const isNotLeftOut = (run: RunRow, partner: string) =>
  sql`not exists (select from settlement_exclusions exclusion
    where exclusion.run_id = ${run.id} and exclusion.partner_id = ${sql.ref(partner)})`

/**
 * Lets a live run take what is open of the partners in a range, and tells the figures of what it
 * took; a preview takes nothing and tells what it would. Opening is what the last statement
 * carried, held what is not due of everything taken so far.
 */
export async function takeFigures(
  trx: Trx,
  { run, range }: { run: RunRow; range: PartnerRange },
): Promise<StatementFigures[]> {
  const { period, cutoffAt } = run
  const bounds = await findBounds(trx, run)
  const inRange = within(sql`partner_id`, range)
  const late = monthsLeftOut(cutoffAt, (partner) => within(partner, range))
  const { until } = stretchOf(run.name)
  const open = sql`
    select kind, entry_id, partner_id, reseller_id, master_id, currency, period, figure,
      amount_minor
    from (${openEntries(bounds, { run, range, until })}) untaken
    where ${isNotLeftOut(run, 'untaken.partner_id')}`
  if (run.mode === 'live') {
    await sql`with late as (${late})
      insert into statement_entries (run_id, kind, entry_id, partner_id, reseller_id, master_id,
        currency, period, figure, amount_minor)
      select ${run.id}::uuid, taken.* from (${open}) taken`.execute(trx)
  }
  const own = sql`select * from statement_entries where run_id = ${run.id} and ${inRange}`
  const isSettled = (entry: { kind: EntryKind; id: string; period: string }) =>
    sql`(${sql.raw(entry.period)} <= ${bounds.through} or ${isTaken(entry)}
      or exists (select from mine where mine.kind = ${entry.kind}
        and mine.entry_id = ${sql.raw(entry.id)}))`
  const { rows } = await sql<StatementFigures>`
    with late as (${late}), mine as materialized (${run.mode === 'live' ? own : open}
    ), previous as (
      select distinct on (partner_id, currency) partner_id, currency, carried_minor
      from statements where issued_at is not null and ${inRange}
      order by partner_id, currency, period desc, id desc
    ), summed as (
      select partner_id, currency, min(period) as since,
        coalesce(sum(amount_minor) filter (where figure = 'earned'), 0) as earned,
        coalesce(sum(amount_minor) filter (where figure = 'clawed'), 0) as clawed,
        coalesce(sum(amount_minor) filter (where figure = 'adjusted'), 0) as adjusted
      from mine group by 1, 2
    ), ${heldBy({ period, cutoffAt, inRange, isSettled })}
    ), concerned as (
      select partner_id, currency from previous where carried_minor <> 0
      union select partner_id, currency from summed
    )
    select partner_id, currency, coalesce(previous.carried_minor, 0)::bigint as opening,
      coalesce(summed.earned, 0)::bigint as earned,
      coalesce(summed.clawed, 0)::bigint as clawed_back,
      coalesce(summed.adjusted, 0)::bigint as adjustments,
      greatest(coalesce(held.amount, 0), 0)::bigint as held,
      nullif(least(summed.since, ${run.cadence === 'weekly' ? period : run.sincePeriod}),
        ${period}) as since
    from concerned
    left join previous using (partner_id, currency)
    left join summed using (partner_id, currency)
    left join held using (partner_id, currency)
    where ${isNotLeftOut(run, 'concerned.partner_id')}
    order by partner_id, currency`.execute(trx)
  return rows
}

/**
 * Currencies in which what partners have accrued in the ledger is not what the drafts of a run
 * took and what nobody has taken yet. Empty when the books are right.
 */
export async function listUntakenDifferences(trx: Trx, run: RunRow) {
  const everybody = { after: null, last: null }
  const bounds = await findBounds(trx, run)
  const late = monthsLeftOut(run.cutoffAt, (partner) => within(partner, everybody))
  const { rows } = await sql<{ currency: string; statements: bigint; ledger: bigint }>`
    with late as (${late}), told as (
      select currency, sum(earned_minor - clawed_back_minor + adjustments_minor) as net
      from statements where run_id = ${run.id} group by 1
      union all
      select currency, sum(case figure when 'clawed' then -amount_minor else amount_minor end)
      from (${openEntries(bounds, { run, range: everybody, until: null })}) untaken group by 1
    ), statement_side as (
      select currency, sum(net) as net from told group by 1
    ), ledger_side as (
      select account.currency, sum(balance.credits_minor - balance.debits_minor) as net
      from ledger_accounts account join ledger_balances balance on balance.account_id = account.id
      where account.purpose = 'partner_accrued' group by 1
    )
    select currency, coalesce(statement_side.net, 0)::bigint as statements,
      coalesce(ledger_side.net, 0)::bigint as ledger
    from statement_side full join ledger_side using (currency)
    where coalesce(statement_side.net, 0) <> coalesce(ledger_side.net, 0)`.execute(trx)
  return rows
}

/**
 * Whether a run has to take entries one by one: a live week does, and so does every run over
 * months of which live weeks have taken something, or would have.
 */
export async function needsEntries(
  db: Db,
  run: RunRow,
  { isWeekly }: { isWeekly: boolean },
): Promise<boolean> {
  if (run.cadence === 'weekly' && (isWeekly || run.mode === 'live')) return true
  const { rows } = await sql<{ needed: boolean }>`
    with late as (${monthsLeftOut(run.cutoffAt, () => sql`true`)})
    select exists (select from settlement_runs taker
      where taker.programme_id = ${run.programmeId} and taker.mode = 'live'
        and taker.cancelled_at is null and taker.takes_entries and taker.id <> ${run.id}
        and taker.period >= least(${run.sincePeriod}, (select min(since) from late))) as needed
  `.execute(db)
  return rows[0]?.needed ?? false
}
