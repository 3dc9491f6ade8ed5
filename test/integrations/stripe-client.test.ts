import { inspect } from 'node:util'
import Stripe from 'stripe'
import { callStripe, createStripe } from '../../integrations/stripe-client.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import { secretKey } from '../sandbox/kit.ts'
import { type ScriptedVendor, startScriptedVendor, stripeFor, vendorErrorOf } from './kit.ts'

let vendor: ScriptedVendor
let stripe: Stripe
beforeAll(async () => {
  vendor = await startScriptedVendor()
  stripe = stripeFor(vendor)
})
afterAll(() => vendor.close())

const read = () => callStripe(stripe.customers.retrieve('cus_1'))

/** Answers every request with this refusal. */
function refuse(status: number, error: object, headers: Record<string, string> = {}): void {
  vendor.answer(() => ({ status, headers, body: { error } }))
}

describe('the client', () => {
  test('asks the configured place, with its key and version, and tells nobody else', async () => {
    vendor.answer(() => ({ body: { id: 'cus_1', object: 'customer' } }))
    for (let call = 0; call < 2; call++) expect((await read()).id).toBe('cus_1')
    const one = vendor.asked.at(-1)
    expect(one).toMatchObject({ method: 'GET', path: '/v1/customers/cus_1' })
    expect(one?.headers).toMatchObject({
      authorization: `Bearer ${secretKey}`,
      'stripe-version': '2026-10-28.endive',
      'user-agent': expect.stringContaining('tributary'),
    })
    expect(one?.headers).not.toHaveProperty('x-stripe-client-telemetry')
  })

  test('takes a path behind the address as no part of it', async () => {
    const odd = createStripe({ secretKey, apiBase: `${vendor.url}/` })
    expect((await odd.customers.retrieve('cus_1')).id).toBe('cus_1')
    expect(vendor.asked.at(-1)?.path).toBe('/v1/customers/cus_1')
  })

  test('never repeats a call on its own after an error: that is for the process to decide', async () => {
    for (const status of [409, 429, 500, 503]) {
      refuse(status, { type: 'api_error', message: 'no' })
      const before = vendor.asked.length
      await vendorErrorOf(read())
      expect(vendor.asked.length - before).toBe(1)
    }
  })
})

describe('an error of the vendor', () => {
  test.each([
    [400, 'invalid_request_error', 'balance_insufficient', 'rejected'],
    [401, 'invalid_request_error', undefined, 'rejected'],
    [402, 'card_error', 'card_declined', 'rejected'],
    [403, 'invalid_request_error', 'account_invalid', 'rejected'],
    [404, 'invalid_request_error', 'resource_missing', 'rejected'],
    [409, 'idempotency_error', 'idempotency_key_in_use', 'unknown'],
    [429, 'invalid_request_error', 'rate_limit', 'throttled'],
    [500, 'api_error', undefined, 'unknown'],
    [502, 'api_error', undefined, 'unknown'],
    [503, 'api_error', 'lock_timeout', 'unknown'],
  ])('of status %i (%s, %s) is %s', async (status, type, code, failure) => {
    refuse(status, { type, code, message: 'no' })
    const error = await vendorErrorOf(read())
    expect(error).toMatchObject({ name: 'VendorError', vendor: 'stripe', failure })
    expect(error.code).toBe(code ?? type)
  })

  test('says when to ask again, where the vendor says so', async () => {
    const throttled = { type: 'invalid_request_error', code: 'rate_limit', message: 'slow' }
    refuse(429, throttled, { 'Retry-After': '7' })
    expect((await vendorErrorOf(read())).retryAfterSeconds).toBe(7)
    refuse(429, throttled)
    expect((await vendorErrorOf(read())).retryAfterSeconds).toBeUndefined()
  })

  test('whose answer cannot be read may have happened', async () => {
    vendor.answer(() => ({ status: 502, body: '<html>Bad gateway</html>' }))
    expect((await vendorErrorOf(read())).failure).toBe('unknown')
    vendor.answer(() => ({ status: 200, body: '{"id": "cus_1", "obj' }))
    expect((await vendorErrorOf(read())).failure).toBe('unknown')
  })

  test('that is a lost or refused connection may have happened', async () => {
    vendor.answer(() => 'cut')
    expect(await vendorErrorOf(read())).toMatchObject({ failure: 'unknown', vendor: 'stripe' })
    const nobody = createStripe({ secretKey, apiBase: `http://127.0.0.1:${await freePort()}` })
    const refused = await vendorErrorOf(callStripe(nobody.customers.retrieve('cus_1')))
    expect(refused.failure).toBe('unknown')
  })

  test('repeats nothing of the vendor’s words, which can hold addresses and keys', async () => {
    refuse(400, {
      type: 'invalid_request_error',
      code: 'email_invalid',
      param: 'email',
      message: 'Invalid email address: ada@private.example',
    })
    const error = await vendorErrorOf(read())
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('ada@private.example')
    expect(error.message).toContain('400')
    expect(error.message).toContain('email_invalid')
  })

  test('names the request by which the vendor finds it', async () => {
    refuse(400, { type: 'invalid_request_error', message: 'no' }, { 'Request-Id': 'req_42' })
    expect((await vendorErrorOf(read())).message).toContain('req_42')
  })

  test('never shows the key', async () => {
    refuse(401, { type: 'invalid_request_error', message: `Invalid API Key: ${secretKey}` })
    const error = await vendorErrorOf(read())
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(secretKey)
  })
})

describe('an error that is not the vendor’s', () => {
  test('is left as it is', async () => {
    const ours = new TypeError('a mistake of ours')
    await expect(callStripe(Promise.reject(ours))).rejects.toBe(ours)
  })

  test('does not hide a call that was given up', async () => {
    const late = new Stripe.errors.StripeConnectionError({ message: 'timed out' } as never)
    expect((await vendorErrorOf(callStripe(Promise.reject(late)))).failure).toBe('unknown')
  })
})
