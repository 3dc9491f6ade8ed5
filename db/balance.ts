/** Stripe's balance transactions as Stripe told them, and which of them are booked. */
import { sql } from 'kysely'
import type { Db, Trx } from './database.ts'
import type { StripeTxnsTable } from './schema.ts'

/** Fees that Stripe takes for its own services and not for one payment. */
export const ownFeeTypes = ['stripe_fee', 'stripe_fx_fee', 'tax_fee']

export interface NewBalanceTransaction
  extends Pick<StripeTxnsTable, 'vendorTxnId' | 'type' | 'vendorSourceId' | 'vendorChargeId'> {
  currency: string
  amountMinor: bigint
  feeMinor: bigint
  netMinor: bigint
  settlesCurrency: string | null
  settlesMinor: bigint | null
  /** Of transfers, and of what comes back of them. */
  vendorTransferId: string | null
  vendorAccountId: string | null
  payoutId: string | null
  createdAt: Date
  availableAt: Date
}

/** Keeps what is new. @returns how many that are. */
export async function recordBalanceTransactions(
  trx: Trx,
  transactions: NewBalanceTransaction[],
): Promise<number> {
  if (transactions.length === 0) return 0
  const inserted = await trx
    .insertInto('stripeTxns')
    .values(transactions)
    .onConflict((conflict) => conflict.column('vendorTxnId').doNothing())
    .returning('id')
    .execute()
  return inserted.length
}

/** What is read next: everything from an instant on, after a place in the list. */
export interface MirrorWalk {
  from: Date
  after: string | null
}

/**
 * The walk that is under way, or a new one. It begins an hour before what is complete, because a
 * list can be late; the first of all begins a month before our first payment.
 * @returns undefined as long as nobody has paid anything.
 */
export async function findMirrorWalk(db: Db): Promise<MirrorWalk | undefined> {
  await sql`
    insert into stripe_mirror (complete_to)
    select min(paid_at) - interval '31 days' from payments
    where not exists (select from stripe_mirror)
    having count(*) > 0
    on conflict do nothing`.execute(db)
  const { rows } = await sql<MirrorWalk>`
    select complete_to - interval '1 hour' as from, walk_after as after
    from stripe_mirror`.execute(db)
  return rows[0]
}

/**
 * Goes on behind a page, or ends the walk: then everything is there up to the newest that it saw,
 * and never beyond now. Whoever has read the same page meanwhile changes nothing.
 */
export async function markWalked(
  trx: Trx,
  walk: MirrorWalk,
  page: { newest: Date | null; next: string | null },
): Promise<void> {
  const { newest, next } = page
  await sql`
    update stripe_mirror set
      complete_to = case when ${next}::text is null
        then greatest(complete_to, least(clock_timestamp(),
          coalesce(greatest(walk_newest, ${newest}::timestamptz), complete_to)))
        else complete_to end,
      walk_after = ${next},
      walked_at = case when ${next}::text is null then clock_timestamp() else walked_at end,
      walk_newest = case when ${next}::text is null then null
        else greatest(walk_newest, ${newest}::timestamptz) end
    where walk_after is not distinct from ${walk.after}`.execute(trx)
}

/** Names the journal of each of our transfers: paying it has moved the balance already. */
export async function matchTransfers(trx: Trx): Promise<number> {
  const { rows } = await sql`
    update stripe_txns txn set journal_id = journal.id
    from payout_attempts attempt
    -- The first transfer of a payout is booked under the payout, a later one under its attempt.
    join ledger_journals journal on journal.kind = 'payout_paid'
      and journal.source_id = case when exists (select from payout_attempts gone
          where gone.payout_id = attempt.payout_id and gone.status = 'reversed'
            and gone.attempt_no < attempt.attempt_no)
        then attempt.id else attempt.payout_id end
    where txn.type = 'transfer' and txn.journal_id is null
      and attempt.vendor_transfer_id = txn.vendor_source_id
    returning txn.id`.execute(trx)
  const { rows: reversals } = await sql`
    update stripe_txns txn set journal_id = journal.id
    from payout_attempts attempt
    join ledger_journals journal on journal.kind = 'payout_reversal'
      and journal.source_type = 'payout_attempt' and journal.source_id = attempt.id
    where txn.type = 'transfer_refund' and txn.journal_id is null
      and attempt.vendor_reversal_id = txn.vendor_source_id
    returning txn.id`.execute(trx)
  return rows.length + reversals.length
}

export interface DueTransaction {
  id: string
  /** Of Stripe's own services, and of no payment. */
  ownFee: boolean
  currency: string
  fee: bigint
  net: bigint
  settlesCurrency: string | null
  settles: bigint | null
  /** When Stripe told of it; never before the payment that it is about. */
  toldAt: Date
  availableAt: Date
  /** Whether Stripe kept something of it that is not booked yet. */
  feeDue: boolean
  /** Whether what it moved is available and not booked yet. */
  fundsDue: boolean
}

/**
 * The oldest transactions of ours of which something is to be booked now. Fees that are of no
 * payment are ours from the first payment on: an earlier month would never be settled.
 */
export async function listDueTransactions(trx: Trx, limit: number): Promise<DueTransaction[]> {
  const { rows } = await sql<DueTransaction>`
    select * from (
      select txn.id, txn.type = any(${ownFeeTypes}) as own_fee, txn.currency,
        txn.fee_minor as fee, txn.net_minor as net,
        txn.settles_currency, txn.settles_minor as settles,
        greatest(txn.created_at, payment.paid_at) as told_at, txn.available_at,
        txn.fee_minor <> 0 and txn.fee_journal_id is null
          and txn.type <> all(${ownFeeTypes}) as fee_due,
        txn.journal_id is null and txn.available_at <= clock_timestamp()
          and (txn.net_minor <> 0 or coalesce(txn.settles_currency <> txn.currency, false))
          as funds_due
      from stripe_txns txn
      left join payments payment on payment.vendor_charge_id = txn.vendor_charge_id
      where (txn.journal_id is null or (txn.fee_minor <> 0 and txn.fee_journal_id is null))
        and case when txn.type = any(${ownFeeTypes})
          then exists (select from payments where paid_at <= txn.created_at)
          else payment.id is not null end) due
    where fee_due or funds_due
    order by told_at, id limit ${limit}`.execute(trx)
  return rows
}

/** Names the journals of these transactions on their rows. */
export async function markBooked(trx: Trx, ids: string[]): Promise<void> {
  await sql`
    update stripe_txns txn set
      fee_journal_id = coalesce(txn.fee_journal_id, booked.fee_journal_id),
      journal_id = coalesce(txn.journal_id, booked.journal_id)
    from (
      select source_id, min(id) filter (where kind = 'processor_fee') as fee_journal_id,
        min(id) filter (where kind <> 'processor_fee') as journal_id
      from ledger_journals
      where source_type = 'stripe_txn' and source_id = any(${ids}::uuid[])
        and kind in ('processor_fee', 'funds_available', 'funds_withdrawn')
      group by source_id) booked
    where txn.id = booked.source_id`.execute(trx)
}
