/**
 * What strict JSON refuses and `JSON.parse` lets pass: one pass over the text, without recursion,
 * before anything is built of it. Whether it is JSON at all, the parser says afterwards.
 */
import { DomainError, type FieldProblem } from '../domain/errors.ts'

const deepest = 32

/** Fields that every object inherits; given ones would be taken for those, or set them. */
const inherited = new Set(['__proto__', 'constructor', 'prototype'])

interface Level {
  /** The names that this object has had; undefined in an array. */
  names: Set<string> | undefined
  /** Where we are in it. */
  at: string | number
  /** Whether the next string is a name. */
  awaitsName: boolean
}

interface Scan {
  text: string
  levels: Level[]
}

/**
 * @throws DomainError `malformed_request` for an object with a field twice and for what is nested
 * deeper than 32 levels; `invalid_request`, with a pointer, for a number that would not arrive as
 * it was sent, for text that cannot be kept, and for fields like `__proto__`.
 */
export function refuseLooseJson(text: string): void {
  const scan: Scan = { text, levels: [] }
  const { levels } = scan
  for (let n = 0; n < text.length; n++) {
    const top = levels.at(-1)
    switch (text[n]) {
      case '"':
        n = passString(scan, n)
        break
      case '{':
        enter(levels, { names: new Set(), at: '', awaitsName: true })
        break
      case '[':
        enter(levels, { names: undefined, at: 0, awaitsName: false })
        break
      case '}':
      case ']':
        levels.pop()
        break
      case ',':
        if (top?.names) top.awaitsName = true
        else if (top) top.at = Number(top.at) + 1
        break
      default:
        if (isDigit(text.charCodeAt(n))) n = passNumber(scan, n)
    }
  }
}

function enter(levels: Level[], level: Level): void {
  if (levels.push(level) <= deepest) return
  throw new DomainError('malformed_request', `the body is nested deeper than ${deepest} levels`)
}

/** @returns the place of its last character. */
function passString({ text, levels }: Scan, start: number): number {
  const end = closingQuote(text, start)
  const raw = text.slice(start + 1, end)
  const value = raw.includes('\\') ? unescaped(raw) : raw
  const top = levels.at(-1)
  if (top?.names && top.awaitsName) {
    takeName(levels, top, value)
  } else if (!isStorable(value)) {
    throw refusedField(levels, 'invalid', 'expected text without NUL and broken characters')
  }
  return end
}

function takeName(levels: Level[], top: Level, name: string): void {
  top.at = name
  top.awaitsName = false
  if (inherited.has(name) || !isStorable(name)) {
    throw refusedField(levels, 'unknown_field', 'this field is not known')
  }
  if (top.names?.has(name)) {
    throw new DomainError('malformed_request', 'an object of the body has the same field twice')
  }
  top.names?.add(name)
}

/** The end of the text where the string never ends; the parser will say so. */
function closingQuote(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end === -1 ? text.length : end
}

function isEscaped(text: string, place: number): boolean {
  let first = place
  while (text[first - 1] === '\\') first -= 1
  return (place - first) % 2 === 1
}

/** What is no string to the parser either stays as it is. */
function unescaped(raw: string): string {
  try {
    return String(JSON.parse(`"${raw}"`))
  } catch {
    return raw
  }
}

const isStorable = (value: string) => value.isWellFormed() && !value.includes('\u0000')

const isDigit = (code: number) => code >= 48 && code <= 57
const restOfNumber = /[\d.eE+-]*/y

/** @returns the place of its last character. The sign before it says nothing about its size. */
function passNumber({ text, levels }: Scan, start: number): number {
  restOfNumber.lastIndex = start
  const written = restOfNumber.exec(text)?.[0] ?? ''
  if (Number(written) > Number.MAX_SAFE_INTEGER) {
    throw refusedField(levels, 'invalid', 'expected a number up to 2^53-1')
  }
  return start + written.length - 1
}

function refusedField(levels: Level[], code: string, detail: string): DomainError {
  const escaped = (at: string | number) => String(at).replaceAll('~', '~0').replaceAll('/', '~1')
  const field: FieldProblem = {
    pointer: levels.map(({ at }) => `/${escaped(at)}`).join(''),
    code,
    detail,
  }
  return new DomainError('invalid_request', 'body: a field cannot be taken as it is', {
    fields: [field],
  })
}
