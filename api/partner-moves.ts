/** Moves of partners in the hierarchy. */
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import { listMoves, type PartnerMoveRow, recordPartnerMove } from '../db/partner-moves.ts'
import { findPartner } from '../db/partners.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { found, idAnswer, idField, instantAnswer, instantField, pathId } from './validate.ts'

const moveForm = z.strictObject({
  parent: idField('partner'),
  effective_from: instantField.optional(),
})

const moveAnswer = z.object({
  id: idAnswer('partnerMove'),
  partner: idAnswer('partner'),
  parent: idAnswer('partner'),
  effective_from: instantAnswer,
  recorded_at: instantAnswer,
})

const notFound = 'there is no such partner'

export function partnerMoveRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/partners/:id/moves',
      tag: 'Partners',
      summary: 'Move a partner, with everyone below it, under another parent',
      description:
        'From `effective_from` on, which is now when it is left out, and never a time to come. ' +
        'What was booked and issued before stays with whom it was right for.',
      access: 'partners.write',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: moveForm,
      answers: { 201: { description: 'Moved', schema: moveAnswer } },
      refusals: ['not_found', 'invalid_request', 'parent_not_active', 'conflict'],
      handle: async ({ db, params, body, operationId }) => {
        const partnerId = pathId('partner', params.id, notFound)
        const row = await inTransaction(db, (trx) =>
          recordPartnerMove(trx, {
            id: operationId,
            partnerId,
            parentId: body.parent,
            from: body.effective_from ?? null,
          }),
        )
        const moved = presentMove(row)
        return {
          status: 201,
          body: moved,
          headers: { Location: `/v1/partners/${moved.partner}/moves` },
        }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/partners/:id/moves',
      tag: 'Partners',
      summary: 'List the moves of a partner',
      description: 'For the partner itself and the platform owner.',
      access: 'partners.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(moveAnswer) } },
      refusals: ['not_found', 'forbidden'],
      handle: async ({ db, principal, params, query }) => {
        const partnerId = pathId('partner', params.id, notFound)
        found(await findPartner(db, partnerId), notFound)
        if (principal.partnerId && principal.partnerId !== partnerId) {
          throw new DomainError('forbidden', 'where it stood before is its own to know')
        }
        const page = await listMoves(db, { ...pageRequest(query), partnerId })
        return { status: 200, body: presentPage(page, presentMove) }
      },
    }),
  ]
}

function presentMove(row: PartnerMoveRow) {
  return {
    id: outwardId('partnerMove', row.id),
    partner: outwardId('partner', row.partnerId),
    parent: outwardId('partner', row.parentId),
    effective_from: row.effectiveFrom.toISOString(),
    recorded_at: row.recordedAt.toISOString(),
  }
}
