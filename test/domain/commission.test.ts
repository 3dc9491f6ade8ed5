import fc from 'fast-check'
import {
  type Beneficiary,
  type LineShares,
  type LineToShare,
  shareLine,
} from '../../domain/commission.ts'
import { type AccrualFacts, explainAccrual, formatRate } from '../../domain/commission-reasons.ts'
import { toStripeAmount } from '../../domain/currencies.ts'
import { basisPoints, type Rate, sum } from '../../domain/money.ts'
import { propertyRuns } from '../support/runs.ts'
import { byLargestRemainder, floorOf, fraction, minus, times, total } from './fractions.ts'

const third: Rate = { num: 1n, den: 3n }

/** One who earns at each depth, the seller first. */
function chainOf(rates: Rate[], booked: bigint[] = [], collectedBefore = 0n): Beneficiary[] {
  return rates.map((rate, depth) => ({
    partnerId: `partner at depth ${depth}`,
    depth,
    ruleId: `rule of depth ${depth}`,
    terms: { kind: 'percentage', rate },
    floor: null,
    capRoom: null,
    volumeBefore: 0n,
    excluded: null,
    earlier: {
      collected: collectedBefore,
      target: booked[depth] ?? 0n,
      exact: { num: 0n, den: 1n },
      amount: booked[depth] ?? 0n,
      byOthers: 0n,
    },
  }))
}

/** The seller's, the master's and the platform's part, as the worked cases list them. */
function figures({ shares, platform }: LineShares): bigint[] {
  return [...shares.map(({ amount }) => amount), platform]
}

const settled = (base: bigint): LineToShare => ({
  base,
  collectedBefore: 0n,
  givenBefore: [],
  lineAmount: base,
  quantity: 1n,
  whole: true,
  overridePool: null,
})

describe('a line that one payment settles', () => {
  test.each([
    ['99.99 USD at 20 % and 5 %', 9_999n, [basisPoints(2_000), basisPoints(500)], '2000/500/7499'],
    ['a single unit at 50 % and 50 %', 1n, [basisPoints(5_000), basisPoints(5_000)], '1/0/0'],
    ['10.00 USD at a third each', 1_000n, [third, third], '334/333/333'],
    [
      '1,980 JPY at 12.5 % and 3.33 %',
      1_980n,
      [basisPoints(1_250), basisPoints(333)],
      '247/66/1667',
    ],
    [
      '12.340 KWD at 15 % and 5 %',
      12_340n,
      [basisPoints(1_500), basisPoints(500)],
      '1851/617/9872',
    ],
    ['nothing at 20 %', 0n, [basisPoints(2_000)], '0/0'],
    ['99.99 USD at 100 %', 9_999n, [basisPoints(10_000)], '9999/0'],
    ['99.99 USD at nothing', 9_999n, [basisPoints(0)], '0/9999'],
  ])('shares %s exactly', (_, base, rates, expected) => {
    const shared = shareLine(settled(base), chainOf(rates))
    expect(figures(shared).join('/')).toBe(expected)
    expect(shared.rounding).toBe('largest_remainder')
  })

  test('in yen is paid as whole yen, not as hundredths', () => {
    const { shares } = shareLine(settled(1_980n), chainOf([basisPoints(1_250), basisPoints(333)]))
    expect(toStripeAmount(shares[0]?.amount ?? 0n, 'JPY')).toBe(247)
  })

  test('is shared by depth, whatever the order in which the partners are named', () => {
    const chain = chainOf([third, third])
    const shared = shareLine(settled(1_000n), chain.toReversed())
    expect(shared.shares.map(({ beneficiary }) => beneficiary.depth)).toEqual([0, 1])
    expect(figures(shared)).toEqual([334n, 333n, 333n])
    expect(shared.shares.map(({ beneficiary }) => beneficiary)).toEqual(chain)
  })

  test('without partners stays with the platform', () => {
    expect(shareLine(settled(9_999n), [])).toMatchObject({ shares: [], platform: 9_999n })
  })

  test('agrees with exact fractions for every base and chain', () => {
    const anyLine = fc.record({
      base: fc.bigInt({ min: 0n, max: 10n ** 12n }),
      bps: fc.array(fc.integer({ min: 0, max: 2_500 }), { minLength: 1, maxLength: 4 }),
    })
    fc.assert(
      fc.property(anyLine, ({ base, bps }) => {
        const exact = bps.map((rate) => times(fraction(base), fraction(BigInt(rate), 10_000n)))
        const all = [...exact, minus(fraction(base), total(exact))]
        const shared = shareLine(settled(base), chainOf(bps.map(basisPoints)))
        expect(figures(shared)).toEqual(byLargestRemainder(all))
      }),
      { numRuns: propertyRuns },
    )
  })
})

