import { randomUUIDv7 } from 'node:crypto'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import type { PaidPage } from '../../activities/payouts.ts'
import { taskQueue } from '../../domain/process-names.ts'
import { balanceAvailable, runResumed } from '../../workflows/contract.ts'
import { payoutBatch } from '../../workflows/payouts.ts'
import { inTurn, startSkipping, steppedWorker } from '../support/processes.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const start = () =>
  env.client.workflow.start(payoutBatch, {
    workflowId: `payout:${randomUUIDv7()}`,
    taskQueue,
    args: [{ runId: randomUUIDv7() }],
  })

const page = (changes: Partial<PaidPage> = {}): PaidPage => ({
  last: null,
  paid: 0,
  unknown: 0,
  insufficientBalance: false,
  ...changes,
})

describe('a batch of payouts', () => {
  it('goes page by page from the last payout on, and tells the partners at the end', async () => {
    const worker = await steppedWorker(env, {
      payPage: inTurn(page({ last: 'p1', paid: 100 }), page({ last: 'p2', paid: 7 }), page()),
    })
    const result = await worker.runUntil(async () => (await start()).result())
    expect(result).toEqual({ paid: 107 })
    const pages = worker.calls.filter(({ step }) => step === 'payPage')
    expect(pages.map(({ input }) => input.after)).toEqual([null, 'p1', 'p2'])
    expect(worker.calls.at(-1)?.step).toBe('mailPayouts')
  })

  it('looks again, later each time, while an outcome is unknown', async () => {
    const worker = await steppedWorker(env, {
      payPage: inTurn(
        page({ last: 'p1', unknown: 1 }),
        page(),
        page({ last: 'p1', unknown: 1 }),
        page(),
        page({ last: 'p1', unknown: 1 }),
        page(),
        page({ last: 'p1', paid: 1 }),
        page(),
      ),
    })
    const result = await worker.runUntil(async () => (await start()).result())
    expect(result).toEqual({ paid: 1 })
    const rounds = worker.calls.filter(({ step }) => step === 'releaseHeldPayouts')
    const pauses = rounds.slice(1).map(({ at }, i) => (at - (rounds[i]?.at ?? 0)) / 1000)
    expect(pauses.map(Math.round)).toEqual([2, 10, 60])
  })

  it('waits for money when the balance is empty, and starts again from the first payout', async () => {
    const worker = await steppedWorker(env, {
      payPage: inTurn(
        page({ last: 'p1', paid: 1 }),
        page({ insufficientBalance: true }),
        page({ last: 'p2', paid: 1 }),
        page(),
      ),
    })
    const result = await worker.runUntil(async () => (await start()).result())
    expect(result).toEqual({ paid: 2 })
    const pages = worker.calls.filter(({ step }) => step === 'payPage')
    expect((pages[2]?.at ?? 0) - (pages[1]?.at ?? 0)).toBeGreaterThanOrEqual(3_600_000)
    expect(pages.map(({ input }) => input.after)).toEqual([null, 'p1', null, 'p2'])
  })

  it('pays what it has money for before it waits for the rest', async () => {
    const worker = await steppedWorker(env, {
      payPage: inTurn(
        page({ last: 'p1', paid: 1, insufficientBalance: true, lacking: ['EUR'] }),
        page({ last: 'p9', paid: 8 }),
        page({ insufficientBalance: true }),
        page({ last: 'p2', paid: 1 }),
        page(),
      ),
    })
    const result = await worker.runUntil(async () => (await start()).result())
    expect(result).toEqual({ paid: 10 })
    const pages = worker.calls.filter(({ step }) => step === 'payPage')
    expect(pages.map(({ input }) => [input.after, input.without])).toEqual([
      [null, undefined],
      ['p1', ['EUR']],
      ['p9', ['EUR']],
      [null, undefined],
      ['p2', undefined],
    ])
    const waited = pages.map(({ at }, i) => at - (pages[i - 1]?.at ?? at) >= 3_600_000)
    expect(waited).toEqual([false, false, false, true, false])
  })

  it('goes on at once when it is told that the balance was filled', async () => {
    const worker = await steppedWorker(env, {
      payPage: inTurn(page({ insufficientBalance: true }), page()),
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('payPage')
      await handle.signal(balanceAvailable)
      await handle.result()
    })
    const [first, second] = worker.calls.filter(({ step }) => step === 'payPage')
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(3_600_000)
  })

  it('stands still while a person pauses the run, and goes on at once when that is over', async () => {
    const worker = await steppedWorker(env, {
      payPage: inTurn(page({ last: 'p1', paid: 1 }), page({ paused: true }), page()),
    })
    const result = await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('payPage', 2)
      await handle.signal(runResumed)
      return handle.result()
    })
    expect(result).toEqual({ paid: 1 })
    const pages = worker.calls.filter(({ step }) => step === 'payPage')
    expect(pages.map(({ input }) => input.after)).toEqual([null, 'p1', 'p1'])
    expect((pages[2]?.at ?? 0) - (pages[1]?.at ?? 0)).toBeLessThan(3_600_000)
  })

  it('looks each hour whether the pause is over, where nobody told it', async () => {
    const worker = await steppedWorker(env, {
      payPage: inTurn(page({ paused: true }), page({ paused: true }), page()),
    })
    await worker.runUntil(async () => (await start()).result())
    const pages = worker.calls.filter(({ step }) => step === 'payPage')
    expect((pages[2]?.at ?? 0) - (pages[0]?.at ?? 0)).toBeGreaterThanOrEqual(7_200_000)
  })

  it('tells of an empty balance once a day, and begins a new history before that is long', async () => {
    const hours = 24 * 20
    const empty = Array.from({ length: hours }, () => page({ insufficientBalance: true }))
    const worker = await steppedWorker(env, {
      payPage: inTurn(page({ last: 'p1', paid: 3 }), ...empty, page()),
    })
    const { result, length } = await worker.runUntil(async () => {
      const handle = await start()
      const outcome = await handle.result()
      return { result: outcome, length: (await handle.describe()).historyLength }
    })
    expect(result).toEqual({ paid: 3 })
    expect(length).toBeLessThan(2_000)
    const told = worker.calls.filter(({ step }) => step === 'mailLowBalance')
    expect(told.length).toBeGreaterThanOrEqual(20)
    expect(told.length).toBeLessThanOrEqual(23)
  })
})
