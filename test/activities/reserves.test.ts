/** What statements keep of payouts where much is disputed, over whole months. */
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookRefund } from '../../activities/commission/reversals.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import type { OnboardingSettings } from '../../db/programme-settings.ts'
import {
  findReserve,
  listReserveMoves,
  listReserves,
  recordReserveRelease,
} from '../../db/settlement/reserves.ts'
import { getRun } from '../../db/settlement/runs.ts'
import { listStatementHolds } from '../../db/settlement/statement-holds.ts'
import type { StripeBilling } from '../../integrations/stripe-billing.ts'
import { type Books, openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  makeChain,
  makeOrder,
  makePartner,
  makeProgramme,
  paidInvoice,
  unique,
} from '../support/factories.ts'

let database: TestDatabase
let books: Books
beforeEach(async () => {
  database = await createTestDatabase()
  books = openBooks(database.db)
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

/** A quarter is kept above 1.5 % of one month, for 90 days. */
const makeRisky = (
  changes: Partial<OnboardingSettings> = {},
  terms: { minimumPayoutMinor?: bigint } = {},
) =>
  makeProgramme(database.db, {
    ...terms,
    onboarding: { riskReserve: true, reserveWindowMonths: 1, agedBalanceDays: null, ...changes },
  })

/** The partner sells for 1,000.00, of which 200.00 are its own. */
const sell = (partnerId: string, paidAt: string, currency = 'USD') =>
  books.sell(partnerId, { net: 100_000n, paidAt, currency })

/** A bank wants some of a partner's only payment of a currency back. */
async function dispute(
  partnerId: string,
  about: { amount: number; at: string; status?: string; currency?: string },
): Promise<void> {
  const { amount, at, status = 'lost', currency = 'USD' } = about
  await sql`insert into disputes (vendor_dispute_id, payment_id, amount_minor, status, opened_at)
    select ${unique('dp')}, id, ${amount}, ${status}, ${at}::timestamptz from payments
    where partner_id = ${partnerId} and currency = ${currency} limit 1`.execute(database.db)
}

async function statement(partnerId: string, period: string, currency = 'USD') {
  const row = await database.db
    .selectFrom('statements')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .where('period', '=', period)
    .where('currency', '=', currency)
    .where('issuedAt', 'is not', null)
    .executeTakeFirstOrThrow()
  const moves = await listReserveMoves(database.db, row.id)
  return {
    ...{ closing: row.closingMinor, held: row.heldMinor, payable: row.payableMinor },
    holds: await listStatementHolds(database.db, row.id),
    moves: moves.map(({ what, period: of, amount }) => [what, of, amount]),
  }
}

const reservesOf = async (partnerId: string) =>
  (await listReserves(database.db, { partnerId, limit: 10, after: undefined })).rows

/** August with 2 % disputed: 50.00 of 200.00 are kept. */
async function reservedAugust() {
  const partnerId = await makePartner(database.db)
  await sell(partnerId, '2026-08-02T00:00:00Z')
  await dispute(partnerId, { amount: 2_000, at: '2026-08-20T00:00:00Z' })
  await books.settle('2026-08')
  const [reserve] = await reservesOf(partnerId)
  if (!reserve) throw new Error('nothing is kept')
  return { partnerId, reserve }
}

const until = new Date('2026-11-30T00:00:00Z')

describe('a reserve', () => {
  it('is kept above the limit, with its reason and its day, and not at the limit', async () => {
    await makeRisky()
    const [at, above] = [await makePartner(database.db), await makePartner(database.db)]
    for (const [partnerId, amount] of [[at, 1_500] as const, [above, 1_501] as const]) {
      await sell(partnerId, '2026-08-02T00:00:00Z')
      await dispute(partnerId, { amount, at: '2026-08-20T00:00:00Z' })
    }
    await books.settle('2026-08')
    expect(await statement(at, '2026-08')).toMatchObject({ held: 0n, payable: 20_000n, moves: [] })
    expect(await statement(above, '2026-08')).toEqual({
      ...{ closing: 20_000n, held: 5_000n, payable: 15_000n },
      holds: [{ cause: 'reserve', amount: 5_000n, lines: null, until }],
      moves: [['kept', '2026-08', 5_000n]],
    })
    expect(await reservesOf(above)).toMatchObject([
      {
        ...{ period: '2026-08', amount: 5_000n, left: 5_000n, paid: 100_000n, disputed: 1_501n },
        ...{ aboveBps: 150, keepBps: 2_500, until, releasedAt: null },
        windowFrom: new Date('2026-08-01T00:00:00Z'),
        keptSince: new Date('2026-09-01T00:00:00Z'),
      },
    ])
  })

  it('is none where the programme asks for none', async () => {
    await makeRisky({ riskReserve: false })
    const partnerId = await makePartner(database.db)
    await sell(partnerId, '2026-08-02T00:00:00Z')
    await dispute(partnerId, { amount: 50_000, at: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    expect(await statement(partnerId, '2026-08')).toMatchObject({ held: 0n, payable: 20_000n })
  })

  it('counts disputes of the window that were not won, over sales of all its months', async () => {
    await makeRisky({ reserveWindowMonths: 2 })
    const partners = await Promise.all([1, 2, 3].map(() => makePartner(database.db)))
    const [wide = '', won = '', old = ''] = partners
    for (const partnerId of partners) await sell(partnerId, '2026-07-02T00:00:00Z')
    await books.settle('2026-07')
    for (const partnerId of partners) await sell(partnerId, '2026-08-02T00:00:00Z')
    await dispute(wide, { amount: 3_100, at: '2026-07-20T00:00:00Z' })
    await dispute(won, { amount: 90_000, at: '2026-08-20T00:00:00Z', status: 'won' })
    await dispute(old, { amount: 90_000, at: '2026-06-30T23:59:59Z' })
    await dispute(old, { amount: 90_000, at: '2026-09-01T00:00:00Z' })
    await books.settle('2026-08')
    expect(await reservesOf(wide)).toMatchObject([{ paid: 200_000n, disputed: 3_100n }])
    expect(await reservesOf(won)).toEqual([])
    expect(await reservesOf(old)).toEqual([])
  })

  it('is kept of overrides too, since these are taken back with the sale', async () => {
    await makeRisky()
    const { master, reseller } = await makeChain(database.db)
    await sell(reseller, '2026-08-02T00:00:00Z')
    await dispute(reseller, { amount: 2_000, at: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    expect(await statement(reseller, '2026-08')).toMatchObject({ held: 5_000n, payable: 15_000n })
    expect(await statement(master, '2026-08')).toMatchObject({ held: 1_250n, payable: 3_750n })
  })

  it('stands beside what an open dispute holds, and never over what is left', async () => {
    await makeRisky()
    const partnerId = await makePartner(database.db)
    await sell(partnerId, '2026-08-02T00:00:00Z')
    await dispute(partnerId, { amount: 2_001, at: '2026-08-20T00:00:00Z', status: 'open' })
    await books.settle('2026-08')
    expect(await statement(partnerId, '2026-08')).toMatchObject({
      ...{ closing: 20_000n, held: 5_300n, payable: 14_700n },
      holds: [
        { cause: 'disputed', amount: 400n },
        { cause: 'reserve', amount: 4_900n },
      ],
    })
  })

  it('keeps no old small balance beside it from being paid', async () => {
    await makeRisky({ reserveDays: 365, agedBalanceDays: 90 }, { minimumPayoutMinor: 2_500n })
    const partnerId = await makePartner(database.db)
    await sell(partnerId, '2026-08-02T00:00:00Z')
    await dispute(partnerId, { amount: 2_000, at: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    await books.sell(partnerId, { net: 5_000n, paidAt: '2026-09-02T00:00:00Z' })
    for (const month of ['2026-09', '2026-10', '2026-11']) await books.settle(month)
    const before = await statement(partnerId, '2026-10')
    expect(before).toMatchObject({ closing: 6_000n, held: 5_000n, payable: 0n })
    const aged = await statement(partnerId, '2026-11')
    expect(aged).toMatchObject({ closing: 6_000n, held: 5_000n, payable: 1_000n })
  })

  it('is of one currency, and of what is disputed in it', async () => {
    await makeRisky()
    const partnerId = await makePartner(database.db)
    await sell(partnerId, '2026-08-02T00:00:00Z')
    await sell(partnerId, '2026-08-03T00:00:00Z', 'EUR')
    await dispute(partnerId, { amount: 2_000, at: '2026-08-20T00:00:00Z', currency: 'EUR' })
    await books.settle('2026-08')
    expect(await statement(partnerId, '2026-08')).toMatchObject({ held: 0n })
    expect(await statement(partnerId, '2026-08', 'EUR')).toMatchObject({ held: 5_000n })
  })
})

describe('the end of a reserve', () => {
  it('is the first close after its day: it is paid by itself, once', async () => {
    await makeRisky()
    const { partnerId } = await reservedAugust()
    await books.settle('2026-09')
    expect(await statement(partnerId, '2026-09')).toMatchObject({
      ...{ closing: 5_000n, held: 5_000n, payable: 0n, moves: [] },
      holds: [{ cause: 'reserve', amount: 5_000n, until }],
    })
    await books.settle('2026-10')
    await books.settle('2026-11')
    expect(await statement(partnerId, '2026-11')).toEqual({
      ...{ closing: 5_000n, held: 0n, payable: 5_000n, holds: [] },
      moves: [['matured', '2026-08', 5_000n]],
    })
    expect(await reservesOf(partnerId)).toMatchObject([{ left: 0n }])
    await sell(partnerId, '2026-12-02T00:00:00Z')
    await books.settle('2026-12')
    expect(await statement(partnerId, '2026-12')).toMatchObject({ payable: 20_000n, moves: [] })
  })

  it('comes early by a person with a reason, with the next close, and not twice', async () => {
    await makeRisky()
    const { partnerId, reserve } = await reservedAugust()
    const memberId = await books.person('finance@platform.example')
    const release = () =>
      inTransaction(database.db, (trx) =>
        recordReserveRelease(trx, { id: reserve.id, reason: 'all disputes are won', memberId }),
      )
    await release()
    await expect(release()).rejects.toMatchObject({ code: 'conflict' })
    await books.settle('2026-09')
    expect(await statement(partnerId, '2026-09')).toMatchObject({
      ...{ held: 0n, payable: 5_000n, moves: [['by_person', '2026-08', 5_000n]] },
    })
    await expect(release()).rejects.toMatchObject({ code: 'conflict' })
    expect(await findReserve(database.db, reserve.id)).toMatchObject({
      ...{ left: 0n, releaseReason: 'all disputes are won' },
    })
  })

  it.each([
    ['mutual', 'and is paid', { closing: 300n, payable: 300n, holds: [] }],
    // Its payout was never sent: all of it is cancelled, what was kept of it as well.
    ['fraud', 'and pays nothing', { closing: 0n, payable: 0n, holds: [] }],
  ])('after a termination by reason of %s comes with its day, %s', async (reason, _, expected) => {
    await makeRisky()
    const partnerId = await makePartner(database.db)
    await books.sell(partnerId, { net: 6_000n, paidAt: '2026-08-02T00:00:00Z' })
    await dispute(partnerId, { amount: 2_000, at: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    await inTransaction(database.db, async (trx) => {
      // Nothing is looked at but the row that two persons make of it.
      await sql`set local session_replication_role = replica`.execute(trx)
      await sql`insert into terminations (id, partner_id, reason_code, effective_at, effected_at)
        values (uuidv7(), ${partnerId}, ${reason}, now(), now())`.execute(trx)
    })
    await books.settle('2026-09')
    const waits = { payable: 0n, holds: [{ cause: 'reserve', amount: 300n }], moves: [] }
    expect(await statement(partnerId, '2026-09')).toMatchObject(waits)
    await books.settle('2026-10')
    await books.settle('2026-11')
    expect(await statement(partnerId, '2026-11')).toMatchObject({
      ...{ ...expected, moves: [['matured', '2026-08', 300n]] },
    })
  })

  it('is to cover what is taken back, before the partner owes anything', async () => {
    await makeRisky()
    const partnerId = await makePartner(database.db)
    const invoice = paidInvoice(await makeOrder(database.db, partnerId), {
      net: 100_000n,
      paidAt: '2026-08-02T00:00:00Z',
    })
    await bookInvoice({ db: database.db }, invoice)
    await dispute(partnerId, { amount: 2_000, at: '2026-08-20T00:00:00Z' })
    await books.settle('2026-08')
    const refund = async (refundId: string, amount: bigint) => {
      const readRefund = async () => ({
        ...{ refundId, chargeId: invoice.payments[0]?.chargeId ?? '', currency: 'USD', amount },
        ...{ createdAt: new Date('2026-09-10T00:00:00Z'), failed: false },
      })
      const billing = { readRefund } as Partial<StripeBilling> as StripeBilling
      await bookRefund({ db: database.db, billing }, refundId)
    }
    await refund('re_1', 15_000n)
    await books.settle('2026-09')
    expect(await statement(partnerId, '2026-09')).toMatchObject({
      ...{ closing: 2_000n, held: 2_000n, payable: 0n, moves: [['used', '2026-08', 3_000n]] },
    })
    await refund('re_2', 15_000n)
    await books.settle('2026-10')
    expect(await statement(partnerId, '2026-10')).toMatchObject({
      ...{ closing: -1_000n, held: 0n, payable: 0n, moves: [['used', '2026-08', 2_000n]] },
    })
    expect(await reservesOf(partnerId)).toMatchObject([{ amount: 5_000n, left: 0n }])
  })
})

describe('drafts', () => {
  const drafted = (runId: string) =>
    database.db
      .selectFrom('partnerReserves')
      .innerJoin('statements', 'statements.id', 'partnerReserves.statementId')
      .select(['partnerReserves.amountMinor', 'statements.issuedAt'])
      .where('statements.runId', '=', runId)
      .execute()

  it('reserve the same whenever they are made, and take it along when they go', async () => {
    await makeRisky()
    const partnerId = await makePartner(database.db)
    await sell(partnerId, '2026-08-02T00:00:00Z')
    await dispute(partnerId, { amount: 2_000, at: '2026-08-20T00:00:00Z' })
    const preview = await books.newRun('2026-08', 'preview')
    const first = await books.calculate(preview)
    expect(await books.calculate(preview)).toBe(first)
    expect(await drafted(preview)).toEqual([{ amountMinor: 5_000n, issuedAt: null }])
    expect(await reservesOf(partnerId)).toEqual([])
    const live = await books.settle('2026-08')
    expect((await getRun(database.db, live)).totalsHash).toBe(first)
    expect(await reservesOf(partnerId)).toHaveLength(1)
  })

  it('of later months end nothing until they are issued', async () => {
    await makeRisky()
    const { partnerId } = await reservedAugust()
    for (const period of ['2026-09', '2026-10']) await books.settle(period)
    const preview = await books.newRun('2026-11', 'preview')
    await books.calculate(preview)
    await books.calculate(preview)
    expect(await reservesOf(partnerId)).toMatchObject([{ left: 5_000n }])
    await books.settle('2026-11')
    expect(await reservesOf(partnerId)).toMatchObject([{ left: 0n }])
  })

  it('are the last word: what an issued statement kept is never changed or removed', async () => {
    await makeRisky()
    const { reserve } = await reservedAugust()
    const refused = /never changed or removed/
    const change = sql`update partner_reserves set amount_minor = 1`.execute(database.db)
    await expect(change).rejects.toThrow(refused)
    const removal = sql`delete from partner_reserves`.execute(database.db)
    await expect(removal).rejects.toThrow(refused)
    const another = sql`insert into reserve_ends (statement_id, reserve_id, partner_id, cause,
      amount_minor) values (${reserve.statementId}, ${reserve.id}, ${reserve.partnerId}, 'used', 1)`
    await expect(another.execute(database.db)).rejects.toThrow(refused)
  })
})
