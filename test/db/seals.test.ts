import { randomUUIDv7 } from 'node:crypto'
import { type ControlledTransaction, sql } from 'kysely'
import { type Db, inTransaction, type Trx } from '../../db/database.ts'
import { recordJournals } from '../../db/ledger.ts'
import { recordPeriod } from '../../db/periods.ts'
import type { DB } from '../../db/schema.ts'
import { findLastSeal, hasSeal, sealJournals, verifySeals } from '../../db/seals.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import { makeProgramme } from '../support/factories.ts'
import { sealAllBut, unsealed } from '../support/seals.ts'

let database: TestDatabase
let db: Db
beforeAll(async () => {
  database = await createTestDatabase(24)
  db = database.db
  await makeProgramme(db)
  await inTransaction(db, (trx) => recordPeriod(trx, '2026-10'))
  // The accounts are there from here on: no writer waits for another one's.
  await post()
})
afterAll(() => database.drop())

/** Platform accounts have no balance row, so that two open transactions can post to them. */
function payment() {
  return {
    kind: 'payment' as const,
    sourceType: 'test',
    sourceId: randomUUIDv7(),
    period: '2026-10',
    effectiveAt: new Date('2026-10-05T00:00:00.123Z'),
    postings: [
      {
        debit: { purpose: 'stripe_clearing' as const },
        credit: { purpose: 'platform_revenue' as const },
        currency: 'USD',
        amount: 10_000n,
      },
    ],
  }
}

/** @returns the id of the journal. */
async function postIn(trx: Trx): Promise<bigint> {
  const journal = payment()
  await recordJournals(trx, [journal])
  const { id } = await trx
    .selectFrom('ledgerJournals')
    .select('id')
    .where('sourceId', '=', journal.sourceId)
    .executeTakeFirstOrThrow()
  return id
}

const post = (journals = 1) =>
  inTransaction(db, (trx) => recordJournals(trx, Array.from({ length: journals }, payment)))

const begin = (): Promise<ControlledTransaction<DB>> => db.startTransaction().execute()

/** Gives a transaction its id without writing anything. */
const takeXid = (trx: Trx) => sql`select pg_current_xact_id()`.execute(trx)

const seals = () => db.selectFrom('ledgerSeals').selectAll().orderBy('number').execute()

const blockOf = async (id: bigint) => {
  const { rows } = await sql<{ number: bigint }>`
    select number from ledger_seals seal join ledger_journals journal
      on journal.xid >= seal.from_xid and journal.xid < seal.to_xid
    where journal.id = ${id}`.execute(db)
  return rows[0]?.number
}

describe('seals', () => {
  it('hold every journal once, in blocks that part no transaction', async () => {
    for (const journals of [1, 2, 3, 9, 1, 1, 4, 5, 2]) await post(journals)
    await sealAllBut(db, [], { journalsPerBlock: 4 })
    const { rows } = await sql<{ number: bigint; journals: number; transactions: number }>`
      select number, count(*)::int as journals, count(distinct xid)::int as transactions
      from ledger_seals join ledger_journals on xid >= from_xid and xid < to_xid
      group by number order by number`.execute(db)
    const total = await db
      .selectFrom('ledgerJournals')
      .select(({ fn }) => fn.countAll<bigint>().as('n'))
      .executeTakeFirstOrThrow()
    expect(rows.reduce((sum, { journals }) => sum + journals, 0)).toBe(Number(total.n))
    const wide = rows.filter(({ journals }) => journals > 4)
    expect(wide.map(({ journals, transactions }) => [journals, transactions])).toEqual([
      [9, 1],
      [5, 1],
    ])
    expect((await seals()).map(({ number, journals }) => [number, Number(journals)])).toEqual(
      rows.map(({ number, journals }) => [number, journals]),
    )
    expect(await verifySeals(db)).toEqual([])
  })

  it('are not made of nothing', async () => {
    await sealAllBut(db)
    const before = await seals()
    expect(await sealJournals(db)).toEqual({ sealed: 0 })
    expect(await seals()).toEqual(before)
  })

  it('are the same for every setting of a session', async () => {
    await rolledBack(db, async (trx) => {
      await sql`select set_config('timezone', 'Asia/Kathmandu', true),
        set_config('datestyle', 'German', true), set_config('bytea_output', 'escape', true),
        set_config('extra_float_digits', '-15', true)`.execute(trx)
      expect(await verifySeals(trx)).toEqual([])
    })
  })
})

