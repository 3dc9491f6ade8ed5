import Stripe from 'stripe'
import { type Kit, problemOf, secretKey, startKit, stripeAt } from './kit.ts'

let kit: Kit
let stripe: Stripe
beforeAll(async () => {
  kit = await startKit()
  stripe = kit.stripe
})
afterAll(() => kit.stop())

describe('customers', () => {
  test('a customer is created, read, changed and found by its e-mail', async () => {
    const made = await stripe.customers.create({
      name: 'Ada',
      email: 'ada@example.test',
      address: { country: 'GB', line1: '1 Street' },
      metadata: { customer: 'cus_ours' },
    })
    expect(made).toMatchObject({ object: 'customer', livemode: false, name: 'Ada' })
    expect(made.metadata).toEqual({ customer: 'cus_ours' })
    expect(made.address).toMatchObject({ country: 'GB', city: null })
    expect(await stripe.customers.retrieve(made.id)).toMatchObject({ email: 'ada@example.test' })
    const changed = await stripe.customers.update(made.id, {
      name: 'Ada L.',
      metadata: { customer: '', tier: 'gold' },
    })
    expect(changed).toMatchObject({ name: 'Ada L.', metadata: { tier: 'gold' } })
    const listed = await stripe.customers.list({ email: 'ada@example.test' })
    expect(listed.data.map(({ id }) => id)).toEqual([made.id])
  })

  test('lists are newest first, go on after a cursor, and say whether there is more', async () => {
    const email = 'paged@example.test'
    const ids: string[] = []
    for (let n = 0; n < 5; n += 1) ids.push((await stripe.customers.create({ email })).id)
    const first = await stripe.customers.list({ email, limit: 2 })
    expect(first.data.map(({ id }) => id)).toEqual([ids[4], ids[3]])
    expect(first.has_more).toBe(true)
    const all: string[] = []
    for await (const one of stripe.customers.list({ email, limit: 2 })) all.push(one.id)
    expect(all).toEqual(ids.toReversed())
    const before = await stripe.customers.list({ email, limit: 2, ending_before: ids[1] as string })
    expect(before.data.map(({ id }) => id)).toEqual([ids[3], ids[2]])
  })
})

describe('products and prices', () => {
  test('a monthly price hangs on its product and is found by its lookup key', async () => {
    const product = await stripe.products.create({ name: 'Basic', metadata: { package: 'pkg_1' } })
    const price = await stripe.prices.create({
      currency: 'USD',
      unit_amount: 1000,
      product: product.id,
      recurring: { interval: 'month' },
      lookup_key: 'pkg_1:usd:1000',
    })
    expect(price).toMatchObject({ currency: 'usd', type: 'recurring', product: product.id })
    expect(price.recurring).toMatchObject({ interval: 'month', interval_count: 1 })
    expect(String(price.unit_amount_decimal)).toBe('1000')
    const { data } = await stripe.prices.list({
      lookup_keys: ['pkg_1:usd:1000'],
      expand: ['data.product'],
    })
    expect(data).toHaveLength(1)
    expect(data[0]?.product).toMatchObject({ name: 'Basic', metadata: { package: 'pkg_1' } })
  })

  test('a lookup key goes to another price only when that is asked for', async () => {
    const order = {
      currency: 'usd',
      unit_amount: 1,
      product_data: { name: 'Key' },
      lookup_key: 'taken',
    }
    const old = await stripe.prices.create(order)
    const refused = await problemOf(stripe.prices.create(order))
    expect(refused).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError)
    const next = await stripe.prices.create({ ...order, transfer_lookup_key: true })
    expect(next.lookup_key).toBe('taken')
    expect((await stripe.prices.retrieve(old.id)).lookup_key).toBeNull()
  })

  test('products and prices can be renamed and retired', async () => {
    const product = await stripe.products.create({ id: 'prod_own_id', name: 'Own id' })
    expect(product.id).toBe('prod_own_id')
    const again = await problemOf(stripe.products.create({ id: 'prod_own_id', name: 'Again' }))
    expect(again.code).toBe('resource_already_exists')
    const renamed = await stripe.products.update(product.id, { name: 'Other', active: false })
    expect(renamed).toMatchObject({ name: 'Other', active: false })
    expect((await stripe.products.list({ active: false })).data).toHaveLength(1)
    const price = await stripe.prices.create({
      currency: 'eur',
      unit_amount: 5,
      product: product.id,
    })
    expect((await stripe.prices.update(price.id, { active: false })).active).toBe(false)
    expect((await stripe.prices.list({ product: product.id, active: true })).data).toEqual([])
  })
})

