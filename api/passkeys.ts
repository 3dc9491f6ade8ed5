/** Passkeys: registered as a second factor, shown at sign-in and for a fresh proof. */
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import {
  findPasskey,
  listCredentialIds,
  listPasskeys,
  markPasskeyUsed,
  type PasskeyRow,
  recordChallenge,
  recordPasskey,
  removePasskey,
  takeChallenge,
} from '../db/people/passkeys.ts'
import { lockFactors } from '../db/people/totp.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import {
  checkNewPasskey,
  checkPasskey,
  passkeyCreation,
  passkeyRequest,
} from '../integrations/passkeys.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Answer, type Call, openRoute, type Route } from './route.ts'
import {
  afterEnrolment,
  afterRemoval,
  changingSession,
  enrollingSession,
} from './second-factors.ts'
import { type Caller, requireOwnRequest, requireWholeSession } from './session-cookies.ts'
import { proveSession, sessionAnswer } from './sign-in.ts'
import { idAnswer, instantAnswer, pathId, text } from './validate.ts'

const base64url = z
  .string()
  .regex(/^[\w-]+={0,2}$/, 'expected base64url')
  .max(20_000)

/** What browsers send beside what is looked at, as the standard has it (WebAuthn level 3). */
const ofBrowser = {
  rawId: base64url.optional(),
  type: z.literal('public-key').optional(),
  authenticatorAttachment: z.string().max(40).nullish(),
  clientExtensionResults: z.unknown().optional(),
}

const registrationField = z.strictObject({
  ...ofBrowser,
  id: base64url,
  response: z.strictObject({
    clientDataJSON: base64url,
    attestationObject: base64url,
    authenticatorData: base64url.optional(),
    publicKey: base64url.optional(),
    publicKeyAlgorithm: z.int().optional(),
    transports: z.array(z.string().max(20)).max(10).optional(),
  }),
})

const authenticationField = z.strictObject({
  ...ofBrowser,
  id: base64url,
  response: z.strictObject({
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
    userHandle: base64url.optional(),
  }),
})

const passkeyForm = z.strictObject({ name: text(100), credential: registrationField })
const showForm = z.strictObject({ credential: authenticationField })

/** Passed to the browser as it is. */
const optionsAnswer = z.looseObject({ challenge: z.string() })

const passkeyAnswer = z.object({
  id: idAnswer('passkey'),
  name: z.string(),
  backed_up: z.boolean(),
  created_at: instantAnswer,
  last_used_at: instantAnswer.nullable(),
})

const registeredAnswer = z.object({
  passkey: passkeyAnswer,
  session: sessionAnswer,
  recovery_codes: z.array(z.string()).nullable(),
})

const removedAnswer = z.object({ removed: idAnswer('passkey') })

const tag = 'Passkeys'
const notFound = 'there is no such passkey'
const signedIn = ['not_authenticated', 'forbidden', 'second_factor_required'] as const

export function passkeyRoutes(deps: ApiDeps): Route[] {
  return [...registrationRoutes(deps), ...showingRoutes(deps), ...keepingRoutes(deps)]
}

function registrationRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/v1/passkeys/options',
      tag,
      summary: 'Begin to register a passkey',
      access: 'public',
      answers: { 200: { description: 'For the browser', schema: optionsAnswer } },
      refusals: [...signedIn, 'step_up_required'],
      handle: async (call) => {
        const session = await enrollingSession(deps, call)
        const { id: sessionId, personId, email, memberName: name } = session
        const known = await listCredentialIds(call.db, personId)
        const { publicUrl } = deps.settings
        const options = await passkeyCreation({ publicUrl, personId, email, name, known })
        const { challenge } = options
        await recordChallenge(call.db, { sessionId, purpose: 'registration', challenge })
        return { status: 200, body: options }
      },
    }),
    openRoute({
      method: 'POST',
      path: '/v1/passkeys',
      tag,
      summary: 'Register the passkey that the browser has made',
      description: 'All your other sessions end. The first factor comes with recovery codes.',
      access: 'public',
      body: passkeyForm,
      answers: { 201: { description: 'Registered', schema: registeredAnswer } },
      refusals: [...signedIn, 'step_up_required', 'not_ready', 'conflict'],
      handle: (call) => registerPasskey(deps, call),
    }),
  ]
}

function showingRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/v1/sessions/current/passkey/options',
      tag,
      summary: 'Begin to show a passkey',
      access: 'public',
      answers: { 200: { description: 'For the browser', schema: optionsAnswer } },
      refusals: [...signedIn],
      handle: async (call) => {
        const session = await requireOwnRequest(call, deps.settings.publicUrl)
        const known = await listCredentialIds(call.db, session.personId)
        if (known.length === 0) throw new DomainError('forbidden', 'you have no passkey')
        const options = await passkeyRequest({ publicUrl: deps.settings.publicUrl, known })
        const { challenge } = options
        const sessionId = session.id
        await recordChallenge(call.db, { sessionId, purpose: 'authentication', challenge })
        return { status: 200, body: options }
      },
    }),
    openRoute({
      method: 'POST',
      path: '/v1/sessions/current/passkey',
      tag,
      summary: 'Show a passkey: as the second factor, or as a fresh proof',
      access: 'public',
      body: showForm,
      answers: { 200: { description: 'The session is whole', schema: sessionAnswer } },
      refusals: [...signedIn, 'not_ready'],
      handle: (call) => showPasskey(deps, call),
    }),
  ]
}

function keepingRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/v1/passkeys',
      tag,
      summary: 'List your passkeys',
      access: 'public',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(passkeyAnswer) } },
      refusals: [...signedIn],
      handle: async (call) => {
        const { personId } = await requireWholeSession(call)
        const page = await listPasskeys(call.db, personId, pageRequest(call.query))
        return { status: 200, body: presentPage(page, presentPasskey) }
      },
    }),
    openRoute({
      method: 'DELETE',
      path: '/v1/passkeys/:id',
      tag,
      summary: 'Remove a passkey',
      access: 'public',
      answers: { 200: { description: 'Removed', schema: removedAnswer } },
      refusals: [...signedIn, 'step_up_required', 'not_found', 'conflict'],
      handle: async (call) => {
        const session = await changingSession(deps, call)
        const id = pathId('passkey', call.params.id, notFound)
        await inTransaction(call.db, async (trx) => {
          await lockFactors(trx, session.personId)
          await removePasskey(trx, { id, personId: session.personId })
          await afterRemoval(trx, session)
        })
        return { status: 200, body: { removed: outwardId('passkey', id) } }
      },
    }),
  ]
}

type BodyCall<Form extends z.ZodType> = Caller &
  Pick<Call<unknown, z.output<Form>>, 'body' | 'operationId'>

async function registerPasskey(deps: ApiDeps, call: BodyCall<typeof passkeyForm>): Promise<Answer> {
  const session = await enrollingSession(deps, call)
  const { id: sessionId, personId } = session
  const challenge = await takeChallenge(call.db, { sessionId, purpose: 'registration' })
  const { publicUrl } = deps.settings
  const { name, credential } = call.body
  const made = await checkNewPasskey({ publicUrl, challenge, answer: credential })
  const done = await inTransaction(call.db, async (trx) => {
    await lockFactors(trx, personId)
    const row = await recordPasskey(trx, { id: call.operationId, personId, name, ...made })
    const codes = await afterEnrolment(trx, session, `The passkey “${name}” was registered.`)
    const proved = await proveSession({ ...call, db: trx }, { session, method: 'passkey' })
    return { row, codes, proved }
  })
  const { row, codes, proved } = done
  return {
    status: 201,
    body: { passkey: presentPasskey(row), session: proved.body, recovery_codes: codes },
    headers: proved.headers,
  }
}

async function showPasskey(deps: ApiDeps, call: BodyCall<typeof showForm>): Promise<Answer> {
  const { db, body } = call
  const session = await requireOwnRequest(call, deps.settings.publicUrl)
  const { id: sessionId, personId } = session
  const challenge = await takeChallenge(db, { sessionId, purpose: 'authentication' })
  const { credential } = body
  const passkey = await findPasskey(db, { personId, credentialId: credential.id })
  if (!passkey) throw new DomainError('forbidden', 'this passkey is not one of yours')
  const { publicUrl } = deps.settings
  const counter = await checkPasskey({ publicUrl, challenge, answer: credential, passkey })
  if (!(await markPasskeyUsed(db, { id: passkey.id, counter }))) {
    throw new DomainError('forbidden', 'the counter of this passkey stands still: is it a copy?')
  }
  return { status: 200, ...(await proveSession(call, { session, method: 'passkey' })) }
}

function presentPasskey(row: PasskeyRow) {
  return {
    id: outwardId('passkey', row.id),
    name: row.name,
    backed_up: row.backedUp,
    created_at: row.createdAt.toISOString(),
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
  }
}