describe('a writer that is not done', () => {
  beforeEach(() => sealAllBut(db))

  it('with the smaller id is not passed by one that is done with the larger id', async () => {
    const [slow, fast] = [await begin(), await begin()]
    const smaller = await postIn(slow)
    const larger = await postIn(fast)
    expect(smaller).toBeLessThan(larger)
    await fast.commit().execute()
    expect(await sealJournals(db)).toEqual({ sealed: 0 })
    expect(await unsealed(db)).toEqual([larger])
    await slow.commit().execute()
    await sealAllBut(db)
    expect(await blockOf(smaller)).toBeDefined()
    expect(await verifySeals(db)).toEqual([])
  })

  it('with the smaller id and the younger transaction comes in a later block', async () => {
    const [older, younger] = [await begin(), await begin()]
    await takeXid(older)
    const smaller = await postIn(younger)
    const larger = await postIn(older)
    expect(smaller).toBeLessThan(larger)
    await older.commit().execute()
    // The larger id is sealed although the smaller one is not even committed.
    await sealAllBut(db, [smaller])
    const sealedBefore = await blockOf(larger)
    expect(sealedBefore).toBeDefined()
    await younger.commit().execute()
    expect(await unsealed(db)).toEqual([smaller])
    await sealAllBut(db)
    expect(await blockOf(smaller)).toBeGreaterThan(sealedBefore ?? 0n)
    expect(await verifySeals(db)).toEqual([])
  })

  it('is not passed before it has posted anything, nor while it is inside a savepoint', async () => {
    const [slow, fast] = [await begin(), await begin()]
    await takeXid(slow)
    const early = await postIn(fast)
    await fast.commit().execute()
    expect(await sealJournals(db)).toEqual({ sealed: 0 })
    const saved = await slow.savepoint('inner').execute()
    const late = await postIn(saved)
    await saved.releaseSavepoint('inner').execute()
    expect(await sealJournals(db)).toEqual({ sealed: 0 })
    await slow.commit().execute()
    await sealAllBut(db)
    expect([await blockOf(early), await blockOf(late)]).not.toContain(undefined)
    expect(await verifySeals(db)).toEqual([])
  })

  it('and gives up leaves a gap in the ids that holds nothing up', async () => {
    const [slow, fast] = [await begin(), await begin()]
    await postIn(slow)
    const kept = await postIn(fast)
    await fast.commit().execute()
    await slow.rollback().execute()
    await sealAllBut(db)
    expect(await blockOf(kept)).toBeDefined()
    expect(await verifySeals(db)).toEqual([])
  })

  it('among many, with four sealers: nothing is skipped, no chain is forked', async () => {
    let writing = true
    let counted = 0
    const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 4))
    const before = (await seals()).reduce((sum, { journals }) => sum + journals, 0n)
    const writer = async () => {
      for (let n = 0; n < 25; n += 1) {
        const trx = await begin()
        if (n % 3 === 0) await takeXid(trx)
        await pause()
        await recordJournals(trx, Array.from({ length: 1 + (n % 4) }, payment))
        await pause()
        await (n % 5 === 0 ? trx.rollback() : trx.commit()).execute()
      }
    }
    const sealer = async () => {
      while (writing || (await unsealed(db)).length > 0) {
        const { sealed } = await sealJournals(db, { journalsPerBlock: 7 })
        counted += sealed
      }
    }
    const sealers = Array.from({ length: 4 }, sealer)
    await Promise.all(Array.from({ length: 12 }, writer))
    writing = false
    await Promise.all(sealers)
    const after = (await seals()).reduce((sum, { journals }) => sum + journals, 0n)
    expect(Number(after - before)).toBe(counted)
    expect(await unsealed(db)).toEqual([])
    expect(await verifySeals(db)).toEqual([])
  })
})

/** What somebody with all rights might do to sealed books; every one past every guard. */
const tampering: Record<string, string> = {
  'an amount': `update ledger_postings set amount_minor = amount_minor + 1
    where id = (select min(id) from ledger_postings)`,
  'a side': `update ledger_postings
    set debit_account_id = credit_account_id, credit_account_id = debit_account_id
    where id = (select max(id) from ledger_postings)`,
  'a time, by a millionth of a second': `update ledger_journals
    set effective_at = effective_at + interval '1 microsecond'
    where id = (select min(id) from ledger_journals)`,
  'a reason': `update ledger_journals set reason = 'because'
    where id = (select max(id) from ledger_journals)`,
  'the meaning of an account': `update ledger_accounts set purpose = 'platform_fees'
    where purpose = 'platform_revenue'`,
  'a posting that is removed': `delete from ledger_postings
    where id = (select min(id) from ledger_postings)`,
  'a journal that is removed with its postings': `
    delete from ledger_postings where journal_id = (select max(id) from ledger_journals);
    delete from ledger_journals where id = (select max(id) from ledger_journals)`,
  'a posting that is added': `insert into ledger_postings
      (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
    select journal_id, debit_account_id, credit_account_id, currency, 1
    from ledger_postings order by id limit 1`,
  'a journal that is added to a sealed range': `insert into ledger_journals
      (kind, source_type, source_id, period, effective_at, request_hash, xid)
    select kind, source_type, uuidv7(), period, effective_at, request_hash, xid
    from ledger_journals order by id limit 1`,
  'a journal that is moved out of its block': `update ledger_journals set xid = '1'
    where id = (select max(id) from ledger_journals)`,
  'two blocks that change places': `
    update ledger_seals set number = 1000000 where number = 2;
    update ledger_seals set number = 2 where number = 3;
    update ledger_seals set number = 3 where number = 1000000`,
  'a block that is removed': 'delete from ledger_seals where number = 2',
  'the first block, removed': 'delete from ledger_seals where number = 1',
  'the time of a seal': `update ledger_seals set sealed_at = sealed_at - interval '1 second'
    where number = (select max(number) from ledger_seals)`,
  'the end of the last block': `update ledger_seals
    set to_xid = (to_xid::text::numeric + 1)::text::xid8
    where number = (select max(number) from ledger_seals)`,
  'a count': `update ledger_seals set journals = journals + 1 where number = 1`,
}

