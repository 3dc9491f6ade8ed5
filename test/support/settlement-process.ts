/** A settlement on a test engine, and the steps with which it goes through without a hitch. */
import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure, WorkflowUpdateFailedError } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import { type SettlementInput, settlementState } from '../../workflows/contract.ts'
import { monthlySettlement } from '../../workflows/settlement.ts'
import { inTurn, type StandIns } from './processes.ts'
import { until } from './until.ts'

const day = 86_400
export const hash = 'a'.repeat(64)

let month = 0

/** Starts one of a month of its own, because a period is settled by one process only. */
export function startSettlement(env: TestWorkflowEnvironment, changes: Partial<SettlementInput>) {
  month += 1
  const period = `20${30 + Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}`
  const input: SettlementInput = {
    runId: randomUUIDv7(),
    period,
    mode: 'live',
    releaseReminder: day,
    ...changes,
  }
  return env.client.workflow.start(monthlySettlement, {
    workflowId: workflowIds.settlement(period),
    taskQueue,
    args: [input],
  })
}
export type Settlement = Awaited<ReturnType<typeof startSettlement>>

/** Steps of a run that nobody has begun; what is taken in turn is new for each worker. */
export const freshBooks = (changes: StandIns = {}): StandIns => ({
  readRun: () => ({
    stage: 'freeze',
    totalsHash: null,
    reviewed: false,
    released: false,
    shards: 0,
  }),
  timeToCutoff: () => 0,
  countUnbookedEvents: () => 0,
  planShards: () => ({ shards: 1 }),
  draftPages: () => ({ finished: true }),
  totalStatements: () => hash,
  issueStatements: inTurn(2, 0),
  payPage: () => ({ last: null, paid: 0, unknown: 0, insufficientBalance: false }),
  reconcilePage: () => ({ last: null, differences: 0 }),
  reviewTierPage: () => ({ last: null, promoted: 0 }),
  ...changes,
})

export const stageOf = async (handle: Settlement) => (await handle.query(settlementState)).stage
export const inReview = (handle: Settlement) =>
  until(async () => (await stageOf(handle)) === 'review')

/** The end of a run and of the review of tiers that it starts: nothing is left on the server. */
export async function settlementEnds(env: TestWorkflowEnvironment, handle: Settlement) {
  const result = await handle.result()
  const period = handle.workflowId.replace('settlement:', '')
  await env.client.workflow.getHandle(workflowIds.tiers(period)).result()
  return result
}

/** The code with which an update was refused, wherever it lies in the chain of causes. */
export async function refusalOf(update: Promise<unknown>): Promise<string | undefined> {
  const error = await update.catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(WorkflowUpdateFailedError)
  let cause: unknown = error
  while (cause instanceof Error) {
    if (cause instanceof ApplicationFailure) return cause.type ?? undefined
    cause = cause.cause
  }
  return undefined
}
