/** Remittance advice: what a paid payout is for, as JSON and PDF from one source. */
import { z } from 'zod'
import { findRemittance, type RemittanceRow } from '../db/settlement/remittances.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import type { Remittance } from '../domain/remittances.ts'
import { remittancePdf } from '../integrations/documents.ts'
import { download } from './downloads.ts'
import { type Call, type Route, route } from './route.ts'
import { currencyAnswer, found, idAnswer, instantAnswer, minorAmount, pathId } from './validate.ts'

const remittanceAnswer = z.object({
  payout: idAnswer('payout'),
  partner: idAnswer('partner'),
  statement: z.object({
    id: idAnswer('statement'),
    number: z.string(),
    period: z.string(),
    /** The first period that it is about, where that is an earlier one. */
    since_period: z.string().nullable(),
    payable: minorAmount,
    currency: currencyAnswer,
  }),
  /** One whole unit of the statement's currency in that of the payout; null for the same one. */
  rate: z.object({ value: z.string(), source: z.string(), as_of: instantAnswer }).nullable(),
  /** What the payout step of the currency left. */
  rounding: minorAmount,
  withheld: minorAmount,
  /** Of self-billed documents, paid beside what the statement pays. */
  vat: minorAmount,
  amount: minorAmount,
  currency: currencyAnswer,
  transfer: z.string(),
  paid_at: instantAnswer,
})

const notFound = 'there is no such payout'

export function remittanceRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/payouts/:id/remittance',
      tag: 'Payouts',
      summary: 'Read the remittance advice of a payout',
      description: 'Which statement it pays and how its amount comes about, once it is paid.',
      access: 'payouts.read',
      answers: { 200: { description: 'The advice', schema: remittanceAnswer } },
      refusals: ['not_found', 'not_ready'],
      handle: async (call) => {
        const { row, advice } = await adviceOf(call)
        return { status: 200, body: present(row, advice) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/payouts/:id/remittance/pdf',
      tag: 'Payouts',
      summary: 'Read the remittance advice of a payout as PDF',
      access: 'payouts.read',
      answers: { 200: { description: 'The document', mediaType: 'application/pdf' } },
      refusals: ['not_found', 'not_ready'],
      handle: async (call) => {
        const { advice } = await adviceOf(call)
        const headers = download('application/pdf', `remittance-${advice.payout}.pdf`)
        return { status: 200, body: await remittancePdf(advice), headers }
      },
    }),
  ]
}

/** @throws DomainError `not_ready` before it is paid, and once its money has come back. */
async function adviceOf({ db, params }: Call): Promise<{ row: RemittanceRow; advice: Remittance }> {
  const row = found(await findRemittance(db, pathId('payout', params.id, notFound)), notFound)
  const { paidAt, transferId, rate, rateSource, rateAsOf } = row
  if (row.status !== 'paid' || paidAt === null || transferId === null) {
    throw new DomainError('not_ready', `this payout is ${row.status}: there is no advice of it`)
  }
  const advice = {
    payout: outwardId('payout', row.id),
    partner: row.partnerName,
    paidAt,
    transfer: transferId,
    statement: {
      number: row.documentNumber ?? '',
      period: row.period,
      sincePeriod: row.sincePeriod,
    },
    payable: row.payableMinor,
    statementCurrency: row.statementCurrency,
    rate: rate && rateSource && rateAsOf ? { rate, source: rateSource, asOf: rateAsOf } : null,
    rounding: row.restMinor ?? 0n,
    withheld: row.withheldMinor,
    vat: row.vatMinor,
    amount: row.amountMinor,
    currency: row.currency,
  }
  return { row, advice }
}

function present(row: RemittanceRow, advice: Remittance) {
  const { statement, rate } = advice
  return {
    payout: advice.payout,
    partner: outwardId('partner', row.partnerId),
    statement: {
      id: outwardId('statement', row.statementId),
      number: statement.number,
      period: statement.period,
      since_period: statement.sincePeriod,
      payable: wireAmount(advice.payable),
      currency: advice.statementCurrency,
    },
    rate: rate && { value: rate.rate, source: rate.source, as_of: rate.asOf.toISOString() },
    rounding: wireAmount(advice.rounding),
    withheld: wireAmount(advice.withheld),
    vat: wireAmount(advice.vat),
    amount: wireAmount(advice.amount),
    currency: advice.currency,
    transfer: advice.transfer,
    paid_at: advice.paidAt.toISOString(),
  }
}
