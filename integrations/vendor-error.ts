/** What went wrong at a vendor, in words that say what to do about it. */

/**
 * - `rejected`: the vendor understood and refused; repeating the same call cannot help.
 * - `throttled`: not executed; repeat after the given time.
 * - `unknown`: no answer or a broken one; it may have happened.
 */
export type VendorFailure = 'rejected' | 'throttled' | 'unknown'

/** Carries no part of the vendor's own error: those hold bearer tokens and personal data. */
export class VendorError extends Error {
  readonly vendor: 'stripe' | 'docusign' | 'mail' | 'screening' | 'dns'
  readonly failure: VendorFailure
  /** The vendor's own code, like `balance_insufficient`. */
  readonly code: string
  readonly retryAfterSeconds: number | undefined
  /** The status of the answer; undefined where there was none. */
  readonly status: number | undefined
  /** The vendor repeated the answer that it keeps under the key: asking again changes nothing. */
  readonly replayed: boolean

  constructor(fact: {
    vendor: VendorError['vendor']
    failure: VendorFailure
    code: string
    message: string
    retryAfterSeconds?: number | undefined
    status?: number | undefined
    replayed?: boolean
  }) {
    super(`${fact.vendor}: ${fact.message} (${fact.code})`)
    this.name = 'VendorError'
    this.vendor = fact.vendor
    this.failure = fact.failure
    this.code = fact.code
    this.retryAfterSeconds = fact.retryAfterSeconds
    this.status = fact.status
    this.replayed = fact.replayed ?? false
  }
}

/**
 * Ends a call that a client library would wait on for ever.
 * @throws VendorError of failure `unknown` when the time is up.
 */
export async function withDeadline<T>(
  work: Promise<T>,
  limit: { vendor: VendorError['vendor']; ms: number },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `no answer within ${limit.ms} ms`
      reject(
        new VendorError({ vendor: limit.vendor, failure: 'unknown', code: 'timeout', message }),
      )
    }, limit.ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
