import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { recordMember } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { recordEvent } from '../../db/inbox.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { listHolds, placeHold, releaseHold } from '../../db/partner-holds.ts'
import { listClosedRunsToPay, retryRejectedPayouts } from '../../db/payouts.ts'
import { markRunPaused } from '../../db/settlement/run-marks.ts'
import { getRun } from '../../db/settlement/runs.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { makePartner, makePayoutAccount } from '../support/factories.ts'
import { type PayoutRuns, payoutRuns } from '../support/payout-runs.ts'
import { asSteps, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
let runs: PayoutRuns
beforeAll(async () => {
  kit = await startSteps()
  runs = payoutRuns(kit)
})
afterEach(async () => {
  await fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
  const { violations } = await checkInvariants(kit.db)
  expect(violations).toEqual([])
})
afterAll(() => kit.stop())

const verifiedAccount: PayoutRuns['verifiedAccount'] = (id) => runs.verifiedAccount(id)
const releasedRun: PayoutRuns['releasedRun'] = (partners) => runs.releasedRun(partners)
const payableRun: PayoutRuns['payableRun'] = (count) => runs.payableRun(count)
const payoutsOf: PayoutRuns['payoutsOf'] = (runId) => runs.payoutsOf(runId)
const transfersTo: PayoutRuns['transfersTo'] = (partners) => runs.transfersTo(partners)
const pay = (runId: string) => kit.steps.payPage({ runId, after: null })

describe('paying', () => {
  it('sends each payout once, however often the page is repeated', async () => {
    const { runId, partners } = await payableRun(3)
    expect(await pay(runId)).toMatchObject({ paid: 3, unknown: 0 })
    expect(await pay(runId)).toEqual({
      last: null,
      paid: 0,
      unknown: 0,
      insufficientBalance: false,
    })
    expect((await transfersTo(partners)).map(({ amount }) => amount)).toEqual([2_000, 2_000, 2_000])
    expect(await kit.steps.reconcilePage({ runId, after: null })).toMatchObject({ differences: 0 })
  })

  it('sends no second transfer when two workers pay the same page at the same time', async () => {
    const { runId, partners } = await payableRun(2)
    await Promise.all([pay(runId), pay(runId), pay(runId)])
    await pay(runId)
    expect(await transfersTo(partners)).toHaveLength(2)
    expect((await payoutsOf(runId)).every(({ status }) => status === 'paid')).toBe(true)
  })

  it('calls a lost answer unknown, and finds the same transfer under the same key', async () => {
    const { runId, partners } = await payableRun()
    await kit.fault({
      vendor: 'stripe',
      kind: 'timeout_after_commit',
      path: '/v1/transfers',
      count: 2,
    })
    expect(await pay(runId)).toMatchObject({ paid: 0, unknown: 1 })
    expect(await payoutsOf(runId)).toMatchObject([{ status: 'unknown', attempts: ['unknown'] }])
    expect(await pay(runId)).toMatchObject({ paid: 1, unknown: 0 })
    expect(await transfersTo(partners)).toHaveLength(1)
  })

  it('repeats what was throttled or failed inside the processor under the same key', async () => {
    const { runId, partners } = await payableRun()
    await kit.fault({ vendor: 'stripe', kind: 'error_429', path: '/v1/transfers', count: 1 })
    await expect(pay(runId)).rejects.toMatchObject({
      ...{ type: 'vendor_throttled', nonRetryable: false, nextRetryDelay: '1 seconds' },
    })
    expect(await payoutsOf(runId)).toMatchObject([{ status: 'in_flight', attempts: ['sent'] }])
    await kit.fault({ vendor: 'stripe', kind: 'error_500', path: '/v1/transfers', count: 1 })
    expect(await pay(runId)).toMatchObject({ unknown: 1 })
    expect(await pay(runId)).toMatchObject({ paid: 1 })
    expect(await payoutsOf(runId)).toMatchObject([{ status: 'paid', attempts: ['succeeded'] }])
    expect(await transfersTo(partners)).toHaveLength(1)
  })

  it('waits for money with a new key after a refusal for lack of balance', async () => {
    const { runId, partners } = await payableRun()
    await kit.story.sandbox('/balance', { amount: 0, currency: 'usd' })
    expect(await pay(runId)).toMatchObject({ paid: 0, insufficientBalance: true, last: null })
    expect(await payoutsOf(runId)).toMatchObject([{ status: 'approved', attempts: ['rejected'] }])
    await kit.story.sandbox('/balance', { amount: 100_000_000, currency: 'usd' })
    expect(await pay(runId)).toMatchObject({ paid: 1 })
    expect(await payoutsOf(runId)).toMatchObject([
      { status: 'paid', attempts: ['rejected', 'succeeded'] },
    ])
    expect(await transfersTo(partners)).toHaveLength(1)
  })

  it('holds a payout that the processor refuses for good, and stops no other', async () => {
    const good = await makePartner(kit.db, { level: 'master_reseller' })
    await makePayoutAccount(kit.db, good, await verifiedAccount(good))
    const bad = await makePartner(kit.db, { level: 'master_reseller' })
    await makePayoutAccount(kit.db, bad, 'acct_unknown')
    const runId = await releasedRun([good, bad])
    await pay(runId)
    const rows = await payoutsOf(runId)
    expect(rows.map(({ status, holdReason }) => [status, holdReason]).sort()).toEqual([
      ['held', 'transfer_rejected'],
      ['paid', null],
    ])
  })

  it('looks an old attempt up before anything is sent again, and gives up after two looks', async () => {
    const { runId, partners } = await payableRun()
    await kit.fault({ vendor: 'stripe', kind: 'error_500', path: '/v1/transfers', count: 1 })
    await pay(runId)
    const age = (sent: string, missed: string | null) =>
      sql`update payout_attempts set first_sent_at = now() - ${sent}::interval,
          first_missed_at = case when ${missed}::text is null then first_missed_at
            else now() - ${missed}::interval end
        where payout_id in (select id from payouts where run_id = ${runId})`.execute(kit.db)
    await age('30 hours', null)
    expect(await pay(runId)).toMatchObject({ unknown: 1 })
    expect(await pay(runId)).toMatchObject({ unknown: 1 })
    expect(await transfersTo(partners)).toHaveLength(0)
    await age('30 hours', '2 hours')
    await pay(runId)
    expect(await payoutsOf(runId)).toMatchObject([{ status: 'approved', attempts: ['rejected'] }])
    expect(await pay(runId)).toMatchObject({ paid: 1 })
    expect(await transfersTo(partners)).toHaveLength(1)
  })

  it('finds the transfer of an old attempt whose answer was lost', async () => {
    const { runId, partners } = await payableRun()
    await kit.fault({
      vendor: 'stripe',
      kind: 'timeout_after_commit',
      path: '/v1/transfers',
      count: 2,
    })
    await pay(runId)
    await sql`update payout_attempts set first_sent_at = now() - interval '30 hours'
      where payout_id in (select id from payouts where run_id = ${runId})`.execute(kit.db)
    expect(await pay(runId)).toMatchObject({ paid: 1 })
    expect(await transfersTo(partners)).toHaveLength(1)
  })
})

describe('a run that waits', () => {
  const problemOf = async (runId: string) => (await getRun(kit.db, runId)).problem
  const pauses = (runId: string, isPaused: boolean) =>
    inTransaction(kit.db, (trx) => markRunPaused(trx, runId, isPaused))

  it('sends nothing while a person has paused it', async () => {
    const { runId, partners } = await payableRun()
    await pauses(runId, true)
    expect(await pay(runId)).toMatchObject({ paused: true, paid: 0, last: null })
    expect(await transfersTo(partners)).toEqual([])
    await pauses(runId, false)
    expect(await pay(runId)).toMatchObject({ paid: 1 })
  })

  it('shows that money is missing, tells it once a day, and forgets it when there is some', async () => {
    const member = { id: randomUUIDv7(), partnerId: null, name: 'M', email: 'm@platform.example' }
    await inTransaction(kit.db, (trx) => recordMember(trx, member))
    const { runId } = await payableRun()
    await kit.steps.mailLowBalance({ runId })
    await kit.steps.mailLowBalance({ runId })
    expect(await problemOf(runId)).toMatch(/balance at Stripe is too low/)
    const { rows } = await sql`select from notices where kind = 'low_balance'
      and subject_id = ${runId} and occurrence like ${`%:${member.id}`}`.execute(kit.db)
    expect(rows).toHaveLength(1)
    await pay(runId)
    expect(await problemOf(runId)).toBeNull()
  })

  it('hears of every shard when Stripe says that the balance was filled', async () => {
    const { runId } = await payableRun()
    await sql`update settlement_runs set stage = 'pay' where id = ${runId}`.execute(kit.db)
    await sql`delete from settlement_shards where run_id = ${runId}`.execute(kit.db)
    await sql`insert into settlement_shards (run_id, number, partners)
      select ${runId}, generate_series(0, 2), 0`.execute(kit.db)
    const { period } = await getRun(kit.db, runId)
    const told: string[] = []
    const processes = {
      ...kit.deps.processes,
      tell: ({ workflowId, signal }: { workflowId: string; signal: string }) => {
        told.push(`${workflowId} ${signal}`)
        return Promise.resolve()
      },
    }
    const event = { vendor: 'stripe' as const, objectId: 'evt_balance', eventId: 'evt_balance' }
    await recordEvent(kit.db, { ...event, type: 'balance.available', occurredAt: new Date() })
    await asSteps({ ...kit.deps, processes }).drainInbox({ vendor: 'stripe' })
    const own = [0, 1, 2].map((shard) => `${workflowIds.payout(period, shard)} balanceAvailable`)
    expect(told).toEqual(expect.arrayContaining(own))
    await sql`update settlement_runs set stage = 'closed' where id = ${runId}`.execute(kit.db)
    await pay(runId)
  })
})

describe('a partner that cannot be paid yet', () => {
  it('has its payout held with the reason, and gets it once it is verified', async () => {
    const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
    const runId = await releasedRun([partnerId])
    expect(await payoutsOf(runId)).toMatchObject([
      { status: 'held', holdReason: 'no_payout_account' },
    ])
    expect(await pay(runId)).toMatchObject({ paid: 0, last: null })
    expect(await kit.steps.releaseHeldPayouts({ runId })).toBe(0)
    await makePayoutAccount(kit.db, partnerId, await verifiedAccount(partnerId))
    expect(await kit.steps.releaseHeldPayouts({ runId })).toBe(1)
    expect(await pay(runId)).toMatchObject({ paid: 1 })
    expect(await transfersTo([partnerId])).toHaveLength(1)
  })

  it('is paid every closed month that waited for it, started by the sweeper', async () => {
    const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
    const runs = [await releasedRun([partnerId]), await releasedRun([partnerId])]
    await sql`update settlement_runs set stage = 'closed' where id in (${sql.join(runs)})`.execute(
      kit.db,
    )
    const toPay = async () => (await listClosedRunsToPay(kit.db)).map(({ id }) => id)
    expect(await toPay()).toEqual([])
    await makePayoutAccount(kit.db, partnerId, await verifiedAccount(partnerId))
    expect(await toPay()).toEqual(runs)
    await kit.steps.sweep()
    for (const { period } of await listClosedRunsToPay(kit.db)) {
      const handle = kit.temporal.workflow.getHandle(workflowIds.payout(period, 0))
      expect((await handle.describe()).status.name).toBe('RUNNING')
    }
    for (const runId of runs) {
      await kit.steps.releaseHeldPayouts({ runId })
      expect(await pay(runId)).toMatchObject({ paid: 1 })
    }
    expect(await toPay()).toEqual([])
  })

  it('after a refused transfer is tried again only when there is news of its account', async () => {
    const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
    await makePayoutAccount(kit.db, partnerId, 'acct_gone')
    const runId = await releasedRun([partnerId])
    await sql`update settlement_runs set stage = 'closed' where id = ${runId}`.execute(kit.db)
    const refused = { status: 'held', holdReason: 'transfer_rejected' }
    await pay(runId)
    expect(await kit.steps.releaseHeldPayouts({ runId })).toBe(0)
    expect(await payoutsOf(runId)).toMatchObject([{ ...refused, attempts: ['rejected'] }])
    expect(await listClosedRunsToPay(kit.db)).toEqual([])
    await inTransaction(kit.db, (trx) => retryRejectedPayouts(trx, partnerId))
    expect(await listClosedRunsToPay(kit.db)).toMatchObject([{ id: runId }])
    await pay(runId)
    expect(await payoutsOf(runId)).toMatchObject([
      { ...refused, attempts: ['rejected', 'rejected'] },
    ])
  })
})

describe('a partner that is held', () => {
  const screeningHold = (partnerId: string, source: string) => ({
    partnerId,
    cause: 'screening' as const,
    source,
  })
  const place = (partnerId: string, source: string) =>
    inTransaction(kit.db, (trx) =>
      placeHold(trx, { ...screeningHold(partnerId, source), reason: 'new_hit' }),
    )
  const release = (partnerId: string, source: string) =>
    inTransaction(kit.db, (trx) => releaseHold(trx, screeningHold(partnerId, source)))

  it('is sent nothing of a run that was released before, until the last hold is released', async () => {
    const { runId, partners } = await payableRun()
    const [partnerId = ''] = partners
    expect(await place(partnerId, 'one')).toBe(true)
    await place(partnerId, 'two')
    expect(await pay(runId)).toMatchObject({ paid: 0 })
    expect(await payoutsOf(runId)).toMatchObject([{ status: 'held', holdReason: 'partner_held' }])
    expect(await release(partnerId, 'one')).toBe(1)
    expect(await kit.steps.releaseHeldPayouts({ runId })).toBe(0)
    expect(await transfersTo(partners)).toEqual([])
    await release(partnerId, 'two')
    expect(await kit.steps.releaseHeldPayouts({ runId })).toBe(1)
    expect(await pay(runId)).toMatchObject({ paid: 1 })
    expect(await transfersTo(partners)).toHaveLength(1)
  })

  it('has the payouts of a later run held when they are made, and paid after a closed month', async () => {
    const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
    await makePayoutAccount(kit.db, partnerId, await verifiedAccount(partnerId))
    await place(partnerId, 'one')
    const runId = await releasedRun([partnerId])
    await sql`update settlement_runs set stage = 'closed' where id = ${runId}`.execute(kit.db)
    expect(await payoutsOf(runId)).toMatchObject([{ status: 'held', holdReason: 'partner_held' }])
    expect(await listClosedRunsToPay(kit.db)).toEqual([])
    await release(partnerId, 'one')
    expect(await listClosedRunsToPay(kit.db)).toMatchObject([{ id: runId }])
    await kit.steps.releaseHeldPayouts({ runId })
    expect(await pay(runId)).toMatchObject({ paid: 1 })
  })

  it('still learns what became of a transfer that was on its way', async () => {
    const { runId, partners } = await payableRun()
    const path = '/v1/transfers'
    await kit.fault({ vendor: 'stripe', kind: 'timeout_after_commit', path, count: 2 })
    expect(await pay(runId)).toMatchObject({ unknown: 1 })
    await place(partners[0] ?? '', 'one')
    expect(await pay(runId)).toMatchObject({ paid: 1 })
    expect(await transfersTo(partners)).toHaveLength(1)
  })

  it('is held once for one occurrence, also when a step is repeated after the release', async () => {
    const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
    expect(await place(partnerId, 'one')).toBe(true)
    expect(await place(partnerId, 'one')).toBe(false)
    expect(await listHolds(kit.db, partnerId)).toMatchObject([
      { cause: 'screening', source: 'one', reason: 'new_hit', releasedAt: null },
    ])
    expect(await release(partnerId, 'one')).toBe(1)
    expect(await release(partnerId, 'one')).toBe(0)
    expect(await place(partnerId, 'one')).toBe(false)
    expect(await listHolds(kit.db, partnerId)).toEqual([])
    expect(await listHolds(kit.db, partnerId, 'all')).toHaveLength(1)
    const reopened = sql`update partner_holds set released_at = null
      where partner_id = ${partnerId}`.execute(kit.db)
    await expect(reopened).rejects.toThrow(/released once/)
  })
})

describe('the database', () => {
  it('refuses a second live attempt of a payout', async () => {
    const { runId } = await payableRun()
    await kit.fault({ vendor: 'stripe', kind: 'error_500', path: '/v1/transfers', count: 1 })
    await pay(runId)
    const second = sql`insert into payout_attempts (payout_id, attempt_no, idempotency_key, request)
      select payout_id, 2, idempotency_key || 'x', request from payout_attempts
      where payout_id in (select id from payouts where run_id = ${runId})`.execute(kit.db)
    await expect(second).rejects.toThrow(/payout_attempts_one_live/)
    await pay(runId)
  })
})

describe('the mail of a payout', () => {
  it('goes to each paid partner once', async () => {
    const { runId } = await payableRun(2)
    await pay(runId)
    expect(await kit.steps.mailPayouts({ runId })).toBe(2)
    expect(await kit.steps.mailPayouts({ runId })).toBe(0)
  })
})

describe('what the processor says of a key', () => {
  const transfer = '/v1/transfers'

  it('looks the transfer up where a failure is kept under the key, and finds none twice', async () => {
    const { runId, partners } = await payableRun()
    await kit.fault({ vendor: 'stripe', kind: 'error_500', path: transfer, count: 1, stored: true })
    expect(await pay(runId)).toMatchObject({ unknown: 1 })
    expect(await pay(runId)).toMatchObject({ unknown: 1 })
    const missed = sql`update payout_attempts set first_missed_at = now() - interval '2 hours'
      where payout_id in (select id from payouts where run_id = ${runId})
        and first_missed_at is not null`
    expect((await missed.execute(kit.db)).numAffectedRows).toBe(1n)
    expect(await pay(runId)).toMatchObject({ paid: 0 })
    expect(await payoutsOf(runId)).toMatchObject([{ status: 'approved', attempts: ['rejected'] }])
    expect(await pay(runId)).toMatchObject({ paid: 1 })
    expect(await transfersTo(partners)).toHaveLength(1)
  })

  it('is looked for and not sent again once its partner is held', async () => {
    const { runId, partners } = await payableRun()
    await kit.fault({ vendor: 'stripe', kind: 'error_500', path: transfer, count: 1 })
    expect(await pay(runId)).toMatchObject({ unknown: 1 })
    const hold = { partnerId: partners[0] ?? '', cause: 'screening', source: 'a test' } as const
    await inTransaction(kit.db, (trx) => placeHold(trx, { ...hold, reason: 'listed' }))
    expect(await pay(runId)).toMatchObject({ paid: 0, unknown: 1 })
    expect(await transfersTo(partners)).toEqual([])
  })

  it('never takes a key that stands for another body for a refusal', async () => {
    const { runId, partners } = await payableRun()
    await kit.fault({ vendor: 'stripe', kind: 'timeout_after_commit', path: transfer, count: 2 })
    expect(await pay(runId)).toMatchObject({ unknown: 1 })
    await sql`update payout_attempts set request = jsonb_set(request, '{amount}', '1999')
      where payout_id in (select id from payouts where run_id = ${runId})`.execute(kit.db)
    expect(await pay(runId)).toMatchObject({ paid: 0, unknown: 1 })
    expect(await payoutsOf(runId)).toMatchObject([{ status: 'unknown', attempts: ['unknown'] }])
    await sql`update payout_attempts set request = jsonb_set(request, '{amount}', '2000')
      where payout_id in (select id from payouts where run_id = ${runId})`.execute(kit.db)
    expect(await pay(runId)).toMatchObject({ paid: 1 })
    expect(await transfersTo(partners)).toHaveLength(1)
  })
})
