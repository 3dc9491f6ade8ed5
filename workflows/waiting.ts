/** Waiting: for people, with reminders on the way, and for what settles by itself. */
import { condition, sleep, workflowInfo } from '@temporalio/workflow'

export interface Wait {
  /** When it began, in milliseconds; news on the way do not move the marks. */
  since: number
  /** True once there is nothing left to wait for. */
  until: () => boolean
  /** Seconds after the beginning at which to remind, in order. */
  reminders: number[]
  /** Seconds after the beginning at which to give up. */
  expiry: number
  remind: (number: number) => Promise<void>
  /** What it remembers where it is one of several waits with the same beginning. */
  memory?: WaitMemory
}

export interface WaitMemory {
  /** How many marks are behind it: those before need no word any more. */
  marks: number
}

/**
 * One timer at a time: the next reminder, and at last the expiry. Of marks that passed together,
 * while news were looked into or no worker ran, the last one alone is reminded of.
 * @returns false on expiry.
 */
export async function happensInTime(wait: Wait): Promise<boolean> {
  const { since, until, expiry, memory = { marks: 0 } } = wait
  const marks = wait.reminders.filter((mark) => mark < expiry)
  // Nobody is reminded in the moment in which the wait begins.
  const atOnce = marks.filter((mark) => mark <= 0).length
  for (;;) {
    if (until()) return true
    const now = Date.now()
    if (now >= since + expiry * 1000) return false
    const passed = marks.filter((mark) => now >= since + mark * 1000).length
    if (passed > Math.max(memory.marks, atOnce)) {
      memory.marks = passed
      await wait.remind(passed)
      continue
    }
    // A timer of less than a millisecond would be none.
    const next = since + (marks[passed] ?? expiry) * 1000 - now
    if (await condition(until, Math.max(Math.ceil(next), 1))) return true
  }
}

const pauses = [2, 10, 60, 600]

/**
 * Waits before the next look at something that settles by itself: soon at first, then ever more
 * seldom, so that a vendor that is away for days does not fill the history.
 */
export function pauseAfter(round: number, longestSeconds: number): Promise<void> {
  return sleep(Math.min(pauses[round] ?? longestSeconds, longestSeconds) * 1000)
}

/** The instant so many seconds from now, as it crosses to activities. */
export function instantIn(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString()
}

/** Whether what waits for weeks, with a look each hour, should go on in a new history. */
export function hasLongHistory(): boolean {
  return workflowInfo().historyLength > 1_500
}
