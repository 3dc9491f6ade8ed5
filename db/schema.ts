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

export interface AccountingPeriodsTable {
  closedAt: Timestamp | null
  endsAt: Timestamp
  period: string
  startsAt: Timestamp
  status: Defaulted<'open' | 'closing' | 'closed'>
}

export interface AccrualsTable {
  amountMinor: bigint
  baseMinor: bigint
  currency: string
  depth: number
  id: Defaulted<string>
  limitedBy: 'window' | 'setup_fee' | 'floor' | 'cap' | 'pool' | 'line' | null
  linePaymentId: string
  maturesAt: Timestamp
  partnerId: string
  period: string
  rateDen: bigint | null
  rateNum: bigint | null
  recordedAt: Defaulted<Timestamp>
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
  partnerId: string
  period: string
  reason: string
  recordedAt: Defaulted<Timestamp>
}

export interface AgreementsTable {
  applicationId: string
  attempt: number
  completedAt: Timestamp | null
  documentId: string | null
  envelopeId: string | null
  id: Defaulted<string>
  sentAt: Timestamp | null
  status: Defaulted<'draft' | 'sent' | 'completed' | 'declined' | 'voided' | 'expired'>
  termsVersion: string
  transactionId: Defaulted<string>
}

export interface ApiKeysTable {
  createdAt: Defaulted<Timestamp>
  expiresAt: Timestamp
  id: Defaulted<string>
  label: string
  lastFour: string
  lastUsedAt: Timestamp | null
  memberId: string
  prefix: string
  revokedAt: Timestamp | null
  scopes: string[]
  secretHash: Buffer
}

export interface ApplicationEventsTable {
  actor: string
  applicationId: string
  at: Defaulted<Timestamp>
  entryKey: string
  id: GeneratedAlways<bigint>
  stage: string
  what: string
}

export interface ApplicationsTable {
  closedAt: Timestamp | null
  companyName: string
  companyNormalized: string
  contactEmail: string
  contactName: string
  country: string
  dueAt: Timestamp | null
  id: Defaulted<string>
  level: 'master_reseller' | 'reseller'
  nextActor: 'super_admin' | 'master_reseller' | 'reseller' | 'applicant' | 'partner' | 'system' | 'vendor' | null
  parentId: string | null
  partnerId: string | null
  programmeId: string
  screening: 'clear' | 'review' | null
  stage: Defaulted<'screening' | 'agreement' | 'verification' | 'approval' | 'provisioning' | 'training' | 'done'>
  status: Defaulted<'submitted' | 'in_review' | 'approved' | 'provisioning' | 'active' | 'rejected' | 'withdrawn' | 'lapsed'>
  submittedAt: Defaulted<Timestamp>
  type: 'authorized_dealer' | 'value_added_reseller' | 'system_integrator' | 'distributor' | 'technology_partner' | 'referral_partner' | 'white_label' | 'franchise'
  website: string
}

export interface ClawbacksTable {
  accrualId: string
  amountMinor: bigint
  currency: string
  id: Defaulted<string>
  lineReversalId: string
  partnerId: string
  period: string
  recordedAt: Defaulted<Timestamp>
}

export interface ClosingAccrualsTable {
  amountMinor: bigint
  currency: string
  id: Defaulted<string>
  kind: 'true_up' | 'bonus'
  metric: bigint
  partnerId: string
  period: string
  recordedAt: Defaulted<Timestamp>
  ruleId: string
}

