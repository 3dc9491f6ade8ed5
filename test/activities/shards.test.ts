import { sql } from 'kysely'
import type { Activities } from '../../activities/index.ts'
import { draftRun } from '../../activities/settlement/calculation.ts'
import { inTransaction } from '../../db/database.ts'
import { recordShards } from '../../db/settlement/shards.ts'
import { partnersPerPage, shardsFor } from '../../domain/settlement.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeProgramme } from '../support/factories.ts'

const partners = 3_000

let database: TestDatabase
let books: Books
let steps: Activities
let runId: string
beforeAll(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
  steps = books.steps
  await makeProgramme(database.db, { minimumPayoutMinor: 500n })
  await sql`
    insert into partners (programme_id, name, level, type, status, country, website,
      contact_name_sealed, contact_email_sealed)
    select id, 'Partner ' || no, 'reseller', 'white_label', 'active', 'US',
      'https://partner.example', 'sealed', 'sealed'
    from programmes, generate_series(1, ${sql.lit(partners)}) no`.execute(database.db)
  runId = await books.newRun('2026-08')
  // A figure for every partner, without the two persons that each entry by hand takes.
  await inTransaction(database.db, async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`
      insert into adjustments (partner_id, reseller_id, master_id, currency, amount_minor, period,
        happened_at, reason)
      select id, reseller_id, master_id, 'USD', 100 + row_number() over (order by id) % 900,
        '2026-08', '2026-08-10Z', 'goodwill'
      from partners`.execute(trx)
  })
})
afterAll(() => database.drop())

const divided = (shards: number) =>
  inTransaction(database.db, (trx) => recordShards(trx, { runId, shards }))

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
  it('drafts the same statements as in one, however it is divided', async () => {
    await draftRun(steps, runId)
    const whole = await printed()
    expect(whole.count).toBe(partners)
    for (const shards of [3, 16]) {
      await steps.planShards({ runId })
      await divided(shards)
      for (let shard = shards - 1; shard >= 0; shard--) await steps.draftPages({ runId, shard })
      expect(await printed()).toEqual(whole)
      const found = await progress()
      expect(found).toHaveLength(shards)
      expect(found.every(({ done, partners, finishedAt }) => finishedAt && done === partners)).toBe(
        true,
      )
    }
  })

  it('goes on from the books after a worker died between two pages, and counts none twice', async () => {
    await steps.planShards({ runId })
    await draftRun(steps, runId)
    const whole = await printed()
    await steps.planShards({ runId })
    // The second page of the first try is lost: its transaction never committed.
    await sql`create function lose_page() returns trigger language plpgsql as $$ begin
      if new.partners_done = ${sql.lit(2 * partnersPerPage)} then raise 'the worker died'; end if;
      return new; end $$`.execute(database.db)
    await sql`create trigger lose_page before update on settlement_shards for each row
      execute function lose_page()`.execute(database.db)
    await expect(steps.draftPages({ runId, shard: 0 })).rejects.toThrow()
    expect((await printed()).count).toBe(partnersPerPage)
    expect(await progress()).toMatchObject([{ done: partnersPerPage, finishedAt: null }])
    await sql`drop trigger lose_page on settlement_shards; drop function lose_page()`.execute(
      database.db,
    )
    expect(await steps.draftPages({ runId, shard: 0 })).toEqual({ finished: true })
    expect(await printed()).toEqual(whole)
    expect(await progress()).toMatchObject([{ done: partners }])
  })

  it('drafts a shard once where two drafts of it meet', async () => {
    await steps.planShards({ runId })
    const both = [0, 1].map(() => steps.draftPages({ runId, shard: 0 }))
    expect(await Promise.all(both)).toEqual([{ finished: true }, { finished: true }])
    expect((await printed()).count).toBe(partners)
    expect(await progress()).toMatchObject([{ done: partners }])
  })

  it('ends a step that was left over from an earlier division, which changes nothing', async () => {
    await steps.planShards({ runId })
    expect(await steps.draftPages({ runId, shard: 9 })).toEqual({ finished: true })
    expect((await printed()).count).toBe(0)
  })

  it('is refused a statement of a run, a partner or a currency that there is not', async () => {
    const draft = (change: { run?: string; partner?: string; currency?: string }) => sql`
      insert into statements (run_id, partner_id, period, currency, opening_minor, earned_minor,
        clawed_back_minor, adjustments_minor, closing_minor, held_minor, payable_minor,
        carried_minor)
      select ${change.run ?? runId}, coalesce(${change.partner ?? null}::uuid, id), '2026-08',
        ${change.currency ?? 'EUR'}, 0, 0, 0, 0, 0, 0, 0, 0 from partners limit 1`
    const nobody = '01890a5d-ac96-774b-bcce-b302099a8057'
    for (const change of [{ run: nobody }, { partner: nobody }, { currency: 'ZZZ' }]) {
      await expect(draft(change).execute(database.db)).rejects.toThrow()
    }
  })
})

describe('the number of shards', () => {
  it('is one for few partners, because each shard is a process of its own', () => {
    expect([0, 1, 4_999, 5_000, 100_000].map(shardsFor)).toEqual([1, 1, 1, 16, 16])
  })
})
