/**
 * The floor of `bench accruals`: the same rows by hand-written statements, one for each table, into
 * tables that have nothing but their primary and unique keys. It knows only this world: one month,
 * plain percentages, lines that are paid whole. Nobody guards, dates or explains anything in it.
 */
import { sql } from 'kysely'
import type { Db } from '../db/database.ts'

const tables: Record<string, string[]> = {
  payments: ['primary key (id)', 'unique (vendor_payment_id)', 'unique (vendor_charge_id)'],
  line_payments: ['primary key (id)', 'unique (vendor_line_id, payment_id)'],
  accruals: ['primary key (id)', 'unique (line_payment_id, depth)'],
  ledger_journals: ['primary key (id)', 'unique (kind, source_type, source_id)'],
  ledger_postings: ['primary key (id)'],
}

/** Empty tables, and the accounts of all partners, which the floor need not open. */
export async function prepareFloor(db: Db): Promise<void> {
  await sql`drop schema if exists floor cascade; create schema floor`.execute(db)
  for (const [table, keys] of Object.entries(tables)) {
    await sql`create table ${sql.table(`floor.${table}`)}
      (like ${sql.table(`public.${table}`)} including defaults including identity)`.execute(db)
    for (const key of keys) {
      await sql`alter table ${sql.table(`floor.${table}`)} add ${sql.raw(key)}`.execute(db)
    }
  }
  await sql`
    create table floor.accounts as
      select purpose, partner_id, row_number() over ()::bigint as id from (
        select 'partner_accrued' as purpose, id as partner_id from partners
        union all
        select unnest(array['stripe_clearing', 'platform_revenue', 'tax_payable',
          'commission_expense']), null) account;
    create unique index on floor.accounts (partner_id, purpose) nulls not distinct;
    analyze floor.accounts`.execute(db)
}

/** Books everything. */
export async function bookFloor(db: Db): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `insert into floor.payments (vendor_payment_id, vendor_charge_id, vendor_invoice_id, kind,
      partner_id, customer_id, subscription_id, currency, amount_minor, paid_at, period,
      reseller_id, master_id)
    select 'inpay_' || no, 'ch_' || no, 'in_' || no, 'customer', partner_id, customer_id,
      subscription_id, 'USD', total, paid_at, '2026-10', reseller_id, master_id
    from bench.invoices
    join (select id as partner_id, reseller_id, master_id from public.partners) place
      using (partner_id)
    join (select invoice_no as no, sum(net + tax) as total from bench.lines group by 1) line
      using (no)`,
  `insert into floor.line_payments (payment_id, vendor_line_id, partner_id, currency, base_minor,
      tax_minor, whole, paid_at, period, customer_id, feature_package_id, quantity, line_minor,
      reseller_id, master_id)
    select payment.id, vendor_line_id, payment.partner_id, 'USD', net, tax, true, payment.paid_at,
      '2026-10', payment.customer_id, package.id, 1, net, payment.reseller_id, payment.master_id
    from bench.lines line
    join floor.payments payment on payment.vendor_payment_id = 'inpay_' || line.invoice_no
    join public.feature_packages package
      on package.vendor_product_id = 'prod_' || line.product_no`,
  `with shared as materialized (
      select line.id as line_payment_id, above.ancestor_id as partner_id, above.depth, held.tier,
        line.base_minor as base, line.paid_at, rule.id as rule_id, rule.rate_num, rule.rate_den,
        line.base_minor * rule.rate_num / rule.rate_den as whole_units,
        line.base_minor * rule.rate_num % rule.rate_den as remainder
      from floor.line_payments line
      join public.partner_ancestry above on above.partner_id = line.partner_id
      join public.partner_tiers held on held.partner_id = above.ancestor_id
      left join public.commission_rules own
        on own.depth = above.depth and own.partner_id = above.ancestor_id
      left join public.commission_rules by_tier on by_tier.depth = above.depth
        and by_tier.tier = held.tier
      left join public.commission_rules by_product on by_product.depth = above.depth
        and by_product.feature_package_id = line.feature_package_id
      left join public.commission_rules general on general.depth = above.depth
        and coalesce(general.partner_id, general.feature_package_id) is null
        and general.tier is null
      join public.commission_rules rule
        on rule.id = coalesce(own.id, by_tier.id, by_product.id, general.id)
    ), ranked as (
      select *,
        row_number() over (partition by line_payment_id order by remainder desc, depth) as rank,
        -- All rates have one denominator: what the platform lacks and the shares lack make units.
        (sum(remainder) over by_line + (rate_den - sum(remainder) over by_line % rate_den)
          % rate_den) / rate_den as units,
        (rate_den - sum(remainder) over by_line % rate_den) % rate_den as platform_remainder
      from shared
      window by_line as (partition by line_payment_id)
    )
    insert into floor.accruals (line_payment_id, partner_id, depth, rule_id, base_minor, rate_num,
      rate_den, rounding, currency, amount_minor, target_minor, tier, period, matures_at,
      reseller_id, master_id)
    select line_payment_id, partner_id, depth, rule_id, base, rate_num, rate_den,
      'largest_remainder', 'USD', amount, amount, tier, '2026-10', paid_at, reseller_id, master_id
    from (
      select *, whole_units + case when rank
          + case when platform_remainder > remainder then 1 else 0 end <= units
        then 1 else 0 end as amount
      from ranked) exact
    join (select id as partner_id, reseller_id, master_id from public.partners) place
      using (partner_id)`,
  `insert into floor.ledger_journals (kind, source_type, source_id, period, effective_at,
      request_hash)
    select 'payment', 'line_payment', id, '2026-10', paid_at, sha256(vendor_line_id::bytea)
    from floor.line_payments
    union all
    select 'accrual', 'line_payment', line.id, '2026-10', line.paid_at,
      sha256(line.vendor_line_id::bytea)
    from floor.line_payments line
    join (select line_payment_id as id, sum(amount_minor) as amount from floor.accruals group by 1)
      earned using (id)
    where earned.amount > 0`,
  `with account as materialized (select purpose, id from floor.accounts where partner_id is null)
    insert into floor.ledger_postings (journal_id, debit_account_id, credit_account_id, currency,
      amount_minor)
    select journal.id, debit.id, credit.id, 'USD', amount
    from (
      select id, 'payment' as kind, 'platform_revenue' as purpose, base_minor as amount
        from floor.line_payments
      union all
      select id, 'payment', 'tax_payable', tax_minor from floor.line_payments where tax_minor > 0
    ) line
    join floor.ledger_journals journal on journal.source_id = line.id and journal.kind = line.kind
      and journal.source_type = 'line_payment'
    join account debit on debit.purpose = 'stripe_clearing'
    join account credit on credit.purpose = line.purpose
    union all
    select journal.id, debit.id, credit.id, 'USD', accrual.amount_minor
    from floor.accruals accrual
    join floor.ledger_journals journal on journal.source_id = accrual.line_payment_id
      and journal.kind = 'accrual' and journal.source_type = 'line_payment'
    join account debit on debit.purpose = 'commission_expense'
    join floor.accounts credit on credit.partner_id = accrual.partner_id
    where accrual.amount_minor > 0`,
]

