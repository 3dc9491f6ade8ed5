import { spawn } from 'node:child_process'
import { closeSync, existsSync, realpathSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { type Guard, guardThrowaway } from './guard.ts'
import { withLock } from './lock.ts'
import { logTail, openLog } from './logs.ts'
import { NotReady, reasonOf } from './not-ready.ts'
import { prepareDataDir } from './paths.ts'
import { postgresBinaries } from './postgres-binaries.ts'
import {
  type Answer,
  as,
  askServer,
  initialise,
  plainEnvironment,
  serverArguments,
  urlOf,
} from './postgres-cluster.ts'
import {
  type DataPlace,
  devPlace,
  fastShutdown,
  forgetDeadPostmaster,
  ownerFile,
  postmasterOf,
  recordedDevDirectory,
  sweepThrowaways,
  throwawayPlace,
  tidyClusterBase,
} from './postgres-data.ts'
import { endProcess, identityOf, isSame, type ProcessIdentity } from './process-identity.ts'
import type { Progress } from './progress.ts'
import { poll } from './wait.ts'

export interface PostgresOptions {
  /** `dev` keeps its data and outlives us; `throwaway` goes with the process that started it. */
  purpose: 'dev' | 'throwaway'
  port: number
  env: LauncherEnvironment
  progress: Progress
  /** Name of a throwaway cluster's directory. */
  name?: string
  /** A throwaway cluster lies in memory, where the machine has room for that. */
  inMemory?: boolean
  /** More server settings, for example `{ shared_buffers: '512MB' }`. */
  settings?: Readonly<Record<string, string>>
}

export interface PostgresServer {
  /** postgres://tributary@127.0.0.1:port/postgres */
  url: string
  port: number
  pid: number
  /** It ran already, from this same data directory. */
  adopted: boolean
  version: string
  dataDirectory: string
  logFile: string
  stop(): Promise<void>
  /** Stops and deletes the data. */
  remove(): Promise<void>
}

export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { env, progress, purpose } = options
  const step = progress.step('PostgreSQL', 'keeps the books')
  try {
    const server = await (purpose === 'dev' ? alone(options, startDev) : startThrowaway(options))
    const how = server.adopted ? 'already running' : 'started'
    step.done(`${server.version} on 127.0.0.1:${server.port}, ${how}`)
    await sweepThrowaways(env)
    return server
  } catch (error) {
    step.failed(reasonOf(error))
    throw error
  }
}

/** Several commands may want the development server at the same moment. */
function alone<T>(options: PostgresOptions, work: (options: PostgresOptions) => Promise<T>) {
  const lock = join(prepareDataDir(options.env).data, 'pg.lock')
  const wait = { what: 'starting PostgreSQL', timeoutMs: 120_000 }
  return withLock(lock, wait, () => work(options))
}

async function startDev(options: PostgresOptions): Promise<PostgresServer> {
  const place = devPlace(options.env)
  return (await adopt(place, options)) ?? (await startNew(place, options))
}

async function startThrowaway(options: PostgresOptions): Promise<PostgresServer> {
  return startNew(throwawayPlace(options.env, options), options)
}

async function startNew(place: DataPlace, options: PostgresOptions): Promise<PostgresServer> {
  const binaries = postgresBinaries(options.env, options.progress)
  await initialise(binaries.initdb, place)
  return launch(binaries.postgres, place, options)
}

/** The development server, if it runs: a supervisor that died leaves it behind on purpose. */
export async function runningPostgres(
  env: LauncherEnvironment,
): Promise<{ pid: number; port: number; url: string } | undefined> {
  const directory = recordedDevDirectory(env)
  const found = directory && postmasterOf(directory)
  if (!found || !(await belongsTo(found.port, directory))) return undefined
  return { pid: found.process.pid, port: found.port, url: urlOf(found.port) }
}

/** Stops the development server if it runs, and deletes its data. */
export async function removePostgres(env: LauncherEnvironment): Promise<void> {
  const directory = recordedDevDirectory(env)
  if (!directory) return
  const found = postmasterOf(directory)
  if (found) await endProcess(found.process, fastShutdown)
  // The path comes from a file: nothing but a cluster is deleted on its word.
  if (existsSync(join(directory, 'PG_VERSION'))) removeData(directory)
  rmSync(prepareDataDir(env).pgPath, { force: true })
  tidyClusterBase(env)
}

