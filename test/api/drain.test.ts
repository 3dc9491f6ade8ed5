/** The API as a process of its own: how it ends, and what it says to those who speak no HTTP. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUIDv7 } from 'node:crypto'
import { Agent, get, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createApiServer } from '../../api/drain.ts'
import { inTransaction } from '../../db/database.ts'
import { getProgramme } from '../../db/programmes.ts'
import { recordRun } from '../../db/settlement/runs.ts'
import { outwardId } from '../../domain/ids.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import { type Product, startProduct } from '../support/product.ts'
import { compiled } from '../support/suite.ts'
import { until } from '../support/until.ts'

let product: Product
beforeAll(async () => {
  product = await startProduct()
})
afterAll(() => product.stop())

interface Served {
  child: ChildProcess
  port: number
  /** Resolves with the exit code. */
  ended: Promise<number | null>
}

const children = new Set<ChildProcess>()
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
})

async function serve(): Promise<Served> {
  const port = await freePort()
  const child = spawn(
    process.execPath,
    ['--import', './scripts/launch/exit-with-parent.ts', 'api/server.ts'],
    {
      cwd: join(import.meta.dirname, '..', '..'),
      env: { ...compiled, ...product.variables, API_PORT: String(port) },
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  )
  children.add(child)
  const ended = new Promise<number | null>((resolve) =>
    child.once('exit', (code) => {
      children.delete(child)
      resolve(code)
    }),
  )
  await new Promise((resolve) => child.stdout?.once('data', resolve))
  return { child, port, ended }
}

/** Of whoever waits for an end that is certain to come. */
const patienceMs = 90_000

const within = <T>(promise: Promise<T>, ms: number) =>
  Promise.race([promise, pause(ms, 'late' as const, { ref: false })])

interface Seen {
  status: number
  connection: string
}

function ask(port: number, path: string, agent: Agent): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const request = get({ port, path, agent, host: '127.0.0.1' }, (response: IncomingMessage) => {
      response.resume()
      response.once('error', reject)
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          connection: String(response.headers.connection),
        }),
      )
    })
    request.once('error', reject)
  })
}

/** What a socket hears until it is closed, or until it has been silent for a moment. */
async function heard(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (data) => {
    text += data.toString()
  })
  await new Promise((resolve) => socket.once('close', resolve))
  return text
}

const openSocket = (port: number) =>
  new Promise<Socket>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.once('error', reject)
  })

