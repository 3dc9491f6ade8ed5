import fc from 'fast-check'
import { sum } from '../../domain/money.ts'
import {
  type CollectedLine,
  collectedLines,
  type InvoiceLine,
  type InvoicePayment,
  inOrderOfPayment,
} from '../../domain/subscriptions.ts'
import { floorOf, fraction } from './fractions.ts'

function line(lineId: string, net: bigint, tax = 0n): InvoiceLine {
  return { lineId, product: 'prod_1', quantity: 1, setupFee: false, net, tax }
}

/** The n-th payment, made in the n-th minute. */
function payment(n: number, amount: bigint): InvoicePayment {
  return {
    paymentId: `inpay_${n}`,
    amount,
    lineId: null,
    paidAt: new Date(Date.UTC(2026, 9, 5, 10, n)),
  }
}

const totalOf = (lines: InvoiceLine[]) => sum(lines.map(({ net, tax }) => net + tax))

const basesOf = (collected: CollectedLine[], lineId: string) =>
  collected.filter((one) => one.lineId === lineId).map(({ base }) => base)

describe('one payment of a whole invoice', () => {
  test('collects every line whole, with its tax apart from the base', () => {
    const lines = [line('a', 9_999n, 1_900n), line('b', 1n)]
    const collected = collectedLines(lines, [payment(1, 11_900n)], totalOf(lines))
    expect(collected).toEqual([
      { lineId: 'a', paymentId: 'inpay_1', base: 9_999n, tax: 1_900n, whole: true },
      { lineId: 'b', paymentId: 'inpay_1', base: 1n, tax: 0n, whole: true },
    ])
  })

  test('collects no more than the invoice asks for, when more was paid', () => {
    const lines = [line('a', 9_999n)]
    const over = collectedLines(lines, [payment(1, 12_000n)], 9_999n)
    expect(over).toEqual([
      { lineId: 'a', paymentId: 'inpay_1', base: 9_999n, tax: 0n, whole: true },
    ])
    const late = collectedLines(lines, [payment(1, 9_999n), payment(2, 500n)], 9_999n)
    expect(basesOf(late, 'a')).toEqual([9_999n, 0n])
  })
})

describe('an invoice without anything to pay', () => {
  test('has collected nothing when nobody paid', () => {
    expect(collectedLines([line('a', 0n)], [], 0n)).toEqual([])
    expect(collectedLines([line('a', 500n)], [], 500n)).toEqual([])
  })

  test('collects nothing of its lines, and divides by nothing', () => {
    const collected = collectedLines([line('a', 0n)], [payment(1, 0n)], 0n)
    expect(collected.map(({ base, tax }) => [base, tax])).toEqual([[0n, 0n]])
  })

  test('keeps a free line beside a paid one, so that it can be shown', () => {
    const lines = [line('free', 0n), line('paid', 100n)]
    const collected = collectedLines(lines, [payment(1, 100n)], 100n)
    expect(basesOf(collected, 'free')).toEqual([0n])
    expect(basesOf(collected, 'paid')).toEqual([100n])
  })
})

