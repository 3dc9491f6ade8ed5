import { inLanesUntil } from '../../activities/lanes.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { insertRates, markPayoutCurrency } from '../../db/settlement/rates.ts'
import { outwardId } from '../../domain/ids.ts'
import { VendorError, type VendorFailure } from '../../integrations/vendor-error.ts'
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

type Connect = Steps['deps']['connect']
type SendTransfer = Connect['sendTransfer']

/** Steps of a worker whose calls for transfers are something else. */
const workerWith = (sendTransfer: SendTransfer) =>
  asSteps({ ...kit.deps, connect: { ...kit.deps.connect, sendTransfer } })

const statusesOf = async (runId: string) =>
  [...new Set((await runs.payoutsOf(runId)).map(({ status }) => status))].sort()

/** Goes over a run as its process does, until nothing is left to pay. */
async function payAll(runId: string, steps: Pick<Steps['steps'], 'payPage'> = kit.steps) {
  for (let round = 0; round < 50; round++) {
    await steps.payPage({ runId, after: null }).catch(() => undefined)
    if ((await statusesOf(runId)).join() === 'paid') return
  }
}

describe('lanes that end early', () => {
  it('begin nothing after the first that says so, and tell how many are done before it', async () => {
    const begun: number[] = []
    const done = await inLanesUntil([...Array(100).keys()], async (piece) => {
      begun.push(piece)
      await new Promise((resolve) => setImmediate(resolve))
      return piece !== 20
    })
    expect(done).toBe(20)
    expect(begun).toEqual([...Array(begun.length).keys()])
    expect(begun.length).toBeLessThan(40)
  })

  it('end what was begun before they tell of what failed', async () => {
    let ended = 0
    const all = inLanesUntil([1, 2, 3], async (piece) => {
      if (piece === 1) throw new Error('the first')
      await new Promise((resolve) => setImmediate(resolve))
      ended += 1
      return true
    })
    await expect(all).rejects.toThrow('the first')
    expect(ended).toBe(2)
  })

  it('do all where none says so', async () => {
    expect(await inLanesUntil([], () => Promise.resolve(true))).toBe(0)
    expect(await inLanesUntil([1, 2, 3], () => Promise.resolve(true))).toBe(3)
  })
})

describe('payouts side by side', () => {
  it('are eight calls at the same time, and no more', async () => {
    const { runId } = await runs.payableRun(12)
    let [open, most] = [0, 0]
    const gate = Promise.withResolvers<void>()
    const worker = workerWith(async (request, key) => {
      open += 1
      most = Math.max(most, open)
      if (open === 8) gate.resolve()
      await gate.promise
      const outcome = await kit.deps.connect.sendTransfer(request, key)
      open -= 1
      return outcome
    })
    expect(await worker.payPage({ runId, after: null })).toMatchObject({ paid: 12, unknown: 0 })
    expect(most).toBe(8)
  })

  it('pay each partner once though two workers die in the middle of calls, again and again', async () => {
    const { runId, partners } = await runs.payableRun(12)
    let calls = 0
    const dying = workerWith(async (request, key) => {
      calls += 1
      const [isBefore, isAfter] = [calls % 3 === 0, calls % 3 === 1]
      if (isBefore) throw new Error('died before the call')
      const outcome = await kit.deps.connect.sendTransfer(request, key)
      if (isAfter) throw new Error('died before the answer was kept')
      return outcome
    })
    await Promise.all([payAll(runId, dying), payAll(runId, dying)])
    await payAll(runId)
    expect(await statusesOf(runId)).toEqual(['paid'])
    const transfers = await runs.transfersTo(partners)
    const paid = transfers.map(({ metadata }) => metadata.partner).sort()
    expect(paid).toEqual(partners.map((id) => outwardId('partner', id)).sort())
    const attempts = (await runs.payoutsOf(runId)).map((payout) => payout.attempts)
    expect(new Set(attempts.map(String))).toEqual(new Set(['succeeded']))
  })

  it('stop when the processor says that it is too much, and go on from there', async () => {
    const { runId, partners } = await runs.payableRun(12)
    const path = '/v1/transfers'
    await kit.fault({ vendor: 'stripe', kind: 'error_429', path, count: 5 })
    await payAll(runId)
    expect(await runs.transfersTo(partners)).toHaveLength(12)
    expect(await statusesOf(runId)).toEqual(['paid'])
  })

  it('stop where the balance runs out, and pay the rest once when it was filled', async () => {
    const { runId, partners } = await runs.payableRun(10)
    await kit.story.sandbox('/balance', { amount: 6_000, currency: 'usd' })
    const page = await kit.steps.payPage({ runId, after: null })
    expect(page).toMatchObject({ paid: 3, insufficientBalance: true })
    const refused = (await runs.payoutsOf(runId)).filter(({ status }) => status === 'approved')
    expect(refused).toHaveLength(7)
    expect(new Set(refused.map(({ attempts }) => String(attempts ?? 'none'))).has('rejected')).toBe(
      true,
    )
    await kit.story.sandbox('/balance', { amount: 100_000_000, currency: 'usd' })
    expect(await kit.steps.payPage({ runId, after: null })).toMatchObject({ paid: 7 })
    expect(await runs.transfersTo(partners)).toHaveLength(10)
  })
})

