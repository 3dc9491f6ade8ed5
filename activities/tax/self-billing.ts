/** Self-billing at the issue of statements: the documents, their tax, and its way into payouts. */
import { createHash } from 'node:crypto'
import { databaseNow, type Trx } from '../../db/database.ts'
import { type Journal, recordJournals, signedPosting } from '../../db/ledger.ts'
import { bookingPeriod } from '../../db/periods.ts'
import type { SelfBillingSettings } from '../../db/programme-settings.ts'
import { getProgramme } from '../../db/programmes.ts'
import {
  listRateValues,
  listVatOwed,
  lockSeries,
  type NewDocument,
  recordSelfBilling,
  recordSelfBillingSkips,
  type WrittenDocument,
} from '../../db/tax/self-billing.ts'
import {
  type Earning,
  listSelfBillingPlans,
  netOf,
  type Planned,
} from '../../db/tax/self-billing-plans.ts'
import { convert, currencyOf } from '../../domain/currencies.ts'
import { downToStep } from '../../domain/money.ts'
import { documentNumberOf, documentText, type PlannedDocument } from '../../domain/self-billing.ts'

/**
 * Writes the documents of statements that are being issued, in their transaction: whoever repeats
 * it after a crash takes the same numbers. Nothing is read where the programme has it off.
 */
export async function issueSelfBilling(
  trx: Trx,
  statements: Earning[],
  effectiveAt: Date,
): Promise<void> {
  const { selfBilling } = (await getProgramme(trx)).onboarding
  if (!selfBilling) return
  const moved = statements.filter((statement) => netOf(statement) !== 0n)
  const issuedAt = await databaseNow(trx)
  const planned = await listSelfBillingPlans(trx, moved, issuedAt)
  await recordSelfBillingSkips(
    trx,
    planned.flatMap(({ statement: { id: statementId, partnerId }, skip }) =>
      skip ? [{ statementId, partnerId, reason: skip.reason, baseMinor: skip.base }] : [],
    ),
  )
  const documents = await numbered(trx, planned, { selfBilling, issuedAt })
  await bookInputTax(trx, await recordSelfBilling(trx, documents), effectiveAt)
}

interface Writing {
  selfBilling: SelfBillingSettings
  issuedAt: Date
}

/** Gives each document the next number of its partner. */
async function numbered(
  trx: Trx,
  planned: Planned<Earning>[],
  writing: Writing,
): Promise<NewDocument[]> {
  const writers = planned.filter(({ documents }) => documents.length > 0)
  if (writers.length === 0) return []
  const series = await lockSeries(
    trx,
    writers.map(({ statement }) => statement.partnerId),
  )
  return writers.flatMap((plan) =>
    plan.documents.map((document) => {
      const own = series.get(plan.statement.partnerId)
      if (!own || !plan.profileId || !plan.agreementId) throw new Error('nobody agreed to it')
      own.last += 1
      const place = { series: own.series, number: own.last }
      const refers = { profileId: plan.profileId, agreementId: plan.agreementId }
      return newDocument(plan.statement, { ...document, ...refers, ...place }, writing)
    }),
  )
}

function newDocument(
  { id: statementId, partnerId, period, currency }: Earning,
  planned: PlannedDocument & {
    profileId: string
    agreementId: string
    series: number
    number: number
  },
  { selfBilling, issuedAt }: Writing,
): NewDocument {
  const { kind, corrects, treatment, bps, base, vat, profileId, agreementId } = planned
  const { legalName, address, country, vatId, numberFormat } = selfBilling
  const issuer = { legalName, address, country, vatId }
  const documentNumber = documentNumberOf(numberFormat, planned)
  const facts = {
    ...{ kind, treatment, bps, base, vat, profileId, agreementId, statementId, partnerId },
    ...{ period, currency, issuedAt, issuer },
    number: documentNumber,
    corrects: corrects?.number ?? null,
  }
  return {
    ...{ kind, documentNumber, statementId, partnerId, period, profileId, agreementId },
    number: planned.number,
    correctsId: corrects?.id ?? null,
    issuer: JSON.stringify(issuer),
    ...{ treatment, rateBps: bps, currency },
    ...{ baseMinor: base, vatMinor: vat, totalMinor: base + vat, issuedAt },
    hash: createHash('sha256').update(documentText(facts)).digest(),
  }
}

