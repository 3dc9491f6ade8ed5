import { delimiter, join } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { reasonOf } from './not-ready.ts'
import { pathsOf } from './paths.ts'
import type { Progress } from './progress.ts'
import { downloadBySdk, downloadedEarlier } from './sdk-download.ts'
import { buildTemporal, builtEarlier } from './temporal-build.ts'
import {
  executableProblem,
  inspectCli,
  onPath,
  type TemporalCli,
  type TemporalHow,
} from './temporal-cli.ts'

/** A way to a server that was not taken, and why. */
export interface ChainStep {
  name: string
  reason: string
}

export interface Executable {
  name: string
  cli: TemporalCli
  how: TemporalHow
  why: string
}

/**
 * The executables to try, best first. What is already on this machine comes before anything
 * that is fetched or built, so that a warm start needs no network.
 */
export async function* executables(
  env: LauncherEnvironment,
  progress: Progress,
): AsyncGenerator<Executable | ChainStep> {
  yield* installed(env)
  yield* cached(env)
  yield* download(env, progress)
  yield* build(env, progress)
}

async function* installed(env: LauncherEnvironment): AsyncGenerator<Executable | ChainStep> {
  const tools = join(pathsOf(env).root, '.tools', 'temporal')
  const places = [
    { name: 'TEMPORAL_CLI', file: chosenCli(env), absent: 'not set' },
    { name: 'temporal on PATH', file: onPath(env.path, 'temporal'), absent: 'not found' },
    {
      name: '.tools/temporal',
      file: executableProblem(tools)?.endsWith('does not exist') ? undefined : tools,
      absent: 'does not exist',
    },
  ]
  for (const { name, file, absent } of places) {
    if (!file) yield { name, reason: absent }
    else yield* inspected({ name, file, how: 'path', why: `from ${name} (${file})` })
  }
}

function chosenCli(env: LauncherEnvironment): string | undefined {
  const { temporalCli } = env
  if (!temporalCli) return undefined
  const isName = !temporalCli.includes('/') && !temporalCli.includes(delimiter)
  return (isName ? onPath(env.path, temporalCli) : undefined) ?? temporalCli
}

async function* cached(env: LauncherEnvironment): AsyncGenerator<Executable | ChainStep> {
  const downloaded = downloadedEarlier(env, 'cli')
  if (downloaded) {
    const why = `downloaded by the SDK earlier (${downloaded})`
    yield* inspected({ name: 'earlier download', file: downloaded, how: 'download', why })
  }
  const built = builtEarlier(env)
  if (built) {
    const why = `built from the pinned versions earlier (${built})`
    yield* inspected({ name: 'earlier build', file: built, how: 'built', why })
  }
}

async function* download(
  env: LauncherEnvironment,
  progress: Progress,
): AsyncGenerator<Executable | ChainStep> {
  const name = "the SDK's download"
  const step = progress.step('Temporal download', 'no server on this machine yet')
  const result = await downloadBySdk(env, 'cli')
  if ('reason' in result) {
    step.failed(result.reason)
    yield { name, reason: result.reason }
    return
  }
  step.done(result.path)
  const why = `downloaded by the SDK (${result.path})`
  yield* inspected({ name, file: result.path, how: 'download', why })
}

async function* build(
  env: LauncherEnvironment,
  progress: Progress,
): AsyncGenerator<Executable | ChainStep> {
  const name = 'build through the Go module proxy'
  let file: string
  try {
    file = await buildTemporal({ env, progress })
  } catch (error) {
    yield { name, reason: reasonOf(error) }
    return
  }
  yield* inspected({ name, file, how: 'built', why: `built from the pinned versions (${file})` })
}

interface Found {
  name: string
  file: string
  how: TemporalHow
  why: string
}

async function* inspected(found: Found): AsyncGenerator<Executable | ChainStep> {
  const { name, how, why } = found
  const finding = await inspectCli(found.file)
  if ('cli' in finding) yield { name, how, why, cli: finding.cli }
  else yield { name, reason: finding.reason }
}

/** Every step with its reason, and the two shortest ways out. */
export function notReadyMessage(steps: readonly ChainStep[]): string {
  const tried = steps.map(({ name, reason }) => `  - ${name}: ${reason}`)
  return [
    'There is no Temporal server, and none could be started. Tried, in this order:',
    ...tried,
    'The two shortest ways out:',
    '  1. install Go 1.26.8 or newer (https://go.dev/dl) and run the command again:',
    '     the server is then built once, in about 4 minutes;',
    '  2. install the Temporal CLI (https://temporal.io/setup/install-temporal-cli), or set',
    '     TEMPORAL_ADDRESS=host:port to a server that runs already.',
  ].join('\n')
}
