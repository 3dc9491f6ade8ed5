/** The close of a month, a quarter or a week: draft, two persons, payouts, reconciliation, seal. */
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  ParentClosePolicy,
  setCurrentDetails,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow'
import type { ReconciledPage } from '../activities/reconciliation.ts'
import { cadenceOf } from '../domain/cadence.ts'
import { workflowIds } from '../domain/process-names.ts'
import type { RunStage } from '../domain/settlement.ts'
import type { SettlementInput } from './contract.ts'
import { payoutBatch } from './payouts.ts'
import { type Desk, gate, openDesk, RunCancelled, waits } from './settlement-desk.ts'
import { draftShards, inChild } from './shards.ts'
import { batch, failureType, mail, quick, vendor } from './steps.ts'
import { tierReview } from './tiers.ts'
import { hasLongHistory, pauseAfter } from './waiting.ts'

const minute = 60_000
const hour = 60 * minute
const day = 86_400

/**
 * A preview ends with its totals. A live run stops new bookings, drafts every statement, waits
 * for two persons however long that takes, issues, pays, compares with the processor and shuts
 * the period. Started again after a loss, it goes on where the books stand.
 */
export async function monthlySettlement(input: SettlementInput): Promise<{ totalsHash: string }> {
  const desk = await openDesk(input)
  try {
    if (!desk.cancelled) await settle(input, desk)
  } catch (error) {
    if (!(error instanceof RunCancelled)) throw error
    setCurrentDetails('Cancelled')
  }
  await condition(allHandlersFinished)
  return { totalsHash: desk.totalsHash ?? '' }
}

async function settle(input: SettlementInput, desk: Desk): Promise<void> {
  if (!desk.released) await prepare(input, desk)
  if (input.mode === 'preview') return
  await issue(input, desk)
  await pay(input, desk)
  await reconcile(input, desk)
  await close(input, desk)
}

/** Up to the release; what was sent back is calculated again as often as people want. */
async function prepare(input: SettlementInput, desk: Desk): Promise<void> {
  if (input.mode === 'live' && !desk.rejected) await freeze(input, desk)
  do {
    desk.recalculates = false
    if (!desk.rejected) await calculate(input, desk)
    if (input.mode === 'live') await twoPersons(input, desk)
  } while (desk.recalculates)
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
    await waits(input, desk, left)
  }
  await gate(input, desk)
  await vendor.collectMissedEvents({ runId })
  for (let round = 0; (await quick.countUnbookedEvents()) > 0; round++) {
    setCurrentDetails('Waiting: events of the payment provider are not booked yet')
    await pauseAfter(round, 600)
    await gate(input, desk)
    await beginAnew(input, desk)
  }
  await mirrorPeriod(input)
  const problems = { earlier_period_open: 'an earlier period is not settled' }
  await whileRefused(input, desk, { problems, step: () => batch.freezePeriod({ runId }) })
  await gate(input, desk)
}

/** What Stripe moved in the month is in the books before nothing more comes into it. */
async function mirrorPeriod({ runId }: SettlementInput): Promise<void> {
  let after: string | null = null
  do after = await vendor.mirrorPeriodBalance({ runId, after })
  while (after)
  while ((await batch.bookBalance()) > 0);
}

/** Goes on in a new history where this one is long: the books say where the run stands. */
async function beginAnew(input: SettlementInput, desk: Desk): Promise<void> {
  if (!hasLongHistory()) return
  while (!allHandlersFinished()) {
    // Whoever cancels waits for the gate.
    await condition(() => allHandlersFinished() || desk.cancelling !== null)
    await gate(input, desk)
  }
  await continueAsNew<typeof monthlySettlement>(input)
}

/**
 * Repeats a step while a known reason refuses it, soon at first and each hour then, and shows the
 * reason meanwhile.
 */
async function whileRefused<T>(
  input: SettlementInput,
  desk: Desk,
  { problems, step }: { problems: Record<string, string>; step: () => Promise<T> },
): Promise<T> {
  for (let round = 0; ; round++) {
    try {
      return await step()
    } catch (error) {
      const problem = problems[failureType(error) ?? '']
      if (problem === undefined) throw error
      await quick.reportProblem({ runId: input.runId, problem })
      setCurrentDetails(`Waiting: ${problem}`)
      await waits(input, desk, Math.min(hour, minute * 2 ** round))
      await beginAnew(input, desk)
    }
  }
}

async function calculate(input: SettlementInput, desk: Desk): Promise<void> {
  const { runId } = input
  await enter(input, desk, 'calculate')
  const problems = {
    ledger_violation: 'statements and ledger disagree; see npm run ledger:check',
    not_ready: 'an exchange rate is missing; see the exceptions of this run',
  }
  const step = async () => {
    const { shards } = await batch.planShards({ runId })
    desk.shards = shards
    await draftShards(runId, shards)
    return batch.totalStatements({ runId })
  }
  desk.totalsHash = await whileRefused(input, desk, { problems, step })
  await gate(input, desk)
  await enter(input, desk, 'review')
}

/**
 * Nothing is ever released by time: the wait has reminders and no end. After so long it is shown as
 * a problem, too.
 */
async function twoPersons(input: SettlementInput, desk: Desk): Promise<void> {
  const since = Date.now()
  const { runId, releaseReminder, releaseEscalation = 3 * day } = input
  let escalates = true
  for (let number = 1; ; number++) {
    setCurrentDetails(waitsFor(desk))
    const isOver = () => desk.released || desk.recalculates || desk.cancelling !== null
    const happened = await condition(isOver, releaseReminder * 1000)
    await gate(input, desk)
    if (desk.released || desk.recalculates) return
    if (happened || desk.rejected) continue
    await mail.mailReleasers({ runId, occurrence: String(number) })
    if (escalates && Date.now() - since >= releaseEscalation * 1000) {
      escalates = false
      await quick.reportProblem({ runId, problem: 'nobody has released this run in time' })
      await mail.mailReleasers({ runId, occurrence: 'escalation' })
    }
  }
}

function waitsFor(desk: Desk): string {
  if (desk.rejected) return 'Rejected: waiting until somebody has it calculated again'
  return desk.reviewed ? 'Waiting for a second person to release' : 'Waiting for a review'
}

async function issue(input: SettlementInput, desk: Desk): Promise<void> {
  await enter(input, desk, 'release')
  do await gate(input, desk)
  while ((await batch.issueStatements({ runId: input.runId })) > 0)
}

async function pay(input: SettlementInput, desk: Desk): Promise<void> {
  await gate(input, desk)
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
    await gate(input, desk)
    let differences = 0
    let after: string | null = null
    do {
      const page: ReconciledPage = await batch.reconcilePage({ runId, after })
      differences += page.differences
      after = page.last
    } while (after)
    if (differences === 0) return
    const problem = `${differences} transfers differ from those of the payment provider`
    await quick.reportProblem({ runId, problem })
    setCurrentDetails(`Waiting: ${problem}`)
    await waits(input, desk, hour)
    await beginAnew(input, desk)
  }
}

async function close(input: SettlementInput, desk: Desk): Promise<void> {
  await gate(input, desk)
  const { period } = input
  const closed = await quick.closePeriod({ runId: input.runId })
  desk.stage = 'closed'
  setCurrentDetails('Closed')
  // Of a quarter the last month stands for all; a week closes a month now and then.
  const months = cadenceOf(period) === 'weekly' ? closed.months : [period]
  for (const month of months) {
    await startChild(tierReview, {
      workflowId: workflowIds.tiers(month),
      args: [{ period: month }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    })
  }
}
