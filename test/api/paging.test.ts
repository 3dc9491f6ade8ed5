import { makeApplication, makeLink } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { walk } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
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

  it('shows nothing of others, wherever the cursor came from', async () => {
    const page = await call('/v1/customers?limit=1', { key: world.owner.key })
    const path = `/v1/customers?limit=100&cursor=${String(page.body.next_cursor)}`
    for (const { partner } of rows(await call(path, { key: world.corner.key }))) {
      expect(partner).toBe(world.corner.partner)
    }
  })

  it('is refused for a cursor that was cut', async () => {
    const page = await call('/v1/customers?limit=1', { key: world.owner.key })
    const cut = String(page.body.next_cursor).slice(0, -6)
    const answer = await call(`/v1/customers?cursor=${cut}`, { key: world.owner.key })
    expect(faults(answer)).toEqual(['invalid /cursor'])
  })
})
