/** Payouts that wait for a person, and what is decided on them. */
import type { UpdateDefinition } from '@temporalio/common'
import { z } from 'zod'
import { recordProposal } from '../db/approvals.ts'
import { databaseNow, inTransaction } from '../db/database.ts'
import {
  type ExceptionRow,
  findOpenException,
  findWriteOff,
  listExceptions,
  recordPayoutDecision,
} from '../db/payout-exceptions.ts'
import { findPayout } from '../db/payouts.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import {
  exceptionCauses,
  exceptionResolutions,
  type PayoutDecisionKind,
  payoutStatuses,
} from '../domain/payouts.ts'
import { workflowIds } from '../domain/process-names.ts'
import {
  changePayoutMethod,
  type PayoutDecided,
  releasePayout,
  retryPayout,
} from '../workflows/contract.ts'
import { approvalAnswer, presentApproval } from './approvals.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { presentPayout, shortPayoutAnswer } from './payouts.ts'
import { updateProcess } from './processes.ts'
import { type Call, type Route, route } from './route.ts'
import {
  currencyAnswer,
  found,
  idAnswer,
  instantAnswer,
  minorAmount,
  pathId,
  text,
} from './validate.ts'

const reasonForm = z.strictObject({ reason: text(500) })

const exceptionAnswer = z.object({
  id: idAnswer('payoutException'),
  payout: idAnswer('payout'),
  partner: idAnswer('partner'),
  cause: z.enum(exceptionCauses),
  payout_status: z.enum(payoutStatuses),
  amount: minorAmount,
  currency: currencyAnswer,
  opened_at: instantAnswer,
  escheat_at: instantAnswer.nullable(),
  resolution: z.enum(exceptionResolutions).nullable(),
  closed_at: instantAnswer.nullable(),
})

const notFound = 'there is no such payout'

export function payoutExceptionRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/payout-exceptions',
      tag: 'Payouts',
      summary: 'List payouts that wait for a person',
      description: 'Why each could not be paid, and how those that are over have ended.',
      access: 'payouts.decide.read',
      query: z.strictObject({ ...pageQuery, status: z.enum(['open', 'closed']).optional() }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(exceptionAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const open = query.status === undefined ? undefined : query.status === 'open'
        const page = await listExceptions(db, { ...pageRequest(query), open })
        return { status: 200, body: presentPage(page, presentException) }
      },
    }),
    decisionRoute(deps, {
      kind: 'retry',
      definition: retryPayout,
      summary: 'Try a payout again',
      description:
        'A transfer that was refused is sent again; what the bank gave back is paid out again ' +
        'from the balance of the partner at Stripe, once its bank was changed. Never a second ' +
        'transfer for the same money.',
    }),
    decisionRoute(deps, {
      kind: 'method',
      definition: changePayoutMethod,
      summary: 'Pay to the account that the partner has now',
      description: 'A transfer that stands is taken back first, and booked so.',
    }),
    decisionRoute(deps, {
      kind: 'release',
      definition: releasePayout,
      summary: 'Give a payout back to the balance of its partner',
      description:
        'It enters the next statement as an adjustment, `returned_payout`. A transfer that ' +
        'stands is taken back first.',
    }),
    route({
      method: 'POST',
      path: '/v1/payouts/:id/write-off',
      tag: 'Payouts',
      summary: 'Propose to give a payout up',
      description:
        'Takes effect once another person approves it: the money returns to the balance and an ' +
        'entry takes it away, in the same statement. The bank of the partner must not have it.',
      access: 'payouts.decide',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: reasonForm,
      answers: { 202: { description: 'It waits for another person', schema: approvalAnswer } },
      refusals: ['not_found', 'conflict'],
      handle: proposeWriteOff,
    }),
  ]
}

type ReasonCall = Call<unknown, z.output<typeof reasonForm>>

function decisionRoute(
  deps: ApiDeps,
  about: {
    kind: PayoutDecisionKind
    definition: UpdateDefinition<void, [PayoutDecided]>
    summary: string
    description: string
  },
): Route {
  const { kind, definition, summary, description } = about
  return route({
    method: 'POST',
    path: `/v1/payouts/:id/${kind}`,
    tag: 'Payouts',
    summary,
    description,
    access: 'payouts.decide',
    idempotencyKey: 'required',
    body: reasonForm,
    answers: { 202: { description: 'It is carried out', schema: shortPayoutAnswer } },
    refusals: ['not_found', 'conflict', 'not_ready', 'already_decided', 'temporarily_unavailable'],
    handle: (call) => decide(deps, call, { kind, definition }),
  })
}

/** The decision is written before the process hears of it: repeated, it is told again. */
async function decide(
  deps: ApiDeps,
  { db, principal, params, body, operationId }: ReasonCall,
  how: { kind: PayoutDecisionKind; definition: UpdateDefinition<void, [PayoutDecided]> },
) {
  const id = pathId('payout', params.id, notFound)
  found(await findPayout(db, id), notFound)
  const ended = new DomainError('conflict', 'this payout waits for no decision; read it')
  await inTransaction(db, async (trx) => {
    const open = await findOpenException(trx, id)
    if (!open) throw ended
    await recordPayoutDecision(trx, {
      id: operationId,
      exceptionId: open.id,
      kind: how.kind,
      reason: body.reason,
      decidedBy: principal.memberId,
    })
  })
  await updateProcess(deps, {
    workflowId: workflowIds.payoutException(id),
    definition: how.definition,
    args: [{ decisionId: operationId }],
    updateId: operationId,
    ended,
  })
  return { status: 202, body: presentPayout(found(await findPayout(db, id), notFound)) }
}

async function proposeWriteOff({ db, principal, params, body, operationId }: ReasonCall) {
  const payoutId = pathId('payout', params.id, notFound)
  const { partnerId } = found(await findPayout(db, payoutId), notFound)
  const row = await inTransaction(db, async (trx) =>
    recordProposal(trx, {
      kind: 'payout_write_off',
      id: operationId,
      concernedId: partnerId,
      payoutId,
      ...(await findWriteOff(trx, payoutId)),
      happenedAt: await databaseNow(trx),
      reason: body.reason,
      proposedBy: principal.memberId,
    }),
  )
  const answer = presentApproval(row)
  return { status: 202, body: answer, headers: { Location: `/v1/approvals/${answer.id}` } }
}

function presentException(row: ExceptionRow) {
  return {
    id: outwardId('payoutException', row.id),
    payout: outwardId('payout', row.payoutId),
    partner: outwardId('partner', row.partnerId),
    cause: row.cause,
    payout_status: row.status,
    amount: wireAmount(row.amountMinor),
    currency: row.currency,
    opened_at: row.openedAt.toISOString(),
    escheat_at: row.escheatAt?.toISOString() ?? null,
    resolution: row.resolution,
    closed_at: row.closedAt?.toISOString() ?? null,
  }
}
