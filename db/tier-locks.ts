/** Locks that keep a partner's tier from falling. */
import { sql } from 'kysely'
import { type Db, lockName, type Trx } from './database.ts'

export interface NewLock {
  id: string
  partnerId: string
  until: Date | null
  reason: string
  memberId: string
}

/** The lock that holds now. */
export async function findTierLock(db: Db, partnerId: string) {
  return db
    .selectFrom('tierLocks')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .where('releasedAt', 'is', null)
    .where(sql<boolean>`(until is null or until > clock_timestamp())`)
    .executeTakeFirst()
}

/** Places a lock; one before it is over. Repeated by its id it changes nothing. */
export async function recordTierLock(trx: Trx, lock: NewLock): Promise<void> {
  const { memberId, ...columns } = lock
  await lockName(trx, `tier_lock:${lock.partnerId}`)
  const before = await trx
    .selectFrom('tierLocks')
    .select('id')
    .where('id', '=', lock.id)
    .executeTakeFirst()
  if (before) return
  await markTierLockReleased(trx, { partnerId: lock.partnerId, memberId })
  await trx
    .insertInto('tierLocks')
    .values({ ...columns, lockedBy: memberId })
    .execute()
}

/** Releases whatever lock the partner has. @returns false where it has none. */
export async function markTierLockReleased(
  trx: Trx,
  { partnerId, memberId }: { partnerId: string; memberId: string },
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('tierLocks')
    .set({ releasedAt: sql<Date>`clock_timestamp()`, releasedBy: memberId })
    .where('partnerId', '=', partnerId)
    .where('releasedAt', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}
