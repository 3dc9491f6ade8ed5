/** An approval that may still be taken back: nothing follows from it until its time is over. */
import { condition, setHandler } from '@temporalio/workflow'
import { type OnboardingInput, undoApproval } from '../contract.ts'
import { quick, refusal } from '../steps.ts'
import { type Desk, enter, isOpen } from './desk.ts'
import { type DecisionClock, lapseOf } from './turns.ts'

/** Answers once the approval is taken back, which is one quick step. */
export function takeUndos(desk: Desk): void {
  setHandler(
    undoApproval,
    async ({ memberId }) => {
      if (desk.undo) desk.undo.by = memberId
      await condition(() => desk.undo === null || desk.outcome !== null)
      if (desk.outcome !== null) throw refusal('already_decided')
    },
    {
      validator: (_takingBack) => {
        if (desk.outcome === 'approved') throw refusal('gone')
        if (!isOpen(desk)) throw refusal('already_decided')
        if (!desk.undo) throw refusal('not_ready')
        if (desk.undo.by !== null) throw refusal('conflict')
      },
    },
  )
}

/** Waits as long as the approval may be taken back. @returns whether it is. */
export async function isUndone({ deadlines }: OnboardingInput, desk: Desk): Promise<boolean> {
  enter(desk, 'approval', 'Approved; the approval may still be taken back')
  await condition(() => Boolean(desk.undo?.by), deadlines.undo * 1000)
  if (desk.undo?.by) return true
  desk.undo = null
  return false
}

export async function takeBack(
  input: OnboardingInput,
  desk: Desk,
  clock: DecisionClock,
): Promise<void> {
  const { applicationId } = input
  const memberId = desk.undo?.by ?? ''
  const { escalated } = clock
  await quick.undoDecision({ applicationId, memberId, dueAt: lapseOf(input, clock), escalated })
  desk.recorded = null
  desk.undo = null
  enter(desk, 'approval', 'Waiting for a decision')
}
