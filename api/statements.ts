/** Statements as JSON, PDF and CSV: three forms of one document. */
import { z } from 'zod'
import type { Principal } from '../db/access.ts'
import { listLeftOut } from '../db/settlement/holds.ts'
import { listReserveMoves } from '../db/settlement/reserves.ts'
import { listStatementHolds } from '../db/settlement/statement-holds.ts'
import {
  findStatement,
  listStatementLines,
  listStatements,
  type StatementRow,
} from '../db/settlement/statements.ts'
import { cadenceOf } from '../domain/cadence.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { sum, wireAmount } from '../domain/money.ts'
import {
  assertLinesMatch,
  heldCauses,
  type StatementDocument,
  type StatementLine,
  sealText,
  statementLineKinds,
} from '../domain/settlement.ts'
import { carriedParts, earnedParts, isPrior, ownSince, priorNet } from '../domain/statements.ts'
import { statementCsv, statementHash, statementPdf } from '../integrations/documents.ts'
import { settledFilter, settledQuery } from './commission.ts'
import { download } from './downloads.ts'
import { listAnswer, presentPage } from './paging.ts'
import { presentMove, reserveMoveAnswer } from './reserves.ts'
import { type Call, type Route, route } from './route.ts'
import { selfBillingAnswer, statementSelfBilling } from './self-billing-documents.ts'
import { currencyAnswer, found, idAnswer, instantAnswer, minorAmount, pathId } from './validate.ts'

/** The figures of a statement, and of the totals of many. */
export const figures = {
  opening: minorAmount,
  earned: minorAmount,
  clawed_back: minorAmount,
  adjustments: minorAmount,
  closing: minorAmount,
  held: minorAmount,
  payable: minorAmount,
  carried: minorAmount,
}

const statementSummary = z.object({
  id: idAnswer('statement'),
  number: z.string(),
  partner: idAnswer('partner'),
  period: z.string(),
  currency: currencyAnswer,
  ...figures,
  carry_reason: z.string().nullable(),
  /** Why less than the minimum is paid. */
  payable_reason: z.enum(['aged_balance', 'final_balance']).nullable(),
  /** Not before this day; null where it is paid at once, or nothing is. */
  pay_on: z.string().nullable(),
  issued_at: instantAnswer,
})

const statementAnswer = statementSummary.extend({
  /**
   * The first month that it is about, where that is not its last one: that of a quarter, or one in
   * which a run left the partner out.
   */
  since_period: z.string().nullable(),
  /** Why they did, for the platform owner. */
  left_out: z.array(z.object({ period: z.string(), reason: z.string() })).optional(),
  seal: z.string().nullable(),
  /** SHA-256 over number, figures, parts and lines; the same on every form. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  earned_of: z.object({
    own: minorAmount,
    overrides: minorAmount,
    true_ups: minorAmount,
    bonuses: minorAmount,
  }),
  /** The net of the lines that belong to earlier periods. */
  prior_period: minorAmount,
  held_for: z.array(
    z.object({
      cause: z.enum(heldCauses),
      amount: minorAmount,
      lines: z.int().nullable(),
      until: instantAnswer.nullable(),
    }),
  ),
  /** What is kept of this payout where much is disputed, and what ends of earlier ones. */
  reserves: z.array(reserveMoveAnswer),
  /** What is paid of the payable, in the currency in which it is; null where nothing is. */
  payment: z
    .object({
      currency: currencyAnswer,
      gross: minorAmount,
      withheld: minorAmount,
      withheld_bps: z.int().nullable(),
      /** Value added tax of self-billed documents that is paid with it, beside the payable. */
      vat: minorAmount,
      net: minorAmount,
    })
    .nullable(),
  carried_for: z.array(z.object({ reason: z.string(), amount: minorAmount })),
  /** Invoices that the platform wrote about it, for the partner itself and the platform. */
  self_billing: selfBillingAnswer,
  lines: z.array(
    z.object({
      kind: z.enum(statementLineKinds),
      id: z.string(),
      at: instantAnswer,
      customer: z.string().nullable(),
      invoice: z.string().nullable(),
      depth: z.int(),
      base: minorAmount,
      amount: minorAmount,
      note: z.string().nullable(),
      /** It happened in an earlier period and came in after that was closed. */
      prior_period: z.boolean(),
    }),
  ),
})

