/** Months that nobody settles: who is told, how often, and until when. */
import { sql } from 'kysely'
import type { ActivityDeps } from '../../activities/deps.ts'
import { tellOfOverduePeriods } from '../../activities/settlement/overdue.ts'
import { listUnsettledPeriods } from '../../db/settlement/overdue.ts'
import type { Mail } from '../../integrations/email.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

const day = 86_400

let database: TestDatabase
let books: Books
let sent: Mail[]
let away: boolean
const deps = () =>
  ({
    db: database.db,
    mailer: {
      send: async (mail: Mail) => {
        if (away)
          throw new VendorError({
            vendor: 'mail',
            failure: 'unknown',
            code: 'away',
            message: 'away',
          })
        sent.push(mail)
      },
    },
  }) as unknown as ActivityDeps
const tell = () => tellOfOverduePeriods(deps())

beforeEach(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
  sent = []
  away = false
  await makeProgramme(database.db, { deadlines: { settlementAlarm: 3 * day } })
  await books.person('one@platform.example')
  await books.person('two@platform.example')
  const partnerId = await makePartner(database.db)
  await books.sell(partnerId, { paidAt: '2026-08-10T00:00:00Z' })
})
afterEach(() => database.drop())

const told = () => sent.map(({ to, content }) => [to, content.subject])
const everybody = ['one@platform.example', 'two@platform.example']

describe('a month that should be settled and is not', () => {
  it('is told of to everybody of the platform once a day', async () => {
    await tell()
    await tell()
    const subject = 'The settlement of 2026-08 is overdue'
    expect(told()).toEqual(everybody.map((to) => [to, subject]))
    expect(sent[0]?.content.paragraphs.join(' ')).toContain('nobody has started its run')
    await sql`update notices set occurrence = replace(occurrence,
      to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD'), '2026-01-01')`.execute(
      database.db,
    )
    await tell()
    expect(sent).toHaveLength(4)
  })

  it('is told of with the stage in which its run waits', async () => {
    const runId = await books.newRun('2026-08')
    await books.steps.enterStage({ runId, stage: 'review' })
    await tell()
    expect(sent[0]?.content.paragraphs.join(' ')).toContain('its run is in the stage review')
  })

  it('is told of no more when it is settled', async () => {
    await books.settle('2026-08')
    await tell()
    expect(sent).toEqual([])
  })

  it('is told of when the mail server is back', async () => {
    away = true
    await tell()
    away = false
    await tell()
    expect(sent).toHaveLength(2)
  })
})

describe('what is overdue', () => {
  it('is so from the day that the programme sets on, and where something was booked', async () => {
    const since = (Date.now() - Date.parse('2026-09-04T00:00:00Z')) / 1_000
    const periods = async (seconds: number) =>
      (
        await listUnsettledPeriods(database.db, {
          seconds: Math.floor(seconds),
          cadence: 'monthly',
        })
      ).map(({ period }) => period)
    expect(await periods(since - 60)).toEqual(['2026-08'])
    expect(await periods(since + 60)).toEqual([])
    await books.newRun('2026-07')
    expect(await periods(0)).toEqual(['2026-08'])
  })
})
