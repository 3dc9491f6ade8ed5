/**
 * Keys that encrypt keys (KEKs). They never meet data: they wrap the data keys that are stored in
 * the database. Two providers read them from settings; a key management service is a third one.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'

export interface WrappedKey {
  kekId: string
  wrapped: Buffer
}

/**
 * What a provider does. A key management service fits: `wrap` is its encrypt with `associatedData`
 * as encryption context, `unwrap` its decrypt, and a KEK id is the id of one version of its key.
 */
export interface KeyEncryption {
  /** The KEK that wraps from now on. */
  readonly currentKekId: string
  /** @param associatedData what the data key is for; it is unwrapped for nothing else. */
  wrap(dataKey: Buffer, associatedData: string): Promise<WrappedKey>
  /** @throws Error where the KEK is not known, or the bytes are not what it wrapped. */
  unwrap(wrapped: WrappedKey, associatedData: string): Promise<Buffer>
}

export interface Kek {
  id: string
  /** 32 bytes. */
  key: KeyObject
}

export interface KekSettings {
  /** The first one is the current one. */
  keks: Kek[]
  /** Reads them again where they may have changed since; null where they cannot. */
  reread: (() => Kek[]) | null
}

/** The provider for these settings. */
export function keyEncryptionOf({ keks, reread }: KekSettings): KeyEncryption {
  return reread ? fileKeyEncryption(reread) : environmentKeyEncryption(keks)
}

/** KEKs that stay as they are until the process starts again. */
export function environmentKeyEncryption(keks: Kek[]): KeyEncryption {
  return localKeyEncryption(() => keks, keks)
}

/**
 * KEKs of a file, which is read again where a key is made or an unknown one is met: a new KEK is
 * taken up without a restart.
 */
export function fileKeyEncryption(read: () => Kek[]): KeyEncryption {
  return localKeyEncryption(read, read())
}

function localKeyEncryption(reread: () => Kek[], first: Kek[]): KeyEncryption {
  let keks = first
  const current = (): Kek => {
    const [kek] = keks
    if (!kek) throw new Error('there is no key encryption key')
    return kek
  }
  const find = (id: string) => keks.find((kek) => kek.id === id)
  return {
    get currentKekId() {
      return current().id
    },
    async wrap(dataKey, associatedData) {
      keks = reread()
      const { id, key } = current()
      return { kekId: id, wrapped: encrypt(key, dataKey, boundTo(id, associatedData)) }
    },
    async unwrap({ kekId, wrapped }, associatedData) {
      if (!find(kekId)) keks = reread()
      const kek = find(kekId)
      if (!kek)
        throw new Error(`the key encryption key ${kekId} is not among those of the settings`)
      try {
        return decrypt(kek.key, wrapped, boundTo(kekId, associatedData))
      } catch {
        throw new Error(
          `the key encryption key ${kekId} of the settings does not open a data key of this ` +
            'database: another one had this id when it was made. Bring that one back; where the ' +
            'data is of development only, `npm run reset` forgets it',
        )
      }
    },
  }
}

const boundTo = (kekId: string, associatedData: string) =>
  Buffer.from(JSON.stringify([kekId, associatedData]))

const ivLength = 12
const tagLength = 16

function encrypt(key: KeyObject, text: Buffer, associatedData: Buffer): Buffer {
  const iv = randomBytes(ivLength)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(associatedData)
  const body = Buffer.concat([cipher.update(text), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), body])
}

function decrypt(key: KeyObject, bytes: Buffer, associatedData: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivLength), {
    authTagLength: tagLength,
  })
  decipher.setAAD(associatedData)
  decipher.setAuthTag(bytes.subarray(ivLength, ivLength + tagLength))
  return Buffer.concat([decipher.update(bytes.subarray(ivLength + tagLength)), decipher.final()])
}
