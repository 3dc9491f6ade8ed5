import fc from 'fast-check'
import { endsQuarter } from '../../domain/period.ts'
import {
  decideTier,
  explainShortfall,
  fallsAt,
  graceMarks,
  keepsTier,
  keptFrom,
  oneAbove,
  oneBelow,
  type ReviewRules,
  type TierStanding,
} from '../../domain/tier-review.ts'
import { rankOf, type TierThreshold, tierNames } from '../../domain/tiers.ts'

const thresholds: TierThreshold[] = [
  { tier: 'bronze', threshold: 0n },
  { tier: 'silver', threshold: 1_000_000n },
  { tier: 'gold', threshold: 2_500_000n },
  { tier: 'platinum', threshold: 6_000_000n },
]
const rules = (changes: Partial<ReviewRules> = {}): ReviewRules => ({
  thresholds,
  tolerance: 1_000,
  approvalFor: [],
  isQuarterEnd: true,
  ...changes,
})
const standing = (changes: Partial<TierStanding> = {}): TierStanding => ({
  tier: 'gold',
  metric: 0n,
  override: null,
  isLocked: false,
  isProtected: false,
  isInGrace: false,
  ...changes,
})
const anybody = () => true
const verdict = (
  changes: Partial<TierStanding>,
  about: Partial<ReviewRules> = {},
  permitted: (tier: string) => boolean = anybody,
) => {
  const { outcome, cause, to } = decideTier(standing(changes), rules(about), permitted)
  return [outcome, cause, to]
}

const standings = fc.record({
  tier: fc.constantFrom(...tierNames),
  metric: fc.bigInt({ min: -(10n ** 7n), max: 10n ** 7n }),
  override: fc.constantFrom('raised' as const, 'lowered' as const, null),
  isLocked: fc.boolean(),
  isProtected: fc.boolean(),
  isInGrace: fc.boolean(),
})
const anyRules = fc.record({
  thresholds: fc.shuffledSubarray(thresholds, { minLength: 1 }),
  tolerance: fc.integer({ min: 0, max: 5_000 }),
  approvalFor: fc.subarray([...tierNames]),
  isQuarterEnd: fc.boolean(),
})