describe('sealed books', () => {
  beforeAll(() => sealAllBut(db))

  const tampered = (change: string, work: (trx: Trx) => Promise<void>) =>
    rolledBack(db, async (trx) => {
      await sql`set local session_replication_role = replica`.execute(trx)
      await sql.raw(change).execute(trx)
      await work(trx)
    })

  it.each(Object.entries(tampering))('give away %s', async (_what, change) => {
    await tampered(change, async (trx) => {
      expect((await verifySeals(trx)).length).toBeGreaterThan(0)
    })
  })

  it('say which block was changed', async () => {
    const [, second] = await seals()
    const change = `update ledger_journals set reason = 'because'
      where id = ${second?.firstJournalId}`
    await tampered(change, async (trx) => {
      expect(await verifySeals(trx)).toMatchObject([{ number: 2n, chained: true, intact: false }])
    })
  })

  it('do not give away a tail that was cut off; a copy of the last hash does', async () => {
    await post()
    await sealAllBut(db)
    const kept = await findLastSeal(db)
    if (!kept) throw new Error('nothing is sealed')
    expect(await hasSeal(db, kept)).toBe(true)
    const cut = `delete from ledger_seals where number = ${kept.number}`
    await tampered(cut, async (trx) => {
      expect(await verifySeals(trx)).toEqual([])
      expect(await hasSeal(trx, kept)).toBe(false)
    })
  })
})

describe('the database', () => {
  it('takes no change of a seal', async () => {
    for (const change of [
      'update ledger_seals set journals = 1',
      'delete from ledger_seals',
      'truncate ledger_seals cascade',
    ]) {
      await expect(sql.raw(change).execute(db)).rejects.toThrow(/never changed or removed/)
    }
  })

  it('takes no seal that leaves a gap or begins a second chain', async () => {
    const next = (columns: string) =>
      sql
        .raw(`insert into ledger_seals (number, from_xid, to_xid, journals, first_journal_id,
            last_journal_id, previous_hash, hash, sealed_at)
          select ${columns}, 1, 1, 1, hash, sha256('other'), now()
          from ledger_seals order by number desc limit 1`)
        .execute(db)
    const later = `'18446744073709551614', '18446744073709551615'`
    await expect(next(`number + 1, ${later}`)).rejects.toThrow(/foreign key/)
    await expect(next(`number + 2, to_xid, '18446744073709551615'`)).rejects.toThrow(/foreign key/)
    await expect(next('number, from_xid, to_xid')).rejects.toThrow(/ledger_seals_pkey/)
  })

  it('adds nothing to a journal that is posted', async () => {
    const late = sql`insert into ledger_postings
        (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
      select journal_id, debit_account_id, credit_account_id, currency, 1
      from ledger_postings limit 1`
    await expect(late.execute(db)).rejects.toThrow(/is posted: nothing is added to it/)
  })

  it('lets no journal carry the id of another transaction', async () => {
    const foreign = sql`insert into ledger_journals
        (kind, source_type, source_id, period, effective_at, request_hash, xid)
      values ('payment', 'test', uuidv7(), '2026-10', now(), '', '3')`
    await expect(foreign.execute(db)).rejects.toThrow(/carries the id of the transaction/)
  })

  it('books nothing whose transaction is older than the last seal', async () => {
    await rolledBack(db, async (trx) => {
      await sql`insert into ledger_seals (number, from_xid, to_xid, journals, first_journal_id,
          last_journal_id, previous_hash, hash, sealed_at)
        select number + 1, to_xid, '18446744073709551615', 1, 1, 1, hash, sha256(hash), now()
        from ledger_seals order by number desc limit 1`.execute(trx)
      await expect(recordJournals(trx, [payment()])).rejects.toThrow(/older than the last seal/)
    })
  })
})
