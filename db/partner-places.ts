/**
 * Where partners stand: who is above whom, since when, and what is stamped of it on rows. Lines and
 * statements of the past keep the place that was right for them; what lives on moves along.
 */
import { sql } from 'kysely'
import type { Trx } from './database.ts'

/**
 * The name of a partner that is joined from the left: whoever it moved away from keeps what it
 * earned there, and sees the partner itself no more.
 */
export const nameOrFormer = sql<string>`coalesce(partners.name, 'a former partner')`

/** Everyone above the parent, as dated there, stands one step further above the new partner. */
export async function placeBelow(
  trx: Trx,
  place: { partnerId: string; parentId: string; from: Date },
): Promise<void> {
  await sql`
    insert into partner_ancestry (partner_id, ancestor_id, depth, valid)
    select ${place.partnerId}, ancestor_id, depth + 1, valid * tstzrange(${place.from}, null)
    from partner_ancestry
    where partner_id = ${place.parentId} and not isempty(valid * tstzrange(${place.from}, null))
  `.execute(trx)
  await keepPlaces(trx, place)
}

/**
 * Moves a partner, with everyone below it, under another parent from an instant on, up to a later
 * move that is known already. What was before keeps who stood there.
 */
export async function recordMove(
  trx: Trx,
  move: { id?: string; partnerId: string; parentId: string; from: Date },
): Promise<void> {
  const { from, ...said } = move
  const { partnerId, parentId } = said
  await trx
    .insertInto('partnerMoves')
    .values({ ...said, effectiveFrom: from })
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
  await keepPlaces(trx, move)
  await restampLiveRows(trx, partnerId)
}

/**
 * Keeps the places that a partner and everyone below it have from an instant on, and makes the last
 * of them the present one.
 */
async function keepPlaces(
  trx: Trx,
  { partnerId, from }: { partnerId: string; from: Date },
): Promise<void> {
  await sql`
    insert into partner_places (partner_id, reseller_id, master_id)
    select distinct below.partner_id, place.reseller_id, place.master_id
    from partner_ancestry below
    cross join lateral (
      select ${from}::timestamptz as at
      union select lower(above.valid) from partner_ancestry above
        where above.partner_id = below.partner_id and lower(above.valid) > ${from}) change
    cross join lateral place_of(below.partner_id, change.at) place
    where below.ancestor_id = ${partnerId}
    on conflict do nothing`.execute(trx)
  await sql`
    update partners set
      (parent_id, reseller_id, master_id) = (
        select place.parent_id, place.reseller_id, place.master_id
        from place_of(partners.id, 'infinity') place),
      placed_since = coalesce((select max(lower(valid)) from partner_ancestry above
        where above.partner_id = partners.id and upper_inf(valid)), '-infinity')
    where id in (select below.partner_id from partner_ancestry below
      where below.ancestor_id = ${partnerId} and upper_inf(below.valid))`.execute(trx)
}

/** What lives on and is not history: the tables whose rows move with their partner. */
const liveTables = ['customers', 'subscriptions', 'tenants', 'partner_links'] as const

async function restampLiveRows(trx: Trx, partnerId: string): Promise<void> {
  for (const table of liveTables) {
    await sql`
      update ${sql.table(table)} as live
      set reseller_id = place.reseller_id, master_id = place.master_id
      from partners place
      join partner_ancestry below on below.partner_id = place.id
        and below.ancestor_id = ${partnerId} and upper_inf(below.valid)
      where live.partner_id = place.id and (live.reseller_id, live.master_id)
        is distinct from (place.reseller_id, place.master_id)`.execute(trx)
  }
}
