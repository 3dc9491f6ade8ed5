/** Waiting for people: until it has happened or the time is up, with reminders on the way. */
import { condition } from '@temporalio/workflow'

export interface Wait {
  /** True once there is nothing left to wait for. */
  until: () => boolean
  /** Seconds after the start at which to remind, in order. */
  reminders: number[]
  /** Seconds after the start at which to give up. */
  expiry: number
  remind: (number: number) => Promise<void>
}

/** One timer at a time: the next reminder, and at last the expiry. @returns false on expiry. */
export async function happensInTime(wait: Wait): Promise<boolean> {
  const start = Date.now()
  const marks = wait.reminders.filter((mark) => mark < wait.expiry)
  for (const [index, mark] of [...marks, wait.expiry].entries()) {
    const left = start + mark * 1000 - Date.now()
    if (left > 0 && (await condition(wait.until, left))) return true
    if (wait.until()) return true
    if (index < marks.length) await wait.remind(index + 1)
  }
  return wait.until()
}

/** The instant so many seconds from now, as it crosses to activities. */
export function instantIn(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString()
}
