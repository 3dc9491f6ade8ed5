/** The process that hosts workflows and activities. */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import { type Logger, pino } from 'pino'
import { createActivities } from '../activities/index.ts'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { taskQueue } from '../domain/process-names.ts'
import { connectionOptions, temporalClient } from '../integrations/temporal.ts'
import { workflowBundle } from './bundle.ts'
import { activityDependencies } from './dependencies.ts'
import { ensureSchedules } from './schedules.ts'

type Log = Logger

/** The server may start after us: connecting is repeated for as long as it takes. */
async function connect(config: Config, log: Log): Promise<NativeConnection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await NativeConnection.connect(connectionOptions(config.temporal))
    } catch (error) {
      if (attempt % 20 === 0) log.warn({ error }, 'Temporal does not answer yet')
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
  const client = temporalClient(config.temporal)
  const [connection, codePath] = await Promise.all([
    connect(config, log),
    workflowBundle(config.bundleDir),
  ])
  const { deps, close } = activityDependencies(config, client, (error) =>
    log.warn({ error }, 'a connection to the database was lost'),
  )
  const worker = await Worker.create({
    connection,
    namespace: config.temporal.namespace,
    taskQueue,
    workflowBundle: { codePath },
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
