/** What persons want at the stage of the decision: taken one after the other, each answered. */
import { condition } from '@temporalio/workflow'
import type { RecordedDecision } from '../../activities/onboarding/approval.ts'
import type { OnboardingInput } from '../contract.ts'
import { refusal } from '../steps.ts'
import type { WaitMemory } from '../waiting.ts'
import { type Desk, isOpen, type Turn } from './desk.ts'

/** The time to decide; it stands still while the applicant is asked or an undo is possible. */
export interface DecisionClock {
  /** In milliseconds, when it began, moved on by what it stood still. */
  since: number
  escalated: boolean
  reminders: WaitMemory
}

/** When an application that nobody decides on lapses, as things are. */
export function lapseOf({ deadlines }: OnboardingInput, { since }: DecisionClock): string {
  return new Date(since + deadlines.approvalLapse * 1000).toISOString()
}

/** Refuses what has no turn: too early, too late, or while an approval can only be taken back. */
export function mayDecide(desk: Desk): void {
  if (!isOpen(desk) || desk.undo) throw refusal('already_decided')
  if (desk.stage !== 'approval') throw refusal('not_ready')
}

/** Waits in line and answers once it is written, which is one quick step for each turn before. */
export async function resultOf(desk: Desk, turn: Turn): Promise<RecordedDecision | 'asked'> {
  desk.turns.push(turn)
  await condition(() => desk.results.has(turn.id) || desk.outcome !== null)
  const result = desk.results.get(turn.id)
  if (result === undefined) throw refusal('already_decided')
  return result
}
