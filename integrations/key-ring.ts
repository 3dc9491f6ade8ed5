/**
 * Data keys in use: fetched from where they are stored, unwrapped, and kept for minutes. Every
 * sealing is counted against its key, in portions that are reserved beforehand, so that all
 * processes together replace a key long before its random IVs could repeat.
 */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import type { KeyEncryption, WrappedKey } from './key-encryption.ts'

/** `fields` are columns, `histories` what the engine stores, `index` makes blind indexes. */
export type KeyPurpose = 'fields' | 'histories' | 'index'

export interface KeyScope {
  purpose: KeyPurpose
  /** Null is the platform owner. */
  partnerId: string | null
}

export interface StoredDataKey extends KeyScope, WrappedKey {
  id: string
}

export type ReservedUses = KeyScope & { uses: number }

/** Where wrapped keys are kept; every call is a transaction of its own, committed on return. */
export interface DataKeyStore {
  /** Keys by id, also those that seal no more; what is gone is left out. */
  find(ids: string[]): Promise<StoredDataKey[]>
  /** Counts uses on the current key of each scope; a scope without one is left out. */
  reserve(wanted: ReservedUses[]): Promise<StoredDataKey[]>
  /** Adds the first key of a scope; where there is a current one by now, nothing happens. */
  record(key: KeyScope & WrappedKey): Promise<void>
}

export interface DataKey extends KeyScope {
  id: string
  key: KeyObject
}

export interface KeyRing {
  /** The current key of each scope, in this order, for so many sealings; each scope once. */
  take(wanted: ReservedUses[]): Promise<DataKey[]>
  /** Keys by id; one that is gone is not in the map. */
  find(ids: Iterable<string>): Promise<Map<string, DataKey>>
}

export interface KeyRingOptions {
  keyEncryption: KeyEncryption
  store: DataKeyStore
  /** How many sealings one reservation is for. */
  portion?: number
  /** How long a key is used without asking for it again, and how many are kept. */
  keptMs?: number
  keptKeys?: number
  now?: () => number
}

interface Lease {
  key: DataKey
  left: number
  /** Taken while the store did not answer; counted when it does again. */
  owed: number
  until: number
}

interface KnownKey {
  key: DataKey
  until: number
}

/** A store that does not answer is asked again after this time; keys that we have serve on. */
const retryMs = 1_000

export function createKeyRing(options: KeyRingOptions): KeyRing {
  const { keptMs = 300_000, keptKeys = 2_000, portion = 4_096, now = Date.now } = options
  const leases = bounded<Lease>(keptKeys)
  const known = bounded<KnownKey>(keptKeys)
  const renewals = new Map<string, Promise<void>>()
  const searches = new Map<string, Promise<void>>()

  const unwrapped = async (stored: StoredDataKey): Promise<DataKey> => {
    const { id, purpose, partnerId } = stored
    const before = known.get(id)
    if (before) {
      known.set(id, { ...before, until: now() + keptMs })
      return before.key
    }
    const bytes = await options.keyEncryption.unwrap(stored, meaningOf(stored))
    const key = { id, purpose, partnerId, key: createSecretKey(bytes) }
    bytes.fill(0)
    known.set(id, { key, until: now() + keptMs })
    return key
  }

  const renew = async (wanted: ReservedUses[]): Promise<void> => {
    const grants = new Map(wanted.map((one) => [nameOf(one), Math.max(portion, one.uses)]))
    const asked = wanted.map((scope) => {
      const name = nameOf(scope)
      const { left = 0, owed = 0 } = leases.get(name) ?? {}
      return { ...scope, uses: (grants.get(name) ?? 0) + owed - Math.min(0, left) }
    })
    for (const stored of await reserveOrMake(options, asked)) {
      const key = await unwrapped(stored)
      const left = grants.get(nameOf(stored)) ?? 0
      leases.set(nameOf(stored), { key, left, owed: 0, until: now() + keptMs })
    }
  }

  const search = async (ids: string[]): Promise<void> => {
    const stored = await options.store.find(ids)
    for (const id of ids) if (!stored.some((key) => key.id === id)) known.delete(id)
    await Promise.all(stored.map(unwrapped))
  }

  return {
    async take(wanted) {
      const lacking = wanted.filter((scope) => {
        const lease = leases.get(nameOf(scope))
        return !lease || lease.left < scope.uses || lease.until <= now()
      })
      await orStale(shared(renewals, lacking, { nameOf, work: renew }), () => {
        const held = lacking.flatMap((scope) => leases.get(nameOf(scope)) ?? [])
        for (const lease of held) {
          lease.until = now() + retryMs
          lease.left += portion
          lease.owed += portion
        }
        return held.length === lacking.length
      })
      return wanted.map((scope) => {
        const lease = leases.get(nameOf(scope))
        if (!lease) throw new Error('there is no data key to seal with')
        lease.left -= scope.uses
        return lease.key
      })
    },

    async find(ids) {
      const wanted = [...new Set(ids)]
      const lacking = wanted.filter((id) => (known.get(id)?.until ?? 0) <= now())
      await orStale(shared(searches, lacking, { nameOf: (id) => id, work: search }), () => {
        const held = lacking.flatMap((id) => known.get(id) ?? [])
        for (const entry of held) entry.until = now() + retryMs
        return held.length === lacking.length
      })
      return new Map(
        wanted.flatMap((id) => {
          const entry = known.get(id)
          return entry ? [[id, entry.key] as const] : []
        }),
      )
    },
  }
}

