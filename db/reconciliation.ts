/**
 * Holds the books beside what Stripe says: what was sent and what came back, transfer by transfer,
 * and what stays in clearing. A difference is kept from when it was first seen until it is gone.
 */
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { matchTransfers } from './balance.ts'
import { type Db, lockName, type Trx } from './database.ts'
import { clearingAtRest, processorMatch, transitAtRest } from './processor-invariants.ts'

/** Half-open. */
export interface TimeRange {
  from: Date
  until: Date
}

const transferTypes = sql`('transfer', 'transfer_refund', 'transfer_cancel', 'transfer_failure')`

/** Younger than this when the mirror was last complete, it may still come. */
const settledBefore = sql`(select walked_at - interval '24 hours' from stripe_mirror)`

/** What the books say they moved by transfers, each beside the transaction that it became. */
const sentIn = ({ from, until }: TimeRange) => sql`
  select j.id as journal_id, j.effective_at as happened_at,
    case j.source_type when 'payout' then j.source_id else sent.payout_id end as payout_id,
    sent.vendor_transfer_id, sent.destination, moved.currency, moved.amount,
    txn.vendor_txn_id, txn.currency as found_currency, txn.net_minor as found,
    txn.vendor_account_id
  from ledger_journals j
  cross join lateral (
    select leg.currency, sum(case when d.purpose = 'stripe_balance'
      then leg.amount_minor else -leg.amount_minor end)::bigint as amount
    from ledger_postings leg
    join ledger_accounts d on d.id = leg.debit_account_id
    join ledger_accounts c on c.id = leg.credit_account_id
    where leg.journal_id = j.id and 'stripe_balance' in (d.purpose, c.purpose)
    group by 1) moved
  left join lateral (
    select a.payout_id, a.vendor_transfer_id, a.request ->> 'destination' as destination
    from payout_attempts a
    where j.source_id = case j.source_type when 'payout' then a.payout_id else a.id end
      and a.vendor_transfer_id is not null
    order by a.attempt_no limit 1) sent on true
  left join stripe_txns txn on txn.journal_id = j.id
  where j.kind in ('payout_paid', 'payout_reversal')
    and j.effective_at >= ${from} and j.effective_at < ${until}`

/** Why one of them is a break; null where it is none, or may still come. */
const breakOfSent = sql`case
  when vendor_txn_id is null
    then case when happened_at < ${settledBefore} then 'missing_at_stripe' end
  when found_currency <> currency then 'currency'
  when found <> amount then 'amount'
  when amount < 0 and vendor_account_id <> destination then 'destination' end`

/** Transfers, and what came back of them, that Stripe shows in the name of a payout of ours. */
const unbookedIn = ({ from, until }: TimeRange) => sql`
  select txn.*, coalesce(a.payout_id, named.id) as known_payout_id
  from stripe_txns txn
  left join payout_attempts a on a.vendor_transfer_id = coalesce(txn.vendor_transfer_id,
    case txn.type when 'transfer' then txn.vendor_source_id end)
  left join payouts named on named.id = txn.payout_id
  where txn.type in ${transferTypes} and txn.journal_id is null
    and (a.id is not null or txn.payout_id is not null)
    and txn.created_at >= ${from} and txn.created_at < ${until}`

const transferBreaks = (range: TimeRange) => sql`
  select kind, 'journal:' || journal_id as subject, payout_id,
    vendor_transfer_id as vendor_id, currency, amount as expected_minor,
    found_currency, found as found_minor, happened_at
  from (select ${breakOfSent} as kind, * from (${sentIn(range)}) sent) judged
  where kind is not null
  union all
  select 'unknown_at_stripe', 'txn:' || vendor_txn_id, known_payout_id,
    coalesce(vendor_transfer_id, vendor_source_id, vendor_txn_id), null, null, currency,
    net_minor, created_at
  from (${unbookedIn(range)}) unbooked
  where created_at < ${settledBefore}`

/** Movements that are not what was booked of them, and what stays where it may not. */
const standingBreaks = sql`
  select 'amount' as kind, 'txn:' || txn.vendor_txn_id as subject, null::uuid as payout_id,
    txn.vendor_txn_id as vendor_id, txn.currency, coalesce(off.amount, 0) as expected_minor,
    txn.currency as found_currency, txn.net_minor as found_minor, txn.created_at as happened_at
  from (${sql.raw(processorMatch)}) off
  join stripe_txns txn using (vendor_txn_id)
  where txn.type not in ${transferTypes}
  union all
  select 'clearing_age', 'stripe_clearing:' || source || ':' || currency, null, source, currency,
    0, currency, amount,
    coalesce((select min(paid_at) from payments where vendor_invoice_id = source),
      clock_timestamp())
  from ${sql.raw(clearingAtRest)} clearing
  union all
  select 'clearing_age', 'payout_in_transit:' || o.id, o.id, null, o.currency, 0, o.currency,
    o.amount_minor, o.created_at
  from ${sql.raw(transitAtRest)} transit (account, id, currency, amount)
  join payouts o on o.id = transit.id::uuid`

export interface KeptBreaks {
  /** Seen for the first time. */
  added: number
  /** Not there any more. */
  gone: number
}

/**
 * Keeps what was found within a scope: a new break is a row, one whose figures changed has the new
 * ones, and one that is not found any more is gone. What a person has explained comes back only
 * with other figures.
 */
