import { isMigrated, migrate } from '../../db/migrations.ts'
import { currencies } from '../../domain/currencies.ts'
import { createDatabase, databaseUrl, dropDatabase } from '../../scripts/launch/databases.ts'
import { withDatabase } from '../../scripts/stack/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { unique } from '../support/factories.ts'
import { suiteFacts } from '../support/suite.ts'

describe('migrations', () => {
  it('are applied once by four processes that start together', async () => {
    const { postgresUrl } = suiteFacts()
    const name = unique('migrations')
    await createDatabase(postgresUrl, name)
    const url = databaseUrl(postgresUrl, name)
    try {
      expect(await withDatabase(url, ({ db }) => isMigrated(db))).toBe(false)
      const applied = await Promise.all(
        Array.from({ length: 4 }, () => withDatabase(url, ({ db }) => migrate(db))),
      )
      expect(applied.filter((names) => names.length > 0)).toHaveLength(1)
      expect(await withDatabase(url, ({ db }) => isMigrated(db))).toBe(true)
    } finally {
      await dropDatabase(postgresUrl, name)
    }
  })

  it('know the same currencies as the code', async () => {
    const { db, drop } = await createTestDatabase()
    const rows = await db.selectFrom('currencies').selectAll().orderBy('code').execute()
    await drop()
    expect(rows).toEqual([...currencies])
  })
})
