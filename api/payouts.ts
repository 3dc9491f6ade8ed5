/** Payouts to partners. */
import { z } from 'zod'
import { listBankPayouts } from '../db/bank-payouts.ts'
import type { Db } from '../db/database.ts'
import { listAttempts } from '../db/payout-attempts.ts'
import { listExceptions } from '../db/payout-exceptions.ts'
import { findPayout, listPayouts, type PayoutRow } from '../db/payouts.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { holdAdvice, holdReasons, payoutStatuses } from '../domain/payouts.ts'
import { settledFilter, settledQuery } from './commission.ts'
import { listAnswer, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { currencyAnswer, found, idAnswer, instantAnswer, minorAmount, pathId } from './validate.ts'

export const shortPayoutAnswer = z.object({
  id: idAnswer('payout'),
  statement: idAnswer('statement'),
  partner: idAnswer('partner'),
  period: z.string(),
  amount: minorAmount,
  currency: currencyAnswer,
  status: z.enum(payoutStatuses),
  hold_reason: z.enum(holdReasons).nullable(),
  /** What to do about it. */
  hold_advice: z.string().nullable(),
  transfer: z.string().nullable(),
  /** Not before this day; null is at once. */
  pay_on: z.string().nullable(),
  created_at: instantAnswer,
  paid_at: instantAnswer.nullable(),
})

const payoutAnswer = shortPayoutAnswer.extend({
  attempts: z.array(
    z.object({
      number: z.int(),
      status: z.enum(['prepared', 'sent', 'unknown', 'succeeded', 'rejected', 'reversed']),
      problem: z.string().nullable(),
      transfer: z.string().nullable(),
      reversal: z.string().nullable(),
      started_at: instantAnswer,
      finished_at: instantAnswer.nullable(),
    }),
  ),
  /** What Stripe paid on to the partner's bank, and what came back. */
  bank_payouts: z.array(
    z.object({
      id: idAnswer('bankPayout'),
      payout: z.string().nullable(),
      status: z.string(),
      failure_code: z.string().nullable(),
      asked_at: instantAnswer,
      changed_at: instantAnswer,
    }),
  ),
  timeline: z.array(
    z.object({ at: instantAnswer, what: z.string(), detail: z.string().nullable() }),
  ),
})

const notFound = 'there is no such payout'

export function payoutRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/payouts',
      tag: 'Payouts',
      summary: 'List payouts',
      access: 'payouts.read',
      query: settledQuery,
      answers: { 200: { description: 'Newest first', schema: listAnswer(shortPayoutAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listPayouts(db, settledFilter(query))
        return { status: 200, body: presentPage(page, presentPayout) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/payouts/:id',
      tag: 'Payouts',
      summary: 'Read a payout',
      access: 'payouts.read',
      answers: { 200: { description: 'The payout', schema: payoutAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('payout', params.id, notFound)
        const row = found(await findPayout(db, id), notFound)
        return { status: 200, body: { ...presentPayout(row), ...(await historyOf(db, row)) } }
      },
    }),
  ]
}

/** Everything that happened to it, as far as the caller may see. */
async function historyOf(db: Db, row: PayoutRow) {
  const attempts = await listAttempts(db, row.id)
  const banks = await listBankPayouts(db, row.id)
  const cases = await listExceptions(db, { payoutId: row.id, limit: 100, after: undefined })
  const timeline = [
    { at: row.createdAt, what: 'reserved', detail: null },
    ...attempts.flatMap((one) => [
      { at: one.createdAt, what: 'attempt', detail: String(one.attemptNo) },
      ...(one.finishedAt ? [{ at: one.finishedAt, what: one.status, detail: one.problem }] : []),
    ]),
    ...banks.map((one) => ({
      ...{ at: one.changedAt, what: `bank_${one.status}`, detail: one.failureCode },
    })),
    ...cases.rows.flatMap((one) => [
      { at: one.openedAt, what: 'exception_opened', detail: one.cause as string },
      ...(one.closedAt
        ? [{ at: one.closedAt, what: 'exception_closed', detail: one.resolution as string }]
        : []),
    ]),
  ].sort((a, b) => a.at.getTime() - b.at.getTime())
  return {
    attempts: attempts.map((one) => ({
      number: one.attemptNo,
      status: one.status,
      problem: one.problem,
      transfer: one.vendorTransferId,
      reversal: one.vendorReversalId,
      started_at: one.createdAt.toISOString(),
      finished_at: one.finishedAt?.toISOString() ?? null,
    })),
    bank_payouts: banks.map((one) => ({
      id: outwardId('bankPayout', one.id),
      payout: one.vendorPayoutId,
      status: one.status,
      failure_code: one.failureCode,
      asked_at: one.askedAt.toISOString(),
      changed_at: one.changedAt.toISOString(),
    })),
    timeline: timeline.map(({ at, ...what }) => ({ at: at.toISOString(), ...what })),
  }
}

export function presentPayout(row: PayoutRow) {
  return {
    id: outwardId('payout', row.id),
    statement: outwardId('statement', row.statementId),
    partner: outwardId('partner', row.partnerId),
    period: row.period,
    amount: wireAmount(row.amountMinor),
    currency: row.currency,
    status: row.status,
    hold_reason: row.holdReason,
    hold_advice: row.holdReason && holdAdvice[row.holdReason],
    transfer: row.transferId,
    pay_on: row.payOn,
    created_at: row.createdAt.toISOString(),
    paid_at: row.paidAt?.toISOString() ?? null,
  }
}
