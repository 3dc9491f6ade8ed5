/** For every route, what it shows or changes, and how to ask it about a thing of somebody. */
import type { Permission } from '../../api/policies.ts'
import { applicationStatuses } from '../../domain/onboarding.ts'
import type { Json } from './kit.ts'
import { ofEarnings } from './matrix-earnings.ts'
import { ofFinance } from './matrix-finance.ts'
import { ofEnds } from './matrix-lifecycle.ts'
import { ofRuns } from './matrix-runs.ts'
import { ofSelfBilling } from './matrix-self-billing.ts'
import { ofTiers } from './matrix-tiers.ts'
import { maySee, type Thing, type ThingKind, type Viewer } from './matrix-world.ts'
import { settledPeriod } from './world.ts'

/** Ids that are good for everybody who may do it at all. */
export interface Known {
  featurePackage: string
  parent: string
}

export interface Line {
  /** Of a route without an id: whose rows it lists, and the things that its filters name. */
  list?: ThingKind
  filters?: Record<string, ThingKind>
  /** What a list cannot do without, or its other ways to be asked. */
  queries?: string[]
  /** The answer is a file of rows. */
  file?: true
  /** Of which kind the id is that it takes, in the path or in the body. */
  about?: ThingKind
  body?(id: string, known: Known): Json
  /** The body where it is no JSON. */
  raw?: Buffer
  /** Who acts on a thing, where seeing it does not suffice. */
  reaches?(viewer: Viewer, thing: Thing): boolean
  /** Its path also names something inside of the thing, which is not there. */
  inside?: true
  /** How it answers about a thing that is there and not yet so far; 200 where it is left out. */
  early?: number
  /** How it answers about what is not there; 404 unless it is named in a body. */
  absent?: number
  /** Of routes that are open, where a key is looked at: what it has to be good for. */
  permission?: Permission
  /** It takes no id and shows nothing of anybody, or only of the one who asks. */
  without?: string
}

const ofOwnOrganisation = (viewer: Viewer, { place, customer }: Thing) =>
  viewer.place === place && viewer.customer === customer
const ofOwnCustomers = (viewer: Viewer, { place }: Thing) =>
  viewer.level !== 'customer' && viewer.place === place
const ofOwnTenant = (viewer: Viewer, { place }: Thing) =>
  viewer.place === null || viewer.place === place
const below = (viewer: Viewer, thing: Thing) =>
  maySee(viewer, thing) && viewer.place !== thing.place

const png = Buffer.from('89504e470d0a1a0a', 'hex')
const hash = 'a'.repeat(64)
const reason = 'for the matrix'
const terms = { title: 'Matrix', validity_days: null, pass_score: 50 }
const courseModule = { title: 'Matrix', body: 'Read this', minutes: 5 }
const onlyOwn = 'of the one who asks'
const ofTheLink = 'the link of the applicant is all that it takes'

const ofPlatform: Record<string, Line> = {
  'GET /v1/adjustments': { list: 'adjustment' },
  'GET /v1/adjustments/:id': { about: 'adjustment' },
  'POST /v1/adjustments': {
    about: 'partner',
    body: (partner) => ({ partner, amount: 100, currency: 'USD', reason }),
    absent: 422,
  },
  'GET /v1/approvals': { list: 'approval', queries: ['status=proposed', 'kind=manual_entry'] },
  'GET /v1/approvals/:id': { about: 'approval' },
  'POST /v1/approvals/:id/approve': { about: 'approval', body: () => ({ payload_hash: hash }) },
  'POST /v1/approvals/:id/reject': { about: 'approval', body: () => ({ reason }) },
  'POST /v1/approvals/:id/withdraw': { about: 'approval' },
  'GET /v1/screenings': {
    list: 'screening',
    filters: { application: 'application' },
    queries: ['status=review'],
  },
  'GET /v1/screenings/:id': { about: 'screening' },
  'POST /v1/screenings/:id/override': { about: 'screening', body: () => ({ reason }) },
  'POST /v1/screenings/:id/confirm': { about: 'screening', body: () => ({ reason }) },
  'GET /v1/audit-events': {
    list: 'auditEvent',
    filters: { subject: 'customer', actor: 'apiKey' },
    queries: ['kind=customer', 'action=system'],
  },
  'GET /v1/audit-events/export': { file: true, queries: ['format=jsonl', 'format=csv'] },
  'GET /v1/manual-tasks': { list: 'manualTask', queries: ['status=open'] },
  'POST /v1/manual-tasks/:id/close': { about: 'manualTask', body: () => ({ note: reason }) },
  'GET /v1/agreement-terms': { list: 'agreementTerms' },
  'GET /v1/agreement-terms/:id': { about: 'agreementTerms' },
  'GET /v1/agreement-terms/:id/preview': { about: 'agreementTerms' },
  'POST /v1/agreement-terms': { without: 'a version is the platform’s alone' },
  'POST /v1/agreement-terms/:id/publish': {
    about: 'agreementTerms',
    body: () => ({ effective_from: '2100-01-01T00:00:00Z' }),
  },
  'GET /v1/settlement-runs': {
    list: 'settlementRun',
    queries: [`period=${settledPeriod}`, 'overdue=false'],
  },
  'POST /v1/settlement-runs': { without: 'a period is nobody’s' },
  'GET /v1/settlement-runs/:id': { about: 'settlementRun' },
  'POST /v1/settlement-runs/:id/review': {
    about: 'settlementRun',
    body: () => ({ totals_hash: hash }),
  },
  'POST /v1/settlement-runs/:id/release': {
    about: 'settlementRun',
    body: () => ({ totals_hash: hash }),
  },
  ...ofRuns,
  ...ofFinance,
}