describe('payouts of several currencies', () => {
  it('in one that has no balance keep none of the others waiting', async () => {
    const { partners } = await runs.payableRun(21)
    await inTransaction(kit.db, async (trx) => {
      await markPayoutCurrency(trx, partners[0] ?? '', 'EUR')
      const asOf = new Date('2020-01-01T00:00:00Z')
      await insertRates(trx, [{ base: 'USD', quote: 'EUR', rate: '0.9', source: 'test', asOf }])
    })
    await kit.story.sandbox('/balance', { amount: 0, currency: 'eur' })
    const runId = await runs.releasedRun(partners)
    const first = await kit.steps.payPage({ runId, after: null })
    expect(first).toMatchObject({ insufficientBalance: true, lacking: ['EUR'] })
    const { last: after, lacking: without } = first
    const second = await kit.steps.payPage({ runId, after, without })
    expect(first.paid + second.paid).toBe(20)
    const end = await kit.steps.payPage({ runId, after: second.last, without })
    expect(end).toMatchObject({ last: null, insufficientBalance: true })
    expect(end.lacking).toBeUndefined()
    await kit.story.sandbox('/balance', { amount: 100_000, currency: 'eur' })
    expect(await kit.steps.payPage({ runId, after: null })).toMatchObject({ paid: 1 })
    expect(await statusesOf(runId)).toEqual(['paid'])
  })
})

describe('mails of payouts side by side', () => {
  /** Steps of a worker whose mail server fails for some mailboxes. */
  function mailing(failureFor: (to: string) => VendorFailure | null) {
    const sent: string[] = []
    const send = async ({ id, to }: { id: string; to: string }) => {
      const failure = failureFor(to)
      if (failure) throw new VendorError({ vendor: 'mail', failure, code: '550', message: 'no' })
      sent.push(id)
    }
    return { sent, steps: asSteps({ ...kit.deps, mailer: { ...kit.deps.mailer, send } }) }
  }
  const firstOnly = () => {
    let first: string | null = null
    return (to: string) => {
      first ??= to
      return to === first
    }
  }
  async function paidRun() {
    const { runId, partners } = await runs.payableRun(10)
    await payAll(runId)
    return { runId, partners }
  }

  it('reach everybody else where the server is away for one, who is told by the next try', async () => {
    const { runId, partners } = await paidRun()
    const isFirst = firstOnly()
    const away = mailing((to) => (isFirst(to) ? 'unknown' : null))
    await expect(away.steps.mailPayouts({ runId })).rejects.toThrow()
    expect(away.sent).toHaveLength(partners.length - 1)
    const back = mailing(() => null)
    expect(await back.steps.mailPayouts({ runId })).toBe(1)
    expect(new Set([...away.sent, ...back.sent]).size).toBe(partners.length)
  })

  it('pass over a mailbox that refuses for good, and do not ask it again', async () => {
    const { runId, partners } = await paidRun()
    const isFirst = firstOnly()
    const picky = mailing((to) => (isFirst(to) ? 'rejected' : null))
    await picky.steps.mailPayouts({ runId })
    expect(picky.sent).toHaveLength(partners.length - 1)
    const again = mailing(() => null)
    expect(await again.steps.mailPayouts({ runId })).toBe(0)
    expect(again.sent).toEqual([])
  })
})
