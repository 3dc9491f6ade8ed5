/** What statements keep of payouts where much is disputed, and what became of it. */
import { type RawBuilder, sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { ReserveMove, RiskVolume } from '../../domain/reserve-moves.ts'
import type { KeptReserve, ReserveEnd } from '../../domain/reserves.ts'
import type { Db, Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'

/** What issued statements have ended of the reserve of a row. */
const ended = (reserve: string) => sql`coalesce((
  select sum(gone.amount_minor) from reserve_ends gone
  join statements told on told.id = gone.statement_id and told.issued_at is not null
  where gone.reserve_id = ${sql.ref(reserve)}), 0)::bigint`

/** Of issued statements, every reserve with what is left of it. */
export const keptReserves: RawBuilder<unknown> = sql`(
  select reserve.id, reserve.partner_id, reserve.currency, reserve.until,
    reserve.amount_minor - ${ended('reserve.id')} as remaining
  from partner_reserves reserve
  join statements taken on taken.id = reserve.statement_id and taken.issued_at is not null)`

interface OfPartner {
  partnerId: string
  currency: string
}

/** What is left of the reserves of these partners, the oldest first. */
export async function listKeptReserves(
  trx: Trx,
  partnerIds: string[],
): Promise<(OfPartner & KeptReserve)[]> {
  if (partnerIds.length === 0) return []
  const { rows } = await sql<OfPartner & KeptReserve>`
    select kept.id, partner_id, currency, until, remaining as left,
      exists (select from reserve_releases early where early.reserve_id = kept.id) as released
    from ${keptReserves} kept
    where partner_id = any(${partnerIds}::uuid[]) and remaining > 0
    order by kept.id`.execute(trx)
  return rows
}

export interface RiskWindow {
  from: Date
  /** The end of the period that is settled; not in the window any more. */
  until: Date
}

/**
 * Of partners with disputes in a window, what customers paid on lines that the partner earns of,
 * and what of it banks wanted back and were not refused. Both are gross, and each by its own time.
 */
export async function listRiskVolumes(
  trx: Trx,
  { partnerIds, window }: { partnerIds: string[]; window: RiskWindow },
): Promise<(OfPartner & RiskVolume)[]> {
  if (partnerIds.length === 0) return []
  const { from, until } = window
  const { rows } = await sql<OfPartner & RiskVolume>`
    with contested as (
      select distinct accrual.partner_id, accrual.currency, dispute.id, dispute.amount_minor
      from disputes dispute
      join line_payments line on line.payment_id = dispute.payment_id
      join accruals accrual on accrual.line_payment_id = line.id
      where dispute.status <> 'won'
        and dispute.opened_at >= ${from} and dispute.opened_at < ${until}
        and accrual.partner_id = any(${partnerIds}::uuid[])
    ), risky as (
      select partner_id, currency, sum(amount_minor)::bigint as disputed
      from contested group by 1, 2
    )
    select partner_id, currency, disputed, (
      select coalesce(sum(line.base_minor + line.tax_minor), 0)::bigint from line_payments line
      where line.paid_at >= ${from} and line.paid_at < ${until} and line.id in (
        select accrual.line_payment_id from accruals accrual
        where accrual.partner_id = risky.partner_id and accrual.currency = risky.currency
          and accrual.period in (select period from accounting_periods
            where ends_at > ${from} and starts_at < ${until}))) as paid
    from risky`.execute(trx)
  return rows
}

export interface NewReserve extends OfPartner {
  amount: bigint
  volume: RiskVolume
  aboveBps: number
  keepBps: number
}

export interface NewEnd extends OfPartner, ReserveEnd {}

/** Keeps what the drafts of a run reserve and end; a draft that is removed takes its own along. */
export async function recordReserves(
  trx: Trx,
  run: { id: string; window: RiskWindow; keptUntil: Date },
  { reserves, ends }: { reserves: NewReserve[]; ends: NewEnd[] },
): Promise<void> {
  if (reserves.length > 0) {
    await sql`
      insert into partner_reserves (statement_id, partner_id, currency, amount_minor, window_from,
        paid_minor, disputed_minor, above_bps, keep_bps, kept_since, until)
      select draft.id, partner_id, currency, amount, ${run.window.from}, paid, disputed, above,
        keep, ${run.window.until}, ${run.keptUntil}
      from unnest(${reserves.map(({ partnerId }) => partnerId)}::uuid[],
        ${reserves.map(({ currency }) => currency)}::text[],
        ${reserves.map(({ amount }) => amount)}::bigint[],
        ${reserves.map(({ volume }) => volume.paid)}::bigint[],
        ${reserves.map(({ volume }) => volume.disputed)}::bigint[],
        ${reserves.map(({ aboveBps }) => aboveBps)}::int[],
        ${reserves.map(({ keepBps }) => keepBps)}::int[])
        own (partner_id, currency, amount, paid, disputed, above, keep)
      join statements draft using (partner_id, currency)
      where draft.run_id = ${run.id}
      on conflict (statement_id) do nothing`.execute(trx)
  }
  if (ends.length > 0) {
    await sql`
      insert into reserve_ends (statement_id, reserve_id, partner_id, cause, amount_minor)
      select draft.id, reserve_id, partner_id, cause, amount
      from unnest(${ends.map(({ partnerId }) => partnerId)}::uuid[],
        ${ends.map(({ currency }) => currency)}::text[], ${ends.map(({ id }) => id)}::uuid[],
        ${ends.map(({ cause }) => cause)}::text[], ${ends.map(({ amount }) => amount)}::bigint[])
        own (partner_id, currency, reserve_id, cause, amount)
      join statements draft using (partner_id, currency)
      where draft.run_id = ${run.id}
      on conflict (statement_id, reserve_id) do nothing`.execute(trx)
  }
}

/** What a statement does with reserves: what it keeps itself, then what it ends. */
export async function listReserveMoves(db: Db, statementId: string): Promise<ReserveMove[]> {
  const { rows } = await sql<Omit<ReserveMove, 'volume'> & RiskVolume>`
    select reserve.id, move.what, coalesce(kept_by.period_name, kept_by.period) as period,
      move.amount, reserve.until, reserve.window_from, reserve.above_bps,
      reserve.paid_minor as paid, reserve.disputed_minor as disputed
    from (
      select id as reserve_id, 'kept' as what, amount_minor as amount from partner_reserves
      where statement_id = ${statementId}
      union all
      select reserve_id, cause, amount_minor from reserve_ends where statement_id = ${statementId}
    ) move
    join partner_reserves reserve on reserve.id = move.reserve_id
    join statements kept_by on kept_by.id = reserve.statement_id
    order by move.what <> 'kept', reserve.id`.execute(db)
  return rows.map(({ paid, disputed, ...move }) => ({ ...move, volume: { paid, disputed } }))
}

export interface ReserveRow {
  id: string
  statementId: string
  partnerId: string
  currency: string
  period: string
  amount: bigint
  /** What is left of it; 0 where it has ended. */
  left: bigint
  windowFrom: Date
  paid: bigint
  disputed: bigint
  aboveBps: number
  keepBps: number
  keptSince: Date
  until: Date
  releasedAt: Date | null
  releaseReason: string | null
}

const reserveRows = (filter: RawBuilder<unknown>) => sql<ReserveRow>`
  select reserve.id, reserve.statement_id, reserve.partner_id, reserve.currency,
    coalesce(statement.period_name, statement.period) as period, reserve.amount_minor as amount,
    reserve.amount_minor - ${ended('reserve.id')} as left, reserve.window_from,
    reserve.paid_minor as paid, reserve.disputed_minor as disputed, reserve.above_bps,
    reserve.keep_bps, reserve.kept_since, reserve.until, early.released_at,
    early.reason as release_reason
  from partner_reserves reserve
  join statements statement on statement.id = reserve.statement_id
    and statement.issued_at is not null
  left join reserve_releases early on early.reserve_id = reserve.id
  where ${filter}`

/** Reserves of issued statements, the newest first. */
export async function listReserves(
  db: Db,
  filter: PageRequest & { partnerId?: string | undefined; isKept?: boolean | undefined },
): Promise<Page<ReserveRow>> {
  const { partnerId, isKept, after, limit } = filter
  const filters = [
    after ? sql`reserve.id < ${after}::uuid` : sql`true`,
    partnerId ? sql`reserve.partner_id = ${partnerId}::uuid` : sql`true`,
    isKept === undefined
      ? sql`true`
      : sql`(reserve.amount_minor > ${ended('reserve.id')}) = ${isKept}`,
  ]
  const { rows } = await sql<ReserveRow>`${reserveRows(sql.join(filters, sql` and `))}
    order by reserve.id desc limit ${limit + 1}`.execute(db)
  return pageOf(rows, limit)
}

export async function findReserve(db: Db, id: string): Promise<ReserveRow | undefined> {
  const { rows } = await reserveRows(sql`reserve.id = ${id}::uuid`).execute(db)
  return rows[0]
}

/**
 * Lets a reserve go before its time: statements that are drafted from now on pay it.
 * @throws DomainError `conflict` where it has ended, or was let go before.
 */
export async function recordReserveRelease(
  trx: Trx,
  release: { id: string; reason: string; memberId: string | null },
): Promise<void> {
  const { rows } = await sql`
    insert into reserve_releases (reserve_id, partner_id, reason, released_by)
    select kept.id, kept.partner_id, ${release.reason}, ${release.memberId}::uuid
    from ${keptReserves} kept where kept.id = ${release.id}::uuid and kept.remaining > 0
    on conflict (reserve_id) do nothing
    returning reserve_id`.execute(trx)
  if (rows.length === 0) throw new DomainError('conflict', 'this reserve has ended, or is let go')
}
