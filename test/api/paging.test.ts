import { makeApplication, makeLink } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { walk } from './guards.ts'
import { type Call, clientOf, type Json, rows } from './kit.ts'
import {
  fillWorld,
  issueStatements,
  makeWorld,
  placeNames,
  settledPeriod,
  type World,
} from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  await issueStatements(product.db)
  for (const name of placeNames) {
    await makeApplication(product.db)
    await makeLink(product.db, world[name].id)
  }
})
afterAll(() => product.stop())

const lists = [
  '/v1/accruals',
  `/v1/accruals?period=${settledPeriod}`,
  '/v1/api-keys',
  '/v1/applications',
  '/v1/clawbacks',
  '/v1/customers',
  '/v1/links',
  '/v1/packages',
  '/v1/partners',
  '/v1/payouts',
  '/v1/settlement-runs',
  '/v1/statements',
  '/v1/subscriptions',
  '/v1/tenants',
  '/v1/tiers/changes',
]

const idsOf = (list: Json[]) => list.map(({ id }) => String(id))

describe.each(lists)('the list %s', (path) => {
  it('shows every row once, newest first, whatever the size of a page', async () => {
    const { key } = world.owner
    const [whole, ...walks] = await Promise.all(
      [100, 1, 2, 3].map((limit) => walk(call, { path, key, limit })),
    )
    const ids = idsOf(whole ?? [])
    expect(ids.length).toBeGreaterThan(0)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toEqual([...ids].sort().reverse())
    for (const walked of walks) expect(walked).toEqual(whole)
  })
})

describe('a page', () => {
  const customers = async (names: string[]) => {
    for (const name of names) {
      const body = { name, email: 'a@customer.example' }
      await call('/v1/customers', { method: 'POST', key: world.market.key, body })
    }
  }
  const names = (answer: { body: Json }) => (answer.body.data as Json[]).map(({ name }) => name)

  it('stays what it was while rows are added', async () => {
    const { key } = world.market
    await customers(['one', 'two', 'three', 'four', 'five'])
    const first = await call('/v1/customers?limit=2', { key })
    expect(names(first)).toEqual(['five', 'four'])
    await customers(['six', 'seven'])
    const path = `/v1/customers?limit=2&cursor=${String(first.body.next_cursor)}`
    const second = await call(path, { key })
    expect(names(second)).toEqual(['three', 'two'])
    expect((await call(path, { key })).text).toBe(second.text)
    const newest = rows(await call('/v1/customers?limit=1', { key }))
    expect(newest[0]?.name).toBe('seven')
  })

  it('has 25 rows when nothing is said, and says when there are no more', async () => {
    const { key } = world.pier
    const create = (n: number) =>
      call('/v1/customers', {
        method: 'POST',
        key,
        body: { name: `customer ${n}`, email: 'a@customer.example' },
      })
    // One is there already.
    await Promise.all(Array.from({ length: 24 }, (_, n) => create(n)))
    const full = await call('/v1/customers', { key })
    expect([rows(full).length, full.body.next_cursor]).toEqual([25, null])
    await create(25)
    const more = await call('/v1/customers', { key })
    expect(rows(more)).toHaveLength(25)
    expect(more.body.next_cursor).toEqual(expect.any(String))
    const last = await call(`/v1/customers?cursor=${String(more.body.next_cursor)}`, { key })
    expect([rows(last).length, last.body.next_cursor]).toEqual([1, null])
  })

  it('says whether there is more, and where', async () => {
    const { key } = world.owner
    const first = await call('/v1/customers?limit=2', { key })
    expect(first.body.has_more).toBe(true)
    const [, next = ''] = /^<(.+)>; rel="next"$/.exec(first.headers.get('link') ?? '') ?? []
    const { origin, pathname, searchParams } = new URL(next)
    expect(origin).toBe(new URL(product.config.api.publicUrl).origin)
    expect([pathname, searchParams.get('limit')]).toEqual(['/v1/customers', '2'])
    expect(searchParams.get('cursor')).toBe(first.body.next_cursor)
    const second = await call(`${pathname}?${searchParams}`, { key })
    expect(idsOf(rows(second))).not.toEqual(idsOf(rows(first)))
    const whole = await call('/v1/customers?limit=100', { key })
    expect([whole.body.has_more, whole.headers.get('link')]).toEqual([false, null])
  })
})

describe('a cursor', () => {
  const refusal = ({ status, body }: { status: number; body: Json }) => [status, body.code]
  const refused = [400, 'malformed_request']
  const cursorOf = async (path: string, key: string) =>
    String((await call(path, { key })).body.next_cursor)

  it('holds for the organisation that it was given to and no other', async () => {
    const cursor = await cursorOf('/v1/customers?limit=1', world.owner.key)
    const path = `/v1/customers?cursor=${cursor}`
    expect((await call(path, { key: product.second })).status).toBe(200)
    expect(refusal(await call(path, { key: world.corner.key }))).toEqual(refused)
  })

  it('holds for its list and its filters and no others, whatever the size of a page', async () => {
    const { key } = world.owner
    const filtered = `/v1/accruals?period=${settledPeriod}`
    const cursor = await cursorOf(`${filtered}&limit=1`, key)
    expect((await call(`${filtered}&limit=50&cursor=${cursor}`, { key })).status).toBe(200)
    for (const path of ['/v1/accruals?', '/v1/accruals?period=2020-01&', '/v1/customers?']) {
      expect(refusal(await call(`${path}cursor=${cursor}`, { key }))).toEqual(refused)
    }
  })

  it('is refused when any of its characters is another', async () => {
    const { key } = world.owner
    const cursor = await cursorOf('/v1/customers?limit=1', key)
    const wrong = [...cursor].map((letter, n) => {
      const other = letter === 'A' ? 'B' : 'A'
      return `${cursor.slice(0, n)}${other}${cursor.slice(n + 1)}`
    })
    for (const text of [...wrong, cursor.slice(0, -6), `${cursor}AA`, `${cursor}=`, '']) {
      const path = `/v1/customers?cursor=${encodeURIComponent(text)}`
      expect(refusal(await call(path, { key }))).toEqual(refused)
    }
  })

  it('shows nobody an id', async () => {
    const { key } = world.owner
    const page = await call('/v1/customers?limit=1', { key })
    const [{ id }] = rows(page) as [Json]
    const shown = Buffer.from(String(page.body.next_cursor), 'base64url').toString('utf8')
    expect(shown).not.toContain(String(id))
  })
})
