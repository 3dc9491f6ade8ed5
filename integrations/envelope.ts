/**
 * Personal fields, sealed: each organisation has data keys of its own, and what is sealed opens
 * only in the row and column that it was sealed for.
 */
import { createHmac, hkdfSync } from 'node:crypto'
import type { DataKey, KeyRing, KeyScope } from './key-ring.ts'
import { openBytes, sealBytes, sealingKeyOf, UnreadableError } from './sealed-bytes.ts'

/** Where a text is stored. */
export interface Place {
  /** The partner that it belongs to; null for the platform owner. */
  organisation: string | null
  table: string
  column: string
  /** The id of the row. */
  row: string
}

export interface Vault {
  /** Many at once need one look-up of keys. */
  sealMany(texts: { place: Place; text: string }[]): Promise<Buffer[]>
  /** @throws UnreadableError where one of them was sealed for another place, or was changed. */
  openMany(sealed: { place: Place; bytes: Uint8Array }[]): Promise<string[]>
  seal(place: Place, text: string): Promise<Buffer>
  /** @throws UnreadableError */
  open(place: Place, bytes: Uint8Array): Promise<string>
  /**
   * 32 bytes that are the same for the same text and purpose, for a unique column that finds a
   * sealed text. Whoever calls brings texts that count as one into one form. It is personal data
   * like the text itself, and erased with it.
   */
  blindIndex(text: string, purpose: string): Promise<Buffer>
}

const scopeOf = (organisation: string | null): KeyScope => ({
  purpose: 'fields',
  partnerId: organisation,
})

const indexScope: KeyScope = { purpose: 'index', partnerId: null }

const placeBytes = ({ organisation, table, column, row }: Place) =>
  Buffer.from(JSON.stringify(['field', organisation, table, column, row]))

/** The vault of these keys. */
export function createVault(ring: KeyRing): Vault {
  const sealMany: Vault['sealMany'] = async (texts) => {
    const uses = new Map<string | null, number>()
    for (const { place } of texts) {
      uses.set(place.organisation, (uses.get(place.organisation) ?? 0) + 1)
    }
    const wanted = [...uses].map(([organisation, count]) => ({
      ...scopeOf(organisation),
      uses: count,
    }))
    const keys = new Map((await ring.take(wanted)).map((key) => [key.partnerId, key]))
    return texts.map(({ place, text }) =>
      sealBytes(existing(keys.get(place.organisation)), placeBytes(place), Buffer.from(text)),
    )
  }

  const openMany: Vault['openMany'] = async (sealed) => {
    const ids = sealed.map(({ bytes }) => sealingKeyOf(bytes))
    const keys = await ring.find(ids)
    return sealed.map(({ place, bytes }, i) => {
      const key = existing(keys.get(ids[i] ?? ''))
      if (key.purpose !== 'fields' || key.partnerId !== place.organisation) {
        throw new UnreadableError('the bytes were sealed for another organisation')
      }
      return openBytes(key.key, placeBytes(place), bytes).toString()
    })
  }

  return {
    sealMany,
    openMany,
    async seal(place, text) {
      const [bytes] = await sealMany([{ place, text }])
      return bytes as Buffer
    },
    async open(place, bytes) {
      const [text] = await openMany([{ place, bytes }])
      return text as string
    },
    async blindIndex(text, purpose) {
      const [found] = await ring.take([{ ...indexScope, uses: 1 }])
      const info = JSON.stringify(['blind index', purpose])
      const key = hkdfSync('sha256', existing(found).key, '', info, 32)
      return createHmac('sha256', Buffer.from(key)).update(text).digest()
    },
  }
}

function existing(key: DataKey | undefined): DataKey {
  if (!key) throw new UnreadableError('the data key is gone: what it sealed is erased')
  return key
}
