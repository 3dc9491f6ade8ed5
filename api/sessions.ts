/** Signing in, showing a second factor, proving oneself again, and signing out. */
import { z } from 'zod'
import { findPerson, listMemberships, type Membership } from '../db/people/credentials.ts'
import { endSession, endSessionsOf, listSessions, type SessionRow } from '../db/people/sessions.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { hasFactor } from '../domain/members.ts'
import { isPassword } from '../integrations/passwords.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Answer, type Call, openRoute, type Route } from './route.ts'
import {
  type Caller,
  noSessionCookie,
  refuseCrossSite,
  refuseKeyed,
  requireOwnRequest,
  requireSession,
  requireWholeSession,
  tokenHashOf,
  whole,
} from './session-cookies.ts'
import {
  codeField,
  limitedByAddress,
  limitedByPerson,
  openSession,
  organisationField,
  passwordField,
  presentSession,
  proveSession,
  sessionAnswer,
  useCode,
} from './sign-in.ts'
import { emailAddress, idAnswer, instantAnswer, pathId } from './validate.ts'

const signInForm = z.strictObject({
  email: emailAddress,
  password: passwordField,
  partner: organisationField.optional(),
})

const codeForm = z.strictObject({ code: codeField })

const stepUpForm = z.strictObject({
  code: codeField.optional(),
  password: passwordField.optional(),
})

const ownSessionAnswer = z.object({
  id: idAnswer('session'),
  partner: idAnswer('partner').nullable(),
  partner_name: z.string().nullable(),
  methods: z.array(z.string()),
  ip: z.string(),
  user_agent: z.string(),
  current: z.boolean(),
  created_at: instantAnswer,
  last_seen_at: instantAnswer,
  expires_at: instantAnswer,
})

const endedAnswer = z.object({ ended: z.int() })

const notFound = 'there is no such session'
const tag = 'Sessions'
const guessing = ['too_many_requests', 'temporarily_unavailable'] as const

export function sessionRoutes(deps: ApiDeps): Route[] {
  return [...currentRoutes(deps), ...ownRoutes(deps)]
}

function currentRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/v1/sessions',
      tag,
      summary: 'Sign in with a password',
      description:
        'Sets the cookie of the session. Who is a member of several organisations names one in ' +
        '`partner`: the id of a partner or of a customer, or `platform`.',
      access: 'public',
      body: signInForm,
      answers: { 201: { description: 'Signed in, as far as `needs` says', schema: sessionAnswer } },
      refusals: ['not_authenticated', 'forbidden', ...guessing],
      handle: (call) => signIn(deps, call),
    }),
    openRoute({
      method: 'GET',
      path: '/v1/sessions/current',
      tag,
      summary: 'Read the session of the cookie',
      access: 'public',
      answers: { 200: { description: 'The session', schema: sessionAnswer } },
      refusals: ['not_authenticated'],
      handle: async (call) => ({ status: 200, body: presentSession(await requireSession(call)) }),
    }),
    openRoute({
      method: 'POST',
      path: '/v1/sessions/current/totp',
      tag,
      summary: 'Show the second factor: a code of the app, or a recovery code',
      access: 'public',
      body: codeForm,
      answers: { 200: { description: 'The session is whole', schema: sessionAnswer } },
      refusals: ['not_authenticated', 'forbidden', ...guessing],
      handle: (call) => showCode(deps, call),
    }),
    openRoute({
      method: 'POST',
      path: '/v1/sessions/current/step-up',
      tag,
      summary: 'Prove again who you are',
      description:
        'With a code of the app; who has no second factor gives the password. A passkey does the ' +
        'same at `/v1/sessions/current/passkey`. The proof is fresh for five minutes.',
      access: 'public',
      body: stepUpForm,
      answers: { 200: { description: 'Proved', schema: sessionAnswer } },
      refusals: ['not_authenticated', 'forbidden', 'second_factor_required', ...guessing],
      handle: (call) => stepUp(deps, call),
    }),
    openRoute({
      method: 'DELETE',
      path: '/v1/sessions/current',
      tag,
      summary: 'Sign out',
      access: 'public',
      answers: { 200: { description: 'Signed out', schema: endedAnswer } },
      refusals: ['forbidden'],
      handle: async (call) => {
        refuseCrossSite(call.header, deps.settings.publicUrl)
        const hash = tokenHashOf(call.header)
        const ended = hash ? await endSession(call.db, hash, 'signed_out') : 0
        return { status: 200, body: { ended }, headers: noSessionCookie() }
      },
    }),
  ]
}

function ownRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/v1/sessions',
      tag,
      summary: 'List your live sessions, in all your organisations',
      access: 'public',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(ownSessionAnswer) } },
      refusals: ['not_authenticated', 'second_factor_required'],
      handle: async (call) => {
        const { id, personId } = await requireWholeSession(call)
        const page = await listSessions(call.db, personId, pageRequest(call.query))
        return { status: 200, body: presentPage(page, (row) => presentRow(row, id)) }
      },
    }),
    openRoute({
      method: 'DELETE',
      path: '/v1/sessions',
      tag,
      summary: 'End all your sessions, this one too',
      access: 'public',
      answers: { 200: { description: 'Ended', schema: endedAnswer } },
      refusals: ['not_authenticated', 'forbidden', 'second_factor_required'],
      handle: async (call) => {
        refuseCrossSite(call.header, deps.settings.publicUrl)
        const { personId } = await requireWholeSession(call)
        const ended = await endSessionsOf(call.db, { personId, because: 'revoked' })
        return { status: 200, body: { ended }, headers: noSessionCookie() }
      },
    }),
    openRoute({
      method: 'DELETE',
      path: '/v1/sessions/:id',
      tag,
      summary: 'End one of your sessions at once',
      access: 'public',
      answers: { 200: { description: 'Ended', schema: endedAnswer } },
      refusals: ['not_authenticated', 'forbidden', 'second_factor_required', 'not_found'],
      handle: async (call) => {
        refuseCrossSite(call.header, deps.settings.publicUrl)
        const { personId } = await requireWholeSession(call)
        const only = pathId('session', call.params.id, notFound)
        const ended = await endSessionsOf(call.db, { personId, only, because: 'revoked' })
        if (ended === 0) throw new DomainError('not_found', notFound)
        return { status: 200, body: { ended } }
      },
    }),
  ]
}

