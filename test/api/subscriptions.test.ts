import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { generateKey } from '../../api/keys.ts'
import { scopes } from '../../api/policies.ts'
import { recordApiKey, recordMember } from '../../db/access.ts'
import { recordFeaturePackage } from '../../db/catalog.ts'
import { inTransaction } from '../../db/database.ts'
import { markPartner } from '../../db/partners.ts'
import { getProgramme } from '../../db/programmes.ts'
import { outwardId, uuidOf } from '../../domain/ids.ts'
import { createdLevels } from '../../domain/partners.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { eventually } from '../../scripts/story/client.ts'
import { makeKey, makeOrder, makePartner, type Order } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import {
  expectHidden,
  itIsClosedTo,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
  unknownId,
} from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import {
  makeWorld,
  type PlaceName,
  placeNames,
  sees,
  strangersOf,
  viewerNames,
  type World,
} from './world.ts'

let product: Product
let call: Call
let world: World
let orders: Record<PlaceName, Order>
let featurePackage: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  const made: [PlaceName, Order][] = []
  for (const name of placeNames) made.push([name, await makeOrder(product.db, world[name].id)])
  orders = Object.fromEntries(made) as Record<PlaceName, Order>
  const id = randomUUIDv7()
  const { id: programmeId } = await getProgramme(product.db)
  const price = { amountMinor: 9_900n, currency: 'USD', interval: 'month' as const }
  await inTransaction(product.db, (trx) =>
    recordFeaturePackage(trx, { id, programmeId, name: 'Basic', ...price }),
  )
  featurePackage = outwardId('featurePackage', id)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })
const stageWithKeys = () => ({
  ...stage(),
  keys: {
    super_admin: world.owner.key,
    master_reseller: world.north.key,
    reseller: world.shop.key,
  },
})
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
const customerOf = (name: PlaceName) => outwardId('customer', orders[name].customerId)
const subscriptionOf = (name: PlaceName) => outwardId('subscription', orders[name].subscriptionId)

const person = { name: 'Café Grün', email: 'pay@cafe.example' }
const createCustomer = (key: string, body: unknown = person) =>
  call('/v1/customers', { method: 'POST', key, body })

const subscribe = (key: string, body: Json, headers: Record<string, string> = {}) =>
  call('/v1/subscriptions', { method: 'POST', key, body, headers })

