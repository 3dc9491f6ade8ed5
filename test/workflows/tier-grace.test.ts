import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure, WorkflowUpdateFailedError } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import type { GraceStatus } from '../../domain/tier-review.ts'
import { decideTierGrace, metricsUpdated } from '../../workflows/contract.ts'
import { tierGrace } from '../../workflows/tier-grace.ts'
import { type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'

const day = 86_400
const dayMs = day * 1_000

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

/** As the review does it: the signal that a figure is there starts the process. */
async function start(days = 88) {
  const fallsAt = new Date((await env.currentTimeMs()) + days * dayMs).toISOString()
  const input = { graceId: randomUUIDv7(), fallsAt, warnings: [60 * day, 30 * day] }
  return env.client.workflow.signalWithStart(tierGrace, {
    workflowId: workflowIds.tierGrace(randomUUIDv7(), '2026-09'),
    taskQueue,
    args: [input],
    signal: metricsUpdated,
    signalArgs: [],
  })
}

/** Steps on a grace that is open until the test says otherwise. */
function grace(end: { status: GraceStatus } = { status: 'open' }): StandIns {
  return {
    warnOfTierFall: () => end.status,
    lookAtTierGrace: () => end.status,
    applyTierFall: () => (end.status === 'open' ? 'demoted' : end.status),
  }
}

/** The steps with the day on which they came. */
function storyOf(worker: Awaited<ReturnType<typeof steppedWorker>>) {
  const since = worker.calls[0]?.at ?? 0
  return worker.calls.map(({ step, input, at }) => {
    const what = step === 'warnOfTierFall' ? String(input.kind) : step
    return `${Math.round((at - since) / dayMs)}: ${what}`
  })
}

describe('a partner whose figure is too small for its tier', () => {
  it('is told at once, 60 days before, halfway and 30 days before, then falls', async () => {
    const worker = await steppedWorker(env, grace())
    const result = await worker.runUntil(async () => (await start()).result())
    expect(result).toEqual({ status: 'demoted' })
    expect(storyOf(worker)).toEqual([
      '0: notice',
      '28: warning',
      '44: half',
      '58: warning',
      '88: applyTierFall',
      '88: mailTierGrace',
    ])
  })

  it('is looked at with each review, and stays what it is when its figure is back', async () => {
    const end: { status: GraceStatus } = { status: 'open' }
    const worker = await steppedWorker(env, grace(end))
    await worker.runUntil(async () => {
      const handle = await start()
      await env.sleep('30 days')
      await handle.signal(metricsUpdated)
      await env.sleep('30 days')
      end.status = 'recovered'
      await handle.signal(metricsUpdated)
      expect(await handle.result()).toEqual({ status: 'recovered' })
    })
    expect(storyOf(worker)).toEqual([
      '0: notice',
      '28: warning',
      '30: lookAtTierGrace',
      '44: half',
      '58: warning',
      '60: lookAtTierGrace',
      '60: mailTierGrace',
    ])
  })

  it('is warned of nothing more where a warning finds that it is over', async () => {
    const end: { status: GraceStatus } = { status: 'open' }
    const worker = await steppedWorker(env, grace(end))
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('warnOfTierFall')
      end.status = 'ended'
      expect(await handle.result()).toEqual({ status: 'ended' })
    })
    expect(storyOf(worker)).toEqual(['0: notice', '28: warning', '28: mailTierGrace'])
  })

  it('falls on its day although no mail reaches it', async () => {
    const worker = await steppedWorker(env, {
      ...grace(),
      warnOfTierFall: () => {
        throw new Error('the mailbox is away')
      },
      mailTierGrace: () => {
        throw new Error('the mailbox is away')
      },
    })
    const result = await worker.runUntil(async () => (await start()).result())
    expect(result).toEqual({ status: 'demoted' })
    const fell = worker.calls.find(({ step }) => step === 'applyTierFall')
    expect(Math.round(((fell?.at ?? 0) - (worker.calls[0]?.at ?? 0)) / dayMs)).toBe(88)
  })

  it('falls with a later review where its day finds it suspended', async () => {
    const end: { status: GraceStatus } = { status: 'open' }
    const worker = await steppedWorker(env, { ...grace(), applyTierFall: () => end.status })
    await worker.runUntil(async () => {
      const handle = await start()
      // Time is skipped while somebody sleeps or waits for a result.
      await env.sleep('98 days')
      end.status = 'demoted'
      await handle.signal(metricsUpdated)
      expect(await handle.result()).toEqual({ status: 'demoted' })
    })
    expect(storyOf(worker).slice(-3)).toEqual([
      '88: applyTierFall',
      '98: applyTierFall',
      '98: mailTierGrace',
    ])
  })

  it.each<GraceStatus>(['waived', 'demoted'])('ends at once as %s by a person', async (status) => {
    const worker = await steppedWorker(env, { ...grace(), takeGraceDecision: () => status })
    const decisionId = randomUUIDv7()
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('warnOfTierFall')
      const answer = await handle.executeUpdate(decideTierGrace, { args: [{ decisionId }] })
      expect(answer).toEqual({ status })
      expect(await handle.result()).toEqual({ status })
    })
    expect(storyOf(worker)).toEqual(['0: notice', '0: takeGraceDecision', '0: mailTierGrace'])
    expect(worker.calls[1]?.input).toEqual({ decisionId })
  })

  it('goes on when a decision is refused', async () => {
    const worker = await steppedWorker(env, {
      ...grace(),
      takeGraceDecision: () => {
        throw ApplicationFailure.create({ type: 'not_ready', nonRetryable: true })
      },
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('warnOfTierFall')
      const update = handle.executeUpdate(decideTierGrace, { args: [{ decisionId: 'd' }] })
      await expect(update).rejects.toBeInstanceOf(WorkflowUpdateFailedError)
      expect(await handle.result()).toEqual({ status: 'demoted' })
    })
  })

  it('is told nothing new by a process that is woken after its end', async () => {
    const worker = await steppedWorker(env, grace({ status: 'recovered' }))
    const result = await worker.runUntil(async () => (await start()).result())
    expect(result).toEqual({ status: 'recovered' })
    expect(storyOf(worker)).toEqual(['0: notice', '0: mailTierGrace'])
  })

  it('has a history of fewer than 120 events, with reviews of two months', async () => {
    const worker = await steppedWorker(env, grace())
    const handle = await worker.runUntil(async () => {
      const started = await start()
      for (let month = 0; month < 2; month++) {
        await env.sleep('30 days')
        await started.signal(metricsUpdated)
      }
      await started.result()
      return started
    })
    const { events } = await env.client.workflow.getHandle(handle.workflowId).fetchHistory()
    expect(events?.length).toBeLessThan(120)
  })
})
