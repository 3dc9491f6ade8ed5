import { sql } from 'kysely'
import { mailboxIndex } from '../../db/personal-fields.ts'
import { outwardId, uuidOf } from '../../domain/ids.ts'
import { makeOrder, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { contextAt } from '../support/tenancy.ts'
import { expectHidden, itIsClosedTo, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, type PlaceName, placeNames, sellAndRefund, type World } from './world.ts'

interface Sold {
  id: string
  customer: string
  subscription: string
}

let product: Product
let call: Call
let world: World
/** The first customer of each partner, and another one of the shop. */
let sold: Record<PlaceName | 'neighbour', Sold>
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  const order = async (partnerId: string): Promise<Sold> => {
    const { customerId, subscriptionId } = await makeOrder(product.db, partnerId)
    return {
      id: customerId,
      customer: outwardId('customer', customerId),
      subscription: outwardId('subscription', subscriptionId),
    }
  }
  const made = {} as typeof sold
  for (const name of placeNames) made[name] = await order(world[name].id)
  sold = { ...made, neighbour: await order(world.shop.id) }
  await sellAndRefund(product.db, world.shop.id)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call })
const routes = ['POST /v1/customers/:id/members', 'POST /v1/customers/:id/api-keys']

const addMember = (customer: string, form: Json, key = world.shop.key) =>
  call(`/v1/customers/${customer}/members`, { method: 'POST', key, body: form })

const addKey = (customer: string, form: Json = {}, key = world.shop.key) =>
  call(`/v1/customers/${customer}/api-keys`, {
    method: 'POST',
    key,
    body: { label: 'accounting', ...form },
  })

const person = () => ({ name: 'Cora', email: `${unique('cora')}@customer.example` })

/** A key that reads, of a customer. */
async function keyOf(customer: string): Promise<string> {
  const { status, body } = await addKey(customer)
  expect(status).toBe(201)
  return String(body.key)
}

/** A key with every scope of an owner of the customer, made as a person of it would. */
async function ownerKeyOf(customer: string): Promise<string> {
  const key = await keyOf(customer)
  await sql`update api_keys set scopes = '{read,write,approvals:write}'
    where last_four = ${key.slice(-4)}`.execute(product.db)
  return key
}

describe('a member of a customer', () => {
  it('is let in by the partner that sells to it, as its owner', async () => {
    const form = person()
    const { status, body } = await addMember(sold.shop.customer, form)
    expect([status, body]).toEqual([
      201,
      {
        ...form,
        id: expect.stringMatching(/^mem_/),
        customer: sold.shop.customer,
        role: 'owner',
        status: 'active',
        created_at: expect.any(String),
      },
    ])
    const context = contextAt('reseller', world.shop.id)
    const { rows: seen } = await product.tenancy.withTenant(context, (trx) =>
      sql`select id from members where email_index = ${mailboxIndex(form.email)}`.execute(trx),
    )
    expect(seen).toEqual([])
  })

  it('is let in once, and at two customers twice', async () => {
    const form = person()
    expect((await addMember(sold.shop.customer, form)).status).toBe(201)
    const again = await addMember(sold.shop.customer, form)
    expect([again.status, again.body.code]).toEqual([409, 'conflict'])
    expect((await addMember(sold.neighbour.customer, form)).status).toBe(201)
  })

  it('is recorded with who let it in', async () => {
    const form = person()
    const { body } = await addMember(sold.shop.customer, form)
    const { rows: events } = await sql<{ actor: string; onBehalfOf: string; action: string }>`
      select actor, on_behalf_of, action from audit_events
      where kind = 'member' and verb = 'created' and partner_id = ${world.shop.id}
        and subject = ${uuidOf('member', String(body.id))}`.execute(product.db)
    const me = String((await call('/v1/me', { key: world.shop.key })).body.member)
    expect(events).toEqual([
      {
        actor: expect.stringMatching(/^key:/),
        onBehalfOf: `member:${uuidOf('member', me)}`,
        action: routes[0],
      },
    ])
  })

  it.each<[string, Json, string[]]>([
    ['nothing', {}, ['missing /email', 'missing /name']],
    ['no address', { name: 'Cora', email: 'cora' }, ['invalid /email']],
    ['a role of its own', { ...person(), role: 'admin' }, ['unknown_field /role']],
  ])('is not let in with %s', async (_what, form, expected) => {
    expect(faults(await addMember(sold.shop.customer, form))).toEqual(expected)
  })
})