const ofPartners: Record<string, Line> = {
  'GET /v1/partners': { list: 'partner' },
  'GET /v1/partners/:id': { about: 'partner' },
  'POST /v1/partners/:id/suspend': { about: 'partner', body: () => ({ reason }), reaches: below },
  'POST /v1/partners/:id/activate': { about: 'partner', body: () => ({ reason }), reaches: below },
  'GET /v1/partners/:id/moves': {
    about: 'partner',
    reaches: (viewer, { place }) => viewer.place === null || viewer.place === place,
  },
  'POST /v1/partners/:id/moves': { about: 'partner', body: (_, { parent }) => ({ parent }) },
  'GET /v1/territories': {
    list: 'territory',
    filters: { holder: 'partner' },
    queries: ['code=DE', 'status=assigned'],
  },
  'GET /v1/territory-assignments/:id': { about: 'territory' },
  'POST /v1/partners/:id/territories': {
    about: 'partner',
    body: () => ({ code: 'PT-11', mode: 'shared' }),
    reaches: below,
  },
  'POST /v1/territory-assignments/:id/release': {
    about: 'territory',
    body: () => ({ reason }),
    reaches: below,
  },
  'GET /v1/territory-conflicts': { list: 'territoryConflict' },
  'POST /v1/territory-conflicts/:id/ruling': {
    about: 'territoryConflict',
    body: () => ({ ruling: 'share', reason }),
    reaches: below,
  },
  'GET /v1/programme': { without: 'the programme is everybody’s' },
  'PATCH /v1/programme': { without: 'there is one programme' },
  'GET /v1/partners/:id/verification': { about: 'partner' },
  'POST /v1/partners/:id/verification/extension': {
    about: 'partner',
    body: () => ({ until: new Date(Date.now() + 86_400_000).toISOString(), reason }),
  },
  'POST /v1/partners/:id/verification/link': {
    about: 'partner',
    reaches: (viewer, { place }) => viewer.place === place,
  },
  'GET /v1/tenants': { list: 'tenant' },
  'GET /v1/tenants/:id': { about: 'tenant' },
  'POST /v1/tenants/:id/retry': { about: 'tenant' },
  'POST /v1/tenants/:id/abandon': { about: 'tenant' },
  'POST /v1/tenants/:id/invitation/resend': { about: 'tenant' },
  'GET /v1/tenants/:id/branding': { about: 'tenant', reaches: ofOwnTenant },
  'PATCH /v1/tenants/:id/branding': {
    about: 'tenant',
    body: () => ({ footer_text: 'of the matrix' }),
    reaches: ofOwnTenant,
  },
  'PUT /v1/tenants/:id/branding/logo': { about: 'tenant', reaches: ofOwnTenant, raw: png },
  'PUT /v1/tenants/:id/branding/favicon': { about: 'tenant', reaches: ofOwnTenant, raw: png },
  'PUT /v1/tenants/:id/domain': {
    about: 'tenant',
    body: (tenant) => ({ domain: `${tenant.slice(-8)}.matrix.test` }),
    reaches: ofOwnTenant,
  },
  'GET /v1/tenants/:id/domain': { about: 'tenant', reaches: ofOwnTenant },
  'DELETE /v1/tenants/:id/domain': { about: 'tenant', reaches: ofOwnTenant },
  'POST /v1/tenants/:id/domain/check': { about: 'tenant', reaches: ofOwnTenant },
  'GET /v1/tenants/:id/quotas': { about: 'tenant', reaches: ofOwnTenant },
  'PATCH /v1/tenants/:id/quotas': { about: 'tenant', body: () => ({ customers: 7 }) },
  'GET /v1/tenants/:id/packages': { about: 'tenant', reaches: ofOwnTenant },
  'PUT /v1/tenants/:id/packages': {
    about: 'tenant',
    body: (_, { featurePackage }) => ({ package: featurePackage, offered: true }),
  },
  ...ofTiers,
  'GET /v1/courses': { list: 'course' },
  'GET /v1/courses/:id': { about: 'course' },
  'POST /v1/courses': { without: 'courses are everybody’s' },
  'PUT /v1/courses/:id': { about: 'course', body: () => terms },
  'PUT /v1/courses/:id/modules/:n': { about: 'course', body: () => courseModule },
  'DELETE /v1/courses/:id/modules/:n': { about: 'course' },
  'POST /v1/courses/:id/publish': { about: 'course' },
  'POST /v1/courses/:id/retire': { about: 'course' },
  'GET /v1/enrolments': { list: 'enrolment', filters: { partner: 'partner' } },
  'POST /v1/enrolments': { without: 'courses are everybody’s' },
  'GET /v1/enrolments/:id': { about: 'enrolment' },
  'POST /v1/enrolments/:id/modules/:n/complete': { about: 'enrolment', reaches: ofOwnCustomers },
  'POST /v1/enrolments/:id/quiz': {
    about: 'enrolment',
    body: () => ({ answers: [] }),
    reaches: ofOwnCustomers,
  },
  'GET /v1/certificates': { list: 'certificate' },
  'GET /v1/certificates/:id/pdf': { about: 'certificate' },
  'GET /v1/certificates/:number': { without: 'whoever has the number' },
  'POST /v1/certificates/:id/revocation': { about: 'certificate', body: () => ({ reason }) },
  'GET /v1/partners/:id/certification': { about: 'partner' },
  'POST /v1/simulations': { without: 'a scenario has partners of its own' },
}