/** Shares the parts one after the other, each with what the earlier ones gave. */
function shareParts(parts: bigint[], rates: Rate[]) {
  const booked = rates.map(() => 0n)
  let collectedBefore = 0n
  let platform = 0n
  const steps = parts.map((base) => {
    const shared = shareLine(
      {
        ...settled(base),
        collectedBefore,
        givenBefore: booked.map((amount, depth) => ({ depth, amount })),
        lineAmount: sum(parts),
        whole: false,
      },
      chainOf(rates, booked, collectedBefore),
    )
    for (const [i, { amount }] of shared.shares.entries()) booked[i] = (booked[i] ?? 0n) + amount
    collectedBefore += base
    platform += shared.platform
    return shared
  })
  return { steps, booked, platform }
}

describe('a line that is paid in parts', () => {
  const rates = [basisPoints(2_000), basisPoints(500)]

  test('of 33.33 three times gives 666, 667 and 666 by what was paid so far', () => {
    const { steps, booked, platform } = shareParts([3_333n, 3_333n, 3_333n], rates)
    expect(steps.map((step) => step.rounding)).toEqual(Array(3).fill('cumulative_floor'))
    expect(steps.map((step) => step.shares[0]?.amount)).toEqual([666n, 667n, 666n])
    expect(booked).toEqual([1_999n, 499n])
    expect(platform).toBe(7_501n)
  })

  test('gives in all the floors of the total, and never takes a unit back', () => {
    const anyParts = fc.record({
      parts: fc.array(fc.bigInt({ min: 0n, max: 10n ** 9n }), { minLength: 1, maxLength: 10 }),
      bps: fc.array(fc.integer({ min: 0, max: 2_500 }), { minLength: 1, maxLength: 4 }),
    })
    fc.assert(
      fc.property(anyParts, ({ parts, bps }) => {
        const { steps, booked, platform } = shareParts(parts, bps.map(basisPoints))
        const base = sum(parts)
        const floors = bps.map((rate) => floorOf(fraction(base * BigInt(rate), 10_000n)))
        expect(booked).toEqual(floors)
        expect(platform).toBe(base - sum(floors))
        const negative = steps.flatMap(({ shares }) => shares).filter(({ amount }) => amount < 0n)
        expect(negative).toEqual([])
      }),
      { numRuns: propertyRuns },
    )
  })

  test('leaves nobody what a depth that earns no more was given of it', () => {
    const flat = { terms: { kind: 'flat' as const, amountPerUnit: 200n } }
    const [seller, master] = chainOf([basisPoints(0), basisPoints(0)])
    if (!seller || !master) throw new Error('two stand in the chain')
    const second = { ...settled(100n), collectedBefore: 100n, lineAmount: 200n, whole: false }
    const sellerHad = { ...second, givenBefore: [{ depth: 0, amount: 100n }] }
    expect(figures(shareLine(sellerHad, [{ ...master, ...flat }]))).toEqual([100n, 0n])
    const masterHad = { ...second, givenBefore: [{ depth: 1, amount: 60n }] }
    expect(figures(shareLine(masterHad, [{ ...seller, ...flat }]))).toEqual([100n, 0n])
    const all = {
      ...second,
      givenBefore: [
        { depth: 1, amount: 100n },
        { depth: 0, amount: 60n },
      ],
    }
    expect(figures(shareLine(all, [{ ...seller, ...flat }]))).toEqual([40n, 60n])
  })

  test('earns under a cliff what its parts come to at the rate that each reached', () => {
    const bands = [
      { from: 0n, to: 100n, rate: basisPoints(1_500) },
      { from: 100n, to: null, rate: basisPoints(2_500) },
    ]
    const [seller] = chainOf([basisPoints(0)])
    if (!seller) throw new Error('one stands in the chain')
    const cliff = { ...seller, terms: { kind: 'tiered_cliff' as const, bands } }
    const line = { ...settled(33n), lineAmount: 99n, whole: false }
    const first = shareLine(line, [cliff])
    expect(figures(first)).toEqual([4n, 29n])
    // 33 at 15 % are 4.95, 33 at 25 % are 8.25: 13.20 in all.
    const earlier = { collected: 33n, target: 4n, exact: { num: 495n, den: 100n } }
    const second = shareLine(
      { ...line, collectedBefore: 33n, givenBefore: [{ depth: 0, amount: 4n }] },
      [{ ...cliff, volumeBefore: 80n, earlier: { ...earlier, amount: 4n, byOthers: 0n } }],
    )
    expect(figures(second)).toEqual([9n, 24n])
  })

  test('does not lose the unit that largest remainder would take back', () => {
    const { booked } = shareParts([17n, 1n], [basisPoints(1_500), basisPoints(333)])
    expect(booked).toEqual([2n, 0n])
    const whole = shareLine(settled(17n), chainOf([basisPoints(1_500), basisPoints(333)]))
    expect(figures(whole)).toEqual([2n, 1n, 14n])
  })
})

