import fc from 'fast-check'
import {
  explainPromotion,
  promotionFor,
  type TierThreshold,
  tierNames,
  tierReached,
} from '../../domain/tiers.ts'

const thresholds: TierThreshold[] = [
  { tier: 'bronze', threshold: 0n },
  { tier: 'silver', threshold: 1_000_000n },
  { tier: 'gold', threshold: 2_500_000n },
  { tier: 'platinum', threshold: 6_000_000n },
]

const metrics = fc.bigInt({ min: -(10n ** 7n), max: 10n ** 7n })
const tiers = fc.constantFrom(...tierNames)

describe('the tier that revenue reaches', () => {
  test.each([
    [-1n, 'bronze'],
    [0n, 'bronze'],
    [999_999n, 'bronze'],
    [1_000_000n, 'silver'],
    [2_499_999n, 'silver'],
    [2_500_000n, 'gold'],
    [6_000_000n, 'platinum'],
    [9_000_000n, 'platinum'],
  ])('for %s is %s', (metric, tier) => {
    expect(tierReached(metric, thresholds)).toBe(tier)
  })

  test('does not depend on the order in which the thresholds are written', () => {
    const order = fc.shuffledSubarray(thresholds, { minLength: thresholds.length })
    fc.assert(
      fc.property(metrics, order, (metric, shuffled) => {
        expect(tierReached(metric, shuffled)).toBe(tierReached(metric, thresholds))
      }),
      { numRuns: 300 },
    )
  })

  test('is bronze in a programme without thresholds', () => {
    expect(tierReached(10n ** 12n, [])).toBe('bronze')
  })

  test('never falls when revenue rises', () => {
    fc.assert(
      fc.property(metrics, fc.bigInt({ min: 0n, max: 10n ** 7n }), (metric, more) => {
        const rank = (at: bigint) => tierNames.indexOf(tierReached(at, thresholds))
        expect(rank(metric + more)).toBeGreaterThanOrEqual(rank(metric))
      }),
      { numRuns: 300 },
    )
  })
})

describe('a review of tiers', () => {
  test('raises at once, over several tiers where the revenue is enough', () => {
    expect(promotionFor('bronze', 1_000_000n, thresholds)).toBe('silver')
    expect(promotionFor('bronze', 6_000_000n, thresholds)).toBe('platinum')
  })

  test('never lowers a tier and never repeats it', () => {
    fc.assert(
      fc.property(tiers, metrics, (current, metric) => {
        const next = promotionFor(current, metric, thresholds)
        const reached = tierReached(metric, thresholds)
        const higher = tierNames.indexOf(reached) > tierNames.indexOf(current)
        expect(next).toBe(higher ? reached : null)
      }),
      { numRuns: 300 },
    )
    expect(promotionFor('platinum', 0n, thresholds)).toBeNull()
    expect(promotionFor('silver', 1_000_000n, thresholds)).toBeNull()
  })

  test('explains a promotion in one sentence with both amounts', () => {
    const facts = { metric: 1_234_567n, threshold: 1_000_000n, currency: 'USD', months: 12 }
    expect(explainPromotion({ ...facts, to: 'silver' })).toBe(
      'net paid revenue of 12,345.67 USD in 12 months reached the silver threshold of ' +
        '10,000.00 USD',
    )
  })
})