describe('a key of a customer', () => {
  it('reads, is kept by the customer, and is not among those of its partner', async () => {
    const { status, body, headers } = await addKey(sold.shop.customer)
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/v1/api-keys/${String(body.id)}`)
    expect(body).toMatchObject({ label: 'accounting', kind: 'secret', scopes: ['read'] })
    const partners = rows(await call('/v1/api-keys?limit=100', { key: world.shop.key }))
    expect(partners.map(({ id }) => id)).not.toContain(body.id)
    const customers = rows(await call('/v1/api-keys', { key: String(body.key) }))
    expect(customers.map(({ id }) => id)).toContain(body.id)
    const more = await call('/v1/api-keys', {
      method: 'POST',
      key: String(body.key),
      body: { label: 'more' },
    })
    expect([more.status, more.body.code]).toEqual([403, 'forbidden'])
  })

  it('takes single capabilities, and no more of them than who makes it has', async () => {
    const { body } = await addKey(sold.shop.customer, { scopes: ['subscriptions:read'] })
    const key = String(body.key)
    expect(body).toMatchObject({ kind: 'restricted', prefix: 'trib_test_rk_' })
    expect((await call('/v1/subscriptions', { key })).status).toBe(200)
    expect((await call('/v1/customers', { key })).status).toBe(403)
    const made = await call('/v1/api-keys', {
      method: 'POST',
      key: world.shop.key,
      body: { label: 'narrow', scopes: ['customers:write', 'links:read'] },
    })
    const narrow = String(made.body.key)
    const beyond = await addKey(sold.shop.customer, {}, narrow)
    expect([beyond.status, beyond.body.code]).toEqual([403, 'forbidden'])
    const within = await addKey(sold.shop.customer, { scopes: ['links:read'] }, narrow)
    expect(within.status).toBe(201)
  })

  it.each(['write', 'approvals:write', 'customers:write', 'admin'])(
    'is not made with the scope %s',
    async (scope) => {
      const answer = await addKey(sold.shop.customer, { scopes: ['read', scope] })
      expect(faults(answer)).toEqual(['invalid /scopes/1'])
    },
  )

  it('is not made for a member that the customer has disabled', async () => {
    await keyOf(sold.neighbour.customer)
    const status = (to: string) =>
      sql`update members set status = ${to}, disabled_at =
        case when ${to} = 'disabled' then clock_timestamp() end
        where customer_id = ${sold.neighbour.id}`.execute(product.db)
    await status('disabled')
    const answer = await addKey(sold.neighbour.customer)
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict'])
    await status('active')
  })
})

describe('a customer', () => {
  it('is told who it is, and nothing of how its partner stands', async () => {
    const key = await keyOf(sold.shop.customer)
    const { status, body } = await call('/v1/me', { key })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      level: 'customer',
      role: 'owner',
      partner: world.shop.partner,
      partner_status: null,
      customer: sold.shop.customer,
      scopes: ['read'],
    })
  })

  it('sees itself, its subscriptions and its keys', async () => {
    const key = await keyOf(sold.shop.customer)
    const ids = async (path: string) => rows(await call(path, { key })).map(({ id }) => id)
    expect(await ids('/v1/customers?limit=100')).toEqual([sold.shop.customer])
    expect(await ids('/v1/subscriptions?limit=100')).toEqual([sold.shop.subscription])
    const { rows: own } = await sql<{ lastFour: string }>`
      select last_four from api_keys where customer_id = ${sold.shop.id}`.execute(product.db)
    const keys = rows(await call('/v1/api-keys?limit=100', { key }))
    expect(keys.map(({ last_four }) => last_four).sort()).toEqual(
      own.map(({ lastFour }) => lastFour).sort(),
    )
    const packages = rows(await call('/v1/packages?limit=100', { key }))
    expect(packages.length).toBeGreaterThan(0)
  })

  it('sees no other customer, not even a neighbour of the same partner', async () => {
    const key = await ownerKeyOf(sold.shop.customer)
    for (const name of ['neighbour', ...placeNames] as const) {
      if (name === 'shop') continue
      const { customer, subscription } = sold[name]
      const strangers = [key]
      await expectHidden(call, { route: 'GET /v1/customers/:id', id: customer, strangers })
      await expectHidden(call, { route: 'GET /v1/subscriptions/:id', id: subscription, strangers })
    }
    const others = rows(await call('/v1/api-keys?limit=100', { key: world.shop.key }))
    for (const route of ['GET /v1/api-keys/:id', 'DELETE /v1/api-keys/:id']) {
      await expectHidden(call, { route, id: String(others[0]?.id), strangers: [key] })
    }
  })

  it('sees nothing of the business of its partner, in the API and in the database', async () => {
    const key = await ownerKeyOf(sold.shop.customer)
    for (const path of [
      ...['/v1/accruals', '/v1/clawbacks', '/v1/statements', '/v1/payouts', '/v1/links'],
      ...['/v1/partners', '/v1/tenants', '/v1/tiers/changes', '/v1/applications'],
      '/v1/settlement-runs',
    ]) {
      const { status, body } = await call(path, { key })
      expect([path, status, body.code]).toEqual([path, 403, 'level_not_allowed'])
    }
    const context = contextAt('customer', world.shop.id, { customerId: sold.shop.id })
    for (const table of [
      ...['partners', 'accruals', 'clawbacks', 'statements', 'payouts', 'partner_links'],
      ...['partner_tiers', 'tenants', 'adjustments', 'line_payments', 'invitations'],
    ]) {
      const count = await product.tenancy
        .withTenant(context, (trx) =>
          sql<{ found: number }>`select count(*)::int as found from ${sql.table(table)}`.execute(
            trx,
          ),
        )
        .then(({ rows: [row] }) => row?.found)
        .catch((error: { code?: string }) => error.code)
      expect([table, [0, '42501'].includes(count ?? -1)]).toEqual([table, true])
    }
  })

  it('sees its own payments in the database, and nobody else’s', async () => {
    const { rows: paid } = await sql<{ customerId: string; payments: number }>`
      select customer_id, count(*)::int as payments from payments group by 1`.execute(product.db)
    const payer = paid[0]?.customerId ?? ''
    const seenBy = async (customerId: string) => {
      const context = contextAt('customer', world.shop.id, { customerId })
      const { rows: seen } = await product.tenancy.withTenant(context, (trx) =>
        sql<{ customerId: string }>`select customer_id from payments`.execute(trx),
      )
      return seen.map((row) => row.customerId)
    }
    expect(await seenBy(payer)).toEqual(Array(paid[0]?.payments).fill(payer))
    expect(await seenBy(sold.neighbour.id)).toEqual([])
  })

  it('lets nobody in on its own behalf, and sells nothing', async () => {
    const key = await ownerKeyOf(sold.shop.customer)
    for (const [path, body] of [
      [`/v1/customers/${sold.shop.customer}/members`, person()],
      [`/v1/customers/${sold.shop.customer}/api-keys`, { label: 'x' }],
      ['/v1/customers', person()],
      ['/v1/links', { name: 'x' }],
    ] as const) {
      const answer = await call(path, { method: 'POST', key, body })
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, 'level_not_allowed'])
    }
  })

  it('keeps its own keys', async () => {
    const key = await ownerKeyOf(sold.shop.customer)
    const form = { label: 'own', scopes: ['customers:read'] }
    const made = await call('/v1/api-keys', { method: 'POST', key, body: form })
    expect(made.status).toBe(201)
    const own = { key: String(made.body.key) }
    expect(rows(await call('/v1/customers', own)).map(({ id }) => id)).toEqual([sold.shop.customer])
    const path = `/v1/api-keys/${String(made.body.id)}`
    const rolled = await call(`${path}/roll`, { method: 'POST', key, body: { grace_seconds: 0 } })
    expect(rolled.status).toBe(201)
    expect((await call('/v1/customers', own)).status).toBe(401)
    const next = `/v1/api-keys/${String(rolled.body.id)}`
    expect((await call(next, { method: 'DELETE', key })).status).toBe(200)
  })
})

describe('the package of a customer', () => {
  it('says how often its programs may ask, all of them together', async () => {
    const { body } = await call('/v1/packages', {
      method: 'POST',
      key: world.owner.key,
      body: { name: 'Small', amount: 100, currency: 'USD', interval: 'month', api_per_minute: 2 },
    })
    expect(body.api_per_minute).toBe(2)
    const { customer, id } = sold.pier
    const keys = [
      await addKey(customer, {}, world.pier.key),
      await addKey(customer, {}, world.pier.key),
    ]
    await sql`update subscriptions set status = 'active',
      feature_package_id = ${uuidOf('featurePackage', String(body.id))}
      where customer_id = ${id}`.execute(product.db)
    const [first, second, third] = [keys[0], keys[1], keys[0]].map((made) => String(made?.body.key))
    expect((await call('/v1/me', { key: first ?? '' })).status).toBe(200)
    const last = await call('/v1/me', { key: second ?? '' })
    expect([last.status, last.headers.get('ratelimit')]).toEqual([
      200,
      expect.stringContaining('"package";r=0'),
    ])
    const refused = await call('/v1/me', { key: third ?? '' })
    expect([refused.status, refused.body['violated-policies']]).toEqual([429, ['package']])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

describe('letting people and programs of a customer in', () => {
  it.each(routes)('is for the partner that sells to it alone: %s', async (route) => {
    const body = route.endsWith('members') ? person() : { label: 'x' }
    const { north, market, corner, south, pier } = world
    await expectHidden(call, {
      route,
      id: sold.shop.customer,
      strangers: [north, market, corner, south, pier].map(({ key }) => key),
      body,
    })
  })

  itIsClosedTo(['super_admin'], routes, () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, routes)
})
