/**
 * Table types, generated from the migrations by `npm run generate`; not edited by hand.
 */
import type { ColumnType, GeneratedAlways } from 'kysely'

type Timestamp = ColumnType<Date, Date | string, Date | string>

/** Read as unknown, so that it is parsed before use; written as text. */
type Json = ColumnType<unknown, string, string>

/** A column that may be left out of an insert. */
type Defaulted<T> =
  T extends ColumnType<infer S, infer I, infer U>
    ? ColumnType<S, I | undefined, U>
    : ColumnType<T, T | undefined, T>

export interface AccessMailsTable {
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  kind: 'member_invitation' | 'password_reset' | 'access_changed' | 'template_preview' | 'application_invitation' | 'invitation'
  nameSealed: Buffer
  partnerId: string | null
  recipientSealed: Buffer
  sentAt: Timestamp | null
  subjectId: string
  what: Defaulted<string>
}

export interface AccountingPeriodsTable {
  closedAt: Timestamp | null
  endsAt: Timestamp
  period: string
  startsAt: Timestamp
  status: Defaulted<'open' | 'closing' | 'closed'>
}

export interface AccrualCancellationsTable {
  accrualId: string | null
  amountMinor: bigint
  cause: 'termination' | 'reinstatement' | 'reversal'
  closingAccrualId: string | null
  currency: string
  id: Defaulted<string>
  masterId: Defaulted<string>
  partnerId: string
  period: string
  recordedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
  terminationId: string
}

export interface AccrualsTable {
  amountMinor: bigint
  baseMinor: bigint
  currency: string
  depth: number
  id: Defaulted<string>
  limitedBy: 'window' | 'setup_fee' | 'floor' | 'cap' | 'pool' | 'line' | null
  linePaymentId: string
  masterId: Defaulted<string>
  maturesAt: Timestamp
  partnerId: string
  period: string
  rateDen: bigint | null
  rateNum: bigint | null
  recordedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
  rounding: 'largest_remainder' | 'cumulative_floor'
  ruleId: string
  targetMinor: bigint | null
  tier: 'bronze' | 'silver' | 'gold' | 'platinum' | null
  volumeMinor: bigint | null
}

export interface AdjustmentsTable {
  amountMinor: bigint
  currency: string
  happenedAt: Timestamp
  id: Defaulted<string>
  masterId: Defaulted<string>
  partnerId: string
  period: string
  reason: string
  recordedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
}

export interface AgreementLooksTable {
  id: Defaulted<boolean>
  lookedAt: Timestamp
}

export interface AgreementResendsTable {
  applicationId: string
  createdAt: Defaulted<Timestamp>
  id: string
  masterId: Defaulted<string | null>
  memberId: string
  signerEmailSealed: Buffer | null
  signerNameSealed: Buffer | null
}

export interface AgreementTermsTable {
  body: string
  createdAt: Defaulted<Timestamp>
  createdBy: string | null
  docusignTemplateId: string | null
  effectiveFrom: Timestamp | null
  id: Defaulted<string>
  noticeSeconds: number | null
  programmeId: string
  publishedAt: Timestamp | null
  sha256: Buffer
  status: Defaulted<'draft' | 'published' | 'retired'>
  title: string
  version: string
}

export interface AgreementsTable {
  applicationId: string | null
  attempt: number
  auditId: string | null
  certificateId: string | null
  completedAt: Timestamp | null
  declinedReasonSealed: Buffer | null
  documentId: string | null
  embedded: Defaulted<boolean>
  endedAt: Timestamp | null
  envelopeId: string | null
  holderId: Defaulted<string>
  id: Defaulted<string>
  masterId: string | null
  partnerId: string | null
  requestedAt: Timestamp | null
  sentAt: Timestamp | null
  signerEmailSealed: Buffer | null
  signerNameSealed: Buffer | null
  signingUrl: string | null
  status: Defaulted<'draft' | 'sent' | 'completed' | 'declined' | 'voided' | 'expired'>
  termsId: string
  termsVersion: string
  transactionId: Defaulted<string>
  uncertainAt: Timestamp | null
}

export interface ApiKeysTable {
  allowedIps: string[] | null
  createdAt: Defaulted<Timestamp>
  customerId: string | null
  endToldDays: number | null
  expiresAt: Timestamp
  id: Defaulted<string>
  label: string
  lastFour: string
  lastUsedAt: Timestamp | null
  lastUsedIp: string | null
  leakToldAt: Timestamp | null
  leakedAt: Timestamp | null
  memberId: string
  partnerId: string | null
  prefix: string
  replacedBy: string | null
  revokedAt: Timestamp | null
  scopes: string[]
  secretHash: Buffer
  version: Defaulted<bigint>
}

export interface ApplicationAnswersTable {
  applicationId: string
  customSealed: Buffer
  id: Defaulted<string>
  masterId: string | null
  messageSealed: Buffer
}

export interface ApplicationContactsTable {
  applicationId: string
  emailSealed: Buffer
  id: Defaulted<string>
  masterId: string | null
  nameSealed: Buffer
  role: 'owner' | 'signatory' | 'billing' | 'technical' | 'other'
}

export interface ApplicationEventsTable {
  actor: string
  applicationId: string
  at: Defaulted<Timestamp>
  dueAt: Timestamp | null
  entryKey: string
  id: GeneratedAlways<bigint>
  internal: Defaulted<boolean>
  masterId: string | null
  stage: string
  what: string
}

export interface ApplicationInvitationsTable {
  createdAt: Defaulted<Timestamp>
  emailIndex: Buffer
  emailSealed: Buffer
  expiresAt: Timestamp
  id: Defaulted<string>
  invitedBy: string
  lastSentAt: Defaulted<Timestamp>
  level: 'master_reseller' | 'reseller'
  messageSealed: Buffer
  nameSealed: Buffer
  partnerId: string | null
  revokedAt: Timestamp | null
  timesSent: Defaulted<number>
  tokenHash: Buffer
  type: 'authorized_dealer' | 'value_added_reseller' | 'system_integrator' | 'distributor' | 'technology_partner' | 'referral_partner' | 'white_label' | 'franchise' | null
  usedAt: Timestamp | null
}

export interface ApplicationTwinsTable {
  applicationId: string
  foundAt: Defaulted<Timestamp>
  masterId: string | null
  otherId: string
  reason: 'registration_number' | 'name_and_domain' | 'rejected_recently'
}

export interface ApplicationsTable {
  closedAt: Timestamp | null
  companyName: string
  companyNormalized: string
  contactEmailIndex: Buffer | null
  contactEmailSealed: Buffer
  contactNameSealed: Buffer
  country: string
  domainIndex: Buffer | null
  dueAt: Timestamp | null
  expectedVolumeCurrency: string | null
  expectedVolumeMinor: bigint | null
  id: Defaulted<string>
  invitationId: string | null
  legalName: string | null
  level: 'master_reseller' | 'reseller'
  masterId: string | null
  nextActor: 'super_admin' | 'master_reseller' | 'reseller' | 'applicant' | 'partner' | 'system' | 'vendor' | null
  parentId: string | null
  partnerId: string | null
  preScreen: 'reject' | 'review' | null
  preScreenReason: string | null
  programmeId: string
  reappliesId: string | null
  registrationNormalized: string | null
  registrationNumber: string | null
  screening: 'clear' | 'review' | null
  stage: Defaulted<'screening' | 'agreement' | 'verification' | 'approval' | 'provisioning' | 'training' | 'done'>
  status: Defaulted<'submitted' | 'in_review' | 'approved' | 'provisioning' | 'active' | 'rejected' | 'withdrawn' | 'lapsed'>
  submittedAt: Defaulted<Timestamp>
  territoryCodes: Defaulted<string[]>
  territoryMode: Defaulted<'exclusive' | 'shared'>
  type: 'authorized_dealer' | 'value_added_reseller' | 'system_integrator' | 'distributor' | 'technology_partner' | 'referral_partner' | 'white_label' | 'franchise'
  undoUntil: Timestamp | null
  website: string
}