const nameOf = ({ purpose, partnerId }: KeyScope) => `${purpose}:${partnerId ?? 'platform'}`

/** What a wrapped key is bound to: under the row of another organisation it does not unwrap. */
export const meaningOf = ({ purpose, partnerId }: KeyScope) =>
  JSON.stringify(['data key', purpose, partnerId])

/** A key that was just made may be retired before it is used; that happens once, not for ever. */
const mostAttempts = 5

/** The current key of every scope; a scope without one gets one. */
async function reserveOrMake(
  { store, keyEncryption }: KeyRingOptions,
  wanted: ReservedUses[],
): Promise<StoredDataKey[]> {
  const found = await store.reserve(wanted)
  let missing = without(wanted, found)
  for (let attempt = 0; missing.length > 0; attempt++) {
    if (attempt === mostAttempts) throw new Error('a data key could not be made')
    for (const { purpose, partnerId } of missing) {
      const bytes = randomBytes(32)
      const scope = { purpose, partnerId }
      await store.record({ ...scope, ...(await keyEncryption.wrap(bytes, meaningOf(scope))) })
      bytes.fill(0)
    }
    // Another process may have been first: what is stored counts.
    found.push(...(await store.reserve(missing)))
    missing = without(wanted, found)
  }
  return found
}

function without(wanted: ReservedUses[], found: StoredDataKey[]): ReservedUses[] {
  const has = new Set(found.map(nameOf))
  return wanted.filter((scope) => !has.has(nameOf(scope)))
}

/** Runs `work` once for what several ask for at the same time. */
async function shared<T>(
  running: Map<string, Promise<void>>,
  wanted: T[],
  { nameOf, work }: { nameOf: (one: T) => string; work: (some: T[]) => Promise<void> },
): Promise<void> {
  const fresh = wanted.filter((one) => !running.has(nameOf(one)))
  const waiting = new Set(wanted.flatMap((one) => running.get(nameOf(one)) ?? []))
  if (fresh.length > 0) {
    const done = work(fresh).finally(() => {
      for (const one of fresh) running.delete(nameOf(one))
    })
    for (const one of fresh) running.set(nameOf(one), done)
    waiting.add(done)
  }
  await Promise.all(waiting)
}

async function orStale(work: Promise<void>, isServed: () => boolean): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!isServed()) throw error
  }
}

/** Of many the least recently used are forgotten. */
function bounded<T>(most: number) {
  const entries = new Map<string, T>()
  return {
    get(name: string): T | undefined {
      const entry = entries.get(name)
      if (entry !== undefined) {
        entries.delete(name)
        entries.set(name, entry)
      }
      return entry
    },
    set(name: string, entry: T): void {
      entries.delete(name)
      entries.set(name, entry)
      const [oldest] = entries.keys()
      if (entries.size > most && oldest !== undefined) entries.delete(oldest)
    },
    delete(name: string): void {
      entries.delete(name)
    },
  }
}
