import { createPublicKey, verify } from 'node:crypto'
import Router from '@koa/router'
import type { Context } from 'koa'
import type { Deps } from '../deps.ts'
import { HttpProblem, readBody } from '../http.ts'
import { randomText } from '../ids.ts'
import type { DocusignSettings } from '../options.ts'

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const livesSeconds = 3600
/** Clocks of two machines differ a little. */
const leewaySeconds = 60

class OauthProblem extends Error {
  readonly error: string
  readonly status: number

  constructor(error: string, description: string, status = 400) {
    super(description)
    this.error = error
    this.status = status
  }
}

export function oauthRouter(deps: Deps): Router {
  const router = new Router()
  router.post('/oauth/token', (ctx: Context) => answer(ctx, () => grant(deps, ctx)))
  router.get('/oauth/userinfo', (ctx: Context) => answer(ctx, async () => userInfo(deps, ctx)))
  return router
}

async function answer(ctx: Context, act: () => Promise<object>): Promise<void> {
  ctx.set('Cache-Control', 'no-store')
  try {
    ctx.body = await act()
  } catch (error) {
    if (error instanceof HttpProblem) ctx.status = error.status
    else if (error instanceof OauthProblem) ctx.status = error.status
    else throw error
    const code = error instanceof OauthProblem ? error.error : 'invalid_request'
    ctx.body = { error: code, error_description: error.message }
  }
}

function settingsOf({ docusign }: Deps): DocusignSettings {
  if (docusign) return docusign
  throw new OauthProblem('invalid_request', 'this sandbox was started without docusign settings')
}

async function grant(deps: Deps, ctx: Context): Promise<object> {
  const settings = settingsOf(deps)
  const strike = (kind: 'error_500' | 'error_429' | 'slow_request') =>
    deps.store.write('fault', (tx) =>
      deps.faults.take(tx, { vendor: 'docusign', kind, path: ctx.path, named: true }),
    )
  const form = new URLSearchParams((await readBody(ctx, 100_000)).toString('utf8'))
  if (strike('error_500')) throw new OauthProblem('server_error', 'armed fault', 500)
  if (strike('error_429')) {
    ctx.set('Retry-After', '1')
    throw new OauthProblem('rate_limit_exceeded', 'armed fault', 429)
  }
  if (form.get('grant_type') !== grantType) {
    throw new OauthProblem('unsupported_grant_type', `expected ${grantType}`)
  }
  const scope = checkAssertion(form.get('assertion') ?? '', { settings, host: ctx.host })
  const consent = deps.store.get('settings', 'docusign_consent')?.granted ?? true
  if (!consent) throw new OauthProblem('consent_required', 'the user has not consented')
  const token = `ds_test_${randomText(64)}`
  deps.store.write('oauth token', (tx) => {
    for (const old of tx.all('tokens')) if (old.expires < Date.now()) tx.drop('tokens', old.id)
    return tx.put('tokens', { id: token, expires: Date.now() + livesSeconds * 1000 })
  })
  return { access_token: token, token_type: 'Bearer', expires_in: livesSeconds, scope }
}

interface Expected {
  settings: DocusignSettings
  host: string
}

/** Answers the granted scope. */
function checkAssertion(assertion: string, { settings, host }: Expected): string {
  const [head = '', body = '', signature = '', ...more] = assertion.split('.')
  const header = decode(head)
  const claims = decode(body)
  if (header === null || claims === null || more.length > 0) throw badGrant('malformed assertion')
  if (header.alg !== 'RS256') throw badGrant('unsupported_algorithm')
  const key = createPublicKey(settings.public_key_pem)
  const signed = Buffer.from(`${head}.${body}`)
  if (!verify('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url'))) {
    throw badGrant('no_valid_keys_or_signatures')
  }
  if (claims.iss !== settings.integration_key) throw badGrant('issuer_not_found')
  if (claims.sub !== settings.user_id) throw badGrant('user_not_found')
  if (claims.aud !== host) throw badGrant(`invalid audience: expected ${host}`)
  const now = Date.now() / 1000
  const { exp, iat } = claims
  if (typeof exp !== 'number' || exp < now - leewaySeconds) throw badGrant('expired assertion')
  if (typeof iat !== 'number' || iat > now + leewaySeconds) throw badGrant('issued in the future')
  const scope = typeof claims.scope === 'string' ? claims.scope : ''
  const scopes = scope.split(' ')
  if (!scopes.includes('signature')) throw badGrant('invalid_scope')
  if (!scopes.includes('impersonation')) {
    throw new OauthProblem('consent_required', 'the scope impersonation is missing')
  }
  return scope
}

function badGrant(description: string): OauthProblem {
  return new OauthProblem('invalid_grant', description)
}

function decode(part: string): Record<string, unknown> | null {
  try {
    const found: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof found === 'object' ? (found as Record<string, unknown> | null) : null
  } catch {
    return null
  }
}

export function tokenIsGood({ store }: Deps, ctx: Context): boolean {
  const token = /^Bearer (\S+)$/.exec(ctx.get('Authorization'))?.[1]
  const kept = token === undefined ? undefined : store.get('tokens', token)
  return kept !== undefined && kept.expires > Date.now()
}

function userInfo(deps: Deps, ctx: Context): object {
  const settings = settingsOf(deps)
  if (!tokenIsGood(deps, ctx)) {
    throw new OauthProblem('invalid_token', 'the access token is not valid', 401)
  }
  return {
    sub: settings.user_id,
    name: 'Sandbox sender',
    given_name: 'Sandbox',
    family_name: 'Sender',
    email: 'agreements@platform.test',
    created: '2020-01-01T00:00:00.0000000',
    accounts: [
      {
        account_id: settings.account_id,
        is_default: true,
        account_name: 'Sandbox platform',
        base_uri: deps.url(),
      },
    ],
  }
}
