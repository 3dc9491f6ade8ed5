/** Transfers that somebody takes back at Stripe, and news of them in any order. */
import { sql } from 'kysely'
import { bookBankPayout, noteBankChange } from '../../activities/payout-exceptions/bank.ts'
import { bookTakenBack } from '../../activities/payout-exceptions/taken-back.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { releaseOldHolds } from '../../db/partner-holds.ts'
import { findOpenException } from '../../db/payout-exceptions.ts'
import { markBreakResolved } from '../../db/recon-breaks.ts'
import { createStripe } from '../../integrations/stripe-client.ts'
import { unique } from '../support/factories.ts'
import { type PayoutRuns, payoutRuns } from '../support/payout-runs.ts'
import { type Steps, startSteps } from '../support/steps.ts'

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

/** A payout of 20.00 that was paid by one transfer. */
async function paid() {
  const { runId, partners } = await runs.payableRun()
  await kit.steps.payPage({ runId, after: null })
  const { rows } = await sql<{ payoutId: string; transferId: string }>`
    select payout_id, vendor_transfer_id as transfer_id from payout_attempts
    join payouts on payouts.id = payout_id where run_id = ${runId}`.execute(kit.db)
  return { runId, partnerId: partners[0] ?? '', ...(rows[0] ?? { payoutId: '', transferId: '' }) }
}

const takeBack = (transferId: string) => kit.deps.bank.reverseTransfer(transferId, unique('key'))
const told = (transferId: string) => bookTakenBack(kit.deps, transferId)

describe('a transfer that somebody takes back at Stripe', () => {
  it('is booked once, and its payout waits for a person', async () => {
    const { runId, payoutId, transferId } = await paid()
    expect(await told(transferId)).toBe(false)
    await takeBack(transferId)
    expect([await told(transferId), await told(transferId)]).toEqual([true, true])
    expect(await runs.payoutsOf(runId)).toMatchObject([
      { status: 'held', holdReason: 'transfer_reversed', attempts: ['reversed'] },
    ])
    const open = await findOpenException(kit.db, payoutId)
    expect(open).toMatchObject({ cause: 'transfer_reversed' })
  })

  it('is paid by another one only after a decision, whatever is told of the first then', async () => {
    const { runId, partnerId, payoutId, transferId } = await paid()
    await takeBack(transferId)
    await told(transferId)
    await kit.steps.payPage({ runId, after: null })
    expect(await runs.transfersTo([partnerId])).toHaveLength(1)
    await runs.decide(payoutId, 'retry')
    await told(transferId)
    expect(await runs.payoutsOf(runId)).toMatchObject([
      { status: 'paid', attempts: ['reversed', 'succeeded'] },
    ])
    const transfers = await runs.transfersTo([partnerId])
    expect(transfers.map(({ reversed }) => reversed)).toEqual([true, false])
    expect(await findOpenException(kit.db, payoutId)).toBeUndefined()
  })

  it('is nothing to the books that do not know it', async () => {
    expect(await told('tr_of_somebody_else')).toBe(false)
  })

  it('before its run is compared keeps the run from nothing', async () => {
    const { runId, transferId } = await paid()
    await takeBack(transferId)
    const compared = await kit.steps.reconcilePage({ runId, after: null })
    expect(compared).toMatchObject({ differences: 0 })
    expect(await runs.payoutsOf(runId)).toMatchObject([{ holdReason: 'transfer_reversed' }])
  })

  it('in part keeps the run open until a person has explained the break', async () => {
    const { runId, payoutId, transferId } = await paid()
    const stripe = createStripe(kit.config.stripe)
    await stripe.transfers.createReversal(transferId, { amount: 500 })
    expect(await told(transferId)).toBe(false)
    const compare = () => kit.steps.reconcilePage({ runId, after: null })
    expect(await compare()).toMatchObject({ differences: 1 })
    const seen = async (kind: string) => {
      const { rows } = await sql<{ id: string }>`
        insert into recon_breaks (kind, subject, payout_id, vendor_id, found_currency, found_minor,
          happened_at)
        values (${kind}, ${kind} || ${transferId}, ${payoutId}, ${transferId}, 'USD', 500,
          clock_timestamp())
        returning id`.execute(kit.db)
      return rows[0]?.id ?? ''
    }
    const explain = async (id: string) => {
      const by = { memberId: await runs.decider(), note: 'a test at the dashboard' }
      await inTransaction(kit.db, (trx) => markBreakResolved(trx, id, by))
    }
    await explain(await seen('clearing_age'))
    expect(await compare()).toMatchObject({ differences: 1 })
    const id = await seen('unknown_at_stripe')
    expect(await compare()).toMatchObject({ differences: 1 })
    await explain(id)
    expect(await compare()).toMatchObject({ differences: 0 })
  })

  it('is not found by a look-up, which takes the one that stands', async () => {
    const { runId, partners } = await runs.payableRun()
    const lost = { kind: 'timeout_after_commit', path: '/v1/transfers', count: 2 }
    await kit.fault({ vendor: 'stripe', ...lost })
    const pay = () => kit.steps.payPage({ runId, after: null })
    expect(await pay()).toMatchObject({ unknown: 1 })
    const { rows } = await sql<{ destination: string; transferGroup: string }>`
      update payout_attempts set first_sent_at = now() - interval '30 hours'
      where payout_id in (select id from payouts where run_id = ${runId})
      returning request ->> 'destination' as destination,
        request ->> 'transferGroup' as transfer_group`.execute(kit.db)
    const { destination = '', transferGroup = '' } = rows[0] ?? {}
    const stripe = createStripe(kit.config.stripe)
    const { id: stray } = await stripe.transfers.create({
      ...{ amount: 2_000, currency: 'usd', destination, transfer_group: transferGroup },
    })
    expect(await pay()).toMatchObject({ paid: 0, unknown: 1 })
    await takeBack(stray)
    expect(await pay()).toMatchObject({ paid: 1, unknown: 0 })
    expect(await runs.transfersTo(partners)).toMatchObject([{ reversed: false }])
    expect(await runs.payoutsOf(runId)).toMatchObject([{ attempts: ['succeeded'] }])
  })

  it('after its bank payout failed hears nothing more of that', async () => {
    const { runId, payoutId, transferId } = await paid()
    const { rows } = await sql<{ account: string }>`
      select vendor_account_id as account from payouts where id = ${payoutId}`.execute(kit.db)
    const account = rows[0]?.account ?? ''
    const changeBank = async () => {
      await kit.story.sandbox(`/accounts/${account}/bank`, {})
      await noteBankChange(kit.deps, account)
      await releaseOldHolds(kit.db, { cause: 'bank_change', seconds: 0 })
    }
    await changeBank()
    const { id: bank } = await kit.story.sandbox<{ id: string }>(`/accounts/${account}/payouts`, {})
    const tellOfBank = () => bookBankPayout(kit.deps, { account, payoutId: bank })
    await tellOfBank()
    await kit.story.sandbox(`/payouts/${bank}/fail`, { code: 'account_closed' })
    await tellOfBank()
    await takeBack(transferId)
    await told(transferId)
    await changeBank()
    await runs.decide(payoutId, 'retry')
    await tellOfBank()
    expect(await runs.payoutsOf(runId)).toMatchObject([
      { status: 'paid', attempts: ['reversed', 'succeeded'] },
    ])
    expect(await findOpenException(kit.db, payoutId)).toBeUndefined()
  })
})
