/** The cookie that a browser is signed in by, and what is refused from other sites. */
import { randomBytes } from 'node:crypto'
import type { Principal } from '../db/access.ts'
import { findSession, type Session } from '../db/people/sessions.ts'
import { DomainError } from '../domain/errors.ts'
import { scopesOfRole } from '../domain/members.ts'
import type { Call } from './route.ts'
import { hashToken } from './tokens.ts'

/** The prefix makes browsers take it from this host alone, for every path and over TLS. */
export const sessionCookie = '__Host-sid'

/** What is looked at of a request to know who it is. */
export type Caller = Pick<Call, 'db' | 'header' | 'ip'>

export interface Token {
  /** Given to the browser and kept nowhere. */
  secret: string
  hash: Buffer
}

const tokenBytes = 32
const tokenForm = /^[\w-]{43}$/

export function newToken(): Token {
  const secret = randomBytes(tokenBytes).toString('base64url')
  return { secret, hash: hashToken(secret) }
}

/** The value of a cookie; of two with one name neither is believed. */
export function cookieOf(header: string, name: string): string | undefined {
  const values = header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
  return values.length === 1 ? values[0] : undefined
}

/** @param seconds how long it is kept; 0 takes it away. */
export function setCookie(name: string, value: string, seconds: number): Record<string, string> {
  const attributes = 'Path=/; Secure; HttpOnly; SameSite=Lax'
  return { 'Set-Cookie': `${name}=${value}; ${attributes}; Max-Age=${seconds}` }
}

export function setSessionCookie(token: Token, expiresAt: Date, now: Date) {
  const seconds = Math.max(0, Math.floor((expiresAt.getTime() - now.getTime()) / 1000))
  return setCookie(sessionCookie, token.secret, seconds)
}

export const noSessionCookie = () => setCookie(sessionCookie, '', 0)

/** The hash of the token that came along, if one that could be ours did. */
export function tokenHashOf(header: Caller['header']): Buffer | undefined {
  const secret = cookieOf(header('Cookie'), sessionCookie)
  return secret !== undefined && tokenForm.test(secret) ? hashToken(secret) : undefined
}

/** The session of a request, whole or not; undefined without a live one. */
export async function sessionOf(
  { db, header }: Pick<Caller, 'db' | 'header'>,
  why: 'used' | 'looked_at' = 'used',
) {
  const hash = tokenHashOf(header)
  return hash && (await findSession(db, hash, why))
}

/** @throws DomainError `not_authenticated` */
export async function requireSession(caller: Caller): Promise<Session> {
  const session = await sessionOf(caller)
  if (session) return session
  throw new DomainError('not_authenticated', 'sign in first: there is no live session')
}

/**
 * The session of a request that changes something, whole or not.
 * @throws DomainError `not_authenticated`, `forbidden`, `malformed_request`
 */
export async function requireOwnRequest(caller: Caller, publicUrl: string): Promise<Session> {
  refuseKeyed(caller.header)
  refuseCrossSite(caller.header, publicUrl)
  return requireSession(caller)
}

/** @throws DomainError `not_authenticated`, `second_factor_required` */
export async function requireWholeSession(caller: Caller): Promise<Session> {
  return whole(await requireSession(caller))
}

/** @throws DomainError `second_factor_required` */
export function whole(session: Session): Session {
  if (session.needs === null) return session
  const what = session.needs === 'enrolment' ? 'set up a second factor' : 'show your second factor'
  throw new DomainError('second_factor_required', `${what} first`)
}

/** @throws DomainError `step_up_required` */
export function requireStepUp(session: Pick<Session, 'isSteppedUp'>): void {
  if (session.isSteppedUp) return
  throw new DomainError(
    'step_up_required',
    'this takes a fresh proof: POST /v1/sessions/current/step-up, then try again',
  )
}

/**
 * Who acts through a session, as keys have it.
 * @throws DomainError `second_factor_required`
 */
export function principalOfSession(session: Session): Principal {
  const { id, role, isSteppedUp, ...rest } = whole(session)
  return {
    level: rest.level,
    partnerId: rest.partnerId,
    customerId: rest.customerId,
    through: `session:${id}`,
    memberId: rest.memberId,
    memberName: rest.memberName,
    role,
    partnerName: rest.partnerName,
    partnerStatus: rest.partnerStatus,
    suspended: rest.suspended,
    chained: rest.chained,
    scopes: [...scopesOfRole[role]],
    packageLimit: null,
    tenantLimit: rest.tenantLimit,
    stepUp: { fresh: isSteppedUp },
  }
}

/**
 * Refuses what another site makes a browser send: for every request but reading ones that is
 * authenticated by a cookie, or that sets one.
 * @param publicUrl where our own pages are; sites beside it, like those of tenants, are others.
 * @throws DomainError `forbidden`
 */
export function refuseCrossSite(header: Caller['header'], publicUrl: string): void {
  const site = header('Sec-Fetch-Site')
  const origin = header('Origin')
  const isOwn = site === '' ? origin === new URL(publicUrl).origin : isOwnSite.has(site)
  const isTold = site !== '' || origin !== ''
  if (isTold && isOwn && (origin === '' || origin === new URL(publicUrl).origin)) return
  // Browsers tell at least one of the two; what tells neither and has a cookie is not believed.
  if (!isTold && header('Cookie') === '') return
  throw new DomainError('forbidden', 'this request does not come from our own pages')
}

/** `none` is a person's own doing, like a bookmark. */
const isOwnSite = new Set(['same-origin', 'none'])

/**
 * A repeated sign-in is another one, and its answer is not to be kept.
 * @throws DomainError `malformed_request`
 */
export function refuseKeyed(header: Caller['header']): void {
  if (header('Idempotency-Key') === '') return
  throw new DomainError('malformed_request', 'send no Idempotency-Key here: nothing is repeated')
}
