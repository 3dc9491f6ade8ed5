/** What people decide about a run beside their signatures: holds, exclusions, and its course. */
import { z } from 'zod'
import { findAccrual } from '../db/commission/accruals.ts'
import { type Db, inTransaction } from '../db/database.ts'
import { findPartner } from '../db/partners.ts'
import {
  markRunDecisionApplied,
  type NewRunDecision,
  recordRunDecision,
} from '../db/settlement/decisions.ts'
import {
  findSettlementHold,
  listSettlementHolds,
  releaseSettlementHold,
  type SettlementHoldRow,
} from '../db/settlement/holds.ts'
import { getRun, type RunRow } from '../db/settlement/runs.ts'
import { processPeriod } from '../domain/cadence.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { workflowIds } from '../domain/process-names.ts'
import type { RunDecisionKind } from '../domain/settlement.ts'
import { decideRun } from '../workflows/contract.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { updateProcess } from './processes.ts'
import { type Call, type Route, route } from './route.ts'
import { presentRun, rerunPreview, runAnswer } from './settlement.ts'
import { found, idAnswer, idField, instantAnswer, pathId, text } from './validate.ts'

const reasonForm = z.strictObject({ reason: text(500) })
const holdForm = z
  .strictObject({
    partner: idField('partner').optional(),
    accrual: idField('accrual').optional(),
    reason: text(500),
  })
  .refine(({ partner, accrual }) => (partner === undefined) !== (accrual === undefined), {
    path: ['partner'],
    message: 'expected either a partner or an accrual',
  })
const exclusionForm = z.strictObject({ partner: idField('partner'), reason: text(500) })

const holdAnswer = z.object({
  id: idAnswer('settlementHold'),
  run: idAnswer('settlementRun'),
  partner: idAnswer('partner'),
  accrual: idAnswer('accrual').nullable(),
  reason: z.string(),
  placed_by: idAnswer('member').nullable(),
  placed_at: instantAnswer,
  released_by: idAnswer('member').nullable(),
  released_at: instantAnswer.nullable(),
  release_reason: z.string().nullable(),
})

const notFound = 'there is no such settlement run'
const noHold = 'there is no such hold'

const voids =
  'Only while the run is in review. The drafts of the partner are made anew; where the totals ' +
  'change by it, a review is void.'

type Words = Omit<NewRunDecision, 'id' | 'runId' | 'kind' | 'memberId'>

export function settlementDecisionRoutes(deps: ApiDeps): Route[] {
  return [...holdRoutes(deps), ...partnerRoutes(deps), ...courseRoutes(deps)]
}

function holdRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/settlement-runs/:id/holds',
      tag: 'Settlement',
      summary: 'Hold a partner, or one accrual',
      description: `It is kept back in this run and in later ones until it is released. ${voids}`,
      access: 'settlement.sign',
      idempotencyKey: 'required',
      body: holdForm,
      answers: { 201: { description: 'It is held', schema: holdAnswer } },
      refusals: ['not_found', 'invalid_request', 'conflict', ...ofDecisions],
      handle: (call) => place(deps, call),
    }),
    route({
      method: 'GET',
      path: '/v1/settlement-runs/:id/holds',
      tag: 'Settlement',
      summary: 'List holds of a run',
      description: 'Those that were placed in it, and those from before it that hold now.',
      access: 'settlement.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(holdAnswer) } },
      refusals: ['not_found'],
      handle: async ({ db, params, query }) => {
        const { id: runId } = await getRun(db, pathId('settlementRun', params.id, notFound))
        const page = await listSettlementHolds(db, { ...pageRequest(query), runId })
        return { status: 200, body: presentPage(page, presentHold) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/settlement-runs/:id/holds/:hold/release',
      tag: 'Settlement',
      summary: 'Release a hold',
      description:
        'In review the drafts of the partner are made anew, and a review of other totals is ' +
        'void. After the run is over the next one pays what was held.',
      access: 'settlement.sign',
      idempotencyKey: 'required',
      body: reasonForm,
      answers: { 200: { description: 'It is released', schema: holdAnswer } },
      refusals: ['not_found', 'conflict', ...ofDecisions],
      handle: (call) => lift(deps, call),
    }),
  ]
}

function partnerRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/settlement-runs/:id/exclusions',
      tag: 'Settlement',
      summary: 'Leave a partner out of a run',
      description:
        'It gets no statement in this run; the statement of the next one is about both periods. ' +
        voids,
      access: 'settlement.sign',
      idempotencyKey: 'required',
      body: exclusionForm,
      answers: { 200: { description: 'It is left out', schema: runAnswer } },
      refusals: ['not_found', 'invalid_request', ...ofDecisions],
      handle: async (call) => {
        const { partner: partnerId, reason } = call.body
        await getRun(call.db, pathId('settlementRun', call.params.id, notFound))
        await refuseUnknownPartner(call.db, partnerId)
        return decided(deps, call, { kind: 'exclude', partnerId, reason })
      },
    }),
    route({
      method: 'POST',
      path: '/v1/settlement-runs/:id/partners/:partner/rerun',
      tag: 'Settlement',
      summary: 'Make the drafts of one partner anew',
      description: voids,
      access: 'settlement.sign',
      idempotencyKey: 'required',
      answers: { 200: { description: 'They are made', schema: runAnswer } },
      refusals: ['not_found', ...ofDecisions],
      handle: async (call) => {
        await getRun(call.db, pathId('settlementRun', call.params.id, notFound))
        const none = 'there is no such partner'
        const partnerId = pathId('partner', call.params.partner, none)
        found(await findPartner(call.db, partnerId), none)
        return decided(deps, call, { kind: 'rerun_partner', partnerId })
      },
    }),
  ]
}

const ofDecisions = ['not_ready', 'run_finished', 'temporarily_unavailable'] as const

/** The course of a run: each takes effect between two of its steps. */
function courseRoutes(deps: ApiDeps): Route[] {
  const courses = [
    ['reject', 'Reject a run', 'Its drafts are removed; it waits for a rerun, or is cancelled.'],
    ['pause', 'Pause a run', 'It stops before its next step. Payouts under way are not stopped.'],
    [
      'cancel',
      'Cancel a run',
      'Until it is released. Its drafts are removed, and the period is opened again unless the ' +
        'close has booked true-ups or bonuses in it; the period may then be settled anew.',
    ],
  ] as const
  const stepped = [
    ['resume', 'resume', 'Let a paused run go on', ''],
    [
      'rerun',
      'recalculate',
      'Calculate a run again',
      'A preview, or a live run in review or rejected; a review of other totals is void.',
    ],
  ] as const
  const answers = { 200: { description: 'It is decided', schema: runAnswer } }
  const refusals = ['not_found', ...ofDecisions] as const
  return [
    ...courses.map(([kind, summary, description]) =>
      route({
        method: 'POST',
        path: `/v1/settlement-runs/:id/${kind}`,
        tag: 'Settlement',
        summary,
        description,
        access: 'settlement.sign',
        idempotencyKey: 'required',
        body: reasonForm,
        answers,
        refusals: [...refusals],
        handle: (call) => decided(deps, call, { kind, reason: call.body.reason }),
      }),
    ),
    ...stepped.map(([word, kind, summary, description]) =>
      route({
        method: 'POST',
        path: `/v1/settlement-runs/:id/${word}`,
        tag: 'Settlement',
        summary,
        ...(description ? { description } : {}),
        access: 'settlement.sign',
        idempotencyKey: 'required',
        answers,
        refusals: [...refusals],
        handle: (call) => decided(deps, call, { kind }),
      }),
    ),
  ]
}

async function decided(
  deps: ApiDeps,
  call: Pick<Call, 'db' | 'params' | 'principal' | 'operationId'>,
  decision: Words & { kind: RunDecisionKind },
) {
  const run = await getRun(call.db, pathId('settlementRun', call.params.id, notFound))
  if (run.mode === 'preview' && decision.kind === 'recalculate') await rerunPreview(deps, call, run)
  else await decide(deps, call, { run, decision })
  return { status: 200, body: presentRun(await getRun(call.db, run.id)) }
}

