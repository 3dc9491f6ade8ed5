import { randomUUIDv7 } from 'node:crypto'
import { ScheduleOverlapPolicy } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import type { DrainedInbox } from '../../activities/inbox.ts'
import { scheduleIds, signalNames, workflowIds } from '../../domain/process-names.ts'
import { processStarter } from '../../integrations/temporal.ts'
import { ensureSchedules } from '../../worker/schedules.ts'
import { inTurn, joinDevServer, steppedWorker } from '../support/processes.ts'
import { until } from '../support/until.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await joinDevServer()
})
afterAll(() => env.teardown())

const nothing: DrainedInbox = { told: 0, more: false }

const wake = () =>
  processStarter(env.client).wake({
    type: 'webhookInbox',
    workflowId: workflowIds.inbox('stripe'),
    input: { vendor: 'stripe' },
    signal: signalNames.inboxWake,
  })

afterEach(async () => {
  await env.client.workflow
    .getHandle(workflowIds.inbox('stripe'))
    .terminate()
    .catch(() => {})
})

describe('the inbox', () => {
  it('drains until nothing more waits, and sleeps until it is woken again', async () => {
    const worker = await steppedWorker(env, {
      drainInbox: inTurn({ told: 2_000, more: true }, nothing, nothing),
    })
    await worker.runUntil(async () => {
      await wake()
      const drains = () => worker.steps().filter((step) => step === 'drainInbox').length
      await until(() => drains() === 2)
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(drains()).toBe(2)
      await wake()
      await until(() => drains() === 3)
    })
  })

  it('goes on as new before its history is long, and misses nothing meanwhile', async () => {
    let drains = 0
    const worker = await steppedWorker(env, {
      drainInbox: (): DrainedInbox => {
        drains += 1
        return { told: 0, more: drains < 300 }
      },
    })
    await worker.runUntil(async () => {
      await wake()
      const handle = env.client.workflow.getHandle(workflowIds.inbox('stripe'))
      const first = (await handle.describe()).runId
      await until(() => drains >= 300)
      const now = await handle.describe()
      expect(now.runId).not.toBe(first)
      expect(now.historyLength).toBeLessThan(2_000)
      await wake()
      await until(() => drains >= 301)
    })
  })
})

describe('the schedule', () => {
  it('settles the month before its nominal time, by one run however often it fires', async () => {
    const opened: unknown[] = []
    const worker = await steppedWorker(env, {
      openScheduledRun: (input: { period: string }) => {
        opened.push(input.period)
        return { runId: randomUUIDv7(), releaseReminder: 86_400 }
      },
      readRun: () => ({ stage: 'closed', totalsHash: null, reviewed: true, released: true }),
      issueStatements: () => 0,
      payPage: () => ({ last: null, paid: 0, unknown: 0, insufficientBalance: false }),
      reconcilePage: () => ({ last: null, differences: 0 }),
      reviewTierPage: () => ({ last: null, promoted: 0 }),
    })
    await worker.runUntil(async () => {
      await ensureSchedules(env.client)
      await ensureSchedules(env.client)
      const schedule = env.client.schedule.getHandle(scheduleIds.settlement)
      for (let i = 0; i < 2; i++) {
        await schedule.backfill({
          start: new Date('2026-03-04T02:59:00Z'),
          end: new Date('2026-03-04T03:06:00Z'),
          overlap: ScheduleOverlapPolicy.ALLOW_ALL,
        })
      }
      await until(() => opened.length > 0)
      await until(async () => {
        const handle = env.client.workflow.getHandle(workflowIds.settlement('2026-02'))
        return handle.describe().then(
          ({ status }) => status.name === 'COMPLETED',
          () => false,
        )
      })
    })
    expect(new Set(opened)).toEqual(new Set(['2026-02']))
  })

  it('never skips a month that overlaps, and catches up for three days', async () => {
    await ensureSchedules(env.client)
    const { spec, policies } = await env.client.schedule
      .getHandle(scheduleIds.settlement)
      .describe()
    expect(policies.overlap).toBe(ScheduleOverlapPolicy.BUFFER_ONE)
    expect(policies.catchupWindow).toBe(3 * 24 * 3_600_000)
    expect(spec.timezone ?? 'UTC').toMatch(/UTC|^$/)
  })
})
