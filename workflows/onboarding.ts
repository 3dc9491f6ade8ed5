/** The way of a partner, from its application to its first day. */
import {
  allHandlersFinished,
  ChildWorkflowFailure,
  condition,
  executeChild,
  setCurrentDetails,
  setHandler,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow'
import type { RecordedDecision } from '../activities/onboarding/approval.ts'
import type { ApplicationStage, ApplicationStatus } from '../domain/onboarding.ts'
import { workflowIds } from '../domain/process-names.ts'
import {
  agreementChanged,
  type Decision,
  decideApplication,
  type OnboardingInput,
  onboardingState,
  refreshVerificationLink,
  retryProvisioning,
  verificationChanged,
} from './contract.ts'
import { tenantProvisioning } from './provisioning.ts'
import { mail, quick, refusal, vendor } from './steps.ts'
import { happensInTime, instantIn } from './waiting.ts'

/** What the process remembers between its steps. */
interface Desk {
  stage: ApplicationStage
  agreementNews: boolean
  verificationNews: boolean
  decision: Decision | null
  recorded: RecordedDecision | null
  retryWanted: boolean
}

/**
 * Screening, agreement, identity, decision, environment, start. Every wait for a person has
 * reminders and an end; whatever ends early says so on the application.
 */
export async function partnerOnboarding(input: OnboardingInput): Promise<ApplicationStatus> {
  const desk = openDesk(input)
  await screen(input)
  const status =
    (await agree(input, desk)) ??
    (await proveIdentity(input, desk)) ??
    (await decide(input, desk)) ??
    (await prepareEnvironment(input, desk)) ??
    (await activate(input, desk))
  await condition(allHandlersFinished)
  return status
}

function openDesk(input: OnboardingInput): Desk {
  const desk: Desk = {
    stage: 'screening',
    agreementNews: false,
    verificationNews: false,
    decision: null,
    recorded: null,
    retryWanted: false,
  }
  setHandler(agreementChanged, () => {
    desk.agreementNews = true
  })
  setHandler(verificationChanged, () => {
    desk.verificationNews = true
  })
  setHandler(decideApplication, (decision) => takeDecision(desk, decision), {
    validator: (decision) => mayDecide(input, desk, decision),
  })
  setHandler(refreshVerificationLink, () => newVerificationLink(input), {
    validator: () => {
      if (desk.stage !== 'verification') throw refusal('not_ready')
    },
  })
  setHandler(
    retryProvisioning,
    () => {
      desk.retryWanted = true
    },
    {
      validator: () => {
        if (desk.stage !== 'provisioning') throw refusal('not_ready')
      },
    },
  )
  setHandler(onboardingState, () => ({ stage: desk.stage, decided: desk.decision !== null }))
  return desk
}

function mayDecide(input: OnboardingInput, desk: Desk, decision: Decision): void {
  if (desk.decision || desk.stage === 'done') throw refusal('already_decided')
  if (desk.stage !== 'approval') throw refusal('not_ready')
  const { memberPartnerId } = decision
  if (memberPartnerId !== null && memberPartnerId !== input.parentId) throw refusal('forbidden')
}

/** Answers once the decision is written, which is one quick step; no second one can be waiting. */
async function takeDecision(desk: Desk, decision: Decision): Promise<{ status: string }> {
  desk.decision = decision
  await condition(() => desk.recorded !== null)
  return { status: decision.decision === 'approve' ? 'approved' : 'rejected' }
}

function enter(desk: Desk, stage: ApplicationStage, details: string): void {
  desk.stage = stage
  setCurrentDetails(details)
}

async function screen({ applicationId }: OnboardingInput): Promise<void> {
  await mail.mailApplicant({ applicationId, kind: 'application_received' })
  await quick.screenApplication({ applicationId })
}

/** @returns how the application ended, or null when the agreement is signed. */
async function agree(input: OnboardingInput, desk: Desk): Promise<ApplicationStatus | null> {
  const { applicationId, deadlines } = input
  enter(desk, 'agreement', 'Waiting for the applicant to sign the agreement')
  const since = Date.now()
  await vendor.sendAgreement({ applicationId, dueAt: instantIn(deadlines.agreementExpiry) })
  for (;;) {
    const heard = await happensInTime({
      since,
      until: () => desk.agreementNews,
      reminders: deadlines.agreementReminders,
      expiry: deadlines.agreementExpiry,
      remind: (number) => remindOfAgreement(input, desk, number),
    })
    desk.agreementNews = false
    const state = await vendor.readAgreement({ applicationId })
    if (state === 'completed') {
      await vendor.storeSignedAgreement({ applicationId })
      return null
    }
    if (state === 'declined') return end(input, desk, 'declined')
    if (state === 'voided') return end(input, desk, 'voided')
    if (!heard) return end(input, desk, 'expired')
  }
}

/** A reminder also asks the vendor, in case its message was lost. */
async function remindOfAgreement(input: OnboardingInput, desk: Desk, number: number) {
  const { applicationId } = input
  if ((await vendor.readAgreement({ applicationId })) !== 'sent') {
    desk.agreementNews = true
    return
  }
  await mail.mailApplicant({
    applicationId,
    kind: 'agreement_reminder',
    occurrence: String(number),
  })
}

const endings = {
  declined: { status: 'withdrawn', what: 'the applicant declined the agreement' },
  voided: { status: 'lapsed', what: 'the agreement was withdrawn' },
  expired: { status: 'lapsed', what: 'the agreement was not signed in time' },
} as const

async function end(
  { applicationId }: OnboardingInput,
  desk: Desk,
  how: keyof typeof endings,
): Promise<ApplicationStatus> {
  await vendor.endAgreement({ applicationId, how })
  const { status, what } = endings[how]
  await quick.closeApplication({ applicationId, status, what })
  if (status === 'lapsed') await mail.mailApplicant({ applicationId, kind: 'application_lapsed' })
  enter(desk, 'done', `Ended: ${what}`)
  return status
}

/** @returns how the application ended, or null when Stripe knows the partner. */
async function proveIdentity(
  input: OnboardingInput,
  desk: Desk,
): Promise<ApplicationStatus | null> {
  const { applicationId, deadlines } = input
  enter(desk, 'verification', 'Waiting for the applicant to prove its identity')
  const since = Date.now()
  await vendor.openPayoutAccount({ applicationId, dueAt: instantIn(deadlines.verificationExpiry) })
  await newVerificationLink(input)
  await mail.mailApplicant({ applicationId, kind: 'verification_requested' })
  for (;;) {
    const status = await vendor.readVerification({ applicationId })
    if (status === 'verified') return null
    if (status === 'rejected') return refuseIdentity(input, desk)
    const heard = await happensInTime({
      since,
      until: () => desk.verificationNews,
      reminders: deadlines.verificationReminders,
      expiry: deadlines.verificationExpiry,
      remind: (number) => remindOfVerification(input, desk, number),
    })
    desk.verificationNews = false
    if (!heard) return lapse(input, desk, 'the identity was not proven in time')
  }
}

async function newVerificationLink({ applicationId }: OnboardingInput): Promise<void> {
  await vendor.issueVerificationLink({ applicationId })
}

async function remindOfVerification(input: OnboardingInput, desk: Desk, number: number) {
  const { applicationId } = input
  const status = await vendor.readVerification({ applicationId })
  if (status === 'verified' || status === 'rejected') {
    desk.verificationNews = true
    return
  }
  await mail.mailApplicant({
    applicationId,
    kind: 'verification_reminder',
    occurrence: String(number),
  })
}

async function refuseIdentity({ applicationId }: OnboardingInput, desk: Desk) {
  const what = 'the identity check was refused'
  await quick.closeApplication({ applicationId, status: 'rejected', what })
  await mail.mailApplicant({ applicationId, kind: 'application_rejected' })
  enter(desk, 'done', `Ended: ${what}`)
  return 'rejected' as const
}

async function lapse({ applicationId }: OnboardingInput, desk: Desk, what: string) {
  // The desk first: a decision that comes now would be taken and never recorded.
  enter(desk, 'done', `Ended: ${what}`)
  await quick.closeApplication({ applicationId, status: 'lapsed', what })
  await mail.mailApplicant({ applicationId, kind: 'application_lapsed' })
  return 'lapsed' as const
}

/** @returns how the application ended, or null when it is approved. */
async function decide(input: OnboardingInput, desk: Desk): Promise<ApplicationStatus | null> {
  const { applicationId, deadlines } = input
  // The desk first: whoever reads the new stage in the books may decide at once.
  enter(desk, 'approval', 'Waiting for a decision')
  const since = Date.now()
  await quick.requestDecision({ applicationId, dueAt: instantIn(deadlines.approvalLapse) })
  await mail.mailApprovers({ applicationId, occurrence: 'first' })
  await happensInTime({
    since,
    until: () => desk.decision !== null,
    reminders: [deadlines.approvalReminder, deadlines.approvalEscalation],
    expiry: deadlines.approvalLapse,
    remind: (number) => (number === 1 ? remindApprovers(input) : escalate(input)),
  })
  if (!desk.decision) return lapse(input, desk, 'no decision was taken in time')
  desk.recorded = await quick.recordDecision({ applicationId, noteId: desk.decision.noteId })
  if (desk.recorded.decision === 'approve') return null
  await mail.mailApplicant({ applicationId, kind: 'application_rejected' })
  enter(desk, 'done', 'Ended: rejected')
  return 'rejected'
}

async function remindApprovers({ applicationId }: OnboardingInput): Promise<void> {
  await mail.mailApprovers({ applicationId, occurrence: 'reminder' })
}

async function escalate({ applicationId, deadlines }: OnboardingInput): Promise<void> {
  const left = deadlines.approvalLapse - deadlines.approvalEscalation
  await quick.escalateDecision({ applicationId, dueAt: instantIn(left) })
  await mail.mailApprovers({ applicationId, occurrence: 'escalation' })
}

/** Provisions the tenant; when that fails and all is undone, a person may ask for another try. */
async function prepareEnvironment({ applicationId }: OnboardingInput, desk: Desk): Promise<null> {
  const tenantId = desk.recorded?.tenantId
  if (!tenantId) throw refusal('not_ready')
  for (let attempt = 1; ; attempt++) {
    enter(desk, 'provisioning', 'Preparing the environment of the partner')
    desk.retryWanted = false
    await quick.markProvisioningStarted({ applicationId })
    try {
      await executeChild(tenantProvisioning, {
        workflowId: workflowIds.provisioning(tenantId),
        args: [{ tenantId, attempt }],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      })
      return null
    } catch (error) {
      if (!(error instanceof ChildWorkflowFailure)) throw error
      await quick.markProvisioningFailed({ applicationId, attempt })
      setCurrentDetails('Provisioning failed and was undone; waiting for another try')
      await condition(() => desk.retryWanted)
    }
  }
}

async function activate({ applicationId }: OnboardingInput, desk: Desk) {
  enter(desk, 'training', 'Starting the partner')
  await quick.activatePartner({ applicationId })
  await mail.mailApplicant({ applicationId, kind: 'welcome' })
  enter(desk, 'done', 'The partner is active')
  return 'active' as const
}
