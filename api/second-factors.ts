/** Setting up the second factor: an authenticator app, and codes on paper beside it. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { type Db, inTransaction, type Trx } from '../db/database.ts'
import { recordAccessMail } from '../db/people/mails.ts'
import type { Session } from '../db/people/sessions.ts'
import {
  countRecoveryCodes,
  endOtherSessions,
  getTotp,
  lockFactors,
  markTotpConfirmed,
  recordRecoveryCodes,
  recordTotpSecret,
  removeRecoveryCodes,
  removeTotp,
} from '../db/people/totp.ts'
import { DomainError } from '../domain/errors.ts'
import { type Factors, hasFactor, needsSecondFactor } from '../domain/members.ts'
import { base32, otpauthUri } from '../domain/totp.ts'
import type { ApiDeps } from './deps.ts'
import { openRoute, type Route } from './route.ts'
import {
  type Caller,
  requireOwnRequest,
  requireStepUp,
  requireWholeSession,
  whole,
} from './session-cookies.ts'
import {
  codeField,
  limitedByPerson,
  proveSession,
  recoveryHash,
  sealerOf,
  secretPlace,
  sessionAnswer,
  useTotpCode,
} from './sign-in.ts'

const factorsAnswer = z.object({
  required: z.boolean().meta({ description: 'Whether your level signs in with two factors.' }),
  totp: z.boolean(),
  passkeys: z.int(),
  recovery_codes_left: z.int(),
})

const secretAnswer = z.object({
  secret: z.string().meta({ description: 'Base 32; it is shown in this answer only.' }),
  uri: z.string().meta({ description: 'What an app reads, usually as a picture.' }),
})

const codesField = z
  .array(z.string())
  .nullable()
  .meta({ description: 'Each works once; shown in this answer only. Null where you have some.' })

export const enrolledAnswer = z.object({ session: sessionAnswer, recovery_codes: codesField })

const codesAnswer = z.object({ recovery_codes: z.array(z.string()) })

const tag = 'Second factors'
const signedIn = ['not_authenticated', 'forbidden', 'second_factor_required'] as const

export function secondFactorRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/v1/second-factors',
      tag,
      summary: 'Which second factors you have',
      access: 'public',
      answers: { 200: { description: 'Your factors', schema: factorsAnswer } },
      refusals: [...signedIn],
      handle: async (call) => {
        const session = await requireWholeSession(call)
        return { status: 200, body: await presentFactors(call.db, session) }
      },
    }),
    openRoute({
      method: 'POST',
      path: '/v1/second-factors/totp',
      tag,
      summary: 'Begin to set up an authenticator app',
      access: 'public',
      answers: { 201: { description: 'What the app needs', schema: secretAnswer } },
      refusals: [...signedIn, 'step_up_required', 'conflict'],
      handle: async (call) => {
        const session = await enrollingSession(deps, call)
        const { personId, email } = session
        const secret = randomBytes(20)
        const sealed = await sealerOf(deps).seal(secret.toString('hex'), secretPlace(personId))
        await recordTotpSecret(call.db, personId, sealed)
        const shown = base32(secret)
        const uri = otpauthUri({ issuer: 'Tributary', account: email, secret: shown })
        return { status: 201, body: { secret: shown, uri } }
      },
    }),
    openRoute({
      method: 'POST',
      path: '/v1/second-factors/totp/confirm',
      tag,
      summary: 'Show the first code of the app',
      description: 'All your other sessions end. The first factor comes with recovery codes.',
      access: 'public',
      body: z.strictObject({ code: codeField }),
      answers: { 200: { description: 'The app is set up', schema: enrolledAnswer } },
      refusals: [
        ...signedIn,
        'step_up_required',
        'not_ready',
        'conflict',
        'too_many_requests',
        'temporarily_unavailable',
      ],
      handle: (call) => confirmTotp(deps, call),
    }),
    openRoute({
      method: 'DELETE',
      path: '/v1/second-factors/totp',
      tag,
      summary: 'Remove the authenticator app',
      access: 'public',
      answers: { 200: { description: 'Your factors', schema: factorsAnswer } },
      refusals: [...signedIn, 'step_up_required', 'conflict'],
      handle: async (call) => {
        const session = await changingSession(deps, call)
        await inTransaction(call.db, async (trx) => {
          await lockFactors(trx, session.personId)
          await removeTotp(trx, session.personId)
          await afterRemoval(trx, session)
        })
        return { status: 200, body: await presentFactors(call.db, session) }
      },
    }),
    openRoute({
      method: 'POST',
      path: '/v1/second-factors/recovery-codes',
      tag,
      summary: 'Get new recovery codes in place of the old ones',
      access: 'public',
      answers: { 201: { description: 'Ten codes', schema: codesAnswer } },
      refusals: [...signedIn, 'step_up_required', 'conflict'],
      handle: async (call) => {
        const session = await changingSession(deps, call)
        const codes = await inTransaction(call.db, async (trx) => {
          if (!hasFactor(await lockFactors(trx, session.personId))) {
            throw new DomainError('conflict', 'recovery codes stand in for a second factor')
          }
          await tellChange(trx, session, 'New recovery codes were made; the old ones are void.')
          return newRecoveryCodes(trx, session.personId)
        })
        return { status: 201, body: { recovery_codes: codes } }
      },
    }),
  ]
}

/**
 * Who may add a factor: the first one right after signing in, any further one by a fresh proof, so
 * that a session that was left open gives nobody a factor of its own.
 * @throws DomainError `step_up_required`, and those of a session that is not whole
 */
