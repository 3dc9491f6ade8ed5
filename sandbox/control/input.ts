import { HttpProblem } from '../http.ts'

/** Reads one field of a control's body; the message of a refusal says what was expected. */
export interface Field<T> {
  expected: string
  read(value: unknown): T | undefined
}

export type Fields = Record<string, Field<unknown>>

export type Input<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<infer T> ? T | undefined : never
}

export function readInput<F extends Fields>(fields: F, body: unknown): Input<F> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new HttpProblem(400, `the body is ${show(body)}, expected a JSON object`)
  }
  const known = Object.keys(fields)
  const odd = Object.keys(body).find((key) => !known.includes(key))
  if (odd !== undefined) {
    const expected = known.length > 0 ? `one of ${known.join(', ')}` : 'no fields'
    throw new HttpProblem(400, `unknown field "${odd}", expected ${expected}`)
  }
  const values = Object.entries(fields).map(([key, { expected, read }]) => {
    const value = (body as Record<string, unknown>)[key]
    if (value === undefined) return [key, undefined]
    const result = read(value)
    if (result !== undefined) return [key, result]
    throw new HttpProblem(400, `${key} is ${show(value)}, expected ${expected}`)
  })
  return Object.fromEntries(values) as Input<F>
}

export function need<T>(value: T | undefined, name: string, expected: string): T {
  if (value !== undefined) return value
  throw new HttpProblem(400, `${name} is missing, expected ${expected}`)
}

export function whole(least = 1): Field<number> {
  return {
    expected: `a whole number from ${least}`,
    read(value) {
      const fits = typeof value === 'number' && Number.isSafeInteger(value) && value >= least
      return fits ? value : undefined
    },
  }
}

export const share: Field<number> = {
  expected: 'a number from 0 to 1',
  read: (value) => (typeof value === 'number' && value >= 0 && value <= 1 ? value : undefined),
}

export const yesNo: Field<boolean> = {
  expected: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
}

export const words: Field<string> = {
  expected: 'a text',
  read: (value) => (typeof value === 'string' && value !== '' ? value : undefined),
}

export function oneOf<const T extends string>(choices: readonly T[]): Field<T> {
  return {
    expected: choices.join(' or '),
    read: (value) => choices.find((choice) => choice === value),
  }
}

export const anything: Field<unknown> = { expected: 'anything', read: (value) => value }

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}