const ofSales: Record<string, Line> = {
  'GET /v1/packages': { list: 'featurePackage' },
  'GET /v1/packages/:id': { about: 'featurePackage' },
  'POST /v1/packages': { without: 'the catalog is everybody’s' },
  'GET /v1/links': { list: 'link' },
  'GET /v1/links/:id': { about: 'link' },
  'POST /v1/links': { without: onlyOwn },
  'GET /v1/customers': { list: 'customer' },
  'GET /v1/customers/:id': { about: 'customer' },
  'POST /v1/customers': {
    about: 'link',
    body: (link) => ({ name: 'Ada', email: 'ada@customer.example', link }),
    reaches: ofOwnCustomers,
    absent: 422,
  },
  'POST /v1/customers/:id/members': {
    about: 'customer',
    body: () => ({ name: 'Ada', email: 'ada@customer.example' }),
    reaches: ofOwnCustomers,
  },
  'POST /v1/customers/:id/api-keys': {
    about: 'customer',
    body: () => ({ label: 'matrix' }),
    reaches: ofOwnCustomers,
  },
  'GET /v1/subscriptions': { list: 'subscription' },
  'GET /v1/subscriptions/:id': { about: 'subscription' },
  'POST /v1/subscriptions': {
    about: 'customer',
    body: (customer, { featurePackage }) => ({ customer, package: featurePackage }),
    reaches: ofOwnCustomers,
  },
  'GET /v1/applications': {
    list: 'application',
    queries: [`status=${applicationStatuses[0]}`, 'stage=screening', 'overdue=false'],
  },
  'GET /apply': { without: 'what the programme asks is everybody’s' },
  'GET /v1/application-form': { without: 'what the programme asks is everybody’s' },
  'POST /v1/application-invitations': { without: onlyOwn },
  'GET /v1/application-invitations': { list: 'applicationInvitation' },
  'GET /v1/application-invitations/:id': { about: 'applicationInvitation' },
  'POST /v1/application-invitations/:id/resend': { about: 'applicationInvitation' },
  'POST /v1/application-invitations/:id/revoke': { about: 'applicationInvitation' },
  'POST /v1/applications': { without: 'whoever applies names a parent that it knows' },
  'GET /v1/applications/:id': { about: 'application', permission: 'applications.read' },
  'GET /v1/applications/:id/verification': { without: ofTheLink },
  'GET /v1/applications/:id/agreement': {
    about: 'application',
    permission: 'applications.read',
  },
  'GET /v1/applications/:id/agreement/signing': { without: ofTheLink },
  'GET /v1/applications/:id/agreement/document': {
    about: 'application',
    permission: 'applications.read',
  },
  'GET /v1/applications/:id/agreement/certificate': { about: 'application' },
  'POST /v1/applications/:id/agreement/resend': { about: 'application', body: () => ({}) },
  'GET /v1/agreements': { list: 'agreement' },
  'GET /v1/agreements/:id': { about: 'agreement' },
  'GET /v1/agreements/:id/document': { about: 'agreement' },
  'POST /v1/applications/:id/decision': {
    about: 'application',
    body: () => ({ decision: 'reject', reason }),
  },
  'POST /v1/applications/:id/decision/undo': { about: 'application' },
  'POST /v1/applications/:id/information-requests': {
    about: 'application',
    body: () => ({ questions: ['Who sells for you?'] }),
  },
  'POST /v1/applications/:id/information-requests/:number/answer': { without: ofTheLink },
  'POST /v1/applications/:id/withdrawal': { without: ofTheLink },
}

