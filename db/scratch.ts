/** A whole schema of its own for one piece of work, of which nothing remains. */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Db, inTransaction, type Trx } from './database.ts'
import { buildSchema } from './migrations.ts'
import { sealingWith, temporaryVault } from './sealed-fields.ts'

class RolledBack extends Error {}

/**
 * Runs work on empty tables of the newest schema, in a transaction that is always rolled back. The
 * work sees no row and takes no lock of the real tables, and no other session sees its own.
 */
export async function withScratchSchema<T>(db: Db, work: (trx: Trx) => Promise<T>): Promise<T> {
  const done: { result?: T } = {}
  try {
    await inTransaction(db, async (trx) => {
      const schema = sql.id(`scratch_${randomBytes(8).toString('hex')}`)
      await sql`create schema ${schema}`.execute(trx)
      await sql`set local search_path to ${schema}, public`.execute(trx)
      await buildSchema(trx)
      done.result = await sealingWith(temporaryVault(), () => work(trx))
      throw new RolledBack()
    })
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error
  }
  return done.result as T
}
