/**
 * Turns what activities throw into failures that Temporal understands: a stable type, whether to
 * repeat, and when. Messages carry codes only, because histories keep them for ever.
 */
import { heartbeat, log } from '@temporalio/activity'
import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common'
import { DomainError, type ErrorCode } from '../domain/errors.ts'
import { VendorError } from '../integrations/vendor-error.ts'

/** Refusals that may be gone at the next try. */
const passing: ReadonlySet<ErrorCode> = new Set(['temporarily_unavailable', 'too_many_requests'])

function fromDomain(error: DomainError): ApplicationFailure {
  return ApplicationFailure.create({
    type: error.code,
    message: error.code,
    nonRetryable: !passing.has(error.code),
  })
}

function fromVendor(error: VendorError): ApplicationFailure {
  const type = error.failure === 'rejected' ? 'vendor_refused' : `vendor_${error.failure}`
  return ApplicationFailure.create({
    type,
    message: `${error.vendor}: ${error.code}`,
    nonRetryable: error.failure === 'rejected',
    details: [{ vendor: error.vendor, code: error.code }],
    ...(error.retryAfterSeconds === undefined
      ? {}
      : { nextRetryDelay: `${Math.ceil(error.retryAfterSeconds)} seconds` as const }),
  })
}

/** The failure that Temporal records; the full error stays in our own log. */
export function asFailure(error: unknown): unknown {
  if (error instanceof TemporalFailure || error instanceof CancelledFailure) return error
  if (error instanceof DomainError) return fromDomain(error)
  if (error instanceof VendorError) return fromVendor(error)
  const { name, code } = error as { name?: string; code?: string }
  return ApplicationFailure.create({
    type: 'internal',
    message: `${name ?? 'Error'} ${code ?? ''}`.trim(),
  })
}

type Activity = (input: never) => Promise<unknown>

const beatEveryMs = 2_000

/**
 * The same activities, with failures translated and logged. While one runs it tells the server
 * that its worker lives, so that a killed worker's steps go on elsewhere within seconds; how long
 * a step may take is limited by its own time-out.
 */
export function guardSteps<T extends Record<string, Activity>>(activities: T): T {
  const guarded = Object.entries(activities).map(([name, activity]) => {
    const run = async (input: never) => {
      const beat = setInterval(() => heartbeat(), beatEveryMs)
      try {
        return await activity(input)
      } catch (error) {
        log.warn('a step failed', { step: name, error })
        throw asFailure(error)
      } finally {
        clearInterval(beat)
      }
    }
    return [name, run]
  })
  return Object.fromEntries(guarded) as T
}
