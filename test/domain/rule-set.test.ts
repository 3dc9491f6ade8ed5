import type { CommissionRule } from '../../domain/commission-rules.ts'
import { basisPoints } from '../../domain/money.ts'
import { ruleSetProblems } from '../../domain/rule-set.ts'
import type { TierName } from '../../domain/tiers.ts'

const scope = { partner: null, tier: null, product: null }
const rule = (changes: Partial<CommissionRule> = {}): CommissionRule => ({
  code: 'base',
  depth: 0,
  terms: { kind: 'percentage', rate: basisPoints(2_000) },
  scope,
  validFrom: null,
  validTo: null,
  cap: null,
  floor: null,
  windowMonths: null,
  setupFee: false,
  ...changes,
})
const forTier = (tier: TierName) => rule({ code: tier, scope: { ...scope, tier } })
const problems = (...rules: CommissionRule[]) =>
  ruleSetProblems(rules).map((found) => `${found.rules.join(',')} ${found.problem}`)

describe('a set of rules', () => {
  test('can be published where every depth has a rule for everybody', () => {
    expect(problems(rule(), forTier('gold'), rule({ code: 'over', depth: 1 }))).toEqual([])
  })

  test('leaves nobody without a rule: neither a seller, nor whom a depth pays only for some', () => {
    expect(problems(forTier('gold'))).toEqual([expect.stringContaining('no rule of depth 0')])
    const some = rule({ code: 'some', depth: 2, scope: { ...scope, product: 'p' } })
    expect(problems(rule(), some)).toEqual([expect.stringContaining('no rule of depth 2')])
  })

  test('has no rule that can never apply', () => {
    const tiers = (['bronze', 'silver', 'gold', 'platinum'] as const).map(forTier)
    expect(problems(rule(), ...tiers)).toEqual([expect.stringMatching(/^0 it never applies/)])
    expect(problems(rule(), ...tiers.slice(1))).toEqual([])
  })

  test('has no two rules of one name or of one place', () => {
    expect(problems(rule(), rule({ scope: { ...scope, tier: 'gold' } }))).toEqual([
      expect.stringMatching(/^0,1 two rules have one id/),
    ])
    expect(problems(rule(), rule({ code: 'twin' }))).toEqual([
      expect.stringMatching(/^0,1 both are for the same depth/),
    ])
  })

  test('gives no more than there is', () => {
    const half = (depth: number) =>
      rule({ code: `d${depth}`, depth, terms: { kind: 'percentage', rate: basisPoints(5_001) } })
    expect(problems(half(0), half(1))).toEqual([expect.stringContaining('more than 100 %')])
  })
})
