/** The way of an application, from the form to an active partner. */
export const applicationStatuses = [
  'submitted',
  'in_review',
  'approved',
  'provisioning',
  'active',
  'rejected',
  'withdrawn',
  'lapsed',
] as const
export type ApplicationStatus = (typeof applicationStatuses)[number]

export const applicationStages = [
  'screening',
  'agreement',
  'verification',
  'approval',
  'provisioning',
  'training',
  'done',
] as const
export type ApplicationStage = (typeof applicationStages)[number]

export const agreementStatuses = [
  'draft',
  'sent',
  'completed',
  'declined',
  'voided',
  'expired',
] as const
export type AgreementStatus = (typeof agreementStatuses)[number]

/** So often an agreement is sent for signature at most, whoever asks for it. */
export const mostAgreementAttempts = 5

export const verificationStatuses = [
  'not_started',
  'link_issued',
  'in_progress',
  'pending_review',
  'needs_input',
  'verified',
  'restricted',
  'rejected',
  'expired',
  'redacted',
] as const
export type VerificationStatus = (typeof verificationStatuses)[number]

/** Who can act next; `system` stands for the product itself. */
export const nextActors = [
  'super_admin',
  'master_reseller',
  'reseller',
  'applicant',
  'partner',
  'system',
  'vendor',
] as const
/** Null for nobody. */
export type NextActor = (typeof nextActors)[number] | null

const decided: ReadonlySet<ApplicationStatus> = new Set([
  'approved',
  'provisioning',
  'active',
  'rejected',
  'withdrawn',
  'lapsed',
])

/** A decision, a withdrawal or a lapse is final: no second decision is taken. */
export function isDecided(status: ApplicationStatus): boolean {
  return decided.has(status)
}

const closed: ReadonlySet<ApplicationStatus> = new Set([
  'active',
  'rejected',
  'withdrawn',
  'lapsed',
])

/** Nothing more happens to a closed application. */
export function isClosed(status: ApplicationStatus): boolean {
  return closed.has(status)
}

/** Deadlines of a programme, pinned into each process at its start. All in seconds. */
export interface OnboardingDeadlines {
  agreementReminders: number[]
  agreementExpiry: number
  verificationReminders: number[]
  verificationExpiry: number
  approvalReminder: number
  approvalEscalation: number
  approvalLapse: number
  informationReminders: number[]
  informationExpiry: number
  undo: number
  provisioningPatience: number
  trainingReminders: number[]
}

/** Those of a programme's deadlines that the process of an application waits by. */
export function onboardingDeadlines(all: OnboardingDeadlines): OnboardingDeadlines {
  return {
    agreementReminders: all.agreementReminders,
    agreementExpiry: all.agreementExpiry,
    verificationReminders: all.verificationReminders,
    verificationExpiry: all.verificationExpiry,
    approvalReminder: all.approvalReminder,
    approvalEscalation: all.approvalEscalation,
    approvalLapse: all.approvalLapse,
    informationReminders: all.informationReminders,
    informationExpiry: all.informationExpiry,
    undo: all.undo,
    provisioningPatience: all.provisioningPatience,
    trainingReminders: all.trainingReminders,
  }
}

/** Whom an application resembles, and by what. */
export const twinReasons = ['registration_number', 'name_and_domain', 'rejected_recently'] as const
export type TwinReason = (typeof twinReasons)[number]

/** What more people of an applicant are there for. */
export const contactRoles = ['owner', 'signatory', 'billing', 'technical', 'other'] as const
export type ContactRole = (typeof contactRoles)[number]

/** Who reads of an application: the applicant by its link, or those who decide on it. */
export type Audience = 'applicant' | 'decider'

/** From when on the one who was rejected may apply again; null where it was not rejected. */
export function reapplyFrom(
  application: { status: ApplicationStatus; closedAt: Date | null },
  waitSeconds: number,
): Date | null {
  const { status, closedAt } = application
  if (status !== 'rejected' || !closedAt) return null
  return new Date(closedAt.getTime() + waitSeconds * 1_000)
}
