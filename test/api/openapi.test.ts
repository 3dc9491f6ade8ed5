import { meanings } from '../../api/errors.ts'
import { type Product, startProduct } from '../support/product.ts'
import { clientOf, type Json } from './kit.ts'
import { inventory } from './route-inventory.ts'

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
      const all = statuses.filter((status) => status < '400' && status !== '304')
      // A form of a page leads its browser back; a program gets the answer.
      const good = all.length === 2 ? all.filter((status) => status !== '303') : all
      expect([route, good.length]).toEqual([route, 1])
      const answer = responses[good[0] ?? '']
      // People may get a page where programs get data.
      const forms = Object.keys(answer?.content ?? {}).filter((form) => form !== 'text/html')
      const page = 'text/html' in (answer?.content ?? {}) ? 1 : 0
      if (good[0] !== '303') expect(forms.length || page).toBe(1)
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
        // What the programme asks has names of its own; the handler refuses all others.
        const asked = path.endsWith('/custom') && found.properties === undefined
        if (found.type !== 'object' || asked) continue
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
