/** What is reported of a tax year: 1099-NEC, and what is set for the year. */
import { z } from 'zod'
import { type Db, inTransaction } from '../db/database.ts'
import { listCompensation, sumCompensation } from '../db/tax/standing.ts'
import { findTaxYear, listTaxYears, recordTaxYear } from '../db/tax/years.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import {
  type Compensation,
  isReported,
  layoutOf,
  reportReason,
  reportReasons,
  type TaxYear,
  taxClassifications,
  tinKinds,
} from '../domain/tax.ts'
import { compensationCsv } from '../integrations/tax-documents.ts'
import { download } from './downloads.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import { currencyAnswer, found, idAnswer, minorAmount, text } from './validate.ts'

const yearField = z
  .string()
  .regex(/^20[2-9]\d$/, 'expected a year like 2026')
  .transform(Number)

const yearAnswer = z.object({
  year: z.int(),
  currency: currencyAnswer,
  threshold: minorAmount,
  backup_withholding_bps: z.int(),
  source: z.string(),
})

const yearForm = z.strictObject({
  threshold: minorAmount.min(1),
  backup_withholding_bps: z.int().min(0).max(10_000),
  source: text(200),
})

const lineAnswer = z.object({
  partner: idAnswer('partner'),
  name: z.string(),
  legal_name: z.string().nullable(),
  tin: z.object({ kind: z.enum(tinKinds), last_four: z.string() }).nullable(),
  classification: z.enum(taxClassifications).nullable(),
  /** Box 1: paid in the year, before tax. */
  amount: minorAmount,
  /** Box 4. */
  withheld: minorAmount,
  payouts: z.int(),
  /** Whether it is on the return, and why. */
  reported: z.boolean(),
  reason: z.enum(reportReasons),
})

const reportAnswer = listAnswer(lineAnswer).extend({
  year: z.int(),
  layout: z.string(),
  /** What holds in this year; of an earlier one where this one is not set yet. */
  rules: yearAnswer,
  totals: z.object({ partners: z.int(), amount: minorAmount, withheld: minorAmount }),
  /** Paid to US persons in other currencies, which no line holds. */
  other_currencies: z.array(z.object({ currency: currencyAnswer, amount: minorAmount })),
})

const noYear = 'nothing is set for this year or one before'
const tag = 'Tax'
const ofYear = z.strictObject({ year: yearField })

export function taxReportRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tax/1099',
      tag,
      summary: 'Read what US persons were paid in a year',
      description:
        'For Form 1099-NEC: by the day of the payout in UTC, before tax, without payouts that ' +
        'were taken back. The platform owner reads all of them, a partner its own.',
      access: 'tax.read',
      query: z.strictObject({ ...pageQuery, year: yearField }),
      answers: { 200: { description: 'The year, partner by partner', schema: reportAnswer } },
      refusals: ['not_found'],
      handle: report,
    }),
    route({
      method: 'GET',
      path: '/v1/tax/1099/csv',
      tag,
      summary: 'Export what US persons were paid in a year',
      access: 'tax.export',
      query: ofYear,
      answers: { 200: { description: 'The whole year', mediaType: 'text/csv' } },
      refusals: ['not_found'],
      handle: exportYear,
    }),
    route({
      method: 'GET',
      path: '/v1/tax/years',
      tag,
      summary: 'List what is set for tax years',
      access: 'tax.read',
      answers: {
        200: { description: 'The newest first', schema: z.object({ data: z.array(yearAnswer) }) },
      },
      refusals: [],
      handle: async ({ db }) => ({
        status: 200,
        body: { data: (await listTaxYears(db)).map(presentYear) },
      }),
    }),
    route({
      method: 'PUT',
      path: '/v1/tax/years/:year',
      tag,
      summary: 'Set a tax year',
      description: 'What was withheld already stays as it was.',
      access: 'tax.decide',
      effect: 'transaction',
      body: yearForm,
      answers: { 200: { description: 'Set', schema: yearAnswer } },
      refusals: ['not_found'],
      handle: setYear,
    }),
  ]
}

type Asked = Call<{ year: number; limit: number; cursor?: string | undefined }>

/** A year in the currency of its rules; a partner asks for itself alone. */
async function asked({
  db,
  principal,
  query,
}: Pick<Asked, 'db' | 'principal'> & { query: { year: number } }) {
  const rules = await rulesOf(db, query.year)
  const partnerId = principal.level === 'super_admin' ? null : principal.partnerId
  return { rules, about: { year: query.year, currency: rules.currency, partnerId } }
}

async function rulesOf(db: Db, year: number): Promise<TaxYear> {
  return found(await findTaxYear(db, year), noYear)
}

async function report(call: Asked) {
  const { db, query } = call
  const { rules, about } = await asked(call)
  const page = await listCompensation(db, about, pageRequest(query))
  const sums = await sumCompensation(db, about)
  const own = sums.find(({ currency }) => currency === rules.currency)
  const body = {
    ...presentPage(page, (line) => presentLine(line, rules)),
    year: query.year,
    layout: layoutOf(query.year).version,
    rules: presentYear(rules),
    totals: {
      partners: own?.partners ?? 0,
      amount: wireAmount(own?.amount ?? 0n),
      withheld: wireAmount(own?.withheld ?? 0n),
    },
    other_currencies: sums
      .filter(({ currency }) => currency !== rules.currency)
      .map(({ currency, amount }) => ({ currency, amount: wireAmount(amount) })),
  }
  return { status: 200, body }
}

async function exportYear(call: Call<z.output<typeof ofYear>>) {
  const { db, query } = call
  const { rules, about } = await asked(call)
  const { rows } = await listCompensation(db, about, null)
  const headers = download('text/csv; charset=utf-8', `1099-nec-${query.year}.csv`)
  return { status: 200, body: Buffer.from(compensationCsv(query.year, rules, rows)), headers }
}

async function setYear({ db, params, body }: Call<unknown, z.output<typeof yearForm>>) {
  const year = yearField.safeParse(params.year)
  if (!year.success) throw new DomainError('not_found', 'there is no such tax year')
  const { threshold, backup_withholding_bps: backupWithholdingBps, source } = body
  await inTransaction(db, (trx) =>
    recordTaxYear(trx, {
      ...{ year: year.data, backupWithholdingBps, source },
      thresholdMinor: BigInt(threshold),
    }),
  )
  return { status: 200, body: presentYear(await rulesOf(db, year.data)) }
}

function presentYear(rules: TaxYear) {
  return {
    year: rules.year,
    currency: rules.currency,
    threshold: wireAmount(rules.thresholdMinor),
    backup_withholding_bps: rules.backupWithholdingBps,
    source: rules.source,
  }
}

function presentLine(line: Compensation, rules: TaxYear) {
  const reason = reportReason(line, rules)
  return {
    partner: outwardId('partner', line.partnerId),
    name: line.partnerName,
    legal_name: line.legalName,
    tin: line.tinKind && { kind: line.tinKind, last_four: line.tinLastFour ?? '' },
    classification: line.form?.classification ?? null,
    amount: wireAmount(line.amount),
    withheld: wireAmount(line.withheld),
    payouts: line.payouts,
    reported: isReported(reason),
    reason,
  }
}
