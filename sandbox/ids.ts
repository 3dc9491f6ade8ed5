import { randomBytes } from 'node:crypto'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

export function randomText(length: number): string {
  return Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join('')
}

/** Ids are random and not seeded: a restarted sandbox must never hand out an id twice. */
export function newId(prefix: string, length = 24): string {
  return `${prefix}_${randomText(length)}`
}

let last = 0

/** Nine characters that sort by the moment of their making, also over a restart. */
export function orderedText(): string {
  last = Math.max(last + 1, Date.now() * 1000)
  let text = ''
  for (let rest = last; rest > 0; rest = Math.floor(rest / alphabet.length)) {
    text = (alphabet[rest % alphabet.length] ?? '') + text
  }
  return text.padStart(9, '0')
}
