import { readCommandLine, refuseLiveKeys, usage, WrongUse } from './options.ts'
import { startSandbox } from './sandbox.ts'

/** Exit codes: 0 it was stopped, 1 it failed, 2 it was started wrongly. */
async function main(args: string[]): Promise<void> {
  refuseLiveKeys(args)
  const { help, options } = readCommandLine(args)
  if (help || options === null) {
    process.stdout.write(usage)
    return
  }
  const sandbox = await startSandbox(options)
  const { httpPort, tlsPort, smtpPort, certificate } = sandbox
  const ready = { ready: true, http: httpPort, tls: tlsPort, smtp: smtpPort, certificate }

  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    sandbox.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.stdout.write(`${JSON.stringify(ready)}\n`)
}

function fail(error: unknown): never {
  const wrong = error instanceof WrongUse
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`sandbox: ${message}\n`)
  process.exit(wrong ? 2 : 1)
}

main(process.argv.slice(2)).catch(fail)
