/** The process that hosts workflows and activities. */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import { type Logger, pino } from 'pino'
import { createActivities } from '../activities/index.ts'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { taskQueue } from '../domain/process-names.ts'
import { sealedPayloads } from '../integrations/payload-codec.ts'
import { connectionOptions, temporalClient } from '../integrations/temporal.ts'
import { workflowBundle } from './bundle.ts'
import { activityDependencies } from './dependencies.ts'
import { ensureSchedules } from './schedules.ts'
import { openSealing } from './sealing.ts'

type Log = Logger

/** What we need may start after us: asking is repeated for as long as it takes. */
async function patiently<T>(log: Log, what: string, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      if (attempt % 20 === 0) log.warn({ error }, `${what} does not answer yet`)
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

/** SIGTERM lets running steps finish for 30 seconds; the runtime turns signals into a drain. */
async function run(config: Config, log: Log): Promise<void> {
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      const write = level === 'ERROR' ? log.error : level === 'WARN' ? log.warn : log.info
      write.call(log, meta ?? {}, message)
    }),
    shutdownSignals: ['SIGTERM', 'SIGINT'],
  })
  const onDatabaseError = (error: Error) =>
    log.warn({ error }, 'a connection to the database was lost')
  const { sealing, close: closeKeys } = openSealing(config, onDatabaseError)
  const client = temporalClient(config.temporal, sealing.payloadCodec)
  const [connection, codePath] = await Promise.all([
    patiently(log, 'Temporal', () => NativeConnection.connect(connectionOptions(config.temporal))),
    workflowBundle(config.bundleDir),
    patiently(log, 'the store of data keys', () => sealing.ready()),
  ])
  const { deps, close } = activityDependencies(config, {
    client,
    vault: sealing.vault,
    onDatabaseError,
  })
  const worker = await Worker.create({
    connection,
    namespace: config.temporal.namespace,
    taskQueue,
    workflowBundle: { codePath },
    dataConverter: sealedPayloads(sealing.payloadCodec),
    activities: createActivities(deps),
    maxCachedWorkflows: 400,
    // What a killed worker had cached is offered to others after this time.
    stickyQueueScheduleToStartTimeout: '3 seconds',
    shutdownGraceTime: '30 seconds',
    shutdownForceTime: '45 seconds',
  })
  const running = worker.run()
  await ensureSchedules(client)
  log.info({ namespace: config.temporal.namespace }, 'worker is ready')
  process.stdout.write('{"ready":true}\n')
  await running
  await close()
  await closeKeys()
  await client.connection.close()
  await connection.close()
}

try {
  const config = readConfig()
  const log = pino({ name: 'worker', level: config.logLevel }, pino.destination(2))
  await run(config, log)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : error}\n`)
  process.exitCode = error instanceof ConfigError ? 2 : 1
}
