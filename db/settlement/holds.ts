/** What a run keeps back by a person's word, and whom it leaves out. */
import { type RawBuilder, sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { Db, Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { wasSettledBy } from './entries.ts'

export interface NewSettlementHold {
  /** That of the decision. */
  id: string
  runId: string
  partnerId: string
  /** Null holds all that is payable to the partner. */
  accrualId: string | null
  reason: string
  placedBy: string | null
}

/**
 * Holds a partner, or one accrual, in statements that are drafted from now on.
 * @throws DomainError `conflict` where it is held already, or a statement has paid the accrual.
 */
export async function placeSettlementHold(trx: Trx, hold: NewSettlementHold): Promise<void> {
  if (hold.accrualId !== null && (await isPaid(trx, hold.accrualId))) {
    throw new DomainError('conflict', 'an issued statement has paid this accrual')
  }
  const placed = await trx
    .insertInto('settlementHolds')
    .values(hold)
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!placed) throw new DomainError('conflict', 'this is held already')
}

async function isPaid(trx: Trx, accrualId: string): Promise<boolean> {
  const { rows } = await sql`
    select from accruals accrual
    join statements paid on paid.partner_id = accrual.partner_id
      and paid.currency = accrual.currency and paid.period >= accrual.period
    join settlement_runs run on run.id = paid.run_id and run.cutoff_at >= accrual.matures_at
      and ${wasSettledBy('run', { kind: 'accrual', id: 'accrual.id', period: 'accrual.period' })}
    where accrual.id = ${accrualId} and paid.issued_at is not null and paid.payable_minor > 0
      and not exists (select from settlement_holds hold
        where hold.accrual_id = accrual.id and hold.placed_at < paid.drafted_at
          and (hold.released_at is null or hold.released_at > paid.drafted_at))
    limit 1`.execute(trx)
  return rows.length > 0
}

/**
 * Releases a hold: statements that are drafted from now on pay what it kept back.
 * @throws DomainError `conflict` when it was released before.
 */
export async function releaseSettlementHold(
  trx: Trx,
  release: { id: string; memberId: string | null; reason: string },
): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('settlementHolds')
    .set({
      releasedAt: sql<Date>`clock_timestamp()`,
      releasedBy: release.memberId,
      releaseReason: release.reason,
    })
    .where('id', '=', release.id)
    .where('releasedAt', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) throw new DomainError('conflict', 'this hold is released')
}

export type SettlementHoldRow = NonNullable<Awaited<ReturnType<typeof findSettlementHold>>>

export async function findSettlementHold(db: Db, id: string) {
  return db.selectFrom('settlementHolds').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Holds that were placed in a run, and those from before it that hold now; the newest first. */
export async function listSettlementHolds(
  db: Db,
  { runId, after, limit }: PageRequest & { runId: string },
): Promise<Page<SettlementHoldRow>> {
  let query = db
    .selectFrom('settlementHolds')
    .selectAll()
    .where((eb) => eb.or([eb('runId', '=', runId), eb('releasedAt', 'is', null)]))
    .orderBy('id', 'desc')
    .limit(limit + 1)
  if (after) query = query.where('id', '<', after)
  return pageOf(await query.execute(), limit)
}

/** Those of the partners of whom everything is held now. */
export async function listWithheldAmong(trx: Trx, partnerIds: string[]): Promise<Set<string>> {
  if (partnerIds.length === 0) return new Set()
  const { rows } = await sql<{ partnerId: string }>`
    select partner_id from settlement_holds
    where released_at is null and accrual_id is null
      and partner_id = any(${partnerIds}::uuid[])`.execute(trx)
  return new Set(rows.map(({ partnerId }) => partnerId))
}

/** Of two that leave a partner out of the same run, the second changes nothing. */
export async function recordExclusion(
  trx: Trx,
  exclusion: { runId: string; partnerId: string; reason: string; excludedBy: string | null },
): Promise<void> {
  await trx
    .insertInto('settlementExclusions')
    .values(exclusion)
    .onConflict((conflict) => conflict.columns(['runId', 'partnerId']).doNothing())
    .execute()
}

/** Why runs left a partner out of what a later statement tells of; for the platform. */
export async function listLeftOut(
  db: Db,
  statement: { partnerId: string; runId: string },
): Promise<{ period: string; reason: string }[]> {
  const { rows } = await sql<{ period: string; reason: string }>`
    select run.name as period, exclusion.reason
    from settlement_exclusions exclusion
    join settlement_runs run on run.id = exclusion.run_id
    join settlement_runs own on own.id = ${statement.runId}
    where exclusion.partner_id = ${statement.partnerId}
      and run.mode = 'live' and run.cancelled_at is null and run.cutoff_at < own.cutoff_at
      and not exists (${toldBetween('run', sql.ref('own.cutoff_at'))})
    order by run.cutoff_at`.execute(db)
  return rows
}

/**
 * Of partners that the live runs with an earlier cut-off left out, since when: no statement has
 * told of those months. Of what a run took one by one it may be any month that was not settled as
 * a whole. A query to be used under the name `late`.
 */
export function monthsLeftOut(
  cutoffAt: Date,
  within: (partner: RawBuilder<unknown>) => RawBuilder<unknown>,
): RawBuilder<unknown> {
  return sql`
    select exclusion.partner_id, min(case when run.takes_entries then coalesce((
        select to_char(to_date(max(whole.period), 'YYYY-MM') + interval '1 month', 'YYYY-MM')
        from settlement_runs whole
        where whole.mode = 'live' and whole.cancelled_at is null and not whole.takes_entries
          and whole.cutoff_at < run.cutoff_at), '') else run.since_period end) as since
    from settlement_exclusions exclusion
    join settlement_runs run on run.id = exclusion.run_id
    where run.mode = 'live' and run.cancelled_at is null and run.cutoff_at < ${cutoffAt}
      and ${within(sql`exclusion.partner_id`)}
      and not exists (${toldBetween('run', sql`${cutoffAt}::timestamptz`)})
    group by 1`
}

/** An issued statement of the excluded partner between the run that left it out and an instant. */
const toldBetween = (run: string, until: RawBuilder<unknown>) => sql`
  select from statements told join settlement_runs later on later.id = told.run_id
  where told.partner_id = exclusion.partner_id and told.issued_at is not null
    and later.cutoff_at > ${sql.ref(`${run}.cutoff_at`)} and later.cutoff_at < ${until}`
