/** What a fall costs: customers that a partner has keep their rates, new ones come at the lower. */
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import type { ActivityDeps } from '../../activities/deps.ts'
import { insertRules } from '../../db/commission/rules.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { findLastGrace } from '../../db/tier-graces.ts'
import { basisPoints } from '../../domain/money.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  makeOrder,
  makePartner,
  makeProgramme,
  type Order,
  paidInvoice,
} from '../support/factories.ts'
import { asSteps } from '../support/steps.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

/** Gold earns 30 %, silver 20 %. */
async function tieredProgramme() {
  const { db } = database
  const { id: programmeId } = await makeProgramme(db, { rules: [] })
  const rates = [
    ['gold', 3_000],
    ['silver', 2_000],
  ] as const
  await inTransaction(db, (trx) =>
    insertRules(
      trx,
      rates.map(([tier, bps]) => ({
        programmeId,
        code: `at-${tier}`,
        version: 1,
        migratesAt: null,
        depth: 0,
        terms: { kind: 'percentage', rate: basisPoints(bps) },
        scope: { link: null, partner: null, tier, product: null },
        validFrom: null,
        validTo: null,
        cap: null,
        floor: null,
        windowMonths: null,
        setupFee: false,
      })),
    ),
  )
}

/** What the seller earns on 100.00 that a customer pays at this instant. */
async function earned(order: Order, paidAt: string) {
  const { db } = database
  await bookInvoice({ db }, paidInvoice(order, { net: 10_000n, paidAt }))
  const { amountMinor } = await db
    .selectFrom('accruals')
    .select('amountMinor')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
  return amountMinor
}

describe('after a fall', () => {
  it('old customers earn as before, also those who come back, and new ones less', async () => {
    const { db } = database
    await tieredProgramme()
    const seller = await makePartner(db, { tier: 'gold' })
    await sql`update partners set activated_at = '2020-02-01'`.execute(db)
    const old = await makeOrder(db, seller)
    expect(await earned(old, '2026-08-05T00:00:00Z')).toBe(3_000n)

    const processes = { wake: async () => {} }
    const steps = asSteps({ db, processes } as unknown as ActivityDeps)
    await steps.reviewTierPage({ period: '2026-09', after: null })
    const grace = await findLastGrace(db, seller)
    expect(await steps.applyTierFall({ graceId: grace?.id ?? '' })).toBe('demoted')

    // From the fall on, by the true time of each line.
    expect(await earned(old, '2030-01-05T00:00:00Z')).toBe(3_000n)
    expect(await earned(await makeOrder(db, seller), '2030-01-05T00:00:00Z')).toBe(2_000n)
    // What was paid before it and comes late still earns by the tier of its day.
    expect(await earned(await makeOrder(db, seller), '2026-09-05T00:00:00Z')).toBe(3_000n)
    expect((await checkInvariants(db)).violations).toEqual([])
  })
})
