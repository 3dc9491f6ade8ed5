/** The API description, made from the same declarations that serve and check requests. */
import { z } from 'zod'
import type { ErrorCode } from '../domain/errors.ts'
import { scopeOf } from '../domain/scopes.ts'
import { meanings } from './errors.ts'
import { policies } from './policies.ts'
import type { Route } from './route.ts'

type JsonSchema = Record<string, unknown>

/** Descriptions show what is sent and received; the way in is the wire form of ids. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}

const problemSchema: JsonSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'request_id'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', enum: [...Object.keys(meanings), 'internal'] },
    request_id: { type: 'string' },
    open: {
      type: 'array',
      items: { type: 'string' },
      description: 'What has to be done first',
    },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'code', 'detail'],
        properties: {
          pointer: { type: 'string' },
          code: { type: 'string' },
          detail: { type: 'string' },
        },
      },
    },
  },
}

function parameters(route: Route): JsonSchema[] {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map((match) => ({
    name: match[1],
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const query = route.query ? jsonSchema(route.query, 'input') : {}
  const properties = (query.properties ?? {}) as Record<string, JsonSchema>
  const needed = (query.required ?? []) as string[]
  const inQuery = Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: needed.includes(name),
    // Outside, a cursor is sealed.
    schema: name === 'cursor' ? { type: 'string' } : schema,
  }))
  const idempotency =
    route.method !== 'GET' && !route.rawBody && !route.unkeyed
      ? [
          {
            name: 'Idempotency-Key',
            in: 'header',
            required: route.idempotencyKey === 'required',
            schema: { type: 'string', maxLength: 257 },
          },
        ]
      : []
  return [...inPath, ...inQuery, ...idempotency]
}

function answers(route: Route): JsonSchema {
  const described = Object.entries(route.answers).map(([status, answer]) => {
    const content = answer.schema
      ? {
          'application/json': { schema: jsonSchema(answer.schema, 'output') },
          ...(answer.page ? { 'text/html': { schema: { type: 'string' } } } : {}),
        }
      : answer.mediaType
        ? { [answer.mediaType]: { schema: { type: 'string' } } }
        : undefined
    return [status, { description: answer.description, ...(content ? { content } : {}) }]
  })
  const unchanged =
    route.method === 'GET' && route.answers[200]
      ? { 304: { description: 'You have it already, by your If-None-Match' } }
      : {}
  return { ...Object.fromEntries(described), ...unchanged, ...problems(route) }
}

/** Of who is there, what it may do, and how often. */
const guardRefusals = [
  'not_authenticated',
  'second_factor_required',
  'level_not_allowed',
  'forbidden',
  'too_many_requests',
] as const

/** What the layers around every route of a kind refuse. */
function commonRefusals(route: Route): ErrorCode[] {
  const { access } = route
  const changes = route.method !== 'GET'
  return [
    'malformed_request',
    'invalid_request',
    'temporarily_unavailable',
    ...(access === 'public' ? [] : guardRefusals),
    ...(access !== 'public' && changes ? (['suspended', 'step_up_required'] as const) : []),
    ...(changes ? (['payload_too_large', 'unsupported_media_type'] as const) : []),
    ...(changes && !route.rawBody
      ? (['idempotency_key_in_use', 'idempotency_key_reused'] as const)
      : []),
  ]
}

/** The refusals of the route and of its guards, by status. */
function problems(route: Route): JsonSchema {
  const codes = [...route.refusals, ...commonRefusals(route)]
  const byStatus = Map.groupBy(new Set(codes), (code) => meanings[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.join(', '),
        content: {
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        },
      },
    ]),
  )
}

function operation(route: Route): JsonSchema {
  const guarded = route.access !== 'public' && route.access !== 'optional'
  const policy = guarded ? policies[route.access as keyof typeof policies] : undefined
  return {
    tags: [route.tag],
    summary: route.summary,
    ...(route.description ? { description: route.description } : {}),
    operationId: operationId(route),
    parameters: parameters(route),
    ...(route.body
      ? {
          requestBody: {
            required: true,
            content: {
              'application/json': { schema: jsonSchema(route.body, 'input') },
              ...(route.form ? { 'application/x-www-form-urlencoded': {} } : {}),
            },
          },
        }
      : {}),
    ...(route.bodyTypes
      ? {
          requestBody: {
            required: true,
            content: Object.fromEntries(route.bodyTypes.map((type) => [type, {}])),
          },
        }
      : {}),
    responses: answers(route),
    security: securityOf(route.access),
    ...(policy
      ? { 'x-levels': policy.levels, 'x-scope': scopeOf(route.access, policy.scope) }
      : {}),
  }
}

/** By a key or a session; a public route that needs a session says so itself. */
function securityOf(access: Route['access']): JsonSchema[] {
  if (access === 'public') return []
  const known = [{ key: [] }, { session: [] }]
  return access === 'optional' ? [...known, {}] : known
}

/** `POST /v1/settlement-runs/:id/review` is `postSettlementRunsIdReview`. */
function operationId(route: Route): string {
  const words = route.path.replace(/^\/(v1\/)?/, '').split(/[^a-z]+/i)
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
  return route.method.toLowerCase() + name
}

/** @returns the OpenAPI 3.1 document of these routes. */
export function describeApi(routes: Route[], publicUrl: string): JsonSchema {
  const paths: Record<string, JsonSchema> = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tributary',
      version: '1',
      description:
        'Billing of a reseller platform. Money is a whole number of minor units beside its ' +
        'currency, times are ISO 8601 in UTC, ids are opaque, unknown fields are refused.',
    },
    servers: [{ url: publicUrl }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name: '__Host-sid' },
      },
      schemas: { Problem: problemSchema },
    },
  }
}
