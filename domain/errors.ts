/** Every reason for which the product refuses something, as a stable code. */
export type ErrorCode =
  | 'already_decided'
  | 'application_closed'
  | 'conflict'
  | 'earlier_period_open'
  | 'forbidden'
  | 'gone'
  | 'headers_too_large'
  | 'idempotency_key_in_use'
  | 'idempotency_key_reused'
  | 'idempotency_mismatch'
  | 'invalid_request'
  | 'invalid_signature'
  | 'ledger_violation'
  | 'legal_hold'
  | 'level_not_allowed'
  | 'malformed_request'
  | 'method_not_allowed'
  | 'not_authenticated'
  | 'not_found'
  | 'not_payable'
  | 'not_ready'
  | 'not_reviewed'
  | 'package_not_offered'
  | 'parent_not_active'
  | 'partner_not_active'
  | 'payload_changed'
  | 'payload_too_large'
  | 'period_already_settled'
  | 'period_not_over'
  | 'precondition_failed'
  | 'precondition_required'
  | 'reapply_too_early'
  | 'quota_exceeded'
  | 'request_timeout'
  | 'run_finished'
  | 'screening_open'
  | 'second_factor_required'
  | 'second_person_required'
  | 'step_up_required'
  | 'subdomain_taken'
  | 'suspended'
  | 'temporarily_unavailable'
  | 'territory_conflict'
  | 'too_many_requests'
  | 'totals_changed'
  | 'unsupported_media_type'
  | 'vendor_refused'
  | 'verification_required'

/** One invalid field: where it is (RFC 6901), what is wrong and how to mend it. */
export interface FieldProblem {
  pointer: string
  code: string
  detail: string
}

export interface ErrorDetails {
  fields?: FieldProblem[]
  retryAfterSeconds?: number
  /** The limits that are reached. */
  violatedPolicies?: string[]
  /** Further members of the problem document, as they are named outside. */
  members?: Record<string, unknown>
  [fact: string]: unknown
}

/**
 * An expected refusal. `message` is fit for the person who asked; only `code` survives the way
 * through Temporal, so code is what other layers branch on.
 */
export class DomainError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message)
    this.name = 'DomainError'
    this.code = code
    this.details = details
  }
}

export function isDomainError(error: unknown, code?: ErrorCode): error is DomainError {
  return error instanceof DomainError && (code === undefined || error.code === code)
}
