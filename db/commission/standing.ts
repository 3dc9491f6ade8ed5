/** Where a sale stands before it is shared: who is above, since when, and what was used before. */
import { sql } from 'kysely'
import type { TierName } from '../../domain/tiers.ts'
import type { Trx } from '../database.ts'
import { type Columns, unnested } from '../rows.ts'
import { countedForBands } from './accruals.ts'

export interface Earner {
  partnerId: string
  depth: number
  /** The tier at the sale, and at the customer's first accrual. */
  tierNow: TierName | null
  tierAtFirst: TierName | null
}

export interface DatedSale {
  partnerId: string
  at: Date
  customerSince: Date
}

const saleColumns: Columns<DatedSale> = {
  partnerId: 'uuid',
  at: 'timestamptz',
  customerSince: 'timestamptz',
}

/** For each sale, the seller and everyone above it as they stood at its instant. */
export async function listChains(trx: Trx, sales: DatedSale[]): Promise<Earner[][]> {
  if (sales.length === 0) return []
  const { rows } = await sql<Earner & { number: number }>`
    select sale.number::integer, above.ancestor_id as partner_id, above.depth,
      (select tier from partner_tiers
        where partner_id = above.ancestor_id and valid @> sale.at) as tier_now,
      (select tier from partner_tiers
        where partner_id = above.ancestor_id and valid @> sale.customer_since) as tier_at_first
    from ${unnested(saleColumns, sales)} with ordinality
      as sale (partner_id, at, customer_since, number)
    cross join lateral (
      select ancestor_id, depth from partner_ancestry
      where partner_id = sale.partner_id and valid @> sale.at offset 0) above
    order by sale.number, above.depth`.execute(trx)
  const chains = sales.map((): Earner[] => [])
  for (const { number, ...earner } of rows) chains[number - 1]?.push(earner)
  return chains
}

/** When each customer's first line that earned was paid, as far as it is booked. */
export async function listCustomersSince(
  trx: Trx,
  customerIds: string[],
): Promise<Map<string, Date>> {
  const { rows } = await sql<{ customerId: string; since: Date }>`
    select customer.id as customer_id, line.since
    from unnest(${customerIds}::uuid[]) customer (id)
    cross join lateral (
      select min(paid_at) as since from line_payments
      where customer_id = customer.id
        -- As a value, not as a join: one look-up for each line of the customer.
        and (select true from accruals where line_payment_id = line_payments.id limit 1)) line
    where line.since is not null`.execute(trx)
  return new Map(rows.map(({ customerId, since }) => [customerId, since]))
}

/** A rule that counts over several lines of a partner. */
export interface CountedRule {
  code: string
  partnerId: string
}

/**
 * Sales under rules that count over several lines follow one another. All are waited for at once
 * and in one order, so that two payments never wait for each other.
 */
export async function lockRuleUse(trx: Trx, uses: CountedRule[]): Promise<void> {
  // Partners share locks, so that a batch of any size holds few of them.
  const names = uses.map(({ code, partnerId }) => `rule_use:${code}:${partnerId.slice(-2)}`)
  if (names.length === 0) return
  await sql`
    select pg_advisory_xact_lock(lock_key(name))
    from (select distinct unnest(${names}::text[]) as name order by name) held`.execute(trx)
}

interface VolumeUse {
  ruleId: string
  partnerId: string
  period: string
}

const volumeColumns: Columns<VolumeUse> = { ruleId: 'uuid', partnerId: 'uuid', period: 'text' }

/** The amounts of the lines that each rule was applied to for its partner in its period. */
export async function listVolumes(trx: Trx, uses: VolumeUse[]): Promise<bigint[]> {
  if (uses.length === 0) return []
  const { rows } = await sql<{ volume: bigint }>`
    select coalesce(sum(accrual.base_minor), 0)::bigint as volume
    from ${unnested(volumeColumns, uses)} with ordinality
      as use (rule_id, partner_id, period, number)
    left join accruals accrual on accrual.rule_id = use.rule_id
      and accrual.partner_id = use.partner_id and accrual.period = use.period
      and ${countedForBands}
    group by use.number order by use.number`.execute(trx)
  return rows.map(({ volume }) => volume)
}

interface CapUse {
  programmeId: string
  code: string
  partnerId: string
  from: Date | null
  until: Date | null
}

const capColumns: Columns<CapUse> = {
  programmeId: 'uuid',
  code: 'text',
  partnerId: 'uuid',
  from: 'timestamptz',
  until: 'timestamptz',
}

/** What each partner earned under a rule, all its versions, on lines paid in a stretch of time. */
export async function listEarned(trx: Trx, uses: CapUse[]): Promise<bigint[]> {
  if (uses.length === 0) return []
  const { rows } = await sql<{ earned: bigint }>`
    select coalesce(earned.amount, 0)::bigint as earned
    from ${unnested(capColumns, uses)} with ordinality
      as use (programme_id, code, partner_id, starts, ends, number)
    left join lateral (
      select sum(accrual.amount_minor) as amount
      from commission_rules rule
      join accruals accrual
        on accrual.rule_id = rule.id and accrual.partner_id = use.partner_id
      join line_payments line on line.id = accrual.line_payment_id
      where rule.programme_id = use.programme_id and rule.code = use.code
        and (use.starts is null or line.paid_at >= use.starts)
        and (use.ends is null or line.paid_at < use.ends)) earned on true
    order by use.number`.execute(trx)
  return rows.map(({ earned }) => earned)
}

/** The tiers that these partners held at an instant. */
export async function listTiersAt(
  trx: Trx,
  partnerIds: string[],
  at: Date,
): Promise<Map<string, TierName>> {
  if (partnerIds.length === 0) return new Map()
  const rows = await trx
    .selectFrom('partnerTiers')
    .select(['partnerId', 'tier'])
    .where('partnerId', 'in', partnerIds)
    .where(sql<boolean>`valid @> ${at}::timestamptz`)
    .execute()
  return new Map(rows.map(({ partnerId, tier }) => [partnerId, tier]))
}
