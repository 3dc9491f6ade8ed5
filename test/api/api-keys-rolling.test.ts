/** Keys that take over from others. */
import { sql } from 'kysely'
import { unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  // Children of a key end with it: this one outlives what the tests make.
  await sql`update api_keys set expires_at = clock_timestamp() + interval '366 days'
    where last_four = ${world.shop.key.slice(-4)}`.execute(product.db)
})
afterAll(() => product.stop())

const lastFour = (key: string) => key.slice(-4)

async function makeKey(form: Json = {}) {
  const { status, body } = await call('/v1/api-keys', {
    method: 'POST',
    key: world.shop.key,
    body: { label: unique('key'), ...form },
  })
  expect(status).toBe(201)
  return { id: String(body.id), secret: String(body.key), body }
}

const isTaken = async (key: string) => (await call('/v1/customers', { key })).status === 200

describe('rolling a key', () => {
  const roll = (id: string, grace: unknown, key: string, headers = {}) =>
    call(`/v1/api-keys/${id}/roll`, {
      method: 'POST',
      key,
      headers,
      body: { grace_seconds: grace },
    })

  it('gives one with the same label, scopes, addresses and life, and names it', async () => {
    const form = { scopes: ['keys:write', 'read'], allowed_ips: ['127.0.0.1'], expires_in_days: 9 }
    const old = await makeKey(form)
    const rolled = await roll(old.id, 3_600, old.secret)
    expect(rolled.status).toBe(201)
    expect(rolled.headers.get('location')).toBe(`/v1/api-keys/${String(rolled.body.id)}`)
    const { label, scopes, allowed_ips, kind } = old.body
    expect(rolled.body).toMatchObject({ label, scopes, allowed_ips, kind, replaced_by: null })
    const life = ({ expires_at, created_at }: Json) =>
      Date.parse(String(expires_at)) - Date.parse(String(created_at))
    expect(life(rolled.body) / 86_400_000).toBeCloseTo(9, 3)
    const { body } = await call(`/v1/api-keys/${old.id}`, { key: world.shop.key })
    expect(body.replaced_by).toBe(rolled.body.id)
    expect((Date.parse(String(body.expires_at)) - Date.now()) / 1000).toBeGreaterThan(3_300)
    expect((Date.parse(String(body.expires_at)) - Date.now()) / 1000).toBeLessThan(3_601)
  })

  it('fails no call while both work, and ends the old one after the grace', async () => {
    const old = await makeKey()
    let next = ''
    const until = Date.now() + 1_500
    const refused: string[] = []
    const caller = async () => {
      while (Date.now() < until) {
        for (const key of next ? [old.secret, next] : [old.secret]) {
          if (!(await isTaken(key))) refused.push(key)
        }
      }
    }
    const rolling = async () => {
      next = String((await roll(old.id, 600, world.shop.key)).body.key)
    }
    await Promise.all([...Array.from({ length: 4 }, caller), rolling()])
    expect(refused).toEqual([])
    await sql`update api_keys set expires_at = expires_at - interval '10 minutes'
      where last_four = ${old.secret.slice(-4)}`.execute(product.db)
    expect((await call('/v1/me', { key: old.secret })).status).toBe(401)
    expect(await isTaken(next)).toBe(true)
  })

  it('without grace ends the old one at once', async () => {
    const old = await makeKey()
    const rolled = await roll(old.id, 0, world.shop.key)
    expect((await call('/v1/me', { key: old.secret })).status).toBe(401)
    expect(await isTaken(String(rolled.body.key))).toBe(true)
  })

  it('is done once, however many ask for it', async () => {
    const old = await makeKey()
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => roll(old.id, 604_800, world.shop.key)),
    )
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([201, 409, 409, 409, 409, 409])
  })

  it('shows the same key to a request that is repeated under its own key', async () => {
    const old = await makeKey()
    const headers = { 'Idempotency-Key': unique('roll') }
    const first = await roll(old.id, 60, world.shop.key, headers)
    const again = await roll(old.id, 60, world.shop.key, headers)
    expect([again.status, again.text]).toEqual([201, first.text])
  })

  it('brings no ended key back', async () => {
    const revoked = await makeKey()
    await call(`/v1/api-keys/${revoked.id}`, { method: 'DELETE', key: world.shop.key })
    const answer = await roll(revoked.id, 60, world.shop.key)
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict'])
  })

  it("gives nobody a key of another person, nor scopes beyond one's own", async () => {
    const list = rows(await call('/v1/api-keys?limit=100', { key: product.second }))
    const others = list.find(({ last_four }) => last_four === lastFour(product.owner))
    const ofOther = await roll(String(others?.id), 60, product.second)
    expect([ofOther.status, ofOther.body.code]).toEqual([403, 'forbidden'])
    const wide = await makeKey()
    const narrow = await makeKey({ scopes: ['keys:write'] })
    const wider = await roll(wide.id, 60, narrow.secret)
    expect([wider.status, wider.body.code]).toEqual([403, 'forbidden'])
    expect(await isTaken(wide.secret)).toBe(true)
  })

  it.each([undefined, null, -1, 604_801, 1.5, '60'])(
    'is not done with a grace of %p',
    async (grace) => {
      const { id } = await makeKey()
      const answer = await roll(id, grace, world.shop.key)
      const fault = grace === undefined ? 'missing' : 'invalid'
      expect(faults(answer)).toEqual([`${fault} /grace_seconds`])
    },
  )
})
