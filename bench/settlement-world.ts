/**
 * The month that `bench settlement` closes: the lines of `bench accruals`, already accrued and
 * posted. All is made by the database itself, and no trigger looks at it: the invariants do.
 */
import { sql } from 'kysely'
import type { Db, Trx } from '../db/database.ts'
import { bookFloor, prepareFloor } from './accruals-floor.ts'
import { makeWorld, type WorldSize } from './accruals-world.ts'

export const period = '2026-10'

const copied = ['payments', 'line_payments', 'accruals', 'ledger_journals', 'ledger_postings']

export async function makeMonth(db: Db, size: WorldSize): Promise<void> {
  await makeWorld(db, size)
  await prepareFloor(db)
  await db.transaction().execute(async (trx) => {
    await openAccounts(trx)
    await sql`insert into accounting_periods (period, starts_at, ends_at)
      values (${period}, '2026-10-01Z', '2026-11-01Z') on conflict do nothing`.execute(trx)
  })
  await bookFloor(db)
  await db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    for (const table of copied) await copyRows(trx, table)
    for (const table of ['ledger_journals', 'ledger_postings']) {
      await sql`select setval(pg_get_serial_sequence(${table}, 'id'), max(id))
        from ${sql.table(table)}`.execute(trx)
    }
    await sql`
      insert into ledger_balances (account_id, debits_minor, credits_minor)
      select credit_account_id, 0, sum(amount_minor) from ledger_postings
      join ledger_accounts account on account.id = credit_account_id
      where account.partner_id is not null group by 1`.execute(trx)
  })
  await sql`drop schema floor cascade`.execute(db)
  await sql`vacuum (analyze)`.execute(db)
}

async function openAccounts(trx: Trx): Promise<void> {
  await sql`
    insert into ledger_accounts (purpose, partner_id, currency, normal_side, allow_contra)
    select 'partner_accrued', id, 'USD', 'credit', true from partners
    union all
    select purpose, null, 'USD', side, purpose <> 'platform_revenue'
    from (values ('stripe_clearing', 'debit'), ('platform_revenue', 'credit'),
      ('tax_payable', 'credit'), ('commission_expense', 'debit')) chart (purpose, side)
    on conflict do nothing`.execute(trx)
  await sql`
    delete from floor.accounts;
    insert into floor.accounts (purpose, partner_id, id)
      select purpose, partner_id, id from ledger_accounts;
    analyze floor.accounts`.execute(trx)
}

async function copyRows(trx: Trx, table: string): Promise<void> {
  const { rows } = await sql<{ columns: string }>`
    select string_agg(quote_ident(attname), ', ' order by attnum) as columns from pg_attribute
    where attrelid = ${`public.${table}`}::regclass and attnum > 0 and not attisdropped
      and attgenerated = ''`.execute(trx)
  const columns = sql.raw(rows[0]?.columns ?? '')
  await sql`insert into ${sql.table(`public.${table}`)} (${columns}) overriding system value
    select ${columns} from ${sql.table(`floor.${table}`)}`.execute(trx)
}

/** The month as it was before it was closed. */
export async function reopenMonth(db: Db): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`truncate statements, payouts, payout_attempts, settlement_shards cascade`.execute(trx)
    await sql`delete from settlement_runs`.execute(trx)
    await sql`update accounting_periods set status = 'open'`.execute(trx)
  })
  await sql`drop schema if exists floor cascade`.execute(db)
  await sql`create schema floor`.execute(db)
  await sql`create table floor.statements (like public.statements including defaults)`.execute(db)
  for (const key of ['primary key (id)', 'unique (run_id, partner_id, currency)']) {
    await sql`alter table floor.statements add ${sql.raw(key)}`.execute(db)
  }
  await sql`checkpoint`.execute(db)
}

/** The same statements by one hand-written statement, into a table with its two keys. */
export async function draftFloor(db: Db): Promise<void> {
  await sql`
    insert into floor.statements (run_id, partner_id, period, currency, opening_minor, earned_minor,
      clawed_back_minor, adjustments_minor, closing_minor, held_minor, payable_minor,
      carried_minor, carry_reason, reseller_id, master_id)
    select '00000000-0000-7000-8000-000000000000', partner_id, ${sql.lit(period)}, currency, 0,
      earned, 0, 0, earned, 0, case when earned >= minimum then earned else 0 end,
      case when earned >= minimum then 0 else earned end,
      case when earned < minimum then 'below_minimum' end, place.reseller_id, place.master_id
    from (
      select partner_id, currency, sum(amount_minor)::bigint as earned from accruals
      where period = ${sql.lit(period)} group by 1, 2) earned
    join (select id as partner_id, reseller_id, master_id from partners) place using (partner_id)
    cross join (select minimum_payout_minor as minimum from programmes) programme
  `.execute(db)
}

/** Number of statements and a sum over what they say: equal only for equal rows. */
export async function printOf(db: Db, schema: 'floor' | 'public'): Promise<string> {
  const { rows } = await sql<{ print: string }>`
    select count(*) || ':' || coalesce(sum(hashtextextended(said::text, 0)), 0) as print
    from (select partner_id, period, currency, opening_minor, earned_minor, clawed_back_minor,
      adjustments_minor, closing_minor, held_minor, payable_minor, carried_minor, carry_reason,
      payout_currency, payout_minor, payout_rest_minor, fx_rate_id, reseller_id, master_id
      from ${sql.table(`${schema}.statements`)}) said`.execute(db)
  return rows[0]?.print ?? ''
}
