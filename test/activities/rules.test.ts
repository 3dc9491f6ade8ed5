/** Published rules and the customers that began under older ones. */
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { publishRules } from '../../db/commission/rules.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { getProgramme } from '../../db/programmes.ts'
import type { CommissionRule } from '../../domain/commission-rules.ts'
import { basisPoints } from '../../domain/money.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeOrder, makePartner, makeProgramme, paidInvoice } from '../support/factories.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
})
afterEach(async () => {
  const { violations } = await checkInvariants(database.db)
  expect(violations).toEqual([])
  await database.drop()
})

const percentage = (code: string, depth: number, bps: number): CommissionRule => ({
  code,
  depth,
  terms: { kind: 'percentage', rate: basisPoints(bps) },
  scope: { partner: null, tier: null, product: null },
  validFrom: null,
  validTo: null,
  cap: null,
  floor: null,
  windowMonths: null,
  setupFee: false,
})

async function publish(bps: number, from: string, migratesAt: string | null) {
  const { id: programmeId } = await getProgramme(database.db)
  return inTransaction(database.db, (trx) =>
    publishRules(trx, {
      programmeId,
      rules: [percentage('depth-0', 0, bps), percentage('depth-1', 1, 500)],
      from: new Date(from),
      migratesAt: migratesAt === null ? null : new Date(migratesAt),
    }),
  )
}

/** What the seller earns on 100.00 at this instant. */
async function earned(order: Awaited<ReturnType<typeof makeOrder>>, paidAt: string) {
  const { db } = database
  await bookInvoice({ db }, paidInvoice(order, { net: 10_000n, paidAt }))
  const { amountMinor } = await db
    .selectFrom('accruals')
    .innerJoin('linePayments', 'linePayments.id', 'accruals.linePaymentId')
    .select('accruals.amountMinor')
    .where('accruals.depth', '=', 0)
    .orderBy('accruals.id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
  return amountMinor
}

describe('a new version of the rules', () => {
  it('is for new customers, and for old ones from the end of their notice on', async () => {
    const { db } = database
    const partnerId = await makePartner(db)
    const [old, fresh] = [await makeOrder(db, partnerId), await makeOrder(db, partnerId)]
    expect(await earned(old, '2030-01-05T00:00:00Z')).toBe(2_000n)
    const versions = await publish(1_000, '2030-02-01T00:00:00Z', '2030-04-01T00:00:00Z')
    expect([...versions]).toEqual([
      ['depth-0', 2],
      ['depth-1', 2],
    ])
    expect(await earned(old, '2030-02-05T00:00:00Z')).toBe(2_000n)
    expect(await earned(fresh, '2030-02-05T00:00:00Z')).toBe(1_000n)
    expect(await earned(old, '2030-03-31T23:59:59Z')).toBe(2_000n)
    expect(await earned(old, '2030-04-01T00:00:00Z')).toBe(1_000n)
  })

  it('never reaches customers of older ones where nobody gave notice', async () => {
    const order = await makeOrder(database.db, await makePartner(database.db))
    await earned(order, '2030-01-05T00:00:00Z')
    await publish(1_000, '2030-02-01T00:00:00Z', null)
    expect(await earned(order, '2035-01-05T00:00:00Z')).toBe(2_000n)
  })

  it('is refused while one for a later time is published', async () => {
    await publish(1_000, '2030-02-01T00:00:00Z', null)
    const earlier = publish(1_500, '2030-01-01T00:00:00Z', null)
    await expect(earlier).rejects.toMatchObject({ code: 'conflict' })
    const { rows } = await sql`select 1 from commission_rules where version = 3`.execute(
      database.db,
    )
    expect(rows).toEqual([])
  })
})

describe('the database', () => {
  it('refuses two rules of one depth and scope at one time', async () => {
    const twin = sql`insert into commission_rules
      (programme_id, code, version, depth, kind, rate_num, rate_den, valid)
      select programme_id, 'twin', 1, depth, kind, rate_num, rate_den, '[2030-01-01,)'
      from commission_rules where depth = 0`.execute(database.db)
    await expect(twin).rejects.toThrow(/commission_rules_one_at_a_time/)
  })

  it('never changes or removes what a period earned, gave back or had adjusted', async () => {
    for (const table of ['closing_accruals', 'closing_clawbacks', 'adjustments', 'fx_rates']) {
      const emptied = sql`truncate ${sql.table(table)} cascade`.execute(database.db)
      await expect(emptied).rejects.toThrow(/never changed or removed/)
    }
    await sql`insert into fx_rates (base, quote, rate, source, as_of)
      values ('USD', 'EUR', 0.9, 'test', now())`.execute(database.db)
    const changed = sql`update fx_rates set rate = 1`.execute(database.db)
    await expect(changed).rejects.toThrow(/never changed or removed/)
  })
})
