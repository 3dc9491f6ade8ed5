/** An error as DocuSign answers it. */
export class DocusignProblem extends Error {
  readonly status: number
  readonly errorCode: string

  constructor(errorCode: string, message: string, status = 400) {
    super(message)
    this.errorCode = errorCode
    this.status = status
  }
}

export function unknownEnvelope(): DocusignProblem {
  return new DocusignProblem(
    'ENVELOPE_DOES_NOT_EXIST',
    'The envelope specified either does not exist or you have no rights to it.',
    404,
  )
}

export function invalidRequest(message: string): DocusignProblem {
  return new DocusignProblem(
    'INVALID_REQUEST_PARAMETER',
    `The request contained at least one invalid parameter. ${message}`,
  )
}
