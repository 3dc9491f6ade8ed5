/** A client that holds every answer it gets to what all answers of the API promise. */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApp } from '../../api/app.ts'
import type { ApiDeps } from '../../api/deps.ts'
import { openStreams } from '../../api/event-streams.ts'
import { createLinks } from '../../integrations/links.ts'
import { createStripe } from '../../integrations/stripe-client.ts'
import { processStarter } from '../../integrations/temporal.ts'
import { keepAliveTimeout, type Product } from '../support/product.ts'
import { assertDescribed, type Description } from './described.ts'

export type Json = Record<string, unknown>

export interface Request {
  method?: string
  key?: string | null
  body?: unknown
  /** Sent as it is, instead of `body`. */
  raw?: string | Buffer
  headers?: Record<string, string>
}

export interface Answer {
  status: number
  headers: Headers
  text: string
  bytes: Buffer
  /** The parsed body; empty where it is not JSON. */
  body: Json
}

export type Call = (path: string, request?: Request) => Promise<Answer>

const requestTimeoutMs = 90_000

export function clientOf(api: string): Call {
  let description: Promise<Description> | undefined
  return async (path, request = {}) => {
    const answer = await send(`${api}${path}`, request)
    assertConventions(answer)
    description ??= fetch(`${api}/openapi.json`).then(
      (response) => response.json() as Promise<Description>,
    )
    const { status } = answer
    // Some things that are answered have a code of their own.
    const code = status >= 400 && typeof answer.body.code === 'string' ? answer.body.code : null
    const method = request.method ?? 'GET'
    assertDescribed(await description, { method, path: path.split('?')[0] ?? '', status, code })
    return answer
  }
}

/** What routes do not go without; tests that are about it send theirs. */
const keyed = new RegExp(
  '/(subscriptions|adjustments|write-offs|' +
    'settlement-runs(/\\w+/(review|release|reject|rerun|pause|' +
    'resume|cancel|holds|exclusions|holds/\\w+/release|partners/\\w+/rerun))?|' +
    'applications/\\w+/decision|approvals/\\w+/approve|' +
    'partners/\\w+/(moves|tax-form|tier-override|tier-lock|tier-grace/(waive|apply)|' +
    'termination|reinstatement|verification/(extension|link))|statements/\\w+/disputes|' +
    'partners/\\w+/self-billing/agreement|reserves/\\w+/release|' +
    'line-disputes/\\w+/decision|screenings/\\w+/(override|confirm)|' +
    'tenants/\\w+/(retry|abandon|offboarding(/(confirm|cancel))?))$',
)

function neededKey(url: string, method = 'GET'): Record<string, string> {
  if (method === 'PATCH') return { 'If-Match': '*' }
  const needed = method === 'POST' && keyed.test(new URL(url).pathname)
  return needed ? { 'Idempotency-Key': randomUUID() } : {}
}