async function keep(
  trx: Trx,
  found: RawBuilder<unknown>,
  scope: RawBuilder<SqlBool>,
): Promise<KeptBreaks> {
  const figures = sql.raw('currency, expected_minor, found_currency, found_minor')
  const same = sql`(b.currency, b.expected_minor, b.found_currency, b.found_minor)
    is not distinct from (f.currency, f.expected_minor, f.found_currency, f.found_minor)`
  const { rows } = await sql<KeptBreaks>`
    with found as materialized (select distinct on (kind, subject) * from (${found}) every_one),
    changed as (
      update recon_breaks b set (${figures}) =
        (f.currency, f.expected_minor, f.found_currency, f.found_minor)
      from found f
      where (b.kind, b.subject) = (f.kind, f.subject) and b.resolved_at is null and not ${same}
    ), added as (
      insert into recon_breaks (kind, subject, payout_id, vendor_id, ${figures}, happened_at)
      select kind, subject, payout_id, vendor_id, ${figures}, happened_at from found f
      where not exists (select from recon_breaks b
        where (b.kind, b.subject) = (f.kind, f.subject)
          and (b.resolved_at is null or b.resolution = 'by_person' and ${same}))
      returning id
    ), gone as (
      update recon_breaks b set resolved_at = clock_timestamp(), resolution = 'gone'
      where b.resolved_at is null and ${scope} and not exists (select from found f
        where (b.kind, b.subject) = (f.kind, f.subject))
      returning id
    )
    select (select count(*) from added)::int as added,
      (select count(*) from gone)::int as gone`.execute(trx)
  return rows[0] ?? { added: 0, gone: 0 }
}

/** One at a time: two would find the same break for the first time. */
const lockReconciliation = (trx: Trx) => lockName(trx, 'reconciliation')

/** Compares every transfer of a time with the transaction that it became, and keeps the breaks. */
export async function reconcileTransfers(trx: Trx, range: TimeRange): Promise<KeptBreaks> {
  await lockReconciliation(trx)
  await matchTransfers(trx)
  const scope = sql<SqlBool>`(b.subject like 'journal:%' or b.kind = 'unknown_at_stripe')
    and b.happened_at >= ${range.from} and b.happened_at < ${range.until}`
  return keep(trx, transferBreaks(range), scope)
}

/** Looks at every movement that is not booked as it was told, and at what stays in clearing. */
export async function reconcileStanding(trx: Trx): Promise<KeptBreaks> {
  await lockReconciliation(trx)
  const scope = sql<SqlBool>`b.kind = 'clearing_age'
    or b.kind = 'amount' and b.subject like 'txn:%'`
  return keep(trx, standingBreaks, scope)
}

/** How many days back is looked at each day; a break of an older one is looked at again, too. */
const daysBack = 35

/** The next days to compare, like `2026-10-31`. */
export async function listDaysToReconcile(
  db: Db,
  { after, limit }: { after: string | null; limit: number },
): Promise<string[]> {
  const { rows } = await sql<{ day: string }>`
    select to_char(day, 'YYYY-MM-DD') as day from (
      select generate_series(today - ${sql.lit(daysBack - 1)}, today, interval '1 day')::date as day
      from (select (clock_timestamp() at time zone 'UTC')::date as today) clock
      union
      select (happened_at at time zone 'UTC')::date from recon_breaks
      where resolved_at is null and (subject like 'journal:%' or kind = 'unknown_at_stripe')
    ) days
    where day > coalesce(${after}::date, date '-infinity')
    order by day limit ${limit}`.execute(db)
  return rows.map(({ day }) => day)
}

export interface Matched {
  currency: string
  count: number
  /** What left the balance, less what came back to it. */
  amount: bigint
}

export interface ReconciliationSummary {
  matched: Matched[]
  /** Sent, and not old enough to be missed. */
  pending: number
  /** What moved the balance and is none of the books' concern, by what Stripe calls it. */
  outside: (Matched & { type: string })[]
  /** When Stripe's ledger was last read to its end; null before the first time. */
  mirroredAt: Date | null
}

/** What agrees in a time, and what has no place in the books. */
export async function summarizeReconciliation(
  db: Db,
  range: TimeRange,
): Promise<ReconciliationSummary> {
  const matched = await sql<Matched>`
    select currency, count(*)::int as count, -sum(amount)::bigint as amount
    from (select ${breakOfSent} as kind, * from (${sentIn(range)}) sent) judged
    where kind is null and vendor_txn_id is not null group by 1 order by 1`.execute(db)
  const pending = await sql<{ count: number }>`
    select count(*)::int as count
    from (select ${breakOfSent} as kind, * from (${sentIn(range)}) sent) judged
    where kind is null and vendor_txn_id is null`.execute(db)
  const outside = await sql<Matched & { type: string }>`
    select txn.type, txn.currency, count(*)::int as count, sum(txn.net_minor)::bigint as amount
    from stripe_txns txn
    left join payments p on p.vendor_charge_id = txn.vendor_charge_id
    left join payout_attempts a on a.vendor_transfer_id = coalesce(txn.vendor_transfer_id,
      case txn.type when 'transfer' then txn.vendor_source_id end)
    where txn.journal_id is null and txn.fee_journal_id is null
      and p.id is null and a.id is null and txn.payout_id is null
      and txn.created_at >= ${range.from} and txn.created_at < ${range.until}
    group by 1, 2 order by 1, 2`.execute(db)
  const mirror = await db.selectFrom('stripeMirror').select('walkedAt').executeTakeFirst()
  return {
    matched: matched.rows,
    pending: pending.rows[0]?.count ?? 0,
    outside: outside.rows,
    mirroredAt: mirror?.walkedAt ?? null,
  }
}
