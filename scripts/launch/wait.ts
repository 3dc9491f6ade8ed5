import { setTimeout as delay } from 'node:timers/promises'

export interface PollOptions {
  everyMs: number
  timeoutMs: number
}

/** Asks until the answer is something other than undefined; undefined means the time is up. */
export async function poll<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  { everyMs, timeoutMs }: PollOptions,
): Promise<T | undefined> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() >= deadline) return undefined
    await delay(everyMs)
  }
}
