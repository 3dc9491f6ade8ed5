/** What schedules start: thin processes that derive what is due and start it by its own id. */

import {
  defineSearchAttributeKey,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common'
import {
  ParentClosePolicy,
  patched,
  setCurrentDetails,
  startChild,
  workflowInfo,
} from '@temporalio/workflow'
import { type Cadence, lastEnded, monthsOf, processPeriod } from '../domain/cadence.ts'
import { workflowIds } from '../domain/process-names.ts'
import { monthlySettlement } from './settlement.ts'
import { inThisRound, quick, refusal } from './steps.ts'

const scheduledAt = defineSearchAttributeKey(
  'TemporalScheduledStartTime',
  SearchAttributeType.DATETIME,
)

const monthly = { cadence: 'monthly' } as const

/**
 * Settles the month, the quarter or the week before the time for which this firing was scheduled:
 * never before "now", which may be days later. A trigger, a backfill or a repetition finds the run
 * of the period. Where the programme has another cadence nothing is started.
 */
export async function settlementDispatch({ cadence }: { cadence: Cadence } = monthly): Promise<{
  period: string
}> {
  const nominal = workflowInfo().typedSearchAttributes.get(scheduledAt)
  if (!nominal) throw refusal('not_ready')
  const name = lastEnded(cadence, nominal)
  const opened = await quick.openScheduledRun({ period: name })
  if (!opened) {
    setCurrentDetails('Nothing to do: the programme settles by another cadence')
    return { period: name }
  }
  const { runId, releaseReminder, releaseEscalation } = opened
  const period = processPeriod({ name, period: monthsOf(name).period })
  try {
    await startChild(monthlySettlement, {
      workflowId: workflowIds.settlement(period),
      args: [{ runId, period, mode: 'live', releaseReminder, releaseEscalation }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    })
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
  }
  return { period: name }
}

/**
 * One round over everything that was committed and not started, and over what moved the balance at
 * Stripe. The vendor comes last: while it is away, everything else goes on by the minute.
 */
export async function sweeper(): Promise<void> {
  await quick.sweep()
  if (!patched('balance')) return
  await inThisRound('mirrorBalance')
  await inThisRound('bookBalance')
  if (patched('audit heads')) await inThisRound('signAuditHeads')
  if (patched('agreements')) await inThisRound('reconcileAgreements')
  if (patched('domains')) await inThisRound('keepDomains')
}
