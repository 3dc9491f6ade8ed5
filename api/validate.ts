/** Checks what a request carries, and says of each field what is wrong with it. */
import { z } from 'zod'
import { DomainError, type FieldProblem } from '../domain/errors.ts'
import { type IdKind, idPattern, uuidOf } from '../domain/ids.ts'

const escaped = (segment: PropertyKey) =>
  String(segment).replaceAll('~', '~0').replaceAll('/', '~1')

function pointer(path: PropertyKey[]): string {
  return path.map((segment) => `/${escaped(segment)}`).join('')
}

function fieldProblems(issue: z.core.$ZodIssue): FieldProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: pointer([...issue.path, key]),
      code: 'unknown_field',
      detail: 'this field is not known',
    }))
  }
  const missing = issue.input === undefined
  return [
    {
      pointer: pointer(issue.path),
      code: missing ? 'missing' : 'invalid',
      detail: missing ? 'this field is required' : issue.message,
    },
  ]
}

/** @throws DomainError `invalid_request` with a pointer to each field. */
export function validated<T extends z.ZodType>(
  schema: T,
  input: unknown,
  what: string,
): z.output<T> {
  const parsed = schema.safeParse(input, { reportInput: true })
  if (parsed.success) return parsed.data
  const fields = parsed.error.issues.flatMap(fieldProblems)
  throw new DomainError(
    'invalid_request',
    `${what}: ${fields.length} field(s) are missing, malformed or unknown`,
    { fields },
  )
}

/** An outward id in a body or query; inside it is the UUID. */
export function idField(kind: IdKind) {
  return z
    .string()
    .regex(idPattern(kind), `expected an id of the kind ${kind}`)
    .transform((id, context) => {
      const uuid = uuidOf(kind, id)
      if (uuid) return uuid
      context.addIssue({ code: 'custom', message: `expected an id of the kind ${kind}` })
      return z.NEVER
    })
}

/** An outward id in an answer. */
export function idAnswer(kind: IdKind) {
  return z.string().regex(idPattern(kind))
}

/**
 * The UUID of an id in a path.
 * @throws DomainError `not_found`, the same for a malformed id as for an unknown one.
 */
export function pathId(kind: IdKind, id: string | undefined, notFound: string): string {
  const uuid = uuidOf(kind, id ?? '')
  if (!uuid) throw new DomainError('not_found', notFound)
  return uuid
}

/** Unwraps a look-up; what is absent and what is hidden get the same answer. */
export function found<T>(row: T | undefined, notFound: string): T {
  if (row === undefined) throw new DomainError('not_found', notFound)
  return row
}

/** PostgreSQL keeps no NUL, and half of a surrogate pair would be kept as another character. */
const isStorable = (value: string) => value.isWellFormed() && !value.includes('\u0000')
const notStorable = 'expected text without NUL and without broken characters'

export const text = (longest = 200) =>
  z.string().trim().min(1).max(longest).refine(isStorable, notStorable)

/** The longest address that mail can be sent to (RFC 5321). */
export const emailAddress = z.email().max(254)

export const webAddress = z
  .url({ protocol: /^https?$/, error: 'expected https://…' })
  .max(2_000)
  .refine(isStorable, notStorable)

const wholeNumber = 'expected a whole number of minor units up to 2^53-1'

export const minorAmount = z.int({ error: wholeNumber })
export const currencyAnswer = z.string().regex(/^[A-Z]{3}$/)
export const instantAnswer = z.iso.datetime()

/** An instant in a body; what is older than this millennium was mistyped. */
export const instantField = z.iso
  .datetime({ offset: true })
  .refine((instant) => instant >= '2000', 'expected a time from the year 2000 on')
  .transform((instant) => new Date(instant))
