import fc from 'fast-check'
import {
  basisPoints,
  downToStep,
  floorShare,
  growthShare,
  larger,
  type Rate,
  smaller,
  splitWhole,
  spread,
  sum,
  wireAmount,
} from '../../domain/money.ts'
import { propertyRuns } from '../support/runs.ts'
import {
  byLargestRemainder,
  type Fraction,
  floorOf,
  fraction,
  isLess,
  minus,
  times,
  total,
} from './fractions.ts'

const amounts = fc.oneof(
  fc.bigInt({ min: 0n, max: 60n }),
  fc.bigInt({ min: 0n, max: 1_000_000n }),
  fc.bigInt({ min: 0n, max: 2n ** 62n }),
)

const denominators = fc.oneof(
  fc.constantFrom(2n, 3n, 4n, 7n, 100n, 10_000n),
  fc.bigInt({ min: 1n, max: 10_000n }),
)

/** Up to five rates that together leave something or nothing, never less. */
const rates: fc.Arbitrary<Rate[]> = fc.integer({ min: 1, max: 5 }).chain((count) => {
  const rate = denominators.chain((den) =>
    fc.record({ num: fc.bigInt({ min: 0n, max: den / BigInt(count) }), den: fc.constant(den) }),
  )
  return fc.array(rate, { minLength: count, maxLength: count })
})

const exactShare = (base: bigint, { num, den }: Rate): Fraction =>
  times(fraction(base), fraction(num, den))

/** The exact shares, and what they leave as the last. */
function exactSplit(base: bigint, given: Rate[]): Fraction[] {
  const shares = given.map((rate) => exactShare(base, rate))
  return [...shares, minus(fraction(base), total(shares))]
}

function isWithinOneUnit(amount: bigint, exact: Fraction): boolean {
  const apart = minus(fraction(amount), exact)
  return isLess(apart, fraction(1n)) && isLess(fraction(-1n), apart)
}

describe('splitWhole', () => {
  test('gives every unit of the base to somebody, and to nobody a negative share', () => {
    fc.assert(
      fc.property(amounts, rates, (base, given) => {
        const { shares, rest } = splitWhole(base, given)
        expect(sum(shares) + rest).toBe(base)
        expect([...shares, rest].every((share) => share >= 0n)).toBe(true)
      }),
      { numRuns: propertyRuns },
    )
  })

  test('keeps every share and the rest within one unit of the exact one', () => {
    fc.assert(
      fc.property(amounts, rates, (base, given) => {
        const { shares, rest } = splitWhole(base, given)
        const exact = exactSplit(base, given)
        const near = [...shares, rest].map((share, i) =>
          isWithinOneUnit(share, exact[i] ?? fraction(0n)),
        )
        expect(near).not.toContain(false)
      }),
      { numRuns: propertyRuns },
    )
  })

  test('agrees with exact fractions on who gets the units that floors leave over', () => {
    fc.assert(
      fc.property(amounts, rates, (base, given) => {
        const { shares, rest } = splitWhole(base, given)
        expect([...shares, rest]).toEqual(byLargestRemainder(exactSplit(base, given)))
      }),
      { numRuns: propertyRuns },
    )
  })

  test('lets the smaller depth win a tie, and the platform lose every tie', () => {
    const third = { num: 1n, den: 3n }
    expect(splitWhole(1_000n, [third, third])).toEqual({ shares: [334n, 333n], rest: 333n })
    expect(splitWhole(1_001n, [third, third])).toEqual({ shares: [334n, 334n], rest: 333n })
    const half = { num: 1n, den: 2n }
    expect(splitWhole(1n, [half, half])).toEqual({ shares: [1n, 0n], rest: 0n })
    expect(splitWhole(1n, [half])).toEqual({ shares: [1n], rest: 0n })
  })

  test('leaves all of the base where nobody has a rate', () => {
    expect(splitWhole(12_345n, [])).toEqual({ shares: [], rest: 12_345n })
    expect(splitWhole(0n, [basisPoints(2_000)])).toEqual({ shares: [0n], rest: 0n })
  })

  test('is not for totals that grow: one unit more takes a unit from the second partner', () => {
    const given = [basisPoints(1_500), basisPoints(333)]
    expect(splitWhole(17n, given)).toEqual({ shares: [2n, 1n], rest: 14n })
    expect(splitWhole(18n, given)).toEqual({ shares: [3n, 0n], rest: 15n })
  })
})

