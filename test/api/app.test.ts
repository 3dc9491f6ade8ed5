import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { sql } from 'kysely'
import { generateKey } from '../../api/keys.ts'
import { processRoles } from '../../db/roles.ts'
import { openTenancy } from '../../db/tenancy.ts'
import {
  createDatabase,
  databaseUrl,
  dropDatabase,
  endSomeSessions,
} from '../../scripts/launch/databases.ts'
import { type Product, startProduct } from '../support/product.ts'
import { suiteFacts } from '../support/suite.ts'
import { until } from '../support/until.ts'
import { type Answer, type Call, clientOf, faults, rows, serveWith } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const refusal = ({ status, body }: Answer) => [status, body.code]
const largest = 1024 * 1024
const json = { 'Content-Type': 'application/json' }

const send = (raw: string | Buffer, headers: Record<string, string> = json) =>
  call('/v1/customers', { method: 'POST', key: world.shop.key, raw, headers })

describe('every answer', () => {
  it('has an id of its own, which is not that of the caller', async () => {
    const headers = { 'Request-Id': '11111111-1111-4111-8111-111111111111' }
    const key = world.shop.key
    const answers = await Promise.all([
      ...Array.from({ length: 20 }, () => call('/v1/me', { key, headers })),
      call('/v1/me', { headers }),
      call('/nowhere', { headers }),
      call('/docs', { headers }),
      send('{', { ...json, ...headers }),
    ])
    const ids = answers.map((answer) => answer.headers.get('request-id'))
    expect(new Set(ids).size).toBe(answers.length)
    expect(ids).not.toContain(headers['Request-Id'])
  })

  it('promises encrypted transport where the product is reached by it', async () => {
    expect((await call('/healthz')).headers.get('strict-transport-security')).toBeNull()
    const settings = { publicUrl: 'https://api.example.com' }
    const other = await serveWith(product, { settings })
    for (const path of ['/healthz', '/nowhere', '/docs']) {
      const header = (await other.call(path)).headers.get('strict-transport-security')
      const maxAge = Number(/max-age=(\d+)/.exec(header ?? '')?.[1])
      expect(maxAge).toBeGreaterThanOrEqual(31_536_000)
    }
    await other.stop()
  })

  it('lets no other site read it', async () => {
    const headers = { Origin: 'https://evil.example' }
    const answer = await call('/v1/me', { key: world.shop.key, headers })
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('has the same headers without its body', async () => {
    const key = world.shop.key
    const [full, head] = [
      await call('/v1/me', { key }),
      await call('/v1/me', { key, method: 'HEAD' }),
    ]
    expect([head.status, head.text]).toEqual([200, ''])
    expect(head.headers.get('content-length')).toBe(full.headers.get('content-length'))
  })
})

describe('a path', () => {
  it.each(['/', '/v1', '/v1/nothing', '/v1/partners/a/b', '/v1/applications/a/approve', '/v2/me'])(
    'that is none is told as such: %s',
    async (path) => {
      for (const key of [null, world.owner.key]) {
        expect(refusal(await call(path, { key }))).toEqual([404, 'not_found'])
      }
    },
  )

  it.each([
    ['PUT', '/v1/customers', 'POST, GET'],
    ['PATCH', '/v1/partners/prt_1', 'GET'],
    ['DELETE', '/v1/settlement-runs', 'POST, GET'],
    ['GET', '/v1/invitations/accept', 'POST'],
    ['GET', '/v1/webhooks/stripe', 'POST'],
    ['POST', '/v1/me', 'GET'],
    ['POST', '/v1/api-keys/key_1', 'GET, DELETE'],
    ['OPTIONS', '/v1/accruals', 'GET'],
    ['POST', '/readyz', 'GET'],
  ])('that does not take %s says what it takes: %s', async (method, path, allow) => {
    const answer = await call(path, { method, key: world.owner.key })
    expect(refusal(answer)).toEqual([405, 'method_not_allowed'])
    expect(answer.headers.get('allow')).toBe(allow)
  })
})

/** Sends 20 MiB to the end before it reads a byte, as simple clients do. */
function statusAfterSendingAll(length: string): Promise<string> {
  const megabyte = Buffer.alloc(largest, 'x')
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), megabyte, Buffer.from('\r\n')])
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(product.api).port), '127.0.0.1')
    socket.setTimeout(90_000, () => socket.destroy(new Error('no answer')))
    socket.on('error', reject)
    socket.pause()
    const authorization = `Authorization: Bearer ${world.shop.key}`
    const head = ['POST /v1/customers HTTP/1.1', 'Host: api', authorization, length]
    socket.write(`${head.join('\r\n')}\r\nContent-Type: application/json\r\n\r\n`)
    const piece = length.startsWith('Transfer') ? chunk : megabyte
    for (let n = 1; n < 20; n++) socket.write(piece)
    socket.write(piece, () => {
      socket.once('data', (data) => {
        resolve(data.toString().split('\r\n')[0] ?? '')
        socket.destroy()
      })
      socket.resume()
    })
  })
}

