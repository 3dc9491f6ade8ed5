/** Every refusal as a problem document (RFC 9457): one place maps codes to HTTP. */
import { DomainError, type ErrorCode, type FieldProblem } from '../domain/errors.ts'

interface Meaning {
  status: number
  title: string
  /** What to do about it, where a process refuses and has no words of its own. */
  advice?: string
}

export const meanings: Record<ErrorCode, Meaning> = {
  already_decided: {
    status: 409,
    title: 'This is decided already',
    advice: 'a decision was taken before; read the application',
  },
  application_closed: { status: 409, title: 'The application is closed' },
  conflict: { status: 409, title: 'The request conflicts with the present state' },
  earlier_period_open: { status: 409, title: 'An earlier period is not settled' },
  forbidden: { status: 403, title: 'Not allowed' },
  gone: { status: 410, title: 'No longer available' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  idempotency_key_in_use: { status: 409, title: 'The first request is still running' },
  idempotency_key_reused: { status: 422, title: 'The key was used for another request' },
  idempotency_mismatch: { status: 409, title: 'The same fact was booked differently' },
  invalid_request: { status: 422, title: 'Fields are missing, malformed or unknown' },
  invalid_signature: { status: 400, title: 'The signature is not valid' },
  ledger_violation: { status: 409, title: 'The books disagree' },
  legal_hold: {
    status: 409,
    title: 'The data are under a legal hold',
    advice: 'lift the hold first, then confirm again',
  },
  level_not_allowed: { status: 403, title: 'Your level may not do this' },
  malformed_request: { status: 400, title: 'The request cannot be read' },
  method_not_allowed: { status: 405, title: 'This path does not take the method' },
  not_authenticated: { status: 401, title: 'Sign in, or send a valid API key' },
  not_found: { status: 404, title: 'Not found' },
  not_payable: { status: 409, title: 'This cannot be paid' },
  not_ready: {
    status: 409,
    title: 'It is too early for this',
    advice: 'read the object and wait for the stage that this belongs to',
  },
  not_reviewed: {
    status: 409,
    title: 'The run has not been reviewed',
    advice: 'one person reviews these totals first, then another releases them',
  },
  package_not_offered: { status: 403, title: 'This package is not offered to you' },
  parent_not_active: { status: 409, title: 'The parent cannot take in partners' },
  partner_not_active: { status: 409, title: 'The partner is not active' },
  payload_changed: { status: 409, title: 'This is not what was proposed' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  period_already_settled: { status: 409, title: 'The period is settled' },
  period_not_over: { status: 409, title: 'The period is not over' },
  precondition_failed: { status: 412, title: 'It was changed in the meantime' },
  precondition_required: { status: 428, title: 'Say which version you change' },
  reapply_too_early: { status: 409, title: 'It is too early to apply again' },
  quota_exceeded: { status: 409, title: 'The quota of the tenant is used up' },
  request_timeout: { status: 408, title: 'The request took too long' },
  run_finished: {
    status: 409,
    title: 'The run is released or finished',
    advice: 'the run was released before; read it for its present stage',
  },
  screening_open: {
    status: 409,
    title: 'Findings of the screening are open',
    advice: 'look at GET /v1/screenings?status=review; two persons override a finding',
  },
  second_factor_required: { status: 403, title: 'Signing in is not finished' },
  second_person_required: {
    status: 403,
    title: 'A second person has to do this',
    advice: 'who did the first step may not do the second; ask another person',
  },
  step_up_required: { status: 403, title: 'Prove again who you are' },
  suspended: {
    status: 423,
    title: 'The organisation is suspended',
  },
  subdomain_taken: { status: 409, title: 'No free subdomain' },
  temporarily_unavailable: { status: 503, title: 'A needed part does not answer' },
  territory_conflict: { status: 409, title: 'Another partner holds the territory' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  totals_changed: {
    status: 409,
    title: 'The totals have changed',
    advice: 'read the run again and sign the totals_hash that it has now',
  },
  unsupported_media_type: { status: 415, title: 'Send JSON' },
  vendor_refused: { status: 409, title: 'The provider refused' },
  verification_required: { status: 409, title: 'The partner has to prove who it is' },
}

/** Whatever nobody expected. */
export const internal: Meaning = { status: 500, title: 'Something went wrong on our side' }

export interface ProblemDocument {
  type: string
  title: string
  status: number
  detail: string
  code: ErrorCode | 'internal'
  request_id: string
  errors?: FieldProblem[]
  /** The limits that are reached, by the names that the RateLimit headers give them. */
  'violated-policies'?: string[]
  /** What else a code tells, like `reapply_from`. */
  [member: string]: unknown
}

export interface Problem {
  status: number
  headers: Record<string, string>
  document: ProblemDocument
}

/** Limits have types that are the same everywhere (RateLimit header fields for HTTP). */
function registeredType({ details }: DomainError): string | undefined {
  const registry = 'https://iana.org/assignments/http-problem-types'
  if (details.violatedPolicies) return `${registry}#quota-exceeded`
  return details.reducedCapacity ? `${registry}#temporary-reduced-capacity` : undefined
}

/** What a key would need (RFC 6750). */
function challengeOf(status: number, scope: unknown): Record<string, string> {
  if (status === 401) return { 'WWW-Authenticate': 'Bearer error="invalid_token"' }
  if (status !== 403 || typeof scope !== 'string') return {}
  return { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scope}"` }
}

/**
 * The problem document of an error. Only expected refusals say what happened; anything else is
 * told as an internal error, and its details stay in our own log.
 */
export function problemOf(error: unknown, requestId: string, docsUrl: string): Problem {
  if (!(error instanceof DomainError)) {
    return {
      status: internal.status,
      headers: {},
      document: {
        type: `${docsUrl}#internal`,
        title: internal.title,
        status: internal.status,
        detail: 'Nothing of the request was kept. Try again, and name the request id to support.',
        code: 'internal',
        request_id: requestId,
      },
    }
  }
  const { status, title } = meanings[error.code]
  const { fields, retryAfterSeconds, violatedPolicies, members } = error.details
  return {
    status,
    headers: {
      ...(status === 415 ? { 'Accept-Post': 'application/json' } : {}),
      ...(typeof error.details.acceptEncoding === 'string'
        ? { 'Accept-Encoding': error.details.acceptEncoding }
        : {}),
      ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) }),
      ...challengeOf(status, error.details.scope),
      ...(typeof error.details.allow === 'string' ? { Allow: error.details.allow } : {}),
    },
    document: {
      type: registeredType(error) ?? `${docsUrl}#${error.code}`,
      title,
      status,
      detail: error.message,
      code: error.code,
      request_id: requestId,
      ...members,
      ...(fields ? { errors: fields } : {}),
      ...(violatedPolicies ? { 'violated-policies': violatedPolicies } : {}),
    },
  }
}
