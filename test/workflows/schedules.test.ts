/** What begins by the clock: the schedules as the server has them, and what they start. */
import { randomUUIDv7 } from 'node:crypto'
import { ScheduleOverlapPolicy } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { periodOf, previousPeriod } from '../../domain/period.ts'
import { scheduleIds, workflowIds, workflowTypes } from '../../domain/process-names.ts'
import { ensureSchedules } from '../../worker/schedules.ts'
import { joinDevServer, steppedWorker } from '../support/processes.ts'
import { until } from '../support/until.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await joinDevServer()
  await ensureSchedules(env.client)
})
afterAll(() => env.teardown())

const minute = 60_000
const day = 86_400_000

const described = (id: string) => env.client.schedule.getHandle(id).describe()

const daily = (hour: number, minutes: number) => ({
  calendars: [
    expect.objectContaining({
      hour: [expect.objectContaining({ start: hour })],
      minute: [expect.objectContaining({ start: minutes })],
    }),
  ],
})

const wanted = [
  {
    id: scheduleIds.settlement,
    type: workflowTypes.settlementDispatch,
    spec: {
      calendars: [
        expect.objectContaining({
          dayOfMonth: [expect.objectContaining({ start: 4 })],
          hour: [expect.objectContaining({ start: 3 })],
        }),
      ],
    },
    overlap: ScheduleOverlapPolicy.BUFFER_ONE,
    catchupWindow: 3 * day,
  },
  {
    id: scheduleIds.settlementQuarterly,
    type: workflowTypes.settlementDispatch,
    spec: {
      calendars: [
        expect.objectContaining({
          month: ['JANUARY', 'APRIL', 'JULY', 'OCTOBER'].map((start) =>
            expect.objectContaining({ start }),
          ),
          dayOfMonth: [expect.objectContaining({ start: 4 })],
          hour: [expect.objectContaining({ start: 3 })],
        }),
      ],
    },
    overlap: ScheduleOverlapPolicy.BUFFER_ONE,
    catchupWindow: 3 * day,
  },
  {
    id: scheduleIds.settlementWeekly,
    type: workflowTypes.settlementDispatch,
    spec: {
      calendars: [
        expect.objectContaining({
          dayOfWeek: [expect.objectContaining({ start: 'THURSDAY' })],
          hour: [expect.objectContaining({ start: 3 })],
        }),
      ],
    },
    overlap: ScheduleOverlapPolicy.BUFFER_ONE,
    catchupWindow: 3 * day,
  },
  {
    id: scheduleIds.rescreening,
    type: workflowTypes.rescreening,
    spec: daily(2, 0),
    overlap: ScheduleOverlapPolicy.SKIP,
    catchupWindow: day / 2,
  },
  {
    id: scheduleIds.sweeper,
    type: workflowTypes.sweeper,
    spec: { intervals: [expect.objectContaining({ every: minute })] },
    overlap: ScheduleOverlapPolicy.SKIP,
    catchupWindow: minute,
  },
  {
    id: scheduleIds.verificationUpkeep,
    type: workflowTypes.verificationUpkeep,
    spec: daily(4, 30),
    overlap: ScheduleOverlapPolicy.SKIP,
    catchupWindow: day,
  },
  {
    id: scheduleIds.reconciliation,
    type: workflowTypes.reconciliation,
    spec: daily(5, 0),
    overlap: ScheduleOverlapPolicy.SKIP,
    catchupWindow: day,
  },
]

describe('the schedules', () => {
  it('are all there is, each with its time, its overlap and how late it is caught up', async () => {
    const ids: string[] = []
    await until(async () => {
      ids.length = 0
      for await (const { scheduleId } of env.client.schedule.list()) ids.push(scheduleId)
      return ids.length >= Object.keys(scheduleIds).length
    })
    expect(ids.sort()).toEqual(Object.values(scheduleIds).sort())
    expect(wanted.map(({ id }) => id).sort()).toEqual(Object.values(scheduleIds).sort())
    for (const { id, type, spec, overlap, catchupWindow } of wanted) {
      const found = await described(id)
      expect({ id, ...found.spec }).toMatchObject({ id, ...spec })
      expect({ id, ...found.policies }).toMatchObject({ id, overlap, catchupWindow })
      expect(found.action).toMatchObject({ type: 'startWorkflow', workflowType: type })
    }
  })

  it('are the same after another start of a worker, and what a person paused stays paused', async () => {
    const handle = env.client.schedule.getHandle(scheduleIds.sweeper)
    await handle.pause('maintenance')
    await ensureSchedules(env.client)
    const { state, spec } = await handle.describe()
    expect(state).toMatchObject({ paused: true, note: 'maintenance' })
    expect(spec.intervals).toEqual([expect.objectContaining({ every: minute })])
    await handle.unpause()
  })
})

/** A firing that was missed, caught up under the schedule's own overlap. */
const catchUp = (id: string, from: string, to: string) =>
  env.client.schedule.getHandle(id).backfill({ start: new Date(from), end: new Date(to) })

const infoOf = async (id: string) => (await described(id)).raw.info

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

