import { VendorError, withDeadline } from '../../integrations/vendor-error.ts'
import { vendorErrorOf } from './kit.ts'

describe('an error of a vendor in our words', () => {
  test('says vendor, code and what to do about it in one line', () => {
    const error = new VendorError({
      vendor: 'docusign',
      failure: 'throttled',
      code: 'HOURLY_APIINVOCATION_LIMIT_EXCEEDED',
      message: 'answered 429',
      retryAfterSeconds: 30,
    })
    expect(error.message).toBe('docusign: answered 429 (HOURLY_APIINVOCATION_LIMIT_EXCEEDED)')
    expect(error).toMatchObject({
      name: 'VendorError',
      failure: 'throttled',
      retryAfterSeconds: 30,
    })
    expect(error).not.toHaveProperty('cause')
  })
})

describe('a call within a deadline', () => {
  const limit = { vendor: 'mail' as const, ms: 20 }

  test('gives its result when it is in time', async () => {
    await expect(withDeadline(Promise.resolve(42), limit)).resolves.toBe(42)
  })

  test('gives its own error when it fails in time', async () => {
    const own = new Error('refused')
    await expect(withDeadline(Promise.reject(own), limit)).rejects.toBe(own)
  })

  test('that never ends is given up as unknown', async () => {
    const error = await vendorErrorOf(withDeadline(new Promise(() => {}), limit))
    expect(error).toMatchObject({ vendor: 'mail', failure: 'unknown', code: 'timeout' })
    expect(error.message).toContain('20 ms')
  })

  test('that fails after it was given up disturbs nobody', async () => {
    let fail: (error: Error) => void = () => {}
    const late = new Promise<never>((_, reject) => {
      fail = reject
    })
    await vendorErrorOf(withDeadline(late, limit))
    fail(new Error('too late'))
    await new Promise((resolve) => setImmediate(resolve))
  })
})
