/**
 * What must hold at every commit, as queries that return the rows that break it: none. Anyone may
 * run them; `npm run ledger:check` runs them all, and a violation stops payouts.
 */
import { sql } from 'kysely'
import type { Db } from './database.ts'
import { processorInvariants } from './processor-invariants.ts'
import { recomputed } from './recompute.ts'
import { brokenSeals } from './seals.ts'
import { reserveInvariants } from './settlement/reserve-invariants.ts'
import { selfBillingInvariants } from './tax/self-billing-invariants.ts'

export interface Invariant {
  id: string
  /** What holds, in one sentence. */
  says: string
  query: string
}

const ledgerInvariants: Invariant[] = [
  {
    id: 'I01',
    says: 'every journal has postings',
    query: `select j.id from ledger_journals j
      left join ledger_postings p on p.journal_id = j.id where p.id is null`,
  },
  {
    id: 'I02',
    says: 'debits equal credits in every currency',
    query: `select currency from (
        select d.currency, p.amount_minor as amount from ledger_postings p
          join ledger_accounts d on d.id = p.debit_account_id
        union all
        select c.currency, -p.amount_minor from ledger_postings p
          join ledger_accounts c on c.id = p.credit_account_id) side
      group by currency having sum(amount) <> 0`,
  },
  {
    id: 'I03',
    says: 'a balance that is kept is the sum of the postings of its account',
    query: `select account_id from (
        select account_id, sum(debit) as debit, sum(credit) as credit from (
          select debit_account_id as account_id, amount_minor as debit, 0 as credit
            from ledger_postings
          union all select credit_account_id, 0, amount_minor from ledger_postings) side
        join ledger_accounts a on a.id = account_id and has_balance(a.purpose)
        group by account_id) posted
      full join ledger_balances b using (account_id)
      where coalesce(posted.debit, 0) <> coalesce(b.debits_minor, 0)
        or coalesce(posted.credit, 0) <> coalesce(b.credits_minor, 0)`,
  },
  {
    id: 'I04',
    says: 'no account lies on the wrong side unless it may',
    query: `select a.id, a.purpose, a.currency, sum(side.amount) as balance
      from ledger_accounts a join (
        select debit_account_id as account_id, amount_minor as amount from ledger_postings
        union all select credit_account_id, -amount_minor from ledger_postings) side
        on side.account_id = a.id
      where not a.allow_contra
      group by a.id
      having sum(side.amount) * case a.normal_side when 'debit' then 1 else -1 end < 0`,
  },
  {
    id: 'I15',
    says: 'nothing is posted into a closed period',
    query: `select j.id from ledger_journals j join accounting_periods p using (period)
      where p.status = 'closed' and j.posted_at > p.closed_at`,
  },
  {
    id: 'I17',
    says: 'a posting and both its accounts have one currency',
    query: `select p.id from ledger_postings p
      join ledger_accounts d on d.id = p.debit_account_id
      join ledger_accounts c on c.id = p.credit_account_id
      where d.currency <> p.currency or c.currency <> p.currency`,
  },
  {
    id: 'I19',
    says: 'every seal follows on the one before and is the hash of its journals',
    query: brokenSeals,
  },
]

