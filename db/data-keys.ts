/** Data keys as they are stored: wrapped, counted, replaced, destroyed. */
import { sql } from 'kysely'
import { type Db, inTransaction, type Trx } from './database.ts'
import { unnested } from './rows.ts'

export type DataKeyPurpose = 'fields' | 'histories' | 'index'

export interface DataKeyScope {
  purpose: DataKeyPurpose
  /** Null is the platform owner. */
  partnerId: string | null
}

export interface DataKeyRow extends DataKeyScope {
  id: string
  kekId: string
  wrapped: Buffer
}

/** Random IVs of 96 bits: two equal ones among so many are less likely than 1 in 2^37. */
const mostUses = 2 ** 30

const columns = ['id', 'purpose', 'partnerId', 'kekId', 'wrapped'] as const

/** Keys by id, also those that seal no more; one that was destroyed is not among them. */
export async function findDataKeys(db: Db, ids: string[]): Promise<DataKeyRow[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('dataKeys')
    .select(columns)
    .where('id', 'in', ids)
    .where('wrapped', 'is not', null)
    .execute()
  return rows as DataKeyRow[]
}

/**
 * Counts uses on the current key of each scope before they happen. A key that reaches the most is
 * given for the last time; the next caller finds none.
 * @returns the current keys; a scope without one is left out.
 */
export async function markDataKeyUses(
  db: Db,
  wanted: (DataKeyScope & { uses: number })[],
  most = mostUses,
): Promise<DataKeyRow[]> {
  if (wanted.length === 0) return []
  const given = unnested({ purpose: 'text', partnerId: 'uuid', uses: 'bigint' }, wanted)
  const { rows } = await sql<DataKeyRow>`
    with locked as (
      select key.id, wanted.uses
      from ${given} as wanted (purpose, partner_id, uses)
      join data_keys key on key.purpose = wanted.purpose
        and key.owner_id = coalesce(wanted.partner_id, '00000000-0000-0000-0000-000000000000')
      where key.retired_at is null
      order by key.id
      for update of key)
    update data_keys key
    set uses = key.uses + locked.uses,
      retired_at = case when key.purpose <> 'index' and key.uses + locked.uses >= ${most}::bigint
        then clock_timestamp() end
    from locked
    where key.id = locked.id
    returning key.id, key.purpose, key.partner_id, key.kek_id, key.wrapped`.execute(db)
  return rows
}

/** Adds the current key of a scope; where it has one by now, that one stays. */
export async function recordDataKey(
  db: Db,
  key: DataKeyScope & { kekId: string; wrapped: Buffer },
): Promise<void> {
  const { purpose, partnerId, kekId, wrapped } = key
  await db
    .insertInto('dataKeys')
    .values({ purpose, partnerId, kekId, wrapped })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** What the keys in use fetch and store, each call in a transaction of its own. */
export function dataKeyStore(db: Db) {
  return {
    find: (ids: string[]) => findDataKeys(db, ids),
    reserve: (wanted: (DataKeyScope & { uses: number })[]) => markDataKeyUses(db, wanted),
    record: (key: DataKeyScope & { kekId: string; wrapped: Buffer }) => recordDataKey(db, key),
  }
}

export interface RewrapBatch {
  /** The key encryption key that wraps all of them in the end. */
  kekId: string
  limit: number
  rewrap: (key: DataKeyRow) => Promise<{ kekId: string; wrapped: Buffer }>
}

/**
 * Wraps the oldest keys anew that another key encryption key wraps; they stay readable throughout.
 * @returns how many they were; fewer than the limit means that none is left.
 */
export async function markDataKeysRewrapped(db: Db, batch: RewrapBatch): Promise<number> {
  return inTransaction(db, async (trx) => {
    const rows = await trx
      .selectFrom('dataKeys')
      .select(columns)
      .where('kekId', '<>', batch.kekId)
      .where('wrapped', 'is not', null)
      .orderBy('id')
      .limit(batch.limit)
      .forUpdate()
      .execute()
    const wrapped = await Promise.all(
      (rows as DataKeyRow[]).map(async (row) => ({ id: row.id, ...(await batch.rewrap(row)) })),
    )
    if (wrapped.length === 0) return 0
    const given = unnested({ id: 'uuid', kekId: 'text', wrapped: 'bytea' }, wrapped)
    await sql`update data_keys key set kek_id = fresh.kek_id, wrapped = fresh.wrapped
      from ${given} as fresh (id, kek_id, wrapped) where key.id = fresh.id`.execute(trx)
    return wrapped.length
  })
}

/** How many keys each key encryption key wraps, by its id. */
export async function listDataKeyCounts(db: Db): Promise<Record<string, number>> {
  const rows = await db
    .selectFrom('dataKeys')
    .select(['kekId', (count) => count.fn.countAll<bigint>().as('keys')])
    .where('wrapped', 'is not', null)
    .groupBy('kekId')
    .orderBy('kekId')
    .execute()
  return Object.fromEntries(rows.map(({ kekId, keys }) => [kekId, Number(keys)]))
}

/**
 * Ends the sealing with all keys of today, those of indexes left out: the next sealing makes new
 * ones. What they sealed stays readable.
 */
export async function markDataKeysRetired(db: Db): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('dataKeys')
    .set({ retiredAt: sql<Date>`clock_timestamp()` })
    .where('retiredAt', 'is', null)
    .where('purpose', '<>', 'index')
    .executeTakeFirstOrThrow()
  return Number(numUpdatedRows)
}

/**
 * Destroys the keys of an organisation, and with them everything that is sealed under them. A
 * process that has one in use forgets it within five minutes; backups keep theirs.
 */
export async function markDataKeysDestroyed(trx: Trx, partnerId: string): Promise<number> {
  const { numUpdatedRows } = await trx
    .updateTable('dataKeys')
    .set({
      wrapped: null,
      destroyedAt: sql<Date>`clock_timestamp()`,
      retiredAt: sql<Date>`coalesce(retired_at, clock_timestamp())`,
    })
    .where('partnerId', '=', partnerId)
    .where('wrapped', 'is not', null)
    .executeTakeFirstOrThrow()
  return Number(numUpdatedRows)
}