describe('a body', () => {
  it.each([
    ['nothing', ''],
    ['half of it', '{"name":"x"'],
    ['a comma too many', '{"name":"x","email":"a@b.example",}'],
    ['a comment', '{"name":"x"} // customer'],
    ['single quotes', "{'name':'x'}"],
    ['a word', 'customer'],
    ['bytes that are no UTF-8', Buffer.from('{"name":"caf\u00e9"}', 'latin1')],
  ])('cannot be read when it is %s', async (_what, raw) => {
    expect(refusal(await send(raw))).toEqual([400, 'malformed_request'])
  })

  it.each([
    ['no type', { 'Content-Type': '' }],
    ['text', { 'Content-Type': 'text/plain' }],
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['a patch', { 'Content-Type': 'application/json-patch+json' }],
    ['almost JSON', { 'Content-Type': 'application/jsonp' }],
  ])('is JSON and nothing else: %s is refused', async (_what, headers) => {
    const raw = '{"name":"x","email":"a@b.example"}'
    expect(refusal(await send(raw, headers))).toEqual([415, 'unsupported_media_type'])
  })

  it.each([
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/json;charset=UTF-8',
  ])('is JSON under each of its names: %s', async (type) => {
    const raw = '{"name":"x","email":"a@b.example"}'
    expect((await send(raw, { 'Content-Type': type })).status).toBe(201)
  })

  it('has at most 1 MiB, to the byte', async () => {
    const exactly = `"${'x'.repeat(largest - 2)}"`
    expect((await send(exactly)).status).toBe(422)
    expect(refusal(await send(`${exactly} `))).toEqual([413, 'payload_too_large'])
    expect(refusal(await send('x'.repeat(4 * largest)))).toEqual([413, 'payload_too_large'])
  })

  it.each([
    ['also when it does not say how long it is', 'Transfer-Encoding: chunked'],
    ['and whoever sends more hears so, even by listening last', `Content-Length: ${20 * largest}`],
  ])('has at most 1 MiB, %s', async (_what, length) => {
    expect(await statusAfterSendingAll(length)).toMatch(/^HTTP\/1\.1 413 /)
  })

  it('of a stranger is not read', async () => {
    const answer = await call('/v1/customers', { method: 'POST', raw: 'x'.repeat(largest * 2) })
    expect(refusal(answer)).toEqual([401, 'not_authenticated'])
  })

  it.each(['__proto__', 'constructor', 'prototype', 'toString'])(
    'hides no field under the name %s',
    async (name) => {
      const answer = await send(`{"name":"x","email":"a@b.example","${name}":{"level":1}}`)
      expect(faults(answer)).toEqual([`unknown_field /${name}`])
    },
  )

  it('is nested 32 levels deep and no deeper', async () => {
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
    const named = (levels: number) => `{"name":${nested(levels)},"email":"a@b.example"}`
    expect(faults(await send(named(31)))).toEqual(['invalid /name'])
    for (const levels of [32, 100_000]) {
      expect(refusal(await send(named(levels)))).toEqual([400, 'malformed_request'])
    }
  })
})

