/**
 * What others may know of the processes: their inputs, and the updates, signals and queries they
 * understand. Ids and type names are in `domain/process-names.ts`.
 *
 * Inputs and messages carry ids, counts and codes only. People's names, addresses and words stay
 * in the database, because histories cannot be corrected.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow'
import type { OffboardingDeadlines } from '../domain/lifecycle.ts'
import type { ApplicationStage, OnboardingDeadlines } from '../domain/onboarding.ts'
import { signalNames, type Vendor } from '../domain/process-names.ts'
import type { RunDecisionKind, RunMode, RunStage } from '../domain/settlement.ts'
import type { ReverificationDeadlines } from '../domain/verification.ts'

export interface OnboardingInput {
  applicationId: string
  parentId: string | null
  deadlines: OnboardingDeadlines
  /**
   * Left out from the start. What was approved is not decided anew where its process was lost, and
   * a reinstated partner goes on where its termination found it.
   */
  from?: 'provisioning' | 'training'
}

/** What somebody decides; who it is and why is in the row. */
export interface Decision {
  noteId: string
  decision: 'approve' | 'reject'
}

/** Questions to the applicant, in a row. */
export interface InformationRequest {
  requestId: string
}

/** Who takes an approval back. */
export interface TakingBack {
  memberId: string
}

export interface OnboardingState {
  stage: ApplicationStage
  decided: boolean
}

/** Approve or reject; refused before the approval stage and after a decision. */
export const decideApplication = defineUpdate<{ status: string }, [Decision]>('decideApplication')
/** Asks the applicant, while the time to decide stands still; one request at a time. */
export const requestInformation = defineUpdate<void, [InformationRequest]>('requestInformation')
/** Tells that the answer is in its row. */
export const answerInformation = defineUpdate<void, [InformationRequest]>('answerInformation')
/** Takes an approval back within its time. */
export const undoApproval = defineUpdate<void, [TakingBack]>('undoApproval')
/** The applicant wants no more; possible until an approval is final. */
export const withdrawApplication = defineUpdate<void, []>('withdrawApplication')
/** A finding is the applicant: the application ends as rejected, wherever it waits. */
export const confirmScreening = defineUpdate<void, []>('confirmScreening')
/** Mints a fresh link to the identity page, which the database then holds. */
export const refreshVerificationLink = defineUpdate<void, []>('refreshVerificationLink')
/** Tries a failed provisioning again. */
export const retryProvisioning = defineUpdate<void, []>('retryProvisioning')
/** By the id of its row, which says who signs from now on. */
export interface Resend {
  resendId: string
}
/** Withdraws the agreement and sends it again; refused before and after its stage. */
export const resendAgreement = defineUpdate<{ attempt: number }, [Resend]>('resendAgreement')
/** Makes a fresh page to sign on, which the database then holds. */
export const openSigningPage = defineUpdate<void, []>('openSigningPage')
export const agreementChanged = defineSignal<[]>(signalNames.agreementChanged)
export const verificationChanged = defineSignal<[]>(signalNames.verificationChanged)
export interface ReverificationInput {
  partnerId: string
  deadlines: ReverificationDeadlines
}
/** More time for a partner; the row says until when, why, and whether holds are lifted. */
export const extendReverification = defineUpdate<void, [{ extensionId: string }]>(
  'extendReverification',
)
/** Mints a fresh link for a partner that has to show more, which the database then holds. */
export const refreshReverificationLink = defineUpdate<void, []>('refreshReverificationLink')
/** A member passed, or there is somebody now who can learn. */
export const trainingChanged = defineSignal<[]>(signalNames.trainingChanged)
export const onboardingState = defineQuery<OnboardingState>('onboardingState')

/** How a partner accepts terms that were changed. All times in seconds. */
export interface ReacceptanceInput {
  termsId: string
  partnerId: string
  notice: number
  reminders: number[]
}

export interface ProvisioningInput {
  tenantId: string
  /** Counts from 1; a further try after everything was undone opens new objects at vendors. */
  attempt: number
  /** Seconds for which a step that failed waits for a person; 0 undoes everything at once. */
  patience: number
}

/** Tries the step again that failed; refused while none waits. */
export const retryStep = defineUpdate<void, []>('retryStep')
/** Gives up and undoes everything; refused while no step waits. */
export const abandonProvisioning = defineUpdate<void, []>('abandonProvisioning')

export interface DomainInput {
  domainId: string
  /** Seconds after the claim: when to remind, and when to give up. */
  reminders: number[]
  expiry: number
}
/** Looks at the DNS now. @returns what it came to. */
export const lookAtDomain = defineUpdate<{ state: string }, []>('lookAtDomain')

