import { randomUUIDv7 } from 'node:crypto'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import type { ReviewedPages } from '../../activities/tiers.ts'
import { taskQueue } from '../../domain/process-names.ts'
import { tierReview } from '../../workflows/tiers.ts'
import { inTurn, startSkipping, steppedWorker } from '../support/processes.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const start = () =>
  env.client.workflow.start(tierReview, {
    workflowId: `tiers:${randomUUIDv7()}`,
    taskQueue,
    args: [{ period: '2026-10' }],
  })

describe('the review of tiers', () => {
  it('goes on where each step ended, and tells those of its partners that moved', async () => {
    const worker = await steppedWorker(env, {
      reviewTierPage: inTurn<ReviewedPages>(
        { last: 'p1', promoted: 2 },
        { last: 'p2', promoted: 0 },
        { last: null, promoted: 1 },
      ),
    })
    const result = await worker.runUntil(async () => (await start()).result())
    expect(result).toEqual({ promoted: 3 })
    const inputs = (step: string) =>
      worker.calls.filter((call) => call.step === step).map(({ input }) => input)
    const period = '2026-10'
    expect(inputs('reviewTierPage')).toEqual([
      { period, after: null },
      { period, after: 'p1' },
      { period, after: 'p2' },
    ])
    expect(inputs('mailTierChanges')).toEqual([
      { period, after: null, until: 'p1' },
      { period, after: 'p2', until: null },
    ])
  })

  it('stays far below 2,000 events when each of 100,000 partners moves up', async () => {
    // A step ends with the page of a thousand partners after which it has enough to tell.
    const pages = Array.from({ length: 101 }, (_, i) =>
      i < 100 ? { last: `p${i}`, promoted: 1_000 } : { last: null, promoted: 0 },
    )
    const worker = await steppedWorker(env, { reviewTierPage: inTurn(...pages) })
    const handle = await worker.runUntil(async () => {
      const started = await start()
      expect(await started.result()).toEqual({ promoted: 100_000 })
      return started
    })
    const { events } = await handle.fetchHistory()
    expect(events?.length).toBeLessThan(1_500)
  })
})
