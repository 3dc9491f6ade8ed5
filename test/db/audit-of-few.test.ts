/** Few rows are recorded one by one and many as a set: nobody can tell from the trail which. */
import { type RawBuilder, sql } from 'kysely'
import { verifyAuditTrail } from '../../db/audit-verification.ts'
import { type Db, inTransaction, type Trx } from '../../db/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
let db: Db
beforeAll(async () => {
  database = await createTestDatabase()
  db = database.db
  await makeProgramme(db)
})
afterAll(() => database.drop())

/** What work adds to the trail, oldest first. */
async function recordedBy(work: (trx: Trx) => Promise<unknown>) {
  const { rows } = await sql<{ id: string }>`
    select coalesce(max(id::text), '') as id from audit_events`.execute(db)
  await inTransaction(db, work)
  return db
    .selectFrom('auditEvents')
    .selectAll()
    .where(sql<boolean>`id::text > ${rows[0]?.id ?? ''}`)
    .orderBy('id')
    .execute()
}

type Events = Awaited<ReturnType<typeof recordedBy>>

const run = (statement: RawBuilder<unknown>) => recordedBy((trx) => statement.execute(trx))

const insertBands = (from: number, count: number) => sql`
  insert into commission_bands (rule_id, from_minor, to_minor, rate_num, rate_den)
  select rule.id, at, at + 10, 1, 10
  from (select id from commission_rules order by id limit 1) rule,
    generate_series(${from}::int, ${from + (count - 1) * 10}::int, 10) at`

const rowsOf = (events: Events, hash: 'beforeHash' | 'afterHash') =>
  events.map((event) => `${event.subject} ${event[hash]?.toString('hex')}`).sort()

const follows = (events: Events) =>
  expect(events.map(({ seq }) => seq)).toEqual(
    Array.from(events, (_, place) => (events[0]?.seq ?? 0n) + BigInt(place)),
  )

async function expectWhole(): Promise<void> {
  const { broken } = await verifyAuditTrail(db, { isSigned: () => true, published: null })
  expect(broken).toEqual([])
}

describe('a statement is recorded row for row', () => {
  it.each([1, 2, 16, 17, 40])('where it makes, changes and removes %i rows', async (count) => {
    const from = 100_000 * count
    const created = await run(insertBands(from, count))
    const changed = await run(sql`
      update commission_bands set rate_num = 2, rate_den = 30 where from_minor >= ${from}`)
    const removed = await run(sql`delete from commission_bands where from_minor >= ${from}`)
    expect(created).toHaveLength(count)
    expect(rowsOf(changed, 'beforeHash')).toEqual(rowsOf(created, 'afterHash'))
    expect(rowsOf(removed, 'beforeHash')).toEqual(rowsOf(changed, 'afterHash'))
    const told = (events: Events) =>
      new Set(events.map(({ verb, changed }) => `${verb} ${changed}`))
    expect([created, changed, removed].map((events) => [...told(events)])).toEqual([
      ['created null'],
      ['changed rate_den,rate_num'],
      ['removed null'],
    ])
    follows([...created, ...changed, ...removed])
    await expectWhole()
  })

  it('under the keys that rows had and have, where several change theirs', async () => {
    await run(insertBands(100, 3))
    const events = await run(sql`update commission_bands
      set from_minor = from_minor + 5, to_minor = to_minor + 5
      where from_minor between 100 and 120`)
    await run(sql`delete from commission_bands where from_minor between 100 and 125`)
    const told = events.map(({ verb, subject }) => `${verb} ${subject.split('/')[1]}`)
    expect(told.sort()).toEqual([
      'created 105',
      'created 115',
      'created 125',
      'removed 100',
      'removed 110',
      'removed 120',
    ])
  })

  it('and not at all where none of its few rows changes', async () => {
    await run(insertBands(200, 3))
    const events = await run(sql`update commission_bands set rate_num = case from_minor
      when 210 then 3 else rate_num end where from_minor between 200 and 220`)
    expect(events.map(({ subject }) => subject.split('/')[1])).toEqual(['210'])
  })
})

describe('a transaction goes to the ends of its chains', () => {
  it.each([
    [5, 3],
    [16, 17],
    [30, 2],
  ])('after another one, where they make %i and %i changes', async (first, second) => {
    const partners = [await makePartner(db), await makePartner(db)]
    const write = (count: number) =>
      recordedBy(async (trx) => {
        for (let n = 0; n < count; n += 1) {
          await sql`insert into customers (partner_id, name_sealed, email_sealed)
            values (${partners[n % 2]}, 'x', 'x')`.execute(trx)
        }
      })
    const events = [...(await write(first)), ...(await write(second))]
    expect(events).toHaveLength(first + second)
    for (const partner of partners) follows(events.filter(({ tenant }) => tenant === partner))
    await expectWhole()
  })
})
