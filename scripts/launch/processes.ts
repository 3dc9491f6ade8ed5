import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { join } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { logSince, logTail, openLog, sizeOf } from './logs.ts'
import { NotReady } from './not-ready.ts'
import { pathsOf, prepareDataDir } from './paths.ts'
import {
  endProcess,
  identityOf,
  type ProcessIdentity,
  type Signal,
  stopGently,
} from './process-identity.ts'
import { forgetProcess, recordProcess } from './process-records.ts'
import { poll } from './wait.ts'

export interface ProcessSpec {
  name: string
  /** A program, or one of our files that the running Node takes: `worker/main.ts`. */
  command: string
  args?: readonly string[]
  /** On top of the launcher's whole environment; undefined removes a variable. */
  variables?: Readonly<Record<string, string | undefined>>
  cwd?: string
  port?: number
  /** A line of its output, or an address that answers with 2xx. */
  ready?: { line: RegExp } | { url: string }
  readyTimeoutMs?: number
  /** Ends the child, one of our files, when we are killed. */
  exitWithParent?: boolean
  /** Addresses of modules that are loaded before one of our files. */
  preload?: readonly string[]
  /** Gives up waiting for readiness, and ends the child. */
  signal?: AbortSignal
  /** How long it may take to end on SIGTERM. */
  graceMs?: number
}

export interface ProcessExit {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface RunningProcess extends ProcessIdentity {
  name: string
  port: number | null
  logFile: string
  exited: Promise<ProcessExit>
}

/** Starts a child of the product and returns when it is ready. */
export async function startProcess(
  spec: ProcessSpec,
  env: LauncherEnvironment,
): Promise<RunningProcess> {
  const logFile = join(prepareDataDir(env).logs, `${spec.name}.log`)
  const log = openLog(logFile)
  const position = sizeOf(logFile)
  const child = spawnDetached(spec, env, log)
  closeSync(log)
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', () => resolve({ code: null, signal: null }))
  })
  const identity = child.pid === undefined ? undefined : identityOf(child.pid)
  if (!identity) {
    const { code } = await exited
    const why = child.pid === undefined ? 'it cannot be run' : `it ended with code ${code}`
    throw new NotReady(`${spec.name} did not start: ${why}\n${logTail(logFile)}`)
  }
  const port = spec.port ?? null
  const running = { ...identity, name: spec.name, port, logFile, exited }
  recordProcess(env, running)
  try {
    await untilReady(spec, { child, logFile, position })
  } catch (error) {
    await stopProcess(running, env, spec.graceMs)
    throw error
  }
  return running
}

/** SIGTERM, then after the grace SIGKILL for it and everything it started. */
export async function stopProcess(
  target: Pick<RunningProcess, 'name' | 'pid' | 'startTime'>,
  env: LauncherEnvironment,
  graceMs?: number,
): Promise<void> {
  await endProcess(target, graceMs === undefined ? stopGently : stopWithin(graceMs))
  forgetProcess(env, target.name)
}

function stopWithin(graceMs: number): Signal[] {
  return [
    { name: 'SIGTERM', waitMs: graceMs },
    { name: 'SIGKILL', waitMs: 5_000, group: true },
  ]
}

const exitWithParent = join(import.meta.dirname, 'exit-with-parent.ts')

function spawnDetached(spec: ProcessSpec, env: LauncherEnvironment, log: number): ChildProcess {
  const isSource = /\.[cm]?[jt]s$/.test(spec.command)
  const command = isSource ? process.execPath : spec.command
  const modules = [...(spec.exitWithParent ? [exitWithParent] : []), ...(spec.preload ?? [])]
  const preload = modules.flatMap((module) => ['--import', module])
  const args = [...(isSource ? [...preload, spec.command] : []), ...(spec.args ?? [])]
  const variables = Object.entries({ ...env.all, ...spec.variables })
  const child = spawn(command, args, {
    cwd: spec.cwd ?? pathsOf(env).root,
    env: Object.fromEntries(variables.filter(([, value]) => value !== undefined)),
    // A group of its own: Ctrl-C reaches the supervisor alone, which stops all in order.
    detached: true,
    stdio: [spec.exitWithParent ? 'pipe' : 'ignore', log, log],
  })
  child.stdin?.on('error', () => {})
  return child
}

interface Awaited {
  child: ChildProcess
  logFile: string
  position: number
}

async function untilReady(spec: ProcessSpec, awaited: Awaited): Promise<void> {
  const { ready, readyTimeoutMs = 30_000 } = spec
  if (!ready) return
  const { child, logFile, position } = awaited
  const isReady = async () => {
    if (spec.signal?.aborted || hasEnded(child)) return false
    const yes =
      'url' in ready ? await answersWell(ready.url) : ready.line.test(logSince(logFile, position))
    return yes ? true : undefined
  }
  const outcome = await poll(isReady, { everyMs: 50, timeoutMs: readyTimeoutMs })
  if (outcome) return
  const late = `it was not ready within ${readyTimeoutMs / 1_000} s`
  const ending = `it ended with ${child.signalCode ?? `code ${child.exitCode}`}`
  const why = hasEnded(child) ? ending : spec.signal?.aborted ? 'it was stopped meanwhile' : late
  throw new NotReady(`${spec.name} did not start: ${why}\n${logTail(logFile)}`)
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

async function answersWell(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