async function send(url: string, request: Request): Promise<Answer> {
  const { key, body, raw } = request
  const headers = { ...neededKey(url, request.method), ...request.headers }
  const content = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  const response = await fetch(url, {
    method: request.method ?? 'GET',
    redirect: 'manual',
    headers: {
      ...(key ? { Authorization: `Bearer ${key}` } : {}),
      ...(content === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(content === undefined ? {} : { body: content }),
    signal: AbortSignal.timeout(requestTimeoutMs),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const text = bytes.toString('utf8')
  const isJson = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    text,
    bytes,
    body: isJson && text !== '' ? (JSON.parse(text) as Json) : {},
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function assertConventions(answer: Answer): void {
  const { headers, status, body } = answer
  expect(headers.get('request-id')).toMatch(uuid)
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('referrer-policy')).toBe('no-referrer')
  expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(headers.get('vary')).toContain('Authorization')
  if (status < 400 || 'ready' in body) return
  if (headers.get('content-type')?.startsWith('text/html')) assertProblemPage(answer)
  else assertProblem(answer)
}

/** What a person sees of a refusal: words and no scripts. */
function assertProblemPage({ headers, text }: Answer): void {
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/)
  expect(text).toMatch(/<html lang="en">[\s\S]*<h1>[^<]+<\/h1>/)
  const words = text.replace(/<style>[\s\S]*?<\/style>|<[^>]*>/g, ' ')
  expect(words).not.toMatch(innards)
}

/** What would tell a stranger how we are built. */
const innards = /\b(select|insert into|constraint|relation|kysely|node_modules)\b|\.ts:\d|\n\s+at /i

function assertProblem({ headers, status, body, text }: Answer): void {
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(text).not.toMatch(innards)
  expect(body).toEqual({
    type: expect.stringMatching(
      new RegExp(`(/docs/errors#${String(body.code)}|/http-problem-types#[a-z-]+)$`),
    ),
    title: expect.any(String),
    status,
    detail: expect.any(String),
    code: expect.stringMatching(/^[a-z_]+$/),
    request_id: headers.get('request-id'),
    ...(body.code === 'invalid_request' ? { errors: expect.any(Array) } : {}),
    ...(body.code === 'reapply_too_early' ? { reapply_from: expect.any(String) } : {}),
    ...('open' in body ? { open: expect.any(Array) } : {}),
    ...('violated-policies' in body ? { 'violated-policies': expect.any(Array) } : {}),
  })
  if (status === 401) expect(headers.get('www-authenticate')).toMatch(/^Bearer error=/)
  if (status === 405) expect(headers.get('allow')).toMatch(/^[A-Z]+(, [A-Z]+)*$/)
}

/** The rows of a list. */
export function rows(answer: Answer): Json[] {
  expect(answer.status).toBe(200)
  return answer.body.data as Json[]
}

/** Where the fields are that were refused, each with its kind of fault. */
export function faults(answer: Answer): string[] {
  expect([answer.status, answer.body.code]).toEqual([422, 'invalid_request'])
  const errors = answer.body.errors as { pointer: string; code: string; detail: string }[]
  for (const { detail } of errors) expect(detail).toEqual(expect.any(String))
  return errors.map(({ pointer, code }) => `${code} ${pointer}`).sort()
}

/** Everything of an answer that a caller sees, but for what differs from request to request. */
export function withoutRequestId({ status, headers, text, body }: Answer) {
  // A limiter that has not answered in a second says nothing of limits.
  const passing = ['request-id', 'date', 'ratelimit', 'ratelimit-policy']
  const kept = [...headers].filter(([name]) => !passing.includes(name))
  return { status, headers: kept, text: text.replaceAll(String(body.request_id), '') }
}

export interface OtherApi {
  call: Call
  url: string
  stop(): Promise<void>
}

const silentLog = { info() {}, warn() {}, error() {} }

/** A second API beside that of the product, with some of its parts or settings changed. */
export async function serveWith(
  { tenancy, config, temporal }: Product,
  changes: Partial<Omit<ApiDeps, 'settings'>> & { settings?: Partial<ApiDeps['settings']> },
): Promise<OtherApi> {
  const { settings, ...parts } = changes
  const app = createApp({
    tenancy,
    temporal,
    processes: processStarter(changes.temporal ?? temporal),
    links: createLinks(config.api),
    stripe: createStripe(config.stripe),
    log: silentLog,
    // A stream that is asked for in passing ends by itself.
    streams: openStreams(silentLog, { lifeMs: 50 }),
    ...parts,
    settings: {
      publicUrl: config.api.publicUrl,
      keyMode: 'test',
      linkSecret: config.api.linkSecret,
      applicationsPerMinute: config.api.applicationsPerMinute,
      applicationsPerMailbox: config.api.applicationsPerMailbox,
      quotas: config.api.quotas,
      stripeWebhookSecrets: config.stripe.webhookSecrets,
      stripeThinWebhookSecrets: config.stripe.thinWebhookSecrets,
      docusignWebhookSecrets: config.docusign.webhookSecrets,
      checkAnswers: true,
      ...settings,
    },
  })
  const server = createServer({ keepAliveTimeout }, app.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { call: clientOf(url), url, stop }
}
