/** Where a sale stands before it is shared: who is above, since when, and what was used before. */
import { sql } from 'kysely'
import type { CapPeriod } from '../../domain/commission-rules.ts'
import type { TierName } from '../../domain/tiers.ts'
import { lockName, type Trx } from '../database.ts'

export interface Earner {
  partnerId: string
  depth: number
  /** The tier at the sale, and at the customer's first accrual. */
  tierNow: TierName | null
  tierAtFirst: TierName | null
}

/** The seller and everyone above it as they stood at an instant. */
export async function listChain(
  trx: Trx,
  sale: { partnerId: string; at: Date; customerSince: Date },
): Promise<Earner[]> {
  const { rows } = await sql<Earner>`
    select above.ancestor_id as partner_id, above.depth,
      held.tier as tier_now, first_held.tier as tier_at_first
    from partner_ancestry above
    left join partner_tiers held
      on held.partner_id = above.ancestor_id and held.valid @> ${sale.at}::timestamptz
    left join partner_tiers first_held on first_held.partner_id = above.ancestor_id
      and first_held.valid @> ${sale.customerSince}::timestamptz
    where above.partner_id = ${sale.partnerId} and above.valid @> ${sale.at}::timestamptz
    order by above.depth`.execute(trx)
  return rows
}

/** When a customer's first line that earned was paid, as far as it is booked. */
export async function findCustomerSince(trx: Trx, customerId: string): Promise<Date | null> {
  const { rows } = await sql<{ since: Date | null }>`
    select min(line.paid_at) as since from line_payments line
    where line.customer_id = ${customerId}
      and exists (select from accruals where accruals.line_payment_id = line.id)`.execute(trx)
  return rows[0]?.since ?? null
}

/** Rules that count over several lines: their sales follow one another. */
export async function lockRuleUse(
  trx: Trx,
  uses: { code: string; partnerId: string }[],
): Promise<void> {
  const keys = uses.map(({ code, partnerId }) => `commission_rules:${code}:${partnerId}`).sort()
  for (const key of new Set(keys)) await lockName(trx, key)
}

/** The amounts of the lines that a rule was applied to for a partner in a period. */
export async function volumeUnder(
  trx: Trx,
  use: { ruleId: string; partnerId: string; period: string },
): Promise<bigint> {
  const { rows } = await sql<{ volume: bigint }>`
    select coalesce(sum(base_minor), 0)::bigint as volume from accruals
    where rule_id = ${use.ruleId} and partner_id = ${use.partnerId} and period = ${use.period}
      and (limited_by is null or limited_by not in ('window', 'setup_fee'))`.execute(trx)
  return rows[0]?.volume ?? 0n
}

/** What a partner earned under a rule, all its versions, in the cap's stretch around an instant. */
export async function earnedUnder(
  trx: Trx,
  use: { programmeId: string; code: string; partnerId: string; per: CapPeriod; at: Date },
): Promise<bigint> {
  const stretch = sql.lit(use.per)
  const within =
    use.per === 'all'
      ? sql`true`
      : sql`date_trunc(${stretch}, line.paid_at, 'UTC')
          = date_trunc(${stretch}, ${use.at}::timestamptz, 'UTC')`
  const { rows } = await sql<{ earned: bigint }>`
    select coalesce(sum(accrual.amount_minor), 0)::bigint as earned
    from accruals accrual
    join commission_rules rule on rule.id = accrual.rule_id
      and rule.programme_id = ${use.programmeId} and rule.code = ${use.code}
    join line_payments line on line.id = accrual.line_payment_id
    where accrual.partner_id = ${use.partnerId} and ${within}`.execute(trx)
  return rows[0]?.earned ?? 0n
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
