/** The decision of a person: asked for, reminded of, escalated; never taken by time. */
import { condition, setHandler } from '@temporalio/workflow'
import { type Decision, decideApplication, type OnboardingInput } from '../contract.ts'
import { mail, quick, refusal } from '../steps.ts'
import { happensInTime, instantIn } from '../waiting.ts'
import { type Desk, type Ending, enter } from './desk.ts'

export function takeDecisions(input: OnboardingInput, desk: Desk): void {
  setHandler(decideApplication, (decision) => takeDecision(desk, decision), {
    validator: (decision) => mayDecide(input, desk, decision),
  })
}

function mayDecide(input: OnboardingInput, desk: Desk, decision: Decision): void {
  if (desk.decision || desk.stage === 'done') throw refusal('already_decided')
  if (desk.stage !== 'approval') throw refusal('not_ready')
  const { memberPartnerId } = decision
  if (memberPartnerId !== null && memberPartnerId !== input.parentId) throw refusal('forbidden')
}

/** Answers once the decision is written, which is one quick step; no second one can be waiting. */
async function takeDecision(desk: Desk, decision: Decision): Promise<{ status: string }> {
  desk.decision = decision
  await condition(() => desk.recorded !== null)
  return { status: decision.decision === 'approve' ? 'approved' : 'rejected' }
}

/** @returns how the application ended, or null when it is approved. */
export async function decide(input: OnboardingInput, desk: Desk): Promise<Ending | null> {
  const { applicationId, deadlines } = input
  // The desk first: whoever reads the new stage in the books may decide at once.
  enter(desk, 'approval', 'Waiting for a decision')
  const since = Date.now()
  desk.undos.push({
    name: 'release territories',
    run: () => quick.releaseTerritories({ applicationId }),
  })
  await quick.requestDecision({ applicationId, dueAt: instantIn(deadlines.approvalLapse) })
  await mail.mailApprovers({ applicationId, occurrence: 'first' })
  await happensInTime({
    since,
    until: () => desk.decision !== null,
    reminders: [deadlines.approvalReminder, deadlines.approvalEscalation],
    expiry: deadlines.approvalLapse,
    remind: (number) => (number === 1 ? remindApprovers(input) : escalate(input)),
  })
  if (!desk.decision) return undecided
  desk.recorded = await quick.recordDecision({ applicationId, noteId: desk.decision.noteId })
  return desk.recorded.decision === 'approve' ? null : rejected
}

const undecided: Ending = {
  status: 'lapsed',
  what: 'no decision was taken in time',
  mail: 'application_lapsed',
}

const rejected: Ending = { status: 'rejected', what: 'rejected', mail: 'application_rejected' }

async function remindApprovers({ applicationId }: OnboardingInput): Promise<void> {
  await mail.mailApprovers({ applicationId, occurrence: 'reminder' })
}

async function escalate({ applicationId, deadlines }: OnboardingInput): Promise<void> {
  const left = deadlines.approvalLapse - deadlines.approvalEscalation
  await quick.escalateDecision({ applicationId, dueAt: instantIn(left) })
  await mail.mailApprovers({ applicationId, occurrence: 'escalation' })
}