describe('formatRate', () => {
  test.each([
    [2_000n, 10_000n, '20 %'],
    [1_250n, 10_000n, '12.5 %'],
    [333n, 10_000n, '3.33 %'],
    [5n, 10_000n, '0.05 %'],
    [0n, 10_000n, '0 %'],
    [10_000n, 10_000n, '100 %'],
    [1n, 4n, '25 %'],
    [1n, 3n, '1/3'],
    [1n, 30_000n, '1/30000'],
  ])('shows %s/%s as %s', (num, den, text) => {
    expect(formatRate({ num, den })).toBe(text)
  })
})

const percentage = (rate: Rate) => ({ terms: { kind: 'percentage' as const, rate }, rate })

describe('explainAccrual', () => {
  const facts: AccrualFacts = {
    partner: 'Acme',
    depth: 0,
    amount: 2_000n,
    base: 9_999n,
    currency: 'USD',
    ...percentage(basisPoints(2_000)),
    link: null,
    tier: null,
    quantity: 1n,
    volume: null,
    target: 2_000n,
    limitedBy: null,
    rounding: 'largest_remainder',
    customer: 'Globex',
    paidOn: '2026-11-03',
    invoice: 'in_1',
  }

  test('names partner, payment, base, rate and the rounding up of a share', () => {
    expect(explainAccrual(facts)).toBe(
      'Acme earned 20.00 USD as the seller: 20 % of 99.99 USD that Globex paid on 2026-11-03 ' +
        '(invoice in_1), 19.998 USD rounded up by largest remainder among the shares of the line.',
    )
  })

  test('says for which tier and through which link the rule is', () => {
    expect(explainAccrual({ ...facts, link: 'spring-fair' })).toContain(
      'as the seller: 20 % through the link spring-fair of 99.99 USD that Globex paid',
    )
    expect(explainAccrual({ ...facts, link: 'spring-fair', tier: 'gold' })).toContain(
      '20 % for gold through the link spring-fair of 99.99 USD',
    )
  })

  test('says of a partner above how far above the seller it stands', () => {
    const above = {
      ...facts,
      partner: 'Master',
      depth: 1,
      amount: 500n,
      ...percentage(basisPoints(500)),
    }
    expect(explainAccrual(above)).toBe(
      'Master earned 5.00 USD as the partner one level above: 5 % of 99.99 USD that Globex ' +
        'paid on 2026-11-03 (invoice in_1), 4.9995 USD rounded up by largest remainder among ' +
        'the shares of the line.',
    )
  })

  test('says of a part that it counts on what was paid of the line so far', () => {
    const part = { ...facts, amount: 666n, base: 3_333n, rounding: 'cumulative_floor' as const }
    expect(explainAccrual(part)).toContain(
      '6.666 USD rounded down on the total that was paid of the line so far.',
    )
    expect(explainAccrual({ ...part, amount: 667n })).toContain('6.666 USD rounded up on the total')
  })

  test('speaks of no rounding where the share is exact', () => {
    const exact = { ...facts, base: 10_000n }
    expect(explainAccrual(exact)).toMatch(
      /20 % of 100\.00 USD .* \(invoice in_1\), without rounding\.$/,
    )
  })

  test('shows a rate that is no round percentage as a fraction', () => {
    const thirds = { ...facts, ...percentage(third), base: 1_000n, amount: 333n, currency: 'JPY' }
    expect(explainAccrual(thirds)).toContain(
      'Acme earned 333 JPY as the seller: 1/3 of 1,000 JPY that Globex paid',
    )
    expect(explainAccrual(thirds)).toContain('333.3333 JPY rounded down by largest remainder')
  })
})