type BodyCall<Form extends z.ZodType> = Caller & Pick<Call<unknown, z.output<Form>>, 'body'>

/** The same for whoever is unknown, disabled, or has another password. */
const wrong = () =>
  new DomainError('not_authenticated', 'the e-mail address or the password is wrong')

async function signIn(deps: ApiDeps, call: BodyCall<typeof signInForm>): Promise<Answer> {
  const { db, body, header } = call
  refuseKeyed(header)
  refuseCrossSite(header, deps.settings.publicUrl)
  const limit = await limitedByAddress(call, 'password', body.email)
  const person = await findPerson(db, body.email)
  const memberships = await listMemberships(db, body.email)
  const isRight = await isPassword(person?.passwordHash ?? null, body.password)
  if (!isRight || !person || memberships.length === 0) throw wrong()
  await limit.clear()
  const opened = await openSession(call, {
    personId: person.id,
    membership: chosen(memberships, body.partner),
    hasTotp: person.totpConfirmedAt !== null,
    passkeys: person.passkeys ?? 0,
    method: 'password',
    strong: false,
    provedAt: 'now',
  })
  return { status: 201, ...opened }
}

/**
 * The membership that is meant. Only who has proved itself learns which there are.
 * @throws DomainError `not_authenticated` for an organisation that it is not a member of,
 * `invalid_request` where one has to be named.
 */
export function chosen(memberships: Membership[], organisation: string | undefined): Membership {
  const meant = memberships.filter(
    (one) => organisation === undefined || idOf(one) === organisation,
  )
  const [first] = meant
  if (!first) throw wrong()
  if (new Set(meant.map(idOf)).size === 1) return first
  const names = new Set(meant.map(outwardOf))
  throw new DomainError('invalid_request', 'body: you are a member of several organisations', {
    fields: [
      {
        pointer: '/partner',
        code: 'ambiguous',
        detail: `name one of ${[...names].join(', ')}`,
      },
    ],
  })
}

const idOf = ({ partnerId, customerId }: Membership) => customerId ?? partnerId ?? 'platform'

function outwardOf({ partnerId, customerId }: Membership): string {
  if (customerId) return outwardId('customer', customerId)
  return partnerId ? outwardId('partner', partnerId) : 'platform'
}

async function showCode(deps: ApiDeps, call: BodyCall<typeof codeForm>): Promise<Answer> {
  const session = await requireOwnRequest(call, deps.settings.publicUrl)
  if (session.needs === 'enrolment' || !hasFactor(session)) {
    throw new DomainError('forbidden', 'there is no second factor to show: set one up first')
  }
  const { personId } = session
  const method = await useCode(deps, call.db, { personId, code: call.body.code })
  return { status: 200, ...(await proveSession(call, { session, method })) }
}

async function stepUp(deps: ApiDeps, call: BodyCall<typeof stepUpForm>): Promise<Answer> {
  const session = whole(await requireOwnRequest(call, deps.settings.publicUrl))
  const { db, body } = call
  const { personId } = session
  if (hasFactor(session)) {
    if (!body.code) throw missing('/code', 'who has a second factor shows it')
    if (body.password) await provePassword(call, session, body.password)
    const method = await useCode(deps, db, { personId, code: body.code })
    return { status: 200, ...(await proveSession(call, { session, method })) }
  }
  if (!body.password) throw missing('/password', 'there is no second factor yet')
  await provePassword(call, session, body.password)
  return { status: 200, ...(await proveSession(call, { session, method: 'password' })) }
}

function missing(pointer: string, why: string): DomainError {
  return new DomainError('invalid_request', `body: ${why}`, {
    fields: [{ pointer, code: 'missing', detail: why }],
  })
}

/** @throws DomainError `forbidden`, `too_many_requests` */
export async function provePassword(
  { db }: Pick<Caller, 'db'>,
  { personId, email }: { personId: string; email: string },
  password: string,
): Promise<void> {
  const limit = await limitedByPerson(db, personId)
  const person = await findPerson(db, email)
  if (!(await isPassword(person?.passwordHash ?? null, password))) {
    throw new DomainError('forbidden', 'the password is wrong')
  }
  await limit.clear()
}

function presentRow(row: SessionRow, currentId: string) {
  return {
    id: outwardId('session', row.id),
    partner: row.partnerId && outwardId('partner', row.partnerId),
    partner_name: row.partnerName,
    methods: row.methods,
    ip: row.ip,
    user_agent: row.userAgent,
    current: row.id === currentId,
    created_at: row.createdAt.toISOString(),
    last_seen_at: row.lastSeenAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
  }
}
