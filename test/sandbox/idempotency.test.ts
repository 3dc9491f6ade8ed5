import Stripe from 'stripe'
import { type Kit, problemOf, recipient, secretKey, startKit, subscribe } from './kit.ts'

let kit: Kit
let stripe: Stripe
beforeAll(async () => {
  kit = await startKit()
  stripe = kit.stripe
})
afterEach(() => fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' }))
afterAll(() => kit.stop())

async function countCustomers(name: string): Promise<number> {
  return (await kit.list('customers')).filter((one) => one.name === name).length
}

interface Raw {
  status: number
  headers: Headers
  text: string
}

async function raw(path: string, key: string, form: Record<string, string>): Promise<Raw> {
  const reply = await fetch(`${kit.sandbox.url}${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${secretKey}`, 'Idempotency-Key': key },
    body: new URLSearchParams(form),
  })
  return { status: reply.status, headers: reply.headers, text: await reply.text() }
}

describe('the same key again', () => {
  test('gets the same bytes, marked as a replay, and nothing happens twice', async () => {
    const first = await raw('/v1/customers', 'key-replay', { name: 'Replay' })
    const second = await raw('/v1/customers', 'key-replay', { name: 'Replay' })
    expect(second.text).toBe(first.text)
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(second.headers.get('original-request')).toBe(first.headers.get('request-id'))
    expect(await countCustomers('Replay')).toBe(1)
  })

  test('with other parameters or for another address is an idempotency error', async () => {
    const options = { idempotencyKey: 'key-mismatch' }
    await stripe.customers.create({ name: 'Mismatch' }, options)
    const other = await problemOf(stripe.customers.create({ name: 'Other' }, options))
    expect(other).toBeInstanceOf(Stripe.errors.StripeIdempotencyError)
    expect(other.statusCode).toBe(400)
    const elsewhere = await problemOf(stripe.products.create({ name: 'Mismatch' }, options))
    expect(elsewhere).toBeInstanceOf(Stripe.errors.StripeIdempotencyError)
  })

  test('in another order of the same parameters is the same request', async () => {
    await raw('/v1/customers', 'key-order', { name: 'Order', email: 'a@b.test' })
    const second = await raw('/v1/customers', 'key-order', { email: 'a@b.test', name: 'Order' })
    expect(second.headers.get('idempotent-replayed')).toBe('true')
  })

  test('while the first request still runs is a conflict', async () => {
    await kit.post('/faults', { vendor: 'stripe', kind: 'slow_request', ms: 2_000 })
    const first = raw('/v1/customers', 'key-in-use', { name: 'Slow' })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const second = await raw('/v1/customers', 'key-in-use', { name: 'Slow' })
    expect(second.status).toBe(409)
    expect(JSON.parse(second.text).error.code).toBe('idempotency_key_in_use')
    expect((await first).status).toBe(200)
    expect(await countCustomers('Slow')).toBe(1)
  })

  test('may be used again after a request that was wrong in itself', async () => {
    const options = { idempotencyKey: 'key-invalid' }
    const wrong = await problemOf(stripe.products.create({ name: '' }, options))
    expect(wrong.code).toBe('parameter_invalid_empty')
    expect((await stripe.products.create({ name: 'Right' }, options)).name).toBe('Right')
  })

  test('repeats a refusal, although it would succeed by now', async () => {
    const destination = await recipient(kit)
    await kit.post('/balance', { currency: 'chf', amount: 0 })
    const order = { amount: 100, currency: 'chf', destination }
    const options = { idempotencyKey: 'key-refusal' }
    const short = await problemOf(stripe.transfers.create(order, options))
    expect(short.code).toBe('balance_insufficient')
    await kit.post('/balance', { currency: 'chf', amount: 1000 })
    const again = await problemOf(stripe.transfers.create(order, options))
    expect(again.code).toBe('balance_insufficient')
    expect(again.headers?.['idempotent-replayed']).toBe('true')
    const next = await stripe.transfers.create(order, { idempotencyKey: 'key-refusal-2' })
    expect(next.amount).toBe(100)
  })

  test('in the v2 API repeats a success and tries a failure again', async () => {
    const options = { idempotencyKey: 'key-v2' }
    await problemOf(stripe.v2.core.accounts.create({ display_name: 'X' }, options))
    const order = { display_name: 'X', identity: { country: 'us' } } as const
    const made = await stripe.v2.core.accounts.create(order, options)
    const again = await stripe.v2.core.accounts.create(order, options)
    expect(again.id).toBe(made.id)
    const other = await problemOf(
      stripe.v2.core.accounts.create({ ...order, display_name: 'Y' }, options),
    )
    expect(other).toBeInstanceOf(Stripe.errors.StripeIdempotencyError)
  })
})

