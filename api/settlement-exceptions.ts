/** What a reviewer has to know of partners of a run. */
import { z } from 'zod'
import { listRunExceptions } from '../db/settlement/exceptions.ts'
import { getRun } from '../db/settlement/runs.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { exceptionAdvice, exceptionCodes } from '../domain/run-exceptions.ts'
import { listAnswer, pageQuery, pageRequest } from './paging.ts'
import { type Route, route } from './route.ts'
import { currencyAnswer, idAnswer, minorAmount, pathId } from './validate.ts'

const exceptionAnswer = z.object({
  partner: idAnswer('partner'),
  exceptions: z.array(
    z.object({
      code: z.enum(exceptionCodes),
      currency: currencyAnswer.nullable(),
      amount: minorAmount.nullable(),
      reason: z.string().nullable(),
      advice: z.string(),
    }),
  ),
})

const notFound = 'there is no such settlement run'

export function settlementExceptionRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/settlement-runs/:id/exceptions',
      tag: 'Settlement',
      summary: 'List exceptions of a run',
      description:
        'Partners that are not simply paid, as things stand now: each with its codes, what they ' +
        'are about, the words or the cause behind them, and what can be done. What has only not ' +
        'matured yet is no exception.',
      access: 'settlement.read',
      query: z.strictObject({ ...pageQuery, code: z.enum(exceptionCodes).optional() }),
      answers: {
        200: {
          description: 'In the order of the partners’ ids',
          schema: listAnswer(exceptionAnswer),
        },
      },
      refusals: ['not_found'],
      handle: async ({ db, params, query }) => {
        const run = await getRun(db, pathId('settlementRun', params.id, notFound))
        const filter = { ...pageRequest(query), code: query.code }
        const { partners, next } = await listRunExceptions(db, run, filter)
        const data = partners.map(({ id, exceptions }) => ({
          partner: outwardId('partner', id),
          exceptions: exceptions.map(({ code, currency, amount, reason }) => ({
            code,
            currency,
            amount: amount === null ? null : wireAmount(amount),
            reason,
            advice: exceptionAdvice[code],
          })),
        }))
        return { status: 200, body: { data, has_more: next !== null, next_cursor: next } }
      },
    }),
  ]
}
