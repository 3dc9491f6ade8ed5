/** What the books say of each partner before the rules of a statement are applied. */
import { type RawBuilder, sql } from 'kysely'
import type { Trx } from '../database.ts'

export interface StatementFigures {
  partnerId: string
  currency: string
  opening: bigint
  earned: bigint
  clawedBack: bigint
  adjustments: bigint
  held: bigint
}

/** Partners in the order of their ids: those after one, up to and including another. */
export interface PartnerRange {
  /** Null where the range has no beginning, and no end. */
  after: string | null
  last: string | null
}

/** That a partner is in a range. */
export function within(
  partner: RawBuilder<unknown>,
  { after, last }: PartnerRange,
): RawBuilder<boolean> {
  const from = after === null ? sql`true` : sql`${partner} > ${after}::uuid`
  const to = last === null ? sql`true` : sql`${partner} <= ${last}::uuid`
  return sql<boolean>`(${from} and ${to})`
}

/** What has not matured at the cut-off, and what an open dispute keeps back of unpaid money. */
function heldBy({
  period,
  cutoffAt,
  inRange,
}: {
  period: string
  cutoffAt: Date
  inRange: RawBuilder<unknown>
}) {
  return sql`
    contested as (
      select distinct disputes.id, disputes.amount_minor, disputes.received_at,
        own.id as line_payment_id
      from disputes
      join line_payments line on line.payment_id = disputes.payment_id
      join line_payments own on own.id = line.id or own.allocation_unit = line.allocation_unit
      where disputes.status = 'open'
    ), unpaid as (
      select id, line_payment_id, partner_id, currency, period, matures_at, base_minor,
        amount_minor, amount_minor - coalesce((
          select sum(back.amount_minor) from clawbacks back
          where back.accrual_id = accruals.id and back.period <= ${period}), 0) - coalesce((
          select sum(gone.amount_minor) from accrual_cancellations gone
          where gone.accrual_id = accruals.id and gone.period <= ${period}), 0) as remaining
      from accruals
      where ${inRange} and period <= ${period}
        and (matures_at > ${cutoffAt}
          or line_payment_id in (select line_payment_id from contested))
    ), disputed as (
      select unpaid.id, sum(contested.amount_minor) as amount
      from unpaid join contested using (line_payment_id)
      where not exists (
        select from statements paid
        join settlement_runs run on run.id = paid.run_id
        where paid.partner_id = unpaid.partner_id and paid.currency = unpaid.currency
          and paid.issued_at is not null and paid.payable_minor > 0
          and paid.period >= unpaid.period and run.cutoff_at >= unpaid.matures_at
          and paid.drafted_at < contested.received_at)
      group by unpaid.id
    ), held as (
      select partner_id, currency, sum(
        case
          when matures_at > ${cutoffAt} then remaining
          when disputed.amount is null or base_minor = 0 then 0
          else least(remaining,
            div(amount_minor * least(disputed.amount, base_minor), base_minor::numeric))
        end) as amount
      from unpaid left join disputed using (id)
      group by 1, 2`
}

/**
 * Opening, earned, clawed back and held of the partners in the range. Held is what has not matured
 * at the cut-off, and what an open dispute keeps back of money that no statement has paid yet:
 * money that was part of an earlier payable is never held again.
 */
export async function listStatementFigures(
  trx: Trx,
  { period, cutoffAt, range }: { period: string; cutoffAt: Date; range: PartnerRange },
): Promise<StatementFigures[]> {
  const inRange = within(sql`partner_id`, range)
  const { rows } = await sql<StatementFigures>`
    with previous as (
      select distinct on (partner_id, currency) partner_id, currency, carried_minor
      from statements
      where issued_at is not null and period < ${period} and ${inRange}
      order by partner_id, currency, period desc
    ), earned as (
      select partner_id, currency, sum(amount_minor) as amount from (
        select partner_id, currency, amount_minor from accruals where period = ${period}
        union all
        select partner_id, currency, amount_minor from closing_accruals where period = ${period}
      ) entry where ${inRange} group by 1, 2
    ), clawed as (
      select partner_id, currency, sum(amount_minor) as amount from (
        select partner_id, currency, amount_minor from clawbacks where period = ${period}
        union all
        select partner_id, currency, amount_minor from closing_clawbacks where period = ${period}
        union all
        select partner_id, currency, amount_minor from accrual_cancellations
        where period = ${period}
      ) entry where ${inRange} group by 1, 2
    ), adjusted as (
      select partner_id, currency, sum(amount_minor) as amount from (
        select partner_id, currency, amount_minor from adjustments where period = ${period}
        union all
        select partner_id, currency, amount_minor from payout_returns where period = ${period}
      ) entry where ${inRange} group by 1, 2
    ), ${heldBy({ period, cutoffAt, inRange })}
    ), concerned as (
      select partner_id, currency from previous where carried_minor <> 0
      union select partner_id, currency from earned
      union select partner_id, currency from clawed
      union select partner_id, currency from adjusted
    )
    select partner_id, currency,
      coalesce(previous.carried_minor, 0)::bigint as opening,
      coalesce(earned.amount, 0)::bigint as earned,
      coalesce(clawed.amount, 0)::bigint as clawed_back,
      coalesce(adjusted.amount, 0)::bigint as adjustments,
      greatest(coalesce(held.amount, 0), 0)::bigint as held
    from concerned
    left join previous using (partner_id, currency)
    left join earned using (partner_id, currency)
    left join clawed using (partner_id, currency)
    left join adjusted using (partner_id, currency)
    left join held using (partner_id, currency)
    order by partner_id, currency`.execute(trx)
  return rows
}

/**
 * Currencies in which the statements of a run and the ledger disagree about what the period
 * earned and took back. Empty when the books are right.
 */
export async function listControlDifferences(trx: Trx, run: { id: string; period: string }) {
  const { rows } = await sql<{ currency: string; statements: bigint; ledger: bigint }>`
    with statement_side as (
      select currency, sum(earned_minor - clawed_back_minor + adjustments_minor) as net
      from statements where run_id = ${run.id} group by 1
    ), ledger_side as (
      select posting.currency, sum(
        case when credited.purpose = 'partner_accrued' then posting.amount_minor
          else -posting.amount_minor end) as net
      from ledger_journals journal
      join ledger_postings posting on posting.journal_id = journal.id
      join ledger_accounts credited on credited.id = posting.credit_account_id
      join ledger_accounts debited on debited.id = posting.debit_account_id
      where journal.period = ${run.period} and journal.kind in
        ('accrual', 'clawback', 'true_up', 'bonus', 'adjustment', 'cancellation',
          'payout_return')
        and 'partner_accrued' in (credited.purpose, debited.purpose)
      group by 1
    )
    select currency, coalesce(statement_side.net, 0)::bigint as statements,
      coalesce(ledger_side.net, 0)::bigint as ledger
    from statement_side full join ledger_side using (currency)
    where coalesce(statement_side.net, 0) <> coalesce(ledger_side.net, 0)`.execute(trx)
  return rows
}
