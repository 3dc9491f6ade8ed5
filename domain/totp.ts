/**
 * Codes of authenticator apps (RFC 6238: SHA-1, 6 digits, steps of 30 seconds). The keyed hash is
 * a parameter, because the rules import nothing.
 */

/** HMAC-SHA-1 under the secret: 20 bytes of these 8. */
export type CodeHash = (counter: Uint8Array) => Uint8Array

export const stepSeconds = 30
const digits = 6

/** The number of the time step at an instant. */
export function stepAt(instant: Date): number {
  return Math.floor(instant.getTime() / 1000 / stepSeconds)
}

/** The code of a step; RFC 4226 says which four of the twenty bytes it is made of. */
export function codeAt(hash: CodeHash, step: number, length = digits): string {
  const counter = new DataView(new ArrayBuffer(8))
  counter.setBigUint64(0, BigInt(step))
  const mac = hash(new Uint8Array(counter.buffer))
  const start = (mac[mac.length - 1] ?? 0) & 15
  const word = new DataView(mac.buffer, mac.byteOffset + start, 4).getUint32(0) & 0x7fffffff
  return String(word % 10 ** length).padStart(length, '0')
}

/**
 * The step whose code this is: the present one, or one to either side for clocks that are off.
 * Steps up to `lastStep` are spent. Every candidate is compared, whichever is right.
 */
export function stepOfCode(
  code: string,
  given: { hash: CodeHash; now: Date; lastStep: number },
): number | undefined {
  const present = stepAt(given.now)
  const candidates = [present - 1, present, present + 1]
  const right = candidates.filter((step) => codeAt(given.hash, step) === code)
  return right.find((step) => step > given.lastStep)
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Base 32 as apps read it (RFC 4648), without padding. */
export function base32(bytes: Uint8Array): string {
  let bits = ''
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0')
  const groups = bits.match(/.{1,5}/g) ?? []
  return groups.map((group) => alphabet.charAt(parseInt(group.padEnd(5, '0'), 2))).join('')
}

/** What an app makes an entry of; usually shown as a picture. */
export function otpauthUri(entry: { issuer: string; account: string; secret: string }): string {
  const label = `${encodeURIComponent(entry.issuer)}:${encodeURIComponent(entry.account)}`
  const issuer = encodeURIComponent(entry.issuer)
  return (
    `otpauth://totp/${label}?secret=${entry.secret}&issuer=${issuer}` +
    `&algorithm=SHA1&digits=${digits}&period=${stepSeconds}`
  )
}
