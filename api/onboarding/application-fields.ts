/** The fields of the form of an applicant, and the programme's own questions on it. */
import { z } from 'zod'
import type { CustomField } from '../../db/programme-settings.ts'
import { DomainError, type FieldProblem } from '../../domain/errors.ts'
import { contactRoles } from '../../domain/onboarding.ts'
import { partnerLevels, partnerTypes } from '../../domain/partners.ts'
import { territoryModes } from '../../domain/territories.ts'
import { territoryField } from '../territories.ts'
import {
  currencyAnswer,
  emailAddress,
  idField,
  minorAmount,
  text,
  webAddress,
} from '../validate.ts'

export const countryField = z.string().regex(/^[A-Z]{2}$/, 'expected a country code like US')

const person = { name: text(), email: emailAddress }

export const applicationForm = z.strictObject({
  company: z.strictObject({
    name: text(),
    country: countryField,
    website: webAddress,
    legal_name: text().optional(),
    registration_number: text(100)
      .regex(/[A-Za-z0-9]/, 'expected letters or digits')
      .optional(),
  }),
  contact: z.strictObject(person),
  type: z.enum(partnerTypes),
  level: z.enum(partnerLevels),
  parent: idField('partner').optional(),
  contacts: z
    .array(z.strictObject({ ...person, role: z.enum(contactRoles) }))
    .max(20)
    .optional(),
  territories: z.array(territoryField).max(100).optional(),
  territory_mode: z.enum(territoryModes).optional(),
  expected_volume: z
    .strictObject({ amount: minorAmount.min(0), currency: currencyAnswer })
    .optional()
    .meta({ description: 'In a month, in the currency of the programme.' }),
  custom: z
    .record(z.string(), z.union([text(2_000), z.number(), z.boolean()]))
    .optional()
    .meta({ description: 'Answers to the questions of GET /v1/application-form, by their names.' }),
  message: text(4_000).optional(),
  reapplies: z
    .strictObject({ application: idField('application'), token: text(200) })
    .optional()
    .meta({ description: 'A rejected application and the token of its link.' }),
  invitation: text(200)
    .optional()
    .meta({ description: 'The token of the mail that invited you to apply.' }),
})

/** A question as whoever draws the form reads it. */
export const customFieldAnswer = z.object({
  name: z.string(),
  label: z.string(),
  kind: z.enum(['text', 'number', 'yes_no', 'choice']),
  required: z.boolean(),
  options: z.array(z.string()).optional(),
})

export type ApplicationForm = z.output<typeof applicationForm>
export type CustomAnswers = Record<string, string | number | boolean>

const kinds = {
  text: z.string(),
  number: z.number(),
  yes_no: z.boolean(),
  choice: z.string(),
} as const satisfies Record<CustomField['kind'], z.ZodType>

const expected = {
  text: 'expected text',
  number: 'expected a number',
  yes_no: 'expected true or false',
  choice: 'expected one of its options',
} as const

const segment = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')

function problemWith(field: CustomField, answer: unknown): FieldProblem | null {
  const pointer = `/custom/${segment(field.name)}`
  if (answer === undefined) {
    if (!field.required) return null
    return { pointer, code: 'missing', detail: 'this field is required' }
  }
  const fits = kinds[field.kind].safeParse(answer).success
  const chosen = field.kind !== 'choice' || (field.options ?? []).includes(String(answer))
  return fits && chosen ? null : { pointer, code: 'invalid', detail: expected[field.kind] }
}

/**
 * Holds answers to the questions that the programme asks.
 * @throws DomainError `invalid_request` with a pointer to each answer that does not fit, that is
 * missing, or that nobody asked for.
 */
export function requireFittingAnswers(fields: CustomField[], answers: CustomAnswers): void {
  const asked = new Set(fields.map(({ name }) => name))
  const problems = [
    ...fields.flatMap((field) => problemWith(field, answers[field.name]) ?? []),
    ...Object.keys(answers)
      .filter((name) => !asked.has(name))
      .map((name) => ({
        pointer: `/custom/${segment(name)}`,
        code: 'unknown_field',
        detail: 'this field is not known',
      })),
  ]
  if (problems.length > 0) throw invalidFields(problems)
}

/** A refusal of fields that only what the programme says shows to be wrong. */
export function invalidFields(fields: FieldProblem[]): DomainError {
  return new DomainError(
    'invalid_request',
    `body: ${fields.length} field(s) are missing, malformed or unknown`,
    { fields },
  )
}
