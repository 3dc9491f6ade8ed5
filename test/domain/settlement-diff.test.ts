import fc from 'fast-check'
import { statementTotals } from '../../domain/settlement.ts'
import {
  causesOf,
  changeBps,
  type DiffSide,
  type EarnedPart,
  netOf,
} from '../../domain/settlement-diff.ts'

const part = (wishes: Partial<EarnedPart> = {}): EarnedPart => ({
  depth: 0,
  product: 'seat',
  tier: 'bronze',
  ruleId: 'own-1',
  ruleCode: 'own',
  base: 10_000n,
  amount: 2_000n,
  ...wishes,
})

interface Wishes {
  opening?: bigint
  clawedBack?: bigint
  adjustments?: bigint
  held?: bigint
  bonuses?: bigint
  trueUps?: bigint
  minimumPayout?: bigint
}

function side(parts: EarnedPart[], wishes: Wishes = {}): DiffSide {
  const { opening = 0n, clawedBack = 0n, adjustments = 0n, held = 0n, bonuses = 0n } = wishes
  const { trueUps = 0n, minimumPayout = 500n } = wishes
  const earned = parts.reduce((sum, { amount }) => sum + amount, bonuses + trueUps)
  const figures = { opening, earned, clawedBack, adjustments, held, minimumPayout }
  return { ...statementTotals({ ...figures, payoutStep: 1n }), bonuses, parts }
}

describe('two statements of a partner differ', () => {
  const usual = [part()]

  it.each<[string, EarnedPart[], Wishes, ReturnType<typeof causesOf>]>([
    ['not at all', [part()], {}, {}],
    ['by volume', [part({ base: 15_000n, amount: 3_000n })], {}, { volume: 1_000n }],
    [
      'by the volume that reached another band of the same rule',
      [part({ amount: 2_500n })],
      {},
      { volume: 500n },
    ],
    ['by a true-up, which volume makes', usual, { trueUps: 300n }, { volume: 300n }],
    [
      'by a tier with rules of its own',
      [part({ tier: 'silver', ruleId: 'silver-1', ruleCode: 'silver', amount: 2_500n })],
      {},
      { tier: 500n },
    ],
    [
      'by another rule for the same tier',
      [part({ ruleId: 'promotion-1', ruleCode: 'promotion', amount: 3_000n })],
      {},
      { rate: 1_000n },
    ],
    [
      'by a new version of the rule',
      [part({ ruleId: 'own-2', amount: 1_500n })],
      {},
      { rule_version: -500n },
    ],
    [
      'by volume and, for half of it, by a tier',
      [
        part(),
        part({ tier: 'gold', ruleId: 'gold-1', ruleCode: 'gold', base: 10_000n, amount: 3_000n }),
      ],
      {},
      { volume: 2_000n, tier: 1_000n },
    ],
    [
      'by a product that was not sold before',
      [part(), part({ product: 'extra' })],
      {},
      {
        volume: 2_000n,
      },
    ],
    [
      'by a tier, when another product took the place of the one before',
      [part({ product: 'extra', tier: 'gold', ruleId: 'g', ruleCode: 'g', amount: 3_000n })],
      {},
      { tier: 1_000n },
    ],
    ['by a refund', usual, { clawedBack: 666n }, { refund: -666n }],
    ['by an adjustment', usual, { adjustments: 150n }, { adjustment: 150n }],
    ['by a bonus', usual, { bonuses: 500n }, { bonus: 500n }],
    ['by what was carried over', usual, { opening: 400n }, { carried: 400n }],
    ['by a hold', usual, { held: 1_200n }, { hold: -1_200n }],
    ['by a minimum that is not reached', usual, { minimumPayout: 2_500n }, { minimum: -2_000n }],
    [
      'by a refund that leaves a debt',
      usual,
      { clawedBack: 2_600n },
      { refund: -2_600n, negative_balance: 600n },
    ],
  ])('%s', (_what, parts, wishes, causes) => {
    expect(causesOf(side(parts, wishes), side(usual))).toEqual(causes)
  })

  it('by all that there was, where there is none any more', () => {
    expect(causesOf(null, side(usual, { clawedBack: 100n }))).toEqual({
      volume: -2_000n,
      refund: 100n,
    })
  })

  it('by weights alone, where two tiers were there before', () => {
    const gold = { tier: 'gold' as const, ruleId: 'gold-1', ruleCode: 'gold' }
    const before = [
      part({ base: 5_000n, amount: 1_000n }),
      part({ ...gold, base: 5_000n, amount: 1_500n }),
    ]
    expect(causesOf(side([part({ ...gold, amount: 3_000n })]), side(before))).toEqual({
      tier: 500n,
    })
  })
})

const money = fc.bigInt({ min: 0n, max: 10n ** 12n })
const anyPart = fc
  .record({
    depth: fc.integer({ min: 0, max: 2 }),
    product: fc.constantFrom('seat', 'extra', null),
    tier: fc.constantFrom('bronze' as const, 'silver' as const, null),
    rule: fc.constantFrom('a-1', 'a-2', 'b-1'),
    base: money,
    share: fc.bigInt({ min: 0n, max: 10_000n }),
  })
  .map(
    ({ rule, share, base, ...rest }): EarnedPart => ({
      ...rest,
      base,
      ruleId: rule,
      ruleCode: rule.slice(0, 1),
      amount: (base * share) / 10_000n,
    }),
  )
const anySide = fc
  .record({
    parts: fc.array(anyPart, { maxLength: 5 }),
    wishes: fc.record({
      opening: fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }),
      clawedBack: money,
      adjustments: fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }),
      held: money,
      bonuses: money,
      trueUps: money,
    }),
  })
  .map(({ parts, wishes }) => side(parts, wishes))

describe('causes', () => {
  it('add up to what is paid more, and those of the period to what it gave more', () => {
    const ofPeriod = ['volume', 'tier', 'rate', 'rule_version', 'bonus', 'refund', 'adjustment']
    fc.assert(
      fc.property(fc.option(anySide), fc.option(anySide), (now, before) => {
        const causes = Object.entries(causesOf(now, before))
        const sum = (of: typeof causes) => of.reduce((all, [, amount]) => all + amount, 0n)
        expect(sum(causes)).toBe((now?.payable ?? 0n) - (before?.payable ?? 0n))
        const given = causes.filter(([cause]) => ofPeriod.includes(cause))
        expect(sum(given)).toBe((now ? netOf(now) : 0n) - (before ? netOf(before) : 0n))
      }),
    )
  })
})

describe('a change', () => {
  it('is told in hundredths of a percent of what was there before, debts included', () => {
    expect(changeBps(1_500n, 1_000n)).toBe(5_000)
    expect(changeBps(0n, 1_000n)).toBe(-10_000)
    expect(changeBps(500n, -1_000n)).toBe(15_000)
    expect(changeBps(500n, 0n)).toBeNull()
  })
})
