/** A database for one test file: a copy of the migrated template, gone with the file. */
import { createHash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { readKeyEncryption } from '../../config.ts'
import { type Db, openDatabase, type Trx } from '../../db/database.ts'
import type { FieldVault } from '../../db/sealed-fields.ts'
import { createDatabase, databaseUrl, dropDatabase } from '../../scripts/launch/databases.ts'
import { openVault } from '../../scripts/stack/vault.ts'
import { suiteFacts, templateDatabase } from './suite.ts'

export interface TestDatabase {
  db: Db
  url: string
  /** What its personal fields are sealed with; its data keys lie in this database. */
  vault: FieldVault
  drop(): Promise<void>
}

/** The keys that encrypt keys of a test that brings none, as variables of a command. */
export const testKeks = { KEKS: `test:${createHash('sha256').update('test').digest('base64')}` }

export async function createTestDatabase(
  poolSize = 8,
  keks = readKeyEncryption(testKeks),
): Promise<TestDatabase> {
  const { postgresUrl } = suiteFacts()
  const name = `test_${randomBytes(6).toString('hex')}`
  await createDatabase(postgresUrl, name, { template: templateDatabase })
  const url = databaseUrl(postgresUrl, name)
  const { vault, close: closeKeys } = openVault(url, keks)
  const { db, close } = openDatabase({
    url,
    poolSize,
    vault,
    applicationName: 'tributary-test',
    onError: () => {},
  })
  const drop = async () => {
    await close()
    await closeKeys()
    await dropDatabase(postgresUrl, name)
  }
  return { db, url, vault, drop }
}

/** Changes what nobody may change, as if time had gone by: without the triggers that refuse it. */
export async function backdate(db: Db, change: (trx: Trx) => Promise<unknown>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await change(trx)
  })
}

class Undo extends Error {}

/** Runs work whose changes nobody else is to see: the transaction is rolled back. */
export async function rolledBack(db: Db, work: (trx: Trx) => Promise<void>): Promise<void> {
  await db
    .transaction()
    .execute(async (trx) => {
      await work(trx)
      throw new Undo()
    })
    .catch((error) => {
      if (!(error instanceof Undo)) throw error
    })
}
