/** `bench settlement`: the close of a month up to its review, beside the bare SQL of its rows. */
import { execFileSync } from 'node:child_process'
import type { Client } from '@temporalio/client'
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common'
import { sql } from 'kysely'
import type { Db } from '../db/database.ts'
import { checkInvariants } from '../db/invariants.ts'
import { closesAt } from '../domain/period.ts'
import { scheduleIds, taskQueue, workflowIds, workflowTypes } from '../domain/process-names.ts'
import type { LauncherEnvironment } from '../scripts/launch/environment.ts'
import type { Progress } from '../scripts/launch/progress.ts'
import { poll } from '../scripts/launch/wait.ts'
import { withDatabase } from '../scripts/stack/database.ts'
import { openStackClient } from '../scripts/stack/sealing.ts'
import { startThrowaway, type ThrowawayStack } from '../scripts/stack/throwaway.ts'
import type { WorldSize } from './accruals-world.ts'
import { type Cost, costOf } from './history-costs.ts'
import { machine, median, rotated, rounded, spread, timed } from './rounds.ts'
import { benchPayouts } from './settlement-payouts.ts'
import { draftFloor, makeMonth, period, printOf, reopenMonth } from './settlement-world.ts'

export interface SettlementBench extends WorldSize {
  env: LauncherEnvironment
  progress: Progress
  rounds: number
}

interface Parts {
  stack: ThrowawayStack
  temporal: Client
  db: Db
  progress: Progress
}

interface Round {
  floor: number
  control: number
  ours: number
}

interface Closed {
  size: WorldSize
  found: Round[]
  cost: Cost & { longest: number }
  memory: number
  invariants: number
  versions: Pick<ThrowawayStack, 'database' | 'temporal'>
}

type Variant = keyof Round

const patienceMs = 600_000

/** A hundredth and a tenth of the partners are closed as well, each in a world of its own. */
export async function benchSettlement(options: SettlementBench) {
  const { lines, partners } = options
  const found: Closed[] = []
  for (const part of [100, 10, 1]) {
    const size = {
      lines: Math.max(1, Math.floor(lines / part)),
      partners: Math.max(1, Math.floor(partners / part)),
    }
    found.push(await closeOf(options, size))
  }
  const { env, progress } = options
  const few = Math.max(10, Math.floor(partners / 100))
  return { ...report(found), payouts: await benchPayouts({ env, progress, partners: few }) }
}

async function closeOf({ env, progress, rounds }: SettlementBench, size: WorldSize) {
  const stack = await startThrowaway({ env, progress, name: 'bench', programme: { rules: [] } })
  const { temporal, close } = openStackClient(stack)
  try {
    // What else runs by the minute would be measured with it.
    for (const id of [scheduleIds.sweeper, scheduleIds.settlement]) {
      await temporal.schedule.getHandle(id).pause()
    }
    return await withDatabase(stack.database.url, async ({ db }) => {
      const parts = { stack, temporal, db, progress }
      const step = progress.step('world', `${size.lines} lines of ${size.partners} partners`)
      await makeMonth(db, size)
      step.done()
      return measure(parts, { size, rounds })
    })
  } finally {
    await close()
    await stack.stop()
  }
}

async function measure(
  parts: Parts,
  { size, rounds }: { size: WorldSize; rounds: number },
): Promise<Closed> {
  const { db, stack, progress } = parts
  const found: Round[] = []
  let cost = { events: 0, actions: 0, activities: 0, longest: 0 }
  let invariants = 0
  const memory = watchMemory(stack)
  for (let round = 0; round < rounds; round++) {
    const figures: Round = { floor: 0, control: 0, ours: 0 }
    const prints = new Set<string>()
    for (const variant of rotated<Variant>(['floor', 'ours', 'control'], round)) {
      await reopenMonth(db)
      const step = progress.step(`round ${round + 1}`, variant)
      if (variant === 'ours') {
        const dispatch = `bench-dispatch-${round}`
        figures.ours = await timed(() => closeMonth(parts, dispatch))
        cost = await costOfClose(parts, dispatch)
        prints.add(await printOf(db, 'public'))
        if (round === 0) invariants = await proven(db)
        await parts.temporal.workflow.getHandle(workflowIds.settlement(period)).terminate()
      } else {
        figures[variant] = await timed(() => draftFloor(db))
        prints.add(await printOf(db, 'floor'))
      }
      step.done(`${rounded(figures[variant])} s`)
    }
    if (prints.size !== 1) throw new Error(`the rows differ: ${[...prints].join(', ')}`)
    found.push(figures)
  }
  return { size, found, cost, memory: memory.most(), invariants, versions: stack }
}

