/**
 * The world that `bench accruals` sells in: partners, customers and paid invoices, made by the
 * database itself because they are many. What is measured only reads it.
 */
import { sql } from 'kysely'
import { insertRules, type NewRule } from '../db/commission/rules.ts'
import type { Db, Trx } from '../db/database.ts'
import { getProgramme, recordProgramme } from '../db/programmes.ts'
import { basisPoints } from '../domain/money.ts'
import type { TierName } from '../domain/tiers.ts'
import { demoProgramme } from '../scripts/stack/programme.ts'

export interface WorldSize {
  lines: number
  partners: number
}

export const linesOfInvoice = 2
/** As long as a name that is sealed; nothing here opens it. */
export const sealedText = `\\x${'5a'.repeat(64)}`
const products = 10
const paidFrom = '2026-10-01T00:00:00Z'

/** One partner of a hundred is a master; half of the others stand below one. */
const mastersOf = (partners: number) => Math.max(1, Math.floor(partners / 100))

export async function makeWorld(db: Db, size: WorldSize): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await recordProgramme(trx, { ...demoProgramme, rules: [] })
    const { id: programmeId } = await getProgramme(trx)
    await makePartners(trx, programmeId, size)
    await makePackages(trx, programmeId)
    await makeRules(trx, programmeId)
    await makeInvoices(trx, size)
  })
  await sql`vacuum (analyze)`.execute(db)
}

async function makePartners(trx: Trx, programmeId: string, { partners }: WorldSize) {
  const masters = mastersOf(partners)
  await sql`
    create schema bench;
    create table bench.partners as
      select no, uuidv7() as id, no < ${sql.lit(masters)} as is_master,
        case when no >= ${sql.lit(masters)} and no % 2 = 0
          then no / 2 % ${sql.lit(masters)} end as parent_no,
        (array['bronze', 'silver', 'gold', 'platinum'])[1 + no % 4] as tier
      from generate_series(0, ${sql.lit(partners - 1)}) no;
    alter table bench.partners add primary key (no);`.execute(trx)
  await sql`
    insert into partners (id, programme_id, name, level, type, status, country, website,
      contact_name_sealed, contact_email_sealed)
    select id, ${programmeId}, 'Partner ' || no,
      case when is_master then 'master_reseller' else 'reseller' end, 'white_label', 'active',
      'US', 'https://partner.example', 'sealed', 'sealed'
    from bench.partners`.execute(trx)
  await sql`
    insert into partner_ancestry (partner_id, ancestor_id, depth, valid)
    select id, id, 0, '(,)'::tstzrange from bench.partners
    union all
    select below.id, above.id, 1, '[2020-01-01,)'::tstzrange
    from bench.partners below join bench.partners above on above.no = below.parent_no`.execute(trx)
  await sql`
    insert into partner_tiers (partner_id, tier, valid, reason)
    select id, tier, '[2020-01-01,)'::tstzrange, 'joined the programme'
    from bench.partners`.execute(trx)
}

async function makePackages(trx: Trx, programmeId: string) {
  await sql`
    insert into feature_packages (programme_id, name, amount_minor, currency, interval,
      vendor_product_id, vendor_price_id)
    select ${programmeId}, 'Package ' || no, 9999, 'USD', 'month', 'prod_' || no, 'price_' || no
    from generate_series(0, ${sql.lit(products - 1)}) no`.execute(trx)
}

const percentages: { depth: number; tier?: TierName; product?: number; bps: number }[] = [
  { depth: 0, tier: 'bronze', bps: 1_500 },
  { depth: 0, tier: 'silver', bps: 2_000 },
  { depth: 0, tier: 'gold', bps: 2_500 },
  { depth: 0, tier: 'platinum', bps: 3_000 },
  { depth: 1, bps: 500 },
  { depth: 1, product: 1, bps: 333 },
  { depth: 1, product: 2, bps: 1_250 },
]

/** Rates by tier for the seller, by product for its master, and for a few partners their own. */
async function makeRules(trx: Trx, programmeId: string) {
  const packages = await trx
    .selectFrom('featurePackages')
    .select(['id', 'vendorProductId'])
    .execute()
  const named = await sql<{ id: string }>`
    select id from bench.partners where no % 1000 = 7 and not is_master limit 100`.execute(trx)
  const general = percentages.map(({ depth, tier = null, product, bps }) => ({
    depth,
    bps,
    scope: {
      link: null,
      partner: null,
      tier,
      product: packages.find((one) => one.vendorProductId === `prod_${product}`)?.id ?? null,
    },
  }))
  const own = named.rows.map(({ id }) => ({
    depth: 0,
    bps: 2_250,
    scope: { link: null, partner: id, tier: null, product: null },
  }))
  await insertRules(
    trx,
    [...general, ...own].map(
      ({ depth, bps, scope }, i): NewRule => ({
        programmeId,
        code: `rule-${i}`,
        version: 1,
        migratesAt: null,
        depth,
        terms: { kind: 'percentage', rate: basisPoints(bps) },
        scope,
        validFrom: null,
        validTo: null,
        cap: null,
        floor: null,
        windowMonths: null,
        setupFee: false,
      }),
    ),
  )
}

/** Every invoice has a customer of its own, is paid at once, and a third carry tax. */
async function makeInvoices(trx: Trx, { lines, partners }: WorldSize) {
  const count = Math.ceil(lines / linesOfInvoice)
  await sql`
    create table bench.invoices as
      select invoice.no, uuidv7() as customer_id, uuidv7() as subscription_id,
        seller.id as partner_id,
        date_trunc('milliseconds',
          timestamptz ${sql.lit(paidFrom)}
            + invoice.no * (interval '30 days' / ${sql.lit(count)})) as paid_at,
        invoice.no % 3 = 0 as taxed
      from generate_series(0, ${sql.lit(count - 1)}) invoice (no)
      join bench.partners seller
        on seller.no = (hashint8(invoice.no)::bigint & 2147483647) % ${sql.lit(partners)};
    alter table bench.invoices add primary key (no);
    create table bench.lines as
      select invoice.no as invoice_no, line.no,
        'il_' || invoice.no || '_' || line.no as vendor_line_id,
        ((invoice.no + line.no) % ${sql.lit(products)})::integer as product_no,
        500 + (hashint8extended(invoice.no * 7 + line.no, 11) & 65535) as net
      from bench.invoices invoice, generate_series(0, ${sql.lit(linesOfInvoice - 1)}) line (no)
      where invoice.no * ${sql.lit(linesOfInvoice)} + line.no < ${sql.lit(lines)};
    alter table bench.lines add column tax bigint;
    create index on bench.lines (invoice_no);`.execute(trx)
  await sql`
    update bench.lines line set tax = case when taxed then net * 19 / 100 else 0 end
    from bench.invoices invoice where invoice.no = line.invoice_no`.execute(trx)
  await sql`
    insert into customers (id, partner_id, name_sealed, email_sealed)
    select customer_id, partner_id, ${sql.lit(sealedText)}::bytea, ${sql.lit(sealedText)}::bytea
    from bench.invoices`.execute(trx)
  await sql`
    insert into subscriptions (id, customer_id, partner_id, feature_package_id, status)
    select subscription_id, customer_id, partner_id,
      (select id from feature_packages where vendor_product_id = 'prod_0'), 'active'
    from bench.invoices`.execute(trx)
}
