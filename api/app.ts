/** The Koa application: one way through for every request. */
import { randomUUID } from 'node:crypto'
import Router from '@koa/router'
import Koa from 'koa'
import { DomainError } from '../domain/errors.ts'
import { accessRoutes } from './access.ts'
import { authenticate, required } from './auth.ts'
import { parseJsonBody, readBody } from './body.ts'
import { catalogRoutes } from './catalog.ts'
import { commissionRoutes } from './commission.ts'
import type { ApiDeps } from './deps.ts'
import { problemOf } from './errors.ts'
import { healthRoutes } from './health.ts'
import { onceForKey } from './idempotency.ts'
import { onboardingRoutes } from './onboarding.ts'
import { describeApi } from './openapi.ts'
import { pageRouter } from './pages.ts'
import { partnerLinkRoutes } from './partner-links.ts'
import { partnerRoutes } from './partners.ts'
import { payoutRoutes } from './payouts.ts'
import { authorize, type Permission } from './policies.ts'
import { provisioningRoutes } from './provisioning.ts'
import type { Answer, Route } from './route.ts'
import { settlementRoutes } from './settlement.ts'
import { simulationRoutes } from './simulations.ts'
import { statementRoutes } from './statements.ts'
import { customerRoutes, subscriptionRoutes } from './subscriptions.ts'
import { tierRoutes } from './tiers.ts'
import { validated } from './validate.ts'
import { webhookRoutes } from './webhooks.ts'

/** Every route of the API. Fixed paths stand before those with parameters. */
export function allRoutes(deps: ApiDeps): Route[] {
  return [
    ...onboardingRoutes(deps),
    ...partnerRoutes(deps),
    ...provisioningRoutes(deps),
    ...catalogRoutes(deps),
    ...partnerLinkRoutes(deps),
    ...customerRoutes(deps),
    ...subscriptionRoutes(deps),
    ...commissionRoutes(deps),
    ...settlementRoutes(deps),
    ...statementRoutes(deps),
    ...payoutRoutes(deps),
    ...tierRoutes(deps),
    ...simulationRoutes(deps),
    ...accessRoutes(deps),
    ...webhookRoutes(deps),
    ...healthRoutes(deps),
  ]
}

export function createApp(deps: ApiDeps): Koa {
  const routes = allRoutes(deps)
  const app = new Koa()
  const router = new Router()
  for (const route of routes) {
    router.register(route.path, [route.method], (context) => serve(deps, route, context))
  }
  app.use(answerProblems(deps))
  app.use(router.routes())
  app.use(pageRouter(() => describeApi(routes, deps.settings.publicUrl)).routes())
  app.use(nothingHere(routes))
  app.on('error', (error) => deps.log.warn({ error }, 'a connection broke'))
  return app
}

type Context = Koa.Context & { params: Record<string, string> }

/** Authenticate, authorize, validate, handle: each on its own line, for every route. */
async function serve(deps: ApiDeps, route: Route, context: Context): Promise<void> {
  const header = (name: string) => context.get(name)
  const principal = await authenticateFor(deps, route, header('Authorization'))
  if (guarded(route)) authorize(required(principal), route.access as Permission)
  const rawBody = await readBody(context.req)
  const query = route.query ? validated(route.query, plainQuery(context), 'query') : undefined
  const body = route.body ? validated(route.body, parsedBody(context, rawBody), 'body') : undefined
  const call = { principal, params: context.params, query, body, rawBody, ip: context.ip, header }
  const keyed = {
    principal: principal?.memberId ?? `ip ${context.ip}`,
    method: route.method,
    route: route.path,
    path: context.originalUrl,
    rawBody,
    header: route.method === 'GET' || route.rawBody ? '' : header('Idempotency-Key'),
  }
  const answer = await onceForKey(deps, keyed, (operationId) =>
    route.handle({ ...call, operationId } as never),
  )
  if (deps.settings.checkAnswers) checkAnswer(route, answer)
  send(context, answer)
}

const guarded = (route: Route) => route.access !== 'public' && route.access !== 'optional'

/** A public route looks at no key, so that a wrong one does not stop a webhook. */
async function authenticateFor(deps: ApiDeps, route: Route, authorization: string) {
  if (route.access === 'public') return null
  const principal = await authenticate(deps, authorization)
  return guarded(route) ? required(principal) : principal
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

function parsedBody(context: Context, rawBody: Buffer): unknown {
  return parseJsonBody(rawBody, context.get('Content-Type'))
}

/** In tests: what is answered is what is described. */
function checkAnswer(route: Route, answer: Answer): void {
  const described = route.answers[answer.status]
  if (!described) {
    throw new Error(`${route.method} ${route.path} answered ${answer.status}: not described`)
  }
  described.schema?.parse(answer.body)
}

function send(context: Context, answer: Answer): void {
  context.status = answer.status
  context.set(answer.headers ?? {})
  if (answer.body === null) return
  if (Buffer.isBuffer(answer.body)) {
    context.body = answer.body
    return
  }
  context.type = 'application/json; charset=utf-8'
  context.body = JSON.stringify(answer.body)
}

/** The outermost layer: an id for every request, headers for every answer, no error escapes. */
function answerProblems(deps: ApiDeps): Koa.Middleware {
  const secure = deps.settings.publicUrl.startsWith('https://')
  return async (context, next) => {
    const requestId = randomUUID()
    context.set({
      'Request-Id': requestId,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      Vary: 'Authorization',
    })
    if (secure) context.set('Strict-Transport-Security', 'max-age=31536000; includeSubDomains')
    try {
      await next()
    } catch (error) {
      if (!(error instanceof DomainError)) {
        deps.log.error({ error, requestId, path: context.path }, 'a request failed')
      }
      const problem = problemOf(error, requestId, `${deps.settings.publicUrl}/docs/errors`)
      context.status = problem.status
      context.set(problem.headers)
      context.type = 'application/problem+json'
      context.body = JSON.stringify(problem.document)
    }
  }
}

/** What no route took: the path is unknown, or it takes other methods. */
function nothingHere(routes: Route[]): Koa.Middleware {
  const patterns = routes.map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`),
  }))
  return async (context) => {
    const methods = patterns
      .filter(({ pattern }) => pattern.test(context.path))
      .map(({ method }) => method)
    if (methods.length > 0) {
      const allow = methods.join(', ')
      throw new DomainError('method_not_allowed', `this path takes ${allow}`, { allow })
    }
    throw new DomainError('not_found', 'there is nothing at this path')
  }
}
