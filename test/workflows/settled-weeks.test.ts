/** The process of a live week: a month has several of them, and few close one. */
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { workflowIds } from '../../domain/process-names.ts'
import { releaseRun, reviewRun } from '../../workflows/contract.ts'
import { startSkipping, steppedWorker } from '../support/processes.ts'
import { freshBooks, hash, inReview, startSettlement } from '../support/settlement-process.ts'

// A child that outlives its parent keeps this server from skipping: each test has its own.
let env: TestWorkflowEnvironment
beforeEach(async () => {
  env = await startSkipping()
})
afterEach(() => env.teardown())

/** Plays the process of a week that closes these months. @returns how often tiers were reviewed. */
async function reviewsOf(months: string[]): Promise<number> {
  const week = '2031-W40'
  const worker = await steppedWorker(env, freshBooks({ closePeriod: () => ({ months }) }))
  const processOf = (id: string) => env.client.workflow.getHandle(id)
  await worker.runUntil(async () => {
    const handle = await startSettlement(env, { period: week })
    await inReview(handle)
    const signature = { memberId: 'one', totalsHash: hash }
    await handle.executeUpdate(reviewRun, { args: [signature] })
    await handle.executeUpdate(releaseRun, { args: [{ ...signature, memberId: 'two' }] })
    await handle.result()
    for (const month of months) await processOf(workflowIds.tiers(month)).result()
    await expect(processOf(workflowIds.tiers(week)).describe()).rejects.toThrow()
    const payouts = await processOf(workflowIds.payout(week, 0)).describe()
    expect(payouts.status.name).toBe('COMPLETED')
  })
  return worker.steps().filter((step) => step === 'reviewTierPage').length
}

test('a week that closes a month starts the review of its tiers', async () => {
  expect(await reviewsOf(['2031-09'])).toBe(1)
})

test('a week that closes no month pays under its own name and reviews no tiers', async () => {
  expect(await reviewsOf([])).toBe(0)
})
