/** What holds for every route alike: limits, versions, single headers. */
import { connect } from 'node:net'
import { type Product, startProduct } from '../support/product.ts'
import { clientOf, serveWith } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let world: World
beforeAll(async () => {
  product = await startProduct()
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

describe('a caller', () => {
  it('is told what is left, and is refused when nothing is', async () => {
    const quotas = {
      key: { quota: 3, windowSeconds: 60 },
      tenant: { quota: 100_000, windowSeconds: 60 },
    }
    const other = await serveWith(product, { settings: { quotas } })
    const ask = (key = world.shop.key) =>
      fetch(`${other.url}/v1/me`, { headers: { Authorization: `Bearer ${key}` } })
    const answers = [await ask(), await ask(), await ask(), await ask()]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    for (const { headers } of answers) {
      expect(headers.get('ratelimit-policy')).toMatch(/^"key";q=3;w=60, "tenant";q=100000;w=60$/)
    }
    const [first, , , refused] = answers
    expect(first?.headers.get('ratelimit')).toMatch(/^"key";r=2;t=20, "tenant"/)
    expect(refused?.headers.get('ratelimit')).toMatch(/^"key";r=0;t=20, "tenant"/)
    expect(refused?.headers.get('retry-after')).toBe('20')
    expect(await refused?.json()).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      code: 'too_many_requests',
      'violated-policies': ['key'],
      request_id: refused?.headers.get('request-id'),
    })
    expect((await ask(world.market.key)).status).toBe(200)
    await other.stop()
  })
})

describe('a read', () => {
  it('has a version, and is not sent again to who has it', async () => {
    const call = clientOf(product.api)
    const first = await call('/v1/me', { key: world.shop.key })
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]{43}"$/)
    const response = await fetch(`${product.api}/v1/me`, {
      headers: { Authorization: `Bearer ${world.shop.key}`, 'If-None-Match': etag },
    })
    expect([response.status, await response.text()]).toEqual([304, ''])
  })
})

describe('a request', () => {
  const raw = (...headers: string[]) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(product.api).port), '127.0.0.1')
      socket.on('error', reject)
      socket.once('data', (data) => {
        resolve(data.toString())
        socket.destroy()
      })
      socket.write(`GET /healthz HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
    })

  it('names one host and one key', async () => {
    expect(await raw('Host: a')).toMatch(/^HTTP\/1\.1 200 /)
    for (const twice of [
      ['Host: a', 'Host: b'],
      ['Host: a', 'Authorization: Bearer a', 'authorization: Bearer b'],
    ]) {
      const answer = await raw(...twice)
      expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"malformed_request"/)
    }
  })
})
