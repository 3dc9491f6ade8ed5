import fc from 'fast-check'
import { clawBack, type ReversibleLine, reverseLines } from '../../domain/commission-reversals.ts'
import { sum } from '../../domain/money.ts'
import { propertyRuns } from '../support/runs.ts'
import { floorOf, fraction } from './fractions.ts'

interface Terms {
  base: bigint
  tax?: bigint
}

/** The lines of a payment on which nothing has gone back. */
function paidLines(...terms: Terms[]): ReversibleLine[] {
  return terms.map(({ base, tax = 0n }, i) => ({
    linePaymentId: `line ${i + 1}`,
    base,
    gross: base + tax,
    reversedGross: 0n,
  }))
}

/** The lines as they are after money went back, or came in again where the amount is negative. */
function afterwards(amount: bigint, lines: ReversibleLine[]): ReversibleLine[] {
  const reversed = reverseLines(amount, lines)
  return lines.map((line, i) => ({ ...line, reversedGross: reversed[i]?.reversedGross ?? -1n }))
}

const grossBack = (lines: ReversibleLine[]) => sum(lines.map((line) => line.reversedGross))

const somePayment = fc
  .array(
    fc.record({
      base: fc.bigInt({ min: 0n, max: 1_000_000n }),
      tax: fc.bigInt({ min: 0n, max: 250_000n }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((terms) => paidLines(...terms))

describe('money that goes back', () => {
  test('is spread over the lines in proportion to what is left of each', () => {
    const lines = paidLines({ base: 6_000n }, { base: 3_000n }, { base: 1_000n })
    expect(reverseLines(1_000n, lines).map((line) => line.reversedGross)).toEqual([
      600n,
      300n,
      100n,
    ])
    const uneven = afterwards(6_000n, paidLines({ base: 6_000n }, { base: 6_000n }))
    expect(uneven.map((line) => line.reversedGross)).toEqual([3_000n, 3_000n])
  })

  test('takes the tax with it, so that the base falls by its own part only', () => {
    const [line] = reverseLines(5_950n, paidLines({ base: 10_000n, tax: 1_900n }))
    expect(line).toEqual({
      linePaymentId: 'line 1',
      reversedGross: 5_950n,
      reversedBase: 5_000n,
    })
  })

  test('never exceeds the payment: a refund and a lost dispute are capped together', () => {
    const refunded = afterwards(3_333n, paidLines({ base: 9_999n }))
    const lost = reverseLines(9_999n, refunded)
    expect(lost).toEqual([{ linePaymentId: 'line 1', reversedGross: 9_999n, reversedBase: 9_999n }])
    expect(reverseLines(1n, afterwards(9_999n, refunded))).toEqual(lost)
  })

  test('has no effect on a payment of nothing', () => {
    expect(reverseLines(100n, paidLines({ base: 0n }))).toEqual([
      { linePaymentId: 'line 1', reversedGross: 0n, reversedBase: 0n },
    ])
    expect(reverseLines(100n, [])).toEqual([])
  })

  test('leaves every line between nothing and all of it, whatever happens in which order', () => {
    const signed = fc.bigInt({ min: -2_000_000n, max: 2_000_000n })
    fc.assert(
      fc.property(somePayment, fc.array(signed, { maxLength: 12 }), (payment, amounts) => {
        let lines = payment
        for (const amount of amounts) {
          const before = grossBack(lines)
          const reversed = reverseLines(amount, lines)
          lines = afterwards(amount, lines)
          for (const [i, { gross, base, reversedGross }] of lines.entries()) {
            expect(reversedGross >= 0n && reversedGross <= gross).toBe(true)
            const expected = gross === 0n ? 0n : floorOf(fraction(base * reversedGross, gross))
            expect(reversed[i]?.reversedBase).toBe(expected)
          }
          const all = sum(lines.map((line) => line.gross))
          const wanted = [0n, before + amount, all].toSorted((a, b) => Number(a - b))
          expect(grossBack(lines)).toBe(wanted[1])
        }
      }),
      { numRuns: propertyRuns },
    )
  })

  test('gives the whole base back once all the money is back, in however many steps', () => {
    const steps = fc.array(fc.bigInt({ min: 1n, max: 500_000n }), { maxLength: 10 })
    fc.assert(
      fc.property(somePayment, steps, (payment, amounts) => {
        let lines = payment
        for (const amount of amounts) lines = afterwards(amount, lines)
        const last = reverseLines(10n ** 9n, lines)
        const bases = payment.map((line) => (line.gross === 0n ? 0n : line.base))
        expect(last.map((line) => line.reversedBase)).toEqual(bases)
      }),
      { numRuns: propertyRuns },
    )
  })
})

describe('money that comes in again', () => {
  test('brings every line of a once refunded payment back to where it was', () => {
    const amount = fc.bigInt({ min: 0n, max: 5_000_000n })
    fc.assert(
      fc.property(somePayment, amount, (payment, refund) => {
        const refunded = afterwards(refund, payment)
        expect(afterwards(-grossBack(refunded), refunded)).toEqual(payment)
      }),
      { numRuns: propertyRuns },
    )
  })

  test('brings a payment of one line back to where it was, whatever went before', () => {
    const facts = fc.tuple(
      fc.bigInt({ min: 1n, max: 10_000n }),
      fc.bigInt({ min: 0n, max: 10_000n }),
      fc.bigInt({ min: 0n, max: 10_000n }),
    )
    fc.assert(
      fc.property(facts, ([base, first, second]) => {
        const before = afterwards(first, paidLines({ base, tax: 7n }))
        const both = afterwards(second, before)
        expect(afterwards(-(grossBack(both) - grossBack(before)), both)).toEqual(before)
      }),
      { numRuns: propertyRuns },
    )
  })

  test('never restores more than was taken', () => {
    const refunded = afterwards(300n, paidLines({ base: 500n }, { base: 400n }))
    expect(afterwards(-301n, refunded)).toEqual(paidLines({ base: 500n }, { base: 400n }))
  })
})

describe('clawBack', () => {
  /** What each of the reversals takes, one after the other. */
  function taken(accrual: { amount: bigint; base: bigint }, reversedBases: bigint[]): bigint[] {
    let clawedBack = 0n
    return reversedBases.map((reversedBase) => {
      const now = clawBack({ ...accrual, reversedBase, clawedBack })
      clawedBack += now
      return now
    })
  }

  test('takes 666, 667, 667 and 166, 167, 167 for three refunds of a third', () => {
    const thirds = [3_333n, 6_666n, 9_999n]
    expect(taken({ amount: 2_000n, base: 9_999n }, thirds)).toEqual([666n, 667n, 667n])
    expect(taken({ amount: 500n, base: 9_999n }, thirds)).toEqual([166n, 167n, 167n])
  })

  const accruals = fc.bigInt({ min: 1n, max: 10n ** 12n }).chain((base) =>
    fc.record({
      base: fc.constant(base),
      amount: fc.bigInt({ min: 0n, max: base }),
      reversedBases: fc.array(fc.bigInt({ min: 0n, max: base }), { minLength: 1, maxLength: 10 }),
    }),
  )

  test('never takes more than the accrual, and never less than nothing of it', () => {
    fc.assert(
      fc.property(accruals, ({ reversedBases, ...accrual }) => {
        let clawedBack = 0n
        for (const step of taken(accrual, reversedBases)) {
          clawedBack += step
          expect(clawedBack >= 0n && clawedBack <= accrual.amount).toBe(true)
        }
        const target = accrual.amount * (reversedBases.at(-1) ?? 0n)
        expect(clawedBack).toBe(floorOf(fraction(target, accrual.base)))
      }),
      { numRuns: propertyRuns },
    )
  })

  test('gives all of it back when all the money has come in again', () => {
    fc.assert(
      fc.property(accruals, ({ reversedBases, ...accrual }) => {
        expect(sum(taken(accrual, [...reversedBases, 0n]))).toBe(0n)
        expect(sum(taken(accrual, [...reversedBases, accrual.base]))).toBe(accrual.amount)
      }),
      { numRuns: propertyRuns },
    )
  })

  test('returns to the same amount when the same part of the base is back again', () => {
    const steps = taken({ amount: 2_000n, base: 9_999n }, [3_333n, 9_999n, 3_333n])
    expect(steps).toEqual([666n, 1_334n, -1_334n])
  })

  test('takes nothing of an accrual on nothing', () => {
    expect(clawBack({ amount: 0n, base: 0n, reversedBase: 0n, clawedBack: 0n })).toBe(0n)
  })
})
