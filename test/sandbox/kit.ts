import { generateKeyPairSync, type KeyPairSyncResult } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import docusign from 'docusign-esign'
import Stripe from 'stripe'
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts'

export const secretKey = 'sk_test_51SandboxSandboxSandbox'
export const webhookSecret = 'whsec_snapshot'
export const thinSecret = 'whsec_thin'
export const hmacKeys = ['first-key', 'second-key']
export const integrationKey = '11111111-1111-4111-8111-111111111111'
export const userId = '22222222-2222-4222-8222-222222222222'
export const accountId = '33333333-3333-4333-8333-333333333333'

let pair: KeyPairSyncResult<string, string> | null = null

export function keyPair(): KeyPairSyncResult<string, string> {
  pair ??= generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  return pair
}

export interface Kit {
  sandbox: Sandbox
  stripe: Stripe
  folder: string
  get(path: string): Promise<Reply>
  post(path: string, body?: object): Promise<Reply>
  list(name: string): Promise<Record<string, unknown>[]>
  stop(): Promise<void>
}

export interface Reply {
  status: number
  body: Record<string, unknown>
}

export interface Endpoint {
  url: string
  secret: string
  payload: 'snapshot' | 'thin'
}

interface Wishes {
  endpoints?: Endpoint[]
  folder?: string
  seed?: number
}

export async function startKit(wishes: Wishes = {}): Promise<Kit> {
  const folder = wishes.folder ?? mkdtempSync(join(tmpdir(), 'sandbox-'))
  const sandbox = await startSandbox({
    httpPort: 0,
    tlsPort: 0,
    smtpPort: 0,
    tlsDir: join(folder, 'tls'),
    state: join(folder, 'state.jsonl'),
    host: '127.0.0.1',
    seed: wishes.seed ?? 1,
    settings: settingsOf(wishes.endpoints),
  })
  const call = async (path: string, init: RequestInit): Promise<Reply> => {
    const reply = await fetch(`${sandbox.url}/_sandbox${path}`, init)
    return { status: reply.status, body: (await reply.json()) as Record<string, unknown> }
  }
  return {
    sandbox,
    folder,
    stripe: stripeAt(sandbox),
    get: (path) => call(path, {}),
    post: (path, body = {}) =>
      call(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    async list(name) {
      const { body } = await call(`/${name}`, {})
      return body.data as Record<string, unknown>[]
    },
    async stop() {
      await sandbox.close()
      if (wishes.folder === undefined) rmSync(folder, { recursive: true })
    },
  }
}

export function settingsOf(endpoints: Endpoint[] = []) {
  return {
    stripe: { secret_key: secretKey, endpoints },
    docusign: {
      integration_key: integrationKey,
      user_id: userId,
      account_id: accountId,
      public_key_pem: keyPair().publicKey,
      hmac_keys: hmacKeys,
    },
  }
}

export function stripeAt({ httpPort }: { httpPort: number }, key = secretKey): Stripe {
  return new Stripe(key, {
    host: '127.0.0.1',
    port: httpPort,
    protocol: 'http',
    telemetry: false,
    maxNetworkRetries: 0,
  })
}

export interface Received {
  path: string
  headers: http.IncomingHttpHeaders
  body: string
}

export interface Receiver {
  url: string
  received: Received[]
  /** The status that is answered from now on. */
  answer(status: number): void
  /** Waits until that many webhooks that fit have come. */
  wait(fits: (one: Received) => boolean, count?: number): Promise<Received[]>
  close(): Promise<void>
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = []
  let status = 200
  const server = http.createServer((request, reply) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8')
      received.push({ path: request.url ?? '', headers: request.headers, body })
      reply.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer(next) {
      status = next
    },
    async wait(fits, count = 1) {
      await until(() => received.filter(fits).length >= count)
      return received.filter(fits)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export async function until(holds: () => boolean | Promise<boolean>, ms = 90_000): Promise<void> {
  const end = Date.now() + ms
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('what the test waited for did not happen')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export function endpointsAt(url: string): Endpoint[] {
  return [
    { url: `${url}/snapshot`, secret: webhookSecret, payload: 'snapshot' },
    { url: `${url}/thin`, secret: thinSecret, payload: 'thin' },
  ]
}

/** The SDK's OAuth goes through the global agent, which must trust the sandbox's certificate. */
export function docusignAt(sandbox: Sandbox): docusign.ApiClient {
  https.globalAgent.options.ca = readFileSync(sandbox.certificate)
  const client = new docusign.ApiClient()
  client.setBasePath(`${sandbox.url}/restapi`)
  client.setOAuthBasePath(sandbox.oauthHost)
  return client
}

/** A price of 49.99 a month, and a customer with a subscription to it. */
export async function subscribe(stripe: Stripe, metadata: Record<string, string> = {}) {
  const customer = await stripe.customers.create({ name: 'Ada', email: 'ada@example.test' })
  const price = await stripe.prices.create({
    currency: 'usd',
    unit_amount: 4999,
    recurring: { interval: 'month' },
    product_data: { name: 'Professional' },
  })
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    payment_behavior: 'default_incomplete',
    billing_mode: { type: 'flexible' },
    metadata,
    expand: ['latest_invoice.payments'],
  })
  const invoice = subscription.latest_invoice as Stripe.Invoice
  return { customer, price, subscription, invoice }
}

/** A recipient that may receive transfers. */
export async function recipient(kit: Kit, application = 'app_1'): Promise<string> {
  const account = await kit.stripe.v2.core.accounts.create({
    contact_email: 'partner@example.test',
    display_name: 'Partner',
    dashboard: 'express',
    configuration: {
      recipient: { capabilities: { stripe_balance: { stripe_transfers: { requested: true } } } },
    },
    defaults: {
      responsibilities: { fees_collector: 'application', losses_collector: 'application' },
    },
    identity: { country: 'us', entity_type: 'company' },
    metadata: { application },
  })
  await kit.post(`/accounts/${account.id}/kyc`, { result: 'pass' })
  return account.id
}

/** Whatever a call throws. */
export async function problemOf(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  try {
    await call
  } catch (error) {
    return error as Stripe.errors.StripeError
  }
  throw new Error('expected the call to fail')
}
