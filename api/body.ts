/** Reads bodies: raw bytes first, because signatures cover bytes; JSON only where it is asked. */
import type { IncomingMessage } from 'node:http'
import { DomainError } from '../domain/errors.ts'
import { refuseLooseJson } from './json.ts'

export const largestBody = 1024 * 1024

/** Where a second value would be a guess about which one holds, or a way around a proxy. */
const sentOnce = [
  'host',
  'authorization',
  'content-type',
  'content-length',
  'content-encoding',
  'idempotency-key',
  'if-match',
]

/** @throws DomainError `malformed_request` where no host is named, or a header came twice. */
export function refuseOddHeaders({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): void {
  const seen = new Set<string>()
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const name = rawHeaders[n]?.toLowerCase() ?? ''
    if (!sentOnce.includes(name)) continue
    if (seen.has(name)) {
      throw new DomainError('malformed_request', `the header ${name} came more than once`)
    }
    seen.add(name)
  }
  if (!seen.has('host')) throw new DomainError('malformed_request', 'the header host is missing')
}

/**
 * The body as it was sent; a compressed one is refused, because its size is only known when it is
 * too late.
 * @throws DomainError `payload_too_large`, `unsupported_media_type`
 */
export async function readBody(
  request: IncomingMessage,
  longest: number = largestBody,
): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  const isPlain = encoding.trim().toLowerCase() === 'identity'
  const body = isPlain ? await readUpTo(request, longest) : undefined
  if (body) return body
  // What still comes is thrown away: many senders read an answer only after their last byte.
  request.resume()
  if (!isPlain) {
    throw new DomainError('unsupported_media_type', 'send the body without Content-Encoding', {
      acceptEncoding: 'identity',
    })
  }
  throw new DomainError('payload_too_large', `a body has at most ${longest} bytes`)
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

/**
 * @throws DomainError `unsupported_media_type`, `malformed_request`, and `invalid_request` with a
 * pointer where a value would not arrive as it was sent.
 */
export function parseJsonBody(body: Buffer, contentType: string): unknown {
  if (!/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new DomainError('unsupported_media_type', 'send Content-Type: application/json')
  }
  const text = decoded(body)
  refuseLooseJson(text)
  try {
    return JSON.parse(text)
  } catch {
    throw notJson()
  }
}

function decoded(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw notJson()
  }
}

const notJson = () => new DomainError('malformed_request', 'the body is not valid JSON in UTF-8')
