/** What the audit trail tells of, and how it is named outside. */
import { type IdKind, kindOf, outwardId, uuidOf } from './ids.ts'

/** Of each kind of thing that is audited, the kind of its outward id; null where it has none. */
export const auditKinds = {
  accounting_period: null,
  adjustment: 'adjustment',
  agreement: 'agreement',
  agreement_resend: null,
  agreement_terms: 'agreementTerms',
  api_key: 'apiKey',
  application: 'application',
  application_answer: null,
  application_contact: null,
  application_invitation: 'applicationInvitation',
  approval: 'approval',
  certificate: 'certificate',
  commission_band: null,
  commission_rule: null,
  context_key: null,
  course: 'course',
  course_answer: null,
  course_module: null,
  customer: 'customer',
  data_key: null,
  decision_note: null,
  enrolment: 'enrolment',
  erasure: null,
  feature_package: 'featurePackage',
  identity_check: null,
  information_answer: null,
  information_request: null,
  invitation: 'invitation',
  line_dispute: 'lineDispute',
  link: 'link',
  mail_template: null,
  manual_task: 'manualTask',
  member: 'member',
  member_invitation: 'memberInvitation',
  offboarding: null,
  partner: 'partner',
  partner_hold: null,
  partner_move: null,
  passkey: 'passkey',
  password_reset: null,
  payout_account: null,
  payout_decision: null,
  payout_exception: 'payoutException',
  payout_floor: null,
  person: null,
  programme: null,
  recon_break: 'reconBreak',
  recovery_code: null,
  /** A request that was refused; its subject is the route. */
  request: null,
  reserve_release: 'partnerReserve',
  screening: 'screening',
  screening_decision: null,
  self_billing_agreement: 'selfBillingAgreement',
  self_billing_profile: null,
  session: 'session',
  settlement_decision: null,
  settlement_exclusion: null,
  settlement_hold: 'settlementHold',
  settlement_run: 'settlementRun',
  status_change: null,
  subscription: 'subscription',
  tax_form: 'taxForm',
  tax_year: null,
  tenant: 'tenant',
  territory: 'territory',
  terms_acceptance: null,
  termination: null,
  tenant_branding: 'tenant',
  tenant_domain: 'tenantDomain',
  tenant_image: null,
  tenant_package: null,
  tenant_quota: 'tenant',
  tier: null,
  tier_change: 'tierChange',
  tier_grace: null,
  tier_grace_decision: null,
  tier_lock: null,
  vat_rate: null,
  verification_extension: null,
} as const satisfies Record<string, IdKind | null>

export type AuditKind = keyof typeof auditKinds

/** The subject of an event as it is named outside; keys that are no outward id stay as they are. */
export function outwardSubject(kind: string, subject: string): string {
  const idKind: IdKind | null = auditKinds[kind as AuditKind] ?? null
  return idKind === null ? subject : outwardId(idKind, subject)
}

/** The subject by which events are kept, of an outward id of any kind or of a key as it is. */
export function subjectOf(text: string): string {
  const kind = kindOf(text)
  return (kind && uuidOf(kind, text)) ?? text
}

const actorKinds: Record<string, IdKind> = { member: 'member', key: 'apiKey' }

/** `mem_…` and `key_…` of people and their keys; `system:worker` and the like as they are. */
export function outwardActor(actor: string): string {
  const [word = '', id = ''] = actor.split(':')
  const kind = actorKinds[word]
  return kind ? outwardId(kind, id) : actor
}

/** The other way round. */
export function actorOf(text: string): string {
  const found = Object.entries(actorKinds).find(([, kind]) => uuidOf(kind, text) !== undefined)
  return found ? `${found[0]}:${uuidOf(found[1], text)}` : text
}

/** No UUIDv7 of this instant or a later one is smaller. */
export function smallestIdAt(instant: Date): string {
  const hex = Math.max(instant.getTime(), 0).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}

/** What is signed of a day: everything that a later change would have to keep. */
export interface DailyHead {
  /** `2026-11-21`, in UTC. */
  day: string
  /** How many chains grew since the day before. */
  chains: number
  /** In hexadecimal digits; empty on the first day. */
  previousRoot: string
  root: string
  signedAt: Date
}

export interface SignedHead extends DailyHead {
  keyId: string
  /** In base64. */
  signature: string
}

export interface AuditSigner {
  /** Names the key without giving it away. */
  keyId: string
  sign(text: string): Buffer
}

/** What a signature covers; the first line keeps it from being taken for another text. */
export function signedText(head: DailyHead): string {
  const { day, chains, previousRoot, root, signedAt } = head
  return ['tributary audit head', day, chains, previousRoot, root, signedAt.toISOString()].join(
    '\n',
  )
}

/** One line of the published list. */
export function publishedLine(head: SignedHead): string {
  return JSON.stringify({
    day: head.day,
    chains: head.chains,
    previous_root: head.previousRoot,
    root: head.root,
    signed_at: head.signedAt.toISOString(),
    key: head.keyId,
    signature: head.signature,
  })
}
