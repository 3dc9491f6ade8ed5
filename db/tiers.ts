/** Tiers that partners hold, and the metric that moves them. */
import { type SqlBool, sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { TierName } from '../domain/tiers.ts'
import { type Db, lockName, type Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

/** Of the tiers of a partner as `held`: the one now, or the first of one that has yet to join. */
export const holdsNow = sql<SqlBool>`(held.valid @> clock_timestamp()
  or held.previous_tier is null and lower(held.valid) > clock_timestamp())`

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
  const held = await lockHeldTier(trx, partnerId)
  if (held?.tier !== from) return false
  await endTier(trx, { partnerId, ...held })
  await sql`
    insert into partner_tiers (partner_id, tier, previous_tier, valid, reason, review_period)
    values (${partnerId}, ${to}, ${from}, tstzrange(${held.now}, null), ${reason},
      ${reviewPeriod})`.execute(trx)
  return true
}

/** The tier that a partner holds at the database's clock, and that clock. */
async function lockHeldTier(trx: Trx, partnerId: string) {
  await lockName(trx, `partner_tiers:${partnerId}`)
  const { rows } = await sql<{ id: string; tier: TierName; planned: TierName; now: Date }>`
    with clock as materialized (select date_trunc('milliseconds', clock_timestamp()) as now)
    select held.id, held.tier, clock.now,
      (select tier from partner_tiers last
        where last.partner_id = held.partner_id and upper_inf(last.valid)) as planned
    from partner_tiers held cross join clock
    where held.partner_id = ${partnerId} and held.valid @> clock.now
      and lower(held.valid) < clock.now`.execute(trx)
  return rows[0]
}

/** Ends what is held now, and forgets what was to come after it: it never held. */
async function endTier(
  trx: Trx,
  { partnerId, id, now }: { partnerId: string; id: string; now: Date },
): Promise<void> {
  await sql`delete from partner_tiers
    where partner_id = ${partnerId} and lower(valid) > ${now}`.execute(trx)
  await sql`update partner_tiers set valid = tstzrange(lower(valid), ${now})
    where id = ${id}`.execute(trx)
}

export interface TierOverride {
  approvalId: string
  partnerId: string
  tier: TierName
  /** From when on the tier holds again that the partner would have without it; null is never. */
  until: Date | null
  reason: string
}

/**
 * Sets the tier that two persons approved, from now on. An override before it ends with it.
 * @throws DomainError `conflict` where the partner holds this tier, or the end has passed.
 */
export async function recordTierOverride(trx: Trx, override: TierOverride): Promise<void> {
  const { approvalId, partnerId, tier, until } = override
  const held = await lockHeldTier(trx, partnerId)
  if (!held) throw new DomainError('conflict', 'the partner holds no tier yet')
  if (held.tier === tier) throw new DomainError('conflict', 'the partner holds this tier already')
  if (until && until <= held.now) {
    throw new DomainError('conflict', 'the override would be over before it began')
  }
  await endTier(trx, { partnerId, ...held })
  const reason = `override: ${override.reason}`
  const end = held.planned === tier ? null : until
  await sql`
    insert into partner_tiers (partner_id, tier, previous_tier, valid, reason, approval_id)
    values (${partnerId}, ${tier}, ${held.tier}, tstzrange(${held.now}, ${end}::timestamptz),
      ${reason}, ${approvalId})`.execute(trx)
  if (end === null) return
  await sql`
    insert into partner_tiers (partner_id, tier, previous_tier, valid, reason, approval_id)
    values (${partnerId}, ${held.planned}, ${tier}, tstzrange(${end}, null),
      ${`end of the ${reason}`}, ${approvalId})`.execute(trx)
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

/** How the review of a period moved partners up, of those after one and up to another. */
export async function listRisesOf(
  db: Db,
  range: { period: string; after: string | null; until: string | null },
): Promise<string[]> {
  let query = db
    .selectFrom('partnerTiers')
    .select('id')
    .where('reviewPeriod', '=', range.period)
    .where(sql<boolean>`tier_rank(tier) > tier_rank(previous_tier)`)
    .orderBy('partnerId')
  if (range.after) query = query.where('partnerId', '>', range.after)
  if (range.until) query = query.where('partnerId', '<=', range.until)
  return (await query.execute()).map(({ id }) => id)
}

export async function getTierChange(db: Db, id: string) {
  return db
    .selectFrom('partnerTiers')
    .select(['partnerId', 'tier', 'reason'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
}

function changeQuery(db: Db) {
  return db
    .selectFrom('partnerTiers')
    .select(['id', 'partnerId', 'previousTier', 'tier', 'reason', 'reviewPeriod', 'decidedAt'])
    .select(sql<Date>`lower(valid)`.as('effectiveFrom'))
    .where('previousTier', 'is not', null)
}

export type TierChangeRow = Awaited<
  ReturnType<ReturnType<typeof changeQuery>['executeTakeFirstOrThrow']>
>

export async function listTierChanges(db: Db, page: PageRequest): Promise<Page<TierChangeRow>> {
  let query = changeQuery(db)
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}
