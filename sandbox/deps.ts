import type { Clock } from './clock.ts'
import type { Faults } from './faults.ts'
import type { DocusignSettings, StripeSettings } from './options.ts'
import type { Store, Tx } from './store.ts'

/** What every part of the sandbox is given. */
export interface Deps {
  store: Store
  clock: Clock
  faults: Faults
  stripe: StripeSettings
  docusign: DocusignSettings | null
  /** The address of the HTTP listener, without a slash at its end. */
  url(): string
  note(message: string): void
}

/** One change of the sandbox's state: what is written through `tx` is kept together. */
export interface Work {
  tx: Tx
  deps: Deps
  /** The sandbox's time as vendors write it. */
  seconds: number
  iso: string
  /** The API request that caused the change; null for a click or a control call. */
  request: { id: string; idempotency_key: string | null } | null
}

export function workOn(deps: Deps, tx: Tx, request: Work['request'] = null): Work {
  const now = deps.clock.now()
  const seconds = Math.floor(now.getTime() / 1000)
  return { tx, deps, seconds, iso: now.toISOString(), request }
}

/** Runs a change that no API request asked for. */
export function change<T>(deps: Deps, what: string, act: (work: Work) => T): T {
  return deps.store.write(what, (tx) => act(workOn(deps, tx)))
}
