/** The schedules. Made or brought up to date at every start. */
import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client'
import { scheduleIds, taskQueue, workflowIds, workflowTypes } from '../domain/process-names.ts'

/**
 * Day 4, 03:00 UTC: 75 hours after the end of the month, past its close. A firing that overlaps
 * waits for its turn, because skipping it would drop a month; one that was missed is caught up
 * for three days, after which a person backfills it.
 */
const settlementPolicies: ScheduleOptions['policies'] = {
  overlap: ScheduleOverlapPolicy.BUFFER_ONE,
  catchupWindow: '3 days',
  pauseOnFailure: true,
}

/** One for each cadence; the dispatcher starts nothing for those that the programme has not. */
const settlement: ScheduleOptions = {
  scheduleId: scheduleIds.settlement,
  spec: {
    calendars: [{ comment: 'day 4 at 03:00 UTC', dayOfMonth: 4, hour: 3 }],
    timezone: 'UTC',
    jitter: '5m',
  },
  action: {
    type: 'startWorkflow',
    workflowType: workflowTypes.settlementDispatch,
    workflowId: 'settlement-dispatch',
    taskQueue,
    args: [],
  },
  policies: settlementPolicies,
}

/** The same after the end of a quarter. */
const settlementQuarterly: ScheduleOptions = {
  scheduleId: scheduleIds.settlementQuarterly,
  spec: {
    calendars: [
      {
        comment: 'day 4 after a quarter at 03:00 UTC',
        month: ['JANUARY', 'APRIL', 'JULY', 'OCTOBER'],
        dayOfMonth: 4,
        hour: 3,
      },
    ],
    timezone: 'UTC',
    jitter: '5m',
  },
  action: {
    type: 'startWorkflow',
    workflowType: workflowTypes.settlementDispatch,
    workflowId: 'settlement-dispatch-quarterly',
    taskQueue,
    args: [{ cadence: 'quarterly' }],
  },
  policies: settlementPolicies,
}

/** Thursday is as late after a week as day 4 is after a month. */
const settlementWeekly: ScheduleOptions = {
  scheduleId: scheduleIds.settlementWeekly,
  spec: {
    calendars: [{ comment: 'Thursday at 03:00 UTC', dayOfWeek: 'THURSDAY', hour: 3 }],
    timezone: 'UTC',
    jitter: '5m',
  },
  action: {
    type: 'startWorkflow',
    workflowType: workflowTypes.settlementDispatch,
    workflowId: 'settlement-dispatch-weekly',
    taskQueue,
    args: [{ cadence: 'weekly' }],
  },
  policies: settlementPolicies,
}

/**
 * 02:00 UTC. A firing that overlaps is skipped: the round before still goes on, with the lists as
 * they are by now. One that was missed is caught up within half a day.
 */
const rescreening: ScheduleOptions = {
  scheduleId: scheduleIds.rescreening,
  spec: { calendars: [{ comment: 'every night at 02:00 UTC', hour: 2 }], timezone: 'UTC' },
  action: {
    type: 'startWorkflow',
    workflowType: workflowTypes.rescreening,
    workflowId: workflowIds.rescreening,
    taskQueue,
    args: [],
  },
  policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '12 hours' },
}

const sweeper: ScheduleOptions = {
  scheduleId: scheduleIds.sweeper,
  spec: { intervals: [{ every: '1 minute' }] },
  action: {
    type: 'startWorkflow',
    workflowType: workflowTypes.sweeper,
    workflowId: workflowIds.sweeper,
    taskQueue,
    args: [],
  },
  policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
}

/** Once a day; one that is still at work when the next is due is left to finish. */
const verificationUpkeep: ScheduleOptions = {
  scheduleId: scheduleIds.verificationUpkeep,
  spec: {
    calendars: [{ comment: 'every day at 04:30 UTC', hour: 4, minute: 30 }],
    timezone: 'UTC',
    jitter: '10m',
  },
  action: {
    type: 'startWorkflow',
    workflowType: workflowTypes.verificationUpkeep,
    workflowId: workflowIds.verificationUpkeep,
    taskQueue,
    args: [],
  },
  policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 day' },
}

/** Once a day; while Stripe cannot be read, the round of the day before is still at it. */
const reconciliation: ScheduleOptions = {
  scheduleId: scheduleIds.reconciliation,
  spec: {
    calendars: [{ comment: 'every day at 05:00 UTC', hour: 5 }],
    timezone: 'UTC',
    jitter: '5m',
  },
  action: {
    type: 'startWorkflow',
    workflowType: workflowTypes.reconciliation,
    workflowId: workflowIds.reconciliation,
    taskQueue,
    args: [],
  },
  policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 day' },
}

const schedules = [
  settlement,
  settlementQuarterly,
  settlementWeekly,
  rescreening,
  sweeper,
  verificationUpkeep,
  reconciliation,
]

/** Creates what is missing and updates what is there; a pause that a person set stays. */
export async function ensureSchedules(client: Client): Promise<void> {
  for (const schedule of schedules) {
    try {
      await client.schedule.create(schedule)
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error
      const { spec, action, policies } = schedule
      await client.schedule
        .getHandle(schedule.scheduleId)
        .update((current) => ({ ...current, spec, action, ...(policies ? { policies } : {}) }))
    }
  }
}
