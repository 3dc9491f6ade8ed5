/** Checks what claims to come from DocuSign Connect. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import type { VerifiedEvent } from './stripe-webhooks.ts'

const connectEvent = z.object({
  event: z.string(),
  generatedDateTime: z.string().refine((text) => !Number.isNaN(Date.parse(text))),
  data: z.object({ envelopeId: z.string(), recipientId: z.string().optional() }),
})

const mostSignatures = 100

/**
 * Any of the numbered signature headers may match any secret: one for each active key. Connect
 * sends no id and no time of its own, so that envelope, event and time of generation together
 * tell a repetition from something new.
 * @throws DomainError `invalid_signature`, `malformed_request`
 */
export function readConnectEvent(
  request: { rawBody: Buffer; header: (name: string) => string },
  secrets: string[],
): VerifiedEvent {
  const given = signatures(request.header)
  const expected = secrets.map((secret) =>
    createHmac('sha256', secret).update(request.rawBody).digest(),
  )
  if (!given.some((signature) => expected.some((mac) => equal(mac, signature)))) {
    throw new DomainError('invalid_signature', 'the signature of this webhook is missing or wrong')
  }
  const parsed = connectEvent.safeParse(parseJson(request.rawBody))
  if (!parsed.success) {
    throw new DomainError('malformed_request', 'this is no Connect event in the SIM format')
  }
  const { event, generatedDateTime, data } = parsed.data
  const identity = [data.envelopeId, event, data.recipientId ?? '', generatedDateTime].join('|')
  return {
    eventId: createHash('sha256').update(identity).digest('hex'),
    type: event,
    objectId: data.envelopeId,
    occurredAt: new Date(generatedDateTime),
  }
}

function signatures(header: (name: string) => string): Buffer[] {
  const found: Buffer[] = []
  for (let n = 1; n <= mostSignatures; n++) {
    const value = header(`X-DocuSign-Signature-${n}`)
    if (value === '') break
    found.push(Buffer.from(value, 'base64'))
  }
  return found
}

function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
