/** Signing in with an identity provider, where the installation has one. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import { findPerson, listMemberships, recordPerson } from '../db/people/credentials.ts'
import {
  markOidcSubject,
  oidcSeconds,
  recordOidcSignIn,
  takeOidcSignIn,
} from '../db/people/oidc.ts'
import { DomainError } from '../domain/errors.ts'
import type { OidcIdentity } from '../integrations/oidc.ts'
import type { ApiDeps } from './deps.ts'
import { type Answer, type Call, openRoute, type Route } from './route.ts'
import { type Caller, cookieOf, setCookie } from './session-cookies.ts'
import { chosen } from './sessions.ts'
import { openSession, organisationField } from './sign-in.ts'
import { hashToken } from './tokens.ts'

/** Ties the way back to the browser that left. */
const browserCookie = '__Host-oidc'

const startQuery = z.strictObject({ partner: organisationField.optional() })

/** Providers add what they like; state and code are looked at, the rest is theirs to check. */
const callbackQuery = z
  .object({ state: z.string().min(1).max(200) })
  .catchall(z.string().max(4_000))

const tag = 'Sign-in with a provider'

export function signInOidcRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/v1/sign-in/oidc',
      tag,
      summary: 'Go to the identity provider',
      access: 'public',
      query: startQuery,
      answers: { 303: { description: 'To the provider' } },
      refusals: ['not_found', 'temporarily_unavailable'],
      handle: (call) => leave(deps, call),
    }),
    openRoute({
      method: 'GET',
      path: '/v1/sign-in/oidc/callback',
      tag,
      summary: 'Come back from the identity provider',
      description:
        'The provider vouches for an address of a member. Where it has not seen a second factor, ' +
        'the session still needs one.',
      access: 'public',
      query: callbackQuery,
      answers: { 303: { description: 'Signed in, as far as the session says' } },
      refusals: ['not_found', 'not_authenticated', 'temporarily_unavailable'],
      handle: (call) => comeBack(deps, call),
    }),
  ]
}

function providerOf({ oidc }: ApiDeps) {
  if (oidc) return oidc
  throw new DomainError('not_found', 'there is no identity provider here')
}

type StartCall = Caller & Pick<Call<z.output<typeof startQuery>>, 'query'>

async function leave(deps: ApiDeps, { db, query }: StartCall): Promise<Answer> {
  const { url, state, nonce, codeVerifier } = await providerOf(deps).begin()
  const browser = randomBytes(32).toString('base64url')
  await recordOidcSignIn(db, {
    stateHash: hashToken(state),
    browserHash: hashToken(browser),
    nonce,
    codeVerifier,
    organisation: query.partner ?? null,
  })
  const cookie = setCookie(browserCookie, browser, oidcSeconds)
  return { status: 303, body: null, headers: { Location: url, ...cookie } }
}

type CallbackCall = Caller & Pick<Call<z.output<typeof callbackQuery>>, 'query'>

async function comeBack(deps: ApiDeps, call: CallbackCall): Promise<Answer> {
  const { db, header, query } = call
  const provider = providerOf(deps)
  const browser = cookieOf(header('Cookie'), browserCookie) ?? ''
  const { state } = query
  const started = await takeOidcSignIn(db, {
    stateHash: hashToken(state),
    browserHash: hashToken(browser),
  })
  if (!started) {
    throw new DomainError('not_authenticated', 'this sign-in was not begun here: begin again')
  }
  const identity = await provider.finish(query, { ...started, state })
  const { headers } = await signInAs(call, identity, started.organisation ?? undefined)
  // The way back has done its work; its cookie ends by itself.
  return { status: 303, body: null, headers: { Location: '/', ...headers } }
}

/** @throws DomainError `not_authenticated`, the same for whoever is no member here. */
async function signInAs(call: Caller, identity: OidcIdentity, organisation: string | undefined) {
  const { db } = call
  const { email, issuer, subject, isStrong, authenticatedAt } = identity
  const memberships = await listMemberships(db, email)
  const stranger = () => new DomainError('not_authenticated', 'you are no member here')
  if (memberships.length === 0) throw stranger()
  const membership = chosen(memberships, organisation)
  await inTransaction(db, async (trx) => {
    const personId = await recordPerson(trx, email)
    if (!(await markOidcSubject(trx, { personId, issuer, subject }))) throw stranger()
  })
  const person = await findPerson(db, email)
  if (!person) throw stranger()
  return openSession(call, {
    personId: person.id,
    membership,
    hasTotp: person.totpConfirmedAt !== null,
    passkeys: person.passkeys ?? 0,
    method: 'oidc',
    strong: isStrong,
    provedAt: authenticatedAt,
  })
}