const scheduledAt = defineSearchAttributeKey(
  'TemporalScheduledStartTime',
  SearchAttributeType.DATETIME,
)

/** What the schedule does on its day; ends when the run waits for its review. */
async function closeMonth({ temporal, db }: Parts, workflowId: string): Promise<void> {
  await temporal.workflow.start(workflowTypes.settlementDispatch, {
    workflowId,
    taskQueue,
    typedSearchAttributes: [{ key: scheduledAt, value: closesAt(period) }],
  })
  const reached = await poll(
    async () => {
      const { rows } = await sql<{ stage: string; problem: string | null }>`
        select stage, problem from settlement_runs`.execute(db)
      if (rows[0]?.problem) throw new Error(rows[0].problem)
      return rows[0]?.stage === 'review' ? true : undefined
    },
    { everyMs: 50, timeoutMs: patienceMs },
  )
  if (!reached) throw new Error('the run did not come to its review')
}

/** What a close cost up to its review: its dispatch, and the processes that this one started. */
async function costOfClose({ temporal }: Parts, dispatch: string) {
  const total = { events: 0, actions: 0, activities: 0, longest: 0 }
  const waiting: { workflowId: string; runId?: string }[] = [{ workflowId: dispatch }]
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const history = await temporal.workflow.getHandle(next.workflowId, next.runId).fetchHistory()
    const { events, actions, activities } = costOf(history)
    total.events += events
    total.actions += actions
    total.activities += activities
    total.longest = Math.max(total.longest, events)
    for (const { childWorkflowExecutionStartedEventAttributes: child } of history.events ?? []) {
      const { workflowId, runId } = child?.workflowExecution ?? {}
      if (workflowId && runId) waiting.push({ workflowId, runId })
    }
  }
  return total
}

/** @throws Error where the books break an invariant. */
async function proven(db: Db): Promise<number> {
  const { checked, violations } = await checkInvariants(db)
  if (violations.length > 0) throw new Error(`the books are broken: ${JSON.stringify(violations)}`)
  return checked
}

/** The most memory that the worker has had, in MB; the system is asked four times a second. */
function watchMemory(stack: ThrowawayStack) {
  const pid = stack.processes().find(({ name }) => name === 'worker')?.pid
  let most = 0
  const look = () => {
    const kilobytes = Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], utf8).trim())
    most = Math.max(most, kilobytes / 1024)
  }
  const timer = setInterval(look, 250)
  return {
    most: () => {
      clearInterval(timer)
      look()
      return most
    },
  }
}

const utf8 = { encoding: 'utf8' } as const

function report(closes: Closed[]) {
  const whole = closes.at(-1)
  if (!whole) throw new Error('nothing was measured')
  const { size, found, cost, memory, invariants, versions } = whole
  const seconds = (which: Variant, rounds: Round[]) => rounds.map((round) => round[which])
  return {
    floor_s: rounded(median(seconds('floor', found))),
    close_s: rounded(median(seconds('ours', found))),
    ratio: rounded(median(found.map(({ ours, floor }) => ours / floor))),
    history_events: cost.events,
    longest_history: Math.max(...closes.map((one) => one.cost.longest)),
    actions: cost.actions,
    actions_per_partner: cost.actions / size.partners,
    events_per_partner: cost.events / size.partners,
    node_rss_mb: Math.round(memory),
    by_size: closes.map((one) => ({
      partners: one.size.partners,
      close_s: rounded(median(seconds('ours', one.found))),
    })),
    spread: {
      ratio: spread(found.map(({ ours, floor }) => ours / floor)),
      control_ratio: spread(found.map(({ control, floor }) => control / floor)),
      close_s: spread(seconds('ours', found)),
      floor_s: spread(seconds('floor', found)),
    },
    partners: size.partners,
    lines: size.lines,
    rounds: found.length,
    invariants,
    machine: machine(versions.database.version),
    temporal: versions.temporal.version,
  }
}
