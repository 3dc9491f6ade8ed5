/** Forms that a browser sends: the same routes as for programs, answered with pages. */
import { setTimeout as pause } from 'node:timers/promises'
import { isDomainError } from '../domain/errors.ts'

/** The hidden field that stands for the Idempotency-Key, so that two clicks are one request. */
export const onceField = 'once'

export function isForm(contentType: string): boolean {
  return /^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType)
}

export function formFields(body: Buffer): URLSearchParams {
  return new URLSearchParams(body.toString('utf8'))
}

/** What somebody wrote into a field; undefined for nothing. */
export function written(fields: URLSearchParams, name: string): string | undefined {
  return fields.get(name)?.trim() || undefined
}

const tries = 20
const pauseMs = 250

/** A second click waits for the answer to the first one, which is the one a person sees. */
export async function afterFirstClick<T>(work: () => Promise<T>): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await work()
    } catch (error) {
      if (n >= tries || !isDomainError(error, 'idempotency_key_in_use')) throw error
      await pause(pauseMs)
    }
  }
}
