/** Self-billed invoices and credit notes: listed, one by one, and what a run would write. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type Db, databaseNow } from '../db/database.ts'
import { getProgramme } from '../db/programmes.ts'
import { getRun } from '../db/settlement/runs.ts'
import { findProfileById } from '../db/tax/self-billing-consent.ts'
import {
  findSelfBilling,
  findStatementSelfBilling,
  listSelfBilling,
  listSelfBillingOf,
  type SelfBillingRow,
  type SuppliedRow,
} from '../db/tax/self-billing-documents.ts'
import {
  type Earning,
  listDraftEarnings,
  listSelfBillingPlans,
  type Planned,
} from '../db/tax/self-billing-plans.ts'
import { monthsOf } from '../domain/cadence.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import {
  type DocumentFacts,
  documentKinds,
  documentText,
  type SelfBillingPaper,
  type Supplier,
  selfBillingSkips,
  treatmentWords,
  vatTreatments,
} from '../domain/self-billing.ts'
import { selfBillingCsv, selfBillingPdf } from '../integrations/self-billing-papers.ts'
import { settledField, settledFilter, settledQuery } from './commission.ts'
import { download } from './downloads.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { presentProfile, profileFields } from './self-billing.ts'
import { currencyAnswer, found, idAnswer, instantAnswer, minorAmount, pathId } from './validate.ts'

const summary = z.object({
  id: idAnswer('selfBillingDocument'),
  number: z.string(),
  kind: z.enum(documentKinds),
  /** The invoice that a credit note is about. */
  corrects: z.object({ id: idAnswer('selfBillingDocument'), number: z.string() }).nullable(),
  partner: idAnswer('partner'),
  statement: idAnswer('statement'),
  statement_number: z.string(),
  period: z.string(),
  /** The first period that it is about, where that is an earlier one. */
  since_period: z.string().nullable(),
  currency: currencyAnswer,
  /** Commission earned, net of what was taken back; negative on a credit note. */
  base: minorAmount,
  treatment: z.enum(vatTreatments),
  bps: z.int(),
  vat: minorAmount,
  total: minorAmount,
  issued_at: instantAnswer,
})