export interface ApprovalsTable {
  amountMinor: bigint | null
  concernedId: string | null
  currency: string | null
  decidedAt: Timestamp | null
  decidedBy: string | null
  decisionReason: string | null
  effectiveAt: Timestamp | null
  happenedAt: Timestamp | null
  id: Defaulted<string>
  kind: 'write_off' | 'manual_entry' | 'tier_override' | 'termination' | 'reinstatement' | 'screening_override' | 'payout_write_off'
  lapsesAt: Defaulted<Timestamp>
  payloadHash: string
  payoutId: string | null
  proposedAt: Defaulted<Timestamp>
  proposedBy: string
  reason: string
  reasonCode: 'mutual' | 'breach' | 'fraud' | 'inactive' | null
  screeningId: string | null
  status: Defaulted<'proposed' | 'approved' | 'rejected' | 'withdrawn'>
  successorId: string | null
  tier: 'bronze' | 'silver' | 'gold' | 'platinum' | null
  until: Timestamp | null
}

export interface AuditDailyChainsTable {
  day: string
  hash: Buffer
  seq: bigint
  tenant: string
}

export interface AuditDailyHeadsTable {
  chains: bigint
  day: string
  keyId: string
  previousRoot: Buffer
  root: Buffer
  signature: Buffer
  signedAt: Timestamp
}

export interface AuditEventsTable {
  action: string | null
  actor: string
  afterHash: Buffer | null
  at: Timestamp
  beforeHash: Buffer | null
  changed: string[] | null
  code: string | null
  hash: Buffer
  id: string
  kind: string
  masterId: string | null
  onBehalfOf: string | null
  partnerId: string | null
  requestId: string | null
  resellerId: string | null
  seq: bigint
  subject: string
  tenant: Defaulted<string>
  verb: 'created' | 'changed' | 'removed' | 'refused'
}

export interface AuditHeadsTable {
  hash: Buffer
  seq: bigint
  tenant: string
}

export interface AuditPendingTable {
  action: string | null
  actor: string
  afterHash: Buffer | null
  at: Defaulted<Timestamp>
  beforeHash: Buffer | null
  changed: string[] | null
  code: string | null
  id: Defaulted<string>
  kind: string
  leads: boolean
  masterId: string | null
  onBehalfOf: string | null
  partnerId: string | null
  requestId: string | null
  resellerId: string | null
  subject: string
  verb: string
  xid: Defaulted<string>
}

export interface BankPayoutPartsTable {
  bankPayoutId: string
  masterId: Defaulted<string>
  partnerId: string
  payoutId: string
  resellerId: Defaulted<string>
}

export interface BankPayoutsTable {
  amountMinor: bigint
  askedAt: Defaulted<Timestamp>
  changedAt: Defaulted<Timestamp>
  createdAt: Defaulted<Timestamp>
  currency: string
  failureCode: string | null
  firstMissedAt: Timestamp | null
  firstSentAt: Timestamp | null
  id: Defaulted<string>
  idempotencyKey: string | null
  masterId: Defaulted<string>
  partnerId: string
  resellerId: Defaulted<string>
  retryOf: string | null
  status: 'requested' | 'pending' | 'in_transit' | 'paid' | 'failed' | 'canceled' | 'refused'
  vendorAccountId: string
  vendorPayoutId: string | null
}

export interface CertificatesTable {
  courseId: string
  enrolmentId: string
  expiredAt: Timestamp | null
  expiresAt: Timestamp | null
  id: Defaulted<string>
  issuedAt: Defaulted<Timestamp>
  masterId: Defaulted<string>
  memberId: string
  number: string
  partnerId: string
  renewedBy: string | null
  resellerId: Defaulted<string>
  revokeReason: string | null
  revokedAt: Timestamp | null
  watchedAt: Timestamp | null
}

export interface ClawbacksTable {
  accrualId: string
  amountMinor: bigint
  currency: string
  id: Defaulted<string>
  lineReversalId: string
  masterId: Defaulted<string>
  partnerId: string
  period: string
  recordedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
}

export interface ClosingAccrualsTable {
  amountMinor: bigint
  currency: string
  id: Defaulted<string>
  kind: 'true_up' | 'bonus'
  masterId: Defaulted<string>
  metric: bigint
  partnerId: string
  period: string
  recordedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
  ruleId: string
}

export interface ClosingClawbacksTable {
  amountMinor: bigint
  closingAccrualId: string
  currency: string
  id: Defaulted<string>
  lineReversalId: string
  masterId: Defaulted<string>
  partnerId: string
  period: string
  recordedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
}

export interface CommissionBandsTable {
  fromMinor: bigint
  rateDen: bigint
  rateNum: bigint
  ruleId: string
  toMinor: bigint | null
}

export interface CommissionRulesTable {
  amountPerUnitMinor: bigint | null
  bonusMinor: bigint | null
  capMinor: bigint | null
  capPer: 'day' | 'week' | 'month' | 'all' | null
  code: string
  depth: number
  featurePackageId: string | null
  floorMinor: bigint | null
  id: Defaulted<string>
  kind: Defaulted<'flat' | 'percentage' | 'hybrid' | 'tiered_marginal' | 'tiered_cliff' | 'performance'>
  linkId: string | null
  metric: 'collected' | 'new_customers' | null
  migratesAt: Timestamp | null
  ownerId: string | null
  partnerId: string | null
  programmeId: string
  rateDen: bigint | null
  rateNum: bigint | null
  setupFee: Defaulted<boolean>
  target: bigint | null
  tier: 'bronze' | 'silver' | 'gold' | 'platinum' | null
  valid: string
  version: number
  windowMonths: number | null
}

export interface ContextKeysTable {
  createdAt: Defaulted<Timestamp>
  fingerprint: Buffer
  innerPad: Buffer
  outerPad: Buffer
}

export interface CourseAnswersTable {
  answers: Json
  moduleId: string
}

export interface CourseModulesTable {
  body: string
  courseId: string
  id: Defaulted<string>
  minutes: number
  ordinal: number
  quiz: Defaulted<Json>
  title: string
  url: string | null
}

export interface CoursesTable {
  certifies: Defaulted<string[]>
  code: string
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  passScore: number
  programmeId: string
  publishedAt: Timestamp | null
  status: Defaulted<'draft' | 'published' | 'retired'>
  title: string
  validityDays: number | null
  version: number
}

export interface CurrenciesTable {
  chargeStep: bigint
  code: string
  exponent: number
  payoutStep: bigint
  stripeExponent: number
}

export interface CustomersTable {
  createdAt: Defaulted<Timestamp>
  emailSealed: Buffer
  id: Defaulted<string>
  linkId: string | null
  masterId: Defaulted<string>
  nameSealed: Buffer
  partnerId: string
  resellerId: Defaulted<string>
  vendorCustomerId: string | null
  version: Defaulted<bigint>
}

export interface DataKeysTable {
  createdAt: Defaulted<Timestamp>
  destroyedAt: Timestamp | null
  id: Defaulted<string>
  kekId: string
  ownerId: Defaulted<string>
  partnerId: string | null
  purpose: 'fields' | 'histories' | 'index'
  retiredAt: Timestamp | null
  uses: Defaulted<bigint>
  wrapped: Buffer | null
}

