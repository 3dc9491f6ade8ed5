/** Settlement runs: started, read, reviewed by one person, released by another. */
import { z } from 'zod'
import { type Db, inTransaction } from '../db/database.ts'
import { findUnsettledBefore } from '../db/periods.ts'
import { getProgramme, type Programme } from '../db/programmes.ts'
import { countRunExceptions } from '../db/settlement/exceptions.ts'
import {
  findMonths,
  findSettling,
  getRun,
  listRuns,
  type RunRow,
  recordRun,
} from '../db/settlement/runs.ts'
import { listStages, type StageRow } from '../db/settlement/stages.ts'
import { type Cadence, cadenceOf, cadences, processPeriod, stretchOf } from '../domain/cadence.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { workflowIds, workflowTypes } from '../domain/process-names.ts'
import { exceptionCodes } from '../domain/run-exceptions.ts'
import { runStages } from '../domain/settlement.ts'
import { releaseRun, reviewRun, type SettlementInput } from '../workflows/contract.ts'
import { runField } from './commission.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { startCommitted, updateProcess } from './processes.ts'
import { type Call, type Route, route } from './route.ts'
import { figures } from './statements.ts'
import { currencyAnswer, idAnswer, instantAnswer, minorAmount, pathId } from './validate.ts'

const runForm = z.strictObject({
  period: runField,
  /** That of the programme; it may be left out, since the period says it. */
  cadence: z.enum(cadences).optional(),
  mode: z.enum(['preview', 'live']),
})
type RunForm = z.output<typeof runForm>
const signatureForm = z.strictObject({
  totals_hash: z.string().regex(/^[0-9a-f]{64}$/, 'expected the totals_hash of the run'),
})

const totalsAnswer = z.object({
  currency: currencyAnswer,
  statements: z.int(),
  ...figures,
})

export const runAnswer = z.object({
  id: idAnswer('settlementRun'),
  period: z.string(),
  cadence: z.enum(cadences),
  /** The first month that it settles; of a week the first one that was open then. */
  since_period: z.string(),
  mode: z.enum(['preview', 'live']),
  stage: z.enum(runStages),
  totals: z.array(totalsAnswer).nullable(),
  totals_hash: z.string().nullable(),
  cutoff_at: instantAnswer,
  reviewed_by: idAnswer('member').nullable(),
  reviewed_at: instantAnswer.nullable(),
  released_by: idAnswer('member').nullable(),
  released_at: instantAnswer.nullable(),
  problem: z.string().nullable(),
  paused_at: instantAnswer.nullable(),
  rejected_at: instantAnswer.nullable(),
  created_at: instantAnswer,
  closed_at: instantAnswer.nullable(),
  cancelled_at: instantAnswer.nullable(),
})

/** A stage in which nothing is counted is one step. */
const stageAnswer = z.object({
  stage: z.enum(runStages),
  started_at: instantAnswer,
  ended_at: instantAnswer.nullable(),
  done: z.int().nullable(),
  total: z.int().nullable(),
  per_second: z.number().nullable(),
  seconds_left: z.int().nullable(),
  control: z.array(z.object({ currency: currencyAnswer, amount: minorAmount })),
})
const runWithStages = runAnswer.extend({
  stages: z.array(stageAnswer),
  /** How many partners there are of each kind of exception. */
  exceptions: z.array(z.object({ code: z.enum(exceptionCodes), count: z.int() })),
})

const notFound = 'there is no such settlement run'

