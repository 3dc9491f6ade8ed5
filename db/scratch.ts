/** A whole schema of its own for one piece of work, of which nothing remains. */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Db, inTransaction, type Trx } from './database.ts'
import { buildSchema } from './migrations.ts'
import { sealingWith, temporaryVault } from './sealed-fields.ts'

class RolledBack extends Error {}

async function makeSchema(trx: Trx): Promise<void> {
  const schema = sql.id(`scratch_${randomBytes(8).toString('hex')}`)
  await sql`create schema ${schema}`.execute(trx)
  await sql`set local search_path to ${schema}, public`.execute(trx)
  await buildSchema(trx)
}

export interface Scratch {
  trx: Trx
  close(): Promise<void>
}

/** One schema for several pieces of work, one after the other; hand its `trx` to each of them. */
export async function openScratch(db: Db): Promise<Scratch> {
  const trx = await db.startTransaction().execute()
  const close = () => trx.rollback().execute()
  try {
    await makeSchema(trx)
  } catch (error) {
    await close()
    throw error
  }
  return { trx, close }
}

/** Everything since the savepoint is undone, whichever way the work ends. */
async function undone<T>(trx: Trx, work: (trx: Trx) => Promise<T>): Promise<T> {
  await sql`savepoint scratch`.execute(trx)
  try {
    return await work(trx)
  } finally {
    await sql`rollback to savepoint scratch`.execute(trx)
  }
}

/**
 * Runs work on empty tables of the newest schema, in a transaction that is always rolled back. The
 * work sees no row and takes no lock of the real tables, and no other session sees its own.
 * @param db a transaction is that of an open scratch: its schema serves again.
 */
export async function withScratchSchema<T>(db: Db, work: (trx: Trx) => Promise<T>): Promise<T> {
  const sealed = (trx: Trx) => sealingWith(temporaryVault(), () => work(trx))
  if (db.isTransaction) return undone(db as Trx, sealed)
  const done: { result?: T } = {}
  try {
    await inTransaction(db, async (trx) => {
      await makeSchema(trx)
      done.result = await sealed(trx)
      throw new RolledBack()
    })
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error
  }
  return done.result as T
}
