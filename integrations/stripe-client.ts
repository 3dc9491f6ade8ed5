/** The one Stripe client, and the translation of its errors. */
import Stripe from 'stripe'
import { VendorError } from './vendor-error.ts'

export interface StripeSettings {
  secretKey: string
  apiBase: string
}

/**
 * Temporal repeats what fails, so the SDK does not repeat on its own; telemetry would write into
 * the home directory. A `host` redirects every base of the SDK, so the real one is left alone.
 */
export function createStripe(settings: StripeSettings): Stripe {
  const base = new URL(settings.apiBase)
  const real = base.hostname === 'api.stripe.com'
  const port = base.port || (base.protocol === 'https:' ? '443' : '80')
  return new Stripe(settings.secretKey, {
    maxNetworkRetries: 0,
    timeout: 20_000,
    telemetry: false,
    appInfo: { name: 'tributary' },
    ...(real
      ? {}
      : { host: base.hostname, port, protocol: base.protocol === 'https:' ? 'https' : 'http' }),
  })
}

/**
 * Calls Stripe and turns its errors into ours.
 * @throws VendorError
 */
export async function callStripe<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    throw asVendorError(error)
  }
}

function asVendorError(error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeError)) return error
  const retryAfter = Number(error.headers?.['retry-after'])
  return new VendorError({
    vendor: 'stripe',
    failure: failureOf(error),
    code: codeOfAnswer(error),
    message: answerOf(error),
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    status: error.statusCode,
    replayed: error.headers?.['idempotent-replayed'] === 'true',
  })
}

/** A key that stands for another body is told from every other refusal, whatever its code. */
function codeOfAnswer({ code, rawType, statusCode, type }: Stripe.errors.StripeError): string {
  if (rawType === 'idempotency_error' && statusCode !== 409) return rawType
  return code ?? rawType ?? type
}

/** The vendor's own sentence can repeat addresses and keys; the request is found by its id. */
function answerOf({ statusCode, param, requestId }: Stripe.errors.StripeError): string {
  const about = param ? ` about ${param}` : ''
  const where = requestId ? `, request ${requestId}` : ''
  return statusCode === undefined ? 'no answer' : `answered ${statusCode}${about}${where}`
}

function failureOf(error: Stripe.errors.StripeError): VendorError['failure'] {
  if (error.statusCode === 429) return 'throttled'
  // A 409 says that the first call with this key is still running.
  if (error.statusCode === 409 || error.statusCode === undefined) return 'unknown'
  return error.statusCode >= 500 ? 'unknown' : 'rejected'
}
