/** The one way through for every request: who is it, may it, is it well formed, once, answered. */

import { createHmac } from 'node:crypto'
import { Readable } from 'node:stream'
import type Koa from 'koa'
import type { Principal } from '../db/access.ts'
import { recordRefusal } from '../db/audit.ts'
import type { Db } from '../db/database.ts'
import { DomainError } from '../domain/errors.ts'
import {
  authenticate,
  contextOf,
  doorContext,
  principalOf,
  type RequestFacts,
  required,
} from './auth.ts'
import { parseJsonBody, readBody, refuseOddHeaders } from './body.ts'
import type { ApiDeps } from './deps.ts'
import { problemOf } from './errors.ts'
import { answerConditionally } from './etag.ts'
import { afterFirstClick, formFields, isForm, onceField } from './forms.ts'
import { type KeyedRequest, onceForKey, onceInTransaction, requireKey } from './idempotency.ts'
import { refuseKeyInBody, refuseKeyInUrl } from './keys.ts'
import { withOpenCursor, withSealedCursor } from './paging.ts'
import { authorize, type Permission } from './policies.ts'
import { callerLimits, takeQuota } from './rate-limits.ts'
import type { Answer, Call, Route, SentForm } from './route.ts'
import { principalOfSession, refuseCrossSite, sessionOf } from './session-cookies.ts'
import { validated } from './validate.ts'

export type Context = Koa.Context & { params: Record<string, string> }

/** What is known of a request before its handler runs. */
interface Visit {
  deps: ApiDeps
  route: Route
  context: Context
  request: RequestFacts
  header: Call['header']
  as: Call['as']
  /** Once it is read, where a browser's form sent it. */
  form?: SentForm
}

export async function serve(deps: ApiDeps, route: Route, context: Context): Promise<void> {
  const visit = visitOf(deps, route, context)
  refuseOddHeaders(context.req)
  refuseKeyInUrl(context.originalUrl)
  const principal = await whoIsThere(visit)
  try {
    if (principal) await takeUnits(visit, principal)
    if (isGuarded(route)) authorize(required(principal), route.access as Permission)
    const answer = await answerOf(visit, principal)
    if (deps.settings.checkAnswers) checkAnswer(route, answer)
    send(context, answer)
  } catch (error) {
    await noteRefusal(visit, principal, error)
    const page = await refusalPage(visit, error)
    if (!page) throw error
    send(context, page)
  }
}

/** What a person who sent a form sees of its refusal. */
async function refusalPage(
  { route, form, request, deps }: Visit,
  error: unknown,
): Promise<Answer | undefined> {
  if (!form || !route.form || !(error instanceof DomainError)) return undefined
  const page = await route.form.refused(form, error)
  const { status, headers } = problemOf(error, request.requestId, deps.settings.publicUrl)
  return { ...page, status, headers: { ...headers, ...page.headers } }
}

function visitOf(deps: ApiDeps, route: Route, context: Context): Visit {
  const request: RequestFacts = {
    requestId: context.state.requestId,
    ip: context.ip,
    caller: callerOf(context.ip, deps.settings.linkSecret),
    action: `${route.method} ${route.path}`,
  }
  return {
    deps,
    route,
    context,
    request,
    header: (name) => context.get(name),
    as: (level, partnerId) => deps.tenancy.dbFor(doorContext(level, request, partnerId)),
  }
}

function callerOf(ip: string, secret: string): string {
  return `caller:${createHmac('sha256', secret).update(`caller ${ip}`).digest('hex').slice(0, 16)}`
}

const isGuarded = (route: Route) => route.access !== 'public' && route.access !== 'optional'
const isReading = (route: Route) => route.method === 'GET'

/** A public route looks at no key, so that a wrong one does not stop a webhook. */
async function whoIsThere(visit: Visit): Promise<Principal | null> {
  const { deps, route, header, as } = visit
  if (route.access === 'public') return null
  const door = as('sign_in')
  const found =
    (await authenticate(door, deps.settings, header('Authorization'))) ??
    (await whoIsSignedIn(visit, door))
  return isGuarded(route) ? required(found) : found
}

/** The caller of an answer that goes on, asked again; it counts as no use of a session. */
async function stillMay(visit: Visit, before: Principal | null): Promise<void> {
  const { route, as, deps, header } = visit
  if (!isGuarded(route)) return
  const door = as('sign_in')
  const session = await sessionOf({ db: door, header }, 'looked_at')
  const principal = required(
    (await authenticate(door, deps.settings, header('Authorization'))) ??
      (session ? principalOfSession(session) : null),
  )
  authorize(principal, route.access as Permission)
  if (principal.through !== before?.through) {
    throw new DomainError('not_authenticated', 'somebody else asks')
  }
}

/** Browsers send a cookie on anybody's behalf: what changes something says where it is from. */
async function whoIsSignedIn({ deps, route, header }: Visit, db: Db): Promise<Principal | null> {
  const session = await sessionOf({ db, header })
  if (!session) return null
  if (!isReading(route)) refuseCrossSite(header, deps.settings.publicUrl)
  return principalOfSession(session)
}

