/**
 * Self-billing: which invoice is written for a partner about its commission, with which value
 * added tax, and why none is.
 */
import { basisPoints, floorDivided, magnitude, smaller } from './money.ts'

/** What is set for the sellers of a country. */
export const rateTreatments = ['standard', 'reverse_charge', 'outside_scope'] as const
export type RateTreatment = (typeof rateTreatments)[number]

/** How a document is taxed: as its country is set, or not at all of who is not registered. */
export const vatTreatments = [...rateTreatments, 'not_registered'] as const
export type VatTreatment = (typeof vatTreatments)[number]

/** Why no document is about what a statement earned or took back. */
export const selfBillingSkips = [
  /** The partner has not said who it is on invoices. */
  'no_profile',
  'no_consent',
  /** It was withdrawn, or its last day is over. */
  'consent_ended',
  'vat_id_changed',
  /** Nothing is set for the partner's country. */
  'no_rate',
  /** It is registered, and its number is not there yet. */
  'no_vat_id',
  /** Nobody of the platform has found the number right. */
  'not_verified',
  /** More was taken back than was ever invoiced like this. */
  'nothing_to_credit',
] as const
export type SelfBillingSkip = (typeof selfBillingSkips)[number]

export const agreementEnds = ['renewed', 'vat_id_changed', 'withdrawn'] as const
export type AgreementEnd = (typeof agreementEnds)[number]

/** What is known of a partner on the day of the document. */
export interface SelfBillingStanding {
  profile: { registered: boolean; hasVatId: boolean; verified: boolean } | null
  /** The newest one. */
  agreement: { validUntil: string; endCause: AgreementEnd | null } | null
  rate: { treatment: RateTreatment; bps: number } | null
}

export interface VatTerms {
  treatment: VatTreatment
  bps: number
}

/** How a partner's documents are taxed on a day, or why there are none. */
export function vatTermsOf(
  { profile, agreement, rate }: SelfBillingStanding,
  today: string,
): VatTerms | { skip: SelfBillingSkip } {
  if (!profile) return { skip: 'no_profile' }
  if (!agreement) return { skip: 'no_consent' }
  if (agreement.endCause === 'vat_id_changed') return { skip: 'vat_id_changed' }
  if (agreement.endCause !== null || agreement.validUntil < today) return { skip: 'consent_ended' }
  if (!rate) return { skip: 'no_rate' }
  if (rate.treatment === 'outside_scope') return { treatment: 'outside_scope', bps: 0 }
  if (!profile.registered) return { treatment: 'not_registered', bps: 0 }
  if (!profile.hasVatId) return { skip: 'no_vat_id' }
  if (!profile.verified) return { skip: 'not_verified' }
  return { treatment: rate.treatment, bps: rate.bps }
}

/** Tax on an amount of either sign, to the nearest unit; half a unit counts as one. */
export function vatOn(base: bigint, bps: number): bigint {
  const { num, den } = basisPoints(bps)
  const tax = floorDivided(magnitude(base) * num * 2n + den, den * 2n)
  return base < 0n ? -tax : tax
}

/** An invoice of which something is left to credit; what was credited is not negative. */
export interface OpenInvoice {
  id: string
  base: bigint
  vat: bigint
  creditedBase: bigint
  creditedVat: bigint
}

export interface Credit {
  correctsId: string
  base: bigint
  vat: bigint
}

/**
 * Spreads what was taken back over invoices in their order: each credit note is about one invoice
 * and takes no more than is left of it. Its tax is that of the invoice in proportion, so that an
 * invoice which is credited wholly, in however many parts, has given back exactly its tax.
 * @returns the credits, whose amounts are negative, and what no invoice has room for.
 */
export function creditsOf(
  takenBack: bigint,
  invoices: OpenInvoice[],
): { credits: Credit[]; rest: bigint } {
  const credits: Credit[] = []
  let rest = takenBack
  for (const { id, base, vat, creditedBase, creditedVat } of invoices) {
    const part = smaller(rest, base - creditedBase)
    if (part <= 0n) continue
    const due = (vat * (creditedBase + part) * 2n + base) / (base * 2n)
    credits.push({ correctsId: id, base: -part, vat: creditedVat - due })
    rest -= part
  }
  return { credits, rest }
}

export interface PlannedDocument extends VatTerms {
  kind: DocumentKind
  /** The invoice that a credit note is about, and its number. */
  corrects: { id: string; number: string } | null
  base: bigint
  vat: bigint
}

/** What is written about a statement; every unit of its net is in a document or left out. */
export interface SelfBillingPlan {
  documents: PlannedDocument[]
  skip: { reason: SelfBillingSkip; base: bigint } | null
}

type CreditableInvoice = OpenInvoice & VatTerms & { number: string }

/**
 * Documents about what a period earned, net of what it took back: an invoice, or credit notes of
 * earlier invoices as those were taxed.
 */
export function selfBillingPlan(
  net: bigint,
  terms: ReturnType<typeof vatTermsOf>,
  invoices: CreditableInvoice[],
): SelfBillingPlan {
  if (net === 0n) return { documents: [], skip: null }
  if ('skip' in terms) return { documents: [], skip: { reason: terms.skip, base: net } }
  if (net > 0n) {
    const vat = vatOn(net, terms.bps)
    return {
      documents: [{ ...terms, kind: 'invoice', corrects: null, base: net, vat }],
      skip: null,
    }
  }
  const { credits, rest } = creditsOf(-net, invoices)
  const documents = credits.map(({ correctsId, base, vat }): PlannedDocument => {
    const invoice = invoices.find(({ id }) => id === correctsId) as CreditableInvoice
    const { treatment, bps, number } = invoice
    const corrects = { id: correctsId, number }
    return { kind: 'credit_note', corrects, treatment, bps, base, vat }
  })
  const skip = rest > 0n ? { reason: 'nothing_to_credit' as const, base: -rest } : null
  return { documents, skip }
}

