import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure } from '@temporalio/common'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { taskQueue } from '../../domain/process-names.ts'
import { payoutChanged, releasePayout, retryPayout } from '../../workflows/contract.ts'
import { payoutException } from '../../workflows/payout-exceptions.ts'
import { inTurn, startSkipping, steppedWorker } from '../support/processes.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const day = 86_400

async function start() {
  const since = await env.currentTimeMs()
  const exceptionId = randomUUIDv7()
  const reminders = [3 * day, 10 * day, 30 * day]
  const handle = await env.client.workflow.start(payoutException, {
    workflowId: `payout-exception:${randomUUIDv7()}`,
    taskQueue,
    args: [{ exceptionId, since, reminders, escheat: 365 * day }],
  })
  return { handle, since }
}

const decided = (): { args: [{ decisionId: string }] } => ({
  args: [{ decisionId: randomUUIDv7() }],
})

describe('a payout that waits for a person', () => {
  it('is reminded of three times, flagged after a year, and never decided by time', async () => {
    const worker = await steppedWorker(env, { continuePayout: () => 'open' })
    await worker.runUntil(async () => {
      const { handle, since } = await start()
      await env.sleep('400 days')
      const told = worker.calls.filter(({ step }) => step === 'mailPayoutException')
      expect(told.map(({ input }) => input.occurrence)).toEqual(['first', '1', '2', '3', 'escheat'])
      const days = told.map(({ at }) => Math.round((at - since) / 1_000 / day))
      expect(days).toEqual([0, 3, 10, 30, 365])
      expect(worker.steps().filter((step) => step === 'flagEscheat')).toHaveLength(1)
      expect(worker.steps()).not.toContain('carryOutPayoutDecision')
      await handle.terminate()
    })
  })

  it('carries a decision out and ends when the money has arrived', async () => {
    const worker = await steppedWorker(env, {
      continuePayout: inTurn('open', 'moving', 'closed'),
      carryOutPayoutDecision: () => 'moving',
    })
    await worker.runUntil(async () => {
      const { handle } = await start()
      await worker.ran('continuePayout')
      await handle.executeUpdate(retryPayout, decided())
      await expect(handle.result()).resolves.toBe('closed')
    })
    const steps = worker.steps()
    expect(steps).toContain('carryOutPayoutDecision')
    expect(steps.at(-1)).toBe('endException')
  })

  it('hears of what happens elsewhere, and looks into the books then', async () => {
    const worker = await steppedWorker(env, { continuePayout: inTurn('open', 'closed') })
    await worker.runUntil(async () => {
      const { handle } = await start()
      await worker.ran('continuePayout')
      await handle.signal(payoutChanged)
      await expect(handle.result()).resolves.toBe('closed')
    })
  })

  it('stays for another decision where one could not be carried out', async () => {
    let tries = 0
    const worker = await steppedWorker(env, {
      continuePayout: () => 'open',
      carryOutPayoutDecision: () => {
        tries += 1
        if (tries > 1) return 'closed'
        throw ApplicationFailure.nonRetryable('vendor_refused', 'vendor_refused')
      },
    })
    await worker.runUntil(async () => {
      const { handle } = await start()
      await worker.ran('continuePayout')
      await handle.executeUpdate(releasePayout, decided())
      await worker.ran('carryOutPayoutDecision')
      await env.sleep('90 minutes')
      // Half of the step may be under way: the books are asked once more, and wait for a person.
      expect(worker.steps().filter((step) => step === 'continuePayout')).toHaveLength(2)
      await handle.executeUpdate(releasePayout, decided())
      await expect(handle.result()).resolves.toBe('closed')
    })
    expect(tries).toBe(2)
  })
})
