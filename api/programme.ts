/** The programme: what everybody in it may know, and the settings that its owner changes. */
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import {
  autoApprovalRuleSchema,
  deadlinesSchema,
  onboardingSettingsSchema,
  preScreenRuleSchema,
  selfBillingSchema,
} from '../db/programme-settings.ts'
import { getProgramme, lockProgramme, markProgramme, type Programme } from '../db/programmes.ts'
import type { FieldProblem } from '../domain/errors.ts'
import { DomainError } from '../domain/errors.ts'
import { type Contradiction, contradictionsIn } from '../domain/programme-checks.ts'
import { etagOf, requireMatch } from './etag.ts'
import { type Call, type Route, route } from './route.ts'
import { currencyAnswer, minorAmount, text } from './validate.ts'

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

/** The same fields as they are named outside; what has a default may be left out. */
function outward(schema: z.ZodObject, replaced: Record<string, z.ZodType> = {}) {
  const fields = Object.entries(schema.shape).map(([name, field]): [string, z.ZodType] => {
    const own = replaced[name] ?? (field instanceof z.ZodDefault ? field.unwrap() : field)
    return [snake(name), own as z.ZodType]
  })
  return Object.fromEntries(fields)
}

const ruleFields = {
  preScreen: z.strictObject(outward(preScreenRuleSchema)),
  autoApproval: z.strictObject(outward(autoApprovalRuleSchema)),
}
const onboardingFields = outward(onboardingSettingsSchema, {
  preScreen: z.array(ruleFields.preScreen).max(100),
  autoApproval: z.array(ruleFields.autoApproval).max(100),
  selfBilling: z.strictObject(outward(selfBillingSchema)).nullable(),
})
const deadlineFields = outward(deadlinesSchema)

const programmeForm = z.strictObject({
  name: text().optional(),
  hold_days: z.int().min(0).max(180).optional(),
  minimum_payout: minorAmount.min(0).optional(),
  tier_window_months: z.int().min(1).max(36).optional(),
  deadlines: z.strictObject(deadlineFields).partial().optional(),
  onboarding: z.strictObject(onboardingFields).partial().optional(),
})

const programmeAnswer = z.object({
  name: z.string(),
  currency: currencyAnswer,
  hold_days: z.int(),
  minimum_payout: minorAmount,
  tier_window_months: z.int(),
  reseller_chains: z.boolean(),
  deadlines: z
    .object(deadlineFields)
    .optional()
    .meta({ description: 'In seconds; lists are moments since the beginning. For its owner.' }),
  onboarding: z.object(onboardingFields).optional().meta({ description: 'For its owner.' }),
})

const tag = 'Programme'

export function programmeRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/programme',
      tag,
      summary: 'Read the programme',
      description: 'Partners read its terms; deadlines and onboarding are its owner’s to read.',
      access: 'programme.read',
      answers: { 200: { description: 'The programme', schema: programmeAnswer } },
      refusals: ['not_ready'],
      handle: async ({ db, principal }) => {
        const programme = await getProgramme(db)
        const isOwner = principal.level === 'super_admin'
        return { status: 200, body: present(programme, isOwner), headers: etagHeader(programme) }
      },
    }),
    route({
      method: 'PATCH',
      path: '/v1/programme',
      tag,
      summary: 'Change the programme',
      description:
        'What is left out stays; a list is replaced as a whole. Processes that run keep the ' +
        'deadlines that they began with. Send the ETag of what you have read as If-Match.',
      access: 'programme.write',
      effect: 'transaction',
      body: programmeForm,
      answers: { 200: { description: 'The programme', schema: programmeAnswer } },
      refusals: ['not_ready', 'precondition_required', 'precondition_failed'],
      handle: (call) => change(call),
    }),
  ]
}

const etagHeader = ({ version }: Programme) => ({ ETag: etagOf(version) })

type Change = z.output<typeof programmeForm>

async function change({ db, body, header }: Call<unknown, Change>) {
  const programme = await inTransaction(db, async (trx) => {
    const before = await lockProgramme(trx)
    requireMatch(header('If-Match'), before.version)
    const settings = {
      deadlines: deadlinesSchema.parse({ ...before.deadlines, ...inward(body.deadlines) }),
      onboarding: onboardingSettingsSchema.parse({
        ...before.onboarding,
        ...inward(body.onboarding),
      }),
    }
    refuseContradictions(contradictionsIn(settings), body)
    const { name, hold_days: holdDays, minimum_payout: payout, tier_window_months: window } = body
    await markProgramme(trx, before.id, {
      ...settings,
      name: name ?? before.name,
      holdDays: holdDays ?? before.holdDays,
      minimumPayoutMinor: payout === undefined ? before.minimumPayoutMinor : BigInt(payout),
      tierWindowMonths: window ?? before.tierWindowMonths,
    })
    return getProgramme(trx)
  })
  return { status: 200, body: present(programme, true), headers: etagHeader(programme) }
}

/** Names as they are inside, at every depth; values stay. */
function inward(value: unknown): Record<string, unknown> {
  return renamed(value ?? {}, camel) as Record<string, unknown>
}

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => renamed(one, rename))
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).map(([name, one]) => [rename(name), renamed(one, rename)])
  return Object.fromEntries(entries)
}

/** Contradictions between settings that the request left as they were are not its own. */
function refuseContradictions(found: Contradiction[], body: Change): void {
  if (found.length === 0) return
  const sent = { deadlines: inward(body.deadlines), onboarding: inward(body.onboarding) }
  const touched = found.filter(({ path: [group, name], other = '' }) => {
    const settings = sent[group as keyof typeof sent]
    return String(name) in settings || other in settings
  })
  const fields = touched.map(({ path, why }): FieldProblem => {
    const pointer = path.map((part) => `/${snake(String(part))}`).join('')
    return { pointer, code: 'invalid', detail: snake(why) }
  })
  if (fields.length === 0) return
  throw new DomainError('invalid_request', `body: ${fields.length} setting(s) contradict others`, {
    fields,
  })
}

function present(programme: Programme, isOwner: boolean) {
  const { deadlines, onboarding } = programme
  return {
    name: programme.name,
    currency: programme.currency,
    hold_days: programme.holdDays,
    minimum_payout: Number(programme.minimumPayoutMinor),
    tier_window_months: programme.tierWindowMonths,
    reseller_chains: programme.resellerChains,
    ...(isOwner
      ? { deadlines: renamed(deadlines, snake), onboarding: renamed(onboarding, snake) }
      : {}),
  }
}
