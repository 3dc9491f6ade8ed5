/** Choosing another password: with the old one, or with a token that came by mail. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import { lockReset, markPassword, markResetUsed, recordReset } from '../db/people/credentials.ts'
import { recordAccessMail } from '../db/people/mails.ts'
import { DomainError } from '../domain/errors.ts'
import { hasFactor } from '../domain/members.ts'
import { passwordProblem } from '../domain/passwords.ts'
import { hashPassword } from '../integrations/passwords.ts'
import type { ApiDeps } from './deps.ts'
import { type Answer, type Call, openRoute, type Route } from './route.ts'
import { tellChange } from './second-factors.ts'
import {
  type Caller,
  refuseCrossSite,
  refuseKeyed,
  requireOwnRequest,
  whole,
} from './session-cookies.ts'
import { provePassword } from './sessions.ts'
import { limitedByAddress, passwordField, proveSession, sessionAnswer } from './sign-in.ts'
import { hashToken } from './tokens.ts'
import { emailAddress, text } from './validate.ts'

const resetSeconds = 3_600

const changeForm = z.strictObject({ old_password: passwordField, password: passwordField })
const askForm = z.strictObject({ email: emailAddress })
const resetForm = z.strictObject({ token: text(200), password: passwordField })
const messageAnswer = z.object({ message: z.string() })

const tag = 'Passwords'
const guessing = ['too_many_requests', 'temporarily_unavailable'] as const

export function passwordRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/v1/passwords',
      tag,
      summary: 'Change your password',
      description: 'Takes the old one. All your other sessions end.',
      access: 'public',
      body: changeForm,
      answers: { 200: { description: 'Changed', schema: sessionAnswer } },
      refusals: ['not_authenticated', 'forbidden', 'second_factor_required', ...guessing],
      handle: (call) => changePassword(deps, call),
    }),
    openRoute({
      method: 'POST',
      path: '/v1/password-resets',
      tag,
      summary: 'Ask for a new password by mail',
      description: 'The answer is the same for every address. The mail comes within a minute.',
      access: 'public',
      body: askForm,
      answers: { 202: { description: 'Noted', schema: messageAnswer } },
      refusals: ['forbidden', ...guessing],
      handle: (call) => askForReset(deps, call),
    }),
    openRoute({
      method: 'POST',
      path: '/v1/password-resets/confirm',
      tag,
      summary: 'Choose a new password with the token of the mail',
      description:
        'The token works once and for an hour. All your sessions end; a second factor stays.',
      access: 'public',
      body: resetForm,
      answers: { 200: { description: 'Chosen', schema: messageAnswer } },
      refusals: ['forbidden', 'gone'],
      handle: (call) => resetPassword(deps, call),
    }),
  ]
}

/** @throws DomainError `invalid_request` that says why the password is refused. */
export function requireGoodPassword(
  password: string,
  person: { email: string; name: string },
): void {
  const problem = passwordProblem(password, person)
  if (!problem) return
  throw new DomainError('invalid_request', `body: ${problem.detail}`, {
    fields: [{ pointer: '/password', ...problem }],
  })
}

type BodyCall<Form extends z.ZodType> = Caller & Pick<Call<unknown, z.output<Form>>, 'body'>

async function changePassword(deps: ApiDeps, call: BodyCall<typeof changeForm>): Promise<Answer> {
  const session = whole(await requireOwnRequest(call, deps.settings.publicUrl))
  const { personId, email, memberName: name } = session
  const { old_password: old, password } = call.body
  await provePassword(call, session, old)
  requireGoodPassword(password, { email, name })
  const passwordHash = await hashPassword(password)
  const proved = await inTransaction(call.db, async (trx) => {
    await markPassword(trx, { personId, passwordHash, keepSession: session.id })
    await tellChange(trx, session, 'Your password was changed.')
    const proof = { session, method: 'password', stepsUp: !hasFactor(session) }
    return proveSession({ ...call, db: trx }, proof)
  })
  return { status: 200, ...proved }
}

async function askForReset(deps: ApiDeps, call: BodyCall<typeof askForm>): Promise<Answer> {
  refuseKeyed(call.header)
  refuseCrossSite(call.header, deps.settings.publicUrl)
  const { email } = call.body
  await limitedByAddress(call, 'reset', email)
  const id = randomUUIDv7()
  const tokenHash = hashToken(deps.links.passwordResetToken(id))
  await inTransaction(call.db, async (trx) => {
    const person = await recordReset(trx, { id, email, tokenHash, lifeSeconds: resetSeconds })
    if (!person) return
    const to = { partnerId: null, recipient: email, name: person.name }
    await recordAccessMail(trx, { kind: 'password_reset', subjectId: id, ...to })
  })
  return { status: 202, body: { message: 'if we know this address, a mail is on its way' } }
}

async function resetPassword(deps: ApiDeps, call: BodyCall<typeof resetForm>): Promise<Answer> {
  refuseKeyed(call.header)
  refuseCrossSite(call.header, deps.settings.publicUrl)
  const { token, password } = call.body
  await inTransaction(call.db, async (trx) => {
    const { id, personId, email, name } = await lockReset(trx, hashToken(token))
    requireGoodPassword(password, { email, name })
    // Only a token that holds is worth the work.
    const passwordHash = await hashPassword(password)
    await markResetUsed(trx, id)
    await markPassword(trx, { personId, passwordHash, keepSession: null })
    const person = { personId, email, memberName: name }
    await tellChange(trx, person, 'Your password was chosen anew by mail.')
  })
  return { status: 200, body: { message: 'sign in with your new password' } }
}
