import { sql } from 'kysely'
import { databaseNow, openDatabase } from '../../db/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

describe('the pool', () => {
  it('survives killed backends: idle, in a query, and idle in a transaction', async () => {
    const admin = await createTestDatabase()
    const lost: Error[] = []
    const { db, close } = openDatabase({
      url: admin.url,
      poolSize: 3,
      applicationName: 'victim',
      onError: (error) => lost.push(error),
    })
    const kill = () =>
      sql`select pg_terminate_backend(pid, 60_000) from pg_stat_activity
        where application_name = 'victim'`.execute(admin.db)
    const noticed = async (losses: number) => {
      while (lost.length < losses) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await databaseNow(db)
    await kill()
    // Until its socket tells, nobody can know that an idle connection is dead.
    await noticed(1)
    await expect(databaseNow(db)).resolves.toBeInstanceOf(Date)

    const sleeping = expect(sql`select pg_sleep(300)`.execute(db)).rejects.toThrow()
    await until(async () => {
      const { rows } = await sql`select from pg_stat_activity
        where application_name = 'victim' and wait_event = 'PgSleep'`.execute(admin.db)
      return rows.length > 0
    })
    await kill()
    await sleeping

    const open = db.transaction().execute(async (trx) => {
      await databaseNow(trx)
      await kill()
      await databaseNow(trx)
    })
    await expect(open).rejects.toThrow()
    await expect(databaseNow(db)).resolves.toBeInstanceOf(Date)
    await close()
    await admin.drop()
  })

  it('reads amounts beyond 2^53 without losing a unit', async () => {
    const { db, drop } = await createTestDatabase()
    const { rows } = await sql<{ amount: bigint }>`select 9007199254740993::int8 as amount`.execute(
      db,
    )
    await drop()
    expect(rows[0]?.amount).toBe(9_007_199_254_740_993n)
  })
})
