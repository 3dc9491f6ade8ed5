/** What a partner has to learn before it starts, where the programme asks for it. */
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow'
import { reminderAfter } from '../../domain/training.ts'
import { type OnboardingInput, trainingChanged } from '../contract.ts'
import { mail, quick } from '../steps.ts'
import { type Desk, enter } from './desk.ts'

export function hearOfTraining(desk: Desk): void {
  setHandler(trainingChanged, () => {
    desk.trainingNews = true
  })
}

/**
 * Starts the partner as soon as it has what the programme asks for. The wait has no end: it is
 * reminded of, and told to those who approved it at the last mark. Each reminder looks first, so
 * that a message that was lost costs days and not the partner. A termination ends the wait.
 */
export async function train(input: OnboardingInput, desk: Desk): Promise<'active' | 'ended'> {
  const { applicationId, deadlines } = input
  enter(desk, 'training', 'Starting the partner')
  const since = Date.now()
  // Zero is the first word; null is news, of which nothing is said.
  let reminder: number | null = 0
  for (;;) {
    desk.trainingNews = false
    const state = await quick.activatePartner({ applicationId })
    if (state !== 'training') return state
    if (reminder !== null) {
      setCurrentDetails('Waiting for the partner to be certified')
      const isLast = reminder > 0 && reminder === deadlines.trainingReminders.length
      await mail.mailTraining({ applicationId, number: reminder, escalated: isLast })
    }
    reminder = await nextReminder(deadlines.trainingReminders, since, desk)
  }
}

/** @returns the number of the reminder that is due, or null when something happened before it. */
async function nextReminder(marks: number[], since: number, desk: Desk): Promise<number | null> {
  const next = reminderAfter(marks, (Date.now() - since) / 1000)
  if (next === null) {
    await condition(() => desk.trainingNews)
    return null
  }
  const left = Math.max(since + next.at * 1000 - Date.now(), 1)
  return (await condition(() => desk.trainingNews, left)) ? null : next.number
}