const documentAnswer = summary.extend({
  supplier: z.object(profileFields),
  recipient: z.object(profileFields),
  /** What the law wants to read where no tax is on it. */
  note: z.string().nullable(),
  /** SHA-256 over number, amounts, recipient and the rows that it refers to. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
})

const draftAnswer = z.object({
  partner: idAnswer('partner'),
  currency: currencyAnswer,
  documents: z.array(
    z.object({
      kind: z.enum(documentKinds),
      corrects: z.string().nullable(),
      base: minorAmount,
      treatment: z.enum(vatTreatments),
      bps: z.int(),
      vat: minorAmount,
    }),
  ),
  skip: z.object({ reason: z.enum(selfBillingSkips), base: minorAmount }).nullable(),
})

/** What a statement says of its documents; null where nothing was written or left out. */
export const selfBillingAnswer = z
  .object({
    documents: z.array(summary.pick({ id: true, number: true, kind: true, base: true, vat: true })),
    /** Why no document is about this part of what was earned or taken back. */
    skip: z.object({ reason: z.enum(selfBillingSkips), base: minorAmount }).nullable(),
  })
  .nullable()

const notFound = 'there is no such self-billed document'
const noRun = 'there is no such settlement run'
const tag = 'Self-billing'

export function selfBillingDocumentRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/self-billing-documents',
      tag,
      summary: 'List self-billed invoices and credit notes',
      description: 'The platform owner lists all of them, a partner its own.',
      access: 'tax.read',
      query: settledQuery,
      answers: { 200: { description: 'Newest first', schema: listAnswer(summary) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listSelfBilling(db, settledFilter(query))
        return { status: 200, body: presentPage(page, presentSummary) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/self-billing-documents/:id',
      tag,
      summary: 'Read a self-billed document',
      access: 'tax.read',
      answers: { 200: { description: 'The document', schema: documentAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const row = await documentOf(db, params.id)
        return { status: 200, body: await presentDocument(db, row) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/self-billing-documents/:id/pdf',
      tag,
      summary: 'Read a self-billed document as PDF',
      access: 'tax.read',
      answers: { 200: { description: 'The document', mediaType: 'application/pdf' } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const row = await documentOf(db, params.id)
        const supplier = found(await findProfileById(db, row.profileId), notFound)
        const headers = download('application/pdf', `${fileName(row.documentNumber)}.pdf`)
        return { status: 200, body: await selfBillingPdf(paperOf(row, supplier)), headers }
      },
    }),
    exportRoute(),
    draftRoute(),
  ]
}

function exportRoute(): Route {
  return route({
    method: 'GET',
    path: '/v1/tax/self-billing/csv',
    tag,
    summary: 'Export the self-billed documents of a period',
    description:
      'A row for each document of a month or a quarter, and one for the totals of each currency.',
    access: 'tax.export',
    query: z.strictObject({ period: settledField }),
    answers: { 200: { description: 'The whole period', mediaType: 'text/csv' } },
    refusals: [],
    handle: async ({ db, query: { period } }) => {
      const rows = await listSelfBillingOf(db, monthsOf(period))
      const papers = rows.map((row) => paperOf(row, supplierOf(row)))
      const csv = selfBillingCsv(papers, (id) => outwardId('partner', id))
      const headers = download('text/csv; charset=utf-8', `self-billing-${period}.csv`)
      return { status: 200, body: Buffer.from(csv), headers }
    },
  })
}

/** What a run would write, for those who review it. */
function draftRoute(): Route {
  return route({
    method: 'GET',
    path: '/v1/settlement-runs/:id/self-billing',
    tag,
    summary: 'List what a run would self-bill',
    description:
      'For its drafts, as partners stand now: the documents that their issue would write, and ' +
      'what would be left out and why. Empty where the programme writes no invoices.',
    access: 'settlement.read',
    query: z.strictObject(pageQuery),
    answers: {
      200: { description: 'In the order of the statements’ ids', schema: listAnswer(draftAnswer) },
    },
    refusals: ['not_found'],
    handle: async ({ db, params, query }) => {
      const { id: runId } = await getRun(db, pathId('settlementRun', params.id, noRun))
      const { selfBilling } = (await getProgramme(db)).onboarding
      const page = await listDraftEarnings(db, { runId, ...pageRequest(query) })
      const plans = await listSelfBillingPlans(db, page.rows, await databaseNow(db))
      const rows = selfBilling ? plans : []
      const next = selfBilling ? page.next : null
      return { status: 200, body: presentPage({ rows, next }, presentPlan) }
    },
  })
}

/** The documents of a statement, as the statement shows them. */
export async function statementSelfBilling(db: Db, statementId: string) {
  const { documents, skip } = await findStatementSelfBilling(db, statementId)
  if (documents.length === 0 && skip === null) return null
  return {
    documents: documents.map((one) => ({
      id: outwardId('selfBillingDocument', one.id),
      number: one.documentNumber,
      kind: one.kind,
      base: wireAmount(one.baseMinor),
      vat: wireAmount(one.vatMinor),
    })),
    skip: skip && { reason: skip.reason, base: wireAmount(skip.baseMinor) },
  }
}

/** @throws RangeError for a document that does not say what it said: it is not shown. */
async function documentOf(db: Db, id: string | undefined): Promise<SelfBillingRow> {
  const row = found(
    await findSelfBilling(db, pathId('selfBillingDocument', id, notFound)),
    notFound,
  )
  if (
    !createHash('sha256')
      .update(documentText(factsOf(row)))
      .digest()
      .equals(row.hash)
  ) {
    throw new RangeError(`document ${row.documentNumber} is not what was issued`)
  }
  return row
}

const factsOf = (row: SelfBillingRow): DocumentFacts => ({
  kind: row.kind,
  number: row.documentNumber,
  corrects: row.correctsNumber,
  statementId: row.statementId,
  partnerId: row.partnerId,
  profileId: row.profileId,
  agreementId: row.agreementId,
  period: row.period,
  currency: row.currency,
  treatment: row.treatment,
  bps: row.rateBps,
  base: row.baseMinor,
  vat: row.vatMinor,
  issuedAt: row.issuedAt,
  issuer: row.issuer,
})

function presentSummary(row: SelfBillingRow) {
  const { correctsId, correctsNumber } = row
  return {
    id: outwardId('selfBillingDocument', row.id),
    number: row.documentNumber,
    kind: row.kind,
    corrects:
      correctsId !== null && correctsNumber !== null
        ? { id: outwardId('selfBillingDocument', correctsId), number: correctsNumber }
        : null,
    partner: outwardId('partner', row.partnerId),
    statement: outwardId('statement', row.statementId),
    statement_number: row.statementNumber ?? '',
    period: row.periodName ?? row.period,
    since_period: row.sincePeriod,
    currency: row.currency,
    base: wireAmount(row.baseMinor),
    treatment: row.treatment,
    bps: row.rateBps,
    vat: wireAmount(row.vatMinor),
    total: wireAmount(row.totalMinor),
    issued_at: row.issuedAt.toISOString(),
  }
}

async function presentDocument(db: Db, row: SelfBillingRow) {
  const supplier = found(await findProfileById(db, row.profileId), notFound)
  const { legalName, address, country, vatId } = row.issuer
  return {
    ...presentSummary(row),
    supplier: presentProfile(supplier),
    recipient: { legal_name: legalName, address, country, vat_id: vatId },
    note: treatmentWords[row.treatment],
    hash: row.hash.toString('hex'),
  }
}

/** A number as the name of a file: it may hold a slash. */
const fileName = (number: string) => number.replaceAll('/', '-')

const supplierOf = (row: SuppliedRow): Supplier => ({
  legalName: row.supplierName,
  address: '',
  country: row.supplierCountry,
  vatId: row.supplierVatId,
})

const paperOf = (row: SelfBillingRow, supplier: Supplier): SelfBillingPaper => ({
  ...factsOf(row),
  supplier,
  statementNumber: row.statementNumber ?? '',
  period: row.periodName ?? row.period,
  since: row.sincePeriod,
  hash: row.hash.toString('hex'),
})

function presentPlan({ statement, documents, skip }: Planned<Earning>) {
  return {
    partner: outwardId('partner', statement.partnerId),
    currency: statement.currency,
    documents: documents.map(({ kind, corrects, base, treatment, bps, vat }) => ({
      ...{ kind, treatment, bps, corrects: corrects?.number ?? null },
      ...{ base: wireAmount(base), vat: wireAmount(vat) },
    })),
    skip: skip && { reason: skip.reason, base: wireAmount(skip.base) },
  }
}