/** Number of rows and a sum over their business columns: equal only for equal rows. */
export async function printOf(
  db: Db,
  schema: 'floor' | 'public',
): Promise<Record<string, { rows: number; sum: string }>> {
  const prints: Record<string, { rows: number; sum: string }> = {}
  const accounts = schema === 'floor' ? 'floor.accounts' : 'public.ledger_accounts'
  for (const [table, query] of Object.entries(businessColumns(schema, accounts))) {
    const { rows } = await sql<{ rows: bigint; sum: string | null }>`
      select count(*) as rows, sum(hashtextextended(said::text, 0))::text as sum
      from (${sql.raw(query)}) said`.execute(db)
    prints[table] = { rows: Number(rows[0]?.rows ?? 0n), sum: rows[0]?.sum ?? '0' }
  }
  return prints
}

function businessColumns(schema: string, accounts: string): Record<string, string> {
  const line = `join ${schema}.line_payments line`
  return {
    payments: `select vendor_payment_id, vendor_charge_id, vendor_invoice_id, kind, partner_id,
      customer_id, subscription_id, currency, amount_minor, paid_at, period, reseller_id, master_id
      from ${schema}.payments`,
    lines: `select vendor_line_id, vendor_payment_id, line.partner_id, line.currency, base_minor,
      tax_minor, whole, line.paid_at, line.period, line.customer_id, feature_package_id, quantity,
      line_minor, setup_fee, allocation_unit, line.reseller_id, line.master_id
      from ${schema}.line_payments line join ${schema}.payments p on p.id = line.payment_id`,
    accruals: `select vendor_line_id, accrual.partner_id, depth, rule_id, accrual.base_minor,
      rate_num, rate_den, rounding, accrual.currency, amount_minor, target_minor, limited_by, tier,
      volume_minor, accrual.period, matures_at, accrual.reseller_id, accrual.master_id
      from ${schema}.accruals accrual ${line} on line.id = accrual.line_payment_id`,
    journals: `select kind, source_type, vendor_line_id, journal.period, effective_at, reverses_id
      from ${schema}.ledger_journals journal ${line} on line.id = journal.source_id`,
    postings: `select journal.kind, vendor_line_id, debit.purpose, credit.purpose,
      credit.partner_id, posting.currency, amount_minor
      from ${schema}.ledger_postings posting
      join ${schema}.ledger_journals journal on journal.id = posting.journal_id
      ${line} on line.id = journal.source_id
      join ${accounts} debit on debit.id = posting.debit_account_id
      join ${accounts} credit on credit.id = posting.credit_account_id`,
  }
}
