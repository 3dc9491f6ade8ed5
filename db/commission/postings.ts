/**
 * The journals of paid lines and of their accruals, written by the database from the rows that
 * were just booked: these are most of all journals, and nothing of them has to travel. A journal is
 * written with its postings in one statement; one that exists already is refused by its key.
 *
 * Rows are read by `cross join lateral (… offset 0)`, one look-up by key for each, because plans
 * that were made for tables of another size would scan them.
 */
import { type RawBuilder, sql } from 'kysely'
import type { Trx } from '../database.ts'
import { type AccountPurpose, openAccounts } from '../ledger.ts'
import { columnsAndRows } from '../rows.ts'
import { accrualColumns, type NewAccrual } from './accruals.ts'

export interface PostedLine {
  id: string
  kind: 'customer' | 'platform'
  currency: string
}

/** Posts what lines collected: Dr stripe_clearing / Cr revenue, without tax, and tax_payable. */
export async function postPayments(trx: Trx, lines: PostedLine[]): Promise<void> {
  const alike = Map.groupBy(lines, ({ kind, currency }) => `${kind} ${currency}`)
  for (const [first, ...others] of alike.values()) {
    if (!first) continue
    const revenue = first.kind === 'platform' ? 'platform_fees' : 'platform_revenue'
    const account = await openPlatformAccounts(trx, first.currency, [
      'stripe_clearing',
      revenue,
      'tax_payable',
    ])
    const lineIds = [first, ...others].map(({ id }) => id)
    await post(trx, {
      kind: 'payment',
      first: sql``,
      legs: sql`
        select line.id as line_id, number, purpose, null::uuid as partner_id, amount, paid.period,
          account_id, paid.paid_at
        from unnest(${lineIds}::uuid[]) line (id)
        cross join lateral (select * from line_payments where id = line.id offset 0) paid
        cross join lateral (values
          (1, ${revenue}, ${account(revenue)}::bigint, paid.base_minor),
          (2, 'tax_payable', ${account('tax_payable')}, paid.tax_minor)
        ) leg (number, purpose, account_id, amount)`,
      currency: first.currency,
      debit: { purpose: 'stripe_clearing', id: account('stripe_clearing') },
    })
  }
}

/** Like its line, an accrual stays with those above its earner when the line was paid. */
const asOfLine = {
  partner: 'partnerId',
  at: (column: (name: 'linePaymentId') => RawBuilder<unknown>) =>
    sql`(select paid_at from line_payments where id = ${column('linePaymentId')})`,
} as const

/**
 * Keeps accruals and posts them: Dr commission_expense / Cr partner_accrued, for each depth. One
 * statement does both, so that what was just written need not be read again.
 */
export async function recordAccruals(trx: Trx, accruals: NewAccrual[]): Promise<void> {
  for (const [currency, earned] of Map.groupBy(accruals, (accrual) => accrual.currency)) {
    const account = await openPlatformAccounts(trx, currency, ['commission_expense'])
    await openAccounts(
      trx,
      earned.map(({ partnerId }) => ({
        account: { purpose: 'partner_accrued', partnerId },
        currency,
      })),
    )
    await post(trx, {
      kind: 'accrual',
      first: sql`accrual as (
        insert into accruals ${columnsAndRows(accrualColumns, earned, asOfLine)}
        returning line_payment_id, depth, partner_id, amount_minor, period),`,
      legs: sql`
        select line_payment_id as line_id, depth as number, 'partner_accrued' as purpose,
          partner_id, amount_minor as amount, period,
          (select id from ledger_accounts where purpose = 'partner_accrued'
            and partner_id = accrual.partner_id and currency = ${currency}) as account_id,
          (select paid_at from line_payments where id = accrual.line_payment_id) as paid_at
        from accrual`,
      currency,
      debit: { purpose: 'commission_expense', id: account('commission_expense') },
    })
  }
}

/** @returns ids by purpose. */
async function openPlatformAccounts(trx: Trx, currency: string, purposes: AccountPurpose[]) {
  const accountId = await openAccounts(
    trx,
    purposes.map((purpose) => ({ account: { purpose }, currency })),
  )
  return (purpose: AccountPurpose) => accountId({ purpose }, currency)
}

interface LinesToPost {
  kind: 'payment' | 'accrual'
  /** A statement before the legs that they read from, or nothing. */
  first: RawBuilder<unknown>
  /** line_id, number, purpose, partner_id, account_id, amount, period, paid_at. */
  legs: RawBuilder<unknown>
  currency: string
  debit: { purpose: AccountPurpose; id: bigint }
}

/** One journal for each line that has legs above nothing. */
async function post(trx: Trx, lines: LinesToPost): Promise<void> {
  const { kind, first, legs, currency, debit } = lines
  // What a journal says, in the words that its hash has everywhere.
  const said = sql`${`${debit.purpose}//${currency}>`} || purpose || '/'
    || coalesce(partner_id::text, '') || ${`/${currency}=`} || amount`
  await sql`
    with ${first} leg as materialized (
      select * from (${legs}) every_leg where amount > 0
    ), journal as (
      insert into ledger_journals
        (kind, source_type, source_id, period, effective_at, request_hash)
      select ${kind}, 'line_payment', line_id, period, paid_at,
        sha256(convert_to(string_agg(${said}, E'\n' order by number), 'UTF8'))
      from leg
      group by line_id, period, paid_at
      order by line_id
      returning id, source_id
    )
    insert into ledger_postings
      (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
    select journal.id, ${debit.id}::bigint, leg.account_id, ${currency}, leg.amount
    from journal join leg on leg.line_id = journal.source_id
    order by journal.id, leg.number`.execute(trx)
}
