import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { type Guard, guardThrowaway } from './guard.ts'
import { type LockOwner, withLock } from './lock.ts'
import { NotReady, reasonOf } from './not-ready.ts'
import { prepareDataDir } from './paths.ts'
import { isFree } from './ports.ts'
import { endProcess } from './process-identity.ts'
import type { Progress } from './progress.ts'
import { adoptTemporal, forgetTemporal, rememberTemporal } from './temporal-adopt.ts'
import { type ChainStep, executables, notReadyMessage } from './temporal-chain.ts'
import { isSupported, type TemporalCli, type TemporalHow, tooOld } from './temporal-cli.ts'
import { askTemporal, registerNamespace, type SearchAttributes } from './temporal-connection.ts'
import { accepts, startDevServer, stopSignals } from './temporal-server.ts'

export interface TemporalOptions {
  /** `dev` keeps its state in a file and outlives us; `throwaway` forgets and goes with us. */
  purpose: 'dev' | 'throwaway'
  env: LauncherEnvironment
  progress: Progress
  ports: { temporal: number; temporalUi: number | null }
  /** The first is the main one; without any it is named after the checkout. */
  namespaces?: readonly string[]
  searchAttributes?: SearchAttributes
  /** Where the state file and the logs of the development server go; else `.data`. */
  dataDir?: string
  /** A throwaway keeps its state there, so that it can be started again after it was killed. */
  stateFile?: string
}

export interface TemporalServer {
  address: string
  uiUrl: string | null
  namespace: string
  how: TemporalHow
  /** One sentence: why this one and no other. */
  why: string
  version: string
  /** null: somebody else's server. */
  pid: number | null
  /** Our own server of an earlier supervisor. */
  adopted: boolean
  /** What was tried before, with the reason it was not used. */
  skipped: readonly ChainStep[]
  stop(): Promise<void>
}

/** With a first build in it. */
const startWithinMs = 40 * 60_000
const defaultPort = 7233
const defaultUiPort = 8233

/** The first of the ways to a Temporal server that works. */
export async function provideTemporal(options: TemporalOptions): Promise<TemporalServer> {
  const step = options.progress.step('Temporal', 'runs the processes')
  try {
    const server = await firstThatWorks(options)
    step.done(`${server.version} at ${server.address}, ${server.why}`)
    const skipped = server.skipped.map(({ name, reason }) => `${name} (${reason})`)
    if (skipped.length > 0) options.progress.note(`  passed over: ${skipped.join('; ')}`)
    return server
  } catch (error) {
    step.failed('not to be had')
    throw error
  }
}

async function firstThatWorks(options: TemporalOptions): Promise<TemporalServer> {
  const { env, purpose } = options
  if (env.temporalAddress) return byAddress(options, env.temporalAddress)
  const skipped: ChainStep[] = [{ name: 'TEMPORAL_ADDRESS', reason: 'not set' }]
  if (purpose === 'throwaway') return firstExecutable(options, skipped)
  const lock = join(prepareDataDir(env).data, 'temporal.lock')
  let told = false
  const onWait = ({ pid, what }: LockOwner) => {
    if (!told) options.progress.note(`waiting for process ${pid}: ${what}`)
    told = true
  }
  const wait = { what: 'starting Temporal', timeoutMs: startWithinMs, onWait }
  return withLock(lock, wait, async () => {
    const adopted = await adopt(options)
    if (adopted) return adopted
    const running = await alreadyRunning(options)
    if (!('reason' in running)) return { ...running, skipped }
    skipped.push({ name: 'running server', reason: running.reason })
    return firstExecutable(options, skipped)
  })
}

async function firstExecutable(
  options: TemporalOptions,
  before: readonly ChainStep[],
): Promise<TemporalServer> {
  const { env } = options
  const skipped = [...before]
  await ownPortsAreFree(options)
  const candidates = executables(env, options.progress)
  for await (const candidate of candidates) {
    if ('reason' in candidate) {
      skipped.push(candidate)
      continue
    }
    try {
      return { ...(await startOwn(options, candidate)), skipped }
    } catch (error) {
      skipped.push({ name: candidate.name, reason: reasonOf(error) })
    }
  }
  throw new NotReady(notReadyMessage(skipped))
}

/** A named server is used or nothing: falling back would quietly work on an empty one. */
async function byAddress(options: TemporalOptions, address: string): Promise<TemporalServer> {
  const { env } = options
  const access = { apiKey: env.temporalApiKey, tls: env.temporalTls }
  const answer = await askTemporal(address, { ...access, connectTimeoutMs: 3_000 })
  if ('reason' in answer) {
    throw new NotReady(
      `TEMPORAL_ADDRESS is ${address}, and no Temporal answers there: ${answer.reason}. ` +
        'Start it, correct the address, or unset it to have a server started for you.',
    )
  }
  if (answer.version && !isSupported(answer.version)) {
    throw new NotReady(`TEMPORAL_ADDRESS is ${address}, but ${tooOld(answer.version)}`)
  }
  await registerAll(options, address)
  return foreign(options, {
    address,
    version: answer.version,
    how: 'address',
    why: 'because TEMPORAL_ADDRESS names it',
    uiUrl: null,
  })
}

