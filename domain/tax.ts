/** Tax: who a partner is for it, what its forms are good for, and what is reported of a year. */
import { downToStep, floorShare } from './money.ts'

export const taxFormKinds = ['w9', 'w8ben', 'w8bene'] as const
export type TaxFormKind = (typeof taxFormKinds)[number]

export const taxFormStates = [
  'requested',
  'received',
  'valid',
  'rejected',
  'expired',
  /** A newer one took its place. */
  'replaced',
] as const
export type TaxFormState = (typeof taxFormStates)[number]

export const tinKinds = ['ssn', 'ein', 'itin', 'foreign', 'none'] as const
export type TinKind = (typeof tinKinds)[number]

export const taxClassifications = [
  'individual',
  'partnership',
  'trust',
  'llc',
  'c_corporation',
  's_corporation',
  'other',
] as const
export type TaxClassification = (typeof taxClassifications)[number]

/** Whose payouts wait until there is a valid form: nobody's, those in the US, or everybody's. */
export const taxFormModes = ['off', 'us', 'all'] as const
export type TaxFormMode = (typeof taxFormModes)[number]

/** Forms of foreign persons are good until the third year after the signature ends. */
export function expiryOf(kind: TaxFormKind, signedOn: string): string | null {
  return kind === 'w9' ? null : `${Number(signedOn.slice(0, 4)) + 3}-12-31`
}

/** What a declaration says of one person, and what is wrong with that: the field, and why. */
export function formProblems(
  form: { kind: TaxFormKind; country: string; signedOn: string },
  today: string,
): { field: 'country' | 'signed_on'; why: string }[] {
  const expiry = expiryOf(form.kind, form.signedOn)
  return [
    ...(form.kind !== 'w9' && form.country === 'US'
      ? [{ field: 'country' as const, why: 'expected a country other than US; there it is a W-9' }]
      : []),
    ...(form.signedOn > today
      ? [{ field: 'signed_on' as const, why: 'expected a day that has come' }]
      : []),
    ...(expiry !== null && expiry < today
      ? [{ field: 'signed_on' as const, why: `expected a form that is good after ${expiry}` }]
      : []),
  ]
}

/** The valid form of a partner, where there is one, and where it is. */
export interface TaxStanding {
  country: string
  form: {
    kind: TaxFormKind
    classification: TaxClassification | null
    subjectToWithholding: boolean
  } | null
}

/** By its form; without one, by its country. */
export function isUsPerson({ country, form }: TaxStanding): boolean {
  return form ? form.kind === 'w9' : country === 'US'
}

/** Corporations are neither reported nor withheld from for services. */
export function isExempt({ form }: Pick<TaxStanding, 'form'>): boolean {
  return form?.classification === 'c_corporation' || form?.classification === 's_corporation'
}

/**
 * Whether tax is withheld from a payout: of a US person without a number that is certified, or of
 * one that says that it is subject to it. Where payouts wait for the form, nothing is paid without
 * one, and nothing is withheld.
 */
export function isWithheldFrom(
  standing: TaxStanding,
  programme: { backupWithholding: boolean; taxFormRequired: TaxFormMode },
): boolean {
  if (!programme.backupWithholding || !isUsPerson(standing) || isExempt(standing)) return false
  return standing.form ? standing.form.subjectToWithholding : programme.taxFormRequired === 'off'
}

/** Of a payout before tax; whole payout steps, and never more than the rate. */
export function withheldOf(gross: bigint, { bps, step }: { bps: number; step: bigint }): bigint {
  return downToStep(floorShare(gross, { num: BigInt(bps), den: 10_000n }), step)
}

/** What is set for a year. */
export interface TaxYear {
  year: number
  currency: string
  thresholdMinor: bigint
  backupWithholdingBps: number
  source: string
}

/** Why a sum is on the return of its year, or is not. */
export const reportReasons = ['reached', 'withheld', 'below_threshold', 'exempt'] as const
export type ReportReason = (typeof reportReasons)[number]

/** From the threshold on, and whatever the sum is where tax was withheld. */
export function reportReason(
  paid: { amount: bigint; withheld: bigint } & Pick<TaxStanding, 'form'>,
  { thresholdMinor }: Pick<TaxYear, 'thresholdMinor'>,
): ReportReason {
  if (paid.withheld > 0n) return 'withheld'
  if (isExempt(paid)) return 'exempt'
  return paid.amount >= thresholdMinor ? 'reached' : 'below_threshold'
}

export const isReported = (reason: ReportReason) => reason === 'reached' || reason === 'withheld'

/** What one partner was paid in a year, before tax, in the currency of the return. */
export interface Compensation extends Pick<TaxStanding, 'form'> {
  partnerId: string
  partnerName: string
  legalName: string | null
  tinKind: TinKind | null
  tinLastFour: string | null
  country: string
  payouts: number
  amount: bigint
  withheld: bigint
}

type Cell = (line: Compensation & { year: number; reason: ReportReason }) => string | bigint

/** How the export looks, by the year from which on it does; a bigint is money. */
const layouts: { since: number; version: string; columns: [string, Cell][] }[] = [
  {
    since: 2020,
    version: '1099-NEC/1',
    columns: [
      ['layout', () => '1099-NEC/1'],
      ['tax_year', ({ year }) => String(year)],
      ['account_number', ({ partnerId }) => partnerId],
      ['recipient_name', ({ legalName, partnerName }) => legalName ?? partnerName],
      ['recipient_tin_type', ({ tinKind }) => tinKind ?? ''],
      ['recipient_tin_last_four', ({ tinLastFour }) => tinLastFour ?? ''],
      ['recipient_country', ({ country }) => country],
      ['federal_classification', ({ form }) => form?.classification ?? ''],
      ['box_1_nonemployee_compensation', ({ amount }) => amount],
      ['box_4_federal_income_tax_withheld', ({ withheld }) => withheld],
      ['payouts', ({ payouts }) => String(payouts)],
      ['reported', ({ reason }) => (isReported(reason) ? 'yes' : 'no')],
      ['reason', ({ reason }) => reason],
    ],
  },
]

/** The layout of the export of a year. */
export function layoutOf(year: number): { version: string; columns: [string, Cell][] } {
  const layout = layouts.filter(({ since }) => since <= year).at(-1)
  if (!layout) throw new RangeError(`there is no layout for ${year}`)
  return layout
}
