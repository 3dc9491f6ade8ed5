/** Checks what claims to come from Stripe. Two endpoints, each with its own secrets. */
import type Stripe from 'stripe'
import { DomainError } from '../domain/errors.ts'

/** Which object changed, and by which event; never what it became: that is read again. */
export interface VerifiedEvent {
  eventId: string
  type: string
  objectId: string
  occurredAt: Date
  /** The connected account at which it happened; left out for the platform's own. */
  account?: string
}

interface SignedRequest {
  rawBody: Buffer
  signature: string | undefined
}

/** @throws DomainError `invalid_signature` when no secret made the signature within 300 s. */
export function readSnapshotEvent(
  stripe: Stripe,
  request: SignedRequest,
  secrets: string[],
): VerifiedEvent {
  const event = firstVerified(request, secrets, (signature, secret) =>
    stripe.webhooks.constructEvent(request.rawBody, signature, secret),
  )
  const { object } = event.data
  return {
    eventId: event.id,
    type: event.type,
    objectId: 'id' in object && typeof object.id === 'string' ? object.id : event.id,
    occurredAt: new Date(event.created * 1000),
    ...(event.account ? { account: event.account } : {}),
  }
}

/** @throws DomainError `invalid_signature` as above, for thin events of Accounts v2. */
export function readThinEvent(
  stripe: Stripe,
  request: SignedRequest,
  secrets: string[],
): VerifiedEvent {
  const event = firstVerified(request, secrets, (signature, secret) =>
    stripe.parseEventNotification(request.rawBody, signature, secret),
  )
  const related = 'related_object' in event ? event.related_object : null
  return {
    eventId: event.id,
    type: event.type,
    objectId: related && 'id' in related ? String(related.id) : event.id,
    occurredAt: new Date(event.created),
  }
}

function firstVerified<T>(
  request: SignedRequest,
  secrets: string[],
  verify: (signature: string, secret: string) => T,
): T {
  const refusals: unknown[] = []
  for (const secret of secrets) {
    try {
      return verify(request.signature ?? '', secret)
    } catch (error) {
      refusals.push(error)
    }
  }
  throw new DomainError(
    'invalid_signature',
    'the signature of this webhook is missing, wrong or older than 300 seconds',
    { cause: refusals.map(String) },
  )
}