describe('errors have the shape that the SDK turns into its classes', () => {
  test('no key and a wrong key are authentication errors', async () => {
    const wrong = stripeAt(kit.sandbox, 'sk_test_somebody_else')
    const problem = await problemOf(wrong.customers.list())
    expect(problem).toBeInstanceOf(Stripe.errors.StripeAuthenticationError)
    expect(problem.message).not.toContain('somebody')
    const bare = await fetch(`${kit.sandbox.url}/v1/customers`)
    expect(bare.status).toBe(401)
  })

  test('an unknown object is a 404 resource_missing, in a parameter a 400', async () => {
    const problem = await problemOf(stripe.customers.retrieve('cus_nobody'))
    expect(problem).toMatchObject({ statusCode: 404, code: 'resource_missing', param: 'id' })
    expect(problem).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError)
    expect(problem.requestId).toMatch(/^req_/)
    const named = await problemOf(
      stripe.subscriptions.create({ customer: 'cus_nobody', items: [{ price: 'price_x' }] }),
    )
    expect(named).toMatchObject({ statusCode: 400, code: 'resource_missing', param: 'customer' })
  })

  test.each([
    ['an unknown field', 'color', 'parameter_unknown', { name: 'A', color: 'red' }],
    ['a missing field', 'name', 'parameter_missing', {}],
    ['an empty field', 'name', 'parameter_invalid_empty', { name: '' }],
    [
      'a long metadata key',
      'metadata',
      undefined,
      { name: 'A', metadata: { ['k'.repeat(41)]: 'v' } },
    ],
    [
      'a long metadata value',
      'metadata[k]',
      undefined,
      { name: 'A', metadata: { k: 'v'.repeat(501) } },
    ],
  ])('%s is refused, and the error names %s', async (_what, param, code, params) => {
    const problem = await problemOf(stripe.products.create(params as { name: string }))
    expect(problem).toMatchObject({ statusCode: 400, param })
    expect(problem.code).toBe(code)
  })

  test('numbers, booleans, currencies and properties to expand are checked', async () => {
    const price = { currency: 'usd', unit_amount: 1, product_data: { name: 'A' } }
    const many = [
      stripe.prices.create({ ...price, unit_amount: 1.5 }),
      stripe.prices.create({ ...price, currency: 'xxx' }),
      stripe.prices.create({ ...price, active: 'yes' as never }),
      stripe.prices.create({ ...price, currency: 'isk', unit_amount: 150 }),
      stripe.prices.create({ ...price, currency: 'kwd', unit_amount: 1234 }),
      stripe.customers.list({ limit: 101 }),
    ]
    for (const call of many) expect((await problemOf(call)).statusCode).toBe(400)
    const odd = await problemOf(stripe.customers.list({ expand: ['data.email'] }))
    expect(odd.message).toContain('cannot be expanded')
  })

  test('another API version and an unknown address are refused', async () => {
    const headers = { Authorization: `Bearer ${secretKey}` }
    const versioned = await fetch(`${kit.sandbox.url}/v1/customers`, {
      headers: { ...headers, 'Stripe-Version': '2020-08-27' },
    })
    expect(versioned.status).toBe(400)
    const unknown = await fetch(`${kit.sandbox.url}/v1/unicorns`, { headers })
    expect(unknown.status).toBe(404)
    expect(unknown.headers.get('stripe-version')).toBe(Stripe.API_VERSION)
  })
})
