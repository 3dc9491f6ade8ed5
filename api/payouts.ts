/** Payouts to partners. */
import { z } from 'zod'
import { findPayout, listPayouts, type PayoutRow } from '../db/payouts.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { payoutStatuses } from '../domain/payouts.ts'
import { earningsFilter, earningsQuery } from './commission.ts'
import { listAnswer, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { currencyAnswer, found, idAnswer, instantAnswer, minorAmount, pathId } from './validate.ts'

const payoutAnswer = z.object({
  id: idAnswer('payout'),
  statement: idAnswer('statement'),
  partner: idAnswer('partner'),
  period: z.string(),
  amount: minorAmount,
  currency: currencyAnswer,
  status: z.enum(payoutStatuses),
  hold_reason: z.string().nullable(),
  transfer: z.string().nullable(),
  created_at: instantAnswer,
  paid_at: instantAnswer.nullable(),
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
      query: earningsQuery,
      answers: { 200: { description: 'Newest first', schema: listAnswer(payoutAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listPayouts(db, earningsFilter(query))
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
        return { status: 200, body: presentPayout(row) }
      },
    }),
  ]
}

function presentPayout(row: PayoutRow) {
  return {
    id: outwardId('payout', row.id),
    statement: outwardId('statement', row.statementId),
    partner: outwardId('partner', row.partnerId),
    period: row.period,
    amount: wireAmount(row.amountMinor),
    currency: row.currency,
    status: row.status,
    hold_reason: row.holdReason,
    transfer: row.transferId,
    created_at: row.createdAt.toISOString(),
    paid_at: row.paidAt?.toISOString() ?? null,
  }
}
