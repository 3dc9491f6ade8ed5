/** The desk of the two persons: what was proposed, and the decision of somebody else. */
import { z } from 'zod'
import { type ApprovalRow, findApproval, listApprovals, recordDecision } from '../db/approvals.ts'
import { inTransaction } from '../db/database.ts'
import { approvalKinds, approvalStatuses, type Verdict } from '../domain/approvals.ts'
import { outwardId } from '../domain/ids.ts'
import { terminationReasons } from '../domain/lifecycle.ts'
import { wireAmount } from '../domain/money.ts'
import { tierNames } from '../domain/tiers.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
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

const signatureForm = z.strictObject({
  payload_hash: z.string().regex(/^[0-9a-f]{64}$/, 'expected the payload_hash of the proposal'),
})
const rejectionForm = z.strictObject({ reason: text(1_000) })

export const approvalAnswer = z.object({
  id: idAnswer('approval'),
  kind: z.enum(approvalKinds),
  status: z.enum(approvalStatuses),
  partner: idAnswer('partner').nullable(),
  entry: z
    .object({ amount: minorAmount, currency: currencyAnswer, happened_at: instantAnswer })
    .nullable(),
  override: z.object({ tier: z.enum(tierNames), until: instantAnswer.nullable() }).nullable(),
  termination: z
    .object({
      reason_code: z.enum(terminationReasons),
      successor: idAnswer('partner').nullable(),
      effective_at: instantAnswer.nullable(),
    })
    .nullable(),
  screening: idAnswer('screening').nullable(),
  payout: idAnswer('payout').nullable(),
  reason: z.string(),
  payload_hash: z.string(),
  proposed_by: idAnswer('member'),
  proposed_at: instantAnswer,
  lapses_at: instantAnswer,
  decided_by: idAnswer('member').nullable(),
  decided_at: instantAnswer.nullable(),
  decision_reason: z.string().nullable(),
  effect: z
    .union([idAnswer('adjustment'), idAnswer('tierChange'), idAnswer('screening')])
    .nullable(),
})

const notFound = 'there is no such approval'

const effectKinds = {
  manual_entry: 'adjustment',
  tier_override: 'tierChange',
  screening_override: 'screening',
  payout_write_off: 'adjustment',
  write_off: 'adjustment',
  // A partner is named as such.
  termination: 'partner',
  reinstatement: 'partner',
} as const

export function approvalRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/approvals',
      tag: 'Approvals',
      summary: 'List proposals and their decisions',
      access: 'approvals.read',
      query: z.strictObject({
        ...pageQuery,
        status: z.enum(approvalStatuses).optional(),
        kind: z.enum(approvalKinds).optional(),
      }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(approvalAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const { status, kind } = query
        const page = await listApprovals(db, { ...pageRequest(query), status, kind })
        return { status: 200, body: presentPage(page, presentApproval) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/approvals/:id',
      tag: 'Approvals',
      summary: 'Read a proposal',
      access: 'approvals.read',
      answers: { 200: { description: 'The proposal', schema: approvalAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('approval', params.id, notFound)
        return { status: 200, body: presentApproval(found(await findApproval(db, id), notFound)) }
      },
    }),
    ...decisionRoutes(),
  ]
}

function decisionRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/approvals/:id/approve',
      tag: 'Approvals',
      summary: 'Approve a proposal: the second person',
      description: 'It takes effect at once. Sign the `payload_hash` that you have read.',
      access: 'approvals.decide',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: signatureForm,
      answers: { 200: { description: 'Approved', schema: approvalAnswer } },
      refusals: [
        'not_found',
        'already_decided',
        'gone',
        'second_person_required',
        'payload_changed',
        'conflict',
        'parent_not_active',
        'not_ready',
      ],
      handle: (call) => decide(call, 'approved', { payloadHash: call.body.payload_hash }),
    }),
    route({
      method: 'POST',
      path: '/v1/approvals/:id/reject',
      tag: 'Approvals',
      summary: 'Reject a proposal: the second person',
      access: 'approvals.decide',
      effect: 'transaction',
      body: rejectionForm,
      answers: { 200: { description: 'Rejected', schema: approvalAnswer } },
      refusals: ['not_found', 'already_decided', 'gone', 'second_person_required'],
      handle: (call) => decide(call, 'rejected', { reason: call.body.reason }),
    }),
    route({
      method: 'POST',
      path: '/v1/approvals/:id/withdraw',
      tag: 'Approvals',
      summary: 'Withdraw a proposal of yours',
      access: 'approvals.decide',
      effect: 'transaction',
      answers: { 200: { description: 'Withdrawn', schema: approvalAnswer } },
      refusals: ['not_found', 'already_decided', 'gone', 'forbidden'],
      handle: (call) => decide(call, 'withdrawn', {}),
    }),
  ]
}

async function decide(
  { db, params, principal }: Pick<Call, 'db' | 'params' | 'principal'>,
  verdict: Verdict,
  words: { payloadHash?: string; reason?: string },
) {
  const id = pathId('approval', params.id, notFound)
  const { memberId } = principal
  const row = await inTransaction(db, (trx) =>
    recordDecision(trx, { id, memberId, verdict, ...words }),
  )
  return { status: 200, body: presentApproval(row) }
}

export function presentApproval(row: ApprovalRow) {
  const { amountMinor, currency, happenedAt, tier } = row
  return {
    id: outwardId('approval', row.id),
    kind: row.kind,
    status: row.status,
    partner: row.concernedId && outwardId('partner', row.concernedId),
    entry:
      amountMinor !== null && currency !== null && happenedAt !== null
        ? {
            amount: wireAmount(amountMinor),
            currency,
            happened_at: happenedAt.toISOString(),
          }
        : null,
    override: tier && { tier, until: row.until?.toISOString() ?? null },
    termination: row.reasonCode && {
      reason_code: row.reasonCode,
      successor: row.successorId && outwardId('partner', row.successorId),
      effective_at: row.effectiveAt?.toISOString() ?? null,
    },
    screening: row.screeningId && outwardId('screening', row.screeningId),
    payout: row.payoutId && outwardId('payout', row.payoutId),
    reason: row.reason,
    payload_hash: row.payloadHash,
    proposed_by: outwardId('member', row.proposedBy),
    proposed_at: row.proposedAt.toISOString(),
    lapses_at: row.lapsesAt.toISOString(),
    decided_by: row.decidedBy && outwardId('member', row.decidedBy),
    decided_at: row.decidedAt?.toISOString() ?? null,
    decision_reason: row.decisionReason,
    effect: row.effectId && outwardId(effectKinds[row.kind], row.effectId),
  }
}