async function takeUnits({ deps, context, as }: Visit, principal: Principal): Promise<void> {
  const { through, partnerId, customerId, packageLimit, tenantLimit } = principal
  const { key, tenant } = deps.settings.quotas
  const limits = callerLimits(
    { keyId: through, tenantId: customerId ?? partnerId ?? 'platform' },
    { key, tenant, package: packageLimit, ownTenant: tenantLimit },
  )
  await takeQuota(
    { db: as('sign_in'), log: deps.log },
    { limits, whenAway: 'open', setHeaders: (headers) => context.set(headers) },
  )
}

/** Validates, and lets the handler answer once for its key. */
async function answerOf(visit: Visit, principal: Principal | null): Promise<Answer> {
  const { deps, route, context, request, header, as } = visit
  const rawBody = isReading(route)
    ? Buffer.alloc(0)
    : await readBody(context.req, route.largestBody)
  if (!route.rawBody && !route.takesKeys) refuseKeyInBody(rawBody)
  if (route.form && isForm(header('Content-Type'))) visit.form = formOf(visit, rawBody)
  const scope = {
    path: context.path,
    query: plainQuery(context),
    partnerId: principal?.customerId ?? principal?.partnerId ?? null,
    level: principal?.level ?? 'nobody',
    secret: deps.settings.linkSecret,
  }
  const query = route.query ? validated(route.query, withOpenCursor(scope), 'query') : undefined
  const body = route.body ? validated(route.body, sentBody(visit, rawBody), 'body') : undefined
  const db = principal ? deps.tenancy.dbFor(contextOf(principal, request)) : as('sign_in')
  const call = {
    ...request,
    ...{ principal, as, params: context.params, query, body, rawBody, header },
    stillMay: () => stillMay(visit, principal),
  }
  const execute = (own: Db, operationId: string) =>
    route.handle({ ...call, db: own, operationId } as never)
  const attempt = { visit, principal, db, rawBody }
  if (route.form && visit.form) {
    return route.form.answered(visit.form, await afterFirstClick(() => once(attempt, execute)))
  }
  return withSealedCursor(await once(attempt, execute), scope, deps.settings.publicUrl)
}

function formOf({ context, as }: Visit, rawBody: Buffer): SentForm {
  const { token } = plainQuery(context)
  return { fields: formFields(rawBody), params: context.params, token, as }
}

/** By a program as JSON, by a browser as fields. */
function sentBody({ route, form, header }: Visit, rawBody: Buffer): unknown {
  if (route.form && form) return route.form.body(form.fields)
  return parseJsonBody(rawBody, header('Content-Type'))
}

interface Attempt {
  visit: Visit
  principal: Principal | null
  db: Db
  rawBody: Buffer
}

/** A plain write and its answer are one transaction; what starts more is found by its operation. */
function once(
  { visit, principal, db, rawBody }: Attempt,
  execute: (db: Db, operationId: string) => Promise<Answer>,
): Promise<Answer> {
  const { deps, route, context, request } = visit
  const sent = isReading(route) || route.rawBody || route.unkeyed ? '' : keyOf(visit)
  requireKey(route.idempotencyKey ?? 'optional', sent)
  const keyed: KeyedRequest = {
    partnerId: principal?.partnerId ?? null,
    principal: principalOf(principal, request),
    method: route.method,
    route: route.path,
    path: context.originalUrl,
    rawBody,
    header: sent,
  }
  const { settings } = deps
  return route.effect === 'transaction'
    ? onceInTransaction({ db, settings }, keyed, execute)
    : onceForKey({ db, settings }, keyed, (operationId) => execute(db, operationId))
}

const keyOf = ({ header, form }: Visit) =>
  header('Idempotency-Key') || (form?.fields.get(onceField) ?? '')

/** Refusals of those who are known are kept, but for what they only mistyped or asked too often. */
async function noteRefusal(visit: Visit, principal: Principal | null, error: unknown) {
  const { deps, request } = visit
  if (!principal || !(error instanceof DomainError) || error.code === 'too_many_requests') return
  try {
    const db = deps.tenancy.dbFor(contextOf(principal, request))
    await recordRefusal(db, { route: request.action, code: error.code })
  } catch (failure) {
    deps.log.error({ error: failure, requestId: request.requestId }, 'a refusal is not recorded')
  }
}

/** A parameter that is given twice is refused: which one holds would be a guess. */
function plainQuery(context: Context): Record<string, string> {
  const repeated = Object.entries(context.query).filter(([, value]) => Array.isArray(value))
  if (repeated.length > 0) {
    const fields = repeated.map(([name]) => ({
      pointer: `/${name}`,
      code: 'repeated',
      detail: 'this parameter is given more than once',
    }))
    throw new DomainError('invalid_request', 'query: a parameter is repeated', { fields })
  }
  return { ...context.query } as Record<string, string>
}

/** In tests: what is answered is what is described. */
function checkAnswer(route: Route, answer: Answer): void {
  const described = route.answers[answer.status]
  if (!described) {
    throw new Error(`${route.method} ${route.path} answered ${answer.status}: not described`)
  }
  if (described.page && Buffer.isBuffer(answer.body)) return
  described.schema?.parse(answer.body)
}

function send(context: Context, answer: Answer): void {
  context.status = answer.status
  context.set(answer.headers ?? {})
  if (answer.body === null) return
  if (answer.body instanceof Readable) {
    context.body = answer.body
    return
  }
  if (Buffer.isBuffer(answer.body)) {
    context.body = answer.body
  } else {
    context.type = 'application/json; charset=utf-8'
    context.body = JSON.stringify(answer.body)
  }
  answerConditionally(context)
}
