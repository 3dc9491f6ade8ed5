import { meanings } from '../../api/errors.ts'
import { type Product, startProduct } from '../support/product.ts'
import { clientOf, type Json } from './kit.ts'

interface Parameter {
  name: string
  in: string
  required: boolean
  schema: Json
}

interface Operation {
  tags: string[]
  summary: string
  operationId: string
  parameters: Parameter[]
  requestBody?: { required: boolean; content: Record<string, { schema: Json }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: Json }> }>
  security: Json[]
  'x-levels'?: string[]
  'x-scope'?: string
}

interface Document extends Json {
  openapi: string
  info: Json
  servers: { url: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Json>; securitySchemes: Record<string, Json> }
}

let product: Product
let document: Document
beforeAll(async () => {
  product = await startProduct()
  const { status, body } = await clientOf(product.api)('/openapi.json')
  expect(status).toBe(200)
  document = body as Document
})
afterAll(() => product.stop())

/** Every route there is, with who may call it; a new one has to be added here and be tested. */
const inventory = `
POST /v1/applications: anyone
GET /v1/application-form: anyone
POST /v1/application-invitations: super_admin master_reseller, applications:write
GET /v1/application-invitations: super_admin master_reseller, applications:read
GET /v1/application-invitations/{id}: super_admin master_reseller, applications:read
POST /v1/application-invitations/{id}/resend: super_admin master_reseller, applications:write
POST /v1/application-invitations/{id}/revoke: super_admin master_reseller, applications:write
GET /v1/applications: super_admin master_reseller, applications:read
GET /v1/applications/{id}: anyone with a link
GET /v1/applications/{id}/agreement: anyone with a link
GET /v1/applications/{id}/agreement/signing: anyone with a link
GET /v1/applications/{id}/agreement/document: anyone with a link
GET /v1/applications/{id}/agreement/certificate: super_admin master_reseller, applications:read
POST /v1/applications/{id}/agreement/resend: super_admin master_reseller, approvals:write
GET /v1/applications/{id}/verification: anyone with a link
POST /v1/applications/{id}/decision: super_admin master_reseller, approvals:write
POST /v1/applications/{id}/decision/undo: super_admin master_reseller, approvals:write
POST /v1/applications/{id}/information-requests: super_admin master_reseller, approvals:write
POST /v1/applications/{id}/information-requests/{number}/answer: anyone
POST /v1/applications/{id}/withdrawal: anyone
POST /v1/agreement-terms: super_admin, terms:write
GET /v1/agreement-terms: super_admin, terms:read
GET /v1/agreement-terms/{id}: super_admin, terms:read
GET /v1/agreement-terms/{id}/preview: super_admin, terms:read
POST /v1/agreement-terms/{id}/publish: super_admin, approvals:write
GET /v1/agreements: super_admin master_reseller reseller, agreements:read
GET /v1/agreements/{id}: super_admin master_reseller reseller, agreements:read
GET /v1/agreements/{id}/document: super_admin master_reseller reseller, agreements:read
GET /v1/partners: super_admin master_reseller reseller, partners:read
GET /v1/partners/{id}: super_admin master_reseller reseller, partners:read
POST /v1/partners/{id}/suspend: super_admin master_reseller, approvals:write
POST /v1/partners/{id}/activate: super_admin master_reseller, approvals:write
POST /v1/partners/{id}/moves: super_admin, approvals:write
POST /v1/partners/{id}/termination: super_admin, approvals:write
POST /v1/partners/{id}/reinstatement: super_admin, approvals:write
GET /v1/partners/{id}/moves: super_admin master_reseller reseller, partners:read
GET /v1/partners/{id}/verification: super_admin master_reseller reseller, partners:read
POST /v1/partners/{id}/verification/extension: super_admin, approvals:write
POST /v1/partners/{id}/verification/link: master_reseller reseller, verification:write
GET /v1/territories: super_admin master_reseller reseller, territories:read
GET /v1/territory-assignments/{id}: super_admin master_reseller reseller, territories:read
POST /v1/partners/{id}/territories: super_admin master_reseller, approvals:write
POST /v1/territory-assignments/{id}/release: super_admin master_reseller, approvals:write
GET /v1/territory-conflicts: super_admin master_reseller, conflicts:read
POST /v1/territory-conflicts/{id}/ruling: super_admin master_reseller, approvals:write
GET /v1/tenants: super_admin master_reseller reseller, tenants:read
GET /v1/tenants/{id}: super_admin master_reseller reseller, tenants:read
POST /v1/tenants/{id}/retry: super_admin, tenants:write
POST /v1/tenants/{id}/abandon: super_admin, tenants:write
GET /v1/tenants/by-host: anyone
GET /v1/tenants/by-host/logo: anyone
GET /v1/tenants/by-host/favicon: anyone
GET /v1/tenants/{id}/branding: super_admin master_reseller reseller, tenants:read
PATCH /v1/tenants/{id}/branding: super_admin master_reseller reseller, tenants:write
PUT /v1/tenants/{id}/branding/logo: super_admin master_reseller reseller, tenants:write
PUT /v1/tenants/{id}/branding/favicon: super_admin master_reseller reseller, tenants:write
PUT /v1/tenants/{id}/domain: super_admin master_reseller reseller, tenants:write
GET /v1/tenants/{id}/domain: super_admin master_reseller reseller, tenants:read
DELETE /v1/tenants/{id}/domain: super_admin master_reseller reseller, tenants:write
POST /v1/tenants/{id}/domain/check: super_admin master_reseller reseller, tenants:write
GET /v1/tls/ask: anyone
GET /v1/tenants/{id}/quotas: super_admin master_reseller reseller, tenants:read
PATCH /v1/tenants/{id}/quotas: super_admin, tenants:write
GET /v1/tenants/{id}/packages: super_admin master_reseller reseller, tenants:read
PUT /v1/tenants/{id}/packages: super_admin, tenants:write
GET /v1/manual-tasks: super_admin, tasks:read
POST /v1/manual-tasks/{id}/close: super_admin, tasks:write
GET /v1/programme: super_admin master_reseller reseller, programme:read
PATCH /v1/programme: super_admin, programme:write
POST /v1/packages: super_admin, packages:write
GET /v1/packages: super_admin master_reseller reseller customer, packages:read
GET /v1/packages/{id}: super_admin master_reseller reseller customer, packages:read
POST /v1/links: master_reseller reseller, links:write
GET /v1/links: super_admin master_reseller reseller, links:read
GET /v1/links/{id}: super_admin master_reseller reseller, links:read
POST /v1/customers: master_reseller reseller, customers:write
GET /v1/customers: super_admin master_reseller reseller customer, customers:read
GET /v1/customers/{id}: super_admin master_reseller reseller customer, customers:read
POST /v1/subscriptions: master_reseller reseller, subscriptions:write
GET /v1/subscriptions: super_admin master_reseller reseller customer, subscriptions:read
GET /v1/subscriptions/{id}: super_admin master_reseller reseller customer, subscriptions:read
GET /v1/accruals: super_admin master_reseller reseller, accruals:read
GET /v1/accruals/{id}/why: super_admin master_reseller reseller, accruals:read
GET /v1/clawbacks: super_admin master_reseller reseller, accruals:read
POST /v1/settlement-runs: super_admin, settlement:write
GET /v1/settlement-runs: super_admin, settlement:read
GET /v1/settlement-runs/{id}: super_admin, settlement:read
POST /v1/settlement-runs/{id}/review: super_admin, approvals:write
POST /v1/settlement-runs/{id}/release: super_admin, approvals:write
GET /v1/statements: super_admin master_reseller reseller, statements:read
GET /v1/statements/{id}: super_admin master_reseller reseller, statements:read
GET /v1/statements/{id}/pdf: super_admin master_reseller reseller, statements:read
GET /v1/statements/{id}/csv: super_admin master_reseller reseller, statements:read
GET /v1/payouts: super_admin master_reseller reseller, payouts:read
GET /v1/payouts/{id}: super_admin master_reseller reseller, payouts:read
GET /v1/tiers: super_admin master_reseller reseller, tiers:read
GET /v1/tiers/changes: super_admin master_reseller reseller, tiers:read
GET /v1/courses: super_admin master_reseller reseller, training:read
POST /v1/courses: super_admin, courses:write
GET /v1/courses/{id}: super_admin master_reseller reseller, training:read
PUT /v1/courses/{id}: super_admin, courses:write
PUT /v1/courses/{id}/modules/{n}: super_admin, courses:write
DELETE /v1/courses/{id}/modules/{n}: super_admin, courses:write
POST /v1/courses/{id}/publish: super_admin, courses:write
POST /v1/courses/{id}/retire: super_admin, courses:write
GET /v1/enrolments: super_admin master_reseller reseller, training:read
POST /v1/enrolments: master_reseller reseller, training:write
GET /v1/enrolments/{id}: super_admin master_reseller reseller, training:read
POST /v1/enrolments/{id}/modules/{n}/complete: master_reseller reseller, training:write
POST /v1/enrolments/{id}/quiz: master_reseller reseller, training:write
GET /v1/certificates: super_admin master_reseller reseller, training:read
GET /v1/certificates/{number}: anyone
GET /v1/certificates/{id}/pdf: super_admin master_reseller reseller, training:read
POST /v1/certificates/{id}/revocation: super_admin, approvals:write
GET /v1/partners/{id}/certification: super_admin master_reseller reseller, training:read
POST /v1/partners/{id}/tier-override: super_admin, approvals:write
POST /v1/adjustments: super_admin, approvals:write
GET /v1/adjustments: super_admin master_reseller reseller, adjustments:read
GET /v1/adjustments/{id}: super_admin master_reseller reseller, adjustments:read
GET /v1/screenings: super_admin master_reseller, screenings:read
GET /v1/screenings/{id}: super_admin master_reseller, screenings:read
POST /v1/screenings/{id}/override: super_admin, approvals:write
POST /v1/screenings/{id}/confirm: super_admin, approvals:write
GET /v1/approvals: super_admin, approvals:read
GET /v1/approvals/{id}: super_admin, approvals:read
POST /v1/approvals/{id}/approve: super_admin, approvals:write
POST /v1/approvals/{id}/reject: super_admin, approvals:write
POST /v1/approvals/{id}/withdraw: super_admin, approvals:write
POST /v1/simulations: super_admin master_reseller reseller, simulations:read
GET /v1/me: super_admin master_reseller reseller customer, account:read
POST /v1/invitations/accept: anyone
GET /v1/api-keys: super_admin master_reseller reseller customer, keys:read
POST /v1/api-keys: super_admin master_reseller reseller customer, keys:write
GET /v1/api-keys/{id}: super_admin master_reseller reseller customer, keys:read
DELETE /v1/api-keys/{id}: super_admin master_reseller reseller customer, keys:write
POST /v1/api-keys/{id}/roll: super_admin master_reseller reseller customer, keys:write
POST /v1/api-keys/report-leak: anyone
POST /v1/customers/{id}/members: master_reseller reseller, customers:write
POST /v1/customers/{id}/api-keys: master_reseller reseller, customers:write
GET /v1/sign-in/oidc: anyone
GET /v1/sign-in/oidc/callback: anyone
POST /v1/sessions: anyone
GET /v1/sessions: anyone
DELETE /v1/sessions: anyone
GET /v1/sessions/current: anyone
DELETE /v1/sessions/current: anyone
POST /v1/sessions/current/totp: anyone
POST /v1/sessions/current/step-up: anyone
DELETE /v1/sessions/{id}: anyone
GET /v1/second-factors: anyone
POST /v1/second-factors/totp: anyone
DELETE /v1/second-factors/totp: anyone
POST /v1/second-factors/totp/confirm: anyone
POST /v1/second-factors/recovery-codes: anyone
POST /v1/passkeys/options: anyone
POST /v1/passkeys: anyone
GET /v1/passkeys: anyone
POST /v1/sessions/current/passkey/options: anyone
POST /v1/sessions/current/passkey: anyone
DELETE /v1/passkeys/{id}: anyone
POST /v1/passwords: anyone
POST /v1/password-resets: anyone
POST /v1/password-resets/confirm: anyone
GET /v1/members: super_admin master_reseller reseller customer, members:read
GET /v1/members/{id}: super_admin master_reseller reseller customer, members:read
PATCH /v1/members/{id}: super_admin master_reseller reseller customer, members:write
POST /v1/member-invitations: super_admin master_reseller reseller customer, members:write
GET /v1/member-invitations: super_admin master_reseller reseller customer, members:read
DELETE /v1/member-invitations/{id}: super_admin master_reseller reseller customer, members:write
POST /v1/member-invitations/accept: anyone
GET /v1/mail-templates: super_admin master_reseller reseller, mails:read
GET /v1/mail-templates/{template}: super_admin master_reseller reseller, mails:read
PUT /v1/mail-templates/{template}: super_admin master_reseller reseller, mails:write
DELETE /v1/mail-templates/{template}: super_admin master_reseller reseller, mails:write
GET /v1/mail-templates/{template}/preview: super_admin master_reseller reseller, mails:read
POST /v1/mail-templates/{template}/preview: super_admin master_reseller reseller, mails:write
GET /v1/partners/{id}/welcome-mails/stop: anyone
GET /v1/audit-events: super_admin master_reseller reseller, audit:read
GET /v1/audit-events/export: super_admin master_reseller reseller, audit:read
POST /v1/webhooks/stripe: anyone
POST /v1/webhooks/stripe-thin: anyone
POST /v1/webhooks/docusign: anyone
GET /healthz: anyone
GET /readyz: anyone`
  .trim()
  .split('\n')

