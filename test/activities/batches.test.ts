/** Paid invoices that are booked together leave the books that they leave one by one. */
import { randomUUIDv7 } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { bookInvoice, bookInvoices } from '../../activities/commission/payments.ts'
import { insertRules, type NewRule } from '../../db/commission/rules.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { getProgramme } from '../../db/programmes.ts'
import { outwardId } from '../../domain/ids.ts'
import { basisPoints } from '../../domain/money.ts'
import type { PaidInvoice } from '../../integrations/stripe-billing.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  makeOrder,
  makePartner,
  makeProgramme,
  type Order,
  paidInvoice,
} from '../support/factories.ts'

const databases: TestDatabase[] = []
afterAll(async () => {
  for (const database of databases) await database.drop()
})

const bands = [
  { from: 0n, to: 20_000n, rate: basisPoints(500) },
  { from: 20_000n, to: null, rate: basisPoints(1_000) },
]

const rule = (depth: number, changes: Partial<NewRule>): Partial<NewRule> & { depth: number } => ({
  depth,
  ...changes,
})

/** The seller's by product of bands, its master's with a cap, and overrides above. */
const rules = [
  rule(0, { terms: { kind: 'tiered_marginal', bands } }),
  rule(1, {
    terms: { kind: 'percentage', rate: basisPoints(333) },
    cap: { amount: 1_500n, per: 'day' },
  }),
  rule(2, { terms: { kind: 'percentage', rate: { num: 1n, den: 30n } }, windowMonths: 0 }),
]

interface World {
  db: Db
  orders: Order[]
}

const idOf = (n: number) => `01900000-0000-7000-8000-${n.toString().padStart(12, '0')}`

/** Two roots with a master and three sellers each; every seller has two customers. */
async function newWorld(): Promise<World> {
  const database = await createTestDatabase(12)
  databases.push(database)
  const { db } = database
  await makeProgramme(db, { rules: [] })
  const { id: programmeId } = await getProgramme(db)
  await inTransaction(db, (trx) =>
    insertRules(
      trx,
      rules.map((changes, i) => ({
        programmeId,
        code: `rule-${i}`,
        version: 1,
        migratesAt: null,
        terms: { kind: 'percentage', rate: basisPoints(0) },
        scope: { link: null, partner: null, tier: null, product: null },
        validFrom: null,
        validTo: null,
        cap: null,
        floor: null,
        windowMonths: null,
        setupFee: false,
        ...changes,
      })),
    ),
  )
  const orders: Order[] = []
  for (const root of [100, 200]) {
    const top = await makePartner(db, { id: idOf(root), level: 'master_reseller' })
    const master = await makePartner(db, { id: idOf(root + 1), parentId: top })
    for (const n of [2, 3, 4]) {
      const seller = await makePartner(db, { id: idOf(root + n), parentId: master })
      orders.push(await makeOrder(db, seller), await makeOrder(db, seller))
    }
  }
  return { db, orders }
}

interface Sale {
  order: number
  net: number
  parts: number
  hour: number
}

const sales = fc.array(
  fc.record({
    order: fc.nat({ max: 11 }),
    net: fc.integer({ min: 1, max: 15_000 }),
    parts: fc.integer({ min: 1, max: 2 }),
    hour: fc.nat({ max: 71 }),
  }),
  { minLength: 60, maxLength: 90 },
)

/** The same invoices for any world: only whose order they are differs. */
function invoicesOf(world: World, made: Sale[]): PaidInvoice[] {
  return made.map(({ order, net, parts, hour }, i) => {
    const own = world.orders[order % world.orders.length]
    if (!own) throw new Error('there are orders')
    const first = BigInt(Math.floor(net / parts))
    const invoice = paidInvoice(own, {
      net: BigInt(net),
      paidAt: new Date(Date.UTC(2026, 9, 5, hour)).toISOString(),
      parts: parts === 1 ? [BigInt(net)] : [first, BigInt(net) - first],
    })
    return {
      ...invoice,
      invoiceId: `in_${i}`,
      lines: invoice.lines.map((line) => ({ ...line, lineId: `il_${i}` })),
      payments: invoice.payments.map((payment, n) => ({
        ...payment,
        paymentId: `inpay_${i}_${n}`,
        chargeId: `ch_${i}_${n}`,
      })),
      metadata: { subscription: outwardId('subscription', own.subscriptionId) },
    }
  })
}

