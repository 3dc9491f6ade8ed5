/** Statements: what one partner gets for one period, frozen when issued. */
import { sql } from 'kysely'
import type { Months } from '../../domain/cadence.ts'
import type { PayableReason, StatementLineKind, StatementTotals } from '../../domain/settlement.ts'
import type { EarningsFilter } from '../commission/accruals.ts'
import { type Db, lockName, type Trx } from '../database.ts'
import { type Page, pageOf } from '../paging.ts'
import { nameOrFormer } from '../partner-places.ts'
import { openedField } from '../personal-fields.ts'
import { type EntryKind, isOfStatement } from './entries.ts'

export interface DraftStatement {
  partnerId: string
  /** The first month that it is about, where that is an earlier one. */
  since: string | null
  currency: string
  totals: StatementTotals
  /** Null where the partner is paid in the currency of the statement. */
  payout: Converted | null
  /** Of what it pays, in the currency in which it does. */
  withheld: { bps: number; amount: bigint } | null
  /** Why less than the minimum is paid. */
  payableReason: PayableReason | null
}

export interface Converted {
  currency: string
  amount: bigint
  /** What the payout step left. */
  rest: bigint
  rateId: string
}

type Column = (draft: DraftStatement) => bigint | string | number | null

/** What differs from partner to partner, with the type of its column. */
const draftColumns: Record<string, { type: 'bigint' | 'text' | 'uuid' | 'int'; of: Column }> = {
  partner_id: { type: 'uuid', of: ({ partnerId }) => partnerId },
  currency: { type: 'text', of: ({ currency }) => currency },
  since_period: { type: 'text', of: ({ since }) => since },
  opening_minor: { type: 'bigint', of: ({ totals }) => totals.opening },
  earned_minor: { type: 'bigint', of: ({ totals }) => totals.earned },
  clawed_back_minor: { type: 'bigint', of: ({ totals }) => totals.clawedBack },
  adjustments_minor: { type: 'bigint', of: ({ totals }) => totals.adjustments },
  closing_minor: { type: 'bigint', of: ({ totals }) => totals.closing },
  held_minor: { type: 'bigint', of: ({ totals }) => totals.held },
  payable_minor: { type: 'bigint', of: ({ totals }) => totals.payable },
  carried_minor: { type: 'bigint', of: ({ totals }) => totals.carried },
  carry_reason: { type: 'text', of: ({ totals }) => totals.reason },
  payable_reason: { type: 'text', of: ({ payableReason }) => payableReason },
  payout_currency: { type: 'text', of: ({ payout }) => payout?.currency ?? null },
  payout_minor: { type: 'bigint', of: ({ payout }) => payout?.amount ?? null },
  payout_rest_minor: { type: 'bigint', of: ({ payout }) => payout?.rest ?? null },
  fx_rate_id: { type: 'uuid', of: ({ payout }) => payout?.rateId ?? null },
  withheld_minor: { type: 'bigint', of: ({ withheld }) => withheld?.amount ?? 0n },
  withheld_bps: { type: 'int', of: ({ withheld }) => withheld?.bps ?? null },
}

/**
 * Inserts drafts of a run, all by one statement with an array for each column; a page that is
 * repeated after a crash finds its own.
 */
export async function recordDraftStatements(
  trx: Trx,
  { id, period, name }: { id: string; period: string; name: string },
  drafts: DraftStatement[],
): Promise<void> {
  if (drafts.length === 0) return
  const columns = Object.entries(draftColumns)
  const names = sql.join(columns.map(([name]) => sql.ref(name)))
  const arrays = columns.map(([, { type, of }]) => sql`${drafts.map(of)}::${sql.raw(type)}[]`)
  await sql`
    insert into statements (run_id, period, period_name, reseller_id, master_id, ${names})
    select ${id}, ${period}, nullif(${name}, ${period}), partner.reseller_id, partner.master_id,
      draft.*
    from unnest(${sql.join(arrays)}) draft (${names})
    join partners partner on partner.id = draft.partner_id
    on conflict (run_id, partner_id, currency) do nothing`.execute(trx)
}

/**
 * Removes drafts of a run, all or those of one partner, with what they have taken, so that they can
 * be made again.
 */