/** What outside programs rely on: each refusal by name at the place where it can happen. */
const refusals: [string, string[]][] = [
  ['POST /v1/applications', ['invalid_request', 'malformed_request', 'too_many_requests']],
  ['POST /v1/applications', ['reapply_too_early', 'gone']],
  ['POST /v1/applications/{id}/decision', ['not_ready', 'already_decided', 'not_found']],
  ['POST /v1/invitations/accept', ['gone', 'not_found']],
  ['POST /v1/links', ['conflict', 'invalid_request', 'level_not_allowed']],
  ['POST /v1/customers', ['invalid_request', 'level_not_allowed', 'not_authenticated']],
  ['POST /v1/subscriptions', ['not_found', 'partner_not_active']],
  ['POST /v1/settlement-runs', ['period_not_over', 'earlier_period_open']],
  ['POST /v1/settlement-runs/{id}/review', ['totals_changed', 'run_finished']],
  [
    'POST /v1/settlement-runs/{id}/release',
    ['not_reviewed', 'second_person_required', 'totals_changed', 'run_finished'],
  ],
  ['POST /v1/webhooks/stripe', ['invalid_signature', 'payload_too_large']],
  ['GET /v1/statements/{id}', ['not_found', 'not_authenticated']],
]

function operations(): [string, Operation][] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  )
}

