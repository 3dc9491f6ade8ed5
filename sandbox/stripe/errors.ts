type ErrorType = 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error'

export interface ProblemDetails {
  status?: number
  type?: ErrorType
  code?: string
  param?: string
  decline_code?: string
  /** More fields of the envelope, such as the charge that was declined. */
  extra?: object
}

/** An error as Stripe answers it. */
export class StripeProblem extends Error {
  readonly details: ProblemDetails
  /**
   * Whether the endpoint had begun its work. Stripe keeps such an answer under the idempotency
   * key and repeats it; a request that failed validation may be sent again under the same key.
   */
  readonly executed: boolean

  constructor(message: string, details: ProblemDetails, executed: boolean) {
    super(message)
    this.details = details
    this.executed = executed
  }

  get status(): number {
    return this.details.status ?? 400
  }

  body(): object {
    const { status: _status, type, extra, ...rest } = this.details
    const doc_url = rest.code && `https://stripe.com/docs/error-codes/${dashed(rest.code)}`
    return {
      error: {
        type: type ?? 'invalid_request_error',
        ...rest,
        ...(doc_url ? { doc_url } : {}),
        message: this.message,
        ...extra,
      },
    }
  }
}

function dashed(code: string): string {
  return code.replaceAll('_', '-')
}

/** A request that is wrong in itself: nothing was begun. */
export function invalid(message: string, details: ProblemDetails = {}): StripeProblem {
  return new StripeProblem(message, details, false)
}

/** A request that was understood and that the rules of the business refuse. */
export function refused(message: string, details: ProblemDetails = {}): StripeProblem {
  return new StripeProblem(message, details, true)
}

/** An id in the path that nobody knows is a 404; one in a parameter is a 400. */
export function missing(what: string, id: string, param = 'id'): StripeProblem {
  return invalid(`No such ${what}: '${id}'`, {
    status: param === 'id' ? 404 : 400,
    code: 'resource_missing',
    param,
  })
}

export function cardDeclined(extra: object): StripeProblem {
  return refused('Your card was declined.', {
    status: 402,
    type: 'card_error',
    code: 'card_declined',
    decline_code: 'generic_decline',
    extra,
  })
}
