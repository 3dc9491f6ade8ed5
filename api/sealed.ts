/** Encrypts stored answers: some show a secret that is kept nowhere else. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const ivLength = 12
const tagLength = 16

function keyFrom(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'tributary stored answers', 32))
}

/** @param place what the text belongs to; it opens nowhere else. */
export function seal(text: string, place: string, secret: string): Buffer {
  const iv = randomBytes(ivLength)
  const cipher = createCipheriv('aes-256-gcm', keyFrom(secret), iv).setAAD(Buffer.from(place))
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), body])
}

/** @throws Error when the bytes, the place or the secret are not those of the sealing. */
export function unseal(sealed: Buffer, place: string, secret: string): string {
  const iv = sealed.subarray(0, ivLength)
  const decipher = createDecipheriv('aes-256-gcm', keyFrom(secret), iv)
  decipher.setAAD(Buffer.from(place))
  decipher.setAuthTag(sealed.subarray(ivLength, ivLength + tagLength))
  const body = sealed.subarray(ivLength + tagLength)
  return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
}
