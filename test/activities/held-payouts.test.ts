/** Payouts that are held for what their partner lacks, for longer than anybody should wait. */
import { sql } from 'kysely'
import { checkInvariants } from '../../db/invariants.ts'
import { findOpenException, openHoldCases } from '../../db/payout-exceptions.ts'
import { backdate } from '../support/database.ts'
import { makePartner, makePayoutAccount } from '../support/factories.ts'
import { type PayoutRuns, payoutRuns } from '../support/payout-runs.ts'
import { failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
let runs: PayoutRuns
beforeAll(async () => {
  kit = await startSteps()
  runs = payoutRuns(kit)
})
afterEach(async () => {
  expect((await checkInvariants(kit.db)).violations).toEqual([])
})
afterAll(() => kit.stop())

const day = 86_400

async function kept() {
  const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
  const runId = await runs.releasedRun([partnerId])
  const { rows } = await sql<{ id: string }>`
    select id from payouts where run_id = ${runId}`.execute(kit.db)
  return { runId, partnerId, payoutId: rows[0]?.id ?? '' }
}

const statusOf = async (runId: string) => (await runs.payoutsOf(runId))[0]?.status

async function later() {
  await backdate(kit.db, (trx) =>
    sql`update payouts set created_at = created_at - interval '90 days'`.execute(trx),
  )
  await openHoldCases(kit.db, 90 * day)
}

describe('a payout that its partner keeps waiting', () => {
  it('becomes one case for a person when it has waited for long, and not before', async () => {
    const { payoutId, runId } = await kept()
    await openHoldCases(kit.db, day)
    expect(await findOpenException(kit.db, payoutId)).toBeUndefined()
    await later()
    const open = await findOpenException(kit.db, payoutId)
    expect(open).toMatchObject({ cause: 'held_too_long' })
    await later()
    expect(await findOpenException(kit.db, payoutId)).toEqual(open)
    expect(await statusOf(runId)).toBe('held')
  })

  it('is paid by a person only to an account that can be paid', async () => {
    const { payoutId, partnerId, runId } = await kept()
    await later()
    expect(await failureOf(runs.decide(payoutId, 'retry'))).toBe('not_ready')
    expect(await statusOf(runId)).toBe('held')
    await makePayoutAccount(kit.db, partnerId, await runs.verifiedAccount(partnerId))
    expect(await runs.decide(payoutId, 'retry')).toBe('closed')
    expect(await statusOf(runId)).toBe('paid')
    expect(await runs.transfersTo([partnerId])).toHaveLength(1)
  })

  it('ends its case by itself when it is paid after all', async () => {
    const { payoutId, partnerId, runId } = await kept()
    await later()
    await makePayoutAccount(kit.db, partnerId, await runs.verifiedAccount(partnerId))
    expect(await kit.steps.releaseHeldPayouts({ runId })).toBe(1)
    await kit.steps.payPage({ runId, after: null })
    expect(await statusOf(runId)).toBe('paid')
    expect(await findOpenException(kit.db, payoutId)).toBeUndefined()
  })

  it('goes back to the balance of the partner, where a person wants that', async () => {
    const { payoutId, runId } = await kept()
    await later()
    expect(await runs.decide(payoutId, 'release')).toBe('closed')
    expect(await statusOf(runId)).toBe('returned')
    await later()
    expect(await findOpenException(kit.db, payoutId)).toBeUndefined()
  })
})