export interface DecisionNotesTable {
  applicationId: string
  code: 'not_a_fit' | 'incomplete' | 'sanctions' | 'territory' | 'duplicate' | 'risk' | 'other' | null
  createdAt: Defaulted<Timestamp>
  decision: 'approve' | 'reject'
  effectiveFrom: Timestamp
  givenAt: Timestamp | null
  id: Defaulted<string>
  masterId: string | null
  memberId: string | null
  reason: string
  rule: string | null
  takenAt: Timestamp | null
  undoneAt: Timestamp | null
  undoneBy: string | null
}

export interface DisputesTable {
  amountMinor: bigint
  closedAt: Timestamp | null
  id: Defaulted<string>
  masterId: Defaulted<string>
  openedAt: Timestamp
  partnerId: Defaulted<string>
  paymentId: string
  receivedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
  status: 'open' | 'won' | 'lost'
  vendorDisputeId: string
}

export interface DocumentsTable {
  contentSealed: Buffer
  createdAt: Defaulted<Timestamp>
  holderId: string | null
  id: Defaulted<string>
  kind: string
  masterId: Defaulted<string | null>
  mediaType: string
  sha256: Buffer
}

export interface EnrolmentsTable {
  attempts: Defaulted<number>
  courseId: string
  createdAt: Defaulted<Timestamp>
  finishedAt: Timestamp | null
  id: Defaulted<string>
  masterId: Defaulted<string>
  memberId: string
  partnerId: string
  resellerId: Defaulted<string>
  score: number | null
  state: Defaulted<'not_started' | 'in_progress' | 'passed' | 'failed' | 'expired'>
}

export interface ErasuresTable {
  confirmedBy: string
  counts: Json
  erasedAt: Defaulted<Timestamp>
  hash: string
  offboardingId: string
  partnerId: string
  requestedBy: string
}

export interface FeaturePackagesTable {
  amountMinor: bigint
  apiPerMinute: number | null
  autoOffer: Defaulted<boolean>
  createdAt: Defaulted<Timestamp>
  creates: Defaulted<'customer' | 'reseller' | 'master_reseller'>
  currency: string
  id: Defaulted<string>
  interval: string
  name: string
  programmeId: string
  vendorPriceId: string | null
  vendorProductId: string | null
  version: Defaulted<bigint>
}

export interface FxRatesTable {
  asOf: Timestamp
  base: string
  id: Defaulted<string>
  quote: string
  rate: string
  recordedAt: Defaulted<Timestamp>
  source: string
}

export interface IdempotencyKeysTable {
  answerHeaders: Json | null
  answerSealed: Buffer | null
  answerStatus: number | null
  claimedAt: Defaulted<Timestamp>
  createdAt: Defaulted<Timestamp>
  fingerprint: Buffer
  key: string
  method: string
  operationId: Defaulted<string>
  partnerId: string | null
  principal: string
  route: string
}

export interface IdentityCheckEventsTable {
  at: Defaulted<Timestamp>
  detail: string | null
  id: GeneratedAlways<bigint>
  identityCheckId: string
  status: string
}

export interface IdentityChecksTable {
  applicationId: string
  attempt: number
  checkedAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  lastError: string | null
  masterId: string | null
  partnerId: string | null
  redactedAt: Timestamp | null
  redactionAskedAt: Timestamp | null
  refusals: Defaulted<number>
  reportId: string | null
  status: Defaulted<'created' | 'requires_input' | 'processing' | 'verified' | 'canceled' | 'redacted'>
  vendorSessionId: string | null
  verifiedAt: Timestamp | null
}

export interface InformationAnswersTable {
  answersSealed: Buffer
  applicationId: string
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  masterId: string | null
  requestId: string
}

export interface InformationRequestsTable {
  answeredAt: Timestamp | null
  applicationId: string
  askedAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  dueAt: Timestamp | null
  id: Defaulted<string>
  masterId: string | null
  memberId: string
  number: number | null
  questionCount: number
  questionsSealed: Buffer
}

export interface InvitationsTable {
  acceptedAt: Timestamp | null
  acceptedOperationId: string | null
  createdAt: Defaulted<Timestamp>
  emailSealed: Buffer
  expiresAt: Timestamp
  id: Defaulted<string>
  nameSealed: Buffer
  partnerId: string
  revokedAt: Timestamp | null
  tokenHash: Buffer
}

export interface LedgerAccountsTable {
  allowContra: boolean
  currency: string
  id: GeneratedAlways<bigint>
  normalSide: 'debit' | 'credit'
  partnerId: string | null
  purpose: 'partner_vat' | 'input_tax' | 'write_offs' | 'tax_withheld' | 'stripe_clearing' | 'stripe_balance' | 'stripe_fees' | 'platform_revenue' | 'platform_fees' | 'tax_payable' | 'refunds' | 'commission_expense' | 'partner_accrued' | 'partner_payable' | 'payout_in_transit' | 'fx_clearing' | 'fx_rounding'
}

export interface LedgerBalancesTable {
  accountId: bigint
  creditsMinor: Defaulted<bigint>
  debitsMinor: Defaulted<bigint>
}

export interface LedgerJournalsTable {
  effectiveAt: Timestamp
  id: GeneratedAlways<bigint>
  kind: 'vat_payment' | 'input_tax' | 'withholding' | 'payment' | 'accrual' | 'refund' | 'clawback' | 'settlement' | 'payout_reserve' | 'payout_paid' | 'true_up' | 'bonus' | 'adjustment' | 'fx' | 'reversal' | 'processor_fee' | 'funds_available' | 'funds_withdrawn' | 'cancellation' | 'payout_return' | 'payout_reversal'
  period: string
  postedAt: Defaulted<Timestamp>
  reason: string | null
  requestHash: Buffer
  reversesId: bigint | null
  sourceId: string
  sourceType: string
  xid: Defaulted<string>
}

export interface LedgerPostingsTable {
  amountMinor: bigint
  creditAccountId: bigint
  currency: string
  debitAccountId: bigint
  id: GeneratedAlways<bigint>
  journalId: bigint
}

export interface LedgerSealsTable {
  firstJournalId: bigint
  fromXid: string
  hash: Buffer
  journals: bigint
  lastJournalId: bigint
  number: bigint
  previousHash: Buffer
  previousNumber: Defaulted<bigint | null>
  sealedAt: Timestamp
  toXid: string
}

export interface LedgerUncheckedTable {
  xid: string
}

export interface LineDisputeEventsTable {
  disputeId: string
  happenedAt: Defaulted<Timestamp>
  id: Defaulted<string>
  kind: 'opened' | 'answered' | 'decided' | 'withdrawn'
  masterId: Defaulted<string>
  memberId: string
  partnerId: string
  resellerId: Defaulted<string>
  side: 'partner' | 'platform'
  words: string | null
}

export interface LineDisputesTable {
  amountMinor: bigint | null
  approvalId: string | null
  closedAt: Timestamp | null
  currency: string
  decision: 'uphold' | 'reject' | null
  dueAt: Timestamp
  id: Defaulted<string>
  lineId: string
  lineKind: 'accrual' | 'true_up' | 'bonus' | 'clawback' | 'adjustment'
  lineMinor: bigint
  masterId: Defaulted<string>
  mostMinor: bigint
  openedAt: Defaulted<Timestamp>
  partnerId: string
  remindedMark: Defaulted<number>
  resellerId: Defaulted<string>
  statementId: string
  status: Defaulted<'opened' | 'answered' | 'decided' | 'withdrawn'>
  turnAt: Defaulted<Timestamp>
}

export interface LinePaymentsTable {
  allocationUnit: string | null
  baseMinor: bigint
  currency: string
  customerId: string | null
  featurePackageId: string | null
  id: Defaulted<string>
  lineMinor: bigint | null
  masterId: Defaulted<string>
  paidAt: Timestamp
  partnerId: string
  paymentId: string
  period: string
  quantity: Defaulted<bigint>
  resellerId: Defaulted<string>
  setupFee: Defaulted<boolean>
  taxMinor: bigint
  vendorLineId: string
  whole: boolean
}

