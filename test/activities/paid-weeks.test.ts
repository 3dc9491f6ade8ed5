/** Payouts of weeks, on the sandbox of the payment provider. */
import { sql } from 'kysely'
import { checkInvariants } from '../../db/invariants.ts'
import { listClosedRunsToPay, listWaitingBatches } from '../../db/payouts.ts'
import { type Books, openBooks } from '../support/books.ts'
import { makePartner, makePayoutAccount } from '../support/factories.ts'
import { payoutRuns } from '../support/payout-runs.ts'
import { type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
let books: Books
let partnerId: string
beforeAll(async () => {
  kit = await startSteps()
  await sql`update programmes set onboarding = onboarding || '{"settlementCadence": "weekly"}'
    `.execute(kit.db)
  books = openBooks(kit.db)
  partnerId = await makePartner(kit.db, { level: 'master_reseller' })
  await makePayoutAccount(kit.db, partnerId, await payoutRuns(kit).verifiedAccount(partnerId))
})
afterAll(() => kit.stop())

/** Settles and pays a week. @returns what was transferred to the partner so far. */
async function paidAfter(week: string): Promise<number[]> {
  const runId = await books.settle(week)
  expect(await listWaitingBatches(kit.db)).toEqual([{ period: week, shard: 0 }])
  expect(await listClosedRunsToPay(kit.db)).toEqual([{ id: runId, period: week }])
  for (const paid of [1, 0]) {
    expect(await kit.steps.payPage({ runId, after: null })).toMatchObject({ paid, unknown: 0 })
  }
  expect(await kit.steps.reconcilePage({ runId, after: null })).toMatchObject({ differences: 0 })
  expect((await checkInvariants(kit.db)).violations).toEqual([])
  return (await payoutRuns(kit).transfersTo([partnerId])).map(({ amount }) => amount).sort()
}

test('each week over the end of a month is paid once, by a transfer of its own', async () => {
  await books.sell(partnerId, { paidAt: '2021-09-22T00:00:00Z', net: 10_000n })
  await books.sell(partnerId, { paidAt: '2021-09-29T00:00:00Z', net: 20_000n })
  expect(await paidAfter('2021-W38')).toEqual([2_000])
  await books.sell(partnerId, { paidAt: '2021-09-23T00:00:00Z', net: 5_000n })
  await books.sell(partnerId, { paidAt: '2021-10-02T00:00:00Z', net: 30_000n })
  expect(await paidAfter('2021-W39')).toEqual([11_000, 2_000])
  await books.sell(partnerId, { paidAt: '2021-10-05T00:00:00Z', net: 40_000n })
  expect(await paidAfter('2021-W40')).toEqual([11_000, 2_000, 8_000])
})
