import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { NotReady } from '../../scripts/launch/not-ready.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import { silentProgress } from '../../scripts/launch/progress.ts'
import { provideTemporal } from '../../scripts/launch/temporal.ts'
import { inspectCli, isSupported, serverVersionIn } from '../../scripts/launch/temporal-cli.ts'
import { provideTestServer } from '../../scripts/launch/test-server.ts'
import { type Checkout, makeCheckout, script } from './checkout.ts'

const current = 'echo "temporal version 1.8.2 (Server 1.31.3, UI 2.50.1)"'
const old = 'echo "temporal version 1.1.0 (Server 1.25.2, UI 2.31.0)"'

let checkout: Checkout
beforeEach(() => {
  const nowhere = 'http://127.0.0.1:9'
  checkout = makeCheckout({ path: '', all: { HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere } })
})
afterEach(() => checkout.remove())

/** The message of a chain in which nothing works. */
async function failure(changes: Partial<Checkout['env']> = {}): Promise<string> {
  const ports = { temporal: await freePort(), temporalUi: null }
  const env = { ...checkout.env, ...changes }
  const attempt = provideTemporal({ purpose: 'throwaway', env, progress: silentProgress(), ports })
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(NotReady)
  expect((error as NotReady).exitCode).toBe(3)
  return (error as NotReady).message
}

describe('the way to a Temporal server', () => {
  it('names every step with its reason and two ways out when there is none', async () => {
    const message = await failure()
    const steps = message.split('\n').filter((line) => line.startsWith('  - '))
    expect(steps.map((line) => line.slice(4).split(':')[0])).toEqual([
      'TEMPORAL_ADDRESS',
      'TEMPORAL_CLI',
      'temporal on PATH',
      '.tools/temporal',
      "the SDK's download",
      'build through the Go module proxy',
    ])
    expect(steps[4]).toContain('temporal.download')
    expect(steps[5]).toContain('Go is not installed (no `go` on the PATH')
    expect(message).toContain('  1. install Go')
    expect(message).toContain('  2. install the Temporal CLI')
  })

  it('passes over servers that are too old, absent, not executable or something else', async () => {
    const { root } = checkout
    const path = join(root, 'bin')
    script(join(path, 'temporal'), 'echo "no version at all"')
    script(join(root, '.tools', 'temporal'), old)
    const message = await failure({ path, temporalCli: join(root, 'nothing') })
    expect(message).toContain(`TEMPORAL_CLI: ${join(root, 'nothing')} does not exist`)
    expect(message).toContain(`${join(path, 'temporal')} is not a Temporal CLI with a server`)
    expect(message).toContain('.tools/temporal has server 1.25.2; 1.30 or newer is needed')
  })

  it('goes on when a server of the right version does not start', async () => {
    const cli = script(
      join(checkout.root, 'cli'),
      `[ "$1" = --version ] && ${current} && exit 0
echo "cannot open the state" >&2
exit 7`,
    )
    const message = await failure({ temporalCli: cli })
    expect(message).toContain(`TEMPORAL_CLI: ${cli} did not start: it ended with code 7`)
    expect(message).toContain('cannot open the state')
    expect(message).toContain('build through the Go module proxy: Go is not installed')
  })

  it('stops at a TEMPORAL_ADDRESS that does not answer, and uses no other server', async () => {
    const address = `127.0.0.1:${await freePort()}`
    const cli = script(join(checkout.root, 'cli'), current)
    const message = await failure({ temporalAddress: address, temporalCli: cli })
    expect(message).toContain(`TEMPORAL_ADDRESS is ${address}, and no Temporal answers there`)
  })
})

describe('inspectCli', () => {
  it('reads the server’s part of the version, whatever the command line tool calls itself', () => {
    expect(serverVersionIn('temporal version 0.0.0-DEV (Server 1.31.3, UI 2.50.1)')).toBe('1.31.3')
    expect(serverVersionIn('temporal version 1.8.2')).toBeUndefined()
    expect(['1.29.9', '1.30.0', '1.100.0', '2.0.0'].map(isSupported)).toEqual([
      false,
      true,
      true,
      true,
    ])
  })

  it('refuses a folder and a file that cannot be run', async () => {
    const folder = join(checkout.root, 'folder')
    mkdirSync(folder)
    expect(await inspectCli(folder)).toEqual({ reason: `${folder} is not a file` })
    const cli = script(join(checkout.root, 'cli'), current)
    expect(await inspectCli(cli)).toEqual({ cli: { path: cli, version: '1.31.3' } })
  })
})

describe('the way to the time-skipping test server', () => {
  it('names what is missing when there is neither Java nor Maven nor a network', async () => {
    const options = { env: checkout.env, progress: silentProgress() }
    const attempt = provideTestServer(options)
    await expect(attempt).rejects.toThrow(NotReady)
    await expect(attempt).rejects.toThrow(/Maven: there is no Java[\s\S]*the SDK's download: /)
  })

  it('takes the executable that TEMPORAL_TEST_SERVER names', async () => {
    const named = script(join(checkout.root, 'server'), 'exit 0')
    const env = { ...checkout.env, all: { TEMPORAL_TEST_SERVER: named } }
    expect(await provideTestServer({ env, progress: silentProgress() })).toBe(named)
  })
})
