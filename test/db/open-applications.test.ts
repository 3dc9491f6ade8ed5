/** Which open applications a round of the sweeper looks after, where it cannot take all. */
import { sql } from 'kysely'
import { listOpenApplications } from '../../db/onboarding/applications.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeApplication, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
/** The oldest first. */
const open: string[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await makeProgramme(db)
  for (let age = 11; age > 0; age--) {
    const id = await makeApplication(db)
    await sql`update applications set submitted_at = now() - make_interval(hours => ${age})
      where id = ${id}`.execute(db)
    open.push(id)
  }
  const closed = await makeApplication(db)
  await sql`update applications set submitted_at = now() - interval '1 day',
    status = 'lapsed', stage = 'done', closed_at = now() where id = ${closed}`.execute(db)
  await makeApplication(db)
})
afterAll(() => database.drop())

const listed = (round: number, most: number) =>
  listOpenApplications(database.db, { olderThanSeconds: 60, round, most })

describe('a round of the sweeper', () => {
  it('looks after every open application that is not brand new, the oldest first', async () => {
    expect(await listed(0, 500)).toEqual(open)
    expect(await listed(29_000_000, 11)).toEqual(open)
  })

  it('takes the newest and some others of many, and in a few rounds all of them', async () => {
    const rounds = await Promise.all([0, 1, 2, 3].map((n) => listed(29_000_000 + n, 4)))
    for (const round of rounds) {
      expect(round).toHaveLength(4)
      expect(round.slice(-2)).toEqual(open.slice(-2))
    }
    const others = rounds.map((round) => round.slice(0, 2).join())
    expect(new Set(others).size).toBe(4)
    const all = await Promise.all([0, 1, 2, 3, 4].map((n) => listed(29_000_000 + n, 4)))
    expect([...new Set(all.flat())].sort()).toEqual([...open].sort())
  })
})
