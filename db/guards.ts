/**
 * What each level may see and change, table by table: roles, grants and policies are made of this
 * declaration after every migration. A table that is not in it does not compile.
 */
import type { DB } from './schema.ts'

export type Verb = 'select' | 'insert' | 'update' | 'delete'

/** Levels that people and their programs have, and the two that come before one has a level. */
export type PartnerRole = 'master_reseller' | 'reseller' | 'subreseller'
export type GuardedLevel = PartnerRole | 'super_admin' | 'customer' | 'intake' | 'sign_in'

/**
 * Whose the rows are.
 * - `shared`: everybody's to read, at every level.
 * - `tree`: of a partner, seen by it and those above it; stamped with partner_id, reseller_id and
 *   master_id.
 * - `own`: of an organisation, seen by itself alone; partner_id, and the customer where it has one.
 * - `terms`: everybody's, or of the partner in owner_id and those above it.
 * - `application`: of an applicant, seen by the master reseller that decides, and by the partner
 *   that it became where `partner` names its column.
 * - `keyed`: of the one whose repeated requests they are.
 * - `inner`: the platform's, seen by the super admin at most.
 */
export type GuardKind = 'shared' | 'tree' | 'own' | 'terms' | 'application' | 'keyed' | 'inner'

export interface TableGuard {
  kind: GuardKind
  /** What levels may change, of their own rows; reading follows from the kind. */
  may?: Partial<Record<GuardedLevel, Verb[]>>
  /** The column that holds the partner, where it is not partner_id. */
  partner?: string
  /** The column that holds the customer, where people of customers see rows too. */
  customer?: string
  /** The column that holds the application. */
  application?: string
  /** Of an application, but never the applicant's to read. */
  internal?: true
  /** Read or written by functions that run as the owner. */
  definer?: true
}

const insert: Verb[] = ['insert']
const change: Verb[] = ['insert', 'update']
const everyVerb: Verb[] = ['select', 'insert', 'update', 'delete']
const partners = (verbs: Verb[]) => ({
  master_reseller: verbs,
  reseller: verbs,
  subreseller: verbs,
})
const everyone = (verbs: Verb[]) => ({ super_admin: verbs, ...partners(verbs), customer: verbs })
/** A request of anybody, also of one who has not signed in. */
const anybody = (verbs: Verb[]) => ({ ...everyone(verbs), intake: verbs, sign_in: verbs })
const lookedUp = { sign_in: ['select'] } satisfies TableGuard['may']
const atTheDoor = { ...lookedUp, intake: ['select'] } satisfies TableGuard['may']

/** What people sign in with is nobody's but the door's. */
const people: TableGuard = { kind: 'inner', may: { sign_in: everyVerb } }
const books: TableGuard = { kind: 'inner', may: { super_admin: insert } }

