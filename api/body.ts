/** Reads bodies: raw bytes first, because signatures cover bytes; JSON only where it is asked. */
import type { IncomingMessage } from 'node:http'
import { DomainError } from '../domain/errors.ts'

export const largestBody = 1024 * 1024

/** @throws DomainError `payload_too_large` */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const body = await readUpTo(request, largestBody)
  if (body) return body
  // What still comes is thrown away: many senders read an answer only after their last byte.
  request.resume()
  throw new DomainError('payload_too_large', `a body has at most ${largestBody} bytes`)
}

/** @returns undefined for a longer body, whose request is left alive for its answer. */
async function readUpTo(request: IncomingMessage, longest: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length
    if (size > longest) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

/** @throws DomainError `unsupported_media_type`, `malformed_request` */
export function parseJsonBody(body: Buffer, contentType: string): unknown {
  if (!/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new DomainError('unsupported_media_type', 'send Content-Type: application/json')
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new DomainError('malformed_request', 'the body is not valid JSON in UTF-8')
  }
  return parsed
}
