/** Everything that runs: PostgreSQL, Temporal, sandbox, API and worker, as one thing. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NewProgramme } from '../../db/programmes.ts'
import type { LauncherEnvironment } from '../launch/environment.ts'
import type { Ports } from '../launch/ports.ts'
import type { ProcessSpec } from '../launch/processes.ts'
import type { Progress } from '../launch/progress.ts'
import { type SupervisedProcess, type Supervisor, supervise } from '../launch/supervise.ts'
import { provideTemporal, type TemporalOptions, type TemporalServer } from '../launch/temporal.ts'
import { poll } from '../launch/wait.ts'
import { provideDatabase, type StackDatabase, withDatabase } from './database.ts'
import { type StackKeys, seedPlatform } from './programme.ts'
import { type StackSecrets, stackSecrets } from './secrets.ts'
import { productVariables, sandboxSettings } from './variables.ts'
import { keksIn } from './vault.ts'

export interface StackOptions {
  /** Where children record themselves and log; another root than the checkout for a throwaway. */
  env: LauncherEnvironment
  /** The checkout: where Temporal's state and the database cluster belong. */
  home: LauncherEnvironment
  progress: Progress
  /** `kept` is a throwaway whose data can become that of `dev`. */
  purpose: 'dev' | 'throwaway' | 'kept'
  ports: Ports
  /** Data of this stack: secrets, keys, the sandbox's journal. */
  directory: string
  /** The checkout's own folder. */
  root: string
  /** Names a throwaway database and namespace. */
  run: string
  yes?: boolean
  /** What the programme has otherwise than that of the demo. */
  programme?: Partial<NewProgramme>
  /** Addresses of modules that are loaded into the worker before its own code. */
  workerPreload?: readonly string[]
  /** Where a throwaway's Temporal keeps its state; none for one that is never started again. */
  temporalState?: string
}

export interface Stack {
  database: StackDatabase
  temporal: TemporalServer
  keys: StackKeys
  urls: { api: string; docs: string; sandbox: string; mailbox: string; temporal_ui: string | null }
  processes(): SupervisedProcess[]
  /** Starts Temporal again after it ended, from the state it had. @returns its process. */
  restartTemporal(): Promise<number>
  /**
   * Stops the worker and the API first, what they need last; a second call kills at once.
   * `between` runs when nobody uses the servers any more and they still run.
   */
  stop(between?: () => Promise<void>): Promise<void>
}

const stopOrder = ['worker', 'api', 'sandbox']

export async function startStack(options: StackOptions): Promise<Stack> {
  const { directory, progress } = options
  mkdirSync(directory, { recursive: true })
  const secrets = stackSecrets(directory)
  const supervisor = supervise({ env: options.env, progress })
  const started: (() => Promise<void>)[] = []
  try {
    const [database, temporal] = await startServers(options, secrets, started)
    const [keys, certificate] = await Promise.all([
      withDatabase(
        database.url,
        ({ db }) => seedPlatform(db, directory, options.programme),
        keksIn(directory),
      ),
      startSandbox(supervisor, options, secrets),
    ])
    await startProduct(supervisor, options, { database, temporal, secrets, certificate })
    return {
      database,
      temporal,
      keys,
      urls: urlsOf(options.ports, temporal),
      processes: () => supervisor.list(),
      restartTemporal: async () => {
        const server = await provideTemporal(temporalOptions(options))
        started.push(() => server.stop())
        return server.pid ?? 0
      },
      stop: (between) => stopAll(supervisor, started, between),
    }
  } catch (error) {
    await stopAll(supervisor, started)
    throw error
  }
}

/** Both at once; each one that came up is stopped even where the other did not. */
async function startServers(
  options: StackOptions,
  { contextSecret }: StackSecrets,
  started: (() => Promise<void>)[],
) {
  const { home, progress, purpose, ports, run } = options
  const keep = <T extends { stop: () => Promise<void> }>(server: T): T => {
    started.push(() => server.stop())
    return server
  }
  const results = await Promise.allSettled([
    provideDatabase({
      env: home,
      progress,
      purpose,
      port: ports.postgres,
      name: `tributary_${run}`,
      contextSecret,
      keks: keksIn(options.directory),
      ...(options.yes === undefined ? {} : { yes: options.yes }),
    }).then(keep),
    provideTemporal(temporalOptions(options)).then(keep),
  ])
  const [database, temporal] = results
  if (database.status === 'rejected') throw database.reason
  if (temporal.status === 'rejected') throw temporal.reason
  return [database.value, temporal.value] as const
}

