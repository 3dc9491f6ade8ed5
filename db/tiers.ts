/** Tiers that partners hold, and the metric that moves them. */
import { sql } from 'kysely'
import type { TierName } from '../domain/tiers.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { type Viewer, visibleTo } from './partners.ts'

/** What customers of the next partners paid net in a window, with the tier each holds now. */
export async function listTierMetrics(
  trx: Trx,
  page: {
    programmeId: string
    currency: string
    from: Date
    until: Date
    after: string | null
    size: number
  },
) {
  const { rows } = await sql<{ partnerId: string; tier: TierName; metric: bigint }>`
    with page as (
      select partners.id, held.tier
      from partners
      join partner_tiers held on held.partner_id = partners.id and upper_inf(held.valid)
      where partners.programme_id = ${page.programmeId} and partners.status = 'active'
        and (${page.after}::uuid is null or partners.id > ${page.after}::uuid)
      order by partners.id limit ${page.size}
    ), line as (
      select customer.partner_id, line.id, line.base_minor, line.paid_at
      from customers customer
      join line_payments line on line.customer_id = customer.id
      where customer.partner_id in (select id from page) and line.currency = ${page.currency}
    ), paid as (
      select partner_id, sum(base_minor) as amount from line
      where paid_at >= ${page.from} and paid_at < ${page.until}
      group by 1
    ), back as (
      select line.partner_id, sum(reversal.base_minor) as amount
      from line_reversals reversal join line on line.id = reversal.line_payment_id
      where reversal.happened_at >= ${page.from} and reversal.happened_at < ${page.until}
      group by 1
    )
    select page.id as partner_id, page.tier,
      (coalesce(paid.amount, 0) - coalesce(back.amount, 0))::bigint as metric
    from page
    left join paid on paid.partner_id = page.id
    left join back on back.partner_id = page.id
    order by page.id`.execute(trx)
  return rows
}

/**
 * Moves a partner to another tier from this instant on; a review of one period decides once.
 * @returns false when this review moved the partner before.
 */
export async function recordTierChange(
  trx: Trx,
  change: { partnerId: string; from: TierName; to: TierName; reason: string; reviewPeriod: string },
): Promise<boolean> {
  const { partnerId, from, to, reason, reviewPeriod } = change
  const before = await trx
    .selectFrom('partnerTiers')
    .select('id')
    .where('partnerId', '=', partnerId)
    .where('reviewPeriod', '=', reviewPeriod)
    .executeTakeFirst()
  if (before) return false
  const { rows } = await sql<{ now: Date }>`
    update partner_tiers set valid = tstzrange(lower(valid), clock_timestamp())
    where partner_id = ${partnerId} and tier = ${from} and upper_inf(valid)
    returning upper(valid) as now`.execute(trx)
  const now = rows[0]?.now
  if (!now) return false
  await sql`
    insert into partner_tiers (partner_id, tier, previous_tier, valid, reason, review_period)
    select ${partnerId}, ${to}, ${from}, tstzrange(max(upper(valid)), null), ${reason},
      ${reviewPeriod}
    from partner_tiers where partner_id = ${partnerId}`.execute(trx)
  return true
}

/**
 * Sets a partner's tier from an instant on, up to a later change that is known already. An instant
 * before the partner joined counts as when it joined.
 */
export async function recordTierFrom(
  trx: Trx,
  change: { partnerId: string; tier: TierName; from: Date; reason: string },
): Promise<void> {
  const { partnerId, tier, from, reason } = change
  const { rows } = await sql<{ id: string; tier: TierName; from: Date; whole: boolean }>`
    select id, tier, greatest(lower(valid), ${from}::timestamptz) as from,
      lower(valid) >= ${from}::timestamptz as whole
    from partner_tiers
    where partner_id = ${partnerId} and valid && tstzrange(${from}::timestamptz, null)
    order by valid limit 1`.execute(trx)
  const held = rows[0]
  if (!held || held.tier === tier) return
  if (held.whole) return replaceTier(trx, { id: held.id, tier, reason })
  const { rows: ended } = await sql<{ until: Date | null }>`
    with before as (select upper(valid) as until from partner_tiers where id = ${held.id})
    update partner_tiers set valid = tstzrange(lower(valid), ${held.from})
    where id = ${held.id} returning (select until from before)`.execute(trx)
  await sql`
    insert into partner_tiers (partner_id, tier, previous_tier, valid, reason)
    values (${partnerId}, ${tier}, ${held.tier},
      tstzrange(${held.from}, ${ended[0]?.until ?? null}::timestamptz), ${reason})`.execute(trx)
}

/** A change that another of the same instant makes undone leaves the tier before it going on. */
async function replaceTier(
  trx: Trx,
  change: { id: string; tier: TierName; reason: string },
): Promise<void> {
  const { id, tier, reason } = change
  const { rows: undone } = await sql<{ partnerId: string; from: Date; until: Date | null }>`
    delete from partner_tiers where id = ${id} and previous_tier = ${tier}
    returning partner_id, lower(valid) as from, upper(valid) as until`.execute(trx)
  const gone = undone[0]
  if (gone) {
    await sql`
      update partner_tiers set valid = tstzrange(lower(valid), ${gone.until}::timestamptz)
      where partner_id = ${gone.partnerId} and upper(valid) = ${gone.from}`.execute(trx)
    return
  }
  await trx.updateTable('partnerTiers').set({ tier, reason }).where('id', '=', id).execute()
}

export async function findTierChangeOf(db: Db, partnerId: string, reviewPeriod: string) {
  return db
    .selectFrom('partnerTiers')
    .select(['id', 'tier', 'reason'])
    .where('partnerId', '=', partnerId)
    .where('reviewPeriod', '=', reviewPeriod)
    .executeTakeFirst()
}

function changeQuery(db: Db, viewer: Viewer) {
  return db
    .selectFrom('partnerTiers')
    .select(['id', 'partnerId', 'previousTier', 'tier', 'reason', 'reviewPeriod', 'decidedAt'])
    .where('previousTier', 'is not', null)
    .where(visibleTo(viewer, 'partnerTiers.partnerId'))
}

export type TierChangeRow = Awaited<
  ReturnType<ReturnType<typeof changeQuery>['executeTakeFirstOrThrow']>
>

export async function listTierChanges(
  db: Db,
  viewer: Viewer,
  page: PageRequest,
): Promise<Page<TierChangeRow>> {
  let query = changeQuery(db, viewer)
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}