describe('armed faults', () => {
  test('an answer lost after the commit keeps the effect, and the key finds it', async () => {
    // The SDK repeats a reset connection once by itself, so two answers must be lost.
    await kit.post('/faults', { vendor: 'stripe', kind: 'timeout_after_commit', count: 2 })
    const options = { idempotencyKey: 'key-lost' }
    const lost = await problemOf(stripe.customers.create({ name: 'Lost' }, options))
    expect(lost).toBeInstanceOf(Stripe.errors.StripeConnectionError)
    expect(await countCustomers('Lost')).toBe(1)
    const found = await stripe.customers.create({ name: 'Lost' }, options)
    expect(found.lastResponse.headers['idempotent-replayed']).toBe('true')
    expect(await countCustomers('Lost')).toBe(1)
  })

  test('one lost answer is repaired by the SDK itself', async () => {
    await kit.post('/faults', { vendor: 'stripe', kind: 'timeout_after_commit' })
    const made = await stripe.customers.create({ name: 'Once' })
    expect(made.lastResponse.headers['idempotent-replayed']).toBe('true')
    expect(await countCustomers('Once')).toBe(1)
  })

  test('a 429 is a rate limit error with a time to wait, and a 500 does nothing', async () => {
    await kit.post('/faults', { vendor: 'stripe', kind: 'error_429', path: '/v1/customers' })
    await kit.post('/faults', { vendor: 'stripe', kind: 'error_500', path: '/v1/customers' })
    expect((await stripe.products.list()).data).toBeDefined()
    const limited = await problemOf(stripe.customers.list())
    expect(limited).toBeInstanceOf(Stripe.errors.StripeRateLimitError)
    expect(limited.headers?.['retry-after']).toBe('1')
    const options = { idempotencyKey: 'key-500' }
    const broken = await problemOf(stripe.customers.create({ name: 'Broken' }, options))
    expect(broken).toBeInstanceOf(Stripe.errors.StripeAPIError)
    expect(await countCustomers('Broken')).toBe(0)
    expect((await stripe.customers.create({ name: 'Broken' }, options)).name).toBe('Broken')
    expect(await kit.list('faults')).toMatchObject([
      { fired: 1, count: 0 },
      { fired: 1, count: 0 },
    ])
  })

  test('a stored 500 is repeated for its key, as the v1 API does', async () => {
    await kit.post('/faults', { vendor: 'stripe', kind: 'error_500', stored: true })
    const options = { idempotencyKey: 'key-500-stored' }
    const order = { name: 'Stuck' }
    expect((await problemOf(stripe.customers.create(order, options))).statusCode).toBe(500)
    const again = await problemOf(stripe.customers.create(order, options))
    expect(again.headers?.['idempotent-replayed']).toBe('true')
    expect((await stripe.customers.create(order)).name).toBe('Stuck')
  })

  test('with a rate strike the same requests again under the same seed', async () => {
    const pattern = async (): Promise<string> => {
      const other = await startKit({ seed: 42 })
      await other.post('/faults', { vendor: 'stripe', kind: 'error_500', rate: 0.5 })
      let hits = ''
      for (let n = 0; n < 12; n += 1) {
        hits += await other.stripe.customers.list().then(
          () => '.',
          () => 'x',
        )
      }
      await other.stop()
      return hits
    }
    const first = await pattern()
    expect(first).toMatch(/x/)
    expect(first).toMatch(/\./)
    expect(await pattern()).toBe(first)
  })

  test('are cleared together', async () => {
    await kit.post('/faults', { vendor: 'stripe', kind: 'error_500', rate: 1 })
    await fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
    expect((await stripe.customers.list()).data).toBeDefined()
    await subscribe(stripe)
  })
})
