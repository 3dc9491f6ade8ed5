/** Lines of statements that partners dispute: opened, answered, decided, with the money effect. */
import { z } from 'zod'
import { databaseNow, inTransaction } from '../db/database.ts'
import { getProgramme } from '../db/programmes.ts'
import {
  findLineDispute,
  type LineDisputeRow,
  listLineDisputeEvents,
  listLineDisputes,
  recordAnswer,
  recordDisputeDecision,
  recordLineDispute,
  recordWithdrawal,
} from '../db/settlement/line-disputes.ts'
import { findStatement, listStatementLines } from '../db/settlement/statements.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { disputeDecisions, disputeStatuses, nextSide } from '../domain/line-disputes.ts'
import { wireAmount } from '../domain/money.ts'
import { statementLineKinds } from '../domain/settlement.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import { lineId } from './statements.ts'
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

const disputeForm = z.strictObject({ line: text(40), reason: text(1_000) })
const answerForm = z.strictObject({ words: text(1_000) })
const decisionForm = z.discriminatedUnion('decision', [
  z.strictObject({
    decision: z.literal('uphold'),
    amount: minorAmount.refine((amount) => amount !== 0, 'expected an amount other than 0'),
    reason: text(1_000),
  }),
  z.strictObject({ decision: z.literal('reject'), reason: text(1_000) }),
])

const disputeAnswer = z.object({
  id: idAnswer('lineDispute'),
  status: z.enum(disputeStatuses),
  partner: idAnswer('partner'),
  statement: idAnswer('statement'),
  number: z.string(),
  period: z.string(),
  line: z.object({
    kind: z.enum(statementLineKinds),
    id: z.string(),
    amount: minorAmount,
    currency: currencyAnswer,
  }),
  opened_at: instantAnswer,
  /** Who acts next, and until when; null when it is over. */
  next_actor: z.enum(['partner', 'platform']).nullable(),
  due_at: instantAnswer.nullable(),
  decision: z.enum(disputeDecisions).nullable(),
  closed_at: instantAnswer.nullable(),
  /** The entry of a dispute that was upheld: booked when a second person approved it. */
  effect: z
    .object({
      amount: minorAmount,
      currency: currencyAnswer,
      status: z.enum(['waiting', 'booked', 'refused']),
      adjustment: idAnswer('adjustment').nullable(),
      approval: idAnswer('approval').nullable(),
      period: z.string().nullable(),
    })
    .nullable(),
})

const wholeAnswer = disputeAnswer.extend({
  timeline: z.array(
    z.object({
      at: instantAnswer,
      side: z.enum(['partner', 'platform']),
      what: z.enum(disputeStatuses),
      words: z.string().nullable(),
    }),
  ),
})

const notFound = 'there is no such dispute'
const noStatement = 'there is no such statement of yours'

export function lineDisputeRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/statements/:id/disputes',
      tag: 'Line disputes',
      summary: 'Dispute a line of a statement of yours',
      description:
        'Within the time that the programme sets (`lineDisputeWindow`) from the issue on. The ' +
        'statement stays as it is; what comes of it is an entry of an open month.',
      access: 'disputes.open',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: disputeForm,
      answers: { 201: { description: 'It is the platform’s turn', schema: wholeAnswer } },
      refusals: ['not_found', 'invalid_request', 'conflict', 'gone'],
      handle: open,
    }),
    route({
      method: 'GET',
      path: '/v1/line-disputes',
      tag: 'Line disputes',
      summary: 'List disputed lines',
      access: 'disputes.read',
      query: z.strictObject({
        ...pageQuery,
        statement: idField('statement').optional(),
        status: z.enum(disputeStatuses).optional(),
      }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(disputeAnswer) } },
      refusals: [],
      handle: async ({ db, principal, query }) => {
        const { statement: statementId, status } = query
        const search = { statementId, status, proposals: principal.level === 'super_admin' }
        const page = await listLineDisputes(db, search, pageRequest(query))
        return { status: 200, body: presentPage(page, presentDispute) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/line-disputes/:id',
      tag: 'Line disputes',
      summary: 'Read a disputed line and what was said',
      access: 'disputes.read',
      answers: { 200: { description: 'The dispute', schema: wholeAnswer } },
      refusals: ['not_found'],
      handle: async (call) => ({ status: 200, body: await whole(call, disputeId(call)) }),
    }),
    ...stepRoutes(),
  ]
}

function stepRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/line-disputes/:id/answer',
      tag: 'Line disputes',
      summary: 'Ask or answer; then it is the other side’s turn',
      access: 'disputes.answer',
      effect: 'transaction',
      body: answerForm,
      answers: { 200: { description: 'Answered', schema: wholeAnswer } },
      refusals: ['not_found', 'already_decided'],
      handle: answer,
    }),
    route({
      method: 'POST',
      path: '/v1/line-disputes/:id/withdraw',
      tag: 'Line disputes',
      summary: 'Withdraw a dispute of yours',
      access: 'disputes.open',
      effect: 'transaction',
      answers: { 200: { description: 'Withdrawn', schema: wholeAnswer } },
      refusals: ['not_found', 'already_decided'],
      handle: withdraw,
    }),
    route({
      method: 'POST',
      path: '/v1/line-disputes/:id/decision',
      tag: 'Line disputes',
      summary: 'Decide on a disputed line',
      description:
        'To uphold proposes an entry of the amount (negative takes from the partner) that a ' +
        'second person approves at `/v1/approvals`; it lands in the open month. Where that ' +
        'person refuses, it can be decided again.',
      access: 'disputes.decide',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: decisionForm,
      answers: { 200: { description: 'Decided', schema: wholeAnswer } },
      refusals: ['not_found', 'already_decided', 'invalid_request'],
      handle: decide,
    }),
  ]
}

