/** Holds: why a partner is paid nothing for now. Money moves when all of them are released. */
import { sql } from 'kysely'
import type { HoldCause, HoldReason } from '../domain/payouts.ts'
import type { Db, Trx } from './database.ts'

/** What placed a hold: one occurrence of a cause, by the id of its row or a key made of one. */
export interface HoldSource {
  partnerId: string
  cause: HoldCause
  source: string
}

/**
 * Holds a partner's payouts until this very hold is released; `reason` is a code for people of the
 * platform, like `requirements_past_due`. Repeating it is harmless.
 * @returns false when it was placed before, also when it was released since: a new occurrence
 * takes a new source.
 */
export async function placeHold(trx: Trx, hold: HoldSource & { reason: string }): Promise<boolean> {
  const placed = await trx
    .insertInto('partnerHolds')
    .values(hold)
    .onConflict((conflict) => conflict.columns(['partnerId', 'cause', 'source']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return placed !== undefined
}

/**
 * Releases what was placed for this source, or all holds of the cause where no source is given.
 * Payouts that it held go with the next round of their runs.
 * @returns how many were released now; repeating it is harmless.
 */
export async function releaseHold(
  trx: Trx,
  { partnerId, cause, source }: Omit<HoldSource, 'source'> & { source?: string },
): Promise<number> {
  let released = trx
    .updateTable('partnerHolds')
    .set({ releasedAt: sql<Date>`clock_timestamp()` })
    .where('partnerId', '=', partnerId)
    .where('cause', '=', cause)
    .where('releasedAt', 'is', null)
  if (source !== undefined) released = released.where('source', '=', source)
  const { numUpdatedRows } = await released.executeTakeFirst()
  return Number(numUpdatedRows)
}

/** Releases holds that were only for a while. @returns how many. */
export async function releaseOldHolds(
  db: Db,
  { cause, seconds }: { cause: HoldCause; seconds: number },
): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('partnerHolds')
    .set({ releasedAt: sql<Date>`clock_timestamp()` })
    .where('cause', '=', cause)
    .where('releasedAt', 'is', null)
    .where('placedAt', '<=', sql<Date>`clock_timestamp() - make_interval(secs => ${seconds})`)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** Holds of a partner, the newest first; those that hold now, or all that ever did. */
export async function listHolds(db: Db, partnerId: string, which: 'open' | 'all' = 'open') {
  let query = db
    .selectFrom('partnerHolds')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .orderBy('id', 'desc')
  if (which === 'open') query = query.where('releasedAt', 'is', null)
  return query.execute()
}

/**
 * What a partner is told of its holds, over all of them: a change of its bank and a missing tax
 * form are its own to know, of any other hold it learns only that there is one.
 */
export const reasonOfHolds = sql<HoldReason | null>`case
  when bool_or(cause not in ('bank_change', 'tax_form')) then 'partner_held'
  when bool_or(cause = 'tax_form') then 'tax_form'
  when bool_or(cause = 'bank_change') then 'bank_change' end`

/** Those of the partners that are held now, and why. */
export async function listHeldAmong(
  db: Db,
  partnerIds: string[],
): Promise<Map<string, HoldReason | null>> {
  if (partnerIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('partnerHolds')
    .select(['partnerId', reasonOfHolds.as('reason')])
    .where('partnerId', 'in', partnerIds)
    .where('releasedAt', 'is', null)
    .groupBy('partnerId')
    .execute()
  return new Map(rows.map(({ partnerId, reason }) => [partnerId, reason]))
}
