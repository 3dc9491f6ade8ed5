/** What every way of signing in has in common: limits, codes, and the session that comes of it. */
import { createHash, createHmac, randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import { type Db, databaseNow, inTransaction } from '../db/database.ts'
import type { Membership } from '../db/people/credentials.ts'
import {
  endSession,
  findSession,
  markProved,
  recordSession,
  type Session,
} from '../db/people/sessions.ts'
import { removeTries, returnTry, takeTry } from '../db/people/sign-in-limits.ts'
import { getTotp, markStepUsed, type TotpState, takeRecoveryCode } from '../db/people/totp.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { type Factors, memberRoles, needAfterFirst } from '../domain/members.ts'
import { longestPassword } from '../domain/passwords.ts'
import { stepOfCode } from '../domain/totp.ts'
import type { ApiDeps } from './deps.ts'
import { seal, unseal } from './sealed.ts'
import { type Caller, newToken, setSessionCookie, tokenHashOf } from './session-cookies.ts'
import { idAnswer, idField, instantAnswer } from './validate.ts'

/** Unlike other text it is taken as it is, with the blanks at its ends. */
export const passwordField = z
  .string()
  .min(1)
  .max(longestPassword)
  .refine((value) => value.isWellFormed(), 'expected text without broken characters')

export const codeField = z.string().trim().min(6).max(40)

/** An organisation of the person's: a partner, one of its customers, or the platform itself. */
export const organisationField = z.union([
  z.literal('platform'),
  idField('partner'),
  idField('customer'),
])

export const sessionAnswer = z.object({
  id: idAnswer('session'),
  member: idAnswer('member'),
  name: z.string(),
  email: z.string(),
  partner: idAnswer('partner').nullable(),
  customer: idAnswer('customer').nullable(),
  level: z.enum(['super_admin', 'master_reseller', 'reseller', 'customer']),
  role: z.enum(memberRoles),
  needs: z
    .enum(['totp', 'passkey'])
    .nullable()
    .meta({ description: 'The factor to show before anything else can be done.' }),
  enrol: z.boolean().meta({ description: 'Whether a second factor has to be set up first.' }),
  methods: z.array(z.string()),
  stepped_up_at: instantAnswer.nullable(),
  created_at: instantAnswer,
  expires_at: instantAnswer,
})

const quarterHour = 900
const bucketOf = (...parts: string[]) =>
  createHash('sha256').update(parts.join('\n')).digest('base64url')

/** @throws DomainError `too_many_requests`; `temporarily_unavailable` where nothing can count. */
async function takeFrom(db: Db, limits: Parameters<typeof takeTry>[1]): Promise<void> {
  const wait = await takeTry(db, limits).catch(() => {
    throw new DomainError('temporarily_unavailable', 'nobody can sign in at the moment')
  })
  if (wait === null) return
  throw new DomainError('too_many_requests', 'too many tries: wait before the next one', {
    retryAfterSeconds: wait,
  })
}

/**
 * Counts a try with an address (of mail) from an address (of the network); 5 in 15 minutes, and
 * more generous numbers for either alone. The limits do not know who exists.
 */
export async function limitedByAddress(caller: Caller, kind: string, email: string) {
  const { db, ip } = caller
  const pair = bucketOf(kind, 'pair', ip, email.toLowerCase())
  const account = bucketOf(kind, 'account', email.toLowerCase())
  const place = bucketOf(kind, 'place', ip)
  await takeFrom(db, [
    { bucket: pair, tries: 5, seconds: quarterHour },
    { bucket: account, tries: 50, seconds: quarterHour },
    { bucket: place, tries: 100, seconds: quarterHour },
  ])
  return {
    /** It was no guess. */
    async clear(): Promise<void> {
      await removeTries(db, [pair, account])
      await returnTry(db, place)
    },
  }
}

/** Counts a try at a code or password of a person who is known; 5 in 15 minutes, from anywhere. */
export async function limitedByPerson(db: Db, personId: string) {
  const bucket = bucketOf('person', personId)
  await takeFrom(db, [{ bucket, tries: 5, seconds: quarterHour }])
  return { clear: () => removeTries(db, [bucket]) }
}

/** Keeps a text encrypted at a place, and opens it at that place only. */
export interface Sealer {
  seal(text: string, place: string): Buffer | Promise<Buffer>
  open(sealed: Buffer, place: string): string | Promise<string>
}

export function sealerOf({ settings }: Pick<ApiDeps, 'settings'>): Sealer {
  return {
    seal: (text, place) => seal(text, place, settings.linkSecret),
    open: (sealed, place) => unseal(sealed, place, settings.linkSecret),
  }
}

export const secretPlace = (personId: string) => `people.totp_secret ${personId}`

/** Whether it is a code that the person's app shows now; it is used up by the question. */
export async function useTotpCode(
  db: Db,
  sealer: Sealer,
  given: { personId: string; totp: TotpState; code: string },
): Promise<boolean> {
  const { personId, totp, code } = given
  if (!totp.secret) return false
  const secret = Buffer.from(await sealer.open(totp.secret, secretPlace(personId)), 'hex')
  const hash = (counter: Uint8Array) => createHmac('sha1', secret).update(counter).digest()
  const { lastStep } = totp
  const step = stepOfCode(code, { hash, now: await databaseNow(db), lastStep })
  return step !== undefined && markStepUsed(db, personId, step)
}

/** Recovery codes are read from paper: case and dashes do not count. */
export const recoveryHash = (code: string) =>
  createHash('sha256')
    .update(code.toLowerCase().replace(/[^a-z0-9]/g, ''))
    .digest()

/**
 * Takes a code of the app, or one from paper.
 * @returns how the person proved itself. @throws DomainError `forbidden`, `too_many_requests`
 */
export async function useCode(
  deps: Pick<ApiDeps, 'settings'>,
  db: Db,
  { personId, code }: { personId: string; code: string },
): Promise<'totp' | 'recovery_code'> {
  const limit = await limitedByPerson(db, personId)
  const method = await methodOfCode(deps, db, { personId, code })
  if (!method) throw new DomainError('forbidden', 'the code is wrong, or was used before')
  await limit.clear()
  return method
}

async function methodOfCode(
  deps: Pick<ApiDeps, 'settings'>,
  db: Db,
  { personId, code }: { personId: string; code: string },
) {
  const totp = await getTotp(db, personId)
  if (/^\d{6}$/.test(code)) {
    const isRight =
      totp.isConfirmed && (await useTotpCode(db, sealerOf(deps), { personId, totp, code }))
    return isRight ? 'totp' : undefined
  }
  return (await takeRecoveryCode(db, personId, recoveryHash(code))) ? 'recovery_code' : undefined
}

interface FirstProof extends Factors {
  personId: string
  membership: Membership
  method: 'password' | 'oidc'
  /** Whether the identity provider has seen a second factor. */
  strong: boolean
  /** When the person itself was there, as far as that is known. */
  provedAt: Date | 'now' | null
}

/** Opens a session after the first proof; what the browser had before ends with it. */
export async function openSession(caller: Caller, proof: FirstProof) {
  const { db, header, ip } = caller
  const { personId, membership, method, strong } = proof
  const needs = needAfterFirst({ ...proof, level: membership.level })
  const token = newToken()
  const old = tokenHashOf(header)
  return inTransaction(db, async (trx) => {
    if (old) await endSession(trx, old, 'replaced')
    await recordSession(trx, {
      id: randomUUIDv7(),
      personId,
      memberId: membership.memberId,
      level: membership.level,
      tokenHash: token.hash,
      needs,
      methods: strong ? [method, 'mfa'] : [method],
      steppedUpAt: needs === null ? proof.provedAt : null,
      ip,
      userAgent: header('User-Agent').slice(0, 200),
    })
    return presentNew(trx, token)
  })
}

/**
 * The person has shown more: the session is whole, under another token.
 * @param proof.stepsUp whether it counts as a fresh proof; a password beside a factor does not.
 */
export async function proveSession(
  caller: Caller,
  proof: { session: Session; method: string; stepsUp?: boolean },
) {
  const { session, method, stepsUp = true } = proof
  const token = newToken()
  return inTransaction(caller.db, async (trx) => {
    const oldHash = tokenHashOf(caller.header) ?? Buffer.of()
    await markProved(trx, session, { method, stepsUp, oldHash, newHash: token.hash })
    return presentNew(trx, token)
  })
}

async function presentNew(db: Db, token: ReturnType<typeof newToken>) {
  const session = await findSession(db, token.hash)
  if (!session) throw new DomainError('not_authenticated', 'the session has ended meanwhile')
  const cookie = setSessionCookie(token, session.expiresAt, await databaseNow(db))
  return { body: presentSession(session), headers: cookie }
}

export function presentSession(session: Session) {
  const { needs } = session
  return {
    id: outwardId('session', session.id),
    member: outwardId('member', session.memberId),
    name: session.memberName,
    email: session.email,
    partner: session.partnerId && outwardId('partner', session.partnerId),
    customer: session.customerId && outwardId('customer', session.customerId),
    level: session.level,
    role: session.role,
    needs: needs === 'enrolment' ? null : needs,
    enrol: needs === 'enrolment',
    methods: session.methods,
    stepped_up_at: session.steppedUpAt?.toISOString() ?? null,
    created_at: session.createdAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
  }
}
