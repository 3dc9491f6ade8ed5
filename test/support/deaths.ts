/** A worker that dies when a step is done, and at the first of a kind before it has begun. */
import { activityInfo } from '@temporalio/activity'
import { ApplicationFailure } from '@temporalio/common'
import type { Activities } from '../../activities/index.ts'

type StepName = keyof Activities

export interface Deaths {
  around: (steps: Activities) => Activities
  /** How often each step died before its work, and how often after it. */
  counts: Map<string, { before: number; after: number }>
  /** The vendor refuses this step for good, so many times, once the process is named. */
  refuse(step: StepName, workflowId: string, times: number): void
  /** Nobody begins this step until what is returned is called. */
  hold(step: StepName): () => void
}

type Step = (input: unknown) => Promise<unknown>

/** To the process a lost worker is a try without an answer; the next follows at once here. */
const lost = () =>
  ApplicationFailure.create({ type: 'lost', message: 'lost', nextRetryDelay: '10 ms' })

const refused = () =>
  ApplicationFailure.create({
    type: 'vendor_refused',
    message: 'vendor_refused',
    nonRetryable: true,
  })

export function deaths(): Deaths {
  const counts: Deaths['counts'] = new Map()
  const done = new Set<string>()
  const refusals = new Map<string, number>()
  const held = new Map<string, Promise<void>>()

  function isRefused(name: string): boolean {
    const key = `${name} ${activityInfo().workflowExecution?.workflowId}`
    const left = refusals.get(key) ?? 0
    refusals.set(key, left - 1)
    return left > 0
  }

  async function die(name: string, run: () => Promise<unknown>): Promise<unknown> {
    const count = counts.get(name) ?? { before: 0, after: 0 }
    counts.set(name, count)
    await held.get(name)
    if (count.before === 0) {
      count.before += 1
      throw lost()
    }
    const { workflowExecution, activityId } = activityInfo()
    const call = `${workflowExecution?.workflowId} ${workflowExecution?.runId} ${activityId}`
    if (!done.has(call)) {
      await run()
      // What failed by itself has no work that could be lost.
      done.add(call)
      count.after += 1
      throw lost()
    }
    if (isRefused(name)) throw refused()
    return run()
  }

  return {
    counts,
    around: (steps) =>
      Object.fromEntries(
        Object.entries(steps).map(([name, step]) => [
          name,
          (input: unknown) => die(name, () => (step as Step)(input)),
        ]),
      ) as unknown as Activities,
    refuse(step, workflowId, times) {
      refusals.set(`${step} ${workflowId}`, times)
    },
    hold(step) {
      const { promise, resolve } = Promise.withResolvers<void>()
      held.set(step, promise)
      return resolve
    },
  }
}
