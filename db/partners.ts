/** Partner organisations and the tree they stand in. */
import { type Expression, type SqlBool, sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { ActorLevel, PartnerLevel, PartnerStatus, PartnerType } from '../domain/partners.ts'
import type { TierName } from '../domain/tiers.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

/** Whose eyes a query looks through; the platform owner has no partner and sees everything. */
export interface Viewer {
  level: ActorLevel
  partnerId: string | null
}

/**
 * True for rows of partners that the viewer may see: itself and everyone who stands below it now.
 * @param partnerColumn the column that names the partner of a row, like `accruals.partner_id`.
 */
export function visibleTo(viewer: Viewer, partnerColumn: string): Expression<SqlBool> {
  if (viewer.partnerId === null) return sql<SqlBool>`true`
  return sql<SqlBool>`${sql.ref(partnerColumn)} in (
    select partner_id from partner_ancestry
    where ancestor_id = ${viewer.partnerId} and upper_inf(valid))`
}

/** Which of these partners the viewer may see. */
export async function listVisiblePartnerIds(
  db: Db,
  viewer: Viewer,
  ids: string[],
): Promise<string[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('partners')
    .select('id')
    .where('id', 'in', ids)
    .where(visibleTo(viewer, 'partners.id'))
    .execute()
  return rows.map((row) => row.id)
}

const partnerColumns = [
  'partners.id',
  'partners.programmeId',
  'partners.name',
  'partners.level',
  'partners.type',
  'partners.status',
  'partners.country',
  'partners.website',
  'partners.contactName',
  'partners.contactEmail',
  'partners.createdAt',
  'partners.activatedAt',
] as const

function partnerQuery(db: Db) {
  return db
    .selectFrom('partners')
    .leftJoin('partnerAncestry as parent', (join) =>
      join
        .onRef('parent.partnerId', '=', 'partners.id')
        .on('parent.depth', '=', 1)
        .on(sql<SqlBool>`upper_inf(parent.valid)`),
    )
    .leftJoin('partnerTiers as held', (join) =>
      join.onRef('held.partnerId', '=', 'partners.id').on(sql<SqlBool>`upper_inf(held.valid)`),
    )
    .select([...partnerColumns, 'parent.ancestorId as parentId', 'held.tier as tier'])
}

export type PartnerRow = Awaited<ReturnType<typeof getPartner>>

/** @throws DomainError `not_found` */
export async function getPartner(db: Db, id: string) {
  const row = await partnerQuery(db).where('partners.id', '=', id).executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such partner')
  return row
}

export async function findVisiblePartner(db: Db, viewer: Viewer, id: string) {
  return partnerQuery(db)
    .where('partners.id', '=', id)
    .where(visibleTo(viewer, 'partners.id'))
    .executeTakeFirst()
}

export async function listPartners(
  db: Db,
  viewer: Viewer,
  page: PageRequest,
): Promise<Page<PartnerRow>> {
  let query = partnerQuery(db)
    .where(visibleTo(viewer, 'partners.id'))
    .orderBy('partners.id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('partners.id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

export interface NewPartner {
  id: string
  programmeId: string
  name: string
  level: PartnerLevel
  type: PartnerType
  country: string
  website: string
  contactName: string
  contactEmail: string
  parentId: string | null
  tier: TierName
  /** Parent and tier hold from this instant. */
  effectiveFrom: Date
}

/** Inserts the organisation, its place in the tree and its first tier; repeating it is harmless. */
export async function recordPartner(trx: Trx, partner: NewPartner): Promise<void> {
  const { parentId, tier, effectiveFrom, ...columns } = partner
  const inserted = await trx
    .insertInto('partners')
    .values({ ...columns, status: 'approved' })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) return
  await trx
    .insertInto('partnerAncestry')
    .values({ partnerId: partner.id, ancestorId: partner.id, depth: 0, valid: '(,)' })
    .execute()
  if (parentId) await placeBelow(trx, { partnerId: partner.id, parentId, from: effectiveFrom })
  await trx
    .insertInto('partnerTiers')
    .values({
      partnerId: partner.id,
      tier,
      previousTier: null,
      valid: `[${effectiveFrom.toISOString()},)`,
      reason: 'joined the programme',
      reviewPeriod: null,
    })
    .execute()
}

/** Everyone above the parent, as dated there, stands one step further above the new partner. */
async function placeBelow(
  trx: Trx,
  place: { partnerId: string; parentId: string; from: Date },
): Promise<void> {
  await sql`
    insert into partner_ancestry (partner_id, ancestor_id, depth, valid)
    select ${place.partnerId}, ancestor_id, depth + 1, valid * tstzrange(${place.from}, null)
    from partner_ancestry
    where partner_id = ${place.parentId} and not isempty(valid * tstzrange(${place.from}, null))
  `.execute(trx)
}

/**
 * Moves a partner, with everyone below it, under another parent from an instant on, up to a later
 * move that is known already. What was before keeps who stood there.
 */
export async function recordMove(
  trx: Trx,
  move: { partnerId: string; parentId: string; from: Date },
): Promise<void> {
  const { partnerId, parentId, from } = move
  await trx
    .insertInto('partnerMoves')
    .values({ partnerId, parentId, effectiveFrom: from })
    .execute()
  const { rows } = await sql<{ until: Date | null }>`
    select min(lower(valid)) as until from partner_ancestry
    where partner_id = ${partnerId} and depth = 1 and lower(valid) > ${from}`.execute(trx)
  const during = sql`tstzrange(${from}::timestamptz, ${rows[0]?.until ?? null}::timestamptz)`
  const above = await sql<{ partnerId: string; ancestorId: string; depth: number; kept: string[] }>`
    delete from partner_ancestry above using partner_ancestry moved
    where moved.ancestor_id = ${partnerId} and moved.valid && ${during}
      and above.partner_id = moved.partner_id and above.depth > moved.depth
      and above.valid && ${during}
    returning above.partner_id, above.ancestor_id, above.depth,
      array(select unnest(above.valid::tstzmultirange - ${during}::tstzmultirange)::text) as kept
  `.execute(trx)
  for (const { kept, ...place } of above.rows) {
    for (const valid of kept) {
      await trx
        .insertInto('partnerAncestry')
        .values({ ...place, valid })
        .execute()
    }
  }
  await sql`
    insert into partner_ancestry (partner_id, ancestor_id, depth, valid)
    select moved.partner_id, above.ancestor_id, moved.depth + 1 + above.depth,
      moved.valid * above.valid * ${during}
    from partner_ancestry moved
    join partner_ancestry above on above.partner_id = ${parentId}
      and not isempty(moved.valid * above.valid * ${during})
    where moved.ancestor_id = ${partnerId}`.execute(trx)
}

/** The topmost partner above each of these, as far as any is known of. */
export async function listRoots(db: Db, partnerIds: string[]): Promise<Map<string, string>> {
  const { rows } = await sql<{ partnerId: string; rootId: string }>`
    select partner.id as partner_id, (select ancestor_id from partner_ancestry
      where partner_id = partner.id order by depth desc limit 1) as root_id
    from unnest(${partnerIds}::uuid[]) partner (id)`.execute(db)
  return new Map(rows.map(({ partnerId, rootId }) => [partnerId, rootId]))
}

/** Changes the status; another old status than the expected ones leaves the row as it is. */
export async function markPartner(
  trx: Trx,
  id: string,
  change: { from: PartnerStatus[]; to: PartnerStatus },
): Promise<void> {
  await trx
    .updateTable('partners')
    .set({
      status: change.to,
      ...(change.to === 'active' ? { activatedAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where('id', '=', id)
    .where('status', 'in', change.from)
    .execute()
}