const openBare = (url: string) =>
  openTenancy({
    url,
    poolSize: 2,
    applicationName: 'bare',
    role: processRoles.api,
    contextSecret: 'nobody knows this one',
    onError: () => {},
  })

describe('a failure on our side', () => {
  it('tells nothing of how we are built, and is in our log under the same id', async () => {
    const { postgresUrl } = suiteFacts()
    const name = `bare_${randomBytes(4).toString('hex')}`
    await createDatabase(postgresUrl, name)
    const url = databaseUrl(postgresUrl, name)
    const bare = openBare(url)
    const logged: { error?: Error; requestId?: string }[] = []
    const log = { info() {}, warn() {}, error: (facts: object) => void logged.push(facts) }
    const other = await serveWith(product, { tenancy: bare, log })
    const answer = await other.call('/v1/me', { key: generateKey('test').secret })
    expect(refusal(answer)).toEqual([500, 'internal'])
    expect(answer.text).not.toMatch(/api_keys|42P01|does not exist/)
    expect(logged).toHaveLength(1)
    expect(logged[0]?.requestId).toBe(answer.body.request_id)
    expect(logged[0]?.error?.message).toContain('api_keys')
    await other.stop()
    await bare.close()
    await dropDatabase(postgresUrl, name)
  })

  it('is not needed to refuse a key that cannot be one: the database is not asked', async () => {
    const url = 'postgres://nobody@127.0.0.1:9/nothing'
    const gone = openBare(url)
    const other = await serveWith(product, { tenancy: gone })
    const { secret } = generateKey('test')
    const wrong = [
      'let-me-in',
      `${secret}x`,
      secret.slice(0, -1),
      secret.replace('_sk_', '_xk_'),
      secret.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      generateKey('live').secret,
    ]
    for (const key of wrong) {
      expect(refusal(await other.call('/v1/me', { key }))).toEqual([401, 'not_authenticated'])
    }
    const answer = await other.call('/v1/me', { key: secret })
    expect(refusal(answer)).toEqual([503, 'temporarily_unavailable'])
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(answer.text).not.toMatch(/ECONN|127\.0\.0\.1:9/)
    await other.stop()
    await gone.close()
  })
})

describe('a database that goes away under a request', () => {
  it('is told as a reason to come back, not as a fault of the request', async () => {
    const holder = product.db.transaction().execute(async (trx) => {
      await sql`lock table customers`.execute(trx)
      const answer = call('/v1/customers', { key: world.shop.key })
      await until(async () => {
        const { rows } = await sql`select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`.execute(product.db)
        return rows.length > 0
      })
      await endSomeSessions(product.databaseUrl, { share: 1 })
      const { headers, ...told } = await answer
      expect(refusal({ headers, ...told })).toEqual([503, 'temporarily_unavailable'])
      expect(headers.get('retry-after')).toBe('1')
    })
    await expect(holder).rejects.toThrow(/onnection|terminat/)
    // Connections that were idle are found dead one by one, by whoever comes back.
    await until(async () => {
      const { status } = await call('/v1/customers', { key: world.shop.key })
      expect([200, 503]).toContain(status)
      return status === 200
    })
  })
})

describe('two requests', () => {
  it('never mix: each of many at once sees what its own key shows', async () => {
    const names = ['north', 'shop', 'market', 'corner', 'south', 'pier'] as const
    const asked = Array.from({ length: 10 }, () => names).flat()
    const answers = await Promise.all(
      asked.map((name) => call('/v1/partners?limit=100', { key: world[name].key })),
    )
    for (const [n, answer] of answers.entries()) {
      const name = asked[n] ?? 'north'
      const own = rows(answer).map(({ id }) => id)
      expect(own).toContain(world[name].partner)
      if (name !== 'south' && name !== 'pier') expect(own).not.toContain(world.south.partner)
    }
  })
})
