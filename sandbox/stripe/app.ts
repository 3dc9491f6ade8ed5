import Router from '@koa/router'
import type { Context } from 'koa'
import { type Deps, workOn } from '../deps.ts'
import type { Fault } from '../fault-kinds.ts'
import { HttpProblem, readBody } from '../http.ts'
import { newId } from '../ids.ts'
import { accountLinkEndpoints } from './account-links.ts'
import { accountEndpoints } from './accounts.ts'
import { balanceEndpoints } from './balance.ts'
import { bankPayoutEndpoints } from './bank-payouts.ts'
import { catalogEndpoints } from './catalog.ts'
import { creditNoteEndpoints } from './credit-notes.ts'
import { customerEndpoints } from './customers.ts'
import { disputeEndpoints } from './disputes.ts'
import type { Endpoint } from './endpoint.ts'
import { invalid, StripeProblem } from './errors.ts'
import { eventEndpoints } from './events.ts'
import { expand } from './expand.ts'
import { fingerprint, parseForm, type Tree } from './form.ts'
import { type Answer, findAnswer, type KeyedRequest, keepAnswer, keyInUse } from './idempotency.ts'
import { identityEndpoints } from './identity.ts'
import { invoiceEndpoints } from './invoices.ts'
import { refundEndpoints } from './refunds.ts'
import { subscriptionEndpoints } from './subscriptions.ts'
import { transferEndpoints } from './transfers.ts'
import { apiVersion } from './wire.ts'

const bodyLimitBytes = 1_000_000

const endpoints: Endpoint[] = [
  ...accountEndpoints,
  ...accountLinkEndpoints,
  ...balanceEndpoints,
  ...bankPayoutEndpoints,
  ...catalogEndpoints,
  ...creditNoteEndpoints,
  ...customerEndpoints,
  ...disputeEndpoints,
  ...eventEndpoints,
  ...identityEndpoints,
  ...invoiceEndpoints,
  ...refundEndpoints,
  ...subscriptionEndpoints,
  ...transferEndpoints,
]

export function stripeRouter(deps: Deps): Router {
  const router = new Router()
  const inUse = new Set<string>()
  for (const endpoint of endpoints) {
    router.register(endpoint.path, [endpoint.method], (ctx: Context) =>
      answer(ctx, (requestId) => serve(deps, { endpoint, ctx, requestId, inUse })),
    )
  }
  router.all(/^\/v[12]\//, (ctx: Context) =>
    answer(ctx, async () => {
      authenticate(deps, ctx)
      throw invalid(
        `Unrecognized request URL (${ctx.method}: ${ctx.path}). Please see ` +
          'https://stripe.com/docs or we can help at https://support.stripe.com/.',
        { status: 404 },
      )
    }),
  )
  return router
}

type Serve = (requestId: string) => Promise<Answer | 'cut'>

/** Sends whatever the request came to, in the vendor's shape. */
async function answer(ctx: Context, serve: Serve): Promise<void> {
  const requestId = newId('req', 14)
  ctx.set('Request-Id', requestId)
  ctx.set('Stripe-Version', apiVersion)
  const key = ctx.get('Idempotency-Key')
  if (key) ctx.set('Idempotency-Key', key)
  let reply: Answer | 'cut'
  try {
    reply = await serve(requestId)
  } catch (error) {
    if (error instanceof HttpProblem) reply = answerOf(invalid(error.message))
    else if (error instanceof StripeProblem) reply = answerOf(error)
    else throw error
  }
  if (reply === 'cut') {
    ctx.respond = false
    ctx.req.socket.destroy()
    return
  }
  if (reply.status === 429) ctx.set('Retry-After', '1')
  ctx.status = reply.status
  ctx.type = 'application/json'
  ctx.body = reply.body
}

function answerOf(result: object): Answer {
  if (result instanceof StripeProblem) {
    return { status: result.status, body: JSON.stringify(result.body(), null, 2) }
  }
  return { status: 200, body: JSON.stringify(result, null, 2) }
}

interface Request {
  endpoint: Endpoint
  ctx: Context
  requestId: string
  inUse: Set<string>
}

async function serve(deps: Deps, request: Request): Promise<Answer | 'cut'> {
  const { ctx, endpoint, inUse } = request
  authenticate(deps, ctx)
  const body = await readBody(ctx, bodyLimitBytes)
  const tree = readTree(ctx, endpoint, body.toString('utf8'))
  const keyed = keyedRequest(ctx, endpoint, tree)
  if (keyed === null) return execute(deps, { ...request, tree, keyed })
  if (inUse.has(keyed.key)) throw keyInUse(keyed.key)
  inUse.add(keyed.key)
  try {
    return await execute(deps, { ...request, tree, keyed })
  } finally {
    inUse.delete(keyed.key)
  }
}

interface Execution extends Request {
  tree: { [key: string]: Tree }
  keyed: KeyedRequest | null
}

async function execute(deps: Deps, execution: Execution): Promise<Answer | 'cut'> {
  const { ctx, endpoint, keyed, requestId } = execution
  const strike = (kind: Fault['kind']): Fault | null =>
    deps.store.write('fault', (tx) =>
      deps.faults.take(tx, { vendor: 'stripe', kind, path: ctx.path }),
    )
  const slow = strike('slow_request')
  if (slow) await new Promise((resolve) => setTimeout(resolve, slow.ms ?? 1000))
  if (strike('error_429')) throw tooMany()
  const before = keyed && findAnswer(deps.store, keyed)
  const send = (reply: Answer): Answer | 'cut' =>
    ctx.method !== 'GET' && strike('timeout_after_commit') ? 'cut' : reply
  if (before) {
    ctx.set('Idempotent-Replayed', 'true')
    ctx.set('Original-Request', before.request)
    if (before.status >= 500) ctx.set('Stripe-Should-Retry', 'false')
    return send({ status: before.status, body: before.body })
  }
  const broken = strike('error_500')
  if (broken) {
    const reply = answerOf(serverError())
    if (broken.stored && keyed && endpoint.path.startsWith('/v1/')) {
      deps.store.write('stored 500', (tx) => keepAnswer(tx, keyed, { ...reply, id: requestId }))
    }
    return reply
  }
  return send(run(deps, execution))
}