describe('an invoice that is paid in parts', () => {
  test('gives each part what it added to the whole, and the last part the rest', () => {
    const lines = [line('a', 9_999n)]
    const parts = [payment(1, 3_333n), payment(2, 3_333n), payment(3, 3_333n)]
    const collected = collectedLines(lines, parts, 9_999n)
    expect(basesOf(collected, 'a')).toEqual([3_333n, 3_333n, 3_333n])
    expect(collected.map(({ whole }) => whole)).toEqual([false, false, false])
  })

  test('takes a proportional part of each line and of its tax', () => {
    const lines = [line('a', 10_000n, 2_000n), line('b', 5_000n)]
    const collected = collectedLines(lines, [payment(1, 8_500n)], totalOf(lines))
    expect(collected.map(({ base, tax }) => [base, tax])).toEqual([
      [5_000n, 1_000n],
      [2_500n, 0n],
    ])
  })

  test('never calls a line whole that only the last part completed', () => {
    const lines = [line('a', 1n), line('b', 999n)]
    const collected = collectedLines(lines, [payment(1, 999n), payment(2, 1n)], 1_000n)
    const small = collected.filter(({ lineId }) => lineId === 'a')
    expect(small.map(({ base, whole }) => [base, whole])).toEqual([
      [0n, false],
      [1n, false],
    ])
  })

  const invoices = fc.record({
    lines: fc
      .array(
        fc.record({
          net: fc.bigInt({ min: 0n, max: 1_000_000n }),
          tax: fc.bigInt({ min: 0n, max: 250_000n }),
        }),
        { minLength: 1, maxLength: 5 },
      )
      .map((all) => all.map(({ net, tax }, i) => line(`il_${i}`, net, tax))),
    cuts: fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 6 }),
  })

  /** Payments that together pay the total, in the proportions of the cuts. */
  function partsOf(total: bigint, cuts: number[]): InvoicePayment[] {
    const weight = BigInt(cuts.reduce((a, b) => a + b, 0))
    let before = 0n
    let passed = 0n
    return cuts.map((cut, n) => {
      passed += BigInt(cut)
      const upTo = (total * passed) / weight
      const amount = upTo - before
      before = upTo
      return payment(n, amount)
    })
  }

  test('adds up to every line and its tax, and no part is negative', () => {
    fc.assert(
      fc.property(invoices, ({ lines, cuts }) => {
        const collected = collectedLines(lines, partsOf(totalOf(lines), cuts), totalOf(lines))
        expect(collected.every(({ base, tax }) => base >= 0n && tax >= 0n)).toBe(true)
        for (const { lineId, net, tax } of lines) {
          const own = collected.filter((one) => one.lineId === lineId)
          expect(sum(own.map((one) => one.base))).toBe(net)
          expect(sum(own.map((one) => one.tax))).toBe(tax)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('has collected the floor of the exact part after each payment', () => {
    fc.assert(
      fc.property(invoices, ({ lines, cuts }) => {
        const total = totalOf(lines)
        const parts = partsOf(total, cuts)
        const first = lines[0] ?? line('none', 0n)
        const bases = basesOf(collectedLines(lines, parts, total), first.lineId)
        let paid = 0n
        for (const [i, { amount }] of parts.entries()) {
          paid += amount
          const exact = fraction(first.net * paid, total === 0n ? 1n : total)
          expect(sum(bases.slice(0, i + 1))).toBe(floorOf(exact))
        }
      }),
      { numRuns: 500 },
    )
  })

  test('comes to the same, in whatever order the payments are told', () => {
    const told = invoices.chain(({ lines, cuts }) => {
      const parts = partsOf(totalOf(lines), cuts)
      const order = fc.shuffledSubarray(parts, { minLength: parts.length })
      return fc.record({ lines: fc.constant(lines), parts: fc.constant(parts), order })
    })
    fc.assert(
      fc.property(told, ({ lines, parts, order }) => {
        const total = totalOf(lines)
        expect(collectedLines(lines, order, total)).toEqual(collectedLines(lines, parts, total))
      }),
      { numRuns: 500 },
    )
  })
})

describe('inOrderOfPayment', () => {
  test('puts payments of one instant in the order of their ids, and changes nothing given', () => {
    const at = new Date('2026-10-05T10:00:00Z')
    const given = ['c', 'a', 'b'].map((paymentId) => ({
      paymentId,
      amount: 1n,
      lineId: null,
      paidAt: at,
    }))
    const early = { paymentId: 'z', amount: 1n, lineId: null, paidAt: new Date(at.getTime() - 1) }
    const sorted = inOrderOfPayment([...given, early])
    expect(sorted.map(({ paymentId }) => paymentId)).toEqual(['z', 'a', 'b', 'c'])
    expect(given.map(({ paymentId }) => paymentId)).toEqual(['c', 'a', 'b'])
  })
})