export interface LineReversalsTable {
  baseMinor: bigint
  cause: 'refund' | 'refund_failed' | 'credit_note' | 'credit_note_voided' | 'dispute' | 'dispute_won'
  grossMinor: bigint
  happenedAt: Timestamp
  id: Defaulted<string>
  linePaymentId: string
  masterId: Defaulted<string>
  nominalMinor: bigint | null
  partnerId: Defaulted<string>
  period: string
  recordedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
  vendorSourceId: string
}

export interface MailTemplatesTable {
  actionLabel: string | null
  changedAt: Defaulted<Timestamp>
  id: Defaulted<string>
  paragraphs: string[]
  partnerId: string | null
  subject: string
  template: string
}

export interface ManualTasksTable {
  closedAt: Timestamp | null
  closedBy: string | null
  id: Defaulted<string>
  kind: string
  note: string | null
  openedAt: Defaulted<Timestamp>
  subject: string
  taskKey: string
  what: string
}

export interface MemberInvitationsTable {
  acceptedAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  customerId: string | null
  emailIndex: Buffer
  emailSealed: Buffer
  expiresAt: Timestamp
  id: Defaulted<string>
  invitedBy: string
  nameSealed: Buffer
  partnerId: string | null
  revokedAt: Timestamp | null
  role: 'owner' | 'admin' | 'finance' | 'viewer'
  tokenHash: Buffer
}

export interface MembersTable {
  createdAt: Defaulted<Timestamp>
  customerId: string | null
  disabledAt: Timestamp | null
  emailIndex: Buffer
  emailSealed: Buffer
  id: Defaulted<string>
  nameSealed: Buffer
  partnerId: string | null
  role: Defaulted<'owner' | 'admin' | 'finance' | 'viewer'>
  status: Defaulted<'active' | 'disabled'>
  version: Defaulted<bigint>
}

export interface ModuleCompletionsTable {
  completedAt: Defaulted<Timestamp>
  enrolmentId: string
  masterId: Defaulted<string>
  ordinal: number
  partnerId: Defaulted<string>
  resellerId: Defaulted<string>
}

export interface NoticesTable {
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  kind: string
  occurrence: Defaulted<string>
  recipientIndex: Buffer | null
  recipientSealed: Buffer
  refusedAt: Timestamp | null
  sentAt: Timestamp | null
  subjectId: string
}

export interface OffboardingEventsTable {
  actor: string
  at: Defaulted<Timestamp>
  entryKey: string
  id: GeneratedAlways<bigint>
  offboardingId: string
  stage: string
  what: string
}

export interface OffboardingExportsTable {
  documentId: string
  lastKey: string | null
  lines: number
  name: string
  number: number
  offboardingId: string
  section: string
}

export interface OffboardingsTable {
  confirmedAt: Timestamp | null
  confirmedBy: string | null
  createdAt: Defaulted<Timestamp>
  dueAt: Timestamp | null
  endedAt: Timestamp | null
  exportWanted: boolean
  id: Defaulted<string>
  legalHold: Defaulted<boolean>
  nextActor: 'system' | 'partner' | 'super_admin' | null
  partnerId: string
  reason: string
  requestedBy: string
  stage: Defaulted<'freezing' | 'exporting' | 'retrieval' | 'confirmation' | 'erasing' | 'erased' | 'cancelled'>
  tenantId: string
  terminationId: string | null
}

export interface OidcSignInsTable {
  browserHash: Buffer
  codeVerifier: string
  expiresAt: Timestamp
  nonce: string
  organisation: string | null
  stateHash: Buffer
}

export interface PartnerAncestryTable {
  ancestorId: string
  depth: number
  partnerId: string
  valid: string
}

export interface PartnerHoldsTable {
  cause: 'tax_form' | 'screening' | 'verification' | 'agreement' | 'suspension' | 'offboarding' | 'bank_failed' | 'bank_change'
  id: Defaulted<string>
  partnerId: string
  placedAt: Defaulted<Timestamp>
  reason: string
  releasedAt: Timestamp | null
  source: string
}

export interface PartnerLinksTable {
  archivedAt: Timestamp | null
  code: string
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  masterId: Defaulted<string>
  name: string
  partnerId: string
  resellerId: Defaulted<string>
  version: Defaulted<bigint>
}

export interface PartnerMovesTable {
  effectiveFrom: Timestamp
  id: Defaulted<string>
  parentId: string
  partnerId: string
  recordedAt: Defaulted<Timestamp>
}

export interface PartnerPlacesTable {
  masterId: string
  partnerId: string
  resellerId: string
  since: Defaulted<Timestamp>
}

export interface PartnerReservesTable {
  aboveBps: number
  amountMinor: bigint
  currency: string
  disputedMinor: bigint
  id: Defaulted<string>
  keepBps: number
  keptSince: Timestamp
  masterId: Defaulted<string>
  paidMinor: bigint
  partnerId: string
  resellerId: Defaulted<string>
  statementId: string
  until: Timestamp
  windowFrom: Timestamp
}

export interface PartnerStatusChangesTable {
  changedAt: Defaulted<Timestamp>
  changedBy: string
  id: Defaulted<string>
  level: 'super_admin' | 'master_reseller'
  partnerId: string
  reason: string
  status: 'approved' | 'active' | 'suspended' | 'terminated'
}

export interface PartnerTiersTable {
  approvalId: string | null
  decidedAt: Defaulted<Timestamp>
  id: Defaulted<string>
  masterId: Defaulted<string>
  partnerId: string
  previousTier: 'bronze' | 'silver' | 'gold' | 'platinum' | null
  reason: string
  resellerId: Defaulted<string>
  reviewPeriod: string | null
  tier: 'bronze' | 'silver' | 'gold' | 'platinum'
  valid: string
}

export interface PartnerVerificationsTable {
  at: Defaulted<Timestamp>
  deadline: 'eventually_due' | 'currently_due' | 'past_due' | null
  deadlineAt: Timestamp | null
  detail: string | null
  extendedUntil: Timestamp | null
  id: Defaulted<string>
  identityStatus: string | null
  masterId: Defaulted<string>
  partnerId: string
  payoutsHeld: Defaulted<boolean>
  requirements: Defaulted<string[]>
  resellerId: Defaulted<string>
  salesStopped: Defaulted<boolean>
  status: 'not_started' | 'link_issued' | 'in_progress' | 'pending_review' | 'needs_input' | 'verified' | 'restricted' | 'rejected' | 'expired' | 'redacted'
}

export interface PartnersTable {
  activatedAt: Timestamp | null
  contactEmailSealed: Buffer
  contactNameSealed: Buffer
  country: string
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  level: 'master_reseller' | 'reseller'
  masterId: Defaulted<string>
  name: string
  parentId: string | null
  payoutCurrency: string | null
  placedSince: Defaulted<Timestamp>
  programmeId: string
  resellerId: Defaulted<string>
  status: 'approved' | 'active' | 'suspended' | 'terminated'
  type: 'authorized_dealer' | 'value_added_reseller' | 'system_integrator' | 'distributor' | 'technology_partner' | 'referral_partner' | 'white_label' | 'franchise'
  version: Defaulted<bigint>
  website: string
}

export interface PasskeyChallengesTable {
  challenge: string
  expiresAt: Timestamp
  purpose: 'registration' | 'authentication'
  sessionId: string
}

export interface PasskeysTable {
  backedUp: boolean
  counter: bigint
  createdAt: Defaulted<Timestamp>
  credentialId: string
  id: Defaulted<string>
  lastUsedAt: Timestamp | null
  name: string
  personId: string
  publicKey: Buffer
  transports: Defaulted<string[]>
}