/** Six digits at least, so that numbers sort as they run. */
const padded = (value: number) => String(value).padStart(6, '0')

/** `SB-{series}-{number}` becomes `SB-000012-000003`. */
export function documentNumberOf(
  format: string,
  place: { series: number; number: number },
): string {
  return format.replace('{series}', padded(place.series)).replace('{number}', padded(place.number))
}

/** Who the invoices are addressed to: the platform owner. */
export interface Issuer {
  legalName: string
  address: string
  country: string
  vatId: string
}

export const documentKinds = ['invoice', 'credit_note'] as const
export type DocumentKind = (typeof documentKinds)[number]

/** What a document says of money, and of whom by ids; names are in the rows that it refers to. */
export interface DocumentFacts extends VatTerms {
  kind: DocumentKind
  number: string
  /** The number of the invoice that a credit note is about. */
  corrects: string | null
  statementId: string
  partnerId: string
  profileId: string
  agreementId: string
  period: string
  currency: string
  base: bigint
  vat: bigint
  issuedAt: Date
  issuer: Issuer
}

/** What the hash of a document is made of. */
export function documentText(facts: DocumentFacts): string {
  const { issuer } = facts
  return [
    [facts.kind, facts.number, facts.corrects ?? '', facts.issuedAt.toISOString()].join('|'),
    [facts.statementId, facts.partnerId, facts.profileId, facts.agreementId].join('|'),
    [facts.period, facts.currency, facts.treatment, facts.bps, facts.base, facts.vat].join('|'),
    JSON.stringify([issuer.legalName, issuer.address, issuer.country, issuer.vatId]),
  ].join('\n')
}

/** Who supplies, as the document shows it. */
export interface Supplier {
  legalName: string
  address: string
  country: string
  /** Empty where there is none. */
  vatId: string
}

/** A document as every form of it shows it. */
export interface SelfBillingPaper extends DocumentFacts {
  supplier: Supplier
  statementNumber: string
  /** The first period that it is about, where that is an earlier one. */
  since: string | null
  hash: string
}

/** How a document is called. */
export const documentTitles: Record<DocumentKind, string> = {
  invoice: 'Self-billing invoice',
  credit_note: 'Self-billing credit note',
}

/** The amounts of a document in reading order, with the words under which they are shown. */
export function documentFigures(
  paper: Pick<DocumentFacts, 'base' | 'vat' | 'bps' | 'treatment'>,
): { label: string; amount: bigint }[] {
  const { base, vat, bps, treatment } = paper
  const rate = treatment === 'standard' ? `Value added tax at ${bps / 100} %` : 'Value added tax'
  return [
    { label: 'Commission, net', amount: base },
    { label: rate, amount: vat },
    { label: 'Total', amount: base + vat },
  ]
}

/** What the law wants to read where no tax is on a document. */
export const treatmentWords: Record<VatTreatment, string | null> = {
  standard: null,
  reverse_charge: 'Reverse charge: the tax is owed by the recipient of the service.',
  outside_scope: 'Outside the scope of value added tax.',
  not_registered: 'The supplier is not registered for value added tax; no tax is charged.',
}

const vatIdForms: Record<string, RegExp> = {
  AT: /^ATU\d{8}$/,
  BE: /^BE[01]\d{9}$/,
  BG: /^BG\d{9,10}$/,
  CH: /^CHE\d{9}(MWST|TVA|IVA)?$/,
  CY: /^CY\d{8}[A-Z]$/,
  CZ: /^CZ\d{8,10}$/,
  DE: /^DE\d{9}$/,
  DK: /^DK\d{8}$/,
  EE: /^EE\d{9}$/,
  ES: /^ES[A-Z0-9]\d{7}[A-Z0-9]$/,
  FI: /^FI\d{8}$/,
  FR: /^FR[A-HJ-NP-Z0-9]{2}\d{9}$/,
  GB: /^(GB|XI)(\d{9}|\d{12}|(GD|HA)\d{3})$/,
  GR: /^EL\d{9}$/,
  HR: /^HR\d{11}$/,
  HU: /^HU\d{8}$/,
  IE: /^IE(\d{7}[A-W][A-I]?|\d[A-Z*+]\d{5}[A-W])$/,
  IT: /^IT\d{11}$/,
  LT: /^LT(\d{9}|\d{12})$/,
  LU: /^LU\d{8}$/,
  LV: /^LV\d{11}$/,
  MT: /^MT\d{8}$/,
  NL: /^NL\d{9}B\d{2}$/,
  NO: /^(NO)?\d{9}(MVA)?$/,
  PL: /^PL\d{10}$/,
  PT: /^PT\d{9}$/,
  RO: /^RO\d{2,10}$/,
  SE: /^SE\d{12}$/,
  SI: /^SI\d{8}$/,
  SK: /^SK\d{10}$/,
}

/** As it is kept: without the spaces, dots and dashes that people put between. */
export function plainVatId(text: string): string {
  return text.toUpperCase().replace(/[\s.-]/g, '')
}

/** Whether a number looks like one of the country; it is not looked up anywhere. */
export function isVatId(country: string, vatId: string): boolean {
  return (vatIdForms[country] ?? /^[A-Z0-9]{4,20}$/).test(vatId)
}
