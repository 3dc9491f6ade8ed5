/** The process that serves the API. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Logger, pino } from 'pino'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { openDatabase } from '../db/database.ts'
import { appRole } from '../db/grants.ts'
import { createLinks } from '../integrations/links.ts'
import { createStripe } from '../integrations/stripe-client.ts'
import { processStarter, temporalClient } from '../integrations/temporal.ts'
import { createApp } from './app.ts'

const drainMs = 10_000

function start(config: Config, log: Logger): void {
  const database = openDatabase({
    ...config.database,
    applicationName: 'tributary-api',
    role: appRole,
    onError: (error) => log.warn({ error }, 'a connection to the database was lost'),
  })
  const temporal = temporalClient(config.temporal)
  const app = createApp({
    db: database.db,
    temporal,
    processes: processStarter(temporal),
    links: createLinks(config.api),
    stripe: createStripe(config.stripe),
    log,
    settings: {
      publicUrl: config.api.publicUrl,
      keyMode: config.sandbox ? 'test' : 'live',
      linkSecret: config.api.linkSecret,
      applicationsPerMinute: config.api.applicationsPerMinute,
      stripeWebhookSecrets: config.stripe.webhookSecrets,
      stripeThinWebhookSecrets: config.stripe.thinWebhookSecrets,
      docusignWebhookSecrets: config.docusign.webhookSecrets,
      checkAnswers: false,
    },
  })
  const server = createServer(app.callback())
  server.listen(config.api.port, config.api.host, () => {
    const { port } = server.address() as AddressInfo
    log.info({ port }, 'API is listening')
    process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`)
  })

  /** Requests in flight finish; what idles is closed; the pool goes last. */
  const drain = () => {
    log.info({}, 'API is draining')
    const late = setTimeout(() => server.closeAllConnections(), drainMs)
    server.close(() => {
      clearTimeout(late)
      Promise.all([database.close(), temporal.connection.close()]).catch((error) =>
        log.warn({ error }, 'closing failed'),
      )
    })
    server.closeIdleConnections()
  }
  process.once('SIGTERM', drain)
  process.once('SIGINT', drain)
}

try {
  const config = readConfig()
  start(config, pino({ name: 'api', level: config.logLevel }, pino.destination(2)))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = error instanceof ConfigError ? 2 : 1
}