export interface PasswordResetsTable {
  createdAt: Defaulted<Timestamp>
  expiresAt: Timestamp
  id: Defaulted<string>
  personId: string
  tokenHash: Buffer
  usedAt: Timestamp | null
}

export interface PaymentsTable {
  amountMinor: bigint
  currency: string
  customerId: string | null
  id: Defaulted<string>
  kind: 'customer' | 'platform'
  masterId: Defaulted<string>
  paidAt: Timestamp
  partnerId: string
  period: string
  recordedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
  subscriptionId: string | null
  vendorChargeId: string | null
  vendorInvoiceId: string
  vendorPaymentId: string
}

export interface PayoutAccountsTable {
  applicationId: string
  bankMark: string | null
  checkedAt: Timestamp | null
  closedAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  deadline: 'eventually_due' | 'currently_due' | 'past_due' | null
  deadlineAt: Timestamp | null
  id: Defaulted<string>
  linkExpiresAt: Timestamp | null
  linkUrl: string | null
  masterId: string | null
  partnerId: string | null
  payable: Defaulted<boolean>
  refusals: Defaulted<number>
  requirements: Defaulted<string[]>
  status: Defaulted<'not_started' | 'link_issued' | 'in_progress' | 'pending_review' | 'needs_input' | 'verified' | 'restricted' | 'rejected' | 'expired' | 'redacted'>
  statusDetail: string | null
  transfersActive: Defaulted<boolean>
  vendorAccountId: string | null
  verifiedAt: Timestamp | null
}

export interface PayoutAttemptsTable {
  attemptNo: number
  createdAt: Defaulted<Timestamp>
  finishedAt: Timestamp | null
  firstMissedAt: Timestamp | null
  firstSentAt: Timestamp | null
  id: Defaulted<string>
  idempotencyKey: string
  masterId: Defaulted<string>
  partnerId: Defaulted<string>
  payoutId: string
  problem: string | null
  request: Json
  resellerId: Defaulted<string>
  status: Defaulted<'prepared' | 'sent' | 'unknown' | 'succeeded' | 'rejected' | 'reversed'>
  vendorPaymentId: string | null
  vendorReversalId: string | null
  vendorTransferId: string | null
}

export interface PayoutDecisionsTable {
  decidedAt: Defaulted<Timestamp>
  decidedBy: string
  exceptionId: string
  id: string
  kind: 'retry' | 'method' | 'release'
  reason: string
}

export interface PayoutExceptionsTable {
  cause: 'transfer_rejected' | 'bank_failed' | 'transfer_reversed' | 'held_too_long'
  closedAt: Timestamp | null
  endedAt: Timestamp | null
  escheatAt: Timestamp | null
  id: Defaulted<string>
  masterId: Defaulted<string>
  openedAt: Defaulted<Timestamp>
  partnerId: string
  payoutId: string
  resellerId: Defaulted<string>
  resolution: 'paid' | 'released' | 'written_off' | null
}

export interface PayoutFloorsTable {
  country: string
  currency: string
  minimumMinor: bigint
}

export interface PayoutReturnsTable {
  amountMinor: bigint
  currency: string
  exceptionId: string | null
  id: Defaulted<string>
  masterId: Defaulted<string>
  partnerId: string
  payoutId: string
  period: string
  recordedAt: Defaulted<Timestamp>
  resellerId: Defaulted<string>
  terminationId: string | null
}

export interface PayoutsTable {
  amountMinor: bigint
  createdAt: Defaulted<Timestamp>
  currency: string
  holdReason: 'no_payout_account' | 'account_not_verified' | 'transfer_rejected' | 'partner_held' | 'transfer_reversed' | 'tax_form' | 'bank_change' | null
  id: Defaulted<string>
  masterId: Defaulted<string>
  paidAt: Timestamp | null
  partnerId: string
  payOn: string | null
  resellerId: Defaulted<string>
  runId: string
  statementId: string
  status: 'approved' | 'held' | 'in_flight' | 'unknown' | 'paid' | 'bank_failed' | 'returned'
  vatMinor: Defaulted<bigint>
  vatOwedMinor: Defaulted<bigint>
  vendorAccountId: string | null
}

export interface PeopleTable {
  createdAt: Defaulted<Timestamp>
  emailIndex: Buffer
  emailSealed: Buffer
  id: Defaulted<string>
  oidcIssuer: string | null
  oidcSubject: string | null
  passwordHash: string | null
  passwordSetAt: Timestamp | null
  totpConfirmedAt: Timestamp | null
  totpLastStep: Defaulted<bigint>
  totpSecret: Buffer | null
}

export interface ProgrammesTable {
  allocationUnit: Defaulted<'line' | 'invoice'>
  brand: Defaulted<Json>
  code: string
  createdAt: Defaulted<Timestamp>
  currency: string
  deadlines: Json
  holdDays: number
  id: Defaulted<string>
  minimumPayoutMinor: bigint
  name: string
  onboarding: Defaulted<Json>
  overridePoolBps: number | null
  platformFeeMinor: bigint
  quotas: Defaulted<Json>
  resellerChains: Defaulted<boolean>
  tierWindowMonths: number
  vendorFeePriceId: string | null
  vendorFeeProductId: string | null
  version: Defaulted<bigint>
}

export interface QuizAttemptsTable {
  answers: Json
  at: Defaulted<Timestamp>
  enrolmentId: string
  id: Defaulted<string>
  masterId: Defaulted<string>
  partnerId: Defaulted<string>
  passed: boolean
  resellerId: Defaulted<string>
  score: number
}

export interface RateLimitsTable {
  bucket: string
  fullUntil: Timestamp
}

export interface ReconBreaksTable {
  assignedAt: Timestamp | null
  currency: string | null
  expectedMinor: bigint | null
  firstSeenAt: Defaulted<Timestamp>
  foundCurrency: string | null
  foundMinor: bigint | null
  happenedAt: Timestamp
  id: Defaulted<string>
  kind: 'missing_at_stripe' | 'unknown_at_stripe' | 'amount' | 'currency' | 'destination' | 'clearing_age'
  note: string | null
  ownerId: string | null
  payoutId: string | null
  resolution: 'gone' | 'by_person' | null
  resolvedAt: Timestamp | null
  resolvedBy: string | null
  subject: string
  vendorId: string | null
}

export interface RecoveryCodesTable {
  codeHash: Buffer
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  personId: string
  usedAt: Timestamp | null
}

export interface ReserveEndsTable {
  amountMinor: bigint
  cause: 'matured' | 'by_person' | 'used'
  masterId: Defaulted<string>
  partnerId: string
  resellerId: Defaulted<string>
  reserveId: string
  statementId: string
}

export interface ReserveReleasesTable {
  masterId: Defaulted<string>
  partnerId: string
  reason: string
  releasedAt: Defaulted<Timestamp>
  releasedBy: string | null
  resellerId: Defaulted<string>
  reserveId: string
}

export interface ScreeningDecisionsTable {
  applicationId: string | null
  approvalId: string | null
  decidedAt: Defaulted<Timestamp>
  decidedBy: string
  decision: 'confirmed' | 'overridden'
  id: Defaulted<string>
  masterId: string | null
  reason: string
  screeningId: string
}

export interface ScreeningHitsTable {
  applicationId: string | null
  entryId: string
  entryName: string
  id: Defaulted<string>
  list: string
  masterId: string | null
  programs: string[]
  score: number
  screeningId: string
}

export interface ScreeningsTable {
  applicationId: string | null
  id: Defaulted<string>
  kind: 'company' | 'person'
  list: string
  listVersion: string
  masterId: string | null
  nameHash: Buffer
  outcome: 'clear' | 'review'
  partnerId: string | null
  provider: 'file' | 'watchman' | 'none'
  role: string
  screenedAt: Defaulted<Timestamp>
  subjectId: Defaulted<string>
  threshold: number
}

