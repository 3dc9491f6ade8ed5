/** What a partner sees first: this month, what waits for a statement, and its next payout. */
import { z } from 'zod'
import { findNextPayout, listEarnings } from '../db/commission/earnings.ts'
import { databaseNow } from '../db/database.ts'
import { findPartner } from '../db/partners.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { payoutStatuses } from '../domain/payouts.ts'
import { periodOf } from '../domain/period.ts'
import { type Call, type Route, route } from './route.ts'
import { currencyAnswer, found, idAnswer, minorAmount, pathId } from './validate.ts'

const earningsAnswer = z.object({
  partner: idAnswer('partner'),
  /** The month that runs, in UTC. */
  period: z.string(),
  currencies: z.array(
    z.object({
      currency: currencyAnswer,
      /** Booked in the month that runs. */
      earned: minorAmount,
      taken_back: minorAmount,
      /** Of all months, less what went back and with entries by hand: on no statement yet. */
      pending: minorAmount,
      /** What the newest statement has left; negative where it is owed. */
      carried: minorAmount,
    }),
  ),
  /** The first payout that has not gone; what waits below the minimum is none. */
  next_payout: z
    .object({
      id: idAnswer('payout'),
      statement: idAnswer('statement'),
      amount: minorAmount,
      currency: currencyAnswer,
      status: z.enum(payoutStatuses),
      /** Not before this day; null is at once. */
      pay_on: z.string().nullable(),
    })
    .nullable(),
})

const noPartner = 'there is no such partner'

export function earningsRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/partners/:id/earnings',
      tag: 'Commission',
      summary: 'Read how a partner stands today',
      description:
        'What it earned this month, what no statement is about yet, and its next payout. For the ' +
        'partner itself and the platform owner; not for those above it.',
      access: 'accruals.read',
      answers: { 200: { description: 'By currency', schema: earningsAnswer } },
      refusals: ['not_found'],
      handle: async (call) => ({ status: 200, body: await read(call) }),
    }),
  ]
}

async function read({ db, params, principal }: Pick<Call, 'db' | 'params' | 'principal'>) {
  const partnerId = pathId('partner', params.id, noPartner)
  found(await findPartner(db, partnerId), noPartner)
  if (principal.level !== 'super_admin' && principal.partnerId !== partnerId) {
    throw new DomainError('forbidden', 'earnings are for the partner itself and the platform owner')
  }
  const month = periodOf(await databaseNow(db))
  const earnings = await listEarnings(db, { partnerId, month })
  const next = await findNextPayout(db, partnerId)
  return {
    partner: outwardId('partner', partnerId),
    period: month,
    currencies: earnings.map(({ currency, earned, takenBack, pending, carried }) => ({
      currency,
      earned: wireAmount(earned),
      taken_back: wireAmount(takenBack),
      pending: wireAmount(pending),
      carried: wireAmount(carried),
    })),
    next_payout: next
      ? {
          id: outwardId('payout', next.id),
          statement: outwardId('statement', next.statementId),
          amount: wireAmount(next.amountMinor),
          currency: next.currency,
          status: next.status,
          pay_on: next.payOn,
        }
      : null,
  }
}
