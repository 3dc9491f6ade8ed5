import type { Store } from './store.ts'

/**
 * The time of vendor objects. It runs at the speed of the real clock and may be moved away from
 * it; everything that guards a connection (signatures, tokens, links) uses Date.now instead.
 */
export interface Clock {
  offsetMs(): number
  now(): Date
}

export function createClock(store: Store): Clock {
  const offsetMs = (): number => store.get('settings', 'clock')?.offset_ms ?? 0
  return { offsetMs, now: () => new Date(Date.now() + offsetMs()) }
}

export function moveClock(store: Store, now: Date | null): void {
  const offset = now === null ? 0 : now.getTime() - Date.now()
  store.write('clock', (tx) => tx.put('settings', { id: 'clock', offset_ms: offset }))
}