/** Everything that was booked, in business words. */
async function booksOf(db: Db) {
  const { rows: shares } = await sql`
    select payment.vendor_payment_id, accrual.depth, accrual.partner_id, accrual.base_minor,
      accrual.amount_minor, accrual.target_minor, accrual.limited_by, accrual.volume_minor,
      accrual.period
    from accruals accrual
    join line_payments line on line.id = accrual.line_payment_id
    join payments payment on payment.id = line.payment_id
    order by 1, 2`.execute(db)
  const { rows: posted } = await sql`
    select journal.kind, payment.vendor_payment_id, debit.purpose as debit,
      credit.purpose as credit, credit.partner_id, posting.amount_minor, journal.period,
      encode(journal.request_hash, 'hex') as said
    from ledger_postings posting
    join ledger_journals journal on journal.id = posting.journal_id
    join line_payments line on line.id = journal.source_id
    join payments payment on payment.id = line.payment_id
    join ledger_accounts debit on debit.id = posting.debit_account_id
    join ledger_accounts credit on credit.id = posting.credit_account_id
    order by 1, 2, 4, 5`.execute(db)
  return { shares, posted }
}

/** Ends every connection to the database that has a transaction open, but its own. */
async function killWriters(db: Db): Promise<void> {
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
      and xact_start is not null and backend_type = 'client backend'`.execute(db)
}

describe('a batch of paid invoices', () => {
  it('of any size is booked as its invoices are one by one', async () => {
    await fc.assert(
      fc.asyncProperty(sales, fc.integer({ min: 2, max: 90 }), async (made, size) => {
        const [alone, together] = [await newWorld(), await newWorld()]
        for (const invoice of invoicesOf(alone, made)) await bookInvoice(alone, invoice)
        const batch = invoicesOf(together, made)
        for (let next = 0; next < batch.length; next += size) {
          await bookInvoices(together, batch.slice(next, next + size))
        }
        expect(await booksOf(together.db)).toEqual(await booksOf(alone.db))
        for (const { db } of [alone, together]) {
          expect((await checkInvariants(db)).violations).toEqual([])
        }
      }),
      { numRuns: 6 },
    )
  })

  it('is booked once by many at the same time, who wait for each other in one order', async () => {
    const world = await newWorld()
    const made: Sale[] = Array.from({ length: 80 }, (_, i) => ({
      order: (i * 5) % 12,
      net: 1_000 + i,
      parts: 1 + (i % 2),
      hour: i % 48,
    }))
    const batch = invoicesOf(world, made)
    const shuffled = (shift: number) => [...batch.slice(shift), ...batch.slice(0, shift)]
    const book = async (shift: number) => {
      // A deadlock would be found by the database and fail one of them.
      await bookInvoices(world, shuffled(shift))
    }
    await Promise.all([0, 20, 40, 60].map(book))
    const { shares } = await booksOf(world.db)
    expect(shares).toHaveLength(made.reduce((lines, { parts }) => lines + parts * 3, 0))
    expect((await checkInvariants(world.db)).violations).toEqual([])
  })

  it('whose connections are killed at any point is the same once it is repeated', async () => {
    const made: Sale[] = Array.from({ length: 60 }, (_, i) => ({
      order: (i * 7) % 12,
      net: 700 + 13 * i,
      parts: 1 + (i % 2),
      hour: i,
    }))
    const [calm, disturbed] = [await newWorld(), await newWorld()]
    await bookInvoices(calm, invoicesOf(calm, made))
    const batch = invoicesOf(disturbed, made)
    let kills = 0
    for (let tries = 0; kills < 12 && tries < 60; tries += 1) {
      // Later and later, so that every statement has its turn; what is booked already goes fast.
      const killed = new Promise((resolve) => setTimeout(resolve, tries * 6)).then(() =>
        killWriters(disturbed.db),
      )
      const outcome = await bookInvoices(disturbed, batch).then(
        () => 'booked',
        () => 'killed',
      )
      await killed
      if (outcome === 'killed') kills += 1
    }
    expect(kills).toBeGreaterThan(3)
    await bookInvoices(disturbed, batch)
    expect(await booksOf(disturbed.db)).toEqual(await booksOf(calm.db))
    expect((await checkInvariants(disturbed.db)).violations).toEqual([])
  })

  it('with an invoice of nobody we know books the others and none of that', async () => {
    const world = await newWorld()
    const [first, second] = invoicesOf(world, [
      { order: 0, net: 500, parts: 1, hour: 0 },
      { order: 1, net: 500, parts: 1, hour: 0 },
    ])
    if (!first || !second) throw new Error('two invoices')
    const sold = await bookInvoices(world, [first, { ...second, metadata: {} }])
    expect(sold.map((sale) => sale?.kind ?? null)).toEqual(['customer', null])
    const lost = { subscription: outwardId('subscription', randomUUIDv7()) }
    await expect(bookInvoices(world, [{ ...second, metadata: lost }])).rejects.toThrow(
      'there is no such subscription',
    )
    expect((await booksOf(world.db)).shares).toHaveLength(3)
  })
})