async function adopt(
  place: DataPlace,
  options: PostgresOptions,
): Promise<PostgresServer | undefined> {
  const found = postmasterOf(place.directory)
  if (!found) {
    forgetDeadPostmaster(place.directory)
    return undefined
  }
  const answer = await poll(
    async () => (isSame(found.process) ? belongsTo(found.port, place.directory) : null),
    { everyMs: 50, timeoutMs: 30_000 },
  )
  if (answer === null) return undefined
  if (!answer) {
    throw new NotReady(
      `PostgreSQL process ${found.process.pid} holds ${place.directory} and does not answer; ` +
        `end it with: kill -QUIT ${found.process.pid}`,
    )
  }
  const context = { place, options, process: found.process, port: found.port }
  return serverOf({ ...context, answer, adopted: true })
}

async function belongsTo(port: number, directory: string): Promise<Answer | undefined> {
  const answer = await askServer(port)
  return answer && sameDirectory(answer.dataDirectory, directory) ? answer : undefined
}

function sameDirectory(left: string, right: string): boolean {
  try {
    return realpathSync(left) === realpathSync(right)
  } catch {
    return left === right
  }
}

async function launch(
  postgres: string,
  place: DataPlace,
  options: PostgresOptions,
): Promise<PostgresServer> {
  const logFile = logFileOf(place, options)
  const log = openLog(logFile)
  const settings = {
    port: options.port,
    throwaway: options.purpose === 'throwaway',
    extra: options.settings ?? {},
  }
  // A group of its own, so that Ctrl-C in the terminal does not stop it before the others.
  const child = spawn(postgres, serverArguments(place.directory, settings), {
    ...as(place.account),
    cwd: place.directory,
    env: plainEnvironment(),
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
  const answer = await poll(
    async () => (failure ? null : belongsTo(options.port, place.directory)),
    { everyMs: 15, timeoutMs: 60_000 },
  )
  const started = child.pid === undefined ? undefined : identityOf(child.pid)
  if (!answer || !started) {
    if (started) await endProcess(started, fastShutdown)
    if (options.purpose === 'throwaway') removeData(place.directory)
    const why = failure ?? 'it did not answer within 60 s'
    throw new NotReady(`PostgreSQL did not start: ${why}\n${logTail(logFile)}`)
  }
  const context = { place, options, process: started, port: options.port }
  return serverOf({ ...context, answer, adopted: false })
}

interface Running {
  place: DataPlace
  options: PostgresOptions
  process: ProcessIdentity
  port: number
  answer: Answer
  adopted: boolean
}

function serverOf(running: Running): PostgresServer {
  const { place, options, process: target, port, answer, adopted } = running
  const throwaway = options.purpose === 'throwaway'
  const guard: Guard | undefined = throwaway
    ? guardThrowaway({
        pid: target.pid,
        signal: 'INT',
        remove: [place.directory, ownerFile(place.directory)],
      })
    : undefined
  const stop = async () => {
    guard?.release()
    const gone = await endProcess(target, fastShutdown)
    if (!gone) throw new NotReady(`PostgreSQL process ${target.pid} does not end`)
  }
  return {
    url: urlOf(port),
    port,
    pid: target.pid,
    adopted,
    version: answer.version,
    dataDirectory: place.directory,
    logFile: logFileOf(place, options),
    stop,
    remove: async () => {
      await stop()
      removeData(place.directory)
      if (!throwaway) return
      rmSync(logFileOf(place, options), { force: true })
      if (options.inMemory) tidyClusterBase(options.env)
    },
  }
}

function removeData(directory: string): void {
  if (existsSync(directory)) rmSync(directory, { recursive: true, force: true })
  rmSync(ownerFile(directory), { force: true })
}

function logFileOf(place: DataPlace, { env, purpose }: PostgresOptions): string {
  const name = purpose === 'dev' ? 'postgres' : basename(place.directory)
  return join(prepareDataDir(env).logs, `${name}.log`)
}
