/** A repeated request with the same Idempotency-Key gets the first answer and has no effect. */
import { createHash, randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import {
  claimRequestKey,
  type RequestKey,
  recordAnswer,
  releaseRequestKey,
  removeRequestKey,
} from '../db/requests.ts'
import { DomainError } from '../domain/errors.ts'
import type { ApiDeps } from './deps.ts'
import { meanings } from './errors.ts'
import type { Answer } from './route.ts'
import { seal, unseal } from './sealed.ts'

const headersSchema = z.record(z.string(), z.string())

interface KeyedRequest {
  /** The member, or the address of an anonymous caller: keys never meet across them. */
  principal: string
  method: string
  route: string
  path: string
  rawBody: Buffer
  header: string
}

/** The key as sent: a bare token or, as the draft standard has it, a quoted string. */
function keyOf(header: string): string {
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new DomainError('malformed_request', 'Idempotency-Key has 1 to 255 visible characters')
  }
  return key
}

/**
 * Executes a request at most once for its key. Refusals are not kept, so that a corrected or
 * later request may use the key again; only what had an effect is.
 * @throws DomainError `idempotency_key_in_use`, `idempotency_key_reused`
 */
export async function onceForKey(
  { db, settings }: Pick<ApiDeps, 'db' | 'settings'>,
  request: KeyedRequest,
  execute: (operationId: string) => Promise<Answer>,
): Promise<Answer> {
  if (request.header === '') return execute(randomUUIDv7())
  const { principal, method, route } = request
  const key: RequestKey = { principal, method, route, key: keyOf(request.header) }
  const fingerprint = createHash('sha256')
    .update(`${request.path}\n`)
    .update(request.rawBody)
    .digest()
  const place = `${principal} ${method} ${route} ${key.key}`
  const claim = await claimRequestKey(db, { ...key, fingerprint })
  switch (claim.state) {
    case 'in_flight':
      throw new DomainError('idempotency_key_in_use', 'the first request is still running', {
        retryAfterSeconds: 1,
      })
    case 'other_request':
      throw new DomainError('idempotency_key_reused', 'this key came with another request before')
    case 'answered':
      return {
        status: claim.answer.status,
        body: JSON.parse(unseal(claim.answer.sealedBody, place, settings.linkSecret)),
        headers: { ...headersSchema.parse(claim.answer.headers), 'Idempotent-Replayed': 'true' },
      }
  }
  try {
    const answer = await execute(claim.operationId)
    await recordAnswer(db, key, {
      status: answer.status,
      headers: answer.headers ?? {},
      sealedBody: seal(JSON.stringify(answer.body), place, settings.linkSecret),
    })
    return answer
  } catch (error) {
    // A refusal had no effect. Anything else may have had one, which the next try finds again
    // by the operation's id.
    const refused = error instanceof DomainError && meanings[error.code].status < 500
    await (refused ? removeRequestKey(db, key) : releaseRequestKey(db, key))
    throw error
  }
}
