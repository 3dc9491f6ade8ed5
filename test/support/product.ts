/** The product for one test file: API and sandbox in this process, a worker where one is wanted. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@temporalio/client'
import type { PayloadCodec } from '@temporalio/common'
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker'
import { type Activities, createActivities } from '../../activities/index.ts'
import { createApp } from '../../api/app.ts'
import { openStreams } from '../../api/event-streams.ts'
import { type Config, readConfig } from '../../config.ts'
import { processLogin, storeContextKey, storeLogin } from '../../db/context-keys.ts'
import type { Db } from '../../db/database.ts'
import { guardTables } from '../../db/grants.ts'
import type { NewProgramme } from '../../db/programmes.ts'
import { processRoles } from '../../db/roles.ts'
import { openTenancy, type Tenancy } from '../../db/tenancy.ts'
import { taskQueue } from '../../domain/process-names.ts'
import { createLinks } from '../../integrations/links.ts'
import { sealedPayloads } from '../../integrations/payload-codec.ts'
import type { Sealing } from '../../integrations/sealing.ts'
import { createStripe } from '../../integrations/stripe-client.ts'
import { processStarter, temporalClient } from '../../integrations/temporal.ts'
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import { stackSecrets } from '../../scripts/stack/secrets.ts'
import { productVariables, sandboxSettings } from '../../scripts/stack/variables.ts'
import { keksIn } from '../../scripts/stack/vault.ts'
import { createStory, type Story } from '../../scripts/story/client.ts'
import { activityDependencies } from '../../worker/dependencies.ts'
import { openSealing } from '../../worker/sealing.ts'
import { createTestDatabase } from './database.ts'
import { makeKey, makeProgramme } from './factories.ts'
import { suiteFacts, takeNamespace } from './suite.ts'

export interface Product {
  /** As the owner of the tables: to set up and to look. */
  db: Db
  /** As the API has it. */
  tenancy: Tenancy
  sealing: Sealing
  databaseUrl: string
  config: Config
  /** The environment from which a child process would read the same settings. */
  variables: Record<string, string>
  api: string
  sandbox: Sandbox
  story: Story
  temporal: Client
  /** Keys of two people of the platform owner. */
  owner: string
  second: string
  startWorker(wishes?: WorkerWishes): Promise<TestWorker>
  stop(): Promise<void>
}

export interface WorkerWishes {
  /** Puts something around every step, like deaths. */
  around?: (steps: Activities) => Activities
}

export interface TestWorker {
  stop(): Promise<void>
}

const silentLog = { info() {}, warn() {}, error() {} }

export interface ProductWishes {
  /** Where the product finds its vendors, given where the sandbox is; left out: there. */
  vendorsAt?: (sandboxUrl: string) => Promise<string>
  /** The engine stores payloads as they are, so that a test can read what processes say. */
  plainPayloads?: boolean
  /** What the programme has otherwise than that of the demo. */
  programme?: Partial<NewProgramme>
}

const plainCodec: PayloadCodec = {
  encode: async (payloads) => payloads,
  decode: async (payloads) => payloads,
}