const notFound = 'there is no such statement'

export function statementRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/statements',
      tag: 'Settlement',
      summary: 'List statements',
      access: 'statements.read',
      query: settledQuery,
      answers: { 200: { description: 'Newest first', schema: listAnswer(statementSummary) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listStatements(db, settledFilter(query))
        return { status: 200, body: presentPage(page, presentSummary) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/statements/:id',
      tag: 'Settlement',
      summary: 'Read a statement with its lines',
      access: 'statements.read',
      answers: { 200: { description: 'The statement', schema: statementAnswer } },
      refusals: ['not_found'],
      handle: async (call) => {
        const { row, document } = await statementDocument(call)
        const leftOut = await leftOutOf(call, row)
        const selfBilling = await statementSelfBilling(call.db, row.id)
        const body = { ...presentStatement(row, document), ...leftOut, self_billing: selfBilling }
        return { status: 200, body }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/statements/:id/pdf',
      tag: 'Settlement',
      summary: 'Read a statement as PDF',
      access: 'statements.read',
      answers: { 200: { description: 'The document', mediaType: 'application/pdf' } },
      refusals: ['not_found'],
      handle: async (call) => {
        const { document } = await statementDocument(call)
        const headers = download('application/pdf', `statement-${document.number}.pdf`)
        return { status: 200, body: await statementPdf(document), headers }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/statements/:id/csv',
      tag: 'Settlement',
      summary: 'Read a statement as CSV',
      access: 'statements.read',
      answers: { 200: { description: 'The document', mediaType: 'text/csv' } },
      refusals: ['not_found'],
      handle: async (call) => {
        const { document } = await statementDocument(call)
        const headers = download('text/csv; charset=utf-8', `statement-${document.number}.csv`)
        return { status: 200, body: Buffer.from(statementCsv(document)), headers }
      },
    }),
  ]
}

/** The one source of every form; lines that do not add up are never shown. */
async function statementDocument({ db, principal, params }: Call) {
  const id = pathId('statement', params.id, notFound)
  const row = found(await findStatement(db, id), notFound)
  const document: StatementDocument = {
    number: row.documentNumber ?? '',
    partner: row.partnerName,
    period: row.periodName ?? row.period,
    since: row.sincePeriod,
    currency: row.currency,
    issuedAt: row.issuedAt ?? new Date(0),
    seal: sealText(row),
    payOn: row.payOn,
    totals: {
      opening: row.openingMinor,
      earned: row.earnedMinor,
      clawedBack: row.clawedBackMinor,
      adjustments: row.adjustmentsMinor,
      closing: row.closingMinor,
      held: row.heldMinor,
      payable: row.payableMinor,
      carried: row.carriedMinor,
      reason: row.carryReason,
    },
    held: await listStatementHolds(db, row.id),
    reserves: await listReserveMoves(db, row.id),
    payment: paymentOf(row),
    lines: (await listStatementLines(db, row)).map((line) => ({
      ...line,
      prior: isPrior(line, ownSince(row)),
    })),
  }
  refuseHiddenLines(principal, row, document)
  return { row, document }
}

/** Why months before its own are on a statement; a person of the platform said it to others. */
async function leftOutOf({ db, principal }: Pick<Call, 'db' | 'principal'>, row: StatementRow) {
  const isWeek = row.periodName !== null && cadenceOf(row.periodName) === 'weekly'
  if (principal.level !== 'super_admin' || (row.sincePeriod === null && !isWeek)) return {}
  const leftOut = await listLeftOut(db, row)
  return leftOut.length === 0 ? {} : { left_out: leftOut }
}

function paymentOf(row: StatementRow): StatementDocument['payment'] {
  if (row.payableMinor === 0n) return null
  return {
    currency: row.payoutCurrency ?? row.currency,
    gross: row.payoutMinor ?? row.payableMinor,
    withheld: row.withheldMinor,
    withheldBps: row.withheldMinor > 0n ? row.withheldBps : null,
    vat: row.vatMinor ?? 0n,
  }
}

/**
 * What a partner earned below one master reseller is not shown to the next: of the month in which
 * it moved, neither of the two sees every line.
 * @throws DomainError `forbidden`
 */
function refuseHiddenLines({ level }: Principal, row: StatementRow, document: StatementDocument) {
  const shown = sum(document.lines.map(({ amount }) => amount))
  const { opening, closing } = document.totals
  if (level === 'master_reseller' && shown !== closing - opening) {
    throw new DomainError(
      'forbidden',
      `part of statement ${row.documentNumber} was earned elsewhere in the hierarchy; ` +
        'the partner itself and the platform owner read its lines',
    )
  }
  assertLinesMatch(document)
}

function presentSummary(row: StatementRow) {
  return {
    id: outwardId('statement', row.id),
    number: row.documentNumber ?? '',
    partner: outwardId('partner', row.partnerId),
    period: row.periodName ?? row.period,
    currency: row.currency,
    opening: wireAmount(row.openingMinor),
    earned: wireAmount(row.earnedMinor),
    clawed_back: wireAmount(row.clawedBackMinor),
    adjustments: wireAmount(row.adjustmentsMinor),
    closing: wireAmount(row.closingMinor),
    held: wireAmount(row.heldMinor),
    payable: wireAmount(row.payableMinor),
    carried: wireAmount(row.carriedMinor),
    carry_reason: row.carryReason,
    payable_reason: row.payableReason,
    pay_on: row.payOn,
    issued_at: row.issuedAt?.toISOString() ?? '',
  }
}

const idKindOf = {
  accrual: 'accrual',
  true_up: 'closingAccrual',
  bonus: 'closingAccrual',
  clawback: 'clawback',
  adjustment: 'adjustment',
} as const

/** The outward id of a line. */
export function lineId({ kind, id }: Pick<StatementLine, 'kind' | 'id'>): string {
  return outwardId(idKindOf[kind], id)
}

function presentStatement(row: StatementRow, document: StatementDocument) {
  return {
    ...presentSummary(row),
    since_period: document.since,
    seal: document.seal,
    hash: statementHash(document),
    ...presentParts(document),
    lines: document.lines.map(({ prior, ...line }) => ({
      ...line,
      prior_period: prior,
      id: lineId({ kind: line.kind, id: line.id }),
      at: line.at.toISOString(),
      base: wireAmount(line.base),
      amount: wireAmount(line.amount),
    })),
  }
}

/** What the figures are made of, and why they are what they are. */
function presentParts(document: StatementDocument) {
  const { own, overrides, trueUps, bonuses } = earnedParts(document)
  return {
    earned_of: {
      own: wireAmount(own),
      overrides: wireAmount(overrides),
      true_ups: wireAmount(trueUps),
      bonuses: wireAmount(bonuses),
    },
    prior_period: wireAmount(priorNet(document)),
    held_for: document.held.map(({ cause, amount, lines, until }) => ({
      cause,
      amount: wireAmount(amount),
      lines,
      until: until?.toISOString() ?? null,
    })),
    reserves: (document.reserves ?? []).map(presentMove),
    payment: presentPayment(document),
    carried_for: carriedParts(document.totals).map(({ reason, amount }) => ({
      reason,
      amount: wireAmount(amount),
    })),
  }
}

function presentPayment({ payment }: StatementDocument) {
  if (!payment) return null
  const { currency, gross, withheld, withheldBps, vat } = payment
  return {
    currency,
    gross: wireAmount(gross),
    withheld: wireAmount(withheld),
    withheld_bps: withheldBps,
    vat: wireAmount(vat),
    net: wireAmount(gross - withheld + vat),
  }
}