export async function removeDraftStatements(
  trx: Trx,
  runId: string,
  partnerId?: string,
): Promise<void> {
  let drafts = trx.deleteFrom('statements').where('runId', '=', runId).where('issuedAt', 'is', null)
  if (partnerId !== undefined) drafts = drafts.where('partnerId', '=', partnerId)
  await drafts.execute()
  await sql`
    delete from statement_entries own
    where own.run_id = ${runId} and ${partnerId ? sql`own.partner_id = ${partnerId}` : sql`true`}
      and not exists (select from statements told
        where told.run_id = own.run_id and told.partner_id = own.partner_id
          and told.currency = own.currency)`.execute(trx)
}

/** The next drafts of a run to issue, locked. */
export async function lockDraftPage(trx: Trx, page: { runId: string; size: number }) {
  return trx
    .selectFrom('statements')
    .selectAll()
    .where('runId', '=', page.runId)
    .where('issuedAt', 'is', null)
    .orderBy('partnerId')
    .orderBy('currency')
    .limit(page.size)
    .forUpdate()
    .execute()
}

/** Issues statements: each gets a number in the series of its run, and never changes again. */
export async function markStatementsIssued(
  trx: Trx,
  issue: { runId: string; name: string; ids: string[] },
): Promise<void> {
  await lockName(trx, 'statements.document_number')
  await sql`
    with used as (
      select count(*) as n from statements
      where run_id = ${issue.runId} and document_number is not null
    ), numbered as (
      select id, row_number() over (order by partner_id, currency) as n
      from statements where id = any(${issue.ids}) and issued_at is null
    ), seal as (
      select number, hash from ledger_seals order by number desc limit 1
    )
    update statements set
      seal_number = (select number from seal),
      seal_hash = (select hash from seal),
      issued_at = clock_timestamp(),
      document_number = ${issue.name} || '-' || lpad((used.n + numbered.n)::text, 6, '0')
    from numbered, used
    where statements.id = numbered.id`.execute(trx)
}

/** What a statement is about, as people name it. */
export const shownPeriod = sql<string>`coalesce(statements.period_name, statements.period)`.as(
  'period',
)

/** That a statement is about one of these months, or about the week where one is named. */
export const tellsOf = ({ since, period }: Months, week: string | undefined) =>
  sql<boolean>`(statements.period >= ${since}
    and coalesce(statements.since_period, statements.period) <= ${period}
    and ${week === undefined ? sql`true` : sql`statements.period_name = ${week}`})`

function issuedStatements(db: Db) {
  return db
    .selectFrom('statements')
    .leftJoin('partners', 'partners.id', 'statements.partnerId')
    .selectAll('statements')
    .select(nameOrFormer.as('partnerName'))
    .select(
      sql<string | null>`(select pay_on from payouts where statement_id = statements.id)`.as(
        'payOn',
      ),
    )
    .select(
      sql<bigint | null>`(select vat_minor from payouts where statement_id = statements.id)`.as(
        'vatMinor',
      ),
    )
    .where('statements.issuedAt', 'is not', null)
}

export type StatementRow = NonNullable<Awaited<ReturnType<typeof findStatement>>>

export async function findStatement(db: Db, id: string) {
  return issuedStatements(db).where('statements.id', '=', id).executeTakeFirst()
}