/** The tax that the platform owes its partners, and gets back from the authority. */
async function bookInputTax(
  trx: Trx,
  documents: WrittenDocument[],
  effectiveAt: Date,
): Promise<void> {
  const taxed = documents.filter(({ vatMinor }) => vatMinor !== 0n)
  if (taxed.length === 0) return
  const period = await bookingPeriod(trx, effectiveAt)
  await recordJournals(
    trx,
    taxed.map(
      ({ id, partnerId, currency, vatMinor }): Journal => ({
        kind: 'input_tax',
        sourceType: 'self_billing_document',
        sourceId: id,
        period,
        effectiveAt,
        postings: [
          signedPosting({
            debit: { purpose: 'input_tax' },
            credit: { purpose: 'partner_vat', partnerId },
            currency,
            amount: vatMinor,
          }),
        ],
      }),
    ),
  )
}

/** A statement that pays something, in the currency in which it does. */
interface Paying {
  statementId: string
  partnerId: string
  currency: string
}

interface Converting {
  id: string
  currency: string
  fxRateId: string | null
}

/** The tax that goes out with a payout. */
export interface TaxPart {
  /** What it takes of what is owed, in the currency of the documents. */
  owed: { amount: bigint; currency: string }
  /** What of the payout it is. */
  paid: bigint
  /** What the payout step left of it, in the currency of the payout. */
  rest: bigint
}

/**
 * What payouts carry of tax that is owed, by statement: all of it, in whole payout steps. A
 * partner that owes tax back has it set off against its next documents.
 */
export async function listTaxParts(
  trx: Trx,
  paying: Paying[],
  statements: Converting[],
): Promise<Map<string, TaxPart>> {
  const parts = new Map<string, TaxPart>()
  if (paying.length === 0) return parts
  const owedTo = await listVatOwed(
    trx,
    paying.map(({ partnerId }) => partnerId),
  )
  const byId = new Map(statements.map((statement) => [statement.id, statement]))
  const due = paying.flatMap(({ statementId, partnerId, currency }) => {
    const statement = byId.get(statementId)
    const amount = statement ? owedTo(partnerId, statement.currency) : 0n
    return statement && amount > 0n ? [{ statement, amount, currency }] : []
  })
  const rates = await listRateValues(
    trx,
    due.flatMap(({ statement: { fxRateId } }) => fxRateId ?? []),
  )
  for (const { statement, amount, currency } of due) {
    const rate = statement.fxRateId ? rates.get(statement.fxRateId) : undefined
    const part = taxPart({ amount, currency: statement.currency }, currency, rate)
    if (part.paid > 0n) parts.set(statement.id, part)
  }
  return parts
}

/** In the same currency the rest stays owed; converted, it is rounding like that of the payable. */
function taxPart(
  owed: { amount: bigint; currency: string },
  currency: string,
  rate: string | undefined,
): TaxPart {
  const { payoutStep } = currencyOf(currency)
  if (owed.currency === currency) {
    const paid = downToStep(owed.amount, payoutStep)
    return { owed: { ...owed, amount: paid }, paid, rest: 0n }
  }
  if (rate === undefined) throw new Error('a statement that pays in another currency has a rate')
  const exact = convert(owed.amount, rate, { from: owed.currency, to: currency })
  const paid = downToStep(exact, payoutStep)
  return { owed, paid, rest: exact - paid }
}

interface ReservedPayout {
  id: string
  partnerId: string
  currency: string
  part: TaxPart
}

/** Takes the tax that payouts carry out of what is owed to their partners. */
export async function bookTaxParts(
  trx: Trx,
  payouts: ReservedPayout[],
  { period, effectiveAt }: { period: string; effectiveAt: Date },
): Promise<void> {
  if (payouts.length === 0) return
  await recordJournals(
    trx,
    payouts.map((payout) => ({
      kind: 'vat_payment' as const,
      sourceType: 'payout',
      sourceId: payout.id,
      period,
      effectiveAt,
      postings: taxPostings(payout),
    })),
  )
}

function taxPostings({ partnerId, currency, part }: ReservedPayout): Journal['postings'] {
  const { owed, paid, rest } = part
  const vat = { purpose: 'partner_vat', partnerId } as const
  const transit = { purpose: 'payout_in_transit' } as const
  const clearing = { purpose: 'fx_clearing' } as const
  if (owed.currency === currency) {
    return [{ debit: vat, credit: transit, currency, amount: paid }]
  }
  return [
    { debit: vat, credit: clearing, ...owed },
    { debit: clearing, credit: transit, currency, amount: paid },
    { debit: clearing, credit: { purpose: 'fx_rounding' }, currency, amount: rest },
  ]
}
