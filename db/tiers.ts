/** Tiers that partners hold, and the metric that moves them. */
import { type SqlBool, sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { TierName } from '../domain/tiers.ts'
import { type Db, lockName, type Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { type Columns, unnested } from './rows.ts'

/** Of the tiers of a partner as `held`: the one now, or the first of one that has yet to join. */
export const holdsNow = sql<SqlBool>`(held.valid @> clock_timestamp()
  or held.previous_tier is null and lower(held.valid) > clock_timestamp())`

export interface TierMove {
  partnerId: string
  from: TierName
  to: TierName
  reason: string
}

const moveColumns: Columns<TierMove> = {
  partnerId: 'uuid',
  from: 'text',
  to: 'text',
  reason: 'text',
}

/** Moves one partner; see `recordTierChanges`. @returns whether it was moved now. */
export async function recordTierChange(
  trx: Trx,
  { reviewPeriod, ...move }: TierMove & { reviewPeriod: string },
): Promise<boolean> {
  return (await recordTierChanges(trx, reviewPeriod, [move])).has(move.partnerId)
}

/**
 * Moves partners to another tier from this instant on; a review of one period decides once.
 * @returns those that were moved: not whom this review moved before, nor who holds another tier.
 */
export async function recordTierChanges(
  trx: Trx,
  reviewPeriod: string,
  moves: TierMove[],
): Promise<Set<string>> {
  if (moves.length === 0) return new Set()
  const names = moves.map(({ partnerId }) => `partner_tiers:${partnerId}`)
  await sql`
    select pg_advisory_xact_lock(lock_key(name))
    from (select name from unnest(${names}::text[]) given (name) order by name) held`.execute(trx)
  const { rows: held } = await sql<{ id: string; partnerId: string; now: Date }>`
    with clock as materialized (select date_trunc('milliseconds', clock_timestamp()) as now)
    select held.id, held.partner_id, clock.now
    from ${unnested(moveColumns, moves)} as move (partner_id, was, tier, reason)
    cross join clock
    join partner_tiers held on held.partner_id = move.partner_id and held.tier = move.was
      and held.valid @> clock.now and lower(held.valid) < clock.now
    where not exists (select from partner_tiers before
      where before.partner_id = move.partner_id
        and before.review_period = ${reviewPeriod})`.execute(trx)
  const [now] = held.map((row) => row.now)
  if (!now) return new Set()
  const moved = new Set(held.map(({ partnerId }) => partnerId))
  await endTiers(trx, held, now)
  const open = moves.filter(({ partnerId }) => moved.has(partnerId))
  await sql`
    insert into partner_tiers (partner_id, previous_tier, tier, reason, valid, review_period)
    select move.partner_id, move.was, move.tier, move.reason,
      tstzrange(${now}::timestamptz, null), ${reviewPeriod}
    from ${unnested(moveColumns, open)} as move (partner_id, was, tier, reason)`.execute(trx)
  return moved
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
async function endTiers(
  trx: Trx,
  held: { id: string; partnerId: string }[],
  now: Date,
): Promise<void> {
  const [ids, partnerIds] = [held.map(({ id }) => id), held.map(({ partnerId }) => partnerId)]
  await sql`delete from partner_tiers
    where partner_id = any(${partnerIds}) and lower(valid) > ${now}`.execute(trx)
  await sql`update partner_tiers set valid = tstzrange(lower(valid), ${now})
    where id = any(${ids})`.execute(trx)
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
  await endTiers(trx, [{ partnerId, id: held.id }], held.now)
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

/** `isOverride` where two persons set the tier; `ends` where it is the one after that. */
export async function getTierChange(db: Db, id: string) {
  return (
    db
      .selectFrom('partnerTiers')
      .select(['partnerId', 'tier', 'reason'])
      .select(sql<boolean>`approval_id is not null`.as('isOverride'))
      // The tier after an override is written down together with it.
      .select(sql<boolean>`lower(valid) > decided_at`.as('ends'))
      .select(sql<Date | null>`upper(valid)`.as('until'))
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
  )
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