export async function listStatements(
  db: Db,
  filter: EarningsFilter & { week?: string | undefined },
): Promise<Page<StatementRow>> {
  let query = issuedStatements(db)
    .orderBy('statements.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('statements.id', '<', filter.after)
  if (filter.partnerId) query = query.where('statements.partnerId', '=', filter.partnerId)
  if (filter.months) query = query.where(tellsOf(filter.months, filter.week))
  return pageOf(await query.execute(), filter.limit)
}

/** What a statement is about; sincePeriod where that begins before its own period. */
interface Told {
  runId: string
  partnerId: string
  period: string
  periodName: string | null
  currency: string
  sincePeriod?: string | null
}

/** That an entry, by its kind and the alias of its table, is one of a statement. */
function entryOf(statement: Told) {
  const { runId, partnerId, period, periodName, currency } = statement
  const since = statement.sincePeriod ?? period
  const told = sql`(select ${runId}::uuid as run_id, ${periodName}::text as period_name)`
  return (kind: EntryKind, entry: string) => sql`${sql.ref(`${entry}.partner_id`)} = ${partnerId}
    and ${sql.ref(`${entry}.period`)} between ${since} and ${period}
    and ${sql.ref(`${entry}.currency`)} = ${currency}
    and exists (select from ${told} told
      where ${isOfStatement('told', { kind, id: `${entry}.id` })})`
}

/** The lines behind earned and clawed back, in the order of payment; their sums are the totals. */
export async function listStatementLines(db: Db, statement: Told) {
  const isIn = entryOf(statement)
  const customerName = openedField('customers', 'name', 'customer')
  const { rows } = await sql<{
    kind: StatementLineKind
    id: string
    at: Date
    customer: string | null
    invoice: string | null
    depth: number
    base: bigint
    amount: bigint
    note: string | null
  }>`
    select 'accrual' as kind, accrual.id, line.paid_at as at, ${customerName} as customer,
      payment.vendor_invoice_id as invoice, accrual.depth, accrual.base_minor as base,
      accrual.amount_minor as amount, null as note
    from accruals accrual
    join line_payments line on line.id = accrual.line_payment_id
    join payments payment on payment.id = line.payment_id
    left join customers customer on customer.id = payment.customer_id
    where ${isIn('accrual', 'accrual')}
    union all
    select 'clawback', back.id, reversal.happened_at, ${customerName}, payment.vendor_invoice_id,
      accrual.depth, reversal.base_minor, -back.amount_minor, reversal.cause
    from clawbacks back
    join accruals accrual on accrual.id = back.accrual_id
    join line_reversals reversal on reversal.id = back.line_reversal_id
    join line_payments line on line.id = accrual.line_payment_id
    join payments payment on payment.id = line.payment_id
    left join customers customer on customer.id = payment.customer_id
    where ${isIn('clawback', 'back')}
    union all
    select whole.kind, whole.id, periods.ends_at, null, null, rule.depth, 0, whole.amount_minor,
      rule.code
    from closing_accruals whole
    join commission_rules rule on rule.id = whole.rule_id
    join accounting_periods periods on periods.period = whole.period
    where ${isIn('closing_accrual', 'whole')}
    union all
    select 'clawback', back.id, reversal.happened_at, null, null, rule.depth, reversal.base_minor,
      -back.amount_minor, reversal.cause || ' (true-up ' || rule.code || ')'
    from closing_clawbacks back
    join closing_accruals whole on whole.id = back.closing_accrual_id
    join commission_rules rule on rule.id = whole.rule_id
    join line_reversals reversal on reversal.id = back.line_reversal_id
    where ${isIn('closing_clawback', 'back')}
    union all
    ${linesOfEnd(isIn)}
    union all
    select 'adjustment', entry.id, happened_at, null, null, 0, 0, amount_minor, reason
    from adjustments entry
    where ${isIn('adjustment', 'entry')}
    order by at, id`.execute(db)
  return rows
}

/** What a termination cancelled, gave again and took back of payouts that were never sent. */
function linesOfEnd(isIn: ReturnType<typeof entryOf>) {
  return sql`
    select 'clawback', gone.id, gone.recorded_at, null, null,
      coalesce(accrual.depth, rule.depth), 0, -gone.amount_minor,
      case gone.cause when 'termination' then 'cancelled by termination'
        when 'reinstatement' then 'restored by reinstatement'
        else 'cancelled before, taken back by its refund' end
    from accrual_cancellations gone
    left join accruals accrual on accrual.id = gone.accrual_id
    left join closing_accruals whole on whole.id = gone.closing_accrual_id
    left join commission_rules rule on rule.id = whole.rule_id
    where ${isIn('cancellation', 'gone')}
    union all
    select 'adjustment', entry.id, recorded_at, null, null, 0, 0, amount_minor, 'returned_payout'
    from payout_returns entry
    where ${isIn('payout_return', 'entry')}`
}

/** Every issued statement, period by period, with the rate that converted what it pays. */
export async function listIssuedStatements(trx: Trx) {
  return trx
    .selectFrom('statements')
    .leftJoin('fxRates', 'fxRates.id', 'statements.fxRateId')
    .selectAll('statements')
    .select(sql<string | null>`trim_scale(fx_rates.rate)::text`.as('rate'))
    .where('statements.issuedAt', 'is not', null)
    .orderBy('statements.period')
    .orderBy('statements.documentNumber')
    .execute()
}