export interface SubscriptionInput {
  subscriptionId: string
  /** Seconds in which the first invoice has to be paid. */
  firstPaymentExpiry: number
}
export const subscriptionChanged = defineSignal<[]>(signalNames.subscriptionChanged)

export interface InboxInput {
  vendor: Vendor
}
export const inboxWake = defineSignal<[]>(signalNames.inboxWake)

export interface SettlementInput {
  runId: string
  period: string
  mode: RunMode
  /** Seconds between reminders while a run waits for its two persons. */
  releaseReminder: number
  /** Seconds after which a run that still waits is shown as a problem; 3 days if left out. */
  releaseEscalation?: number
}

/** What a person saw and signs. */
export interface TotalsSignature {
  memberId: string
  totalsHash: string
}

export interface SettlementState {
  stage: RunStage
  totalsHash: string | null
}

/** The first person's yes to these totals. */
export const reviewRun = defineUpdate<void, [TotalsSignature]>('reviewRun')
/** The second person's yes; money moves after it. */
export const releaseRun = defineUpdate<void, [TotalsSignature]>('releaseRun')

/** Another decision about a run; its words are in its row. */
export interface RunDecision {
  decisionId: string
  kind: RunDecisionKind
}
/** Hold, release a hold, exclude, make drafts anew, reject, pause, resume or cancel. */
export const decideRun = defineUpdate<void, [RunDecision]>('decideRun')
export const settlementState = defineQuery<SettlementState>('settlementState')

export interface PayoutBatchInput {
  runId: string
  /** None for all payouts of the run. */
  shard?: number
  /** What it paid before its history was begun anew. */
  paid?: number
}
/** The balance of the platform was filled. */
export const balanceAvailable = defineSignal<[]>(signalNames.balanceAvailable)
/** Nobody pauses the run any more. */
export const runResumed = defineSignal<[]>(signalNames.runResumed)

export interface PayoutExceptionInput {
  exceptionId: string
  /** When it began, in milliseconds. */
  since: number
  /** Seconds after that at which to remind, and at which the money may fall to the state. */
  reminders: number[]
  escheat: number
}

/** What somebody decided; who it is and why is in the row. */
export interface PayoutDecided {
  decisionId: string
}
/** Tries again what was refused, or what the bank gave back. */
export const retryPayout = defineUpdate<void, [PayoutDecided]>('retryPayout')
/** Pays to the account that the partner has now. */
export const changePayoutMethod = defineUpdate<void, [PayoutDecided]>('changePayoutMethod')
/** Gives the money back to the partner's balance with us. */
export const releasePayout = defineUpdate<void, [PayoutDecided]>('releasePayout')
/** Something about the payout, its transfer or its account has changed. */
export const payoutChanged = defineSignal<[]>(signalNames.payoutChanged)

/** Where a round goes on, and what it came to so far; nothing for its beginning. */
export interface RescreeningInput {
  after: string
  screened: number
  findings: number
}

export interface TierReviewInput {
  period: string
}

export interface TierGraceInput {
  graceId: string
  /** The instant from which the tier is lower. */
  fallsAt: string
  /** Seconds before it at which to warn. */
  warnings: number[]
}
/** A review has looked at the partner again. */
export const metricsUpdated = defineSignal<[]>(signalNames.metricsUpdated)
/** A person's decision by the id of its row: nothing falls, or at once; refused when it is over. */
export const decideTierGrace = defineUpdate<{ status: string }, [{ decisionId: string }]>(
  'decideTierGrace',
)

export interface WelcomeInput {
  partnerId: string
  /** Seconds after the beginning at which its mails go out. */
  mails: number[]
}

export interface CertificationInput {
  certificateId: string
  /** Seconds before the end at which to remind. */
  reminders: number[]
}
/** The certificate was revoked, or another one takes its place. */
export const certificateChanged = defineSignal<[]>(signalNames.certificateChanged)

export interface OffboardingInput {
  offboardingId: string
  tenantId: string
  requestedBy: string
  exportWanted: boolean
  legalHold: boolean
  deadlines: OffboardingDeadlines
}

/** The second person's yes to the erasure; refused before the retrieval time is over. */
export const confirmDeletion = defineUpdate<void, [{ memberId: string }]>('confirmDeletion')
/** Ends it and lets the tenant go on, until the erasure has begun. */
export const cancelOffboarding = defineUpdate<void, [{ memberId: string }]>('cancelOffboarding')
/** While it is on, nothing is erased. */
export const setLegalHold = defineUpdate<void, [{ memberId: string; on: boolean; entry: string }]>(
  'setLegalHold',
)
