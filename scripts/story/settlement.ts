/** How a month is closed: preview, the schedule's run, two persons, payouts, tiers. */
import { type Client, ScheduleOverlapPolicy } from '@temporalio/client'
import { closesAt } from '../../domain/period.ts'
import { scheduleIds, workflowIds } from '../../domain/process-names.ts'
import { eventually, type Story, StoryError } from './client.ts'

export interface Run {
  id: string
  period: string
  mode: 'preview' | 'live'
  stage: string
  totals_hash: string | null
  reviewed_by: string | null
  released_by: string | null
  problem: string | null
}

export interface Refusal {
  actor: string
  code: string
}

export interface SettledMonth {
  run: Run
  refused: Refusal[]
}

interface Owners {
  first: string
  second: string
}

/** Calculates without moving anything, and waits for the totals. */
export async function preview(story: Story, period: string, key: string): Promise<Run> {
  const { id } = await story.api<Run>('/v1/settlement-runs', {
    method: 'POST',
    key,
    body: { period, mode: 'preview' },
  })
  return reaches(story, { id, stages: ['review'], key })
}

/**
 * Fires the schedule once for the close of the period, as if its day had come, reviews and
 * releases the run, and waits until it is closed. The first person's own release is refused.
 */
export async function settle(
  story: Story,
  temporal: Client,
  month: { period: string; owners: Owners },
): Promise<SettledMonth> {
  const { period, owners } = month
  await fireSchedule(temporal, period)
  const { id } = await eventually(`the run of ${period}`, async () => {
    const runs = await story.all<Run>(`/v1/settlement-runs?period=${period}`, owners.first)
    return runs.find((run) => run.mode === 'live')
  })
  const { totals_hash } = await reaches(story, { id, stages: ['review'], key: owners.first })
  const sign = (what: 'review' | 'release', key: string) =>
    story.api<Run>(`/v1/settlement-runs/${id}/${what}`, {
      method: 'POST',
      key,
      body: { totals_hash },
    })
  const early = await refusalOf(() => sign('release', owners.second))
  await sign('review', owners.first)
  const same = await refusalOf(() => sign('release', owners.first))
  await sign('release', owners.second)
  const run = await reaches(story, { id, stages: ['closed'], key: owners.first })
  return {
    run,
    refused: [
      { actor: 'super_admin_2', code: early },
      { actor: 'super_admin', code: same },
    ],
  }
}

const minuteMs = 60_000

async function fireSchedule(temporal: Client, period: string): Promise<void> {
  // The schedule's time is 03:00 on day 4; the close of the period is 00:00 of that day.
  const due = closesAt(period).getTime() + 180 * minuteMs
  await temporal.schedule.getHandle(scheduleIds.settlement).backfill({
    start: new Date(due - minuteMs),
    // The schedule's jitter lets it fire up to five minutes late.
    end: new Date(due + 6 * minuteMs),
    overlap: ScheduleOverlapPolicy.ALLOW_ALL,
  })
}

/** The code with which a call was refused. @throws Error when it was not. */
async function refusalOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call()
  } catch (error) {
    if (error instanceof StoryError && error.code) return error.code
    throw error
  }
  throw new Error('a release was accepted that had to be refused')
}

async function reaches(
  story: Story,
  run: { id: string; stages: string[]; key: string },
): Promise<Run> {
  return eventually(
    `the run ${run.id} reaches ${run.stages.join(' or ')}`,
    async () => {
      const seen = await story.api<Run>(`/v1/settlement-runs/${run.id}`, { key: run.key })
      return run.stages.includes(seen.stage) ? seen : undefined
    },
    60_000,
  )
}

/** The review starts when the run is closed, and ends when every partner was looked at. */
export async function reviewEnds(temporal: Client, period: string): Promise<void> {
  const handle = temporal.workflow.getHandle(workflowIds.tiers(period))
  await eventually('the tier review', () =>
    handle.describe().then(
      () => true,
      () => undefined,
    ),
  )
  await handle.result()
}
