import { DomainError, isDomainError } from '../../domain/errors.ts'

describe('a refusal of the product', () => {
  const refusal = new DomainError('not_payable', 'there is nothing to pay', { payable: 0 })

  test('carries its code, its words and its details', () => {
    expect(refusal).toBeInstanceOf(Error)
    expect(refusal).toMatchObject({
      name: 'DomainError',
      code: 'not_payable',
      message: 'there is nothing to pay',
      details: { payable: 0 },
    })
    expect(new DomainError('gone', 'gone').details).toEqual({})
  })

  test('is told apart from other errors, and by its code from other refusals', () => {
    expect(isDomainError(refusal)).toBe(true)
    expect(isDomainError(refusal, 'not_payable')).toBe(true)
    expect(isDomainError(refusal, 'gone')).toBe(false)
    expect(isDomainError(new Error('not_payable'))).toBe(false)
    expect(isDomainError({ code: 'not_payable' }, 'not_payable')).toBe(false)
    expect(isDomainError(undefined)).toBe(false)
  })
})
