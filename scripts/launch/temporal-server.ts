import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createConnection } from 'node:net'
import { dirname } from 'node:path'
import { logTail, openLog } from './logs.ts'
import { NotReady } from './not-ready.ts'
import { endProcess, identityOf, type ProcessIdentity, type Signal } from './process-identity.ts'
import type { TemporalCli } from './temporal-cli.ts'
import { askTemporal, type SearchAttributes } from './temporal-connection.ts'
import { poll } from './wait.ts'

export interface DevServerOptions {
  cli: TemporalCli
  port: number
  /** null: without the web pages. */
  uiPort: number | null
  /** null: everything is forgotten when the server stops. */
  dbFile: string | null
  /** Made at the start; each costs next to nothing there. */
  namespaces: readonly string[]
  searchAttributes: SearchAttributes
  logFile: string
  /** For files the server wants to leave in somebody's home. */
  home: string
}

export interface DevServer {
  process: ProcessIdentity
  version: string
}

/** In-memory state is worth no waiting; a state file is closed in order. */
export function stopSignals(dbFile: string | null): readonly Signal[] {
  if (dbFile === null) return [{ name: 'SIGKILL', waitMs: 5_000 }]
  return [
    { name: 'SIGTERM', waitMs: 10_000 },
    { name: 'SIGKILL', waitMs: 5_000 },
  ]
}

export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  if (options.dbFile) prepareStateFile(options.dbFile, options.cli.version)
  const log = openLog(options.logFile)
  mkdirSync(options.home, { recursive: true })
  const child = spawn(options.cli.path, serverArguments(options), {
    // Temporal's own variables and files would change what the server does.
    env: { HOME: options.home, PATH: '/usr/bin:/bin', TZ: 'UTC' },
    cwd: options.home,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  let failure: string | undefined
  child.once('error', (error) => {
    failure = error.message
  })
  child.once('exit', (code, signal) => {
    failure ??= `it ended with ${signal ?? `code ${code}`}`
  })
  child.unref()
  const ready = await poll(async () => (failure ? null : answers(options.port)), {
    everyMs: 100,
    timeoutMs: 90_000,
  })
  const started = child.pid === undefined ? undefined : identityOf(child.pid)
  if (!ready || !started) {
    if (started) await endProcess(started, stopSignals(null))
    const why = failure ?? 'it did not answer within 90 s'
    throw new NotReady(`${options.cli.path} did not start: ${why}\n${logTail(options.logFile)}`)
  }
  if (options.dbFile) writeFileSync(readyMark(options.dbFile), ready.version)
  return { process: started, version: ready.version }
}

function serverArguments(options: DevServerOptions): string[] {
  const { port, uiPort, dbFile } = options
  const ui = uiPort === null ? ['--headless'] : ['--ui-port', String(uiPort)]
  const throwaway = dbFile === null
  const settings: Record<string, unknown> = {
    // New namespaces are noticed soon; the default of two seconds delays their schedules.
    'system.namespaceCacheRefreshInterval': throwaway ? '200ms' : '500ms',
    'frontend.namespaceRPS.namespaceReplicationInducingAPIs': 100,
    'frontend.rps.namespaceReplicationInducingAPIs': 1_000,
    // Few pollers spread over four partitions wait for each other.
    'matching.numTaskqueueReadPartitions': 1,
    'matching.numTaskqueueWritePartitions': 1,
    // All processes share one shard, whose queues are read twenty times a second otherwise: each
    // step of a process would wait for two such turns.
    'history.transferProcessorMaxPollRPS': 1_000,
    'history.timerProcessorMaxPollRPS': 1_000,
    'history.visibilityProcessorMaxPollRPS': 1_000,
    'history.outboundProcessorMaxPollRPS': 1_000,
  }
  return [
    'server',
    'start-dev',
    ...['--ip', '127.0.0.1', '--port', String(port), ...ui, '--ui-disable-news-fetch'],
    ...['--log-level', 'error'],
    ...(dbFile === null ? [] : ['--db-filename', dbFile]),
    ...options.namespaces.flatMap((name) => ['--namespace', name]),
    ...Object.entries(options.searchAttributes).flatMap(([name, type]) => [
      '--search-attribute',
      `${name}=${type}`,
    ]),
    ...Object.entries(settings).flatMap(([key, value]) => [
      '--dynamic-config-value',
      `${key}=${JSON.stringify(value)}`,
    ]),
  ]
}

async function answers(port: number): Promise<{ version: string } | undefined> {
  if (!(await accepts(port))) return undefined
  const answer = await askTemporal(`127.0.0.1:${port}`, { connectTimeoutMs: 1_500 })
  return 'version' in answer ? answer : undefined
}

/** Whether something listens; cheaper than a gRPC channel for every try. */
export function accepts(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(300, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

/**
 * A state file is used only if a server was ready on it once, and by a server of the same minor
 * version: the file's layout is written once and never brought up to date.
 */
function prepareStateFile(dbFile: string, version: string): void {
  mkdirSync(dirname(dbFile), { recursive: true })
  if (!existsSync(dbFile)) return
  const writtenBy = readyVersion(dbFile)
  if (writtenBy && minorOf(writtenBy) === minorOf(version)) return
  for (const suffix of ['', '-wal', '-shm', '-journal']) {
    const file = dbFile + suffix
    if (!existsSync(file)) continue
    if (writtenBy) renameSync(file, `${dbFile}.${writtenBy}${suffix}`)
    else rmSync(file, { force: true })
  }
  rmSync(readyMark(dbFile), { force: true })
}

function readyVersion(dbFile: string): string | undefined {
  try {
    return readFileSync(readyMark(dbFile), 'utf8').trim()
  } catch {
    return undefined
  }
}

function readyMark(dbFile: string): string {
  return `${dbFile}.ready`
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.')
}