describe('spread', () => {
  const wanted = fc
    .array(amounts, { minLength: 1, maxLength: 8 })
    .chain((rooms) =>
      fc.record({ amount: fc.bigInt({ min: 0n, max: sum(rooms) }), rooms: fc.constant(rooms) }),
    )

  test('adds up to the amount, and no part takes more than its room', () => {
    fc.assert(
      fc.property(wanted, ({ amount, rooms }) => {
        const parts = spread(amount, rooms)
        expect(sum(parts)).toBe(amount)
        expect(parts.every((part, i) => part >= 0n && part <= (rooms[i] ?? -1n))).toBe(true)
      }),
      { numRuns: propertyRuns },
    )
  })

  test('follows the rooms in proportion, as exact fractions do', () => {
    fc.assert(
      fc.property(wanted, ({ amount, rooms }) => {
        const room = sum(rooms)
        const exact = rooms.map((one) => fraction(amount * one, room === 0n ? 1n : room))
        expect(spread(amount, rooms)).toEqual(byLargestRemainder(exact))
      }),
      { numRuns: propertyRuns },
    )
  })

  test('refuses an amount for which there is no room', () => {
    expect(() => spread(11n, [5n, 5n])).toThrow(RangeError)
    expect(() => spread(1n, [])).toThrow(RangeError)
    expect(spread(10n, [5n, 5n])).toEqual([5n, 5n])
    expect(spread(0n, [0n, 0n])).toEqual([0n, 0n])
  })
})

describe('growthShare', () => {
  const growing = fc.record({
    parts: fc.array(amounts, { minLength: 1, maxLength: 12 }),
    rate: denominators.chain((den) =>
      fc.record({ num: fc.bigInt({ min: 0n, max: den }), den: fc.constant(den) }),
    ),
  })

  test('never takes back, and after every part the sum is the floor of the exact share', () => {
    fc.assert(
      fc.property(growing, ({ parts, rate }) => {
        let base = 0n
        let booked = 0n
        for (const part of parts) {
          base += part
          const share = growthShare(base, rate, booked)
          expect(share >= 0n).toBe(true)
          booked += share
          expect(booked).toBe(floorOf(exactShare(base, rate)))
        }
      }),
      { numRuns: propertyRuns },
    )
  })

  test('gives the same in all, however the total came in', () => {
    fc.assert(
      fc.property(growing, ({ parts, rate }) => {
        let base = 0n
        let booked = 0n
        for (const part of parts) {
          base += part
          booked += growthShare(base, rate, booked)
        }
        expect(booked).toBe(floorShare(sum(parts), rate))
      }),
      { numRuns: propertyRuns },
    )
  })
})

describe('downToStep', () => {
  test('is the largest whole number of steps within the amount', () => {
    fc.assert(
      fc.property(amounts, fc.constantFrom(1n, 10n, 100n), (amount, step) => {
        const stepped = downToStep(amount, step)
        expect(stepped % step).toBe(0n)
        expect(stepped <= amount && amount < stepped + step).toBe(true)
      }),
      { numRuns: propertyRuns },
    )
  })
})

describe('wireAmount', () => {
  const largest = 2n ** 53n - 1n

  test('keeps every amount that a JSON integer holds', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -largest, max: largest }), (amount) => {
        expect(BigInt(wireAmount(amount))).toBe(amount)
      }),
      { numRuns: propertyRuns },
    )
    expect(wireAmount(largest)).toBe(9_007_199_254_740_991)
    expect(wireAmount(-largest)).toBe(-9_007_199_254_740_991)
  })

  test('refuses every amount beyond 2^53-1, on either side of zero', () => {
    for (const amount of [largest + 1n, -largest - 1n, 2n ** 63n, -(2n ** 63n)]) {
      expect(() => wireAmount(amount)).toThrow(RangeError)
    }
  })
})

describe('small arithmetic', () => {
  test('compares and adds whole numbers of any size', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(), { minLength: 2 }), (given) => {
        const [a = 0n, b = 0n] = given
        expect(larger(a, b) + smaller(a, b)).toBe(a + b)
        expect(larger(a, b) >= smaller(a, b)).toBe(true)
        expect(sum(given)).toBe(total(given.map((one) => fraction(one))).num)
      }),
      { numRuns: propertyRuns },
    )
    expect(sum([])).toBe(0n)
  })

  test('takes 29 % of 100 as 29, where floats make it 28', () => {
    expect(Math.trunc(100 * (29 / 100))).toBe(28)
    expect(floorShare(100n, basisPoints(2_900))).toBe(29n)
  })
})