describe('a customer', () => {
  it('is created for the partner whose key it is', async () => {
    const { status, body, headers } = await createCustomer(world.shop.key)
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/v1/customers/${String(body.id)}`)
    expect(body).toEqual({
      ...person,
      id: expect.stringMatching(/^cus_/),
      partner: world.shop.partner,
      link: null,
      created_at: instant,
    })
    const read = await call(`/v1/customers/${String(body.id)}`, { key: world.north.key })
    expect(read.body).toEqual(body)
  })

  it.each<[string, unknown, string[]]>([
    ['no fields', {}, ['missing /email', 'missing /name']],
    ['a blank name', { ...person, name: '\t' }, ['invalid /name']],
    ['a name with NUL', { ...person, name: 'a\u0000b' }, ['invalid /name']],
    ['half a letter', { ...person, name: '\udc00' }, ['invalid /name']],
    ['no address', { ...person, email: 'nobody' }, ['invalid /email']],
    ['another partner', { ...person, partner: 'prt_1' }, ['unknown_field /partner']],
    ['a list', [person], ['invalid ']],
    ['nothing at all', null, ['invalid ']],
  ])('is not created with %s', async (_what, body, expected) => {
    expect(faults(await createCustomer(world.shop.key, body))).toEqual(expected)
  })

  it.each(viewerNames)('is seen by %s for itself and everyone below', async (viewer) => {
    const list = rows(await call('/v1/customers?limit=100', { key: world[viewer].key }))
    const made = list.filter(({ name }) => name === 'Customer').map(({ id }) => id)
    expect(made.sort()).toEqual(sees[viewer].map(customerOf).sort())
    const partners = new Set(sees[viewer].map((name) => world[name].partner))
    for (const { partner } of list) expect(partners.has(String(partner))).toBe(true)
  })

  it.each(placeNames)('of %s is answered 404 to strangers', async (name) => {
    await expectHidden(call, {
      route: 'GET /v1/customers/:id',
      id: customerOf(name),
      strangers: strangersOf(name).map((stranger) => world[stranger].key),
    })
  })

  itRefusesBadQueries('/v1/customers', stage)
})

describe('a subscription', () => {
  it('is pending at once, and its process starts', async () => {
    const form = { customer: customerOf('shop'), package: featurePackage }
    const { status, body, headers } = await subscribe(world.shop.key, form)
    expect(status).toBe(202)
    expect(headers.get('location')).toBe(`/v1/subscriptions/${String(body.id)}`)
    expect(body).toEqual({
      ...form,
      id: expect.stringMatching(/^sub_/),
      partner: world.shop.partner,
      status: 'pending',
      problem: null,
      created_at: instant,
      activated_at: null,
      canceled_at: null,
    })
    const uuid = uuidOf('subscription', String(body.id)) ?? ''
    const handle = product.temporal.workflow.getHandle(workflowIds.subscription(uuid))
    expect((await handle.describe()).type).toBe('subscriptionSetup')
    const read = await call(`/v1/subscriptions/${String(body.id)}`, { key: world.north.key })
    expect(read.body).toEqual(body)
  })

  it('is answered after the time that was asked for, where nothing has happened', async () => {
    const form = { customer: customerOf('shop'), package: featurePackage }
    const before = Date.now()
    const { status, body } = await subscribe(world.shop.key, form, { Prefer: 'wait=1' })
    expect([status, body.status]).toEqual([202, 'pending'])
    expect(Date.now() - before).toBeGreaterThanOrEqual(950)
  })

  it('is opened and paid for through the payment provider', async () => {
    const worker = await product.startWorker()
    const { story } = product
    const form = { customer: customerOf('shop'), package: featurePackage }
    const opened = await subscribe(world.shop.key, form, { Prefer: 'respond-async, wait=10' })
    expect([opened.status, opened.body.status]).toEqual([202, 'awaiting_payment'])
    const id = String(opened.body.id)
    const { data } = await story.sandbox<{ data: { id: string; metadata: Json }[] }>('/invoices')
    const invoice = data.find(({ metadata }) => metadata.subscription === id)
    await story.sandbox(`/invoices/${invoice?.id}/pay`, {})
    const active = await eventually('the subscription is active', async () => {
      const { body } = await call(`/v1/subscriptions/${id}`, { key: world.shop.key })
      return body.status === 'active' ? body : undefined
    })
    expect(active).toEqual({ ...opened.body, status: 'active', activated_at: instant })
    await worker.stop()
  })

  it('is not made for a customer of a partner below, nor of a stranger', async () => {
    for (const seller of ['north', 'market', 'pier'] as const) {
      await expectHidden(call, {
        route: 'POST /v1/subscriptions',
        id: customerOf('shop'),
        bodyOf: (customer) => ({ customer, package: featurePackage }),
        strangers: [world[seller].key],
      })
    }
    const list = rows(await call('/v1/subscriptions', { key: world.market.key }))
    expect(list).toHaveLength(1)
  })

  it('is not made for a package that does not exist', async () => {
    const form = { customer: customerOf('shop'), package: unknownId('pkg') }
    const { status, body } = await subscribe(world.shop.key, form)
    expect([status, body.code]).toEqual([404, 'not_found'])
  })

  it.each<[string, Json, string[]]>([
    ['no fields', {}, ['missing /customer', 'missing /package']],
    [
      'an id of another kind',
      { customer: unknownId('pkg'), package: unknownId('pkg') },
      ['invalid /customer'],
    ],
    [
      'an id that is too long',
      { customer: `${unknownId('cus')}0`, package: unknownId('pkg') },
      ['invalid /customer'],
    ],
    ['an object', { customer: { id: 1 }, package: unknownId('pkg') }, ['invalid /customer']],
    [
      'a price',
      { customer: unknownId('cus'), package: unknownId('pkg'), amount: 1 },
      ['unknown_field /amount'],
    ],
  ])('is not made with %s', async (_what, body, expected) => {
    expect(faults(await subscribe(world.shop.key, body))).toEqual(expected)
  })

  it.each(viewerNames)('is seen by %s for itself and everyone below', async (viewer) => {
    const list = rows(await call('/v1/subscriptions?limit=100', { key: world[viewer].key }))
    const partners = sees[viewer].map((name) => world[name].partner)
    expect([...new Set(list.map(({ partner }) => partner))].sort()).toEqual(partners.sort())
    const ids = list.map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(sees[viewer].map(subscriptionOf)))
  })

  it.each(placeNames)('of %s is answered 404 to strangers', async (name) => {
    await expectHidden(call, {
      route: 'GET /v1/subscriptions/:id',
      id: subscriptionOf(name),
      strangers: strangersOf(name).map((stranger) => world[stranger].key),
    })
  })

  itRefusesBadQueries('/v1/subscriptions', stage)
})

describe('a partner that is suspended', () => {
  it('still reads, and sells nothing', async () => {
    const id = await makePartner(product.db)
    const key = await makeKey(product.db, id)
    const { customerId } = await makeOrder(product.db, id)
    await inTransaction(product.db, (trx) =>
      markPartner(trx, id, { from: ['active'], to: 'suspended' }),
    )
    const form = { customer: outwardId('customer', customerId), package: featurePackage }
    for (const answer of [await createCustomer(key), await subscribe(key, form)]) {
      expect([answer.status, answer.body.code]).toEqual([423, 'suspended'])
    }
    expect(rows(await call('/v1/customers', { key }))).toHaveLength(1)
  })
})

describe('a package', () => {
  const packages: Record<string, string> = {}
  beforeAll(async () => {
    for (const creates of createdLevels) {
      const form = { name: creates, amount: 100, currency: 'USD', interval: 'month', creates }
      const { body } = await call('/v1/packages', {
        method: 'POST',
        key: product.owner,
        body: form,
      })
      packages[creates] = String(body.id)
    }
  })
  const allowChains = (allowed: boolean) =>
    sql`update programmes set reseller_chains = ${allowed}`.execute(product.db)
  afterEach(() => allowChains(false))

  const sold = async (seller: 'owner' | PlaceName, creates: string) => {
    const customer = customerOf(seller === 'owner' ? 'shop' : seller)
    const form = { customer, package: packages[creates] ?? unknownId('pkg') }
    const answer = await subscribe(world[seller].key, form)
    return answer.status === 422 ? faults(answer) : [answer.status, answer.body.code]
  }
  const level = [403, 'level_not_allowed']
  const notForCustomers = ['invalid /package']

  it.each<['owner' | PlaceName, string, unknown[]]>([
    ['owner', 'customer', level],
    ['owner', 'reseller', level],
    ['owner', 'master_reseller', level],
    ['north', 'customer', [202, undefined]],
    ['north', 'reseller', notForCustomers],
    ['north', 'master_reseller', level],
    ['shop', 'customer', [202, undefined]],
    ['shop', 'reseller', level],
    ['shop', 'master_reseller', level],
    ['corner', 'customer', [202, undefined]],
    ['corner', 'reseller', level],
    ['corner', 'master_reseller', level],
  ])('that %s sells and that makes a %s is answered %j', async (seller, creates, expected) => {
    expect(await sold(seller, creates)).toEqual(expected)
  })

  it('is sold by no customer, whatever it makes', async () => {
    const key = await customerKey('shop')
    for (const creates of createdLevels) {
      const form = { customer: customerOf('shop'), package: packages[creates] ?? '' }
      const { status, body } = await subscribe(key, form)
      expect([creates, status, body.code]).toEqual([creates, ...level])
    }
  })

  it('that makes a reseller is a reseller’s to sell where the programme has chains', async () => {
    await allowChains(true)
    expect(await sold('shop', 'reseller')).toEqual(notForCustomers)
    expect(await sold('shop', 'master_reseller')).toEqual(level)
  })
})

/** A key of one of the people of a customer. */
async function customerKey(name: PlaceName): Promise<string> {
  const { secret, ...stored } = generateKey('test')
  await inTransaction(product.db, async (trx) => {
    const memberId = await recordMember(trx, {
      id: randomUUIDv7(),
      partnerId: world[name].id,
      customerId: orders[name].customerId,
      name: 'Buyer',
      email: 'buyer@customer.example',
    })
    await recordApiKey(trx, {
      ...stored,
      id: randomUUIDv7(),
      memberId,
      label: 'test',
      scopes: [...scopes],
      expiresAt: new Date(Date.now() + 3_600_000),
    })
  })
  return secret
}

describe('selling', () => {
  const sales = ['POST /v1/customers', 'POST /v1/subscriptions']
  itIsClosedTo(['super_admin'], sales, stageWithKeys)
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/customers',
    'POST /v1/customers',
    'GET /v1/customers/:id',
    'GET /v1/subscriptions',
    'POST /v1/subscriptions',
    'GET /v1/subscriptions/:id',
  ])
})
