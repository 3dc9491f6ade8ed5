/** What the tests of the vendors' sides share. */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type Stripe from 'stripe'
import { createDocusign, type Docusign } from '../../integrations/docusign.ts'
import { createStripe } from '../../integrations/stripe-client.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import type { Sandbox } from '../../sandbox/sandbox.ts'
import { accountId, integrationKey, keyPair, secretKey, userId } from '../sandbox/kit.ts'

/** What a call failed with, which must be an error in our words. */
export async function vendorErrorOf(call: Promise<unknown>): Promise<VendorError> {
  try {
    await call
  } catch (error) {
    if (error instanceof VendorError) return error
    throw error
  }
  throw new Error('expected the call to fail')
}

/** The product's client for a vendor at this address. */
export function stripeFor(vendor: { url: string }): Stripe {
  return createStripe({ secretKey, apiBase: vendor.url })
}

/** Settings with which the product reaches the sandbox's DocuSign, or another place behind it. */
export function docusignFor(sandbox: Sandbox, basePath = `${sandbox.url}/restapi`): Docusign {
  // A process of its own is told by NODE_EXTRA_CA_CERTS; this one is running already.
  https.globalAgent.options.ca = readFileSync(sandbox.certificate)
  return createDocusign({
    basePath,
    oauthHost: sandbox.oauthHost,
    integrationKey,
    userId,
    accountId,
    privateKey: keyPair().privateKey,
  })
}

export interface Asked {
  method: string
  path: string
  headers: http.IncomingHttpHeaders
  body: string
}

/** `hang` never answers; `cut` closes the connection instead. */
export type Answer =
  | { status?: number; headers?: Record<string, string>; body: object | string | Buffer }
  | 'hang'
  | 'cut'

export interface ScriptedVendor {
  url: string
  asked: Asked[]
  /** How every request is answered from now on. */
  answer(script: (asked: Asked) => Answer): void
  close(): Promise<void>
}

/** A vendor that says what the sandbox never would. */
export async function startScriptedVendor(): Promise<ScriptedVendor> {
  const asked: Asked[] = []
  let script: (asked: Asked) => Answer = () => ({ status: 404, body: {} })
  const server = http.createServer((request, reply) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const one = { method, path: url, headers, body: Buffer.concat(chunks).toString('utf8') }
      asked.push(one)
      send(reply, script(one))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer(next) {
      script = next
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function send(reply: http.ServerResponse, answer: Answer): void {
  if (answer === 'hang') return
  if (answer === 'cut') {
    reply.socket?.destroy()
    return
  }
  const { status = 200, headers = {}, body } = answer
  const plain = typeof body === 'string' || Buffer.isBuffer(body)
  reply.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  reply.end(plain ? body : JSON.stringify(body))
}
