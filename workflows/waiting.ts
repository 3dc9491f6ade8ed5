/** Waiting: for people, with reminders on the way, and for what settles by itself. */
import { condition, sleep } from '@temporalio/workflow'

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
}

/**
 * One timer at a time: the next reminder, and at last the expiry. A mark that has passed, in an
 * earlier wait or while no worker ran, is left out. @returns false on expiry.
 */
export async function happensInTime(wait: Wait): Promise<boolean> {
  const marks = wait.reminders.filter((mark) => mark < wait.expiry)
  for (const [index, mark] of [...marks, wait.expiry].entries()) {
    if (wait.until()) return true
    const left = wait.since + mark * 1000 - Date.now()
    if (left <= 0) continue
    if (await condition(wait.until, left)) return true
    if (index < marks.length) await wait.remind(index + 1)
  }
  return wait.until()
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