function operation(route: string): Operation {
  const found = operations().find(([name]) => name === route)
  if (!found) throw new Error(`${route} is not described`)
  return found[1]
}

function caller({ security, ...rest }: Operation): string {
  if (security.length === 0) return 'anyone'
  if (security.length === 3) return 'anyone with a link'
  return `${rest['x-levels']?.join(' ')}, ${rest['x-scope']}`
}

/** Every object inside, with the path to it. */
function* objectsIn(value: unknown, path = '#'): Generator<[string, Json]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [path, value as Json]
  for (const [key, inner] of Object.entries(value)) yield* objectsIn(inner, `${path}/${key}`)
}

const schemaTypes = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer']

describe('the description of the API', () => {
  it('is an OpenAPI 3.1 document', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/)
    expect(document.info).toMatchObject({ title: 'Tributary', version: expect.any(String) })
    expect(document.servers).toEqual([{ url: product.config.api.publicUrl }])
    expect(document.components.securitySchemes).toEqual({
      key: { type: 'http', scheme: 'bearer' },
      session: { type: 'apiKey', in: 'cookie', name: '__Host-sid' },
    })
  })

  it('has every route that there is, with who may call it, and no other', () => {
    const described = operations().map(([route, found]) => `${route}: ${caller(found)}`)
    expect(described.sort()).toEqual([...inventory].sort())
  })

  it('names every operation once', () => {
    const ids = operations().map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^(get|post|put|patch|delete)[A-Z][A-Za-z]+$/)
    for (const [, { summary, tags }] of operations()) {
      expect([summary.length > 0, tags.length]).toEqual([true, 1])
    }
  })

  it('declares each parameter of a path, and each parameter once', () => {
    for (const [route, { parameters }] of operations()) {
      const inPath = [...route.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      const declared = parameters.filter((parameter) => parameter.in === 'path')
      expect(declared.map(({ name }) => name)).toEqual(inPath)
      for (const { required } of declared) expect(required).toBe(true)
      const all = parameters.map((parameter) => `${parameter.in} ${parameter.name}`)
      expect(new Set(all).size).toBe(all.length)
      for (const { schema } of parameters) expect(Object.keys(schema).length).toBeGreaterThan(0)
    }
  })

  it('describes an answer that succeeds for every operation, with its form', () => {
    for (const [route, { responses }] of operations()) {
      const statuses = Object.keys(responses)
      for (const status of statuses) expect(status).toMatch(/^[2-5]\d\d$/)
      const good = statuses.filter((status) => status < '400' && status !== '304')
      expect([route, good.length]).toEqual([route, 1])
      const answer = responses[good[0] ?? '']
      if (good[0] !== '303') expect(Object.keys(answer?.content ?? {})).toHaveLength(1)
    }
  })

  it('has problem documents for all refusals, and only codes that exist', () => {
    const codes = Object.keys(meanings)
    for (const [route, { responses }] of operations()) {
      for (const [status, { description, content }] of Object.entries(responses)) {
        if (status < '400' || route === 'GET /readyz') continue
        expect(Object.keys(content ?? {})).toEqual(['application/problem+json'])
        for (const code of description.split(', ')) {
          expect(codes).toContain(code)
          expect(meanings[code as keyof typeof meanings].status).toBe(Number(status))
        }
      }
    }
  })

  it.each(refusals)('names what %s may refuse', (route, codes) => {
    const described = Object.values(operation(route).responses).flatMap(({ description }) =>
      description.split(', '),
    )
    expect(described).toEqual(expect.arrayContaining(codes))
  })

  it('refers to nothing that is not there, and uses only types of JSON Schema', () => {
    for (const [path, found] of objectsIn(document)) {
      if (typeof found.$ref === 'string') {
        const name = found.$ref.replace('#/components/schemas/', '')
        expect([path, Object.keys(document.components.schemas)]).toEqual([
          path,
          expect.arrayContaining([name]),
        ])
      }
      if (typeof found.type === 'string' && !path.includes('securitySchemes')) {
        expect(schemaTypes).toContain(found.type)
      }
    }
  })

  it('shows that unknown fields are refused in every body', () => {
    for (const [route, { requestBody }] of operations()) {
      if (!requestBody) continue
      expect(requestBody.required).toBe(true)
      const { schema } = requestBody.content['application/json'] ?? {}
      for (const [path, found] of objectsIn(schema)) {
        if (found.type !== 'object') continue
        expect([route, path, found.additionalProperties]).toEqual([route, path, false])
        const required = found.required as string[]
        expect(Object.keys(found.properties as Json)).toEqual(
          expect.arrayContaining(required ?? []),
        )
      }
    }
  })

  it('shows money as whole numbers that JSON keeps', () => {
    const { requestBody } = operation('POST /v1/packages')
    const properties = requestBody?.content['application/json']?.schema.properties as Json
    expect(properties.amount).toMatchObject({
      type: 'integer',
      exclusiveMinimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
    })
  })

  it('offers a request key wherever something is changed', () => {
    for (const [route, { parameters }] of operations()) {
      const isRaw = /\/(webhooks\/[a-z-]+|branding\/(logo|favicon))$/.test(route)
      const changes = !route.startsWith('GET') && !isRaw
      const offered = parameters.some(({ name }) => name === 'Idempotency-Key')
      expect([route, offered]).toEqual([route, changes])
    }
  })
})
