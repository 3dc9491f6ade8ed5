/** What is kept of payouts where much of what a partner sells is disputed. */
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import {
  findReserve,
  listReserves,
  type ReserveRow,
  recordReserveRelease,
} from '../db/settlement/reserves.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { disputedBps, type ReserveMove, reserveEndCauses } from '../domain/reserve-moves.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import {
  currencyAnswer,
  found,
  idAnswer,
  idField,
  instantAnswer,
  minorAmount,
  pathId,
  text,
} from './validate.ts'

/** Why something is kept: what customers paid, and how much of it their banks wanted back. */
const reasonAnswer = {
  paid: minorAmount,
  disputed: minorAmount,
  /** In hundredths of a percent; null where nothing was paid in the window. */
  disputed_bps: z.int().nullable(),
  /** The limit that it was above. */
  above_bps: z.int(),
  window_from: instantAnswer,
  until: instantAnswer,
}

const reserveAnswer = z.object({
  id: idAnswer('partnerReserve'),
  partner: idAnswer('partner'),
  statement: idAnswer('statement'),
  period: z.string(),
  currency: currencyAnswer,
  amount: minorAmount,
  /** What is kept of it now; 0 once it has ended. */
  left: minorAmount,
  keep_bps: z.int(),
  ...reasonAnswer,
  kept_since: instantAnswer,
  released_at: instantAnswer.nullable(),
  release_reason: z.string().nullable().optional().meta({ description: 'For the platform.' }),
})

/** What a statement does with a reserve: `kept` is its own, the others are of earlier ones. */
export const reserveMoveAnswer = z.object({
  reserve: idAnswer('partnerReserve'),
  what: z.enum(['kept', ...reserveEndCauses]),
  period: z.string(),
  amount: minorAmount,
  ...reasonAnswer,
})

const notFound = 'there is no such reserve'

export function reserveRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/reserves',
      tag: 'Settlement',
      summary: 'List what is kept of payouts',
      description:
        'Where more of what customers paid is disputed than the programme allows, a part of the ' +
        'payout is kept for a while. It comes back with the first close after `until`.',
      access: 'reserves.read',
      query: z.strictObject({
        ...pageQuery,
        partner: idField('partner').optional(),
        kept: z.enum(['true', 'false']).optional(),
      }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(reserveAnswer) } },
      refusals: [],
      handle: async ({ db, principal, query }) => {
        const { partner: partnerId, kept, ...page } = query
        const isKept = kept === undefined ? undefined : kept === 'true'
        const reserves = await listReserves(db, { ...pageRequest(page), partnerId, isKept })
        const isOwner = principal.level === 'super_admin'
        return { status: 200, body: presentPage(reserves, (row) => present(row, isOwner)) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/reserves/:id/release',
      tag: 'Settlement',
      summary: 'Let a reserve go before its time',
      description:
        'Statements that are drafted from now on pay it; drafts of a run that is in review keep ' +
        'it until the partner is run again.',
      access: 'reserves.release',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: z.strictObject({ reason: text(500) }),
      answers: { 200: { description: 'It is let go', schema: reserveAnswer } },
      refusals: ['not_found', 'conflict'],
      handle: async ({ db, body, params, principal }) => {
        const id = pathId('partnerReserve', params.id, notFound)
        found(await findReserve(db, id), notFound)
        const { memberId } = principal
        await inTransaction(db, (trx) =>
          recordReserveRelease(trx, { id, memberId, reason: body.reason }),
        )
        return { status: 200, body: present(found(await findReserve(db, id), notFound), true) }
      },
    }),
  ]
}

type Reason = Pick<ReserveMove, 'volume' | 'aboveBps' | 'windowFrom' | 'until'>

function presentReason({ volume, aboveBps, windowFrom, until }: Reason) {
  return {
    paid: wireAmount(volume.paid),
    disputed: wireAmount(volume.disputed),
    disputed_bps: disputedBps(volume),
    above_bps: aboveBps,
    window_from: windowFrom.toISOString(),
    until: until.toISOString(),
  }
}

function present(row: ReserveRow, isOwner: boolean) {
  return {
    id: outwardId('partnerReserve', row.id),
    partner: outwardId('partner', row.partnerId),
    statement: outwardId('statement', row.statementId),
    period: row.period,
    currency: row.currency,
    amount: wireAmount(row.amount),
    left: wireAmount(row.left),
    keep_bps: row.keepBps,
    ...presentReason({ ...row, volume: { paid: row.paid, disputed: row.disputed } }),
    kept_since: row.keptSince.toISOString(),
    released_at: row.releasedAt?.toISOString() ?? null,
    ...(isOwner ? { release_reason: row.releaseReason } : {}),
  }
}

export function presentMove(move: ReserveMove) {
  return {
    reserve: outwardId('partnerReserve', move.id),
    what: move.what,
    period: move.period,
    amount: wireAmount(move.amount),
    ...presentReason(move),
  }
}
