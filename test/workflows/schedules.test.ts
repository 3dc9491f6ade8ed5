/** What begins by the clock: the schedules as the server has them, and what they start. */
import { randomUUIDv7 } from 'node:crypto'
import { ScheduleOverlapPolicy } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { scheduleIds, workflowIds, workflowTypes } from '../../domain/process-names.ts'
import { ensureSchedules } from '../../worker/schedules.ts'
import { joinDevServer, steppedWorker, until } from '../support/processes.ts'

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
    id: scheduleIds.rescreening,
    type: workflowTypes.rescreening,
    spec: daily(2, 0),
    overlap: ScheduleOverlapPolicy.SKIP,
    catchupWindow: day,
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

describe('a schedule that is triggered', () => {
  it('starts the daily round of verification, once while one is at work', async () => {
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const worker = await steppedWorker(env, {
      async recoverVerificationEvents() {
        await gate
        return { found: 0 }
      },
      recheckVerifications: () => ({ last: null, done: 0 }),
      redactVerifications: () => ({ last: null, done: 0 }),
    })
    await worker.runUntil(async () => {
      const handle = env.client.schedule.getHandle(scheduleIds.verificationUpkeep)
      await handle.trigger()
      await worker.ran('recoverVerificationEvents')
      await handle.trigger()
      await until(async () => (await handle.describe()).info.numActionsSkippedOverlap === 1, 20)
      open()
      await worker.ran('redactVerifications')
    })
    expect(worker.steps().filter((step) => step === 'recoverVerificationEvents')).toHaveLength(1)
    const query = `WorkflowType = '${workflowTypes.verificationUpkeep}'`
    const ids: string[] = []
    for await (const { workflowId } of env.client.workflow.list({ query })) ids.push(workflowId)
    expect(ids).toEqual([expect.stringContaining(workflowIds.verificationUpkeep)])
  })

  it('keeps the second closing of a month until the first one is through', async () => {
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    let rounds = 0
    const worker = await steppedWorker(env, {
      async openScheduledRun() {
        rounds += 1
        await gate
        return { runId: randomUUIDv7(), releaseReminder: 86_400 }
      },
    })
    await worker.runUntil(async () => {
      const handle = env.client.schedule.getHandle(scheduleIds.settlement)
      await handle.trigger()
      await until(() => rounds === 1, 20)
      await handle.trigger()
      await until(async () => (await handle.describe()).raw.info?.bufferSize?.toNumber() === 1, 20)
      expect(rounds).toBe(1)
      open()
      await until(() => rounds === 2, 30)
    })
  })
})
