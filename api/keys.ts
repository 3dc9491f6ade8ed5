/** API keys: how they look, how they are checked before any query, and what is stored of them. */
import { createHash, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const bodyLength = 30
const checkLength = 6
const form = /^trib_(test|live)_sk_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/

function checksum(body: string): string {
  let value = crc32(body)
  let digits = ''
  for (let i = 0; i < checkLength; i++) {
    digits = alphabet.charAt(value % alphabet.length) + digits
    value = Math.floor(value / alphabet.length)
  }
  return digits
}

export interface NewKey {
  /** Shown once and never stored. */
  secret: string
  prefix: string
  lastFour: string
  secretHash: Buffer
}

export function generateKey(mode: 'test' | 'live'): NewKey {
  const body = Array.from({ length: bodyLength }, () => alphabet.charAt(randomInt(62))).join('')
  const secret = `trib_${mode}_sk_${body}${checksum(body)}`
  return {
    secret,
    prefix: `trib_${mode}_sk_`,
    lastFour: secret.slice(-4),
    secretHash: hashKey(secret),
  }
}

/** SHA-256 suffices: the key itself has 178 random bits. */
export function hashKey(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Whether the text can be a key of this mode at all; most guesses end here. */
export function isWellFormedKey(secret: string, mode: 'test' | 'live'): boolean {
  const parts = form.exec(secret)
  return parts !== null && parts[1] === mode && checksum(parts[2] ?? '') === parts[3]
}
