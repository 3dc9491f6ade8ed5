/** The fields of a scenario file, what each may hold, and the defaults. */
import { z } from 'zod'
import {
  type Band,
  type CommissionRule,
  capPeriods,
  performanceMetrics,
  type RuleTerms,
  ruleKinds,
} from '../domain/commission-rules.ts'
import { currencyCodes } from '../domain/currencies.ts'
import { basisPoints } from '../domain/money.ts'
import { partnerLevels } from '../domain/partners.ts'
import { isPeriod } from '../domain/period.ts'
import { tierNames } from '../domain/tiers.ts'
import type {
  ScenarioPartner,
  ScenarioProgramme,
  ScenarioRate,
  StatedEvent,
} from './scenario-types.ts'

const oneOf = (words: readonly string[]) => `one of ${words.join(', ')}`

/** An object that refuses unknown fields and says which ones there are. */
function fields<T extends z.core.$ZodLooseShape>(shape: T) {
  const known = oneOf(Object.keys(shape))
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `no such field: ${known}` : 'an object',
  })
}

function word<const T extends readonly string[]>(words: T) {
  return z.enum(words, { error: oneOf(words) })
}

/** A text that keeps one wording for whatever is wrong with it. */
function text(expected: string, fits: (value: string) => boolean) {
  return z.string({ error: expected }).refine(fits, { error: expected })
}

const longestName = 200

/** PostgreSQL keeps no NUL, and half of a surrogate pair would be kept as another character. */
const name = text(
  `a text of 1 to ${longestName} characters`,
  (value) =>
    value.trim() !== '' &&
    value.length <= longestName &&
    value.isWellFormed() &&
    !value.includes('\u0000'),
)

const currency = text('the code of a known currency, like USD', (code) =>
  currencyCodes.includes(code),
)

function whole(range: { min: number; max: number; what: string }) {
  const expected = `a whole number of ${range.what} from ${range.min} to ${range.max}`
  const fits = (value: number) =>
    Number.isSafeInteger(value) && value >= range.min && value <= range.max
  return z.number({ error: expected }).refine(fits, { error: expected })
}

const max = Number.MAX_SAFE_INTEGER
const amount = whole({ min: 0, max, what: 'minor units' }).transform(BigInt)
const positiveAmount = whole({ min: 1, max, what: 'minor units' }).transform(BigInt)
const signedAmount = whole({ min: -max, max, what: 'minor units' }).transform(BigInt)
const bps = whole({ min: 0, max: 10_000, what: 'basis points' })
const yesOrNo = z.boolean({ error: 'true or false' })

/** The years that a Date, PostgreSQL and the form of a period all count in the same way. */
const isCounted = (iso: string) => /^(19[7-9]\d|[2-9]\d{3})-/.test(iso) && !iso.startsWith('9999')

const instantExpected = 'an ISO 8601 instant with its offset, like 2026-11-03T10:00:00Z'
const instant = z.iso
  .datetime({ offset: true, error: instantExpected })
  .refine((iso) => isCounted(iso), { error: instantExpected })
  .transform((iso) => new Date(iso))

export const periodField = text(
  'a period like 2026-11',
  (value) => isPeriod(value) && isCounted(value),
)
export const currencyField = currency

export const programmeField = fields({
  minimum_payout: amount.default(0n),
  hold_days: whole({ min: 0, max: 365_000, what: 'days' }).default(0),
  allocation_unit: word(['line', 'invoice']).default('line'),
  override_pool_bps: bps.nullish(),
}).transform(
  (stated): ScenarioProgramme => ({
    minimumPayout: stated.minimum_payout,
    holdDays: stated.hold_days,
    allocationUnit: stated.allocation_unit,
    overridePoolBps: stated.override_pool_bps ?? null,
  }),
)

export const partnerField = fields({
  id: name,
  level: word(partnerLevels),
  parent: name.nullish(),
  tier: word(tierNames).default('bronze'),
  payout_currency: currency.nullish(),
}).transform(
  ({ parent, payout_currency, ...partner }): ScenarioPartner => ({
    ...partner,
    parent: parent ?? null,
    payoutCurrency: payout_currency ?? null,
  }),
)

const rateExpected = 'a positive decimal number as text with at most 10 decimals, like "0.92341"'

