/** `npm run contracts`: our stand-ins and our requests beside what the vendors publish. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import type { LauncherEnvironment } from './launch/environment.ts'
import { cacheRoot, pathsOf } from './launch/paths.ts'
import type { Progress } from './launch/progress.ts'
import { onPath } from './launch/temporal-cli.ts'

/** Stripe's own mock, built once from the versions that `tools/stripe-mock` pins. */
function buildStripeMock(env: LauncherEnvironment, progress: Progress): string {
  const sources = join(pathsOf(env).root, 'tools', 'stripe-mock')
  const hash = createHash('sha256')
    .update(readFileSync(join(sources, 'go.sum')))
    .digest('hex')
  const directory = join(cacheRoot(env), 'stripe-mock', hash.slice(0, 12))
  const executable = join(directory, 'stripe-mock')
  if (existsSync(executable)) return executable
  const go = onPath(env.path, 'go')
  if (!go) throw new CommandError('Go is not installed, and stripe-mock is built with it', 3)
  mkdirSync(directory, { recursive: true })
  const step = progress.step('building stripe-mock', 'once for this machine, about a minute')
  const draft = join(directory, `draft-${process.pid}`)
  const { status, stderr } = spawnSync(
    go,
    ['build', '-trimpath', '-buildvcs=false', '-o', draft, 'github.com/stripe/stripe-mock'],
    { cwd: sources, env: { ...env.all, PATH: env.path }, encoding: 'utf8' },
  )
  if (status !== 0) {
    rmSync(draft, { force: true })
    step.failed('see below')
    throw new CommandError(`stripe-mock could not be built:\n${stderr.slice(-1_000)}`, 3)
  }
  renameSync(draft, executable)
  step.done(executable)
  return executable
}

async function run({ env, progress, print }: CommandInput): Promise<number> {
  const { root } = pathsOf(env)
  const stripeMock = buildStripeMock(env, progress)
  const folder = mkdtempSync(join(tmpdir(), 'tributary-contracts-'))
  const output = join(folder, 'contracts.json')
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      ...['--config', join(root, 'jest-contracts.config.mjs')],
      ...['--globals', JSON.stringify({ stripeMock })],
      ...['--json', '--outputFile', output],
    ],
    // What the tests say goes beside the result.
    { cwd: root, stdio: ['ignore', process.stderr, process.stderr] },
  )
  const told = existsSync(output) ? JSON.parse(readFileSync(output, 'utf8')) : null
  rmSync(folder, { recursive: true, force: true })
  const report = {
    ok: status === 0,
    held: told?.numPassedTests ?? 0,
    broken: told?.numFailedTests ?? null,
  }
  print(report, () => `${report.held} contracts hold, ${report.broken ?? 'all'} are broken`)
  return report.ok ? 0 : 1
}

await runCommand({
  name: 'contracts',
  usage:
    'npm run contracts: what we say to Stripe and DocuSign, and what our stand-ins answer,\n' +
    "beside the vendors' own descriptions, Stripe's own mock and signatures made by OpenSSL",
  run,
})
