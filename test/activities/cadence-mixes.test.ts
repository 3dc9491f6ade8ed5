/** Whatever cadences follow on each other: every entry is settled once, and the books are right. */
import { sql } from 'kysely'
import { checkInvariants } from '../../db/invariants.ts'
import { type Cadence, nameAt, stretchOf } from '../../domain/cadence.ts'
import { openCadenceBooks } from '../support/cadence-books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const dayMs = 86_400_000
const begin = Date.UTC(2026, 6, 1)
const days = 100

/** The same numbers from 0 to 1 for the same seed. */
function numbersOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** What is settled one after the other: names of random cadences, each ending after the last. */
function namesOf(next: () => number): string[] {
  const names: string[] = []
  let end = begin
  while (end < begin + days * dayMs) {
    const cadence: Cadence = (['weekly', 'weekly', 'weekly', 'monthly', 'quarterly'] as const)[
      Math.floor(next() * 5)
    ] as Cadence
    // A month that is left out has to be settled first; a week comes with the next one.
    const skipped = next() < 0.3 && cadence === 'weekly' ? 7 * dayMs : 0
    const name = nameAt(cadence, new Date(end + skipped))
    if (stretchOf(name).until.getTime() <= end) continue
    names.push(name)
    end = stretchOf(name).until.getTime()
  }
  return names
}

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

it.each([4, 8, 11])('every entry is settled once in mix %s', async (seed) => {
  const next = numbersOf(seed)
  const books = await openCadenceBooks(database.db)
  const names = namesOf(next)
  const at = (from: number, until: number) =>
    new Date(from + Math.floor(next() * (until - from))).toISOString()
  let from = begin
  const left: (() => Promise<void>)[] = []
  for (const [index, name] of names.entries()) {
    const until = stretchOf(name).until.getTime()
    for (const refund of left.splice(0)) await refund()
    await books.sold(at(from, until), BigInt(Math.ceil(next() * 50_000)))
    // One that is told of late.
    await books.sold(at(begin, until), BigInt(Math.ceil(next() * 50_000)))
    if (next() < 0.5) left.push(await books.soldAndRefunded(at(from, until), at(from, until)))
    const runId = await books.inReview(name)
    const isLast = index === names.length - 1
    if (next() < 0.2 && !isLast) {
      await books.decide(runId, 'exclude', { partnerId: books.partnerId })
    }
    await books.finish(runId)
    from = until
  }
  // Everything that is late by now.
  const last = nameAt('weekly', new Date(from + 40 * dayMs))
  for (const refund of left) await refund()
  await books.settle(last)
  expect({ names, ...(await checkInvariants(database.db)) }).toMatchObject({ violations: [] })
  const { rows } = await sql<{ accrued: bigint; entries: bigint; statements: bigint }>`
    select (select coalesce(sum(credits_minor - debits_minor), 0)::bigint
        from ledger_balances balance join ledger_accounts account on account.id = account_id
        where purpose = 'partner_accrued') as accrued,
      (select sum(amount_minor)::bigint from accruals)
        - (select coalesce(sum(amount_minor), 0)::bigint from clawbacks) as entries,
      (select sum(earned_minor - clawed_back_minor)::bigint from statements
        where issued_at is not null) as statements`.execute(database.db)
  expect({ names, accrued: rows[0]?.accrued }).toEqual({ names, accrued: 0n })
  expect(rows[0]?.statements).toBe(rows[0]?.entries)
})
