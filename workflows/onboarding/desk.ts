/** What the process of an application remembers between its steps, and how it ends early. */
import {
  ActivityFailure,
  CancellationScope,
  isCancellation,
  setCurrentDetails,
} from '@temporalio/workflow'
import type { RecordedDecision } from '../../activities/onboarding/approval.ts'
import type { ApplicantMail } from '../../activities/onboarding/mails.ts'
import type { ApplicationStage, ApplicationStatus } from '../../domain/onboarding.ts'
import type { OnboardingInput } from '../contract.ts'
import { mail, quick } from '../steps.ts'
import { type Undo, undoAll } from '../undoing.ts'
import type { WaitMemory } from '../waiting.ts'

/** What somebody wants of the process at the stage of the decision. */
export type Turn =
  | { kind: 'decision'; id: string; by: 'person' | 'rule' }
  | { kind: 'questions'; id: string }

/** Questions that the applicant has not answered yet. */
export interface OpenQuestions {
  id: string
  /** In milliseconds, when they were asked: the time to decide stands still since. */
  since: number
  answered: boolean
  reminders: WaitMemory
}

export interface Desk {
  stage: ApplicationStage
  /** How it came out: approved for good, or how it ended; null while that is open. */
  outcome: 'approved' | Ending['status'] | null
  agreementNews: boolean
  /** How often the agreement was sent for signature. */
  agreementAttempts: number
  /** The wish of a person to have it sent again. */
  resendWanted: string | null
  /** The payout account is there, and has a page on which to begin. */
  accountOpened: boolean
  verificationNews: boolean
  trainingNews: boolean
  /** Taken one after the other, in the order in which they came. */
  turns: Turn[]
  /** What became of turns, for those who wait for it. */
  results: Map<string, RecordedDecision | 'asked'>
  questions: OpenQuestions | null
  /** How many requests were answered. */
  answers: number
  /** While an approval can be taken back; `by` once somebody does. */
  undo: { by: string | null } | null
  recorded: RecordedDecision | null
  retryWanted: boolean
  /** What an early end takes back, the last one first; each is registered before its step. */
  undos: Undo[]
  /** Everything up to the decision runs in it, so that it can be left at any moment. */
  way: CancellationScope
  left: Ending | null
}

export function newDesk(): Desk {
  return {
    stage: 'screening',
    outcome: null,
    agreementNews: false,
    agreementAttempts: 0,
    resendWanted: null,
    accountOpened: false,
    verificationNews: false,
    trainingNews: false,
    turns: [],
    results: new Map(),
    questions: null,
    answers: 0,
    undo: null,
    recorded: null,
    retryWanted: false,
    undos: [],
    way: new CancellationScope(),
    left: null,
  }
}

/** Every part of the way answers how the application ended, or null when it goes on. */
export interface Ending {
  status: Extract<ApplicationStatus, 'rejected' | 'withdrawn' | 'lapsed'>
  /** What the timeline says, and of whom where it was not the product. */
  what: string
  actor?: 'applicant'
  mail: ApplicantMail | null
}

/** The new stage, for the handlers of messages and, in words, for whoever looks at the process. */
export function enter(desk: Desk, stage: ApplicationStage, details: string): void {
  desk.stage = stage
  setCurrentDetails(details)
}

/** True until the application is approved for good, has ended or is about to end. */
export function isOpen(desk: Desk): boolean {
  return desk.outcome === null && desk.stage !== 'done'
}

/**
 * Ends the way wherever it is, unless it comes to an end of its own first. A step that runs is
 * finished, one that waits for its next try is given up: what it may have made is taken back.
 */
export function leave(desk: Desk, ending: Ending): void {
  if (!isOpen(desk) || desk.left) return
  desk.left = ending
  desk.way.cancel()
}

/** Goes the way until its end, or until it is left. */
export async function untilLeft(
  desk: Desk,
  way: () => Promise<Ending | null>,
): Promise<Ending | null> {
  try {
    return await desk.way.run(way)
  } catch (error) {
    // A step that fails while it is given up is not tried again, whatever its failure says.
    const isGivenUp = isCancellation(error) || error instanceof ActivityFailure
    if (desk.left && isGivenUp) return desk.left
    throw error
  }
}

/**
 * Closes the application, then takes back what it holds elsewhere and tells the applicant. What
 * could not be taken back is left to a person. The desk first: a decision that comes now would be
 * taken and never recorded.
 */
export async function end(
  { applicationId }: OnboardingInput,
  desk: Desk,
  ending: Ending,
): Promise<ApplicationStatus> {
  const { status, what, actor } = ending
  enter(desk, 'done', `Ended: ${what}`)
  await CancellationScope.nonCancellable(async () => {
    await quick.closeApplication({ applicationId, status, what, ...(actor ? { actor } : {}) })
    desk.outcome = status
    const left = await undoAll(desk.undos)
    if (left.length > 0) await quick.recordUndosLeft({ applicationId, left })
    if (ending.mail) await mail.mailApplicant({ applicationId, kind: ending.mail })
  })
  return status
}