export async function startProduct(wishes: ProductWishes = {}): Promise<Product> {
  const { vendorsAt, plainPayloads = false, programme } = wishes
  const folder = mkdtempSync(join(tmpdir(), 'tributary-product-'))
  const secrets = stackSecrets(folder)
  const database = await createTestDatabase(8, keksIn(folder))
  const { temporalAddress, bundle } = suiteFacts()
  const apiPort = await freePort()
  const settingsFile = join(folder, 'sandbox.json')
  writeFileSync(settingsFile, JSON.stringify(sandboxSettings(apiPort, secrets)))
  const sandbox = await startSandbox({
    httpPort: 0,
    tlsPort: 0,
    smtpPort: 0,
    tlsDir: join(folder, 'tls'),
    state: join(folder, 'sandbox.journal'),
    host: '127.0.0.1',
    seed: 1,
    settings: JSON.parse(readFileSync(settingsFile, 'utf8')),
  })
  // A child process is told by NODE_EXTRA_CA_CERTS; this process is running already.
  https.globalAgent.options.ca = readFileSync(sandbox.certificate)
  const variables = productVariables(
    {
      databaseUrl: database.url,
      temporal: { address: temporalAddress, namespace: takeNamespace() },
      apiPort,
      sandboxUrl: vendorsAt ? await vendorsAt(sandbox.url) : sandbox.url,
      sandboxTlsPort: sandbox.tlsPort,
      smtpPort: sandbox.smtpPort,
      certificate: sandbox.certificate,
      bundleDir: join(import.meta.dirname, '..', '..', '.data', 'bundles'),
    },
    secrets,
  )
  const config = readConfig(variables)
  await guardTables(database.db)
  await storeContextKey(database.db, secrets.contextSecret)
  await storeLogin(database.db, processLogin(secrets.contextSecret))
  await makeProgramme(database.db, programme)
  const { sealing, close: closeKeys } = openSealing(config, () => {})
  const tenancy = openTenancy({
    ...config.database,
    vault: sealing.vault,
    applicationName: 'tributary-test-api',
    role: processRoles.api,
    onError: () => {},
  })
  const payloadCodec = plainPayloads ? plainCodec : sealing.payloadCodec
  const temporal = temporalClient(config.temporal, payloadCodec)
  const server = await serveApi({ config, tenancy, temporal })
  const workers = new Set<TestWorker>()
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    db: database.db,
    tenancy,
    sealing,
    databaseUrl: database.url,
    config,
    variables,
    api,
    sandbox,
    story: createStory({ api, sandbox: sandbox.url }),
    temporal,
    owner: await makeKey(database.db, null),
    second: await makeKey(database.db, null),
    async startWorker({ around = (steps: Activities) => steps } = {}) {
      const worker = await runWorker({ config, temporal, sealing, payloadCodec, bundle, around })
      workers.add(worker)
      return worker
    },
    async stop() {
      await Promise.all([...workers].map((worker) => worker.stop()))
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await sandbox.close()
      await temporal.connection.close()
      await closeKeys()
      await tenancy.close()
      await database.drop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** As the API has it: a server that hangs up sooner does so under a request, if it is busy. */
export const keepAliveTimeout = 65_000

async function serveApi(parts: {
  config: Config
  tenancy: Tenancy
  temporal: Client
}): Promise<Server> {
  const { config, tenancy, temporal } = parts
  const app = createApp({
    tenancy,
    temporal,
    processes: processStarter(temporal),
    links: createLinks(config.api),
    stripe: createStripe(config.stripe),
    log: silentLog,
    streams: openStreams(silentLog),
    settings: {
      publicUrl: config.api.publicUrl,
      keyMode: 'test',
      linkSecret: config.api.linkSecret,
      applicationsPerMinute: config.api.applicationsPerMinute,
      applicationsPerMailbox: config.api.applicationsPerMailbox,
      quotas: config.api.quotas,
      stripeWebhookSecrets: config.stripe.webhookSecrets,
      stripeThinWebhookSecrets: config.stripe.thinWebhookSecrets,
      docusignWebhookSecrets: config.docusign.webhookSecrets,
      checkAnswers: true,
    },
  })
  const server = createServer({ keepAliveTimeout }, app.callback())
  await new Promise<void>((resolve) => server.listen(config.api.port, '127.0.0.1', () => resolve()))
  return server
}

let runtimeInstalled = false

/** The native runtime exists once in a process and is quiet in tests. */
export function quietRuntime(): void {
  if (runtimeInstalled) return
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  })
  runtimeInstalled = true
}

async function runWorker(parts: {
  config: Config
  temporal: Client
  sealing: Sealing
  payloadCodec: PayloadCodec
  bundle: string
  around: (steps: Activities) => Activities
}): Promise<TestWorker> {
  quietRuntime()
  const { config, temporal, sealing, payloadCodec, bundle, around } = parts
  const connection = await NativeConnection.connect({ address: config.temporal.address })
  const { deps, close } = activityDependencies(config, {
    client: temporal,
    vault: sealing.vault,
    onDatabaseError: () => {},
  })
  const worker = await Worker.create({
    connection,
    namespace: config.temporal.namespace,
    taskQueue,
    workflowBundle: { codePath: bundle },
    dataConverter: sealedPayloads(payloadCodec),
    activities: around(createActivities(deps)),
    stickyQueueScheduleToStartTimeout: '3 seconds',
    shutdownForceTime: '60 seconds',
  })
  const running = worker.run()
  let stopped: Promise<void> | undefined
  const end = async () => {
    worker.shutdown()
    try {
      await running
    } finally {
      await close()
      await connection.close()
    }
  }
  return {
    stop: () => {
      stopped ??= end()
      return stopped
    },
  }
}
