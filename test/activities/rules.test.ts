/** Published rules and the customers that began under older ones. */
import { sql } from 'kysely'
import { bookInvoice, bookInvoices } from '../../activities/commission/payments.ts'
import { publishRules } from '../../db/commission/rules.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants, invariants } from '../../db/invariants.ts'
import { getProgramme } from '../../db/programmes.ts'
import type { CommissionRule, RuleScope } from '../../domain/commission-rules.ts'
import { basisPoints } from '../../domain/money.ts'
import { openBooks } from '../support/books.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import {
  makeChain,
  makeLink,
  makeOrder,
  makePartner,
  makeProgramme,
  paidInvoice,
} from '../support/factories.ts'

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

const everybody = { link: null, partner: null, tier: null, product: null }

const percentage = (code: string, depth: number, bps: number): CommissionRule => ({
  code,
  depth,
  terms: { kind: 'percentage', rate: basisPoints(bps) },
  scope: everybody,
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

describe('a rule of a link', () => {
  const paidAt = '2026-08-05T00:00:00Z'
  const at = (depth: number, bps: number, scope: Partial<RuleScope>): CommissionRule => ({
    ...percentage(`${depth} at ${bps}`, depth, bps),
    scope: { ...everybody, ...scope },
  })

  async function publishAll(rules: CommissionRule[]) {
    const { id: programmeId } = await getProgramme(database.db)
    const from = new Date('2026-01-01T00:00:00Z')
    await inTransaction(database.db, (trx) =>
      publishRules(trx, { programmeId, rules, from, migratesAt: null }),
    )
  }

  /** What each depth earned on the sales to these customers, in their order. */
  async function shares(orders: { customerId: string }[]) {
    const { rows } = await sql<{ customerId: string; amounts: bigint[] }>`
      select line.customer_id, array_agg(amount_minor order by depth) as amounts
      from accruals join line_payments line on line.id = line_payment_id
      group by 1`.execute(database.db)
    const found = new Map(rows.map(({ customerId, amounts }) => [customerId, amounts.map(Number)]))
    return orders.map(({ customerId }) => found.get(customerId))
  }

  it('pays for the link’s customers at every depth, before partner, tier and product; others earn as without it', async () => {
    const { db } = database
    const { master, reseller } = await makeChain(db)
    const [fair, fest] = [await makeLink(db, reseller), await makeLink(db, reseller)]
    const ofFair = await makeOrder(db, reseller, fair)
    const ofFest = await makeOrder(db, reseller, fest)
    const ofNone = await makeOrder(db, reseller)
    const { featurePackageId: product } = await db
      .selectFrom('subscriptions')
      .select('featurePackageId')
      .where('id', '=', ofFair.subscriptionId)
      .executeTakeFirstOrThrow()
    await publishAll([
      at(0, 1_000, {}),
      at(0, 1_100, { tier: 'bronze' }),
      at(0, 1_200, { partner: reseller }),
      at(0, 1_300, { partner: reseller, tier: 'bronze', product }),
      at(0, 3_000, { link: fair }),
      at(1, 500, {}),
      at(1, 600, { partner: master }),
      at(1, 700, { link: fair }),
      at(1, 800, { link: fest, partner: master }),
      at(1, 900, { link: fest, partner: reseller }),
    ])
    const orders = [ofFair, ofFest, ofNone]
    const invoices = orders.map((order) => paidInvoice(order, { net: 10_000n, paidAt }))
    await bookInvoices({ db }, invoices)
    expect(await shares(orders)).toEqual([
      [3_000, 700],
      [1_200, 800],
      [1_200, 600],
    ])
  })

  it('pays an invoice whose lines are shared as one base, too', async () => {
    const { db } = database
    await sql`update programmes set allocation_unit = 'invoice'`.execute(db)
    const partnerId = await makePartner(db)
    const fair = await makeLink(db, partnerId)
    const orders = [await makeOrder(db, partnerId, fair), await makeOrder(db, partnerId)]
    await publishAll([at(0, 1_000, {}), at(0, 3_000, { link: fair })])
    const parts = [4_000n, 6_000n]
    const invoices = orders.map((order) => paidInvoice(order, { net: 10_000n, paidAt, parts }))
    await bookInvoices({ db }, invoices)
    expect(await shares(orders)).toEqual([[3_000], [1_000]])
  })

  it('leaves a depth that it alone pays without a share where the customer came otherwise', async () => {
    const { db } = database
    const { reseller } = await makeChain(db)
    const fair = await makeLink(db, reseller)
    const orders = [await makeOrder(db, reseller, fair), await makeOrder(db, reseller)]
    await publishAll([at(0, 1_000, {}), at(1, 700, { link: fair })])
    const invoices = orders.map((order) => paidInvoice(order, { net: 10_000n, paidAt }))
    await bookInvoices({ db }, invoices)
    expect(await shares(orders)).toEqual([[1_000, 700], [1_000]])
  })

  it('pays a bonus for what the link’s customers paid, and counts nobody else', async () => {
    const { db } = database
    const partnerId = await makePartner(db)
    const fair = await makeLink(db, partnerId)
    const bonus = (metric: 'collected' | 'new_customers'): CommissionRule => ({
      ...at(0, 0, { link: fair }),
      code: metric,
      terms: { kind: 'performance', metric, target: 2n, bonus: 500n },
    })
    await publishAll([at(0, 1_000, {}), bonus('collected'), bonus('new_customers')])
    for (const link of [fair, fair, null]) {
      const order = await makeOrder(db, partnerId, link)
      await bookInvoice({ db }, paidInvoice(order, { net: 10_000n, paidAt }))
    }
    await openBooks(db).settle('2026-08')
    const { rows } = await sql`
      select code, closing.metric::integer as metric from closing_accruals closing
      join commission_rules rule on rule.id = rule_id order by 1`.execute(db)
    expect(rows).toEqual([
      { code: 'collected', metric: 20_000 },
      { code: 'new_customers', metric: 2 },
    ])
    await expectWrong(
      'bonus',
      `update commission_rules set link_id = null
      where code = 'collected'`,
    )
  })

  it('that paid for a customer of another link is found by the invariants', async () => {
    const { db } = database
    const partnerId = await makePartner(db)
    const [fair, fest] = [await makeLink(db, partnerId), await makeLink(db, partnerId)]
    await publishAll([at(0, 1_000, {}), at(0, 3_000, { link: fair })])
    await bookInvoice({ db }, paidInvoice(await makeOrder(db, partnerId, fair), { paidAt }))
    await expectWrong('share', `update customers set link_id = '${fest}'`)
    await expectWrong('share', 'update customers set link_id = null')
  })

  /** The fault, made past every guard, is what the second calculation of all shares finds. */
  async function expectWrong(what: string, fault: string) {
    await rolledBack(database.db, async (trx) => {
      await sql`set local session_replication_role = replica`.execute(trx)
      const { numAffectedRows } = await sql.raw(fault).execute(trx)
      expect(numAffectedRows).toBe(1n)
      const again = invariants.find(({ id }) => id === 'I22')?.query ?? ''
      const { rows } = await sql.raw<{ wrong: string }>(again).execute(trx)
      expect(rows.map(({ wrong }) => wrong)).toEqual([what])
    })
  }
})

describe('the database', () => {
  it('refuses two rules of one depth and one link at one time, and takes those of two links', async () => {
    const partnerId = await makePartner(database.db)
    const [fair, fest] = [
      await makeLink(database.db, partnerId),
      await makeLink(database.db, partnerId),
    ]
    const insert = (code: string, link: string) =>
      sql`insert into commission_rules
        (programme_id, code, version, depth, kind, rate_num, rate_den, valid, link_id)
        select programme_id, ${code}, 1, depth, kind, rate_num, rate_den, '[2030-01-01,)', ${link}
        from commission_rules where code = 'depth-0'`.execute(database.db)
    await insert('fair', fair)
    await insert('fest', fest)
    await expect(insert('twin', fair)).rejects.toThrow(/commission_rules_one_at_a_time/)
  })

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
      await expect(emptied).rejects.toThrow(/never (changed or )?removed/)
    }
    await sql`insert into fx_rates (base, quote, rate, source, as_of)
      values ('USD', 'EUR', 0.9, 'test', now())`.execute(database.db)
    const changed = sql`update fx_rates set rate = 1`.execute(database.db)
    await expect(changed).rejects.toThrow(/never (changed or )?removed/)
  })
})