describe('a review', () => {
  test('never warns of more than one step, and never of a tier that the programme lacks', () => {
    fc.assert(
      fc.property(standings, anyRules, (one, about) => {
        const { outcome, to } = decideTier(one, about, anybody)
        if (outcome !== 'warned') return
        const known = about.thresholds.map(({ tier }) => tier)
        expect(known).toContain(to)
        const between = known.filter(
          (tier) => rankOf(tier) < rankOf(one.tier) && rankOf(tier) > rankOf(to ?? 'platinum'),
        )
        expect(between).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  test('warns nobody who is locked, new to its tier, overridden or warned already', () => {
    fc.assert(
      fc.property(standings, anyRules, (one, about) => {
        const { outcome } = decideTier(one, about, anybody)
        const kept = one.isLocked || one.isProtected || one.override || one.isInGrace
        if (kept || !about.isQuarterEnd) expect(outcome).not.toBe('warned')
      }),
      { numRuns: 500 },
    )
  })

  test('does not depend on the order in which the thresholds are written', () => {
    const shuffled = fc.shuffledSubarray(thresholds, { minLength: thresholds.length })
    fc.assert(
      fc.property(standings, shuffled, (one, order) => {
        expect(decideTier(one, rules({ thresholds: order }), anybody)).toEqual(
          decideTier(one, rules(), anybody),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('with better figures never comes to less', () => {
    const worth = { warned: 0, kept: 1, gated: 1, awaiting: 1, promoted: 2 } as Record<
      string,
      number
    >
    const more = fc.bigInt({ min: 0n, max: 10n ** 7n })
    fc.assert(
      fc.property(standings, more, (one, extra) => {
        const before = decideTier(one, rules(), anybody)
        const after = decideTier({ ...one, metric: one.metric + extra }, rules(), anybody)
        expect(worth[after.outcome]).toBeGreaterThanOrEqual(worth[before.outcome] ?? 0)
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    ['the figure of its tier', { metric: 2_500_000n }, {}, ['kept', 'reached', null]],
    ['a tenth less', { metric: 2_250_000n }, {}, ['kept', 'within_tolerance', null]],
    ['a cent below that', { metric: 2_249_999n }, {}, ['warned', 'below_threshold', 'silver']],
    ['nothing at all', { metric: -5n }, {}, ['warned', 'below_threshold', 'silver']],
    ['too little in mid-quarter', {}, { isQuarterEnd: false }, ['kept', 'not_quarter_end', null]],
    ['too little under a lock', { isLocked: true }, {}, ['kept', 'locked', null]],
    ['too little in a new tier', { isProtected: true }, {}, ['kept', 'protected', null]],
    ['too little, set by people', { override: 'raised' }, {}, ['kept', 'overridden', null]],
    ['too little, warned before', { isInGrace: true }, {}, ['kept', 'in_grace', null]],
    ['too little in the lowest', { tier: 'bronze', metric: -1n }, {}, ['kept', 'reached', null]],
    ['enough for the next', { metric: 6_000_000n }, {}, ['promoted', 'reached', 'platinum']],
    [
      'enough after people lowered it',
      { metric: 6_000_000n, override: 'lowered' },
      {},
      ['kept', 'overridden', null],
    ],
    [
      'enough where a person has to say yes',
      { metric: 6_000_000n },
      { approvalFor: ['platinum'] },
      ['awaiting', 'approval', 'platinum'],
    ],
  ] as [string, Partial<TierStanding>, Partial<ReviewRules>, unknown[]][])(
    'of a gold partner with %s',
    (_what, changes, about, expected) => {
      expect(verdict(changes, about)).toEqual(expected)
    },
  )

  test('moves up as far as certifications allow, and says what waits', () => {
    const rich = { tier: 'bronze', metric: 6_000_000n } as const
    expect(verdict(rich, {}, (tier) => tier !== 'platinum')).toEqual([
      'promoted',
      'reached',
      'gold',
    ])
    expect(verdict(rich, {}, () => false)).toEqual(['gated', 'certification', 'platinum'])
  })
})

describe('the figure with which a tier is kept', () => {
  test('is the threshold less the tolerance, rounded up to a whole unit', () => {
    expect(keptFrom('gold', rules())).toBe(2_250_000n)
    expect(keptFrom('gold', { thresholds: [{ tier: 'gold', threshold: 33n }], tolerance: 1 })).toBe(
      33n,
    )
    expect(keptFrom('gold', { thresholds: [], tolerance: 0 })).toBeNull()
  })

  test('suffices exactly', () => {
    fc.assert(
      fc.property(fc.constantFrom(...tierNames.slice(1)), anyRules, (tier, about) => {
        const all = { ...about, thresholds }
        const least = keptFrom(tier, all) ?? 0n
        expect(keepsTier({ tier, metric: least }, all)).toBe(true)
        expect(keepsTier({ tier, metric: least - 1n }, all)).toBe(false)
      }),
      { numRuns: 200 },
    )
  })

  test('is said in one sentence with both amounts', () => {
    const facts = { metric: 100_000n, least: 225_000n, currency: 'USD', months: 12 }
    expect(explainShortfall({ ...facts, tier: 'gold' })).toBe(
      'net paid revenue of 1,000.00 USD in 12 months is below the 2,250.00 USD with which gold ' +
        'is kept',
    )
  })
})

describe('the tiers beside one', () => {
  test('are those that the programme has', () => {
    const few = thresholds.filter(({ tier }) => tier !== 'silver')
    expect(oneBelow('gold', few)).toBe('bronze')
    expect(oneBelow('bronze', few)).toBeNull()
    expect(oneAbove('bronze', few)?.tier).toBe('gold')
    expect(oneAbove('platinum', few)).toBeNull()
  })
})

describe('a quarter', () => {
  test('ends with every third month', () => {
    const months = Array.from({ length: 12 }, (_, i) => `2026-${String(i + 1).padStart(2, '0')}`)
    expect(months.filter(endsQuarter)).toEqual(['2026-03', '2026-06', '2026-09', '2026-12'])
  })
})

const day = 86_400
const at = (text: string) => new Date(`${text}T00:00:00Z`)

describe('the fall', () => {
  test.each([
    ['2026-04-10', '2026-07-01'],
    ['2026-05-02', '2026-07-01'],
    ['2026-05-03', '2026-10-01'],
    ['2026-12-31', '2027-04-01'],
  ])('of a grace that began on %s is on %s', (opened, expected) => {
    expect(fallsAt(at(opened), 60 * day)).toEqual(at(expected))
  })

  test('is always at the end of a quarter and never within the grace', () => {
    const instants = fc.date({ min: at('2020-01-01'), max: at('2040-01-01'), noInvalidDate: true })
    fc.assert(
      fc.property(instants, fc.integer({ min: 0, max: 200 }), (opened, days) => {
        const falls = fallsAt(opened, days * day)
        expect(falls.getTime() - opened.getTime()).toBeGreaterThanOrEqual(days * day * 1_000)
        expect(falls.toISOString()).toMatch(/-(01|04|07|10)-01T00:00:00\.000Z$/)
      }),
      { numRuns: 300 },
    )
  })
})

describe('the mails before a fall', () => {
  const marks = (opened: string, falls: string, warnings = [60 * day, 30 * day]) =>
    graceMarks({ opened: at(opened).getTime(), fallsAt: at(falls).getTime(), warnings }).map(
      ({ kind, at: time }) => [kind, new Date(time).toISOString().slice(0, 10)],
    )

  test('come at once, 60 days before, halfway, and 30 days before', () => {
    expect(marks('2026-04-10', '2026-07-01')).toEqual([
      ['notice', '2026-04-10'],
      ['warning', '2026-05-02'],
      ['half', '2026-05-21'],
      ['warning', '2026-06-01'],
    ])
  })

  test('are one where two of them would come together', () => {
    expect(marks('2026-05-02', '2026-07-01')).toEqual([
      ['notice', '2026-05-02'],
      ['warning', '2026-06-01'],
    ])
  })
})