/** The words first; the process gets the id of their row and says whether it may be. */
async function decide(
  deps: ApiDeps,
  { db, principal, operationId }: Pick<Call, 'db' | 'principal' | 'operationId'>,
  { run, decision }: { run: RunRow; decision: Words & { kind: RunDecisionKind } },
): Promise<void> {
  if (run.mode === 'preview') {
    throw new DomainError('not_ready', 'nothing is decided about a preview; start a live run')
  }
  const { memberId } = principal
  await recordRunDecision(db, { id: operationId, runId: run.id, memberId, ...decision })
  const isOver = run.releasedBy !== null || run.cancelledAt !== null
  await updateProcess(deps, {
    workflowId: workflowIds.settlement(processPeriod(run)),
    definition: decideRun,
    args: [{ decisionId: operationId, kind: decision.kind }],
    updateId: operationId,
    ended: isOver
      ? new DomainError('run_finished', 'this run is finished')
      : new DomainError('not_ready', 'the process of this run has not started yet'),
  })
}

async function place(deps: ApiDeps, call: Call<unknown, z.output<typeof holdForm>>) {
  const { db, params, body, operationId } = call
  const run = await getRun(db, pathId('settlementRun', params.id, notFound))
  const { accrual: accrualId, reason } = body
  const partnerId = body.partner ?? (await partnerOf(db, accrualId ?? ''))
  await refuseUnknownPartner(db, partnerId)
  const decision = { kind: 'hold' as const, partnerId, accrualId, reason }
  await decide(deps, call, { run, decision })
  const hold = presentHold(found(await findSettlementHold(db, operationId), noHold))
  return { status: 201, body: hold }
}

async function partnerOf(db: Db, accrualId: string): Promise<string> {
  const accrual = await findAccrual(db, accrualId)
  if (accrual) return accrual.partnerId
  throw invalid('/accrual', 'there is no such accrual')
}

async function refuseUnknownPartner(db: Db, partnerId: string): Promise<void> {
  if (!(await findPartner(db, partnerId))) throw invalid('/partner', 'there is no such partner')
}

function invalid(pointer: string, detail: string): DomainError {
  const fields = [{ pointer, code: 'invalid', detail }]
  return new DomainError('invalid_request', 'body: this cannot be held or left out', { fields })
}

/** In a run that is over there are no drafts to be made anew: the hold itself is released. */
async function lift(deps: ApiDeps, call: Call<unknown, z.output<typeof reasonForm>>) {
  const { db, params, principal, body, operationId } = call
  const run = await getRun(db, pathId('settlementRun', params.id, notFound))
  const holdId = pathId('settlementHold', params.hold, noHold)
  const { partnerId } = found(await findSettlementHold(db, holdId), noHold)
  const decision = { kind: 'release_hold' as const, partnerId, holdId, reason: body.reason }
  if (run.stage === 'closed' || run.stage === 'cancelled') {
    const { memberId } = principal
    await inTransaction(db, async (trx) => {
      await recordRunDecision(trx, { id: operationId, runId: run.id, memberId, ...decision })
      await releaseSettlementHold(trx, { id: holdId, memberId, reason: body.reason })
      await markRunDecisionApplied(trx, operationId)
    })
  } else await decide(deps, call, { run, decision })
  return { status: 200, body: presentHold(found(await findSettlementHold(db, holdId), noHold)) }
}

function presentHold(row: SettlementHoldRow) {
  return {
    id: outwardId('settlementHold', row.id),
    run: outwardId('settlementRun', row.runId),
    partner: outwardId('partner', row.partnerId),
    accrual: row.accrualId && outwardId('accrual', row.accrualId),
    reason: row.reason,
    placed_by: row.placedBy && outwardId('member', row.placedBy),
    placed_at: row.placedAt.toISOString(),
    released_by: row.releasedBy && outwardId('member', row.releasedBy),
    released_at: row.releasedAt?.toISOString() ?? null,
    release_reason: row.releaseReason,
  }
}