export function settlementRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/settlement-runs',
      tag: 'Settlement',
      summary: 'Start a settlement run',
      description:
        'A preview ends with its totals and moves nothing. A live run of a period exists once; ' +
        'asking again while it runs gives the same one. The period is a month (2026-10), a ' +
        'quarter (2026-Q4) or a week (2026-W47), as the programme settles ' +
        '(`settlement_cadence`); a preview may be of a week under any of them.',
      access: 'settlement.start',
      idempotencyKey: 'required',
      body: runForm,
      answers: { 202: { description: 'It is running', schema: runAnswer } },
      refusals: [
        'invalid_request',
        'period_not_over',
        'period_already_settled',
        'earlier_period_open',
      ],
      handle: (call) => startRun(deps, call),
    }),
    route({
      method: 'GET',
      path: '/v1/settlement-runs',
      tag: 'Settlement',
      summary: 'List settlement runs',
      description:
        'Overdue is a live run that has not ended by the time that the programme sets ' +
        '(`settlement_alarm`) after its cut-off.',
      access: 'settlement.read',
      query: z.strictObject({
        ...pageQuery,
        period: runField.optional(),
        overdue: z.enum(['true', 'false']).optional(),
      }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(runAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const { period, overdue } = query
        const late = await overdueFilter(db, overdue)
        const filter = { ...pageRequest(query), name: period, overdue: late }
        return { status: 200, body: presentPage(await listRuns(db, filter), presentRun) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/settlement-runs/:id',
      tag: 'Settlement',
      summary: 'Read a settlement run',
      description:
        'With its stages so far: how much of each is done, how fast, and the money that it has ' +
        'dealt with.',
      access: 'settlement.read',
      answers: { 200: { description: 'The run', schema: runWithStages } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const run = await getRun(db, pathId('settlementRun', params.id, notFound))
        const progress = presentProgress(run, await listStages(db, run.id))
        return { status: 200, body: { ...progress, exceptions: await countRunExceptions(db, run) } }
      },
    }),
    ...signingRoutes(deps),
  ]
}

async function overdueFilter(db: Db, asked: 'true' | 'false' | undefined) {
  if (asked === undefined) return undefined
  const { deadlines } = await getProgramme(db)
  return { is: asked === 'true', seconds: deadlines.settlementAlarm }
}

/** The two persons. */
function signingRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/settlement-runs/:id/review',
      tag: 'Settlement',
      summary: 'Review a run: the first person',
      access: 'settlement.sign',
      idempotencyKey: 'required',
      body: signatureForm,
      answers: { 200: { description: 'Reviewed', schema: runAnswer } },
      refusals: [
        'not_found',
        'not_ready',
        'totals_changed',
        'run_finished',
        'temporarily_unavailable',
      ],
      handle: (call) => sign(deps, call, reviewRun),
    }),
    route({
      method: 'POST',
      path: '/v1/settlement-runs/:id/release',
      tag: 'Settlement',
      summary: 'Release a run: the second person',
      description: 'Statements are issued and payouts are made after this.',
      access: 'settlement.sign',
      idempotencyKey: 'required',
      body: signatureForm,
      answers: { 200: { description: 'Released', schema: runAnswer } },
      refusals: [
        'not_found',
        'not_ready',
        'not_reviewed',
        'second_person_required',
        'totals_changed',
        'run_finished',
        'temporarily_unavailable',
      ],
      handle: (call) => sign(deps, call, releaseRun),
    }),
  ]
}

async function startRun(deps: ApiDeps, call: Call<unknown, RunForm>) {
  const { db, principal, body, operationId } = call
  const programme = await getProgramme(db)
  const { period, mode } = body
  refuseOtherCadence(programme.onboarding.settlementCadence, body)
  await refuseTooEarly(db, programme, body)
  const earlier = await findSettling(db, programme.id, period)
  if (mode === 'live' && earlier?.stage === 'closed' && earlier.id !== operationId) {
    throw new DomainError('period_already_settled', `${period} is settled`)
  }
  const run = await inTransaction(db, (trx) =>
    recordRun(trx, {
      id: operationId,
      programmeId: programme.id,
      period,
      mode,
      requestedBy: principal.memberId,
    }),
  )
  if (run.stage !== 'closed') await startProcess(deps, programme, run)
  const answer = presentRun(run)
  return { status: 202, body: answer, headers: { Location: `/v1/settlement-runs/${answer.id}` } }
}

/** One that was cancelled has left its id to the next. */
async function startProcess(
  deps: ApiDeps,
  { deadlines }: Pick<Programme, 'deadlines'>,
  run: RunRow,
): Promise<void> {
  const isLive = run.mode === 'live'
  const period = isLive ? processPeriod(run) : run.period
  const input: SettlementInput = {
    runId: run.id,
    period,
    mode: run.mode,
    releaseReminder: deadlines.releaseReminder,
    releaseEscalation: deadlines.releaseEscalation,
  }
  const workflowId = isLive
    ? workflowIds.settlement(period)
    : workflowIds.settlementPreview(period, run.number)
  await startCommitted(deps, () =>
    deps.processes.ensureRunning({ type: workflowTypes.monthlySettlement, workflowId, input }),
  )
}

/** A preview moves nothing: it is calculated again as often as anybody likes. */
export async function rerunPreview(
  deps: ApiDeps,
  { db }: Pick<Call, 'db'>,
  run: RunRow,
): Promise<void> {
  await startProcess(deps, await getProgramme(db), run)
}

const wantedOf: Record<Cadence, string> = {
  weekly: 'weeks, like 2026-W47',
  monthly: 'months, like 2026-10',
  quarterly: 'quarters, like 2026-Q4',
}

