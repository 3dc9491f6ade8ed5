/** Questions to the applicant: the time to decide stands still until they are answered. */
import { condition, setHandler } from '@temporalio/workflow'
import { answerInformation, type OnboardingInput, requestInformation } from '../contract.ts'
import { mail, quick, refusal } from '../steps.ts'
import { happensInTime, instantIn } from '../waiting.ts'
import { type Desk, type Ending, enter, type Turn } from './desk.ts'
import { type DecisionClock, lapseOf, mayDecide, resultOf } from './turns.ts'

export function takeQuestions(desk: Desk): void {
  setHandler(
    requestInformation,
    async ({ requestId }) => {
      await resultOf(desk, { kind: 'questions', id: requestId })
    },
    {
      validator: (_request) => {
        mayDecide(desk)
        if (desk.questions || desk.turns.some(({ kind }) => kind === 'questions')) {
          throw refusal('conflict')
        }
      },
    },
  )
  setHandler(
    answerInformation,
    async ({ requestId }) => {
      if (desk.questions) desk.questions.answered = true
      await condition(() => desk.questions?.id !== requestId || desk.outcome !== null)
    },
    {
      validator: ({ requestId }) => {
        if (desk.questions?.id !== requestId || desk.outcome) throw refusal('not_ready')
      },
    },
  )
}

/** The applicant has the questions from now on. */
export async function ask(
  { applicationId, deadlines }: OnboardingInput,
  desk: Desk,
  { id: requestId }: Turn,
): Promise<void> {
  desk.questions = {
    ...{ id: requestId, since: Date.now(), answered: false },
    reminders: { marks: 0 },
  }
  enter(desk, 'approval', 'Waiting for the applicant to answer questions')
  const dueAt = instantIn(deadlines.informationExpiry)
  await quick.askApplicant({ applicationId, requestId, dueAt })
  desk.results.set(requestId, 'asked')
  await mail.mailApplicant({ applicationId, kind: 'information_requested', occurrence: requestId })
}

/** Waits for the answer; who decides may do so without it. @returns false on expiry. */
export async function answersCome(input: OnboardingInput, desk: Desk): Promise<boolean> {
  const { questions } = desk
  const { deadlines } = input
  if (!questions) return true
  const inTime = await happensInTime({
    since: questions.since,
    until: () => questions.answered || desk.turns.length > 0,
    reminders: deadlines.informationReminders,
    expiry: deadlines.informationExpiry,
    remind: (number) => remindOfQuestions(input, desk, number),
    memory: questions.reminders,
  })
  if (!inTime) questions.answered = await quick.findAnswer({ requestId: questions.id })
  return inTime
}

/** A reminder also looks for the answer, in case nobody told the process. */
async function remindOfQuestions({ applicationId }: OnboardingInput, desk: Desk, number: number) {
  const { questions } = desk
  if (!questions) return
  questions.answered = await quick.findAnswer({ requestId: questions.id })
  if (questions.answered) return
  await mail.mailApplicant({
    applicationId,
    kind: 'information_reminder',
    occurrence: `${questions.id}:${number}`,
  })
}

/** The decision goes on with the rest of its time. */
export async function resume(
  input: OnboardingInput,
  desk: Desk,
  clock: DecisionClock,
): Promise<void> {
  const { questions } = desk
  if (!questions) return
  const { applicationId } = input
  clock.since += Date.now() - questions.since
  await quick.resumeDecision({
    applicationId,
    requestId: questions.id,
    dueAt: lapseOf(input, clock),
    escalated: clock.escalated,
  })
  desk.questions = null
  enter(desk, 'approval', 'Waiting for a decision')
  desk.answers += 1
  await mail.mailApprovers({ applicationId, occurrence: `answer_${desk.answers}` })
}

/** Nobody waits for an answer any more, and the time to decide goes on. */
export function dropQuestions(desk: Desk, clock: DecisionClock): void {
  if (desk.questions) clock.since += Date.now() - desk.questions.since
  desk.questions = null
}

export const lapsed: Ending = {
  status: 'lapsed',
  what: 'the questions were not answered in time',
  mail: 'application_lapsed',
}
