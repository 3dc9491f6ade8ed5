import type { IdempotencyRecord } from '../records.ts'
import type { Store, Tx } from '../store.ts'
import { invalid, type StripeProblem } from './errors.ts'

/** Keys are forgotten after a day, on the real clock. */
const keptMs = 24 * 60 * 60 * 1000

export interface KeyedRequest {
  key: string
  endpoint: string
  fingerprint: string
}

/** The answer that was given under this key, or null; another request under it is refused. */
export function findAnswer(store: Store, request: KeyedRequest): IdempotencyRecord | null {
  if (request.key.length > 255) {
    throw invalid('Idempotency keys can have up to 255 characters.', { type: 'idempotency_error' })
  }
  const found = store.get('idempotency', request.key)
  if (found === undefined || Date.now() - found.stored_at > keptMs) return null
  const retry = `Try using a key other than '${request.key}' if you meant to execute a different`
  if (found.endpoint !== request.endpoint) {
    throw invalid(
      'Keys for idempotent requests can only be used for the same endpoint they were first used ' +
        `for ('${request.endpoint}' vs '${found.endpoint}'). ${retry} request.`,
      { type: 'idempotency_error' },
    )
  }
  if (found.fingerprint !== request.fingerprint) {
    throw invalid(
      'Keys for idempotent requests can only be used with the same parameters they were first ' +
        `used with. ${retry} request.`,
      { type: 'idempotency_error' },
    )
  }
  return found
}

export interface Answer {
  status: number
  body: string
}

export function keepAnswer(tx: Tx, request: KeyedRequest, answer: Answer & { id: string }): void {
  const { key, endpoint, fingerprint } = request
  tx.put('idempotency', {
    id: key,
    endpoint,
    fingerprint,
    status: answer.status,
    body: answer.body,
    request: answer.id,
    stored_at: Date.now(),
  })
}

export function keyInUse(key: string): StripeProblem {
  return invalid(
    'There is currently another in-progress request using this Idempotent Key (that probably ' +
      'means you submitted twice, and the other request is still going through): ' +
      `${key}. Please try again later.`,
    { status: 409, type: 'idempotency_error', code: 'idempotency_key_in_use' },
  )
}