export interface SelfBillingAgreementsTable {
  acceptedAt: Defaulted<Timestamp>
  acceptedBy: string
  endCause: 'renewed' | 'vat_id_changed' | 'withdrawn' | null
  endedAt: Timestamp | null
  id: Defaulted<string>
  partnerId: string
  profileId: string
  validUntil: string
  version: string
}

export interface SelfBillingDocumentsTable {
  agreementId: string
  baseMinor: bigint
  correctsId: string | null
  currency: string
  documentNumber: string
  hash: Buffer
  id: Defaulted<string>
  issuedAt: Timestamp
  issuer: Json
  kind: 'invoice' | 'credit_note'
  number: number
  partnerId: string
  period: string
  profileId: string
  rateBps: number
  statementId: string
  totalMinor: bigint
  treatment: 'standard' | 'reverse_charge' | 'outside_scope' | 'not_registered'
  vatMinor: bigint
}

export interface SelfBillingProfilesTable {
  addressSealed: Buffer
  country: string
  createdAt: Defaulted<Timestamp>
  hasVatId: boolean
  id: Defaulted<string>
  legalNameSealed: Buffer
  partnerId: string
  registered: boolean
  replacedAt: Timestamp | null
  vatIdSealed: Buffer
  verifiedAt: Timestamp | null
  verifiedBy: string | null
}

export interface SelfBillingSeriesTable {
  lastNumber: Defaulted<number>
  partnerId: string
  series: GeneratedAlways<number>
}

export interface SelfBillingSkipsTable {
  baseMinor: bigint
  partnerId: string
  reason: 'no_profile' | 'no_consent' | 'consent_ended' | 'vat_id_changed' | 'no_rate' | 'no_vat_id' | 'not_verified' | 'nothing_to_credit'
  statementId: string
}

export interface SessionsTable {
  createdAt: Defaulted<Timestamp>
  endedAt: Timestamp | null
  endedBecause: 'signed_out' | 'revoked' | 'replaced' | 'disabled' | 'password_changed' | 'factors_changed' | null
  expiresAt: Timestamp
  id: Defaulted<string>
  idleSeconds: number
  ip: string
  lastSeenAt: Defaulted<Timestamp>
  memberId: string
  methods: string[]
  needs: 'totp' | 'passkey' | 'enrolment' | null
  partnerId: string | null
  personId: string
  steppedUpAt: Timestamp | null
  tokenHash: Buffer
  userAgent: string
}

export interface SettlementDecisionsTable {
  accrualId: string | null
  appliedAt: Timestamp | null
  holdId: string | null
  id: Defaulted<string>
  kind: 'hold' | 'release_hold' | 'exclude' | 'rerun_partner' | 'recalculate' | 'reject' | 'pause' | 'resume' | 'cancel'
  memberId: string | null
  partnerId: string | null
  reason: string | null
  recordedAt: Defaulted<Timestamp>
  runId: string
}

export interface SettlementExclusionsTable {
  excludedAt: Defaulted<Timestamp>
  excludedBy: string | null
  partnerId: string
  reason: string
  runId: string
}

export interface SettlementHoldsTable {
  accrualId: string | null
  id: string
  partnerId: string
  placedAt: Defaulted<Timestamp>
  placedBy: string | null
  reason: string
  releaseReason: string | null
  releasedAt: Timestamp | null
  releasedBy: string | null
  runId: string
}

export interface SettlementRunsTable {
  cadence: Defaulted<'weekly' | 'monthly' | 'quarterly'>
  cancelledAt: Timestamp | null
  closedAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  cutoffAt: Timestamp
  id: Defaulted<string>
  mode: 'preview' | 'live'
  name: string
  number: number
  pausedAt: Timestamp | null
  period: string
  problem: string | null
  programmeId: string
  rejectedAt: Timestamp | null
  releasedAt: Timestamp | null
  releasedBy: string | null
  requestedBy: string | null
  reviewedAt: Timestamp | null
  reviewedBy: string | null
  sincePeriod: string
  stage: Defaulted<'freeze' | 'calculate' | 'review' | 'release' | 'pay' | 'reconcile' | 'closed' | 'cancelled'>
  takesEntries: Defaulted<boolean>
  totals: Json | null
  totalsHash: string | null
}

export interface SettlementShardsTable {
  afterId: string | null
  cursorId: string | null
  finishedAt: Timestamp | null
  lastId: string | null
  number: number
  partners: number
  partnersDone: Defaulted<number>
  plannedAt: Defaulted<Timestamp>
  runId: string
}

export interface SettlementStagesTable {
  control: Json | null
  done: number | null
  endedAt: Timestamp | null
  runId: string
  stage: string
  startedAt: Defaulted<Timestamp>
  total: number | null
}

export interface SignInLimitsTable {
  bucket: string
  resetsAt: Timestamp
  tries: number
}

export interface StatementEntriesTable {
  amountMinor: bigint
  currency: string
  entryId: string
  figure: 'earned' | 'clawed' | 'adjusted'
  kind: 'accrual' | 'closing_accrual' | 'clawback' | 'closing_clawback' | 'cancellation' | 'adjustment' | 'payout_return'
  masterId: Defaulted<string>
  partnerId: string
  period: string
  resellerId: Defaulted<string>
  runId: string
}

export interface StatementHoldsTable {
  amountMinor: bigint
  cause: 'not_matured' | 'disputed' | 'by_person' | 'forfeited' | 'reserve' | 'unrecorded'
  lines: number | null
  masterId: Defaulted<string>
  partnerId: string
  resellerId: Defaulted<string>
  statementId: string
  until: Timestamp | null
}

export interface StatementsTable {
  adjustmentsMinor: bigint
  carriedMinor: bigint
  carryReason: 'negative_balance' | 'below_minimum' | 'held' | 'payout_step' | null
  clawedBackMinor: bigint
  closingMinor: bigint
  currency: string
  documentNumber: string | null
  draftedAt: Defaulted<Timestamp>
  earnedMinor: bigint
  fxRateId: string | null
  heldMinor: bigint
  id: Defaulted<string>
  issuedAt: Timestamp | null
  masterId: Defaulted<string>
  openingMinor: bigint
  partnerId: string
  payableMinor: bigint
  payableReason: 'aged_balance' | 'final_balance' | null
  payoutCurrency: string | null
  payoutMinor: bigint | null
  payoutRestMinor: bigint | null
  period: string
  periodName: string | null
  resellerId: Defaulted<string>
  runId: string
  sealHash: Buffer | null
  sealNumber: bigint | null
  sincePeriod: string | null
  withheldBps: number | null
  withheldMinor: Defaulted<bigint>
}

export interface StripeMirrorTable {
  completeTo: Timestamp
  onlyRow: Defaulted<boolean>
  walkAfter: string | null
  walkNewest: Timestamp | null
  walkedAt: Timestamp | null
}

export interface StripeTxnsTable {
  amountMinor: bigint
  availableAt: Timestamp
  createdAt: Timestamp
  currency: string
  feeJournalId: bigint | null
  feeMinor: bigint
  id: Defaulted<string>
  journalId: bigint | null
  netMinor: bigint
  payoutId: string | null
  recordedAt: Defaulted<Timestamp>
  settlesCurrency: string | null
  settlesMinor: bigint | null
  type: string
  vendorAccountId: string | null
  vendorChargeId: string | null
  vendorSourceId: string | null
  vendorTransferId: string | null
  vendorTxnId: string
}

