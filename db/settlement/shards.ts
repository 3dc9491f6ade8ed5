/** Shards of a run: ranges of partners that are calculated and paid side by side. */
import { type RawBuilder, sql } from 'kysely'
import type { Db, Trx } from '../database.ts'
import { type PartnerRange, within } from './figures.ts'

interface ShardKey {
  runId: string
  shard: number
}

/** How many partners a settlement of the run's programme goes over. */
export async function countPartnersOf(trx: Trx, { runId }: { runId: string }): Promise<number> {
  const { partners } = await trx
    .selectFrom('partners')
    .innerJoin('settlementRuns', 'settlementRuns.programmeId', 'partners.programmeId')
    .where('settlementRuns.id', '=', runId)
    .select(sql<number>`count(*)::int`.as('partners'))
    .executeTakeFirstOrThrow()
  return partners
}

/**
 * Divides the partners of a run anew into ranges of equal size. The first range has no beginning
 * and the last no end: a partner that comes later is in one of them, too.
 */
export async function recordShards(
  trx: Trx,
  { runId, shards, partners }: { runId: string; shards: number; partners: number },
): Promise<void> {
  const size = Math.max(1, Math.ceil(partners / shards))
  await trx.deleteFrom('settlementShards').where('runId', '=', runId).execute()
  await sql`
    with placed as (
      select partner.id, row_number() over (order by partner.id) as place
      from partners partner join settlement_runs run using (programme_id)
      where run.id = ${runId}
    ), ends as (
      select (place / ${size}::int)::int as number, id from placed
      where place % ${size}::int = 0 and place < ${partners}::int
    ), starts as (
      select 0 as number, null::uuid as id union all select number, id from ends
    )
    insert into settlement_shards (run_id, number, after_id, last_id, partners)
    select ${runId}::uuid, starts.number, starts.id, ends.id,
      least(${size}::int, ${partners}::int - starts.number * ${size}::int)
    from starts left join ends on ends.number = starts.number + 1`.execute(trx)
}

/** How many shards a run was divided into; 0 before it was. */
export async function countShards(db: Db, runId: string): Promise<number> {
  const { shards } = await db
    .selectFrom('settlementShards')
    .where('runId', '=', runId)
    .select(sql<number>`count(*)::int`.as('shards'))
    .executeTakeFirstOrThrow()
  return shards
}

/**
 * A shard that has not ended and how far it is, locked: one on which nobody works, or else the
 * next that somebody leaves. Undefined where all have ended, or the run has none any more.
 */
export async function lockOpenShard(trx: Trx, runId: string) {
  const open = () =>
    trx
      .selectFrom('settlementShards')
      .selectAll()
      .where('runId', '=', runId)
      .where('finishedAt', 'is', null)
      .orderBy('number')
      .limit(1)
  for (;;) {
    const free = await open().forUpdate().skipLocked().executeTakeFirst()
    if (free) return free
    // Whoever held it may have ended it, and then it is not found although others are open.
    const left = await open().forUpdate().executeTakeFirst()
    if (left || !(await open().executeTakeFirst())) return left
  }
}

/** The next partners of a shard: the last of them, how many, and whether the shard ends there. */
export async function findPage(
  trx: Trx,
  {
    runId,
    after,
    last,
    size,
  }: { runId: string; after: string | null; size: number } & PartnerRange,
): Promise<{ last: string | null; partners: number; isLast: boolean }> {
  const { rows } = await sql<{ last: string | null; partners: number }>`
    with page as (
      select partner.id from partners partner
      where partner.programme_id = (select programme_id from settlement_runs where id = ${runId})
        and ${within(sql`partner.id`, { after, last })}
      order by partner.id limit ${size}
    )
    select (array_agg(id order by id))[count(*)] as last, count(*)::int as partners
    from page`.execute(trx)
  const page = rows[0] ?? { last: null, partners: 0 }
  const isLast = page.partners < size
  return { ...page, last: isLast ? last : page.last, isLast }
}

/** Notes in the transaction of a page what it has done. */
export async function markShardPage(
  trx: Trx,
  { runId, shard }: ShardKey,
  page: { last: string | null; partners: number; isLast: boolean },
): Promise<void> {
  await trx
    .updateTable('settlementShards')
    .set((eb) => ({
      cursorId: page.last,
      partnersDone: eb('partnersDone', '+', page.partners),
      finishedAt: page.isLast ? sql<Date>`clock_timestamp()` : null,
    }))
    .where('runId', '=', runId)
    .where('number', '=', shard)
    .execute()
}

/** That a partner is in a shard of its run; none stands for the whole run. */
export function inShard(
  { partner, run }: { partner: string; run: string },
  shard: number | undefined,
): RawBuilder<boolean> {
  if (shard === undefined) return sql<boolean>`true`
  return sql<boolean>`exists (
    select from settlement_shards shard
    where shard.run_id = ${sql.ref(run)} and shard.number = ${shard}
      and (shard.after_id is null or ${sql.ref(partner)} > shard.after_id)
      and (shard.last_id is null or ${sql.ref(partner)} <= shard.last_id))`
}
