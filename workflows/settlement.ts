/** The close of a month: draft, two persons, payouts, reconciliation, seal. */
import {
  allHandlersFinished,
  condition,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow'
import { workflowIds } from '../domain/process-names.ts'
import type { RunStage } from '../domain/settlement.ts'
import {
  releaseRun,
  reviewRun,
  type SettlementInput,
  settlementState,
  type TotalsSignature,
} from './contract.ts'
import { payoutBatch } from './payouts.ts'
import { draftShards, inChild } from './shards.ts'
import { batch, failureType, mail, quick, refusal, vendor } from './steps.ts'
import { tierReview } from './tiers.ts'
import { pauseAfter } from './waiting.ts'

/** What the process remembers between its steps. */
interface Desk {
  stage: RunStage
  totalsHash: string | null
  reviewed: boolean
  released: boolean
  /** Into how many parts the run is divided; 0 before it is. */
  shards: number
}

const hour = 3_600_000

/**
 * A preview ends with its totals. A live run stops new bookings, drafts every statement, waits
 * for two persons however long that takes, issues, pays, compares with the processor and shuts
 * the period. Started again after a loss, it goes on where the books stand.
 */
export async function monthlySettlement(input: SettlementInput): Promise<{ totalsHash: string }> {
  const desk = await openDesk(input)
  if (!desk.released) {
    if (input.mode === 'live') await freeze(input, desk)
    await calculate(input, desk)
    if (input.mode === 'live') await twoPersons(input, desk)
  }
  if (input.mode === 'live') {
    await issue(input, desk)
    await pay(input, desk)
    await reconcile(input, desk)
    await close(input, desk)
  }
  await condition(allHandlersFinished)
  return { totalsHash: desk.totalsHash ?? '' }
}

async function openDesk(input: SettlementInput): Promise<Desk> {
  const desk: Desk = {
    stage: 'freeze',
    totalsHash: null,
    reviewed: false,
    released: false,
    shards: 0,
  }
  setHandler(reviewRun, (signature) => review(input, desk, signature), {
    validator: (_signature) => inReview(desk),
  })
  setHandler(releaseRun, (signature) => release(input, desk, signature), {
    validator: (_signature) => inReview(desk),
  })
  setHandler(settlementState, () => ({ stage: desk.stage, totalsHash: desk.totalsHash }))
  const before = await quick.readRun({ runId: input.runId })
  return Object.assign(desk, before)
}

function inReview(desk: Desk): void {
  if (desk.released) throw refusal('run_finished')
  if (desk.stage !== 'review') throw refusal('not_ready')
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

/** The desk first: whoever reads the new stage in the books may act on it at once. */
async function enter({ runId }: SettlementInput, desk: Desk, stage: RunStage): Promise<void> {
  desk.stage = stage
  await quick.enterStage({ runId, stage })
  setCurrentDetails(`Stage: ${stage}`)
}

/** Waits for the cut-off, fetches what is missing, and lets nothing more into the period. */
async function freeze(input: SettlementInput, desk: Desk): Promise<void> {
  const { runId } = input
  await enter(input, desk, 'freeze')
  for (;;) {
    const left = await quick.timeToCutoff({ runId })
    if (left === 0) break
    await sleep(left)
  }
  await vendor.collectMissedEvents({ runId })
  for (let round = 0; (await quick.countUnbookedEvents()) > 0; round++) {
    setCurrentDetails('Waiting: events of the payment provider are not booked yet')
    await pauseAfter(round, 600)
  }
  await mirrorPeriod(input)
  const refusal = { reason: 'earlier_period_open', problem: 'an earlier period is not settled' }
  await whileRefused(input, refusal, () => batch.freezePeriod({ runId }))
}

/** What Stripe moved in the month is in the books before nothing more comes into it. */
async function mirrorPeriod({ runId }: SettlementInput): Promise<void> {
  let after: string | null = null
  do after = await vendor.mirrorPeriodBalance({ runId, after })
  while (after)
  while ((await batch.bookBalance()) > 0);
}

/** Repeats a step each hour while one known reason refuses it, and shows the reason meanwhile. */
async function whileRefused<T>(
  { runId }: SettlementInput,
  { reason, problem }: { reason: string; problem: string },
  step: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (failureType(error) !== reason) throw error
      await quick.reportProblem({ runId, problem })
      setCurrentDetails(`Waiting: ${problem}`)
      await sleep(hour)
    }
  }
}

async function calculate(input: SettlementInput, desk: Desk): Promise<void> {
  const { runId } = input
  await enter(input, desk, 'calculate')
  const problem = 'statements and ledger disagree; see npm run ledger:check'
  desk.totalsHash = await whileRefused(input, { reason: 'ledger_violation', problem }, async () => {
    const { shards } = await batch.planShards({ runId })
    desk.shards = shards
    await draftShards(runId, shards)
    return batch.totalStatements({ runId })
  })
  await enter(input, desk, 'review')
}

/** Nothing is ever released by time: the wait has reminders and no end. */
async function twoPersons(input: SettlementInput, desk: Desk): Promise<void> {
  for (let number = 1; ; number++) {
    setCurrentDetails(
      desk.reviewed ? 'Waiting for a second person to release' : 'Waiting for a review',
    )
    if (await condition(() => desk.released, input.releaseReminder * 1000)) return
    await mail.mailReleasers({ runId: input.runId, occurrence: String(number) })
  }
}

async function issue(input: SettlementInput, desk: Desk): Promise<void> {
  await enter(input, desk, 'release')
  while ((await batch.issueStatements({ runId: input.runId })) > 0);
}

async function pay(input: SettlementInput, desk: Desk): Promise<void> {
  await enter(input, desk, 'pay')
  const { runId, period } = input
  const shards = Array.from({ length: Math.max(desk.shards, 1) }, (_, shard) => shard)
  await Promise.all(
    shards.map((shard) =>
      inChild(payoutBatch, {
        workflowId: workflowIds.payout(period, shard),
        input: shards.length === 1 ? { runId } : { runId, shard },
      }),
    ),
  )
}

/** Every transfer must be at the processor as we sent it, before the period can be shut. */
async function reconcile(input: SettlementInput, desk: Desk): Promise<void> {
  const { runId } = input
  await enter(input, desk, 'reconcile')
  for (;;) {
    let differences = 0
    let after: string | null = null
    do {
      const page: { last: string | null; differences: number } = await batch.reconcilePage({
        runId,
        after,
      })
      differences += page.differences
      after = page.last
    } while (after)
    if (differences === 0) return
    const problem = `${differences} transfers differ from those of the payment provider`
    await quick.reportProblem({ runId, problem })
    setCurrentDetails(`Waiting: ${problem}`)
    await sleep(hour)
  }
}

async function close(input: SettlementInput, desk: Desk): Promise<void> {
  await quick.closePeriod({ runId: input.runId })
  desk.stage = 'closed'
  setCurrentDetails('Closed')
  await startChild(tierReview, {
    workflowId: workflowIds.tiers(input.period),
    args: [{ period: input.period }],
    parentClosePolicy: ParentClosePolicy.ABANDON,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  })
}