describe('a schedule that fires', () => {
  it('starts the daily round of verification, and none beside one that is at work', async () => {
    const { opened, open } = gate()
    const worker = await steppedWorker(env, {
      async recoverVerificationEvents() {
        await opened
        return { found: 0 }
      },
      recheckVerifications: () => ({ last: null, done: 0 }),
      redactVerifications: () => ({ last: null, done: 0 }),
    })
    const id = scheduleIds.verificationUpkeep
    await worker.runUntil(async () => {
      try {
        await catchUp(id, '2026-03-04T04:00:00Z', '2026-03-04T05:00:00Z')
        await until(() => worker.steps().length === 1)
        await catchUp(id, '2026-03-05T04:00:00Z', '2026-03-05T05:00:00Z')
        await until(async () => Number((await infoOf(id))?.overlapSkipped) === 1)
      } finally {
        open()
      }
      await worker.ran('redactVerifications')
    })
    expect(worker.steps().filter((step) => step === 'recoverVerificationEvents')).toHaveLength(1)
  })

  it('keeps the closing of the next month until the one before is through', async () => {
    const { opened, open } = gate()
    const months: unknown[] = []
    const worker = await steppedWorker(env, {
      async openScheduledRun({ period }: { period: string }) {
        months.push(period)
        await opened
        return { runId: randomUUIDv7(), releaseReminder: 86_400 }
      },
    })
    const id = scheduleIds.settlement
    await worker.runUntil(async () => {
      try {
        await catchUp(id, '2026-03-04T02:00:00Z', '2026-03-04T04:00:00Z')
        await until(() => months.length === 1)
        await catchUp(id, '2026-04-04T02:00:00Z', '2026-04-04T04:00:00Z')
        await until(async () => Number((await infoOf(id))?.bufferSize) === 1)
        expect(months).toEqual(['2026-02'])
      } finally {
        open()
      }
      await until(() => months.length === 2)
    })
    expect(months).toEqual(['2026-02', '2026-03'])
  })
})

describe('the dispatcher of settlements', () => {
  const processesOf = async (period: string) => {
    const query = `WorkflowId = '${workflowIds.settlement(period)}'`
    const found: string[] = []
    for await (const { runId } of env.client.workflow.list({ query })) found.push(runId)
    return found
  }

  /** Plays with a month that waits for its cut-off; the process of the run is ended after it. */
  async function dispatching(period: string, work: (months: string[]) => Promise<void>) {
    const months: string[] = []
    const worker = await steppedWorker(env, {
      openScheduledRun({ period }: { period: string }) {
        months.push(period)
        return { runId: randomUUIDv7(), releaseReminder: 86_400 }
      },
      timeToCutoff: () => day,
    })
    await worker.runUntil(async () => {
      await work(months)
      await until(async () => (await processesOf(period)).length > 0)
      expect(await processesOf(period)).toHaveLength(1)
      await env.client.workflow.getHandle(workflowIds.settlement(period)).terminate()
    })
  }

  const isThrough = (times: number) =>
    until(async () => {
      const { info } = await described(scheduleIds.settlement)
      return info.runningActions.length === 0 && info.recentActions.length >= times
    })

  it('finds the run of a month whose firing is repeated, and starts none beside it', async () => {
    await dispatching('2026-05', async (months) => {
      for (const times of [1, 2]) {
        await catchUp(scheduleIds.settlement, '2026-06-04T02:00:00Z', '2026-06-04T04:00:00Z')
        await until(() => months.length === times)
        await isThrough(times)
      }
      expect(months).toEqual(['2026-05', '2026-05'])
    })
  })

  it('settles the quarter before the time for which it was scheduled, however late', async () => {
    const quarters: string[] = []
    const worker = await steppedWorker(env, {
      openScheduledRun({ period }: { period: string }) {
        quarters.push(period)
        return { runId: randomUUIDv7(), releaseReminder: 86_400 }
      },
      timeToCutoff: () => day,
    })
    await worker.runUntil(async () => {
      await catchUp(scheduleIds.settlementQuarterly, '2025-04-01T00:00:00Z', '2025-04-30T00:00:00Z')
      await until(() => quarters.length === 1, 20)
      await until(async () => (await processesOf('2025-03')).length > 0, 20)
      await env.client.workflow.getHandle(workflowIds.settlement('2025-03')).terminate()
    })
    expect(quarters).toEqual(['2025-Q1'])
  })

  it('settles the week before the time for which it was scheduled, beside its month', async () => {
    const weeks: string[] = []
    const worker = await steppedWorker(env, {
      openScheduledRun({ period }: { period: string }) {
        weeks.push(period)
        return { runId: randomUUIDv7(), releaseReminder: 86_400 }
      },
      timeToCutoff: () => day,
    })
    await worker.runUntil(async () => {
      await catchUp(scheduleIds.settlementWeekly, '2025-05-22T02:00:00Z', '2025-05-22T04:00:00Z')
      await until(() => weeks.length === 1, 20)
      await until(async () => (await processesOf('2025-W20')).length > 0, 20)
      await env.client.workflow.getHandle(workflowIds.settlement('2025-W20')).terminate()
    })
    expect(weeks).toEqual(['2025-W20'])
    expect(await processesOf('2025-05')).toEqual([])
  })

  it('starts nothing where the programme settles by another cadence', async () => {
    const asked: string[] = []
    const worker = await steppedWorker(env, {
      openScheduledRun({ period }: { period: string }) {
        asked.push(period)
        return null
      },
    })
    await worker.runUntil(async () => {
      await catchUp(scheduleIds.settlementQuarterly, '2025-07-01T00:00:00Z', '2025-07-30T00:00:00Z')
      await until(() => asked.length === 1, 20)
      await until(async () => {
        const { info } = await described(scheduleIds.settlementQuarterly)
        return info.runningActions.length === 0
      }, 20)
    })
    expect(asked).toEqual(['2025-Q2'])
    expect(worker.steps()).toEqual(['openScheduledRun'])
    expect(await processesOf('2025-06')).toEqual([])
  })

  it('settles the month before now when somebody triggers it', async () => {
    const last = previousPeriod(periodOf(new Date()))
    await dispatching(last, async (months) => {
      await env.client.schedule.getHandle(scheduleIds.settlement).trigger()
      await until(() => months.length === 1)
      expect(months).toEqual([last])
    })
  })
})
