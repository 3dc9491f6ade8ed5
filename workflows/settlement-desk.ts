/** What people tell a settlement while it runs: their signatures, and their other decisions. */
import {
  condition,
  getExternalWorkflowHandle,
  log,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow'
import { workflowIds } from '../domain/process-names.ts'
import type { RunStage } from '../domain/settlement.ts'
import {
  decideRun,
  type RunDecision,
  releaseRun,
  reviewRun,
  runResumed,
  type SettlementInput,
  settlementState,
  type TotalsSignature,
} from './contract.ts'
import { batch, failureType, quick, refusal } from './steps.ts'

/** What the process remembers between its steps. */
export interface Desk {
  stage: RunStage
  period: string
  totalsHash: string | null
  reviewed: boolean
  released: boolean
  /** Into how many parts the run is divided; 0 before it is. */
  shards: number
  paused: boolean
  /** Sent back; it waits until somebody has it calculated again. */
  rejected: boolean
  /** Somebody wants all drafts made anew. */
  recalculates: boolean
  /** The decision that ends it, until it has. */
  cancelling: string | null
  cancelled: boolean
}

/** Thrown where a run stops because a person has ended it. */
export class RunCancelled extends Error {}

export async function openDesk(input: SettlementInput): Promise<Desk> {
  const desk: Desk = {
    stage: 'freeze',
    period: input.period,
    totalsHash: null,
    reviewed: false,
    released: false,
    shards: 0,
    paused: false,
    rejected: false,
    recalculates: false,
    cancelling: null,
    cancelled: false,
  }
  setHandler(reviewRun, (signature) => review(input, desk, signature), {
    validator: (_signature) => inReview(desk),
  })
  setHandler(releaseRun, (signature) => release(input, desk, signature), {
    validator: (_signature) => inReview(desk),
  })
  setHandler(decideRun, (decision) => decide(input, desk, decision), {
    validator: (decision) => mayDecide(desk, decision),
  })
  setHandler(settlementState, () => ({ stage: desk.stage, totalsHash: desk.totalsHash }))
  const before = await quick.readRun({ runId: input.runId })
  return Object.assign(desk, before)
}

function inReview(desk: Desk): void {
  if (desk.released || desk.cancelled) throw refusal('run_finished')
  if (desk.stage !== 'review' || desk.paused || desk.cancelling) throw refusal('not_ready')
}

function mayDecide(desk: Desk, { kind }: RunDecision): void {
  switch (kind) {
    case 'pause':
      if (desk.stage === 'closed' || desk.cancelled) throw refusal('run_finished')
      if (desk.cancelling) throw refusal('not_ready')
      return
    case 'resume':
      if (!desk.paused) throw refusal('not_ready')
      return
    case 'cancel':
      if (desk.released || desk.cancelled) throw refusal('run_finished')
      if (desk.cancelling) throw refusal('not_ready')
      return
    case 'recalculate':
      if (desk.released || desk.cancelled) throw refusal('run_finished')
      if (!desk.rejected) inReview(desk)
      return
    default:
      inReview(desk)
  }
}

/** Recorded at once: the refusals (other totals, the same person) come from the books. */
async function review({ runId }: SettlementInput, desk: Desk, signature: TotalsSignature) {
  await quick.recordReview({ runId, ...signature })
  desk.reviewed = true
}

async function release({ runId }: SettlementInput, desk: Desk, signature: TotalsSignature) {
  await quick.recordRelease({ runId, ...signature })
  desk.released = true
}

async function decide(
  { runId }: SettlementInput,
  desk: Desk,
  { decisionId, kind }: RunDecision,
): Promise<void> {
  if (kind === 'cancel') return ends(desk, decisionId)
  const { totalsHash } = await batch.applyRunDecision({ runId, decisionId })
  if (kind === 'pause' || kind === 'resume') {
    desk.paused = kind === 'pause'
    if (!desk.paused && desk.stage === 'pay') await resumePayouts(desk)
    return
  }
  desk.reviewed = desk.reviewed && totalsHash === desk.totalsHash
  desk.totalsHash = totalsHash
  if (kind === 'reject') Object.assign(desk, { rejected: true, stage: 'calculate' })
  if (kind === 'recalculate') {
    Object.assign(desk, { rejected: false, recalculates: true, stage: 'calculate' })
  }
}

/** Batches that pause look for themselves each hour, too. */
async function resumePayouts({ period, shards }: Desk): Promise<void> {
  for (let shard = 0; shard < Math.max(shards, 1); shard++) {
    const batch = getExternalWorkflowHandle(workflowIds.payout(period, shard))
    await batch.signal(runResumed).catch(() => log.info('a batch of payouts has ended', { shard }))
  }
}

/** The run itself ends between two of its steps, so that none of them works on after the end. */
async function ends(desk: Desk, decisionId: string): Promise<void> {
  desk.cancelling = decisionId
  await condition(() => desk.cancelling !== decisionId)
  if (!desk.cancelled) throw refusal('run_finished')
}

/**
 * Where a run can be stopped: waits while it is paused, and ends it where a person wants that.
 * @throws RunCancelled
 */
export async function gate(input: SettlementInput, desk: Desk): Promise<void> {
  const { runId } = input
  if (desk.paused) {
    setCurrentDetails('Paused by a person')
    await condition(() => !desk.paused || desk.cancelling !== null)
  }
  if (desk.cancelling === null) return
  try {
    await batch.applyRunDecision({ runId, decisionId: desk.cancelling })
    desk.cancelled = true
    desk.stage = 'cancelled'
  } catch (error) {
    // A release that was on its way came first.
    if (failureType(error) !== 'run_finished') throw error
  }
  desk.cancelling = null
  if (desk.cancelled) throw new RunCancelled('a person has cancelled the run')
  await gate(input, desk)
}

/** Waits so many milliseconds, or until a person stops the run. */
export async function waits(input: SettlementInput, desk: Desk, ms: number): Promise<void> {
  await condition(() => desk.cancelling !== null, ms)
  await gate(input, desk)
}