export interface ClosingClawbacksTable {
  amountMinor: bigint
  closingAccrualId: string
  currency: string
  id: Defaulted<string>
  lineReversalId: string
  partnerId: string
  period: string
  recordedAt: Defaulted<Timestamp>
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

export interface CurrenciesTable {
  chargeStep: bigint
  code: string
  exponent: number
  payoutStep: bigint
  stripeExponent: number
}

export interface CustomersTable {
  createdAt: Defaulted<Timestamp>
  email: string
  id: Defaulted<string>
  linkId: string | null
  name: string
  partnerId: string
  vendorCustomerId: string | null
}

export interface DecisionNotesTable {
  applicationId: string
  createdAt: Defaulted<Timestamp>
  decision: 'approve' | 'reject'
  effectiveFrom: Timestamp
  id: Defaulted<string>
  memberId: string
  reason: string
  takenAt: Timestamp | null
}

export interface DisputesTable {
  amountMinor: bigint
  closedAt: Timestamp | null
  id: Defaulted<string>
  openedAt: Timestamp
  paymentId: string
  receivedAt: Defaulted<Timestamp>
  status: 'open' | 'won' | 'lost'
  vendorDisputeId: string
}

export interface DocumentsTable {
  content: Buffer
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  kind: string
  mediaType: string
  sha256: Buffer
}

export interface FeaturePackagesTable {
  amountMinor: bigint
  createdAt: Defaulted<Timestamp>
  currency: string
  id: Defaulted<string>
  interval: string
  name: string
  programmeId: string
  vendorPriceId: string | null
  vendorProductId: string | null
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
  principal: string
  route: string
}

export interface InvitationsTable {
  acceptedAt: Timestamp | null
  acceptedOperationId: string | null
  createdAt: Defaulted<Timestamp>
  email: string
  expiresAt: Timestamp
  id: Defaulted<string>
  name: string
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
  purpose: 'stripe_clearing' | 'stripe_balance' | 'stripe_fees' | 'platform_revenue' | 'platform_fees' | 'tax_payable' | 'refunds' | 'commission_expense' | 'partner_accrued' | 'partner_payable' | 'payout_in_transit' | 'fx_clearing' | 'fx_rounding'
}

export interface LedgerBalancesTable {
  accountId: bigint
  creditsMinor: Defaulted<bigint>
  debitsMinor: Defaulted<bigint>
}

export interface LedgerJournalsTable {
  effectiveAt: Timestamp
  id: GeneratedAlways<bigint>
  kind: 'payment' | 'accrual' | 'refund' | 'clawback' | 'settlement' | 'payout_reserve' | 'payout_paid' | 'true_up' | 'bonus' | 'adjustment' | 'fx' | 'reversal' | 'processor_fee' | 'funds_available' | 'funds_withdrawn'
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

export interface LinePaymentsTable {
  allocationUnit: string | null
  baseMinor: bigint
  currency: string
  customerId: string | null
  featurePackageId: string | null
  id: Defaulted<string>
  lineMinor: bigint | null
  paidAt: Timestamp
  partnerId: string
  paymentId: string
  period: string
  quantity: Defaulted<bigint>
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
  nominalMinor: bigint | null
  period: string
  recordedAt: Defaulted<Timestamp>
  vendorSourceId: string
}

export interface MembersTable {
  createdAt: Defaulted<Timestamp>
  email: string
  id: Defaulted<string>
  name: string
  partnerId: string | null
}

export interface NoticesTable {
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  kind: string
  occurrence: Defaulted<string>
  recipient: string
  sentAt: Timestamp | null
  subjectId: string
}

export interface PartnerAncestryTable {
  ancestorId: string
  depth: number
  partnerId: string
  valid: string
}

export interface PartnerLinksTable {
  archivedAt: Timestamp | null
  code: string
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  name: string
  partnerId: string
}

export interface PartnerMovesTable {
  effectiveFrom: Timestamp
  id: Defaulted<string>
  parentId: string
  partnerId: string
  recordedAt: Defaulted<Timestamp>
}

export interface PartnerTiersTable {
  decidedAt: Defaulted<Timestamp>
  id: Defaulted<string>
  partnerId: string
  previousTier: 'bronze' | 'silver' | 'gold' | 'platinum' | null
  reason: string
  reviewPeriod: string | null
  tier: 'bronze' | 'silver' | 'gold' | 'platinum'
  valid: string
}

export interface PartnersTable {
  activatedAt: Timestamp | null
  contactEmail: string
  contactName: string
  country: string
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  level: 'master_reseller' | 'reseller'
  name: string
  payoutCurrency: string | null
  programmeId: string
  status: 'approved' | 'active' | 'suspended' | 'terminated'
  type: 'authorized_dealer' | 'value_added_reseller' | 'system_integrator' | 'distributor' | 'technology_partner' | 'referral_partner' | 'white_label' | 'franchise'
  website: string
}

export interface PaymentsTable {
  amountMinor: bigint
  currency: string
  customerId: string | null
  id: Defaulted<string>
  kind: 'customer' | 'platform'
  paidAt: Timestamp
  partnerId: string
  period: string
  recordedAt: Defaulted<Timestamp>
  subscriptionId: string | null
  vendorChargeId: string | null
  vendorInvoiceId: string
  vendorPaymentId: string
}

export interface PayoutAccountsTable {
  applicationId: string
  checkedAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  linkExpiresAt: Timestamp | null
  linkUrl: string | null
  partnerId: string | null
  status: Defaulted<'not_started' | 'link_issued' | 'in_progress' | 'pending_review' | 'needs_input' | 'verified' | 'restricted' | 'rejected' | 'expired'>
  statusDetail: string | null
  vendorAccountId: string | null
}

export interface PayoutAttemptsTable {
  attemptNo: number
  createdAt: Defaulted<Timestamp>
  finishedAt: Timestamp | null
  firstMissedAt: Timestamp | null
  firstSentAt: Timestamp | null
  id: Defaulted<string>
  idempotencyKey: string
  payoutId: string
  problem: string | null
  request: Json
  status: Defaulted<'prepared' | 'sent' | 'unknown' | 'succeeded' | 'rejected'>
  vendorTransferId: string | null
}

export interface PayoutsTable {
  amountMinor: bigint
  createdAt: Defaulted<Timestamp>
  currency: string
  holdReason: 'no_payout_account' | 'account_not_verified' | 'transfer_rejected' | null
  id: Defaulted<string>
  paidAt: Timestamp | null
  partnerId: string
  runId: string
  statementId: string
  status: 'approved' | 'held' | 'in_flight' | 'unknown' | 'paid'
  vendorAccountId: string | null
}

export interface ProgrammesTable {
  allocationUnit: Defaulted<'line' | 'invoice'>
  code: string
  createdAt: Defaulted<Timestamp>
  currency: string
  deadlines: Json
  holdDays: number
  id: Defaulted<string>
  minimumPayoutMinor: bigint
  name: string
  overridePoolBps: number | null
  platformFeeMinor: bigint
  tierWindowMonths: number
  vendorFeePriceId: string | null
  vendorFeeProductId: string | null
}

export interface RateLimitsTable {
  bucket: string
  fullUntil: Timestamp
}

export interface SettlementRunsTable {
  cadence: Defaulted<'monthly'>
  closedAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  cutoffAt: Timestamp
  id: Defaulted<string>
  mode: 'preview' | 'live'
  number: number
  period: string
  problem: string | null
  programmeId: string
  releasedAt: Timestamp | null
  releasedBy: string | null
  requestedBy: string | null
  reviewedAt: Timestamp | null
  reviewedBy: string | null
  stage: Defaulted<'freeze' | 'calculate' | 'review' | 'release' | 'pay' | 'reconcile' | 'closed'>
  totals: Json | null
  totalsHash: string | null
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
  openingMinor: bigint
  partnerId: string
  payableMinor: bigint
  payoutCurrency: string | null
  payoutMinor: bigint | null
  payoutRestMinor: bigint | null
  period: string
  runId: string
  sealHash: Buffer | null
  sealNumber: bigint | null
}

export interface StripeMirrorTable {
  completeTo: Timestamp
  onlyRow: Defaulted<boolean>
  walkAfter: string | null
  walkNewest: Timestamp | null
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
  recordedAt: Defaulted<Timestamp>
  settlesCurrency: string | null
  settlesMinor: bigint | null
  type: string
  vendorChargeId: string | null
  vendorSourceId: string | null
  vendorTxnId: string
}

export interface SubscriptionsTable {
  activatedAt: Timestamp | null
  canceledAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  customerId: string
  featurePackageId: string
  id: Defaulted<string>
  partnerId: string
  problem: string | null
  status: Defaulted<'pending' | 'awaiting_payment' | 'active' | 'past_due' | 'canceled'>
  vendorInvoiceId: string | null
  vendorSubscriptionId: string | null
}

export interface TenantsTable {
  activatedAt: Timestamp | null
  createdAt: Defaulted<Timestamp>
  id: Defaulted<string>
  name: string
  partnerId: string
  problem: string | null
  status: Defaulted<'provisioning' | 'active' | 'failed' | 'suspended'>
  subdomain: string | null
  vendorCustomerId: string | null
  vendorSubscriptionId: string | null
}

export interface TiersTable {
  programmeId: string
  thresholdMinor: bigint
  tier: 'bronze' | 'silver' | 'gold' | 'platinum'
}

export interface VerificationEventsTable {
  at: Defaulted<Timestamp>
  detail: string | null
  id: GeneratedAlways<bigint>
  payoutAccountId: string
  status: string
}

export interface WebhookEventsTable {
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

export interface DB {
  accountingPeriods: AccountingPeriodsTable
  accruals: AccrualsTable
  adjustments: AdjustmentsTable
  agreements: AgreementsTable
  apiKeys: ApiKeysTable
  applicationEvents: ApplicationEventsTable
  applications: ApplicationsTable
  clawbacks: ClawbacksTable
  closingAccruals: ClosingAccrualsTable
  closingClawbacks: ClosingClawbacksTable
  commissionBands: CommissionBandsTable
  commissionRules: CommissionRulesTable
  currencies: CurrenciesTable
  customers: CustomersTable
  decisionNotes: DecisionNotesTable
  disputes: DisputesTable
  documents: DocumentsTable
  featurePackages: FeaturePackagesTable
  fxRates: FxRatesTable
  idempotencyKeys: IdempotencyKeysTable
  invitations: InvitationsTable
  ledgerAccounts: LedgerAccountsTable
  ledgerBalances: LedgerBalancesTable
  ledgerJournals: LedgerJournalsTable
  ledgerPostings: LedgerPostingsTable
  ledgerSeals: LedgerSealsTable
  ledgerUnchecked: LedgerUncheckedTable
  linePayments: LinePaymentsTable
  lineReversals: LineReversalsTable
  members: MembersTable
  notices: NoticesTable
  partnerAncestry: PartnerAncestryTable
  partnerLinks: PartnerLinksTable
  partnerMoves: PartnerMovesTable
  partnerTiers: PartnerTiersTable
  partners: PartnersTable
  payments: PaymentsTable
  payoutAccounts: PayoutAccountsTable
  payoutAttempts: PayoutAttemptsTable
  payouts: PayoutsTable
  programmes: ProgrammesTable
  rateLimits: RateLimitsTable
  settlementRuns: SettlementRunsTable
  statements: StatementsTable
  stripeMirror: StripeMirrorTable
  stripeTxns: StripeTxnsTable
  subscriptions: SubscriptionsTable
  tenants: TenantsTable
  tiers: TiersTable
  verificationEvents: VerificationEventsTable
  webhookEvents: WebhookEventsTable
}
