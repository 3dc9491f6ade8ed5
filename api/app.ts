/** The Koa application around the routes: ids, headers and problems for every answer. */
import { randomUUID } from 'node:crypto'
import Router from '@koa/router'
import Koa from 'koa'
import { isDatabaseAway } from '../db/database.ts'
import { DomainError } from '../domain/errors.ts'
import type { ApiDeps } from './deps.ts'
import { problemOf } from './errors.ts'
import { wantsPage } from './html.ts'
import { describeApi } from './openapi.ts'
import { pageRouter } from './pages.ts'
import { problemPage } from './problem-page.ts'
import type { Route } from './route.ts'
import { allRoutes } from './routes.ts'
import { serve } from './serve.ts'
import { traceOf } from './trace.ts'

export function createApp(deps: ApiDeps): Koa {
  const routes = allRoutes(deps)
  const app = new Koa()
  const router = new Router({ sensitive: true, strict: true })
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

/** The outermost layer: an id for every request, headers for every answer, no error escapes. */
function answerProblems(deps: ApiDeps): Koa.Middleware {
  const secure = deps.settings.publicUrl.startsWith('https://')
  return async (context, next) => {
    const requestId = randomUUID()
    context.state.requestId = requestId
    context.set({
      'Request-Id': requestId,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      Vary: 'Authorization, Cookie, Origin',
    })
    if (secure) context.set('Strict-Transport-Security', 'max-age=31536000; includeSubDomains')
    try {
      await next()
    } catch (error) {
      if (!(error instanceof DomainError)) {
        const trace = traceOf(context.get('traceparent'))
        deps.log.error({ error, requestId, trace, path: context.path }, 'a request failed')
      }
      const told = isDatabaseAway(error) ? databaseAway() : error
      const problem = problemOf(told, requestId, `${deps.settings.publicUrl}/docs/errors`)
      context.status = problem.status
      context.set(problem.headers)
      if (wantsPage((name) => context.get(name))) {
        const page = problemPage(problem.document)
        context.set(page.headers ?? {})
        context.body = page.body
        return
      }
      context.type = 'application/problem+json'
      context.body = JSON.stringify(problem.document)
    }
  }
}

/** Nobody knows whether it was kept: a repetition under the same key finds it where it was. */
function databaseAway(): DomainError {
  return new DomainError(
    'temporarily_unavailable',
    'the database did not answer; send the request again, a change under the same Idempotency-Key',
    { retryAfterSeconds: 1 },
  )
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