/** @throws DomainError `invalid_request` for a period that the programme does not settle by. */
function refuseOtherCadence(own: Cadence, { period, cadence, mode }: RunForm): void {
  const asked = cadenceOf(period)
  const refusal = (pointer: string, detail: string) =>
    new DomainError('invalid_request', `body: ${detail}`, {
      fields: [{ pointer, code: 'invalid', detail }],
    })
  if (cadence !== undefined && cadence !== asked) {
    throw refusal('/cadence', `${period} is no period of this cadence`)
  }
  if (asked === own || (asked === 'weekly' && mode === 'preview')) return
  throw refusal('/period', `this programme settles by ${wantedOf[own]} (settlement_cadence)`)
}

/** A live run needs a period that is over and no older one that is still to be settled. */
async function refuseTooEarly(
  db: Db,
  { id: programmeId }: Pick<Programme, 'id'>,
  { period, mode }: RunForm,
): Promise<void> {
  const now = new Date()
  const { from, until } = stretchOf(period)
  if (now < (mode === 'live' ? until : from)) {
    throw new DomainError('period_not_over', `${period} is not over yet`)
  }
  if (mode === 'preview') return
  const { since } = await findMonths(db, programmeId, period)
  const open = await findUnsettledBefore(db, since)
  if (open) throw new DomainError('earlier_period_open', `${open} has to be settled first`)
}

async function sign(
  deps: ApiDeps,
  call: Call<unknown, z.output<typeof signatureForm>>,
  definition: typeof reviewRun,
) {
  const id = pathId('settlementRun', call.params.id, notFound)
  const run = await getRun(call.db, id)
  if (run.mode === 'preview') {
    throw new DomainError('not_ready', 'a preview is not signed; start a live run')
  }
  await updateProcess(deps, {
    workflowId: workflowIds.settlement(processPeriod(run)),
    definition,
    args: [{ memberId: call.principal.memberId, totalsHash: call.body.totals_hash }],
    updateId: call.operationId,
    ended: run.releasedBy
      ? new DomainError('run_finished', 'this run is released or finished')
      : new DomainError('not_ready', 'the process of this run has not started yet'),
  })
  return { status: 200, body: presentRun(await getRun(call.db, id)) }
}

export function presentRun(run: RunRow) {
  return {
    id: outwardId('settlementRun', run.id),
    period: run.name,
    cadence: run.cadence,
    since_period: run.sincePeriod,
    mode: run.mode,
    stage: run.stage,
    totals:
      run.totals?.map((totals) => ({
        currency: totals.currency,
        statements: totals.statements,
        opening: wireAmount(totals.opening),
        earned: wireAmount(totals.earned),
        clawed_back: wireAmount(totals.clawedBack),
        adjustments: wireAmount(totals.adjustments),
        closing: wireAmount(totals.closing),
        held: wireAmount(totals.held),
        payable: wireAmount(totals.payable),
        carried: wireAmount(totals.carried),
      })) ?? null,
    totals_hash: run.totalsHash,
    cutoff_at: run.cutoffAt.toISOString(),
    reviewed_by: run.reviewedBy && outwardId('member', run.reviewedBy),
    reviewed_at: run.reviewedAt?.toISOString() ?? null,
    released_by: run.releasedBy && outwardId('member', run.releasedBy),
    released_at: run.releasedAt?.toISOString() ?? null,
    problem: run.problem,
    paused_at: run.pausedAt?.toISOString() ?? null,
    rejected_at: run.rejectedAt?.toISOString() ?? null,
    created_at: run.createdAt.toISOString(),
    closed_at: run.closedAt?.toISOString() ?? null,
    cancelled_at: run.cancelledAt?.toISOString() ?? null,
  }
}

/** A run with its stages, as it is read and as its events tell of it. */
export function presentProgress(run: RunRow, stages: StageRow[]) {
  return { ...presentRun(run), stages: stages.map(presentStage) }
}

function presentStage({ stage, startedAt, endedAt, seconds, progress }: StageRow) {
  const rate = progress && seconds > 0 ? progress.done / seconds : null
  const left = progress?.total ? progress.total - progress.done : null
  return {
    stage,
    started_at: startedAt.toISOString(),
    ended_at: endedAt?.toISOString() ?? null,
    done: progress?.done ?? null,
    total: progress?.total ?? null,
    per_second: rate === null ? null : Math.round(rate * 10) / 10,
    seconds_left: endedAt || !rate || left === null ? null : Math.ceil(left / rate),
    control: (progress?.control ?? []).map(({ currency, amount }) => ({
      currency,
      amount: wireAmount(amount),
    })),
  }
}
