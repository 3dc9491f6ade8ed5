/** What the books say of each partner before the rules of a statement are applied. */
import { type RawBuilder, sql } from 'kysely'
import type { Months } from '../../domain/cadence.ts'
import type { Trx } from '../database.ts'
import { wasSettledBy } from './entries.ts'
import { monthsLeftOut } from './holds.ts'
import type { RunRow } from './runs.ts'

export interface StatementFigures {
  partnerId: string
  currency: string
  opening: bigint
  earned: bigint
  clawedBack: bigint
  adjustments: bigint
  held: bigint
  /**
   * The first month of the figures, where that is not the last: the run settles more than one, or
   * earlier ones left the partner out.
   */
  since: string | null
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

/** The range that holds this partner alone. */
export function onlyPartner(id: string): PartnerRange {
  const before = BigInt(`0x${id.replaceAll('-', '')}`) - 1n
  const hex = before.toString(16).padStart(32, '0')
  const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return { after: [...groups, hex.slice(20)].join('-'), last: id }
}

/** Entries of the months in a table, and those of before in which their partner was left out. */
function entriesOf(table: string, { since, period }: Months): RawBuilder<unknown> {
  return sql`
    select partner_id, currency, amount_minor from ${sql.table(table)}
    where ${among(sql`period`, { since, period })}
    union all
    select partner_id, currency, amount_minor from ${sql.table(table)} join late using (partner_id)
    where period >= late.since and period < ${since}`
}

/** That a month is one of some; equality where they are one, which indexes like better. */
function among(month: RawBuilder<unknown>, { since, period }: Months): RawBuilder<boolean> {
  return since === period
    ? sql<boolean>`${month} = ${period}`
    : sql<boolean>`${month} between ${since} and ${period}`
}

const reversedAt = `(select happened_at from line_reversals what
  where what.id = back.line_reversal_id)`
const paidAt = '(select paid_at from line_payments own where own.id = accruals.line_payment_id)'

/** The lines that open disputes are about, and those that share in them. */
const contested = sql`
      select distinct disputes.id, disputes.amount_minor, disputes.received_at,
        own.id as line_payment_id
      from disputes
      join line_payments line on line.payment_id = disputes.payment_id
      join line_payments own on own.id = line.id or own.allocation_unit = line.allocation_unit
      where disputes.status = 'open'`

/**
 * Of `unpaid`, what `contested` disputes are about that no statement had paid when they came. One
 * that was drafted while a person held the accrual has not paid it.
 */
const disputed = sql`
      select unpaid.id, sum(contested.amount_minor) as amount
      from unpaid join contested using (line_payment_id)
      where not exists (
        select from statements paid
        join settlement_runs run on run.id = paid.run_id
        where paid.partner_id = unpaid.partner_id and paid.currency = unpaid.currency
          and paid.issued_at is not null and paid.payable_minor > 0
          and paid.period >= unpaid.period and run.cutoff_at >= unpaid.matures_at
          and ${wasSettledBy('run', { kind: 'accrual', id: 'unpaid.id', period: 'unpaid.period' })}
          and paid.drafted_at < contested.received_at
          and not exists (select from settlement_holds hold
            where hold.accrual_id = unpaid.id and hold.placed_at <= paid.drafted_at
              and (hold.released_at is null or hold.released_at > paid.drafted_at)))
      group by unpaid.id`

interface HeldOf {
  period: string
  cutoffAt: Date
  inRange: RawBuilder<unknown>
  /** Nothing that happened later counts; all of the period does where it is left out. */
  until?: Date
  /** That a statement, or the draft in hand, is about an entry; all of the period are at first. */
  isSettled?: (entry: {
    kind: 'accrual' | 'clawback' | 'cancellation'
    id: string
    period: string
  }) => RawBuilder<unknown>
}

/**
 * What has not matured at the cut-off, what a person holds, and what an open dispute keeps back of
 * unpaid money.
 */
export function heldBy({ period, cutoffAt, inRange, until, isSettled = () => sql`true` }: HeldOf) {
  const by = (at: string) => (until ? sql`${sql.raw(at)} < ${until}` : sql`true`)
  return sql`
    contested as (${contested}
    ), stopped as (
      select accrual_id from settlement_holds
      where accrual_id is not null and released_at is null
    ), concerned_by_hold as (
      -- Each cause has an index of its own; an OR of them would read every accrual there is.
      -- Where nothing is left to mature, no partner's accruals are looked at.
      select id from accruals
      where (select exists (select from accruals unripe where unripe.matures_at > ${cutoffAt}))
        and matures_at > ${cutoffAt} and period <= ${period} and ${inRange}
      union
      select id from accruals
      where line_payment_id in (select line_payment_id from contested)
        and period <= ${period} and ${inRange}
      union
      select id from accruals
      where id in (select accrual_id from stopped) and period <= ${period} and ${inRange}
    ), unpaid as (
      select id, line_payment_id, partner_id, currency, period, matures_at, base_minor,
        amount_minor, amount_minor - coalesce((
          select sum(back.amount_minor) from clawbacks back
          where back.accrual_id = accruals.id and back.period <= ${period}
            and ${by(reversedAt)}
            and ${isSettled({ kind: 'clawback', id: 'back.id', period: 'back.period' })}
          ), 0) - coalesce((
          select sum(gone.amount_minor) from accrual_cancellations gone
          where gone.accrual_id = accruals.id and gone.period <= ${period}
            and ${by('gone.recorded_at')}
            and ${isSettled({ kind: 'cancellation', id: 'gone.id', period: 'gone.period' })}
          ), 0) as remaining
      from concerned_by_hold join accruals using (id)
      where ${by(paidAt)}
        and ${isSettled({ kind: 'accrual', id: 'accruals.id', period: 'accruals.period' })}
    ), disputed as (${disputed}
    ), held as (
      select partner_id, currency, sum(
        case
          when matures_at > ${cutoffAt} or id in (select accrual_id from stopped) then remaining
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
export function figuresOf({
  runId,
  since,
  period,
  cutoffAt,
  range,
}: { runId: string; cutoffAt: Date; range: PartnerRange } & Months): RawBuilder<StatementFigures> {
  const late = monthsLeftOut(cutoffAt, (partner) => within(partner, range))
  const months = { since, period }
  const inRange = within(sql`partner_id`, range)
  return sql<StatementFigures>`
    with late as (${late}), previous as (
      select distinct on (partner_id, currency) partner_id, currency, carried_minor
      from statements
      where issued_at is not null and period < ${since} and ${inRange}
      order by partner_id, currency, period desc, id desc
    ), earned as (
      select partner_id, currency, sum(amount_minor)::bigint as amount from (
        ${entriesOf('accruals', months)} union all ${entriesOf('closing_accruals', months)}
      ) entry where ${inRange} group by 1, 2
    ), clawed as (
      select partner_id, currency, sum(amount_minor)::bigint as amount from (
        ${entriesOf('clawbacks', months)} union all ${entriesOf('closing_clawbacks', months)}
        union all ${entriesOf('accrual_cancellations', months)}
      ) entry where ${inRange} group by 1, 2
    ), adjusted as (
      select partner_id, currency, sum(amount_minor)::bigint as amount from (
        ${entriesOf('adjustments', months)} union all ${entriesOf('payout_returns', months)}
      ) entry where ${inRange} group by 1, 2
    ), ${heldBy({ period, cutoffAt, inRange })}
    ), concerned as (
      select partner_id, currency, sum(opening)::bigint as opening, sum(earned)::bigint as earned,
        sum(clawed_back)::bigint as clawed_back, sum(adjustments)::bigint as adjustments
      from (
        select partner_id, currency, carried_minor as opening, 0 as earned, 0 as clawed_back,
          0 as adjustments
        from previous where carried_minor <> 0
        union all select partner_id, currency, 0, amount, 0, 0 from earned
        union all select partner_id, currency, 0, 0, amount, 0 from clawed
        union all select partner_id, currency, 0, 0, 0, amount from adjusted
      ) part group by 1, 2
    )
    select partner_id, currency, opening, earned, clawed_back, adjustments,
      greatest(coalesce(held.amount, 0), 0)::bigint as held,
      coalesce(late.since, ${since < period ? since : null}::text) as since
    from concerned
    left join late using (partner_id)
    left join held using (partner_id, currency)
    where not exists (select from settlement_exclusions exclusion
      where exclusion.run_id = ${runId} and exclusion.partner_id = concerned.partner_id)`
}

type MonthsOfRun = Pick<RunRow, 'id' | 'sincePeriod' | 'period'>

const monthsOfRun = ({ sincePeriod: since, period }: MonthsOfRun): Months => ({ since, period })

/** Room for sums over a whole month, which would spill to disk page by page otherwise. */
export async function allowLargeSums(trx: Trx): Promise<void> {
  await sql`set local work_mem = '64MB'`.execute(trx)
}

/**
 * Whether the statements of a run come to what the ledger has accrued and not yet settled, less
 * what open periods beside its own accrued: sums of balances, which are quick. Where they do not
 * agree the journals say why, and whether it is a difference at all.
 */
export async function balancesAgree(trx: Trx, run: MonthsOfRun) {
  const { rows } = await sql<{ agree: boolean }>`
    with statement_side as (
      select currency, sum(earned_minor - clawed_back_minor + adjustments_minor) as net
      from statements where run_id = ${run.id} group by 1
    ), moved as (
      select account.currency, balance.credits_minor - balance.debits_minor as amount
      from ledger_accounts account join ledger_balances balance on balance.account_id = account.id
      where account.purpose = 'partner_accrued'
      union all
      select posting.currency, case when credited.purpose = 'partner_accrued'
        then -posting.amount_minor else posting.amount_minor end
      from ledger_journals journal
      join ledger_postings posting on posting.journal_id = journal.id
      join ledger_accounts credited on credited.id = posting.credit_account_id
      join ledger_accounts debited on debited.id = posting.debit_account_id
      where journal.period in (
          select period from accounting_periods
          where status <> 'closed' and not ${among(sql`period`, monthsOfRun(run))})
        and 'partner_accrued' in (credited.purpose, debited.purpose)
    ), ledger_side as (
      select currency, sum(amount) as net from moved group by 1
    )
    select not exists (
      select from statement_side full join ledger_side using (currency)
      where coalesce(statement_side.net, 0) <> coalesce(ledger_side.net, 0)) as agree`.execute(trx)
  return rows[0]?.agree ?? false
}

/**
 * Currencies in which the statements of a run and the ledger disagree about what its months
 * earned and took back. Empty when the books are right. Whom the run leaves out is not asked;
 * whom earlier ones left out is, from then on.
 */
export async function listControlDifferences(trx: Trx, run: MonthsOfRun) {
  const { rows } = await sql<{ currency: string; statements: bigint; ledger: bigint }>`
    with statement_side as (
      select currency, sum(earned_minor - clawed_back_minor + adjustments_minor) as net
      from statements where run_id = ${run.id} group by 1
    ), late as (
      select distinct partner_id, since_period from statements
      where run_id = ${run.id} and since_period < ${run.sincePeriod}
    ), months as (
      select period from accounting_periods
      where period between coalesce((select min(since_period) from late), ${run.sincePeriod})
        and ${run.period}
    ), ledger_side as (
      select posting.currency, sum(
        case when credited.purpose = 'partner_accrued' then posting.amount_minor
          else -posting.amount_minor end) as net
      from ledger_journals journal
      join ledger_postings posting on posting.journal_id = journal.id
      join ledger_accounts credited on credited.id = posting.credit_account_id
      join ledger_accounts debited on debited.id = posting.debit_account_id
      left join late on late.partner_id =
        case when credited.purpose = 'partner_accrued' then credited.partner_id
          else debited.partner_id end
      left join settlement_exclusions left_out on left_out.run_id = ${run.id}
        and left_out.partner_id =
          case when credited.purpose = 'partner_accrued' then credited.partner_id
            else debited.partner_id end
      where journal.period = any(array(select period from months))
        and (journal.period >= ${run.sincePeriod} or journal.period >= late.since_period)
        and left_out.partner_id is null and journal.kind in
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