async function alreadyRunning(
  options: TemporalOptions,
): Promise<TemporalServer | { reason: string }> {
  const address = `127.0.0.1:${defaultPort}`
  if (!(await accepts(defaultPort))) return { reason: `nothing answers at ${address}` }
  const answer = await askTemporal(address, { connectTimeoutMs: 300 })
  if ('reason' in answer) return { reason: `${address} is no Temporal: ${answer.reason}` }
  if (!isSupported(answer.version)) return { reason: `${address}: ${tooOld(answer.version)}` }
  try {
    await registerAll(options, address)
  } catch (error) {
    return { reason: reasonOf(error) }
  }
  const uiUrl = (await accepts(defaultUiPort)) ? `http://127.0.0.1:${defaultUiPort}` : null
  const why = 'because it runs already'
  return foreign(options, { address, version: answer.version, how: 'running', why, uiUrl })
}

type Known = Pick<TemporalServer, 'address' | 'version' | 'how' | 'why' | 'uiUrl'>

function foreign(options: TemporalOptions, known: Known): TemporalServer {
  const namespace = mainNamespace(options)
  return { ...known, namespace, pid: null, adopted: false, skipped: [], stop: async () => {} }
}

async function registerAll(options: TemporalOptions, address: string): Promise<void> {
  const { env, searchAttributes = {} } = options
  const access = env.temporalAddress ? { apiKey: env.temporalApiKey, tls: env.temporalTls } : {}
  await Promise.all(
    allNamespaces(options).map((namespace) =>
      registerNamespace(address, namespace, { ...access, searchAttributes }),
    ),
  )
}

export function mainNamespace(options: Pick<TemporalOptions, 'env' | 'namespaces' | 'purpose'>) {
  const { env, namespaces = [], purpose } = options
  const wished = purpose === 'dev' ? env.temporalNamespace : undefined
  return wished ?? namespaces[0] ?? `tributary-${prepareDataDir(env).hash}`
}

function allNamespaces(options: TemporalOptions): string[] {
  return [...new Set([mainNamespace(options), ...(options.namespaces ?? [])])]
}

async function ownPortsAreFree({ ports }: TemporalOptions): Promise<void> {
  for (const port of [ports.temporal, ports.temporalUi]) {
    if (port !== null && !(await isFree(port))) {
      throw new NotReady(`port ${port} for Temporal is busy`)
    }
  }
}

interface Candidate {
  name: string
  cli: TemporalCli
  how: TemporalHow
  why: string
}

async function startOwn(options: TemporalOptions, candidate: Candidate): Promise<TemporalServer> {
  const { env, purpose, ports, searchAttributes = {} } = options
  const paths = prepareDataDir(env)
  const directory = options.dataDir ?? paths.data
  const throwaway = purpose === 'throwaway'
  const dbFile = throwaway ? (options.stateFile ?? null) : join(directory, 'temporal.db')
  const address = `127.0.0.1:${ports.temporal}`
  const logFile = join(paths.logs, throwaway ? `temporal-${ports.temporal}.log` : 'temporal.log')
  const server = await startDevServer({
    cli: candidate.cli,
    port: ports.temporal,
    uiPort: ports.temporalUi,
    dbFile,
    // Namespaces made at the start keep finished workflows for a day only.
    namespaces: throwaway ? allNamespaces(options) : [],
    searchAttributes: throwaway ? searchAttributes : {},
    logFile,
    home: join(directory, 'temporal-home'),
  })
  const guard: Guard | undefined = throwaway
    ? guardThrowaway({ pid: server.process.pid, signal: 'KILL', remove: [] })
    : undefined
  const stop = async () => {
    guard?.release()
    await endProcess(server.process, stopSignals(throwaway ? null : dbFile))
    if (throwaway) rmSync(logFile, { force: true })
    else forgetTemporal(env)
  }
  const uiUrl = ports.temporalUi === null ? null : `http://127.0.0.1:${ports.temporalUi}`
  const { version } = server
  const { how, why } = candidate
  try {
    if (!throwaway) await registerAll(options, address)
  } catch (error) {
    await stop()
    throw error
  }
  if (!throwaway) rememberTemporal(env, { ...server.process, address, uiUrl, how, why, version })
  const namespace = mainNamespace(options)
  const pid = server.process.pid
  return { address, uiUrl, namespace, how, why, version, pid, adopted: false, skipped: [], stop }
}

async function adopt(options: TemporalOptions): Promise<TemporalServer | undefined> {
  const { env } = options
  const found = await adoptTemporal(env)
  if (!found) return undefined
  await registerAll(options, found.address)
  const stop = async () => {
    await endProcess(found, stopSignals('state file'))
    forgetTemporal(env)
  }
  const { address, uiUrl, how, version, pid } = found
  const why = `${found.why}; still running from before`
  const namespace = mainNamespace(options)
  return { address, uiUrl, namespace, how, why, version, pid, adopted: true, skipped: [], stop }
}
