/** A database for one test file: a copy of the migrated template, gone with the file. */
import { randomBytes } from 'node:crypto'
import { type Db, openDatabase, type Trx } from '../../db/database.ts'
import { createDatabase, databaseUrl, dropDatabase } from '../../scripts/launch/databases.ts'
import { suiteFacts, templateDatabase } from './suite.ts'

export interface TestDatabase {
  db: Db
  url: string
  drop(): Promise<void>
}

export async function createTestDatabase(poolSize = 8): Promise<TestDatabase> {
  const { postgresUrl } = suiteFacts()
  const name = `test_${randomBytes(6).toString('hex')}`
  await createDatabase(postgresUrl, name, { template: templateDatabase })
  const url = databaseUrl(postgresUrl, name)
  const { db, close } = openDatabase({
    url,
    poolSize,
    applicationName: 'tributary-test',
    onError: () => {},
  })
  const drop = async () => {
    await close()
    await dropDatabase(postgresUrl, name)
  }
  return { db, url, drop }
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