export async function enrollingSession(deps: ApiDeps, call: Caller): Promise<Session> {
  const session = await requireOwnRequest(call, deps.settings.publicUrl)
  if (session.needs === 'enrolment') return session
  if (hasFactor(session) || !session.isNew) requireStepUp(whole(session))
  return whole(session)
}

/** @throws DomainError `step_up_required`, and those of a session that is not whole */
export async function changingSession(deps: ApiDeps, call: Caller): Promise<Session> {
  const session = whole(await requireOwnRequest(call, deps.settings.publicUrl))
  requireStepUp(session)
  return session
}

async function confirmTotp(deps: ApiDeps, call: Caller & { body: { code: string } }) {
  const session = await enrollingSession(deps, call)
  const { personId } = session
  const limit = await limitedByPerson(call.db, personId)
  const totp = await getTotp(call.db, personId)
  if (!totp.secret) throw new DomainError('not_ready', 'begin to set up an app first')
  if (totp.isConfirmed) throw new DomainError('conflict', 'an app is set up already')
  const { code } = call.body
  if (!(await useTotpCode(call.db, sealerOf(deps), { personId, totp, code }))) {
    throw new DomainError('forbidden', 'the code is wrong: is the clock of the device right?')
  }
  await limit.clear()
  const body = await inTransaction(call.db, async (trx) => {
    await lockFactors(trx, personId)
    await markTotpConfirmed(trx, personId)
    const codes = await afterEnrolment(trx, session, 'An authenticator app was set up.')
    const proved = await proveSession({ ...call, db: trx }, { session, method: 'totp' })
    return { proved, codes }
  })
  const { proved, codes } = body
  return {
    status: 200,
    body: { session: proved.body, recovery_codes: codes },
    headers: proved.headers,
  }
}

/** @returns the recovery codes of a first factor; null where there are some. */
export async function afterEnrolment(
  trx: Trx,
  session: Session,
  what: string,
): Promise<string[] | null> {
  await endOtherSessions(trx, session)
  await tellChange(trx, session, what)
  const left = await countRecoveryCodes(trx, session.personId)
  return left > 0 ? null : newRecoveryCodes(trx, session.personId)
}

/** @throws DomainError `conflict` where a level that needs a factor would be without one. */
export async function afterRemoval(trx: Trx, session: Session): Promise<void> {
  const left: Factors = await lockFactors(trx, session.personId)
  if (!hasFactor(left)) {
    if (needsSecondFactor(session.level)) {
      throw new DomainError('conflict', 'your level needs a second factor: add another one first')
    }
    await removeRecoveryCodes(trx, session.personId)
  }
  await endOtherSessions(trx, session)
  await tellChange(trx, session, 'A second factor was removed.')
}

async function newRecoveryCodes(trx: Trx, personId: string): Promise<string[]> {
  const codes = Array.from({ length: 10 }, () => {
    const letters = base32(randomBytes(10)).toLowerCase()
    return (letters.match(/.{4}/g) ?? []).join('-')
  })
  await recordRecoveryCodes(trx, personId, codes.map(recoveryHash))
  return codes
}

/** A person hears of it where nobody who has taken its session can hide it. */
export async function tellChange(
  trx: Trx,
  person: Pick<Session, 'personId' | 'email' | 'memberName'>,
  what: string,
): Promise<void> {
  await recordAccessMail(trx, {
    kind: 'access_changed',
    subjectId: person.personId,
    partnerId: null,
    recipient: person.email,
    name: person.memberName,
    what,
  })
}

async function presentFactors(db: Db, session: Session) {
  const { isConfirmed } = await getTotp(db, session.personId)
  return {
    required: needsSecondFactor(session.level),
    totp: isConfirmed,
    passkeys: session.passkeys,
    recovery_codes_left: await countRecoveryCodes(db, session.personId),
  }
}
