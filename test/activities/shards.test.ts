import { sql } from 'kysely'
import type { Activities } from '../../activities/index.ts'
import { draftRun } from '../../activities/settlement/calculation.ts'
import { inTransaction } from '../../db/database.ts'
import { recordShards } from '../../db/settlement/shards.ts'
import { partnersPerPage, shardsFor } from '../../domain/settlement.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeProgramme } from '../support/factories.ts'
import { until } from '../support/until.ts'

/** A page and a little more. */
const partners = partnersPerPage + 500

let database: TestDatabase
let books: Books
let steps: Activities
let runId: string
let whole: Awaited<ReturnType<typeof printed>>
beforeAll(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
  steps = books.steps
  await makeProgramme(database.db, { minimumPayoutMinor: 500n })
  runId = await books.newRun('2026-08')
  await inTransaction(database.db, async (trx) => {
    // A figure for every partner, without the two persons that each entry by hand takes.
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`
      insert into partners (id, programme_id, name, level, type, status, country, website,
        contact_name_sealed, contact_email_sealed, reseller_id, master_id)
      select own.id, programmes.id, 'Partner ' || no, 'reseller', 'white_label', 'active', 'US',
        'https://partner.example', 'sealed', 'sealed', own.id, own.id
      from programmes, generate_series(1, ${sql.lit(partners)}) no,
        lateral (select uuidv7() as id where no > 0) own`.execute(trx)
    await sql`insert into partner_places (partner_id, reseller_id, master_id)
      select id, reseller_id, master_id from partners`.execute(trx)
    await sql`
      insert into adjustments (partner_id, reseller_id, master_id, currency, amount_minor, period,
        happened_at, reason)
      select id, reseller_id, master_id, 'USD', 100 + row_number() over (order by id) % 900,
        '2026-08', '2026-08-10Z', 'goodwill'
      from partners`.execute(trx)
  })
  await draftRun(steps, runId)
  whole = await printed()
})
afterAll(() => database.drop())

/** Divided anew, with nothing drafted yet. */
async function divided(shards: number): Promise<void> {
  await steps.planShards({ runId })
  await inTransaction(database.db, (trx) => recordShards(trx, { runId, shards, partners }))
}

async function printed(): Promise<{ count: number; print: string }> {
  const { rows } = await sql<{ count: number; print: string }>`
    select count(*)::int as count, md5(string_agg(concat_ws('|', partner_id, currency,
      adjustments_minor, closing_minor, payable_minor, carried_minor, carry_reason), E'\n'
      order by partner_id)) as print
    from statements where run_id = ${runId}`.execute(database.db)
  return rows[0] ?? { count: 0, print: '' }
}

const progress = () =>
  database.db
    .selectFrom('settlementShards')
    .select(['number', 'partners', 'partnersDone as done', 'finishedAt'])
    .where('runId', '=', runId)
    .orderBy('number')
    .execute()

describe('a run in shards', () => {
  it('drafts the same statements however it is divided, each part wholly', async () => {
    expect(whole.count).toBe(partners)
    expect(await progress()).toHaveLength(shardsFor(partners))
    for (const shards of [1, 3]) {
      await divided(shards)
      expect(await steps.draftPages({ runId })).toEqual({ finished: true })
      expect(await printed()).toEqual(whole)
      const found = await progress()
      expect(found).toHaveLength(shards)
      expect(found.every(({ done, partners, finishedAt }) => finishedAt && done === partners)).toBe(
        true,
      )
    }
  })

  it('goes on from the books after a worker died between two pages, and counts none twice', async () => {
    await divided(1)
    // The second page of the first try is lost: its transaction never committed.
    await sql`create function lose_page() returns trigger language plpgsql as $$ begin
      if new.partners_done = ${sql.lit(partners)} then raise 'the worker died'; end if;
      return new; end $$`.execute(database.db)
    await sql`create trigger lose_page before update on settlement_shards for each row
      execute function lose_page()`.execute(database.db)
    await expect(steps.draftPages({ runId })).rejects.toThrow()
    expect((await printed()).count).toBe(partnersPerPage)
    expect(await progress()).toMatchObject([{ done: partnersPerPage, finishedAt: null }])
    await sql`drop trigger lose_page on settlement_shards; drop function lose_page()`.execute(
      database.db,
    )
    expect(await steps.draftPages({ runId })).toEqual({ finished: true })
    expect(await printed()).toEqual(whole)
    expect(await progress()).toMatchObject([{ done: partners }])
  })

  it('drafts every page once where several draft side by side', async () => {
    for (const shards of [1, 16]) {
      await divided(shards)
      const all = [0, 1, 2].map(() => steps.draftPages({ runId }))
      for (const one of await Promise.all(all)) expect(one).toEqual({ finished: true })
      expect(await printed()).toEqual(whole)
    }
  })

  it('drafts what a worker that died was drafting, however long that one holds it', async () => {
    await divided(2)
    let drafting = Promise.resolve({ finished: false })
    await inTransaction(database.db, async (trx) => {
      await sql`select from settlement_shards where run_id = ${runId} and number = 1
        for update`.execute(trx)
      drafting = steps.draftPages({ runId })
      await until(async () => (await progress())[0]?.finishedAt !== null)
    })
    expect(await drafting).toEqual({ finished: true })
    expect(await printed()).toEqual(whole)
  })

  it('ends a step of a run that is not divided any more, which changes nothing', async () => {
    await steps.planShards({ runId })
    await database.db.deleteFrom('settlementShards').where('runId', '=', runId).execute()
    expect(await steps.draftPages({ runId })).toEqual({ finished: true })
    expect((await printed()).count).toBe(0)
  })
})

describe('the number of shards', () => {
  it('is one for few partners, because they are done soonest in one', () => {
    expect([0, 1, 4_999, 5_000, 100_000].map(shardsFor)).toEqual([1, 1, 1, 16, 16])
  })
})
