/** Stands between the product and its vendors, and writes down what they say to each other. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Exchange {
  method: string
  path: string
  query: URLSearchParams
  request: { headers: http.IncomingHttpHeaders; body: Buffer }
  response: { status: number; headers: http.IncomingHttpHeaders; body: Buffer }
}

export interface Recorder {
  exchanges: Exchange[]
  /** Opens before a vendor. @returns the address that the product is told instead. */
  before(vendorUrl: string): Promise<string>
  close(): Promise<void>
}

export function createRecorder(): Recorder {
  const exchanges: Exchange[] = []
  const servers: http.Server[] = []
  return {
    exchanges,
    async before(vendorUrl) {
      const server = http.createServer((request, reply) => {
        pass(vendorUrl, request, reply).then(
          (exchange) => exchanges.push(exchange),
          () => reply.destroy(),
        )
      })
      servers.push(server)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
    async close() {
      for (const server of servers) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
    },
  }
}

async function bytesOf(stream: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function pass(
  vendorUrl: string,
  request: http.IncomingMessage,
  reply: http.ServerResponse,
): Promise<Exchange> {
  const { method = 'GET', url = '/', headers } = request
  const body = await bytesOf(request)
  const answered = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const onward = http.request(`${vendorUrl}${url}`, { method, headers }, resolve)
    onward.once('error', reject)
    onward.end(body)
  })
  const answer = await bytesOf(answered)
  const status = answered.statusCode ?? 0
  reply.writeHead(status, answered.headers)
  reply.end(answer)
  const { pathname, searchParams } = new URL(url, vendorUrl)
  return {
    method,
    path: pathname,
    query: searchParams,
    request: { headers, body },
    response: { status, headers: answered.headers, body: answer },
  }
}
