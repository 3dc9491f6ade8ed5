import type { Server } from 'node:http'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Context, Next } from 'koa'

export class HttpProblem extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export async function readBody(ctx: Context, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of ctx.req as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limitBytes) throw new HttpProblem(413, `the body is over ${limitBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.removeListener('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** Lets running requests end, and cuts what is still open after the grace time. */
export function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}

/**
 * Pages and controls have no login, so a web page elsewhere must not be able to use them: the
 * host must be this machine's own name (no DNS rebinding), and a form must come from here.
 */
export async function onlyFromHere(ctx: Context, next: Next): Promise<void> {
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(ctx.hostname)) {
    throw new HttpProblem(403, `the host is "${ctx.hostname}", expected 127.0.0.1 or localhost`)
  }
  if (ctx.method !== 'GET' && ctx.get('Sec-Fetch-Site') === 'cross-site') {
    throw new HttpProblem(403, 'this request was sent by a page of another site')
  }
  await next()
}

export interface Post {
  url: string
  headers: Record<string, string>
  body: string
  timeoutMs: number
}

export interface Poster {
  send(post: Post): Promise<number>
  close(): void
}

/** Answers the status of the reply; a connection that fails rejects. */
export function createPoster(): Poster {
  const agents = {
    'http:': new http.Agent({ keepAlive: true, maxSockets: 16 }),
    'https:': new https.Agent({ keepAlive: true, maxSockets: 16 }),
  }
  const send = ({ url, headers, body, timeoutMs }: Post): Promise<number> =>
    new Promise((resolve, reject) => {
      const { protocol } = new URL(url)
      const secure = protocol === 'https:'
      const request = (secure ? https : http).request(
        url,
        {
          method: 'POST',
          agent: agents[secure ? 'https:' : 'http:'],
          headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
          signal: AbortSignal.timeout(timeoutMs),
        },
        (reply) => {
          reply.on('error', reject)
          reply.on('end', () => resolve(reply.statusCode ?? 0))
          reply.resume()
        },
      )
      request.on('error', reject)
      request.end(body)
    })
  return {
    send,
    close() {
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}
