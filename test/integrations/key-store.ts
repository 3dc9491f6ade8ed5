/** A store of data keys in memory, and keys that encrypt keys, for tests without a database. */
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import type { Kek } from '../../integrations/key-encryption.ts'
import type { DataKeyStore, StoredDataKey } from '../../integrations/key-ring.ts'

export const makeKek = (id: string): Kek => ({ id, key: createSecretKey(randomBytes(32)) })

export interface MemoryStore extends DataKeyStore {
  rows: (StoredDataKey & { uses: number; retired: boolean })[]
  /** How often each function was called. */
  calls: { find: number; reserve: number; record: number }
  /** While true, nothing answers. */
  away: boolean
}

export function memoryStore(most = Number.POSITIVE_INFINITY): MemoryStore {
  const store: MemoryStore = {
    rows: [],
    calls: { find: 0, reserve: 0, record: 0 },
    away: false,
    async find(ids) {
      answer('find')
      return store.rows.filter(({ id }) => ids.includes(id))
    },
    async reserve(wanted) {
      answer('reserve')
      return wanted.flatMap(({ purpose, partnerId, uses }) => {
        const row = currentOf(purpose, partnerId)
        if (!row) return []
        row.uses += uses
        row.retired = row.uses >= most
        return [row]
      })
    },
    async record(key) {
      answer('record')
      if (currentOf(key.purpose, key.partnerId)) return
      store.rows.push({ ...key, id: randomUUID(), uses: 0, retired: false })
    },
  }
  const answer = (name: keyof MemoryStore['calls']) => {
    store.calls[name] += 1
    if (store.away) throw new Error('the store is away')
  }
  const currentOf = (purpose: string, partnerId: string | null) =>
    store.rows.find((row) => row.purpose === purpose && row.partnerId === partnerId && !row.retired)
  return store
}