const commissionInvariants: Invariant[] = [
  {
    id: 'I05',
    says: 'every partner has an accrual on every paid line for which a rule is for everybody',
    query: `select l.id, above.depth from line_payments l
      join partners seller on seller.id = l.partner_id
      join payments p on p.id = l.payment_id and p.kind = 'customer'
      join partner_ancestry above on above.partner_id = l.partner_id and above.valid @> l.paid_at
      join commission_rules r on r.programme_id = seller.programme_id
        and r.depth = above.depth and r.valid @> l.paid_at and r.kind <> 'performance'
        and r.link_id is null and r.partner_id is null and r.tier is null
        and r.feature_package_id is null
      where not exists (select from accruals a where a.line_payment_id = l.id
          and a.depth = above.depth)
        -- The lines of an invoice may earn together, once it is settled.
        and l.allocation_unit is null`,
  },
  {
    id: 'I06',
    says: 'each share is within one unit of its exact value and all are within the base',
    query: `select min(a.id::text)::uuid from accruals a
      join commission_rules r on r.id = a.rule_id
      join line_payments l on l.id = a.line_payment_id
      where r.kind = 'percentage' and r.floor_minor is null and r.cap_minor is null
      group by coalesce(l.allocation_unit || l.id, l.vendor_line_id), a.depth, a.rule_id,
        a.rate_num, a.rate_den
      having bool_and(a.limited_by is null)
        and abs(sum(a.amount_minor) * a.rate_den - sum(a.base_minor) * a.rate_num) >= a.rate_den
      union all
      (with shared as (
        select line_payment_id, sum(amount_minor) as amount, max(base_minor) as base
        from accruals group by 1)
      select min(l.id::text)::uuid from shared s join line_payments l on l.id = s.line_payment_id
      group by coalesce(l.allocation_unit || l.id, l.vendor_line_id)
      having sum(s.amount) > sum(s.base))`,
  },
  {
    id: 'I07',
    says: 'an accrual belongs to who stood there when the line was paid',
    query: `select a.id from accruals a
      join line_payments l on l.id = a.line_payment_id
      left join partner_ancestry above on above.partner_id = l.partner_id
        and above.depth = a.depth and above.valid @> l.paid_at
      where above.ancestor_id is distinct from a.partner_id
        -- What was told later does not make wrong what was booked before.
        and not exists (select from partner_moves m
          where m.recorded_at > a.recorded_at and m.effective_from <= l.paid_at)`,
  },
  {
    id: 'I08',
    says: 'what is taken back of an accrual is between nothing and all of it',
    query: `select a.id from accruals a join clawbacks c on c.accrual_id = a.id
      group by a.id having sum(c.amount_minor) < 0 or sum(c.amount_minor) > a.amount_minor`,
  },
  {
    id: 'I24',
    says: 'no more is taken back of a true-up than it gave',
    query: `select t.id from closing_accruals t
      join closing_clawbacks c on c.closing_accrual_id = t.id
      group by t.id
      having sum(c.amount_minor) * sign(t.amount_minor) > abs(t.amount_minor)`,
  },
  {
    id: 'I25',
    says: 'what is cancelled of an accrual is between nothing and what no refund took of it',
    query: `select a.id from accruals a
      join (select accrual_id, sum(amount_minor) as gone from accrual_cancellations
        where accrual_id is not null group by 1) cancelled on cancelled.accrual_id = a.id
      where gone < 0 or gone > a.amount_minor - coalesce(
        (select sum(amount_minor) from clawbacks where accrual_id = a.id), 0)`,
  },
  {
    id: 'I16',
    says: 'an accrual is by a rule of its depth that held when the line or its customer came',
    query: `select a.id from accruals a
      join line_payments l on l.id = a.line_payment_id
      join commission_rules r on r.id = a.rule_id
      where r.depth <> a.depth or not (r.valid @> l.paid_at or exists (
        select from line_payments first_line
        where first_line.customer_id = l.customer_id and r.valid @> first_line.paid_at))`,
  },
  {
    id: 'I23',
    says: 'the ledger holds exactly what was earned, taken back and adjusted',
    query: `with booked as (
        select line_payment_id as source_id, 'accrual' as kind, sum(amount_minor) as amount
          from accruals group by 1
        union all
        select line_reversal_id, 'clawback', sum(amount_minor) from clawbacks group by 1
        union all select id, 'clawback', amount_minor from closing_clawbacks
        union all select id, kind, amount_minor from closing_accruals
        union all select id, 'adjustment', amount_minor from adjustments
        union all select id, 'cancellation', amount_minor from accrual_cancellations
        union all select id, 'payout_return', amount_minor from payout_returns
      ), posted as (
        select j.source_id, j.kind, sum(case when c.purpose = 'partner_accrued'
          then p.amount_minor else -p.amount_minor end)
          * case when j.kind in ('clawback', 'cancellation') then -1 else 1 end as amount
        from ledger_journals j
        join ledger_postings p on p.journal_id = j.id
        join ledger_accounts c on c.id = p.credit_account_id
        join ledger_accounts d on d.id = p.debit_account_id
        where j.kind in ('accrual', 'clawback', 'true_up', 'bonus', 'adjustment', 'cancellation',
            'payout_return')
          and 'partner_accrued' in (c.purpose, d.purpose)
        group by j.source_id, j.kind)
      select source_id, kind from booked full join posted using (source_id, kind)
      where coalesce(booked.amount, 0) <> coalesce(posted.amount, 0)`,
  },
]