export interface SubscriptionsTable {
  activatedAt: Timestamp | null
  canceledAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  customerId: string
  featurePackageId: string
  id: Defaulted<string>
  masterId: Defaulted<string>
  partnerId: string
  problem: string | null
  resellerId: Defaulted<string>
  status: Defaulted<'pending' | 'awaiting_payment' | 'active' | 'past_due' | 'canceled'>
  vendorInvoiceId: string | null
  vendorSubscriptionId: string | null
}

export interface TaxFormsTable {
  classification: 'individual' | 'partnership' | 'trust' | 'llc' | 'c_corporation' | 's_corporation' | 'other' | null
  country: string | null
  createdAt: Defaulted<Timestamp>
  decidedAt: Timestamp | null
  decidedBy: string | null
  endedAt: Timestamp | null
  expiresOn: string | null
  id: Defaulted<string>
  kind: 'w9' | 'w8ben' | 'w8bene' | null
  legalNameSealed: Buffer | null
  partnerId: string
  reason: string | null
  receivedAt: Timestamp | null
  requestedAt: Timestamp | null
  signedOn: string | null
  state: 'requested' | 'received' | 'valid' | 'rejected' | 'expired' | 'replaced'
  subjectToWithholding: Defaulted<boolean>
  tinKind: 'ssn' | 'ein' | 'itin' | 'foreign' | 'none' | null
  tinLastFourSealed: Buffer | null
}

export interface TaxYearsTable {
  backupWithholdingBps: number
  changedAt: Defaulted<Timestamp>
  currency: Defaulted<string>
  source: string
  thresholdMinor: bigint
  year: number
}

export interface TenantBrandingTable {
  backgroundColor: string
  changedAt: Defaulted<Timestamp>
  css: Defaulted<string>
  displayName: string
  emailSenderName: string
  footerText: Defaulted<string>
  headerText: Defaulted<string>
  loginText: Defaulted<string>
  partnerId: string
  primaryColor: string
  supportAddress: string | null
  tenantId: string
  textColor: string
  version: Defaulted<bigint>
}

export interface TenantDomainsTable {
  certificateEndsAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  domain: string
  endedAt: Timestamp | null
  expiresAt: Timestamp
  id: Defaulted<string>
  lookedAt: Timestamp | null
  missingSince: Timestamp | null
  partnerId: string
  problem: string | null
  provenAt: Timestamp | null
  state: Defaulted<'pending' | 'proven' | 'certificate_pending' | 'active' | 'failing' | 'expired' | 'removed'>
  tenantId: string
  token: string
  toldEnd: Timestamp | null
}

export interface TenantImagesTable {
  changedAt: Defaulted<Timestamp>
  content: Buffer
  kind: 'logo' | 'favicon'
  mediaType: string
  partnerId: string
  sha256: Buffer
  tenantId: string
}

export interface TenantPackagesTable {
  createdAt: Defaulted<Timestamp>
  featurePackageId: string
  isOffered: boolean
  partnerId: string
  tenantId: string
}

export interface TenantQuotasTable {
  apiKeys: number | null
  apiPerMinute: number | null
  customers: number | null
  members: number | null
  partnerId: string
  storageBytes: bigint | null
  tenantId: string
  version: Defaulted<bigint>
}

export interface TenantsTable {
  activatedAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  masterId: Defaulted<string>
  name: string
  partnerId: string
  problem: string | null
  resellerId: Defaulted<string>
  status: Defaulted<'provisioning' | 'active' | 'failed' | 'suspended' | 'erased'>
  steps: Defaulted<Json>
  subdomain: string | null
  vendorCustomerId: string | null
  vendorSubscriptionId: string | null
  waitsUntil: Timestamp | null
}

export interface TerminationsTable {
  effectedAt: Timestamp | null
  effectiveAt: Timestamp
  id: string
  partnerId: string
  problem: string | null
  reasonCode: 'mutual' | 'breach' | 'fraud' | 'inactive'
  recordedAt: Defaulted<Timestamp>
  reinstatedAt: Timestamp | null
  reinstatementId: string | null
  successorId: string | null
}

export interface TermsAcceptancesTable {
  createdAt: Defaulted<Timestamp>
  decidedAt: Timestamp | null
  dueAt: Timestamp
  id: Defaulted<string>
  masterId: Defaulted<string>
  partnerId: string
  resellerId: Defaulted<string>
  startedAt: Timestamp | null
  status: Defaulted<'pending' | 'accepted' | 'declined' | 'overdue' | 'superseded'>
  termsId: string
}

export interface TerritoryAssignmentsTable {
  applicationId: string | null
  blockedBy: string | null
  blockedMode: 'exclusive' | 'shared' | null
  blockedSince: Timestamp | null
  blockedTerritory: string | null
  expiresAt: Timestamp | null
  holderId: Defaulted<string>
  id: Defaulted<string>
  masterId: Defaulted<string | null>
  mode: 'exclusive' | 'shared'
  parentId: Defaulted<string | null>
  partnerId: string | null
  programmeId: string
  releaseCause: 'by_hand' | 'ended' | 'moved' | 'ruling' | 'terminated' | null
  releaseReason: string | null
  resellerId: Defaulted<string | null>
  ruledAt: Timestamp | null
  ruledBy: string | null
  ruledIn: string | null
  ruling: 'share' | 'grant_exclusive' | 'decline' | null
  rulingReason: string | null
  since: Defaulted<Timestamp>
  status: 'reserved' | 'assigned' | 'conflict' | 'declined' | 'released' | 'expired'
  territory: string
  until: Timestamp | null
}

export interface TierGraceDecisionsTable {
  appliedAt: Timestamp | null
  graceId: string
  id: string
  kind: 'waive' | 'apply'
  memberId: string
  reason: string
  recordedAt: Defaulted<Timestamp>
}

export interface TierGracesTable {
  currency: string
  endedAt: Timestamp | null
  endedPeriod: string | null
  ending: 'quarter_end' | 'by_person' | 'recovered' | 'locked' | 'overridden' | 'tier_changed' | 'partner_left' | null
  fallsAt: Timestamp
  fromTier: 'bronze' | 'silver' | 'gold' | 'platinum'
  id: Defaulted<string>
  leastMinor: bigint
  masterId: Defaulted<string>
  metricMinor: bigint
  openedAt: Defaulted<Timestamp>
  partnerId: string
  period: string
  resellerId: Defaulted<string>
  status: Defaulted<'open' | 'demoted' | 'recovered' | 'waived' | 'ended'>
  toTier: 'bronze' | 'silver' | 'gold' | 'platinum'
}

export interface TierLocksTable {
  id: string
  lockedAt: Defaulted<Timestamp>
  lockedBy: string
  partnerId: string
  reason: string
  releasedAt: Timestamp | null
  releasedBy: string | null
  until: Timestamp | null
}

export interface TierReviewsTable {
  cause: 'reached' | 'within_tolerance' | 'below_threshold' | 'certification' | 'approval' | 'in_grace' | 'overridden' | 'locked' | 'protected' | 'not_quarter_end' | 'later_review'
  currency: string
  decidedAt: Timestamp | null
  decidedBy: string | null
  decisionReason: string | null
  id: Defaulted<string>
  masterId: Defaulted<string>
  metricMinor: bigint
  outcome: 'promoted' | 'kept' | 'gated' | 'awaiting' | 'declined' | 'warned' | 'superseded'
  partnerId: string
  period: string
  reached: 'bronze' | 'silver' | 'gold' | 'platinum'
  resellerId: Defaulted<string>
  reviewedAt: Defaulted<Timestamp>
  tier: 'bronze' | 'silver' | 'gold' | 'platinum'
  toTier: 'bronze' | 'silver' | 'gold' | 'platinum' | null
  windowUntil: Timestamp
}

