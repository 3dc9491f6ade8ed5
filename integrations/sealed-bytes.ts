/**
 * The form of everything that is sealed with a data key: a version, the id of the key (16 bytes),
 * the IV (12), the tag (16), the encrypted body. AES-256-GCM.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'

const version = 1
const idStart = 1
const ivStart = idStart + 16
const tagStart = ivStart + 12
const bodyStart = tagStart + 16

/** What was sealed cannot be opened here: moved, changed, or sealed with a key that is gone. */
export class UnreadableError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UnreadableError'
  }
}

const ivLength = tagStart - ivStart
let unused = Buffer.alloc(0)

/** Random bytes are drawn for many; none of them serves twice. */
function freshIv(): Buffer {
  if (unused.length === 0) unused = randomBytes(ivLength * 256)
  const iv = unused.subarray(0, ivLength)
  unused = unused.subarray(ivLength)
  return iv
}

/** @param place what the bytes belong to; they open nowhere else. */
export function sealBytes(
  { id, key }: { id: string; key: KeyObject },
  place: Buffer,
  bytes: Uint8Array,
): Buffer {
  // Random IVs: a key is replaced long before two of them are likely to be the same.
  const iv = freshIv()
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(place)
  const head = Buffer.concat([Buffer.from([version]), Buffer.from(id.replaceAll('-', ''), 'hex')])
  const body = cipher.update(bytes)
  cipher.final()
  return Buffer.concat([head, iv, cipher.getAuthTag(), body])
}

/** The id of the key that sealed these bytes. @throws UnreadableError for bytes of another form. */
export function sealingKeyOf(sealed: Uint8Array): string {
  if (sealed.length < bodyStart || sealed[0] !== version) {
    throw new UnreadableError('the bytes are not sealed, or in a form that is not known')
  }
  const hex = Buffer.from(sealed.subarray(idStart, ivStart)).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** @throws UnreadableError when the bytes, the place or the key are not those of the sealing. */
export function openBytes(key: KeyObject, place: Buffer, sealed: Uint8Array): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(ivStart, tagStart), {
      authTagLength: bodyStart - tagStart,
    })
    decipher.setAAD(place)
    decipher.setAuthTag(sealed.subarray(tagStart, bodyStart))
    return Buffer.concat([decipher.update(sealed.subarray(bodyStart)), decipher.final()])
  } catch {
    throw new UnreadableError('the bytes were sealed for another place, or have been changed')
  }
}