const bookedEntries = `
        select 'accrual' as kind, id as entry_id, partner_id, period, currency, 'earned' as figure,
          amount_minor from accruals
        union all select 'closing_accrual', id, partner_id, period, currency, 'earned',
          amount_minor from closing_accruals
        union all select 'clawback', id, partner_id, period, currency, 'clawed', amount_minor
          from clawbacks
        union all select 'closing_clawback', id, partner_id, period, currency, 'clawed',
          amount_minor from closing_clawbacks
        union all select 'cancellation', id, partner_id, period, currency, 'clawed', amount_minor
          from accrual_cancellations
        union all select 'adjustment', id, partner_id, period, currency, 'adjusted', amount_minor
          from adjustments
        union all select 'payout_return', id, partner_id, period, currency, 'adjusted',
          amount_minor from payout_returns`

const settlementInvariants: Invariant[] = [
  {
    id: 'I09',
    says: 'an issued statement is the sum of what it lists',
    query: `with booked as (${bookedEntries}),
      entry as (
        select partner_id, period, currency, figure, booked.amount_minor, own.run_id
        from booked
        left join (select kind, entry_id, run_id from statement_entries) own
          using (kind, entry_id)),
      -- A statement of a partner that was left out before is about the earlier months, too.
      listed as (
        select s.id, s.run_id, s.partner_id, s.currency, month.period, s.earned_minor,
          s.clawed_back_minor, s.adjustments_minor,
          coalesce(s.period_name like '____-W__', false) as is_week
        from statements s join accounting_periods month
          on month.period between coalesce(s.since_period, s.period) and s.period
        where s.issued_at is not null)
      select id from listed
      left join entry on (entry.partner_id, entry.period, entry.currency)
          = (listed.partner_id, listed.period, listed.currency)
        -- A week has what it took alone; of a month that weeks have divided nothing is left over.
        and case when entry.run_id is null then not is_week
          else entry.run_id = listed.run_id end
      group by id, earned_minor, clawed_back_minor, adjustments_minor
      having earned_minor
          <> coalesce(sum(amount_minor) filter (where figure = 'earned'), 0)
        or clawed_back_minor
          <> coalesce(sum(amount_minor) filter (where figure = 'clawed'), 0)
        or adjustments_minor
          <> coalesce(sum(amount_minor) filter (where figure = 'adjusted'), 0)`,
  },
  {
    id: 'I10',
    says: 'an issued statement is what the ledger moved to payable',
    query: `select s.id from statements s
      left join (
        select j.source_id, sum(case when c.purpose = 'partner_payable'
          then p.amount_minor else -p.amount_minor end) as net
        from ledger_journals j
        join ledger_postings p on p.journal_id = j.id
        join ledger_accounts c on c.id = p.credit_account_id
        where j.kind = 'settlement' group by 1) moved on moved.source_id = s.id
      where s.issued_at is not null and coalesce(moved.net, 0) <>
        s.earned_minor - s.clawed_back_minor + s.adjustments_minor`,
  },
  {
    id: 'I11',
    says: 'a statement opens with what the one before carried',
    query: `select id from (
        select id, opening_minor, lag(carried_minor, 1, 0::bigint) over (
          partition by partner_id, currency order by period, id) as carried_before
        from statements where issued_at is not null) chain
      where opening_minor <> carried_before`,
  },
  {
    id: 'I12',
    says: 'a payout is, but for VAT, what its statement pays after tax, in steps of its currency',
    query: `select p.id from payouts p
      join statements s on s.id = p.statement_id
      join currencies c on c.code = p.currency
      where p.amount_minor - p.vat_minor
          > coalesce(s.payout_minor, s.payable_minor) - s.withheld_minor
        or p.amount_minor % c.payout_step <> 0
        or p.currency <> coalesce(s.payout_currency, s.currency)
        or p.partner_id <> s.partner_id`,
  },
  {
    id: 'I13',
    says: 'what is in transit is the sum of the payouts that are on their way',
    query: `with open as (
        select currency, sum(amount_minor) as amount from payouts
        where status not in ('paid', 'bank_failed', 'returned') group by 1
      ), transit as (
        select p.currency, sum(case when c.purpose = 'payout_in_transit'
          then p.amount_minor else -p.amount_minor end) as amount
        from ledger_postings p
        join ledger_accounts c on c.id = p.credit_account_id
        join ledger_accounts d on d.id = p.debit_account_id
        where 'payout_in_transit' in (c.purpose, d.purpose) group by 1)
      select currency from open full join transit using (currency)
      where coalesce(open.amount, 0) <> coalesce(transit.amount, 0)`,
  },
  {
    id: 'I14',
    says: 'a payout is paid by exactly one attempt',
    query: `select p.id from payouts p
      left join payout_attempts t on t.payout_id = p.id and t.status = 'succeeded'
      group by p.id having (p.status in ('paid', 'bank_failed')) <> (count(t.id) = 1)`,
  },
  {
    id: 'I26',
    says: 'every unit that an issued statement holds has a cause',
    query: `select s.id from statements s
      left join (select statement_id, sum(amount_minor) as amount
        from statement_holds group by 1) cause on cause.statement_id = s.id
      where s.issued_at is not null and coalesce(cause.amount, 0) <> s.held_minor`,
  },
  {
    id: 'I27',
    says: 'what the books owe as withheld tax is what statements withheld and nobody gave back',
    query: `with due as (
        select coalesce(s.payout_currency, s.currency) as currency,
          sum(s.withheld_minor) as amount
        from statements s
        where s.issued_at is not null and s.withheld_minor > 0 and not exists (
          select from payouts p where p.statement_id = s.id and p.status = 'returned')
        group by 1
      ), booked as (
        select p.currency, sum(case when c.purpose = 'tax_withheld'
          then p.amount_minor else -p.amount_minor end) as amount
        from ledger_postings p
        join ledger_accounts c on c.id = p.credit_account_id
        join ledger_accounts d on d.id = p.debit_account_id
        where 'tax_withheld' in (c.purpose, d.purpose) group by 1)
      select currency from due full join booked using (currency)
      where coalesce(due.amount, 0) <> coalesce(booked.amount, 0)`,
  },
  {
    id: 'I36',
    says: 'what a run took is an entry as it is booked, and is on one statement of that run alone',
    query: `with booked as (${bookedEntries})
      select own.entry_id from statement_entries own
      left join booked using (kind, entry_id)
      left join statements told on told.run_id = own.run_id
        and told.partner_id = own.partner_id and told.currency = own.currency
      where told.id is null or (booked.partner_id, booked.period, booked.currency, booked.figure,
          booked.amount_minor) is distinct from (own.partner_id, own.period, own.currency,
          own.figure, own.amount_minor)
        or exists (select from statements whole
          join settlement_runs run on run.id = whole.run_id and not run.takes_entries
          where whole.partner_id = own.partner_id and whole.currency = own.currency
            and whole.issued_at is not null and own.period
              between coalesce(whole.since_period, whole.period) and whole.period)`,
  },
  {
    id: 'I21',
    says: 'nothing that is held is payable',
    query: `select id from statements
      where payable_minor > greatest(closing_minor - held_minor, 0)`,
  },
]

export const invariants: Invariant[] = [
  ...ledgerInvariants,
  ...commissionInvariants,
  ...settlementInvariants,
  ...reserveInvariants,
  ...processorInvariants,
  ...selfBillingInvariants,
  recomputed,
].sort((a, b) => (a.id < b.id ? -1 : 1))

export interface Violation {
  invariant: string
  says: string
  rows: unknown[]
}

const shownRows = 20

/**
 * Runs every invariant in one snapshot of the books.
 * @param onChecked is told of each invariant as it is done.
 */
export async function checkInvariants(
  db: Db,
  onChecked: (invariant: Invariant, rows: number) => void = () => {},
): Promise<{ checked: number; violations: Violation[] }> {
  const check = async (trx: Db) => {
    const violations: Violation[] = []
    for (const invariant of invariants) {
      const { rows } = await sql
        .raw(`select * from (${invariant.query}) broken limit ${shownRows}`)
        .execute(trx)
      onChecked(invariant, rows.length)
      if (rows.length > 0) violations.push({ invariant: invariant.id, says: invariant.says, rows })
    }
    return { checked: invariants.length, violations }
  }
  if (db.isTransaction) return check(db)
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(check)
}
