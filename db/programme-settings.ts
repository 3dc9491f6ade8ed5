/** What a programme sets: how long things may take, and how partners are brought in. */
import { z } from 'zod'
import { cadences } from '../domain/cadence.ts'
import { partnerLevels, partnerTypes } from '../domain/partners.ts'
import { taxFormModes } from '../domain/tax.ts'
import { tierNames } from '../domain/tiers.ts'

const seconds = z.int().min(0)
const marks = z.array(seconds)
const hour = 3_600
const day = 24 * hour

/** All in seconds; lists are moments since the beginning. Pinned into a process when it starts. */
export const deadlinesSchema = z.strictObject({
  agreementReminders: marks.default([3 * day, 7 * day, 14 * day]),
  agreementExpiry: seconds.default(30 * day),
  verificationReminders: marks.default([2 * day, 5 * day, 10 * day]),
  verificationExpiry: seconds.default(30 * day),
  approvalReminder: seconds.default(2 * day),
  approvalEscalation: seconds.default(5 * day),
  approvalLapse: seconds.default(30 * day),
  /** While the applicant is asked for more, the decision waits. */
  informationReminders: marks.default([3 * day, 7 * day]),
  informationExpiry: seconds.default(14 * day),
  /** How long an approval can be taken back before anything follows from it. */
  undo: seconds.default(10),
  /** How long a step of provisioning that failed waits for a person before all is undone. */
  provisioningPatience: seconds.default(3 * day),
  trainingReminders: marks.default([3 * day, 7 * day, 14 * day]),
  /** How long after a rejection the same applicant has to wait. */
  reapplication: seconds.default(30 * day),
  territoryReservation: seconds.default(90 * day),
  certificateReminders: marks.default([30 * day, 7 * day]),
  welcomeMails: marks.default([day, 3 * day, 7 * day, 14 * day]),
  domainReminders: marks.default([day, 3 * day]),
  domainExpiry: seconds.default(7 * day),
  reverificationReminders: marks.default([3 * day, 7 * day, 14 * day]),
  /** When payouts are held, and how much later new sales stop. */
  reverificationHold: seconds.default(14 * day),
  reverificationSuspension: seconds.default(30 * day),
  /** How long results of identity checks stay at the vendor. */
  verificationRetention: seconds.default(365 * day),
  termsNotice: seconds.default(30 * day),
  termsReminders: marks.default([7 * day, 14 * day, 21 * day]),
  /** Of a tenant that leaves: until when it fetches its export; when the law's answer is due. */
  retrieval: seconds.default(30 * day),
  retrievalReminders: marks.default([7 * day, 25 * day]),
  erasureAlarm: seconds.default(25 * day),
  firstPaymentExpiry: seconds.default(23 * hour),
  releaseReminder: seconds.default(day),
  /** When a run that nobody releases is shown as a problem. */
  releaseEscalation: seconds.default(3 * day),
  /** How long after its close a month may wait before everybody is told each day. */
  settlementAlarm: seconds.default(7 * day),
  /** How long after its issue lines of a statement can be disputed; how long each side has. */
  lineDisputeWindow: seconds.default(60 * day),
  lineDisputeAnswer: seconds.default(7 * day),
  /** Since its turn began; the last one is after it should have answered. */
  lineDisputeReminders: marks.default([5 * day, 7 * day, 14 * day]),
  /** Of a payout that waits for a person: when to remind, and when the law may want the money. */
  payoutExceptionReminders: marks.default([3 * day, 10 * day, 30 * day]),
  /** How long a payout is held for what its partner lacks before it is a case for a person. */
  payoutHoldCase: seconds.default(90 * day),
  payoutEscheat: seconds.default(365 * day),
  /** How long nothing is paid after a partner changed its bank. */
  bankChangeHold: seconds.default(2 * day),
  /** Since a tax form was asked for; and before the last day of one. */
  taxFormReminders: marks.default([7 * day, 14 * day, 30 * day]),
  taxFormExpiryReminders: marks.default([60 * day, 30 * day, 7 * day]),
  /** The least time between a figure that is too small for a tier and the fall to the next one. */
  tierGrace: seconds.default(60 * day),
  /** How long before the fall a partner is warned of it. */
  tierWarnings: marks.default([60 * day, 30 * day]),
  /** How long a tier is held at least. */
  tierProtection: seconds.default(90 * day),
})
export type Deadlines = z.output<typeof deadlinesSchema>

const fieldName = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'expected a name like tax_number')

/** A question of this programme's own on the application form. */
export const customFieldSchema = z.strictObject({
  name: fieldName,
  label: z.string().min(1).max(200),
  kind: z.enum(['text', 'number', 'yes_no', 'choice']),
  required: z.boolean().default(false),
  options: z.array(z.string().min(1).max(100)).max(50).optional(),
})

/** What a rule of the programme looks at; all conditions that are given must hold. */
const conditions = {
  countries: z.array(z.string().regex(/^[A-Z]{2}$/)).optional(),
  types: z.array(z.enum(partnerTypes)).optional(),
  levels: z.array(z.enum(partnerLevels)).optional(),
  emailDomains: z.array(z.string().min(3)).optional(),
  volumeAbove: z.int().min(0).optional(),
  volumeBelow: z.int().min(0).optional(),
}

/** The first rule that fits an application rejects it, or shows it to the approver. */
export const preScreenRuleSchema = z.strictObject({
  ...conditions,
  outcome: z.enum(['reject', 'review']),
  reason: z.string().min(1).max(500),
})

