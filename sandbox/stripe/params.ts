import { invalid } from './errors.ts'
import type { Tree } from './form.ts'

/** Form bodies carry texts only; JSON bodies carry real numbers and booleans. */
export type Encoding = 'form' | 'json'

export interface Field<T, R extends boolean = boolean> {
  required: R
  read(value: Tree, at: string, encoding: Encoding): T
}

export type Shape = Record<string, Field<unknown>>

export type Values<S extends Shape> = {
  [K in keyof S]: S[K] extends Field<infer T, infer R>
    ? R extends true
      ? T
      : T | undefined
    : never
}

export function readParams<S extends Shape>(shape: S, tree: Tree, encoding: Encoding): Values<S> {
  return readShape(shape, tree, { at: '', encoding })
}

interface Place {
  at: string
  encoding: Encoding
}

function readShape<S extends Shape>(shape: S, tree: Tree, { at, encoding }: Place): Values<S> {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) {
    throw invalid('Invalid object', { param: at })
  }
  const name = (key: string): string => (at === '' ? key : `${at}[${key}]`)
  for (const key of Object.keys(tree)) {
    if (!Object.hasOwn(shape, key)) {
      const param = name(key)
      throw invalid(`Received unknown parameter: ${param}`, { code: 'parameter_unknown', param })
    }
  }
  const values = Object.entries(shape).map(([key, field]) => {
    const value = tree[key]
    const param = name(key)
    if (value !== undefined) return [key, field.read(value, param, encoding)]
    if (field.required) {
      throw invalid(`Missing required param: ${param}.`, { code: 'parameter_missing', param })
    }
    return [key, undefined]
  })
  return Object.fromEntries(values) as Values<S>
}

function optional<T>(read: Field<T>['read']): Field<T, false> {
  return { required: false, read }
}

export function required<T>(field: Field<T>): Field<T, true> {
  return { ...field, required: true }
}

/** An empty value asks to unset the parameter. */
export function clearable<T>(field: Field<T>): Field<T | null, false> {
  return optional((value, at, encoding) =>
    value === '' || value === null ? null : field.read(value, at, encoding),
  )
}

export function text(most = 5000): Field<string, false> {
  return optional((value, at) => {
    if (typeof value !== 'string') throw invalid(`Invalid string: ${show(value)}`, { param: at })
    if (value === '') {
      throw invalid(
        `You passed an empty string for '${at}'. We assume empty values are an attempt to ` +
          `unset a parameter; however '${at}' cannot be unset. You should remove '${at}' from ` +
          'your request or supply a non-empty value.',
        { code: 'parameter_invalid_empty', param: at },
      )
    }
    if (value.length > most) {
      throw invalid(`Invalid string: must be at most ${most} characters`, { param: at })
    }
    return value
  })
}

export function integer(least = 0, most = Number.MAX_SAFE_INTEGER): Field<number, false> {
  return optional((value, at, encoding) => {
    const fits = encoding === 'json' ? typeof value === 'number' : /^-?\d+$/.test(String(value))
    const number = Number(value)
    const details = { code: 'parameter_invalid_integer', param: at }
    if (!fits || !Number.isSafeInteger(number)) {
      throw invalid(`Invalid integer: ${show(value)}`, details)
    }
    if (number < least) {
      throw invalid(`This value must be greater than or equal to ${least}.`, details)
    }
    if (number > most) throw invalid(`This value must be less than or equal to ${most}.`, details)
    return number
  })
}

export function bool(): Field<boolean, false> {
  return optional((value, at, encoding) => {
    if (encoding === 'json' ? value === true : value === 'true') return true
    if (encoding === 'json' ? value === false : value === 'false') return false
    throw invalid(`Invalid boolean: ${show(value)}`, { param: at })
  })
}

export function oneOf<const T extends string>(choices: readonly T[]): Field<T, false> {
  return optional((value, at) => {
    const found = choices.find((choice) => choice === value)
    if (found !== undefined) return found
    throw invalid(`Invalid ${at}: must be one of ${choices.join(', ')}`, { param: at })
  })
}

export function list<T>(element: Field<T>): Field<T[], false> {
  return optional((value, at, encoding) => {
    if (typeof value !== 'object' || value === null) {
      throw invalid('Invalid array', { param: at })
    }
    return Object.entries(value).map(([key, entry]) => {
      if (!/^\d+$/.test(key)) throw invalid('Invalid array', { param: at })
      return element.read(entry, `${at}[${key}]`, encoding)
    })
  })
}

export function group<S extends Shape>(shape: S): Field<Values<S>, false> {
  return optional((value, at, encoding) => readShape(shape, value, { at, encoding }))
}

/** Keys whose value is null are removed; null in place of all removes every key. */
export type MetadataPatch = Record<string, string | null> | null

export function metadata(): Field<MetadataPatch, false> {
  return optional((value, at) => {
    if (value === '' || value === null) return null
    if (typeof value !== 'object' || Array.isArray(value)) {
      throw invalid('Invalid object', { param: at })
    }
    const entries = Object.entries(value)
    if (entries.length > 50) {
      throw invalid('You may only specify up to 50 metadata keys at once.', { param: at })
    }
    return Object.fromEntries(entries.map((entry) => readMetadataEntry(entry, at)))
  })
}

function readMetadataEntry([key, entry]: [string, Tree], at: string): [string, string | null] {
  if (key.length > 40) {
    throw invalid(`Metadata keys can have up to 40 characters; "${key}" has ${key.length}.`, {
      param: at,
    })
  }
  const param = `${at}[${key}]`
  if (entry === '' || entry === null) return [key, null]
  if (typeof entry !== 'string') throw invalid('Metadata values must be strings.', { param })
  if (entry.length > 500) {
    throw invalid(
      `Metadata values can have up to 500 characters, but you passed in a value that is ` +
        `${entry.length} characters.`,
      { param },
    )
  }
  return [key, entry]
}

export function mergeMetadata(
  old: Record<string, string>,
  patch: MetadataPatch | undefined,
): Record<string, string> {
  if (patch === undefined) return old
  if (patch === null) return {}
  const merged = Object.entries({ ...old, ...patch }).filter((pair): pair is [string, string] => {
    return pair[1] !== null
  })
  if (merged.length > 50) {
    throw invalid('You may only have up to 50 metadata keys.', { param: 'metadata' })
  }
  return Object.fromEntries(merged)
}

export type Range = { gt?: number; gte?: number; lt?: number; lte?: number }

/** A moment, or a range of moments, in seconds. */
export function range(): Field<Range, false> {
  const one = integer()
  const bounds = group({ gt: one, gte: one, lt: one, lte: one })
  return optional((value, at, encoding) => {
    if (typeof value === 'object') return bounds.read(value, at, encoding) as Range
    const moment = one.read(value, at, encoding)
    return { gte: moment, lte: moment }
  })
}

export function within(moment: number, { gt, gte, lt, lte }: Range = {}): boolean {
  if (gt !== undefined && moment <= gt) return false
  if (gte !== undefined && moment < gte) return false
  if (lt !== undefined && moment >= lt) return false
  return lte === undefined || moment <= lte
}

function show(value: Tree): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
