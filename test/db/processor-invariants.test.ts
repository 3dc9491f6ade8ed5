import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { recordJournals } from '../../db/ledger.ts'
import { bookingPeriod } from '../../db/periods.ts'
import { openBooks } from '../support/books.ts'
import { brokenAfter, brokenWhenAged } from '../support/clearing.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import {
  makeChain,
  makeOrder,
  makePayoutAccount,
  makeProgramme,
  paidInvoice,
} from '../support/factories.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await makeProgramme(db)
  const { master, reseller } = await makeChain(db)
  await makePayoutAccount(db, master)
  await makePayoutAccount(db, reseller)
  // Not paid through Stripe: what lies in clearing of what was, is asked of elsewhere.
  const order = await makeOrder(db, reseller)
  const invoice = paidInvoice(order, { net: 10_000n, paidAt: '2026-08-02T00:00:00Z' })
  const payments = invoice.payments.map((payment) => ({ ...payment, chargeId: null }))
  await bookInvoice({ db }, { ...invoice, payments })
  await openBooks(db).settle('2026-08')
})
afterAll(() => database.drop())

/** What I20 says of the payouts of 20.00 and 5.00 after a change, so many days later. */
async function inTransit(change: string, days: number): Promise<bigint[]> {
  let found: { account: string; amount: bigint }[] = []
  await rolledBack(database.db, async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql.raw(change).execute(trx)
    await sql`set local session_replication_role = origin`.execute(trx)
    const violations = await brokenWhenAged(trx, days)
    found = violations.flatMap(({ rows }) => rows as typeof found)
  })
  expect(found.filter(({ account }) => account !== 'payout_in_transit')).toEqual([])
  return found.map(({ amount }) => amount).sort((a, b) => (a < b ? -1 : 1))
}

const stuck = [500n, 2_000n]
const set = (status: string) => `update payouts set status = '${status}'`
const attempt = (status: string, problem: string | null, finished: string) => `
  insert into payout_attempts (payout_id, partner_id, reseller_id, master_id, attempt_no,
    idempotency_key, request, status, problem, first_sent_at, finished_at)
  select id, partner_id, reseller_id, master_id, 1, id::text, '{}', '${status}',
    ${problem ? `'${problem}'` : 'null'},
    now(), ${finished}
  from payouts`

describe('a payout', () => {
  it.each([
    ['that nobody sends', set('approved')],
    ['that is being sent', `${set('in_flight')}; ${attempt('sent', null, 'null')}`],
    ['whose outcome is not known', `${set('unknown')}; ${attempt('unknown', 'timeout', 'null')}`],
  ])('%s may be on its way for three days', async (_, change) => {
    expect(await inTransit(change, 2)).toEqual([])
    expect(await inTransit(change, 4)).toEqual(stuck)
  })

  it('that is held waits for its partner, however long', async () => {
    const held = `update payouts set status = 'held', hold_reason = 'account_not_verified'`
    expect(await inTransit(held, 400)).toEqual([])
  })

  it('whose hold has just ended has three days from then', async () => {
    const change = `update payouts set created_at = now() - interval '400 days'`
    expect(await inTransit(change, 2)).toEqual([])
    expect(await inTransit(change, 4)).toEqual(stuck)
  })

  it('behind another that the balance does not suffice for waits as long as that is tried', async () => {
    const tried = `${attempt('rejected', 'insufficient_balance', 'now()')} limit 1`
    const old = `update payouts set created_at = now() - interval '400 days';
      update payout_accounts set checked_at = now() - interval '400 days'; ${tried}`
    expect(await inTransit(old, 2)).toEqual([])
    expect(await inTransit(old, 4)).toEqual(stuck)
  })

  it('that was paid is not on its way', async () => {
    const paid = `update payouts set status = 'paid', paid_at = now()`
    expect(await inTransit(paid, 400)).toEqual([])
  })
})

describe('clearing', () => {
  it('of what was not paid through Stripe has nothing there that could empty it', async () => {
    const [broken] = await brokenAfter(database.db, 30)
    expect(broken?.rows).toHaveLength(stuck.length)
    expect(broken?.rows).not.toContainEqual(expect.objectContaining({ account: 'stripe_clearing' }))
  })

  it('that belongs to no payment at all is found, too', async () => {
    const sourceId = '01980000-0000-7000-8000-000000000001'
    await rolledBack(database.db, async (trx) => {
      const effectiveAt = new Date('2026-09-01T00:00:00Z')
      await recordJournals(trx, [
        {
          ...{ kind: 'payment', sourceType: 'line_payment', sourceId, effectiveAt },
          period: await bookingPeriod(trx, effectiveAt),
          postings: [
            {
              debit: { purpose: 'stripe_clearing' },
              credit: { purpose: 'tax_payable' },
              currency: 'USD',
              amount: 5n,
            },
          ],
        },
      ])
      const rows = (await brokenWhenAged(trx, 11)).flatMap((violation) => violation.rows)
      expect(rows).toContainEqual({
        account: 'stripe_clearing',
        source: sourceId,
        currency: 'USD',
        amount: 5n,
      })
    })
  })
})
