/**
 * How long steps may take and how they are repeated; the steps themselves are activities. Every
 * running step beats, so that one whose worker was killed is repeated after eight seconds.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  log,
  proxyActivities,
  TimeoutFailure,
} from '@temporalio/workflow'
import type { Activities } from '../activities/index.ts'

/** A step that is given up while it runs is waited for: what it did is known then. */
const cancellationType = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED

/** One transaction of our own database; repeated for as long as the database is away. */
export const quick = proxyActivities<Activities>({
  cancellationType,
  startToCloseTimeout: '30 seconds',
  heartbeatTimeout: '8 seconds',
  retry: { initialInterval: '200 ms', maximumInterval: '10 seconds' },
})

/** A call to a vendor with a stored key; must end while the vendor remembers the key. */
export const vendor = proxyActivities<Activities>({
  cancellationType,
  startToCloseTimeout: '60 seconds',
  heartbeatTimeout: '8 seconds',
  scheduleToCloseTimeout: '20 hours',
  retry: { initialInterval: '1 second', maximumInterval: '5 minutes' },
})

/** A look-up that changes nothing at the vendor: repeated for as long as the vendor is away. */
export const lookup = proxyActivities<Activities>({
  cancellationType,
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '8 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '5 minutes' },
})

/** A page of many rows; repeated until it is done. */
export const batch = proxyActivities<Activities>({
  cancellationType,
  startToCloseTimeout: '15 minutes',
  heartbeatTimeout: '8 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
})

/** Looks again and again at what a person has to set up elsewhere; no attempt is an event. */
export const patient = proxyActivities<Activities>({
  cancellationType,
  startToCloseTimeout: '30 seconds',
  heartbeatTimeout: '8 seconds',
  retry: { initialInterval: '60 seconds', backoffCoefficient: 1.5, maximumInterval: '1 hour' },
})

const post = proxyActivities<Activities>({
  cancellationType,
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '8 seconds',
  retry: { initialInterval: '2 seconds', maximumInterval: '30 minutes', maximumAttempts: 8 },
})

/** A mail that cannot be sent is noted and holds nothing up. */
async function sent(mail: Promise<unknown>): Promise<void> {
  try {
    await mail
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error
    log.warn('a mail could not be sent', { reason: failureType(error) })
  }
}

/** One look, for somebody who waits for the answer. */
export const once = proxyActivities<Activities>({
  cancellationType,
  startToCloseTimeout: '50 seconds',
  heartbeatTimeout: '8 seconds',
  retry: { maximumAttempts: 1 },
})

type RoundStep =
  | 'mirrorBalance'
  | 'bookBalance'
  | 'signAuditHeads'
  | 'reconcileAgreements'
  | 'keepDomains'

/** A step of a round that comes again in a minute: when it fails it holds nothing up. */
export async function inThisRound(step: RoundStep): Promise<void> {
  try {
    await once[step]()
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error
    log.warn('a step of this round failed', { step, reason: failureType(error) })
  }
}

type MailStep =
  | 'mailApplicant'
  | 'mailApprovers'
  | 'mailReleasers'
  | 'mailTerms'
  | 'mailPayouts'
  | 'mailLowBalance'
  | 'mailTierChanges'
  | 'mailPayoutException'
  | 'mailTierGrace'
  | 'mailVerification'
  | 'mailTraining'
  | 'mailCertificate'
  | 'mailScreenings'
  | 'mailDomain'
  | 'mailBreaks'
  | 'mailOffboarding'

/** Mails, none of which can fail its process. */
export const mail: {
  [Step in MailStep]: (input: Parameters<Activities[Step]>[0]) => Promise<void>
} = {
  mailApplicant: (input) => sent(post.mailApplicant(input)),
  mailApprovers: (input) => sent(post.mailApprovers(input)),
  mailReleasers: (input) => sent(post.mailReleasers(input)),
  mailTerms: (input) => sent(post.mailTerms(input)),
  mailPayouts: (input) => sent(post.mailPayouts(input)),
  mailLowBalance: (input) => sent(post.mailLowBalance(input)),
  mailTierChanges: (input) => sent(post.mailTierChanges(input)),
  mailPayoutException: (input) => sent(post.mailPayoutException(input)),
  mailTierGrace: (input) => sent(post.mailTierGrace(input)),
  mailVerification: (input) => sent(post.mailVerification(input)),
  mailTraining: (input) => sent(post.mailTraining(input)),
  mailCertificate: (input) => sent(post.mailCertificate(input)),
  mailScreenings: (input) => sent(post.mailScreenings(input)),
  mailDomain: (input) => sent(post.mailDomain(input)),
  mailBreaks: (input) => sent(post.mailBreaks(input)),
  mailOffboarding: (input) => sent(post.mailOffboarding(input)),
}

/** One that cannot be sent stops none after it. @returns whether more may follow. */
export async function sendWelcomeMail(input: Parameters<Activities['sendWelcomeMail']>[0]) {
  let more = true
  const answered = post.sendWelcomeMail(input).then((answer) => {
    more = answer
  })
  await sent(answered)
  return more
}

/** One that cannot be sent leaves all as it was. @returns how the grace stands. */
export async function warnOfTierFall(input: Parameters<Activities['warnOfTierFall']>[0]) {
  let status: Awaited<ReturnType<Activities['warnOfTierFall']>> = 'open'
  const answered = post.warnOfTierFall(input).then((answer) => {
    status = answer
  })
  await sent(answered)
  return status
}

/** The stable type behind a failed step, or undefined for anything else. */
export function failureType(error: unknown): string | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error
  return cause instanceof ApplicationFailure ? (cause.type ?? undefined) : undefined
}

/** How a vendor failed for good, as a code; null for whatever else a step ended with. */
export function vendorFailure(error: unknown): string | null {
  if (!(error instanceof ActivityFailure)) return null
  if (error.cause instanceof TimeoutFailure) return 'vendor_unknown'
  const type = failureType(error)
  return type?.startsWith('vendor_') ? type : null
}

/** A refusal that the caller of an update gets back by its code. */
export function refusal(code: string): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message: code, nonRetryable: true })
}
