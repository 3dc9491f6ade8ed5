/** What the process of an application remembers between its steps, and how it ends early. */
import { CancellationScope, log, setCurrentDetails } from '@temporalio/workflow'
import type { RecordedDecision } from '../../activities/onboarding/approval.ts'
import type { ApplicantMail } from '../../activities/onboarding/mails.ts'
import type { ApplicationStage, ApplicationStatus } from '../../domain/onboarding.ts'
import type { Decision, OnboardingInput } from '../contract.ts'
import { failureType, mail, quick } from '../steps.ts'

/** An undo, by the name under which it is reported when it fails. */
export interface Undo {
  name: string
  run: () => Promise<void>
}

export interface Desk {
  stage: ApplicationStage
  agreementNews: boolean
  /** How often the agreement was sent for signature. */
  agreementAttempts: number
  /** The wish of a person to have it sent again. */
  resendWanted: string | null
  verificationNews: boolean
  decision: Decision | null
  recorded: RecordedDecision | null
  retryWanted: boolean
  /** What an early end takes back, the last one first; each is registered before its step. */
  undos: Undo[]
}

export function newDesk(): Desk {
  return {
    stage: 'screening',
    agreementNews: false,
    agreementAttempts: 0,
    resendWanted: null,
    verificationNews: false,
    decision: null,
    recorded: null,
    retryWanted: false,
    undos: [],
  }
}

/** Every part of the way answers how the application ended, or null when it goes on. */
export interface Ending {
  status: Extract<ApplicationStatus, 'rejected' | 'withdrawn' | 'lapsed'>
  /** What the timeline says. */
  what: string
  mail: ApplicantMail | null
}

/** The new stage, for the handlers of messages and, in words, for whoever looks at the process. */
export function enter(desk: Desk, stage: ApplicationStage, details: string): void {
  desk.stage = stage
  setCurrentDetails(details)
}

/**
 * Takes back what the application holds elsewhere, closes it and tells the applicant. The desk
 * first: a decision that comes now would be taken and never recorded.
 */
export async function end(
  { applicationId }: OnboardingInput,
  desk: Desk,
  ending: Ending,
): Promise<ApplicationStatus> {
  enter(desk, 'done', `Ended: ${ending.what}`)
  const { status, what } = ending
  await CancellationScope.nonCancellable(async () => {
    await undoAll(desk)
    await quick.closeApplication({ applicationId, status, what })
    if (ending.mail) await mail.mailApplicant({ applicationId, kind: ending.mail })
  })
  return status
}

/** An undo that fails is reported and stops no other. */
async function undoAll(desk: Desk): Promise<void> {
  for (const undo of desk.undos.reverse()) {
    try {
      await undo.run()
    } catch (error) {
      log.error('an undo failed', { undo: undo.name, reason: failureType(error) })
    }
  }
}