describe('an API that is told to end', () => {
  it('answers every request that had reached it, and ends', async () => {
    const { child, port, ended } = await serve()
    const agent = new Agent({ keepAlive: true, maxSockets: 40 })
    const failed: string[] = []
    let answered = 0
    let closing = 0
    let told = false
    const caller = async () => {
      for (;;) {
        try {
          const { status, connection } = await ask(port, '/healthz', agent)
          if (status !== 200) failed.push(String(status))
          answered += 1
          if (connection === 'close') closing += 1
        } catch (error) {
          const { code = '' } = error as NodeJS.ErrnoException
          // Who finds nobody there has not been let in; all others were.
          if (code !== 'ECONNREFUSED' || !told) failed.push(code)
          return
        }
      }
    }
    const callers = Array.from({ length: 40 }, caller)
    while (answered <= 500 && failed.length === 0) await pause(20)
    told = true
    child.kill('SIGTERM')
    await Promise.all(callers)
    expect(failed).toEqual([])
    expect(answered).toBeGreaterThan(500)
    expect(closing).toBeGreaterThan(0)
    expect(await within(ended, patienceMs)).toBe(0)
    agent.destroy()
  })

  it('answers those who connected while it had no time for them', async () => {
    const { child, port, ended } = await serve()
    child.kill('SIGSTOP')
    const sockets = await Promise.all(Array.from({ length: 40 }, () => openSocket(port)))
    const answers = sockets.map(heard)
    for (const socket of sockets) socket.write('GET /healthz HTTP/1.1\r\nHost: api\r\n\r\n')
    child.kill('SIGTERM')
    child.kill('SIGCONT')
    const heads = (await Promise.all(answers)).map((answer) => answer.slice(0, 15))
    expect(heads).toEqual(sockets.map(() => 'HTTP/1.1 200 OK'))
    expect(await within(ended, patienceMs)).toBe(0)
  })

  it('takes no connection any more, and says on the open ones that it is not ready', async () => {
    const { child, port, ended } = await serve()
    const slow = await openSocket(port)
    const probe = await openSocket(port)
    const [slowText, probeText] = [heard(slow), heard(probe)]
    slow.write('POST /v1/customers HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n')
    const probed = new Promise((resolve) => probe.once('data', resolve))
    probe.write('GET /healthz HTTP/1.1\r\nHost: api\r\n\r\n')
    await probed
    await pause(200)
    child.kill('SIGTERM')
    await until(() =>
      openSocket(port).then(
        (socket) => {
          socket.destroy()
          return false
        },
        ({ code }) => code === 'ECONNREFUSED',
      ),
    )
    probe.write('GET /readyz HTTP/1.1\r\nHost: api\r\n\r\n')
    expect(await probeText).toMatch(/HTTP\/1\.1 503 [\s\S]*Connection: close[\s\S]*"ready":false/)
    // The rest of a request that had begun is still waited for.
    slow.write('Content-Length: 2\r\n\r\n{}')
    expect(await slowText).toMatch(/^HTTP\/1\.1 401 [\s\S]*Connection: close/)
    expect(await within(ended, patienceMs)).toBe(0)
  })

  it('ends the streams of those who watch, and tells them to come back', async () => {
    const { child, port, ended } = await serve()
    const { id: programmeId } = await getProgramme(product.db)
    const run = { id: randomUUIDv7(), programmeId, mode: 'live' as const, requestedBy: null }
    await inTransaction(product.db, (trx) => recordRun(trx, { ...run, period: '2026-01' }))
    const path = `/v1/settlement-runs/${outwardId('settlementRun', run.id)}/events`
    const socket = await openSocket(port)
    const text = heard(socket)
    socket.write(`GET ${path} HTTP/1.1\r\nHost: api\r\n`)
    socket.write(`Authorization: Bearer ${product.owner}\r\n\r\n`)
    await new Promise((resolve) => socket.once('data', resolve))
    child.kill('SIGTERM')
    expect(await text).toMatch(/ 200 OK[\s\S]*event: progress[\s\S]*{"reason":"draining"}/)
    expect(await within(ended, patienceMs)).toBe(0)
  })
})

/** The same server within this process, with less patience. */
async function serveHere(drainMs = patienceMs) {
  const { server, drain } = createApiServer((_request, response) => response.end('ok'), {
    docsUrl: 'https://api.example/docs/errors',
    drainMs,
    silenceMs: 50,
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return { port: (server.address() as AddressInfo).port, drain }
}

describe('a server that drains', () => {
  it('does not wait for those who say nothing', async () => {
    const { port, drain } = await serveHere()
    const [mute, idle] = [await openSocket(port), await openSocket(port)]
    const [muteText, idleText] = [heard(mute), heard(idle)]
    idle.write('GET / HTTP/1.1\r\nHost: api\r\n\r\n')
    await new Promise((resolve) => idle.once('data', resolve))
    expect(await within(drain(), patienceMs / 2)).toBeUndefined()
    expect([await muteText, (await idleText).slice(0, 15)]).toEqual(['', 'HTTP/1.1 200 OK'])
  })

  it('ends in the end, whoever still has not finished', async () => {
    const { port, drain } = await serveHere(1_000)
    const slow = await openSocket(port)
    const text = heard(slow)
    slow.write('POST / HTTP/1.1\r\nHost: api\r\nContent-Le')
    await pause(100)
    const drained = drain()
    expect(await within(drained, 500)).toBe('late')
    expect(await within(drained, patienceMs)).toBeUndefined()
    expect(await text).toBe('')
  })
})

describe('bytes that are no request', () => {
  it.each([
    ['noise', 'hello\r\n\r\n', 400, 'malformed_request'],
    ['headers without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, 431, 'headers_too_large'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'malformed_request',
    ],
  ])('are answered with a problem: %s', async (_what, bytes, status, code) => {
    const { port, drain } = await serveHere()
    const socket = await openSocket(port)
    const text = heard(socket)
    socket.write(bytes)
    const [head = '', body = '{}'] = (await text).split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(head).toMatch(/content-type: application\/problem\+json/i)
    expect(JSON.parse(body)).toMatchObject({ status, code, request_id: expect.any(String) })
    await drain()
  })
})
