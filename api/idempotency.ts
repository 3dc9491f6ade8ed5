/** A repeated request with the same Idempotency-Key gets the first answer and has no effect. */
import { createHash, randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import { type Db, inTransaction, type Trx } from '../db/database.ts'
import {
  claimRequestKey,
  insertAnswer,
  type KeyClaim,
  lockRequestKey,
  type RequestKey,
  recordAnswer,
  releaseRequestKey,
  removeRequestKey,
  type StoredAnswer,
} from '../db/requests.ts'
import { DomainError } from '../domain/errors.ts'
import type { ApiDeps } from './deps.ts'
import { meanings } from './errors.ts'
import type { Answer } from './route.ts'
import { seal, unseal } from './sealed.ts'

const headersSchema = z.record(z.string(), z.string())

export interface KeyedRequest {
  /** The organisation that the request is made for; keys never meet across organisations. */
  partnerId?: string | null
  /** The member, or the address of an anonymous caller: keys never meet across them. */
  principal: string
  method: string
  route: string
  /** Path and query as they were sent. */
  path: string
  rawBody: Buffer
  header: string
}

interface Deps {
  db: Db
  settings: Pick<ApiDeps['settings'], 'linkSecret'>
}

/** The key as sent: a bare token or, as the draft standard has it, a quoted string. */
function keyOf(header: string): string {
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new DomainError('malformed_request', 'Idempotency-Key has 1 to 255 visible characters')
  }
  return key
}

/** @throws DomainError `malformed_request` where a route needs a key and none was sent. */
export function requireKey(need: 'required' | 'optional', header: string): void {
  if (need === 'optional' || header !== '') return
  throw new DomainError(
    'malformed_request',
    'send an Idempotency-Key, so that a repeated request has no second effect',
  )
}

interface Kept {
  key: RequestKey
  fingerprint: Buffer
  /** What the sealed answer belongs to; it opens nowhere else. */
  place: string
}

function keptOf(request: KeyedRequest): Kept {
  const { partnerId = null, principal, method, route, path, rawBody } = request
  const key = { partnerId, principal, method, route, key: keyOf(request.header) }
  return {
    key,
    fingerprint: createHash('sha256').update(`${method} ${path}\n`).update(rawBody).digest(),
    place: `${partnerId ?? '-'} ${principal} ${method} ${route} ${key.key}`,
  }
}

function sealedAnswer(answer: Answer, place: string, secret: string): StoredAnswer {
  return {
    status: answer.status,
    headers: answer.headers ?? {},
    sealedBody: seal(JSON.stringify(answer.body), place, secret),
  }
}

/**
 * The operation to execute, or the answer that an earlier request got.
 * @throws DomainError `idempotency_key_in_use`, `idempotency_key_reused`
 */
function claimed(claim: KeyClaim, place: string, secret: string): string | Answer {
  switch (claim.state) {
    case 'claimed':
      return claim.operationId
    case 'in_flight':
      throw inUse()
    case 'other_request':
      throw new DomainError('idempotency_key_reused', 'this key came with another request before')
    case 'answered':
      return {
        status: claim.answer.status,
        body: JSON.parse(unseal(claim.answer.sealedBody, place, secret)),
        headers: { ...headersSchema.parse(claim.answer.headers), 'Idempotent-Replayed': 'true' },
      }
  }
}

const inUse = () =>
  new DomainError('idempotency_key_in_use', 'the first request is still running', {
    retryAfterSeconds: 1,
  })

/**
 * Executes a request at most once for its key, where the effect is more than one transaction: a
 * process that is started, a vendor that is asked. The claim is made before, and a request that
 * died is taken up with the same operation. Refusals are not kept, so that a corrected or later
 * request may use the key again; only what had an effect is.
 * @throws DomainError `idempotency_key_in_use`, `idempotency_key_reused`
 */
export async function onceForKey(
  { db, settings }: Deps,
  request: KeyedRequest,
  execute: (operationId: string) => Promise<Answer>,
): Promise<Answer> {
  if (request.header === '') return execute(randomUUIDv7())
  const { key, fingerprint, place } = keptOf(request)
  const claim = await claimRequestKey(db, { ...key, fingerprint })
  const operationId = claimed(claim, place, settings.linkSecret)
  if (typeof operationId !== 'string') return operationId
  try {
    const answer = await execute(operationId)
    if (answer.status >= 500) await releaseRequestKey(db, key)
    else if (answer.status >= 400) await removeRequestKey(db, key)
    else await recordAnswer(db, key, sealedAnswer(answer, place, settings.linkSecret))
    return answer
  } catch (error) {
    // A refusal had no effect. Anything else may have had one, which the next try finds again
    // by the operation's id.
    const refused = error instanceof DomainError && meanings[error.code].status < 500
    await (refused ? removeRequestKey(db, key) : releaseRequestKey(db, key))
    throw error
  }
}

/** Takes back what a request did, and yet answers it. */
class AnsweredWithoutEffect extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('the request is refused')
    this.answer = answer
  }
}

/**
 * Executes a plain write at most once for its key: the effect and its answer are kept in one
 * transaction, so that there is both or neither, wherever it breaks off. An answer of 400 and
 * above has no effect and is not kept.
 * @throws DomainError `idempotency_key_in_use`, `idempotency_key_reused`
 */
export async function onceInTransaction(
  { db, settings }: Deps,
  request: KeyedRequest,
  execute: (trx: Trx, operationId: string) => Promise<Answer>,
): Promise<Answer> {
  const kept = request.header === '' ? undefined : keptOf(request)
  const proposedId = randomUUIDv7()
  const work = async (trx: Trx) => {
    if (!kept) return withEffect(await execute(trx, proposedId))
    const { key, fingerprint, place } = kept
    const claim = await lockRequestKey(trx, { ...key, fingerprint, operationId: proposedId })
    const operationId = claimed(claim, place, settings.linkSecret)
    if (typeof operationId !== 'string') return operationId
    const answer = withEffect(await execute(trx, operationId))
    const stored = sealedAnswer(answer, place, settings.linkSecret)
    if (await insertAnswer(trx, { ...key, fingerprint, operationId }, stored)) return answer
    throw inUse()
  }
  try {
    return await inTransaction(db, work)
  } catch (error) {
    if (error instanceof AnsweredWithoutEffect) return error.answer
    throw error
  }
}

function withEffect(answer: Answer): Answer {
  if (answer.status >= 400) throw new AnsweredWithoutEffect(answer)
  return answer
}
