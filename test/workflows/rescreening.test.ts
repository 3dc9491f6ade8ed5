/** The nightly round: page by page, patient with its lists, started by a schedule. */
import { ApplicationFailure, ScheduleOverlapPolicy } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import type { RescreenedPage } from '../../activities/rescreening.ts'
import { scheduleIds, taskQueue, workflowIds } from '../../domain/process-names.ts'
import { ensureSchedules } from '../../worker/schedules.ts'
import { rescreening } from '../../workflows/rescreening.ts'
import { inTurn, joinDevServer, startSkipping, steppedWorker } from '../support/processes.ts'
import { until } from '../support/until.ts'

const page = (last: string | null, findings = 0): RescreenedPage => ({
  ...{ last, findings },
  screened: 10,
})

describe('a round', () => {
  let env: TestWorkflowEnvironment
  beforeAll(async () => {
    env = await startSkipping()
  })
  afterAll(() => env.teardown())

  const run = () =>
    env.client.workflow.execute(rescreening, { workflowId: 'round', taskQueue, args: [] })

  it('looks at every page behind the last one, and asks people at its end', async () => {
    const worker = await steppedWorker(env, {
      rescreenPage: inTurn(page('a'), page('b', 2), page(null, 1)),
    })
    expect(await worker.runUntil(run)).toEqual({ screened: 30, findings: 3 })
    const pages = worker.calls.filter(({ step }) => step === 'rescreenPage')
    expect(pages.map(({ input }) => input.after)).toEqual([null, 'a', 'b'])
    expect(worker.steps({ mails: true }).at(-1)).toBe('mailScreenings')
  })

  it('waits for lists that cannot be looked at, for days, and passes nobody over', async () => {
    let tries = 0
    const worker = await steppedWorker(env, {
      rescreenPage: () => {
        tries += 1
        if (tries < 1_000) throw ApplicationFailure.create({ type: 'vendor_unknown' })
        return page(null)
      },
    })
    expect(await worker.runUntil(run)).toEqual({ screened: 10, findings: 0 })
    const times = worker.calls.filter(({ step }) => step === 'rescreenPage').map(({ at }) => at)
    expect(times).toHaveLength(1_000)
  })
})

describe('the schedule', () => {
  let env: TestWorkflowEnvironment
  beforeAll(async () => {
    env = await joinDevServer()
  })
  afterAll(() => env.teardown())

  it('starts a round every night at 02:00, and none beside one that goes on', async () => {
    const worker = await steppedWorker(env, { rescreenPage: () => page(null) })
    await worker.runUntil(async () => {
      await ensureSchedules(env.client)
      const schedule = env.client.schedule.getHandle(scheduleIds.rescreening)
      const { policies } = await schedule.describe()
      expect(policies.overlap).toBe(ScheduleOverlapPolicy.SKIP)
      await schedule.backfill({
        start: new Date('2026-03-04T01:59:00Z'),
        end: new Date('2026-03-06T02:01:00Z'),
        overlap: ScheduleOverlapPolicy.ALLOW_ALL,
      })
      await until(() => worker.steps().length >= 3)
      for (const day of ['04', '05', '06']) {
        const id = `${workflowIds.rescreening}-2026-03-${day}T02:00:00Z`
        const { status } = await env.client.workflow.getHandle(id).describe()
        expect(['RUNNING', 'COMPLETED']).toContain(status.name)
      }
    })
  })
})