export const fxField = fields({
  base: currency,
  quote: currency,
  rate: text(
    rateExpected,
    (rate) => /^(0|[1-9]\d{0,14})(\.\d{1,10})?$/.test(rate) && /[1-9]/.test(rate),
  ),
  as_of: instant,
}).transform(({ as_of, ...rate }): ScenarioRate => ({ ...rate, asOf: as_of }))

/** What a rule of a scenario names, and one that is published: a scenario has no links. */
const scenarioNames = {
  id: name,
  product: name.nullish(),
  tier: word(tierNames).nullish(),
  partner: name.nullish(),
}
const publishedNames = { ...scenarioNames, link: name.nullish() }
type Names = typeof scenarioNames

const ruleShape = {
  valid_from: instant.nullish(),
  valid_to: instant.nullish(),
  setup_fee: yesOrNo.default(false),
}

const depth = whole({ min: 0, max: 10_000, what: 'steps above the seller' })

/** What limits the pay of a line; a bonus at the close has no line to limit. */
const lineRuleShape = {
  ...ruleShape,
  depth,
  cap: fields({ amount, per: word(capPeriods) }).nullish(),
  floor: amount.nullish(),
  window: fields({ months: whole({ min: 0, max: 12_000, what: 'months' }) }).nullish(),
}

const bothForms = 'either rate_bps or rate_num with rate_den'

interface StatedRate {
  rate_bps?: unknown
  rate_num?: unknown
  rate_den?: unknown
}

/** The fields that keep a rate from having exactly one form; the fields may be malformed. */
function rateProblems(rate: StatedRate): { field: string; expected: string }[] {
  const { rate_bps: bp, rate_num: num, rate_den: den } = rate
  if (bp !== undefined) {
    const extra = (['rate_num', 'rate_den'] as const).filter((key) => rate[key] !== undefined)
    return extra.map((field) => ({ field, expected: `nothing beside rate_bps: ${bothForms}` }))
  }
  if (num === undefined && den === undefined) return [{ field: 'rate_bps', expected: bothForms }]
  if (num === undefined) return [{ field: 'rate_num', expected: 'a numerator beside rate_den' }]
  if (den === undefined) return [{ field: 'rate_den', expected: 'a denominator beside rate_num' }]
  const above = typeof num === 'bigint' && typeof den === 'bigint' && num > den
  return above ? [{ field: 'rate_num', expected: `at most rate_den, ${den}` }] : []
}

const percentageRule = (names: Names) =>
  fields({
    ...names,
    ...lineRuleShape,
    kind: z.literal('percentage'),
    rate_bps: bps.optional(),
    rate_num: amount.optional(),
    rate_den: positiveAmount.optional(),
  }).superRefine(
    (rule, context) => {
      for (const { field, expected } of rateProblems(rule)) {
        context.addIssue({ code: 'custom', path: [field], message: expected })
      }
    },
    // The form of the rate is told beside whatever else is wrong with the rule.
    { when: ({ value }) => typeof value === 'object' && value !== null },
  )

const band = fields({ from: amount, to: amount.nullish(), rate_bps: bps }).transform(
  ({ from, to, rate_bps }): Band => ({ from, to: to ?? null, rate: basisPoints(rate_bps) }),
)

/** The rules of every kind, with the names that files of their sort know. */
const rulesNaming = (names: Names) =>
  [
    fields({ ...names, ...lineRuleShape, kind: z.literal('flat'), amount_per_unit: amount }),
    percentageRule(names),
    fields({
      ...names,
      ...lineRuleShape,
      kind: z.literal('hybrid'),
      rate_bps: bps,
      amount_per_unit: amount,
    }),
    fields({
      ...names,
      ...lineRuleShape,
      kind: z.enum(['tiered_marginal', 'tiered_cliff']),
      bands: z.array(band, { error: 'a list of bands' }).min(1, { error: 'at least one band' }),
    }),
    fields({
      ...names,
      ...ruleShape,
      depth: depth.default(0),
      kind: z.literal('performance'),
      metric: word(performanceMetrics),
      target: amount,
      bonus: amount,
    }),
  ] as const

type StatedRule = z.output<ReturnType<typeof rulesNaming>[number]>