/** An application that fits one of these, with a checklist all green, is approved by rule. */
export const autoApprovalRuleSchema = z.strictObject({
  ...conditions,
  name: z.string().min(1).max(100),
})

/** By which the platform writes the invoices of its partners. */
export const selfBillingSchema = z.strictObject({
  /** To whom they are addressed. */
  legalName: z.string().min(1).max(200),
  address: z.string().min(1).max(500),
  country: z.string().regex(/^[A-Z]{2}$/),
  vatId: z.string().regex(/^[A-Z0-9]{4,20}$/, 'expected a number like DE123456789'),
  /** `{series}` is the partner's, and `{number}` runs in it. */
  numberFormat: z
    .string()
    .regex(
      /^[A-Za-z0-9/-]*\{series\}[/-]+\{number\}[A-Za-z0-9/-]*$/,
      'expected a format like SB-{series}-{number}',
    )
    .max(60),
  /** What partners accept, and for how long. */
  agreementVersion: z.string().min(1).max(40),
  agreementText: z.string().min(1).max(5_000),
  agreementDays: z.int().min(1).max(1_830),
})
export type SelfBillingSettings = z.output<typeof selfBillingSchema>

export const onboardingSettingsSchema = z.strictObject({
  customFields: z.array(customFieldSchema).max(30).default([]),
  preScreen: z.array(preScreenRuleSchema).max(100).default([]),
  autoApproval: z.array(autoApprovalRuleSchema).max(100).default([]),
  /** Expected monthly volume in minor units from which two members have to approve. */
  twoApproversFrom: z.int().min(0).default(5_000_000),
  /** How often an agreement that nobody signed in time is sent again. */
  agreementResends: z.int().min(0).max(5).default(1),
  signing: z.enum(['mail', 'embedded']).default('mail'),
  /** An identity check of the contact person, beside what Stripe asks of the company. */
  identityCheck: z.enum(['none', 'contact']).default('none'),
  /** How often an identity check may be handed in again. */
  verificationTries: z.int().min(1).max(10).default(3),
  /** Hits at or above this score, in hundredths, have to be looked at. */
  screeningThreshold: z.int().min(1).max(100).default(85),
  /** How often partners are settled. */
  settlementCadence: z
    .enum(cadences)
    .meta({
      description:
        'Accounting periods are months whatever it is: a week takes what is not settled.',
    })
    .default('monthly'),
  /** From which balance, in minor units, a terminated partner is paid what it is owed. */
  finalPayoutFrom: z.int().min(0).default(100),
  /** So many days after the end of what was settled, at the next working day; 0 pays at once. */
  payNetDays: z.literal([0, 15, 20, 30, 45, 60]).default(0),
  /** After so long what waits below the minimum is paid all the same; null never does. */
  agedBalanceDays: z.int().min(1).max(730).nullable().default(90),
  /** From which balance, in minor units; where a currency is not named, from 1.00 or its like. */
  agedBalanceFrom: z
    .array(z.strictObject({ currency: z.string().regex(/^[A-Z]{3}$/), amount: z.int().min(1) }))
    .max(200)
    .default([]),
  /** Whose payouts wait until there is a valid tax form. */
  taxFormRequired: z.enum(taxFormModes).default('off'),
  /** Tax is withheld of US persons without a certified number, as the year says. */
  backupWithholding: z.boolean().default(false),
  /** Whether something is kept of payouts where much of what a partner sells is disputed. */
  riskReserve: z.boolean().default(false),
  /** Above which share of what was paid, in hundredths of a percent; and so much is kept. */
  reserveAboveBps: z.int().min(0).max(10_000).default(150),
  reserveKeepBps: z.int().min(1).max(9_000).default(2_500),
  /** Of how many months, the one that is settled included; and how long it is kept, in days. */
  reserveWindowMonths: z.int().min(1).max(24).default(3),
  reserveDays: z.int().min(1).max(730).default(90),
  /** Null is off: partners write their own invoices. */
  selfBilling: selfBillingSchema.nullable().default(null),
  /** By how much less than its threshold a tier is kept, in hundredths of a percent. */
  tierTolerance: z.int().min(0).max(5_000).default(1_000),
  /** Tiers that a review moves nobody up to without a person's yes. */
  tierApprovalFor: z.array(z.enum(tierNames)).default([]),
  certificationRequiredFor: z.array(z.enum(['activation', ...tierNames])).default([]),
})

const limit = z.int().min(0).nullable()

/** How much a tenant may hold from its first day on; null is no limit. */
export const quotasSchema = z.strictObject({
  customers: limit.default(100_000),
  members: limit.default(1_000),
  apiKeys: limit.default(1_000),
  storageBytes: limit.default(10 * 1024 ** 3),
  apiPerMinute: limit.default(6_000),
})

export type OnboardingSettings = z.output<typeof onboardingSettingsSchema>
export type CustomField = z.output<typeof customFieldSchema>
export type PreScreenRule = z.output<typeof preScreenRuleSchema>
export type AutoApprovalRule = z.output<typeof autoApprovalRuleSchema>

const colour = z.string().regex(/^#[0-9a-f]{6}$/, 'expected a colour like #0f4c5c')

/** How the programme's mails look. */
export const brandSchema = z.strictObject({
  /** The programme's name where it is left out. */
  name: z.string().min(1).max(100).optional(),
  accent: colour.default('#0f4c5c'),
  logoUrl: z
    .url({ protocol: /^https$/, error: 'expected https://…' })
    .nullable()
    .default(null),
  footer: z.string().min(1).max(500).nullable().default(null),
  supportAddress: z.email().nullable().default(null),
})
export type ProgrammeBrand = z.output<typeof brandSchema>