export interface TiersTable {
  programmeId: string
  thresholdMinor: bigint
  tier: 'bronze' | 'silver' | 'gold' | 'platinum'
}

export interface VatRatesTable {
  bps: number
  changedAt: Defaulted<Timestamp>
  country: string
  id: Defaulted<string>
  source: string
  treatment: 'standard' | 'reverse_charge' | 'outside_scope'
  validFrom: string
}

export interface VerificationEventsTable {
  at: Defaulted<Timestamp>
  deadline: string | null
  detail: string | null
  id: GeneratedAlways<bigint>
  payoutAccountId: string
  requirements: Defaulted<string[]>
  status: string
}

export interface VerificationExtensionsTable {
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  lifts: boolean
  memberId: string
  partnerId: string
  reason: string
  takenAt: Timestamp | null
  until: Timestamp
}

export interface WebhookEventsTable {
  account: string | null
  attempts: Defaulted<number>
  doneAt: Timestamp | null
  eventId: string
  id: GeneratedAlways<bigint>
  objectId: string
  occurredAt: Timestamp
  problem: string | null
  receivedAt: Defaulted<Timestamp>
  status: Defaulted<'pending' | 'applied' | 'done' | 'parked'>
  type: string
  vendor: 'stripe' | 'docusign'
  wake: Json | null
}

export interface WelcomeSequencesTable {
  endedAt: Timestamp | null
  partnerId: string
  sent: Defaulted<number>
  startedAt: Defaulted<Timestamp>
  stoppedAt: Timestamp | null
}

export interface DB {
  accessMails: AccessMailsTable
  accountingPeriods: AccountingPeriodsTable
  accrualCancellations: AccrualCancellationsTable
  accruals: AccrualsTable
  adjustments: AdjustmentsTable
  agreementLooks: AgreementLooksTable
  agreementResends: AgreementResendsTable
  agreementTerms: AgreementTermsTable
  agreements: AgreementsTable
  apiKeys: ApiKeysTable
  applicationAnswers: ApplicationAnswersTable
  applicationContacts: ApplicationContactsTable
  applicationEvents: ApplicationEventsTable
  applicationInvitations: ApplicationInvitationsTable
  applicationTwins: ApplicationTwinsTable
  applications: ApplicationsTable
  approvals: ApprovalsTable
  auditDailyChains: AuditDailyChainsTable
  auditDailyHeads: AuditDailyHeadsTable
  auditEvents: AuditEventsTable
  auditHeads: AuditHeadsTable
  auditPending: AuditPendingTable
  bankPayoutParts: BankPayoutPartsTable
  bankPayouts: BankPayoutsTable
  certificates: CertificatesTable
  clawbacks: ClawbacksTable
  closingAccruals: ClosingAccrualsTable
  closingClawbacks: ClosingClawbacksTable
  commissionBands: CommissionBandsTable
  commissionRules: CommissionRulesTable
  contextKeys: ContextKeysTable
  courseAnswers: CourseAnswersTable
  courseModules: CourseModulesTable
  courses: CoursesTable
  currencies: CurrenciesTable
  customers: CustomersTable
  dataKeys: DataKeysTable
  decisionNotes: DecisionNotesTable
  disputes: DisputesTable
  documents: DocumentsTable
  enrolments: EnrolmentsTable
  erasures: ErasuresTable
  featurePackages: FeaturePackagesTable
  fxRates: FxRatesTable
  idempotencyKeys: IdempotencyKeysTable
  identityCheckEvents: IdentityCheckEventsTable
  identityChecks: IdentityChecksTable
  informationAnswers: InformationAnswersTable
  informationRequests: InformationRequestsTable
  invitations: InvitationsTable
  ledgerAccounts: LedgerAccountsTable
  ledgerBalances: LedgerBalancesTable
  ledgerJournals: LedgerJournalsTable
  ledgerPostings: LedgerPostingsTable
  ledgerSeals: LedgerSealsTable
  ledgerUnchecked: LedgerUncheckedTable
  lineDisputeEvents: LineDisputeEventsTable
  lineDisputes: LineDisputesTable
  linePayments: LinePaymentsTable
  lineReversals: LineReversalsTable
  mailTemplates: MailTemplatesTable
  manualTasks: ManualTasksTable
  memberInvitations: MemberInvitationsTable
  members: MembersTable
  moduleCompletions: ModuleCompletionsTable
  notices: NoticesTable
  offboardingEvents: OffboardingEventsTable
  offboardingExports: OffboardingExportsTable
  offboardings: OffboardingsTable
  oidcSignIns: OidcSignInsTable
  partnerAncestry: PartnerAncestryTable
  partnerHolds: PartnerHoldsTable
  partnerLinks: PartnerLinksTable
  partnerMoves: PartnerMovesTable
  partnerPlaces: PartnerPlacesTable
  partnerReserves: PartnerReservesTable
  partnerStatusChanges: PartnerStatusChangesTable
  partnerTiers: PartnerTiersTable
  partnerVerifications: PartnerVerificationsTable
  partners: PartnersTable
  passkeyChallenges: PasskeyChallengesTable
  passkeys: PasskeysTable
  passwordResets: PasswordResetsTable
  payments: PaymentsTable
  payoutAccounts: PayoutAccountsTable
  payoutAttempts: PayoutAttemptsTable
  payoutDecisions: PayoutDecisionsTable
  payoutExceptions: PayoutExceptionsTable
  payoutFloors: PayoutFloorsTable
  payoutReturns: PayoutReturnsTable
  payouts: PayoutsTable
  people: PeopleTable
  programmes: ProgrammesTable
  quizAttempts: QuizAttemptsTable
  rateLimits: RateLimitsTable
  reconBreaks: ReconBreaksTable
  recoveryCodes: RecoveryCodesTable
  reserveEnds: ReserveEndsTable
  reserveReleases: ReserveReleasesTable
  screeningDecisions: ScreeningDecisionsTable
  screeningHits: ScreeningHitsTable
  screenings: ScreeningsTable
  selfBillingAgreements: SelfBillingAgreementsTable
  selfBillingDocuments: SelfBillingDocumentsTable
  selfBillingProfiles: SelfBillingProfilesTable
  selfBillingSeries: SelfBillingSeriesTable
  selfBillingSkips: SelfBillingSkipsTable
  sessions: SessionsTable
  settlementDecisions: SettlementDecisionsTable
  settlementExclusions: SettlementExclusionsTable
  settlementHolds: SettlementHoldsTable
  settlementRuns: SettlementRunsTable
  settlementShards: SettlementShardsTable
  settlementStages: SettlementStagesTable
  signInLimits: SignInLimitsTable
  statementEntries: StatementEntriesTable
  statementHolds: StatementHoldsTable
  statements: StatementsTable
  stripeMirror: StripeMirrorTable
  stripeTxns: StripeTxnsTable
  subscriptions: SubscriptionsTable
  taxForms: TaxFormsTable
  taxYears: TaxYearsTable
  tenantBranding: TenantBrandingTable
  tenantDomains: TenantDomainsTable
  tenantImages: TenantImagesTable
  tenantPackages: TenantPackagesTable
  tenantQuotas: TenantQuotasTable
  tenants: TenantsTable
  terminations: TerminationsTable
  termsAcceptances: TermsAcceptancesTable
  territoryAssignments: TerritoryAssignmentsTable
  tierGraceDecisions: TierGraceDecisionsTable
  tierGraces: TierGracesTable
  tierLocks: TierLocksTable
  tierReviews: TierReviewsTable
  tiers: TiersTable
  vatRates: VatRatesTable
  verificationEvents: VerificationEventsTable
  verificationExtensions: VerificationExtensionsTable
  webhookEvents: WebhookEventsTable
  welcomeSequences: WelcomeSequencesTable
}
