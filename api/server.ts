/** The process that serves the API. */
import type { AddressInfo } from 'node:net'
import { type Logger, pino } from 'pino'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { dataKeyStore } from '../db/data-keys.ts'
import { processRoles } from '../db/roles.ts'
import { openTenancy, type TenantContext } from '../db/tenancy.ts'
import type { Vault } from '../integrations/envelope.ts'
import { createLinks } from '../integrations/links.ts'
import { createOidc } from '../integrations/oidc.ts'
import { createSealing } from '../integrations/sealing.ts'
import { createStripe } from '../integrations/stripe-client.ts'
import { processStarter, temporalClient } from '../integrations/temporal.ts'
import { createApp } from './app.ts'
import { createApiServer } from './drain.ts'
import { openStreams } from './event-streams.ts'

const keyContext: TenantContext = {
  level: 'super_admin',
  partnerId: null,
  customerId: null,
  actor: 'system:keys',
  onBehalfOf: null,
  requestId: null,
  action: 'data keys',
}

function start(config: Config, log: Logger): void {
  const open = (applicationName: string, more: { poolSize?: number; vault?: Vault }) =>
    openTenancy({
      ...config.database,
      applicationName,
      role: processRoles.api,
      onError: (error) => log.warn({ error }, 'a connection to the database was lost'),
      ...more,
    })
  // Keys have a connection of their own: who waits for one within a transaction holds another.
  const keys = open('tributary-api-keys', { poolSize: 1 })
  const sealing = createSealing({
    keyEncryption: config.keyEncryption,
    store: dataKeyStore(keys.dbFor(keyContext)),
    temporal: config.temporal,
  })
  const tenancy = open('tributary-api', { vault: sealing.vault })
  const temporal = temporalClient(config.temporal, sealing.payloadCodec)
  const streams = openStreams(log)
  const app = createApp({
    streams,
    tenancy,
    temporal,
    processes: processStarter(temporal),
    links: createLinks(config.api),
    ...(config.oidc
      ? { oidc: createOidc({ ...config.oidc, publicUrl: config.api.publicUrl }) }
      : {}),
    stripe: createStripe(config.stripe),
    log,
    settings: {
      publicUrl: config.api.publicUrl,
      keyMode: config.sandbox ? 'test' : 'live',
      linkSecret: config.api.linkSecret,
      applicationsPerMinute: config.api.applicationsPerMinute,
      applicationsPerMailbox: config.api.applicationsPerMailbox,
      quotas: config.api.quotas,
      stripeWebhookSecrets: config.stripe.webhookSecrets,
      stripeThinWebhookSecrets: config.stripe.thinWebhookSecrets,
      docusignWebhookSecrets: config.docusign.webhookSecrets,
      checkAnswers: false,
    },
  })
  const { server, drain } = createApiServer(app.callback(), {
    docsUrl: `${config.api.publicUrl}/docs/errors`,
  })
  server.listen(config.api.port, config.api.host, () => {
    const { port } = server.address() as AddressInfo
    log.info({ port }, 'API is listening')
    process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`)
  })

  /** Streams would never finish; requests in flight do, and the pool goes last. */
  const end = () => {
    log.info({}, 'API is draining')
    streams.close()
    drain()
      .then(() => Promise.all([tenancy.close(), keys.close(), temporal.connection.close()]))
      .catch((error) => log.warn({ error }, 'closing failed'))
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}

try {
  const config = readConfig()
  start(config, pino({ name: 'api', level: config.logLevel }, pino.destination(2)))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = error instanceof ConfigError ? 2 : 1
}