/** The work and the answer under the idempotency key are kept together, or neither is. */
function run(deps: Deps, { ctx, endpoint, tree, keyed, requestId }: Execution): Answer {
  const { expand: paths, ...rest } = tree
  const v1 = endpoint.path.startsWith('/v1/')
  const expanding = v1 ? expandPaths(paths) : []
  const path = ctx.params as Record<string, string>
  const prepared = endpoint.bind(v1 ? rest : tree, {
    path,
    account: accountOf(deps, ctx, endpoint),
  })
  const cause = { id: requestId, idempotency_key: keyed?.key ?? null }
  try {
    return deps.store.write(`${ctx.method} ${ctx.path}`, (tx) => {
      const result = prepared(workOn(deps, tx, cause))
      const refusal = result instanceof StripeProblem
      const reply = answerOf(refusal ? result : expand(tx, result, expanding))
      // The v2 API tries failed work again under the same key, so it keeps successes only.
      if (keyed && (v1 || reply.status < 400)) keepAnswer(tx, keyed, { ...reply, id: requestId })
      return reply
    })
  } catch (error) {
    if (error instanceof StripeProblem && error.executed && keyed && v1) {
      const reply = answerOf(error)
      deps.store.write('stored refusal', (tx) => keepAnswer(tx, keyed, { ...reply, id: requestId }))
    }
    throw error
  }
}

function authenticate({ stripe }: Deps, ctx: Context): void {
  const given = ctx.get('Authorization')
  const key = /^Bearer (\S+)$/.exec(given)?.[1]
  if (key === stripe.secret_key) {
    checkVersion(ctx)
    return
  }
  if (key === undefined) {
    throw invalid(
      'You did not provide an API key. You need to provide your API key in the Authorization ' +
        "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
      { status: 401 },
    )
  }
  const shown = `${key.slice(0, 8)}${'*'.repeat(8)}${key.slice(-4)}`
  throw invalid(`Invalid API Key provided: ${shown}`, { status: 401 })
}

/** Another version means other shapes, which nobody wrote here: better to say so at once. */
function checkVersion(ctx: Context): void {
  const version = ctx.get('Stripe-Version')
  if (version === '' || version === apiVersion) return
  throw invalid(`Invalid Stripe API version: ${version}. This sandbox speaks only ${apiVersion}.`)
}

const forAccounts = /^\/v1\/(balance|balance_transactions|payouts(\/:id)?)$/

/** A connected account has a balance, what it is made of, and payouts here. */
function accountOf({ store }: Deps, ctx: Context, { path }: Endpoint): string | null {
  const account = ctx.get('Stripe-Context') || ctx.get('Stripe-Account')
  if (account === '') return null
  if (store.get('accounts', account) === undefined) {
    throw invalid(
      `The provided key does not have access to account '${account}' (or that account does not ` +
        'exist). Application access may have been revoked.',
      { status: 403, code: 'account_invalid' },
    )
  }
  if (forAccounts.test(path)) return account
  throw invalid('This sandbox answers for a connected account only on its balance and payouts.')
}

function readTree(ctx: Context, endpoint: Endpoint, body: string): { [key: string]: Tree } {
  const query = parseForm(ctx.querystring)
  if (endpoint.method === 'GET' || body === '') return query
  if (!endpoint.path.startsWith('/v2/')) return { ...query, ...parseForm(body) }
  try {
    const found: unknown = JSON.parse(body)
    if (typeof found === 'object' && found !== null && !Array.isArray(found)) {
      return { ...query, ...(found as { [key: string]: Tree }) }
    }
  } catch {
    // What is not JSON gets the same answer as what is no object.
  }
  throw invalid('Invalid JSON: the body of a v2 request must be a JSON object.')
}

/** v1 keeps keys of POST only; v2 also of DELETE. */
function keyedRequest(ctx: Context, endpoint: Endpoint, tree: Tree): KeyedRequest | null {
  const key = ctx.get('Idempotency-Key')
  if (key === '' || endpoint.method === 'GET') return null
  if (endpoint.method === 'DELETE' && endpoint.path.startsWith('/v1/')) return null
  return { key, endpoint: ctx.path, fingerprint: fingerprint(tree) }
}

function expandPaths(found: Tree | undefined): string[] {
  if (found === undefined) return []
  const paths = typeof found === 'object' && found !== null ? Object.values(found) : [found]
  return paths.map((path) => {
    if (typeof path === 'string') return path
    throw invalid('Invalid expand: expected a list of names.', { param: 'expand' })
  })
}

function tooMany(): StripeProblem {
  return invalid(
    'Request rate limit exceeded. You can learn more about rate limits here ' +
      'https://stripe.com/docs/rate-limits.',
    { status: 429, code: 'rate_limit' },
  )
}

function serverError(): StripeProblem {
  return invalid(
    'An unknown error occurred. If you have any questions, we can help at ' +
      'https://support.stripe.com.',
    { status: 500, type: 'api_error' },
  )
}
