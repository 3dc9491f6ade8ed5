import { sql } from 'kysely'
import { inLanesUntil } from '../../activities/lanes.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { outwardId } from '../../domain/ids.ts'
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

describe('mails of payouts side by side', () => {
  it('reach everybody else where one mailbox refuses, and each partner once', async () => {
    const { runId, partners } = await runs.payableRun(10)
    await payAll(runId)
    const sent: string[] = []
    const worker = (refuses: (id: string) => boolean) =>
      asSteps({
        ...kit.deps,
        mailer: {
          ...kit.deps.mailer,
          send: (mail) => {
            if (refuses(mail.to)) return Promise.reject(new Error('mailbox unavailable'))
            sent.push(mail.id)
            return Promise.resolve()
          },
        },
      })
    let refused: string | null = null
    const picky = worker((to) => {
      refused ??= to
      return to === refused
    })
    await expect(picky.mailPayouts({ runId })).rejects.toThrow()
    const { rows } = await sql<{ told: number }>`select count(*)::int as told from notices
      join payouts on payouts.id = notices.subject_id
      where run_id = ${runId} and sent_at is not null`.execute(kit.db)
    expect(rows).toEqual([{ told: sent.length }])
    await worker(() => false).mailPayouts({ runId })
    expect(sent).toHaveLength(partners.length)
    expect(new Set(sent).size).toBe(partners.length)
  })
})
