/** The HTTP server around the application: its limits, what it says to noise, and how it ends. */
import { randomUUID } from 'node:crypto'
import {
  createServer,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { DomainError, type ErrorCode } from '../domain/errors.ts'
import { problemOf } from './errors.ts'

const limits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  /** Longer than balancers keep theirs, so that it is not us who close under a request. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1_000,
  // The application refuses a missing host, as a problem document.
  requireHostHeader: false,
}

/** How many Node lets wait for being accepted, at most: it accepts one in a turn of its loop. */
const backlog = 511

/** Lets the event loop turn until nothing was counted in a turn, with a look at every socket. */
async function untilStill(count: () => number): Promise<void> {
  for (let before = -1; before !== count(); ) {
    before = count()
    await setImmediate()
    await setImmediate()
  }
}

export interface ApiServer {
  server: Server
  /**
   * Takes no new connection and finishes what is in flight; resolves when the last connection is
   * gone. Each connection ends with its next answer, which may be that of a request that was on
   * its way: those that stay silent are closed a moment later, and all of them in the end.
   */
  drain(): Promise<void>
}

export function createApiServer(
  handle: RequestListener,
  options: { docsUrl: string; drainMs?: number; silenceMs?: number },
): ApiServer {
  const { docsUrl, drainMs = 10_000, silenceMs = 500 } = options
  const answers = new Set<ServerResponse>()
  const sockets = new Set<Socket>()
  let draining = false
  let asked = 0
  let connected = 0

  const server = createServer(limits, (request, response) => {
    asked += 1
    answers.add(response)
    response.once('close', () => answers.delete(response))
    if (draining) response.setHeader('Connection', 'close')
    if (draining && request.url?.split('?')[0] === '/readyz') answerNotReady(response)
    else handle(request, response)
  })
  server.on('connection', (socket: Socket) => {
    connected += 1
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const begun = [...answers].some((answer) => answer.socket === socket && answer.headersSent)
    if (begun || !socket.writable || error.code === 'ECONNRESET') socket.destroy()
    else socket.end(answerToNoise(error.code, docsUrl))
  })

  /** Accepts those who have connected and still wait in the backlog: closing would reset them. */
  async function acceptAll(): Promise<void> {
    const most = connected + backlog
    await untilStill(() => Math.min(connected, most))
  }

  /** Looks into all sockets first: requests may have come to lie there while the loop worked. */
  async function closeSilent(): Promise<void> {
    await untilStill(() => asked)
    server.closeIdleConnections()
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  }

  async function drain(): Promise<void> {
    await acceptAll()
    draining = true
    for (const answer of answers) {
      if (!answer.headersSent) answer.setHeader('Connection', 'close')
    }
    return new Promise((resolve) => {
      const silent = setInterval(closeSilent, silenceMs)
      const late = setTimeout(() => server.closeAllConnections(), drainMs)
      // The server's own close() would cut idle connections at once, under requests on their way.
      NetServer.prototype.close.call(server, () => {
        clearInterval(silent)
        clearTimeout(late)
        resolve()
      })
    })
  }

  return { server, drain }
}

const plainHeaders = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  Vary: 'Authorization',
}

function answerNotReady(response: ServerResponse): void {
  response.writeHead(503, {
    ...plainHeaders,
    'Content-Type': 'application/json; charset=utf-8',
    'Request-Id': randomUUID(),
  })
  response.end(JSON.stringify({ ready: false, checks: { accepting: 'failed' } }))
}

const noise: Record<string, [ErrorCode, string]> = {
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'the headers are larger than 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'the request did not arrive in time'],
}

/** The answer to bytes that are no request, for which there is no application. */
function answerToNoise(code: string | undefined, docsUrl: string): string {
  const [refusal, message] = noise[code ?? ''] ?? ['malformed_request', 'this is no HTTP request']
  const requestId = randomUUID()
  const { status, document } = problemOf(new DomainError(refusal, message), requestId, docsUrl)
  const body = JSON.stringify(document)
  const headers = {
    ...plainHeaders,
    Connection: 'close',
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
    'Request-Id': requestId,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}