export const tableGuards: Record<keyof DB, TableGuard> = {
  accessMails: {
    kind: 'inner',
    may: { ...everyone(insert), sign_in: everyVerb },
  },
  accrualCancellations: { kind: 'tree', may: { super_admin: insert } },
  accountingPeriods: { kind: 'shared', may: { super_admin: change } },
  accruals: { kind: 'tree' },
  adjustments: { kind: 'tree', may: { super_admin: insert } },
  agreementLooks: { kind: 'inner' },
  agreementResends: {
    kind: 'application',
    application: 'application_id',
    may: { super_admin: insert, master_reseller: insert },
  },
  agreementTerms: { kind: 'inner', may: { super_admin: change } },
  agreements: { kind: 'application', application: 'application_id', partner: 'holder_id' },
  apiKeys: {
    kind: 'own',
    customer: 'customer_id',
    may: { ...everyone(change), sign_in: ['select', 'insert', 'update'] },
  },
  approvals: { kind: 'inner', may: { super_admin: change } },
  applicationAnswers: {
    kind: 'application',
    application: 'application_id',
    may: { intake: insert },
  },
  applicationContacts: {
    kind: 'application',
    application: 'application_id',
    may: { intake: insert },
  },
  applicationEvents: {
    kind: 'application',
    application: 'application_id',
    may: { intake: insert },
  },
  applicationInvitations: {
    kind: 'own',
    // Whoever opens one shows its secret.
    may: { super_admin: change, master_reseller: change, intake: ['select', 'update'] },
  },
  applicationTwins: { kind: 'application', application: 'application_id', internal: true },
  applications: { kind: 'application', application: 'id', definer: true, may: { intake: insert } },
  auditDailyChains: { kind: 'inner' },
  auditDailyHeads: { kind: 'inner' },
  auditEvents: { kind: 'tree', definer: true },
  auditHeads: { kind: 'inner', definer: true },
  auditPending: { kind: 'inner' },
  bankPayoutParts: { kind: 'tree' },
  bankPayouts: { kind: 'tree' },
  // Whoever has the number of a certificate may ask whether it is good.
  certificates: {
    kind: 'tree',
    definer: true,
    may: { super_admin: ['update'], intake: ['select'] },
  },
  clawbacks: { kind: 'tree' },
  closingAccruals: { kind: 'tree' },
  closingClawbacks: { kind: 'tree' },
  commissionBands: { kind: 'shared' },
  commissionRules: { kind: 'terms' },
  contextKeys: { kind: 'inner' },
  // No learner reads the right answers: a function of the owner marks.
  courseAnswers: { kind: 'inner', definer: true, may: { super_admin: everyVerb } },
  courseModules: { kind: 'shared', definer: true, may: { super_admin: everyVerb } },
  courses: { kind: 'shared', definer: true, may: { super_admin: change } },
  currencies: { kind: 'shared' },
  customers: {
    kind: 'tree',
    customer: 'id',
    may: { super_admin: ['update'], ...partners(change), ...lookedUp },
  },
  dataKeys: { kind: 'inner', may: { super_admin: change } },
  decisionNotes: {
    kind: 'application',
    application: 'application_id',
    may: { super_admin: insert, master_reseller: insert },
  },
  disputes: { kind: 'tree' },
  documents: { kind: 'application', application: 'holder_id', partner: 'holder_id' },
  enrolments: { kind: 'tree', definer: true, may: partners(insert) },
  erasures: { kind: 'inner' },
  featurePackages: { kind: 'shared', may: { super_admin: change, ...lookedUp } },
  fxRates: { kind: 'shared', may: { super_admin: insert } },
  identityCheckEvents: { kind: 'inner' },
  identityChecks: { kind: 'application', application: 'application_id' },
  idempotencyKeys: { kind: 'keyed', may: anybody(everyVerb) },
  informationAnswers: {
    kind: 'application',
    application: 'application_id',
    may: { intake: insert },
  },
  informationRequests: {
    kind: 'application',
    application: 'application_id',
    may: { super_admin: insert, master_reseller: insert },
  },
  invitations: {
    kind: 'own',
    may: { super_admin: change, ...partners(change), sign_in: ['select', 'update'] },
  },
  ledgerAccounts: books,
  ledgerBalances: { kind: 'inner', may: { super_admin: change } },
  ledgerJournals: books,
  ledgerPostings: books,
  ledgerSeals: { kind: 'inner' },
  ledgerUnchecked: { kind: 'inner', may: { super_admin: ['insert', 'delete'] } },
  // Its own partner opens, answers and withdraws; the platform answers and decides.
  lineDisputes: { kind: 'tree', may: { super_admin: change, ...partners(change) } },
  lineDisputeEvents: { kind: 'tree', may: { super_admin: insert, ...partners(insert) } },
  linePayments: { kind: 'tree' },
  lineReversals: { kind: 'tree' },
  mailTemplates: {
    kind: 'own',
    may: {
      super_admin: ['insert', 'update', 'delete'],
      ...partners(['insert', 'update', 'delete']),
    },
  },
  manualTasks: { kind: 'inner', may: { super_admin: change } },
  members: {
    kind: 'own',
    customer: 'customer_id',
    may: { ...everyone(change), sign_in: ['select', 'insert', 'update'] },
  },
  memberInvitations: {
    kind: 'own',
    customer: 'customer_id',
    may: { ...everyone(change), sign_in: ['select', 'update'] },
  },
  moduleCompletions: { kind: 'tree', definer: true, may: partners(insert) },
  notices: { kind: 'inner', may: { super_admin: insert, ...partners(insert), sign_in: insert } },
  // The link in its mail shows an export, and lets nobody else look.
  offboardingEvents: { kind: 'inner' },
  offboardingExports: { kind: 'inner', may: { intake: ['select'] } },
  offboardings: { kind: 'inner', may: { super_admin: change, intake: ['select'] } },
  oidcSignIns: people,
  passkeyChallenges: people,
  passkeys: people,
  passwordResets: people,
  people,
  recoveryCodes: people,
  // A trigger ends them, as the owner, when their member is disabled.
  sessions: { ...people, definer: true },
  signInLimits: people,
  partnerAncestry: {
    kind: 'inner',
    definer: true,
    may: { super_admin: ['insert', 'update', 'delete'], ...lookedUp },
  },
  partnerHolds: { kind: 'inner', definer: true, may: { super_admin: change } },
  partnerLinks: { kind: 'tree', may: { super_admin: ['update'], ...partners(change) } },
  partnerMoves: { kind: 'own', may: { super_admin: insert } },
  partnerPlaces: { kind: 'inner', definer: true, may: { super_admin: insert, ...lookedUp } },
  partnerReserves: { kind: 'tree' },
  partnerStatusChanges: { kind: 'own', definer: true, may: { super_admin: insert } },
  partnerTiers: { kind: 'tree', may: { super_admin: ['insert', 'update', 'delete'] } },
  partnerVerifications: { kind: 'tree' },
  partners: {
    kind: 'tree',
    partner: 'id',
    definer: true,
    may: { super_admin: ['update'], ...atTheDoor },
  },
  payments: { kind: 'tree', customer: 'customer_id' },
  payoutAccounts: { kind: 'application', application: 'application_id' },
  payoutAttempts: { kind: 'tree' },
  payoutDecisions: { kind: 'inner', may: { super_admin: insert } },
  payoutExceptions: { kind: 'tree', may: { super_admin: ['update'] } },
  payoutFloors: { kind: 'shared', may: { super_admin: change } },
  payoutReturns: { kind: 'tree', may: { super_admin: insert } },
  payouts: { kind: 'tree', may: { super_admin: ['update'] } },
  programmes: { kind: 'shared', may: { super_admin: change } },
  // Functions of the owner take from it, exactly.
  rateLimits: { kind: 'inner', definer: true },
  quizAttempts: { kind: 'tree', definer: true },
  reserveEnds: { kind: 'tree' },
  reserveReleases: { kind: 'tree', may: { super_admin: insert } },
  reconBreaks: { kind: 'inner', may: { super_admin: ['update'] } },
  screenings: { kind: 'application', application: 'application_id', internal: true },
  screeningHits: { kind: 'application', application: 'application_id', internal: true },
  screeningDecisions: {
    kind: 'application',
    application: 'application_id',
    internal: true,
    may: { super_admin: insert },
  },
  // Each partner's own: those above it do not see who it is for tax.
  selfBillingAgreements: { kind: 'own', may: { super_admin: ['update'], ...partners(change) } },
  selfBillingDocuments: { kind: 'own' },
  selfBillingProfiles: { kind: 'own', may: { super_admin: change, ...partners(change) } },
  selfBillingSeries: { kind: 'inner' },
  selfBillingSkips: { kind: 'own' },
  settlementDecisions: { kind: 'inner', may: { super_admin: change } },
  settlementExclusions: { kind: 'inner' },
  settlementHolds: { kind: 'inner', definer: true, may: { super_admin: ['update'] } },
  settlementRuns: { kind: 'inner', may: { super_admin: insert } },
  settlementShards: { kind: 'inner' },
  statementEntries: { kind: 'tree' },
  statementHolds: { kind: 'tree' },
  settlementStages: { kind: 'inner' },
  statements: { kind: 'tree' },
  stripeMirror: { kind: 'inner' },
  stripeTxns: { kind: 'inner' },
  subscriptions: {
    kind: 'tree',
    customer: 'customer_id',
    may: { super_admin: ['update'], ...partners(insert), ...lookedUp },
  },
  // A partner hands its own in; those above do not see them.
  taxForms: { kind: 'own', may: { super_admin: change, ...partners(change) } },
  taxYears: { kind: 'shared', may: { super_admin: change } },
  // Functions of the owner assign, release and rule.
  territoryAssignments: { kind: 'tree', definer: true, may: { super_admin: ['update'] } },
  termsAcceptances: { kind: 'tree', may: { super_admin: ['update'] } },
  terminations: { kind: 'inner', may: { super_admin: change } },
  tenantBranding: { kind: 'own', may: { super_admin: change, ...partners(change), ...lookedUp } },
  tenantDomains: { kind: 'own', may: { super_admin: change, ...partners(change), ...lookedUp } },
  tenantImages: { kind: 'own', may: { super_admin: change, ...partners(change), ...lookedUp } },
  tenantPackages: { kind: 'own', may: { super_admin: change } },
  // How often its programs may ask is looked up with their key.
  tenantQuotas: { kind: 'own', may: { super_admin: change, ...lookedUp } },
  tenants: { kind: 'tree', definer: true, may: { super_admin: ['update'], ...lookedUp } },
  tierGraceDecisions: { kind: 'inner', may: { super_admin: insert } },
  tierGraces: { kind: 'tree' },
  tierLocks: { kind: 'inner', may: { super_admin: change } },
  tierReviews: { kind: 'tree', may: { super_admin: ['update'] } },
  tiers: { kind: 'shared', may: { super_admin: change } },
  vatRates: { kind: 'shared', may: { super_admin: change } },
  verificationEvents: { kind: 'inner' },
  // A link in its mails stops them, whoever opens it.
  welcomeSequences: { kind: 'inner', may: { intake: ['select', 'update'] } },
  verificationExtensions: { kind: 'inner', may: { super_admin: insert } },
  webhookEvents: { kind: 'inner', may: { intake: ['select', 'insert'] } },
}
