/** The part of JSON Schema that the API's description uses: what fits it, and values that do. */
import fc from 'fast-check'

export interface Schema {
  type?: string | string[]
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  /** Told apart by a constant: one fits, and no other. */
  oneOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  propertyNames?: Schema
  items?: Schema
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  format?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  default?: unknown
  description?: string
  note?: string
}

/** A word of the schema that this file does not know would be a check that is not made. */
const known = new Set([
  ...['type', 'enum', 'const', 'anyOf', 'oneOf', 'properties', 'required', 'additionalProperties'],
  ...['propertyNames', 'items', 'minItems', 'maxItems', 'minLength', 'maxLength', 'pattern'],
  ...['format', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'default'],
  ...['description', 'note'],
])

type Found = Record<string, unknown>

const isObject = (value: unknown): value is Found =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function hasType(type: string, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isObject(value)
    case 'integer':
      return Number.isInteger(value)
    default: {
      const name: string = typeof value
      return name === type
    }
  }
}

/** Where a value does not fit, and why; empty where it does. */
export function misfits(schema: Schema, value: unknown, at = ''): string[] {
  const strange = Object.keys(schema).filter((word) => !known.has(word))
  if (strange.length > 0) throw new Error(`${at}: the schema says ${strange.join(', ')}`)
  const is = (fits: boolean, what: string) => (fits ? [] : [`${at || '/'} ${what}`])
  if (schema.anyOf) {
    return is(
      schema.anyOf.some((one) => misfits(one, value, at).length === 0),
      'fits none',
    )
  }
  if (schema.oneOf) {
    const fit = schema.oneOf.filter((one) => misfits(one, value, at).length === 0)
    return is(fit.length === 1, `fits ${fit.length}`)
  }
  const types = [schema.type ?? []].flat()
  if (types.length > 0 && !types.some((type) => hasType(type, value))) {
    return is(false, types.join(' or '))
  }
  return [
    ...is(schema.const === undefined || schema.const === value, 'const'),
    ...is(!schema.enum || schema.enum.includes(value), 'enum'),
    ...(typeof value === 'string' ? textMisfits(schema, value, is) : []),
    ...(typeof value === 'number' ? numberMisfits(schema, value, is) : []),
    ...(Array.isArray(value) ? listMisfits(schema, value, at) : []),
    ...(isObject(value) ? objectMisfits(schema, value, at) : []),
  ]
}

type Is = (fits: boolean, what: string) => string[]

function textMisfits({ minLength = 0, maxLength, pattern }: Schema, value: string, is: Is) {
  const { length } = [...value]
  return [
    ...is(length >= minLength, 'minLength'),
    ...is(maxLength === undefined || length <= maxLength, 'maxLength'),
    ...is(!pattern || new RegExp(pattern, 'u').test(value), 'pattern'),
  ]
}

function numberMisfits(schema: Schema, value: number, is: Is) {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema
  return [
    ...is(minimum === undefined || value >= minimum, 'minimum'),
    ...is(maximum === undefined || value <= maximum, 'maximum'),
    ...is(exclusiveMinimum === undefined || value > exclusiveMinimum, 'exclusiveMinimum'),
    ...is(exclusiveMaximum === undefined || value < exclusiveMaximum, 'exclusiveMaximum'),
  ]
}

function listMisfits({ items, minItems = 0, maxItems }: Schema, value: unknown[], at: string) {
  const counted = value.length >= minItems && value.length <= (maxItems ?? value.length)
  const inside = items ? value.flatMap((item, i) => misfits(items, item, `${at}/${i}`)) : []
  return [...(counted ? [] : [`${at} items`]), ...inside]
}

function objectMisfits(schema: Schema, value: Found, at: string): string[] {
  const { properties = {}, required = [], additionalProperties: more, propertyNames } = schema
  const missing = required.filter((name) => !Object.hasOwn(value, name))
  const inside = Object.entries(value).flatMap(([name, item]) => {
    const place = `${at}/${name}`
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (property) return misfits(property, item, place)
    if (more === false) return [`${place} unknown`]
    return [
      ...(isObject(more) ? misfits(more, item, place) : []),
      ...(propertyNames ? misfits(propertyNames, name, place) : []),
    ]
  })
  return [...missing.map((name) => `${at}/${name} missing`), ...inside]
}

const samples: Record<string, string[]> = {
  email: ['ada@people.example', "o'neil+x@mail.people.example", 'a@b.co'],
  uri: [
    'https://partner.example',
    'http://partner.example:8080/a?b=c#d',
    'https://xn--e1a.example',
  ],
  'date-time': ['2026-10-05T10:00:00Z', '2024-02-29T23:59:59.999+14:00', '0001-01-01T00:00:00Z'],
  date: ['2026-10-05', '2024-02-29', '9999-12-31'],
}

/** Plain words mostly, and now and then whatever text there is. */
const anyText = fc.oneof(
  fc.constantFrom(
    'Ada',
    'Café Grün',
    '  spaced  ',
    '日本',
    '👩‍💻',
    '<b>',
    "'; drop table x--",
    '=1+1',
  ),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
)

/** Values that fit a schema. */
export function fitting(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(fitting))
  if (schema.oneOf) return fc.oneof(...schema.oneOf.map(fitting))
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type) => fitting({ ...schema, type })))
  }
  switch (schema.type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
    case 'number':
      return fittingNumber(schema)
    case 'string':
      return fittingText(schema)
    case 'array':
      return fc.array(fitting(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, 3),
      })
    case 'object':
      return fittingObject(schema)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function fittingNumber({ minimum, exclusiveMinimum, maximum }: Schema) {
  const min = Math.max(minimum ?? Number.MIN_SAFE_INTEGER, (exclusiveMinimum ?? -(2 ** 53)) + 1)
  const max = maximum ?? Number.MAX_SAFE_INTEGER
  return fc.oneof(fc.constantFrom(min, max), fc.integer({ min: Math.max(min, -(2 ** 31)), max }))
}

function fittingText(schema: Schema): fc.Arbitrary<string> {
  const { format, pattern, minLength = 0, maxLength } = schema
  const sampled = format === undefined ? undefined : samples[format]
  if (sampled) return fc.constantFrom(...sampled)
  if (pattern) return fc.stringMatching(new RegExp(pattern))
  return anyText.filter(
    (text) => text.trim().length >= minLength && text.length <= (maxLength ?? 10_000),
  )
}

function fittingObject({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const fields = Object.entries(properties).map(([name, schema]) => [name, fitting(schema)])
  return fc.record(Object.fromEntries(fields), { requiredKeys: required as never[] })
}
