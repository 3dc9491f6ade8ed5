/** Invariants between our books and what the payment processor says of the platform's balance. */
import { ownFeeTypes } from './balance.ts'

/** How long what Stripe told may wait for its journal. */
const matchHours = 24
/** How long a payment may lie in clearing after the last thing that happened to it. */
const clearingDays = 10
/** How long a payout that nothing holds may be on its way. */
const transitDays = 3

const ownFees = ownFeeTypes.map((type) => `'${type}'`).join(', ')

export const processorMatch = `with moved as (
    select leg.journal_id, leg.currency, sum(case when d.purpose = 'stripe_balance'
      then leg.amount_minor else -leg.amount_minor end)::bigint as amount
    from ledger_postings leg
    join ledger_accounts d on d.id = leg.debit_account_id
    join ledger_accounts c on c.id = leg.credit_account_id
    where 'stripe_balance' in (d.purpose, c.purpose)
    group by 1, 2
  )
  select t.vendor_txn_id, t.type, t.currency, t.net_minor, moved.amount
  from stripe_txns t
  left join moved using (journal_id, currency)
  left join payments p on p.vendor_charge_id = t.vendor_charge_id
  left join payout_attempts a on a.vendor_transfer_id = t.vendor_source_id and t.type = 'transfer'
  where coalesce(moved.amount, 0) <> t.net_minor
    and (p.id is not null or a.id is not null or t.journal_id is not null
      or (t.type in (${ownFees})
        and exists (select from payments where paid_at <= t.created_at)))
    -- From when it could be booked: it is told, available, and what it is about is in the books.
    and greatest(t.available_at, t.recorded_at, p.recorded_at, a.finished_at)
      < now() - interval '${matchHours} hours'`

/**
 * Clearing by invoice, because parts of an invoice round against each other. What no movement of
 * the balance settles stays and is known: credit notes, and what went back beyond what was paid.
 * What was not paid through Stripe has no charge, and nothing there ever clears it.
 */
export const clearingAtRest = `(
  with source as (
    select l.id as source_id, l.payment_id from line_payments l
    union all
    select back.id, l.payment_id from line_reversals back
      join line_payments l on l.id = back.line_payment_id
    union all
    select t.id, p.id from stripe_txns t
      join payments p on p.vendor_charge_id = t.vendor_charge_id
  ), cleared as (
    select coalesce(p.vendor_invoice_id, j.source_id::text) as source, leg.currency,
      sum(case when d.purpose = 'stripe_clearing'
        then leg.amount_minor else -leg.amount_minor end) as amount,
      max(j.posted_at) as moved_at
    from ledger_postings leg
    join ledger_journals j on j.id = leg.journal_id
    join ledger_accounts d on d.id = leg.debit_account_id
    join ledger_accounts c on c.id = leg.credit_account_id
    left join source on source.source_id = j.source_id
    left join payments p on p.id = source.payment_id
    where 'stripe_clearing' in (d.purpose, c.purpose)
      and (p.id is null or p.vendor_charge_id is not null)
    group by 1, 2
  ), asked as (
    select p.vendor_invoice_id as source, back.cause,
      coalesce(max(back.nominal_minor), sum(back.gross_minor)) as nominal,
      sum(back.gross_minor) as gross, max(back.recorded_at) as recorded_at
    from line_reversals back
    join line_payments l on l.id = back.line_payment_id
    join payments p on p.id = l.payment_id and p.vendor_charge_id is not null
    group by 1, 2, p.id, back.vendor_source_id
  ), staying as (
    select source, max(recorded_at) as recorded_at,
      coalesce(sum(nominal) filter (where cause not like 'credit_note%'), 0) - sum(gross) as amount
    from asked group by 1
  ), parts as (
    -- An invoice that was paid in parts and not whole lacks less than a unit of each amount.
    select p.vendor_invoice_id as source,
      case when bool_and(l.whole) then 0 else 2 * count(distinct l.vendor_line_id) end as units
    from line_payments l join payments p on p.id = l.payment_id
    group by 1
  )
  select 'stripe_clearing' as account, source, cleared.currency,
    cleared.amount::bigint as amount
  from cleared
  left join staying using (source)
  left join parts using (source)
  where (cleared.amount > coalesce(staying.amount, 0)
      or cleared.amount < coalesce(staying.amount, 0) - coalesce(parts.units, 0))
    and greatest(cleared.moved_at, staying.recorded_at)
      < now() - interval '${clearingDays} days'
    and not exists (
      select from payments p join stripe_txns t on t.vendor_charge_id = p.vendor_charge_id
      where p.vendor_invoice_id = source and greatest(t.available_at, t.recorded_at)
        >= now() - interval '${clearingDays} days')
    -- Stripe keeps the money of an open dispute until it is decided.
    and not exists (
      select from payments p join disputes d on d.payment_id = p.id
      where p.vendor_invoice_id = source and (d.status = 'open'
        or d.closed_at >= now() - interval '${clearingDays} days')))`

/** A held payout waits for who holds it, and one behind an empty balance for money. */
export const transitAtRest = `(
  select 'payout_in_transit', o.id::text, o.currency, o.amount_minor
  from payouts o
  left join payout_accounts account on account.partner_id = o.partner_id
  where o.status in ('approved', 'in_flight', 'unknown')
    and greatest(o.created_at, account.checked_at,
      to_date(o.pay_on, 'YYYY-MM-DD')::timestamp at time zone 'UTC', (
        select max(greatest(a.first_sent_at, a.finished_at)) from payout_attempts a
        where a.payout_id = o.id and (o.status = 'approved' or a.finished_at is null)),
        (select max(released_at) from partner_holds hold
          where hold.partner_id = o.partner_id))
      < now() - interval '${transitDays} days'
    and not (o.status = 'approved' and exists (
      select from payout_attempts a join payouts other on other.id = a.payout_id
      where other.run_id = o.run_id and a.problem = 'insufficient_balance'
        and a.finished_at >= now() - interval '${transitDays} days')))`

/** What holds between the ledger and Stripe's balance; `db/invariants.ts` runs them. */
export const processorInvariants = [
  {
    id: 'I18',
    says: 'what Stripe moved of the balance is what its journal moved',
    query: processorMatch,
  },
  {
    id: 'I20',
    says: 'nothing stays in clearing or in transit beyond its time',
    query: `${clearingAtRest} union all ${transitAtRest}`,
  },
]
