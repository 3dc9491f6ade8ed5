/** API keys: how they look, how they are checked before any query, and what is stored of them. */
import { createHash, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { DomainError } from '../domain/errors.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const bodyLength = 30
const checkLength = 6
const form = /^trib_(test|live)_[sr]k_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/
const withinText = /trib_(test|live)_[sr]k_[0-9A-Za-z]{36}/

/** A secret key has broad scopes, a restricted one those of single capabilities. */
export const keyKinds = ['secret', 'restricted'] as const
export type KeyKind = (typeof keyKinds)[number]

const markOf: Record<KeyKind, string> = { secret: 'sk', restricted: 'rk' }

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

export function generateKey(mode: 'test' | 'live', kind: KeyKind = 'secret'): NewKey {
  const body = Array.from({ length: bodyLength }, () => alphabet.charAt(randomInt(62))).join('')
  const prefix = `trib_${mode}_${markOf[kind]}_`
  const secret = `${prefix}${body}${checksum(body)}`
  return { secret, prefix, lastFour: secret.slice(-4), secretHash: hashKey(secret) }
}

/** The kind that the prefix of a key tells. */
export const kindOfPrefix = (prefix: string): KeyKind =>
  prefix.endsWith(`_${markOf.restricted}_`) ? 'restricted' : 'secret'

/** SHA-256 suffices: the key itself has 178 random bits. */
export function hashKey(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Whether the text can be a key of this mode at all; most guesses end here. */
export function isWellFormedKey(secret: string, mode: 'test' | 'live'): boolean {
  const parts = form.exec(secret)
  return parts !== null && parts[1] === mode && checksum(parts[2] ?? '') === parts[3]
}

const misplaced = (where: string) =>
  new DomainError(
    'malformed_request',
    `there is an API key in the ${where}, which others may have seen: revoke it, and send keys ` +
      'in the Authorization header only',
  )

function decoded(url: string): string {
  try {
    return decodeURIComponent(url)
  } catch {
    return url
  }
}

/**
 * Addresses are kept in logs and histories.
 * @throws DomainError `malformed_request` where a key of ours is in the path or the query.
 */
export function refuseKeyInUrl(url: string): void {
  if (withinText.test(url) || withinText.test(decoded(url))) throw misplaced('address')
}

/**
 * For every body but that of a report that a key got about.
 * @throws DomainError `malformed_request`
 */
export function refuseKeyInBody(rawBody: Buffer): void {
  if (rawBody.includes('trib_') && withinText.test(rawBody.toString('latin1'))) {
    throw misplaced('body')
  }
}
