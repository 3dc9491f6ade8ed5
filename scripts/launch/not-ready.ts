/** A needed part is missing: the command ends with exit code 3 and the message says what helps. */
export class NotReady extends Error {
  readonly exitCode = 3

  constructor(message: string) {
    super(message)
    this.name = 'NotReady'
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