const ofAccess: Record<string, Line> = {
  'GET /v1/me': { without: onlyOwn },
  'GET /v1/api-keys': { list: 'apiKey' },
  'GET /v1/api-keys/:id': { about: 'apiKey' },
  'POST /v1/api-keys': { without: onlyOwn },
  'POST /v1/api-keys/:id/roll': {
    about: 'apiKey',
    body: () => ({ grace_seconds: 3_600 }),
    reaches: ofOwnOrganisation,
  },
  'POST /v1/api-keys/report-leak': { without: 'the key itself is all that it takes' },
  'DELETE /v1/api-keys/:id': { about: 'apiKey', reaches: ofOwnOrganisation },
  'GET /v1/members': { list: 'member' },
  'GET /v1/members/:id': { about: 'member' },
  'PATCH /v1/members/:id': {
    about: 'member',
    body: () => ({ role: 'viewer' }),
    reaches: ofOwnOrganisation,
  },
  'GET /v1/member-invitations': { list: 'memberInvitation' },
  'POST /v1/member-invitations': { without: onlyOwn },
  'DELETE /v1/member-invitations/:id': { about: 'memberInvitation', reaches: ofOwnOrganisation },
  'POST /v1/member-invitations/accept': { without: 'the token is all that it takes' },
  'POST /v1/invitations/accept': { without: 'the token is all that it takes' },
}

const without = (reason: string, routes: string): Record<string, Line> =>
  Object.fromEntries(
    routes
      .trim()
      .split('\n')
      .map((route) => [route.trim(), { without: reason }]),
  )

const ofMails = without(
  'each organisation has words of its own, and the link proves itself',
  `GET /v1/mail-templates
  GET /v1/mail-templates/:template
  PUT /v1/mail-templates/:template
  DELETE /v1/mail-templates/:template
  GET /v1/mail-templates/:template/preview
  POST /v1/mail-templates/:template/preview
  GET /v1/partners/:id/welcome-mails/stop`,
)

/** What is done with a cookie instead of a key. */
const ofPeople = without(
  'by the session of a person',
  `POST /v1/sessions
  GET /v1/sessions
  DELETE /v1/sessions
  DELETE /v1/sessions/:id
  GET /v1/sessions/current
  DELETE /v1/sessions/current
  POST /v1/sessions/current/totp
  POST /v1/sessions/current/step-up
  POST /v1/sessions/current/passkey
  POST /v1/sessions/current/passkey/options
  GET /v1/passkeys
  POST /v1/passkeys
  POST /v1/passkeys/options
  DELETE /v1/passkeys/:id
  GET /v1/second-factors
  POST /v1/second-factors/totp
  POST /v1/second-factors/totp/confirm
  DELETE /v1/second-factors/totp
  POST /v1/second-factors/recovery-codes
  POST /v1/passwords`,
)

const ofNobody = without(
  'before anybody is known',
  `POST /v1/password-resets
  POST /v1/password-resets/confirm
  GET /v1/sign-in/oidc
  GET /v1/tls/ask
  GET /v1/tenants/by-host
  GET /v1/tenants/by-host/logo
  GET /v1/tenants/by-host/favicon
  GET /v1/sign-in/oidc/callback
  POST /v1/webhooks/stripe
  POST /v1/webhooks/stripe-thin
  POST /v1/webhooks/docusign
  GET /healthz
  GET /readyz`,
)

export const matrix: Record<string, Line> = {
  ...ofPlatform,
  ...ofPartners,
  ...ofEarnings,
  ...ofEnds,
  ...ofSelfBilling,
  ...ofSales,
  ...ofAccess,
  ...ofMails,
  ...ofPeople,
  ...ofNobody,
}
