/** Versions of what is read, and changes that say for which version they are meant (RFC 9110). */
import { createHash } from 'node:crypto'
import type Koa from 'koa'
import { DomainError } from '../domain/errors.ts'

/** The strong ETag of a row by its version. */
export const etagOf = (version: bigint | number) => `"v${version}"`

/** The strong ETag of an answer whose row has no version: a hash of its bytes. */
export function etagOfBytes(body: string | Buffer): string {
  return `"${createHash('sha256').update(body).digest('base64url')}"`
}

const listPattern = /^\s*(W\/)?"[\x21\x23-\x7e]*"(\s*,\s*(W\/)?"[\x21\x23-\x7e]*")*\s*$/

/** @throws DomainError `malformed_request` for what is neither `*` nor a list of quoted tags. */
function tagsOf(header: string, name: string): string[] {
  if (header.trim() === '*') return ['*']
  if (!listPattern.test(header)) {
    throw new DomainError('malformed_request', `${name} is * or a list of ETags in quotes`)
  }
  return header.match(/(W\/)?"[^"]*"/g) ?? []
}

/**
 * Holds a change to the version that its sender has read. Call it with the row locked, in the
 * transaction that changes it.
 * @param ifMatch the header, '' where it was not sent.
 * @param options.money where it moves money: any version at all is no version that was read.
 * @throws DomainError `precondition_required`, `precondition_failed`, `malformed_request`
 */
export function requireMatch(
  ifMatch: string,
  version: bigint | number | string,
  options: { money?: boolean } = {},
): void {
  const tags = ifMatch === '' ? [] : tagsOf(ifMatch, 'If-Match')
  const any = tags.includes('*')
  if (tags.length === 0 || (any && options.money)) {
    throw new DomainError(
      'precondition_required',
      'read the object and send its ETag as If-Match, so that you change what you have seen',
    )
  }
  const current = typeof version === 'string' ? version : etagOf(version)
  // Weak tags never match here: they do not say that it is the same to the byte.
  if (any || tags.includes(current)) return
  throw new DomainError('precondition_failed', 'it was changed since you read it: read it again')
}

/** Whether a reader has this version already. What cannot be read as a list matches nothing. */
export function isUnchanged(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true
  if (!listPattern.test(ifNoneMatch)) return false
  const tags: string[] = ifNoneMatch.match(/"[^"]*"/g) ?? []
  return tags.includes(etag.replace(/^W\//, ''))
}

/**
 * Gives the answer to a read its ETag, that of its row or else of its bytes, and leaves the body
 * out where the reader has it. Call it when status, headers and body are set.
 */
export function answerConditionally(context: Koa.Context): void {
  const { method, status, body } = context
  if ((method !== 'GET' && method !== 'HEAD') || status !== 200) return
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return
  const given = context.response.get('ETag')
  const etag = typeof given === 'string' && given !== '' ? given : etagOfBytes(body)
  context.set('ETag', etag)
  if (isUnchanged(context.get('If-None-Match'), etag)) context.status = 304
}