function termsOf(rule: StatedRule): RuleTerms {
  switch (rule.kind) {
    case 'flat':
      return { kind: rule.kind, amountPerUnit: rule.amount_per_unit }
    case 'percentage': {
      const fraction = { num: rule.rate_num ?? 0n, den: rule.rate_den ?? 1n }
      const rate = rule.rate_bps === undefined ? fraction : basisPoints(rule.rate_bps)
      return { kind: rule.kind, rate }
    }
    case 'hybrid':
      return {
        kind: rule.kind,
        rate: basisPoints(rule.rate_bps),
        amountPerUnit: rule.amount_per_unit,
      }
    case 'performance': {
      const { kind, metric, target, bonus } = rule
      return { kind, metric, target, bonus }
    }
    default:
      return { kind: rule.kind, bands: rule.bands }
  }
}

function limitsOf(rule: StatedRule): Pick<CommissionRule, 'cap' | 'floor' | 'windowMonths'> {
  if (rule.kind === 'performance') return { cap: null, floor: null, windowMonths: null }
  return {
    cap: rule.cap ?? null,
    floor: rule.floor ?? null,
    windowMonths: rule.window?.months ?? null,
  }
}

const linkOf = (rule: object) =>
  'link' in rule && typeof rule.link === 'string' ? rule.link : null

function toRule(rule: StatedRule): CommissionRule {
  return {
    code: rule.id,
    depth: rule.depth,
    terms: termsOf(rule),
    scope: {
      link: linkOf(rule),
      partner: rule.partner ?? null,
      tier: rule.tier ?? null,
      product: rule.product ?? null,
    },
    validFrom: rule.valid_from ?? null,
    validTo: rule.valid_to ?? null,
    ...limitsOf(rule),
    setupFee: rule.setup_fee,
  }
}

const unknownSort = (words: readonly string[]) => (issue: { code?: string | undefined }) =>
  issue.code === 'invalid_union' ? oneOf(words) : 'an object'

const ruleNaming = (names: Names) =>
  z
    .discriminatedUnion('kind', rulesNaming(names), { error: unknownSort(ruleKinds) })
    .transform(toRule)

/** A rule of a scenario, and one of a file of rules that are published. */
export const ruleField = ruleNaming(scenarioNames)
export const publishedRuleField = ruleNaming(publishedNames)

const delivery = { at: instant, received_at: instant.nullish() }

const paymentEvent = fields({
  ...delivery,
  type: z.literal('payment'),
  id: name,
  invoice: name.nullish(),
  line: name.nullish(),
  partner: name,
  customer: name,
  product: name.nullish(),
  quantity: whole({ min: 0, max, what: 'units' }).transform(BigInt).default(1n),
  amount,
  line_amount: amount.nullish(),
  setup_fee: yesOrNo.default(false),
}).transform(({ line_amount, setup_fee, ...payment }) => ({
  ...payment,
  invoice: payment.invoice ?? payment.id,
  line: payment.line ?? payment.id,
  product: payment.product ?? null,
  lineAmount: line_amount ?? null,
  setupFee: setup_fee,
}))

const reversal = { ...delivery, id: name, of: name, amount: positiveAmount }
const reversalTypes = ['refund', 'credit_note'] as const
const disputeTypes = ['dispute_opened', 'dispute_lost', 'dispute_won'] as const

const eventTypes = [
  'payment',
  ...reversalTypes,
  'refund_failed',
  ...disputeTypes,
  'tier',
  'move',
  'adjustment',
] as const

export const eventField = z
  .discriminatedUnion(
    'type',
    [
      paymentEvent,
      fields({ ...reversal, type: z.enum(reversalTypes) }),
      fields({
        ...delivery,
        type: z.literal('refund_failed'),
        id: name.nullish().transform((id) => id ?? null),
        of: name,
      }),
      fields({ ...reversal, type: z.enum(disputeTypes) }),
      fields({ ...delivery, type: z.literal('tier'), partner: name, tier: word(tierNames) }),
      fields({ ...delivery, type: z.literal('move'), partner: name, to: name }),
      fields({
        ...delivery,
        type: z.literal('adjustment'),
        id: name,
        partner: name,
        amount: signedAmount,
        reason: name,
      }),
    ],
    { error: unknownSort(eventTypes) },
  )
  .transform(
    ({ received_at, ...event }): StatedEvent => ({ ...event, receivedAt: received_at ?? null }),
  )