const disputeId = ({ params }: Pick<Call, 'params'>) => pathId('lineDispute', params.id, notFound)

async function open(call: Call<unknown, z.output<typeof disputeForm>>) {
  const { db, principal, body, params, operationId: id } = call
  const statementId = pathId('statement', params.id, noStatement)
  const row = found(await findStatement(db, statementId), noStatement)
  if (row.partnerId !== principal.partnerId) throw new DomainError('not_found', noStatement)
  const line = (await listStatementLines(db, row)).find((one) => lineId(one) === body.line)
  if (!line) {
    const detail = 'expected the id of a line of this statement'
    throw new DomainError('invalid_request', 'body: this line is not on the statement', {
      fields: [{ pointer: '/line', code: 'invalid', detail }],
    })
  }
  const { deadlines } = await getProgramme(db)
  const now = await databaseNow(db)
  const age = (now.getTime() - (row.issuedAt ?? now).getTime()) / 1_000
  if (age > deadlines.lineDisputeWindow) {
    throw new DomainError(
      'gone',
      `statement ${row.documentNumber} was open to disputes for ` +
        `${Math.floor(deadlines.lineDisputeWindow / 86_400)} days; write to the platform owner`,
    )
  }
  await inTransaction(db, (trx) =>
    recordLineDispute(trx, {
      ...{ id, statementId, line },
      partnerId: row.partnerId,
      currency: row.currency,
      reason: body.reason,
      memberId: principal.memberId,
      answerWithin: deadlines.lineDisputeAnswer,
    }),
  )
  const made = await whole(call, id)
  return { status: 201, body: made, headers: { Location: `/v1/line-disputes/${made.id}` } }
}

/** The dispute, where it is the caller's to act on: the platform's, or the partner's own. */
async function actable(call: Pick<Call, 'db' | 'principal' | 'params'>): Promise<LineDisputeRow> {
  const { db, principal } = call
  const owner = principal.level === 'super_admin'
  const row = found(await findLineDispute(db, { id: disputeId(call), proposals: owner }), notFound)
  if (!owner && row.partnerId !== principal.partnerId) throw new DomainError('not_found', notFound)
  return row
}

async function answer(call: Call<unknown, z.output<typeof answerForm>>) {
  const { db, principal, body } = call
  const { id } = await actable(call)
  const { deadlines } = await getProgramme(db)
  await inTransaction(db, (trx) =>
    recordAnswer(trx, {
      id,
      memberId: principal.memberId,
      side: principal.level === 'super_admin' ? 'platform' : 'partner',
      words: body.words,
      answerWithin: deadlines.lineDisputeAnswer,
    }),
  )
  return { status: 200, body: await whole(call, id) }
}

async function withdraw(call: Call) {
  const { db, principal } = call
  const { id } = await actable(call)
  const { memberId } = principal
  await inTransaction(db, (trx) =>
    recordWithdrawal(trx, { id, memberId, side: 'partner', words: null }),
  )
  return { status: 200, body: await whole(call, id) }
}

async function decide(call: Call<unknown, z.output<typeof decisionForm>>) {
  const { db, principal, body, operationId: entryId } = call
  const row = await actable(call)
  const happenedAt = await databaseNow(db)
  await inTransaction(db, (trx) =>
    recordDisputeDecision(trx, {
      id: row.id,
      memberId: principal.memberId,
      side: 'platform',
      words: body.reason,
      uphold:
        body.decision === 'uphold'
          ? {
              amountMinor: BigInt(body.amount),
              entryId,
              entryReason: `Dispute ${outwardId('lineDispute', row.id)} upheld: ${body.reason}`,
              happenedAt,
            }
          : null,
    }),
  )
  return { status: 200, body: await whole(call, row.id) }
}

async function whole({ db, principal }: Pick<Call, 'db' | 'principal'>, id: string) {
  const search = { id, proposals: principal.level === 'super_admin' }
  const row = found(await findLineDispute(db, search), notFound)
  const events = await listLineDisputeEvents(db, id)
  return {
    ...presentDispute(row),
    timeline: events.map(({ kind, side, words, happenedAt }) => ({
      at: happenedAt.toISOString(),
      side,
      what: kind,
      words,
    })),
  }
}

function presentDispute(row: LineDisputeRow) {
  const next = nextSide(row.status)
  return {
    id: outwardId('lineDispute', row.id),
    status: row.status,
    partner: outwardId('partner', row.partnerId),
    statement: outwardId('statement', row.statementId),
    number: row.documentNumber,
    period: row.period,
    line: {
      kind: row.lineKind,
      id: lineId({ kind: row.lineKind, id: row.lineId }),
      amount: wireAmount(row.lineMinor),
      currency: row.currency,
    },
    opened_at: row.openedAt.toISOString(),
    next_actor: next,
    due_at: next && row.dueAt.toISOString(),
    decision: row.decision,
    closed_at: row.closedAt?.toISOString() ?? null,
    effect: presentEffect(row),
  }
}

function presentEffect({ amountMinor, approvalId, ...row }: LineDisputeRow) {
  if (amountMinor === null || approvalId === null) return null
  const refused = row.effect !== null && !['proposed', 'approved'].includes(row.effect)
  const waiting = refused ? ('refused' as const) : ('waiting' as const)
  return {
    amount: wireAmount(amountMinor),
    currency: row.currency,
    status: row.bookedAt ? ('booked' as const) : waiting,
    adjustment: row.bookedAt && outwardId('adjustment', approvalId),
    // Of proposals only the platform owner is told.
    approval: row.effect && outwardId('approval', approvalId),
    period: row.bookedPeriod,
  }
}
