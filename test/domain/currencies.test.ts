import fc from 'fast-check'
import {
  currencies,
  currencyCodes,
  currencyOf,
  decimalAmount,
  formatAmount,
  formatFraction,
  formatMoney,
  fromStripeAmount,
  toStripeAmount,
} from '../../domain/currencies.ts'

const codes = fc.constantFrom(...currencyCodes)
const amounts = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n })

/** What a decimal text says, in minor units; refuses anything but digits, one point and a sign. */
function minorUnits(text: string, exponent: number): bigint {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === '' || fraction.length !== exponent) throw new Error(`not an amount: ${text}`)
  return BigInt(`${whole}${fraction}`) * (sign === '' ? 1n : -1n)
}

describe('formatMoney', () => {
  test.each([
    [1_234_567n, 'USD', '12,345.67 USD'],
    [5n, 'USD', '0.05 USD'],
    [-5n, 'USD', '-0.05 USD'],
    [-123_456_789n, 'EUR', '-1,234,567.89 EUR'],
    [0n, 'USD', '0.00 USD'],
    [1_980n, 'JPY', '1,980 JPY'],
    [-7n, 'JPY', '-7 JPY'],
    [0n, 'ISK', '0 ISK'],
    [12_340n, 'KWD', '12.340 KWD'],
    [-1n, 'KWD', '-0.001 KWD'],
    [1_000_000n, 'TND', '1,000.000 TND'],
  ])('shows %s minor units of %s as %s', (amount, code, text) => {
    expect(formatMoney(amount, code)).toBe(text)
    expect(formatAmount(amount, code)).toBe(text.slice(0, -4))
  })
})

describe('decimalAmount', () => {
  test('is a plain number with every decimal of the currency, and loses nothing', () => {
    fc.assert(
      fc.property(amounts, codes, (amount, code) => {
        const text = decimalAmount(amount, code)
        expect(minorUnits(text, currencyOf(code).exponent)).toBe(amount)
      }),
      { numRuns: 1_000 },
    )
  })

  test('differs from the amount for people by the groups only', () => {
    fc.assert(
      fc.property(amounts, codes, (amount, code) => {
        const grouped = formatAmount(amount, code)
        expect(grouped.replaceAll(',', '')).toBe(decimalAmount(amount, code))
        expect(grouped).toMatch(/^-?\d{1,3}(,\d{3})*(\.\d+)?$/)
      }),
      { numRuns: 500 },
    )
  })
})

describe('formatFraction', () => {
  test.each([
    [19_998n, 10n, 'USD', '19.998 USD'],
    [2_000n, 1n, 'USD', '20.00 USD'],
    [1_000n, 3n, 'USD', '3.333333 USD'],
    [1n, 2n, 'USD', '0.005 USD'],
    [-19_998n, 10n, 'USD', '-19.998 USD'],
    [-1n, 2n, 'USD', '-0.005 USD'],
    [495n, 2n, 'JPY', '247.5 JPY'],
    [1n, 2n, 'JPY', '0.5 JPY'],
    [-1n, 2n, 'JPY', '-0.5 JPY'],
    [247n, 1n, 'JPY', '247 JPY'],
    [0n, 7n, 'JPY', '0 JPY'],
    [18_511n, 10n, 'KWD', '1.8511 KWD'],
    [-18_511n, 10n, 'KWD', '-1.8511 KWD'],
  ])('shows %s/%s minor units of %s as %s', (num, den, code, text) => {
    expect(formatFraction({ num, den }, code)).toBe(text)
  })

  test('shows whole minor units just as money is shown', () => {
    fc.assert(
      fc.property(amounts, codes, (amount, code) => {
        expect(formatFraction({ num: amount, den: 1n }, code)).toBe(formatMoney(amount, code))
      }),
      { numRuns: 500 },
    )
  })
})

describe('amounts at Stripe', () => {
  test.each([
    ['ISK', 5n, 500],
    ['UGX', 5n, 500],
    ['JPY', 247n, 247],
    ['KWD', 1_850n, 1_850],
    ['USD', 9_999n, 9_999],
    ['HUF', 104_500n, 104_500],
    ['TWD', 104_500n, 104_500],
  ])('of %s: %s in the books is %i at Stripe', (code, amount, stripe) => {
    expect(toStripeAmount(amount, code)).toBe(stripe)
    expect(fromStripeAmount(stripe, code)).toBe(amount)
  })

  test('come back as they went, in every currency', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 13n }), codes, (amount, code) => {
        expect(fromStripeAmount(toStripeAmount(amount, code), code)).toBe(amount)
      }),
      { numRuns: 500 },
    )
  })

  test('that no JSON number can hold are refused instead of rounded', () => {
    const largest = 2n ** 53n - 1n
    expect(toStripeAmount(largest, 'USD')).toBe(Number.MAX_SAFE_INTEGER)
    expect(() => toStripeAmount(largest + 2n, 'USD')).toThrow(RangeError)
    expect(() => toStripeAmount(largest, 'ISK')).toThrow(RangeError)
  })
})

describe('the table of currencies', () => {
  test('has every code once, in order, with exponents and steps that fit together', () => {
    expect(currencyCodes).toEqual([...new Set(currencyCodes)].sort())
    for (const row of currencies) {
      expect(row.code).toMatch(/^[A-Z]{3}$/)
      expect([0, 2, 3]).toContain(row.exponent)
      expect(row.stripeExponent).toBeGreaterThanOrEqual(row.exponent)
      expect(row.payoutStep % row.chargeStep).toBe(0n)
    }
  })

  test.each([
    ['ISK', { exponent: 0, stripeExponent: 2, chargeStep: 1n, payoutStep: 1n }],
    ['UGX', { exponent: 0, stripeExponent: 2, chargeStep: 1n, payoutStep: 1n }],
    ['HUF', { exponent: 2, stripeExponent: 2, chargeStep: 1n, payoutStep: 100n }],
    ['TWD', { exponent: 2, stripeExponent: 2, chargeStep: 1n, payoutStep: 100n }],
    ['KWD', { exponent: 3, stripeExponent: 3, chargeStep: 10n, payoutStep: 10n }],
    ['JPY', { exponent: 0, stripeExponent: 0, chargeStep: 1n, payoutStep: 1n }],
    ['USD', { exponent: 2, stripeExponent: 2, chargeStep: 1n, payoutStep: 1n }],
  ])('knows the steps of %s', (code, expected) => {
    expect(currencyOf(code)).toEqual({ code, ...expected })
  })

  test.each(['ZZZ', 'usd', '', 'US', 'USDT'])('refuses the unknown code "%s"', (code) => {
    expect(() => currencyOf(code)).toThrow(`unknown currency ${code}`)
    expect(() => formatMoney(1n, code)).toThrow(RangeError)
    expect(() => decimalAmount(1n, code)).toThrow(RangeError)
    expect(() => formatFraction({ num: 1n, den: 1n }, code)).toThrow(RangeError)
    expect(() => toStripeAmount(1n, code)).toThrow(RangeError)
    expect(() => fromStripeAmount(1, code)).toThrow(RangeError)
  })
})
