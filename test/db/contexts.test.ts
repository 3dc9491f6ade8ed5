/** Contexts never mix, whatever happens to transactions and connections. */
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Db, Trx } from '../../db/database.ts'
import { openTenancy, type TenantContext } from '../../db/tenancy.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeOrder, makePartner, makeProgramme } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let database: TestDatabase
let tenancy: TestTenancy
/** The contexts that take turns, each with what it is to see. */
const turns: { context: TenantContext; sees: Seen }[] = []

interface Seen {
  level: string | null
  partner: string | null
  /** Whose customers. */
  sellers: string[]
}

beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await makeProgramme(db)
  const all: string[] = []
  for (let no = 0; no < 3; no += 1) {
    const master = await makePartner(db, { level: 'master_reseller' })
    const resellers = [
      await makePartner(db, { parentId: master }),
      await makePartner(db, { parentId: master }),
    ]
    for (const seller of resellers) await makeOrder(db, seller)
    turns.push(turn(contextAt('master_reseller', master), resellers))
    for (const seller of resellers) turns.push(turn(contextAt('reseller', seller), [seller]))
    all.push(...resellers)
  }
  turns.push(turn(contextAt('super_admin'), all))
  tenancy = await openTestTenancy(database, { poolSize: 2 })
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

function turn(context: TenantContext, sellers: string[]) {
  const { level, partnerId } = context
  return { context, sees: { level, partner: partnerId, sellers: sellers.toSorted() } }
}

async function look(db: Db | Trx): Promise<Seen & { pid: number }> {
  const { rows } = await sql<Seen & { pid: number }>`
    select context_level() as level, context_partner() as partner, pg_backend_pid() as pid,
      array(select partner_id::text from customers order by 1) as sellers`.execute(db)
  const [seen] = rows
  if (!seen) throw new Error('one row was asked for')
  return seen
}

const isRight = (seen: Seen, expected: Seen) =>
  seen.level === expected.level &&
  seen.partner === expected.partner &&
  seen.sellers.join() === expected.sellers.join()

/** Numbers that are the same in every run. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const transactions = 10_000
const clients = 12
const pick = numbersFrom(4_711)

interface Tally {
  wrong: { seen: Seen; expected: Seen }[]
  right: number
  failed: Record<string, number>
}

/** One unit of work, ended in one of the ways in which work ends. */
async function oneTurn(tally: Tally): Promise<void> {
  const { context, sees } = turns[pick(turns.length)] as (typeof turns)[number]
  const way = pick(100)
  const check = (seen: Seen) => {
    if (isRight(seen, sees)) tally.right += 1
    else tally.wrong.push({ seen, expected: sees })
  }
  try {
    if (way < 15) return check(await look(tenancy.dbFor(context)))
    await tenancy.withTenant(context, async (trx) => {
      check(await look(trx))
      if (way < 20) throw new Error('thought better of it')
      if (way < 25) await sql`select 1 / 0`.execute(trx)
      if (way < 28) {
        await sql`set local statement_timeout = 1`.execute(trx)
        await sql`select pg_sleep(1)`.execute(trx)
      }
      if (way < 30) await sql`insert into customers default values`.execute(trx)
      check(await look(trx))
    })
  } catch (error) {
    const { code = 'thrown' } = error as { code?: string }
    tally.failed[code] = (tally.failed[code] ?? 0) + 1
  }
}

const ofPool = sql`datname = current_database() and application_name = 'tributary-test'
  and usename like 'tributary\\_%' and pid <> pg_backend_pid()`

it('10,000 transactions of all on two connections, with errors, cancels and kills, mix nothing', async () => {
  const tally: Tally = { wrong: [], right: 0, failed: {} }
  let [left, running] = [transactions, true]
  const client = async () => {
    while (left > 0) {
      left -= 1
      await oneTurn(tally)
    }
  }
  const storm = async () => {
    for (let blow = 1; running; blow += 1) {
      if (blow % 25 === 0) {
        await sql`select pg_terminate_backend(pid) from (select pid from pg_stat_activity
          where ${ofPool} limit 1) one`.execute(database.db)
      } else {
        await sql`select pg_cancel_backend(pid) from pg_stat_activity
          where ${ofPool} and state <> 'idle'`.execute(database.db)
      }
      await pause(3)
    }
  }
  const blowing = storm()
  await Promise.all(Array.from({ length: clients }, client))
  running = false
  await blowing
  expect(tally.wrong).toEqual([])
  expect(tally.right).toBeGreaterThan(transactions)
  // Every way to fail was met: thrown, a wrong statement, a timeout or cancel, a kill.
  expect(Object.keys(tally.failed)).toEqual(expect.arrayContaining(['thrown', '22012', '57014']))
  const killed = Object.entries(tally.failed).filter(([code]) => code === '57P01')
  expect(killed).not.toEqual([])
})

it('every connection is as good as new after that', async () => {
  for (let no = 0; no < 100; no += 1) {
    const { context, sees } = turns[no % turns.length] as (typeof turns)[number]
    const looks = [tenancy.withTenant(context, look), look(tenancy.dbFor(context))]
    for (const seen of await Promise.all(looks)) expect(seen).toMatchObject(sees)
  }
})

describe('a backend that is killed', () => {
  const [first] = [0]
  const mine = () => turns[first] as (typeof turns)[number]
  const kill = async (pid: number) => {
    await sql`select pg_terminate_backend(${pid}::integer, 5000)`.execute(database.db)
    // The news of it travels on a connection of its own.
    await pause(50)
  }
  const stillWorks = async () => {
    const seen = await tenancy.withTenant(mine().context, look)
    expect(isRight(seen, mine().sees)).toBe(true)
  }

  it('while idle takes nothing with it', async () => {
    const { pid } = await tenancy.withTenant(mine().context, look)
    await kill(pid)
    await stillWorks()
  })

  it('in a query fails that query alone', async () => {
    const work = tenancy.withTenant(mine().context, async (trx) => {
      const { pid } = await look(trx)
      setTimeout(() => void kill(pid), 50)
      await sql`select pg_sleep(60)`.execute(trx)
    })
    await expect(work).rejects.toThrow()
    await stillWorks()
  })

  it('between two statements fails that transaction alone', async () => {
    const work = tenancy.withTenant(mine().context, async (trx) => {
      await kill((await look(trx)).pid)
      await look(trx)
    })
    await expect(work).rejects.toThrow()
    await stillWorks()
  })
})

it('a context that the database refuses leaves no open transaction behind', async () => {
  const lone = openTenancy({
    url: tenancy.url,
    poolSize: 1,
    applicationName: 'tributary-test-lone',
    role: 'tributary_worker',
    contextSecret: tenancy.secret,
    onError: () => {},
  })
  const { context } = turns[0] as (typeof turns)[number]
  const unknown = { ...context, level: 'nobody' as 'worker' }
  await expect(lone.withTenant(unknown, look)).rejects.toThrow()
  const worker = contextAt('worker', null, { actor: 'system:worker' })
  expect(await lone.withTenant(worker, look)).toMatchObject({ level: 'worker' })
  await lone.close()
})
