/** A bell for many: those who ring while it rings share the next time. */
import { setTimeout as pause } from 'node:timers/promises'

/**
 * @param ring wakes whoever works on what is committed by now.
 * @param restMs between the end of one ring and the next.
 * @returns a bell; its promise is that of a ring that began after it was asked for.
 */
export function rungTogether(ring: () => Promise<void>, restMs: number): () => Promise<void> {
  let last: Promise<unknown> = Promise.resolve()
  let next: Promise<void> | undefined
  return () => {
    if (next) return next
    const mine = last.then(() => {
      next = undefined
      const rung = ring()
      last = rung.then(
        () => pause(restMs),
        () => undefined,
      )
      return rung
    })
    next = mine
    return mine
  }
}
