/** The decision: asked for, reminded of, escalated; of persons or of a rule, never of time. */
import { CancellationScope, setHandler } from '@temporalio/workflow'
import type { RecordedDecision } from '../../activities/onboarding/approval.ts'
import { decideApplication, type OnboardingInput } from '../contract.ts'
import { mail, quick, refusal } from '../steps.ts'
import { happensInTime, instantIn } from '../waiting.ts'
import { type Desk, type Ending, enter, type Turn } from './desk.ts'
import { answersCome, ask, dropQuestions, lapsed, resume } from './information.ts'
import { type DecisionClock, lapseOf, mayDecide, resultOf } from './turns.ts'
import { isUndone, takeBack } from './undo.ts'

export function takeDecisions(desk: Desk): void {
  setHandler(
    decideApplication,
    async ({ noteId }) => {
      const result = await resultOf(desk, { kind: 'decision', id: noteId, by: 'person' })
      if (result === 'asked' || result.decision === 'refused') {
        throw refusal((result !== 'asked' && result.code) || 'already_decided')
      }
      return { status: statuses[result.decision] }
    },
    { validator: (_decision) => mayDecide(desk) },
  )
}

const statuses = { approve: 'approved', wait: 'in_review', reject: 'rejected' } as const

/** @returns how the application ended, or null when it is approved for good. */
export async function decide(input: OnboardingInput, desk: Desk): Promise<Ending | null> {
  const { applicationId, deadlines } = input
  // The desk first: whoever reads the new stage in the books may decide at once.
  enter(desk, 'approval', 'Waiting for a decision')
  const clock: DecisionClock = {
    ...{ since: Date.now(), escalated: false },
    reminders: { marks: 0 },
  }
  desk.undos.push({
    name: 'release territories',
    run: () => quick.releaseTerritories({ applicationId }),
  })
  const dueAt = instantIn(deadlines.approvalLapse)
  const rule = await quick.requestDecision({ applicationId, dueAt })
  if (rule) desk.turns.unshift({ kind: 'decision', id: rule, by: 'rule' })
  else await mail.mailApprovers({ applicationId, occurrence: 'first' })
  for (;;) {
    const { questions } = desk
    const inTime = questions ? await answersCome(input, desk) : await turnComes(input, desk, clock)
    const turn = desk.turns.shift()
    if (turn?.kind === 'questions') await ask(input, desk, turn)
    else if (turn) {
      const recorded = await record(input, desk, turn)
      if (recorded.decision === 'reject') return rejected
      if (recorded.decision === 'approve' && !(await isTakenBack(input, desk, clock))) return null
    } else if (questions?.answered) await resume(input, desk, clock)
    else if (!inTime) return questions ? lapsed : undecided
  }
}

const undecided: Ending = {
  status: 'lapsed',
  what: 'no decision was taken in time',
  mail: 'application_lapsed',
}

const rejected: Ending = { status: 'rejected', what: 'rejected', mail: 'application_rejected' }

function turnComes(input: OnboardingInput, desk: Desk, clock: DecisionClock): Promise<boolean> {
  const { deadlines } = input
  return happensInTime({
    since: clock.since,
    until: () => desk.turns.length > 0,
    reminders: [deadlines.approvalReminder, deadlines.approvalEscalation],
    expiry: deadlines.approvalLapse,
    remind: (number) => (number === 1 ? remindApprovers(input) : escalate(input, clock)),
    memory: clock.reminders,
  })
}

async function remindApprovers({ applicationId }: OnboardingInput): Promise<void> {
  await mail.mailApprovers({ applicationId, occurrence: 'reminder' })
}

async function escalate(input: OnboardingInput, clock: DecisionClock): Promise<void> {
  const { applicationId } = input
  clock.escalated = true
  await quick.escalateDecision({ applicationId, dueAt: lapseOf(input, clock) })
  await mail.mailApprovers({ applicationId, occurrence: 'escalation' })
}

/** Written for certain, whoever leaves meanwhile: what counts is what the books say. */
async function record(
  { applicationId, deadlines }: OnboardingInput,
  desk: Desk,
  turn: Turn & { kind: 'decision' },
): Promise<RecordedDecision> {
  const undoUntil = deadlines.undo > 0 ? instantIn(deadlines.undo) : null
  const recorded = await CancellationScope.nonCancellable(() =>
    quick.recordDecision({ applicationId, noteId: turn.id, undoUntil }),
  )
  const { decision } = recorded
  if (decision === 'approve') {
    desk.recorded = recorded
    if (undoUntil) desk.undo = { by: null }
    else desk.outcome = 'approved'
  }
  if (decision === 'reject') desk.stage = 'done'
  desk.results.set(turn.id, recorded)
  if (decision === 'wait') await mail.mailApprovers({ applicationId, occurrence: 'second' })
  if (decision === 'refused' && turn.by === 'rule') {
    await mail.mailApprovers({ applicationId, occurrence: 'first' })
  }
  return recorded
}

/** Waits until the approval is final, and makes the partner then. @returns whether it is not. */
async function isTakenBack(input: OnboardingInput, desk: Desk, clock: DecisionClock) {
  if (!desk.undo) return false
  dropQuestions(desk, clock)
  const began = Date.now()
  if (await isUndone(input, desk)) {
    clock.since += Date.now() - began
    await takeBack(input, desk, clock)
    return true
  }
  desk.outcome = 'approved'
  const { applicationId } = input
  const tenantId = await CancellationScope.nonCancellable(() =>
    quick.admitPartner({ applicationId }),
  )
  desk.recorded = { decision: 'approve', tenantId: tenantId ?? desk.recorded?.tenantId ?? null }
  return false
}