function temporalOptions(options: StackOptions): TemporalOptions {
  const { home, progress, purpose, ports, run, temporalState } = options
  return {
    env: home,
    progress,
    purpose: purpose === 'dev' ? 'dev' : 'throwaway',
    ports: { temporal: ports.temporal, temporalUi: ports.temporalUi },
    namespaces: purpose === 'dev' ? [] : [`tributary-${run}`.replaceAll('_', '-')],
    ...(temporalState === undefined ? {} : { stateFile: temporalState }),
  }
}

async function stopAll(
  supervisor: Supervisor,
  started: (() => Promise<void>)[],
  between: () => Promise<void> = async () => {},
): Promise<void> {
  await supervisor.stop(stopOrder)
  try {
    await between()
  } finally {
    await Promise.allSettled(started.splice(0).map((stop) => stop()))
  }
}

/** @returns the certificate under which the sandbox's token service is reached. */
async function startSandbox(
  supervisor: Supervisor,
  { directory, ports, root, progress }: StackOptions,
  secrets: StackSecrets,
): Promise<string> {
  const step = progress.step('sandbox', 'stands in for Stripe, DocuSign and mail')
  const settings = join(directory, 'sandbox.json')
  writeFileSync(settings, JSON.stringify(sandboxSettings(ports.api, secrets)), { mode: 0o600 })
  await supervisor.start({
    name: 'sandbox',
    cwd: root,
    command: join(root, 'sandbox', 'main.ts'),
    args: [
      ...['--http-port', String(ports.sandbox)],
      ...['--tls-port', String(ports.sandboxTls)],
      ...['--smtp-port', String(ports.smtp)],
      ...['--tls-dir', join(directory, 'tls')],
      ...['--settings', settings],
      ...['--state', join(directory, 'sandbox.journal')],
    ],
    port: ports.sandbox,
    exitWithParent: true,
    ready: { line: /"ready":true/ },
  })
  step.done(`http://127.0.0.1:${ports.sandbox}`)
  return join(directory, 'tls', 'cert.pem')
}

interface Parts {
  database: StackDatabase
  temporal: TemporalServer
  secrets: StackSecrets
  certificate: string
}

/** API and worker; both are up when the API says that everything it needs answers. */
async function startProduct(supervisor: Supervisor, options: StackOptions, parts: Parts) {
  const { ports, root, progress } = options
  const variables = productVariables(
    {
      databaseUrl: parts.database.url,
      temporal: parts.temporal,
      apiPort: ports.api,
      sandboxUrl: `http://127.0.0.1:${ports.sandbox}`,
      sandboxTlsPort: ports.sandboxTls,
      smtpPort: ports.smtp,
      certificate: parts.certificate,
      bundleDir: join(root, '.data', 'bundles'),
    },
    parts.secrets,
  )
  const child = (name: string, file: string): ProcessSpec => ({
    name,
    cwd: root,
    command: join(root, file),
    variables,
    exitWithParent: true,
    graceMs: 40_000,
    ready: { line: /"ready":true/ },
    readyTimeoutMs: 60_000,
  })
  const step = progress.step('API and worker', 'serve requests and run the processes')
  await Promise.all([
    supervisor.start({ ...child('api', 'api/server.ts'), port: ports.api }),
    supervisor.start({
      ...child('worker', 'worker/main.ts'),
      ...(options.workerPreload ? { preload: options.workerPreload } : {}),
    }),
  ])
  await whenReady(`http://127.0.0.1:${ports.api}`)
  step.done(`http://127.0.0.1:${ports.api}`)
}

/** @throws Error with the checks that failed when the API is not ready in time. */
async function whenReady(api: string): Promise<void> {
  let last = 'no answer'
  const ready = await poll(
    async () => {
      try {
        const response = await fetch(`${api}/readyz`, { signal: AbortSignal.timeout(3_000) })
        last = await response.text()
        return response.ok ? true : undefined
      } catch {
        return undefined
      }
    },
    { everyMs: 100, timeoutMs: 30_000 },
  )
  if (!ready) throw new Error(`the API did not become ready: ${last}`)
}

/** Where people find the parts. */
export function urlsOf(
  ports: Pick<Ports, 'api' | 'sandbox'>,
  temporal: Pick<TemporalServer, 'uiUrl'>,
): Stack['urls'] {
  const api = `http://127.0.0.1:${ports.api}`
  const sandbox = `http://127.0.0.1:${ports.sandbox}`
  return {
    api,
    docs: `${api}/docs`,
    sandbox,
    mailbox: `${sandbox}/mailbox`,
    temporal_ui: temporal.uiUrl,
  }
}
