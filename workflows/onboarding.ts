/** The way of a partner, from its application to its first day. */
import { allHandlersFinished, condition, setHandler } from '@temporalio/workflow'
import type { ApplicationStatus } from '../domain/onboarding.ts'
import { type OnboardingInput, onboardingState } from './contract.ts'
import { agree, hearOfAgreement } from './onboarding/agreement.ts'
import { decide, takeDecisions } from './onboarding/approval.ts'
import { type Desk, type Ending, end, enter, newDesk, untilLeft } from './onboarding/desk.ts'
import { prepareEnvironment, takeRetries } from './onboarding/environment.ts'
import { takeQuestions } from './onboarding/information.ts'
import { hearOfConfirmation, screen } from './onboarding/screening.ts'
import { hearOfTraining, train } from './onboarding/training.ts'
import { takeUndos } from './onboarding/undo.ts'
import { hearOfVerification, proveIdentity } from './onboarding/verification.ts'
import { takeWithdrawal } from './onboarding/withdrawal.ts'
import { mail, quick } from './steps.ts'

/**
 * Screening, agreement, identity, decision, environment, start. Every wait for a person has
 * reminders and an end; whatever ends early takes back what it holds and says so on the
 * application.
 */
export async function partnerOnboarding(input: OnboardingInput): Promise<ApplicationStatus> {
  const desk = openDesk(input)
  // One that goes on somewhere has gone all the way up to there before.
  const ending = input.from
    ? await goOn(input, desk)
    : await untilLeft(desk, () => apply(input, desk))
  if (ending) {
    const status = await end(input, desk, ending)
    await condition(allHandlersFinished)
    return status
  }
  if (input.from !== 'training') await prepareEnvironment(input, desk)
  const status = await activate(input, desk)
  await condition(allHandlersFinished)
  return status
}

function openDesk(input: OnboardingInput): Desk {
  const desk = newDesk()
  // Before anybody is heard: what was asked for meanwhile is answered as it is listened to.
  if (input.from) desk.outcome = 'approved'
  hearOfAgreement(input, desk)
  hearOfVerification(input, desk)
  hearOfTraining(desk)
  takeDecisions(desk)
  takeQuestions(desk)
  takeUndos(desk)
  takeWithdrawal(desk)
  takeRetries(desk)
  hearOfConfirmation(desk)
  setHandler(onboardingState, () => ({ stage: desk.stage, decided: desk.outcome !== null }))
  return desk
}

/** The approval of an earlier process is final here, and makes its partner once. */
async function goOn({ applicationId, from }: OnboardingInput, desk: Desk): Promise<null> {
  if (from === 'training') return null
  const tenantId = await quick.admitPartner({ applicationId })
  desk.recorded = { decision: 'approve', tenantId }
  return null
}

/** @returns how the application ended, or null when it is approved. */
async function apply(input: OnboardingInput, desk: Desk): Promise<Ending | null> {
  return (
    (await screen(input)) ??
    (await agree(input, desk)) ??
    (await proveIdentity(input, desk)) ??
    (await decide(input, desk))
  )
}

async function activate(input: OnboardingInput, desk: Desk): Promise<'active' | 'lapsed'> {
  const { applicationId } = input
  if ((await train(input, desk)) === 'ended') {
    enter(desk, 'done', 'The partnership was terminated before its first day')
    return 'lapsed'
  }
  await mail.mailApplicant({ applicationId, kind: 'welcome' })
  enter(desk, 'done', 'The partner is active')
  return 'active'
}
