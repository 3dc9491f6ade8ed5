import http from 'node:http'
import https from 'node:https'
import Koa, { type Context, type Next } from 'koa'
import { startAutopilot } from './autopilot.ts'
import { certificateIn } from './certificate.ts'
import { createClock } from './clock.ts'
import { createActions } from './control/actions.ts'
import { controlRouter } from './control/app.ts'
import { startDeliveries } from './deliveries.ts'
import type { Deps } from './deps.ts'
import { startDns } from './dns.ts'
import { docusignRouter } from './docusign/app.ts'
import { oauthRouter } from './docusign/oauth.ts'
import { createPolling } from './docusign/polling.ts'
import { certificateByName } from './edge.ts'
import { createFaults } from './faults.ts'
import { closeServer, HttpProblem, listen, onlyFromHere } from './http.ts'
import { openMailbox } from './mailbox.ts'
import { readEndpoints, refuseLiveKeys, type SandboxOptions } from './options.ts'
import { pagesRouter } from './pages/app.ts'
import { openStore } from './store.ts'
import { stripeRouter } from './stripe/app.ts'
import { startTimers } from './timers.ts'
import { watchmanRouter } from './watchman/app.ts'

const graceMs = 5000

/** As long as vendors keep idle connections, and longer than their callers do. */
const keepAliveTimeout = 65_000

export interface Sandbox {
  httpPort: number
  tlsPort: number
  smtpPort: number
  /** Stripe, DocuSign REST, control plane and pages. */
  url: string
  /** The host and port of DocuSign's OAuth, which its SDK always reaches over TLS. */
  oauthHost: string
  certificate: string
  close(): Promise<void>
}

export interface StartOptions extends SandboxOptions {
  /** Where problems of the sandbox itself are told. */
  note?: (message: string) => void
}

export async function startSandbox(options: StartOptions): Promise<Sandbox> {
  refuseLiveKeys(options.settings)
  const note = options.note ?? ((message) => void process.stderr.write(`sandbox: ${message}\n`))
  const store = openStore(options.state)
  let url = ''
  const deps: Deps = {
    store,
    clock: createClock(store),
    faults: createFaults(options.seed),
    ...options.settings,
    url: () => url,
    note,
  }
  const endpoints = readEndpoints(deps.stripe.endpoints)
  // Endpoints that a control has set stay over a restart, unless the settings name some again.
  if (endpoints.length > 0) {
    store.write('settings', (tx) => tx.put('settings', { id: 'stripe_endpoints', endpoints }))
  }
  const certificate = await certificateIn(options.tlsDir)
  const polling = createPolling()
  const queue = startDeliveries(deps)
  const timers = startTimers(deps)
  const actions = createActions(deps)
  const autopilot = startAutopilot(deps, actions)
  const parts = { deps, queue, polling, actions, certificate }

  const web = createApp(note)
  web.use(stripeRouter(deps).routes())
  web.use(docusignRouter({ deps, polling }).routes())
  web.use(watchmanRouter(deps).routes())
  web.use(onlyFromHere)
  web.use(controlRouter(parts).routes())
  web.use(pagesRouter(parts).routes())
  const httpServer = http.createServer({ keepAliveTimeout }, web.callback())
  const httpPort = await listen(httpServer, options.host, options.httpPort)
  url = `http://127.0.0.1:${httpPort}`
  const dns = await startDns(store, { host: options.host, port: httpPort, note })

  const oauth = createApp(note)
  oauth.use(oauthRouter(deps).routes())
  const SNICallback = certificateByName(store, certificate)
  const tlsServer = https.createServer(
    { ...certificate, SNICallback, keepAliveTimeout },
    oauth.callback(),
  )
  const tlsPort = await listen(tlsServer, options.host, options.tlsPort)
  const mailbox = await openMailbox(deps, options.host, options.smtpPort)

  return {
    httpPort,
    tlsPort,
    smtpPort: mailbox.port,
    url,
    oauthHost: `localhost:${tlsPort}`,
    certificate: certificate.file,
    async close() {
      timers.close()
      autopilot.close()
      await Promise.all([
        closeServer(httpServer, graceMs),
        closeServer(tlsServer, graceMs),
        mailbox.close(),
        dns.close(),
      ])
      await queue.close()
      store.close()
    },
  }
}

function createApp(note: (message: string) => void): Koa {
  const app = new Koa()
  app.on('error', (error: Error & { code?: string }) => {
    // A caller that hangs up is no problem of ours.
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') note(error.stack ?? error.message)
  })
  app.use(async (ctx: Context, next: Next) => {
    try {
      await next()
    } catch (error) {
      const known = error instanceof HttpProblem
      if (!known) note(error instanceof Error ? (error.stack ?? error.message) : String(error))
      ctx.status = known ? error.status : 500
      ctx.body = { error: { message: known ? error.message : 'the sandbox failed; see its log' } }
    }
  })
  return app
}
