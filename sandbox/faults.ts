import type { Fault, FaultKind, Vendor } from './fault-kinds.ts'
import { newId } from './ids.ts'
import type { Tx } from './store.ts'

export interface FaultOrder {
  vendor: Vendor
  kind: FaultKind
  rate?: number | undefined
  count?: number | undefined
  path?: string | undefined
  ms?: number | undefined
  stored?: boolean | undefined
}

export function armFault(tx: Tx, order: FaultOrder): Fault {
  const { rate, count } = order
  return tx.put('faults', {
    id: newId('fault', 12),
    vendor: order.vendor,
    kind: order.kind,
    rate: rate ?? 1,
    count: count ?? (rate === undefined ? 1 : null),
    path: order.path ?? null,
    ms: order.ms ?? null,
    stored: order.stored ?? false,
    fired: 0,
  })
}

export interface FaultQuery {
  vendor: Vendor
  kind: FaultKind
  /** A request's path or an event's type. */
  path: string
  /** Asks only for faults that name this path, never for those that hit everything. */
  named?: boolean
}

export interface Faults {
  /** Answers the fault that strikes now, after counting it. */
  take(tx: Tx, query: FaultQuery): Fault | null
  /** A number in [0, 1) from the seeded generator. */
  random(): number
}

export function createFaults(seed: number): Faults {
  const random = seededRandom(seed)
  return {
    random,
    take(tx, query) {
      for (const fault of tx.all('faults')) {
        if (!matches(fault, query) || random() >= fault.rate) continue
        const count = fault.count === null ? null : fault.count - 1
        return tx.put('faults', { ...fault, count, fired: fault.fired + 1 })
      }
      return null
    },
  }
}

function matches(fault: Fault, query: FaultQuery): boolean {
  if (fault.vendor !== query.vendor || fault.kind !== query.kind) return false
  if (fault.count === 0) return false
  return fault.path === null ? query.named !== true : query.path.startsWith(fault.path)
}

/** Mulberry32: small, and the same faults strike again under the same seed. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
