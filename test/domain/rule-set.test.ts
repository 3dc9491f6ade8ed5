import type { CommissionRule } from '../../domain/commission-rules.ts'
import { basisPoints } from '../../domain/money.ts'
import { linkProblems, ruleSetProblems } from '../../domain/rule-set.ts'
import type { TierName } from '../../domain/tiers.ts'

const scope = { link: null, partner: null, tier: null, product: null }
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
const forLink = (link: string, changes: Partial<CommissionRule> = {}) =>
  rule({ code: link, scope: { ...scope, link }, ...changes })
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

  test('may have rules for the customers of links beside those for everybody', () => {
    expect(problems(rule(), forLink('fair'), forLink('fest'), forTier('gold'))).toEqual([])
    const own = { ...scope, link: 'fair', tier: 'gold' as const }
    expect(problems(rule(), forLink('fair'), rule({ code: 'own', scope: own }))).toEqual([])
  })

  test('leaves nobody without a rule because one of a link is there', () => {
    expect(problems(forLink('fair'))).toEqual([expect.stringContaining('no rule of depth 0')])
    expect(problems(rule(), forLink('fair', { depth: 1 }))).toEqual([
      expect.stringContaining('no rule of depth 1'),
    ])
  })

  test('has no two rules for the same customers of one link', () => {
    expect(problems(rule(), forLink('fair'), forLink('fair', { code: 'twin' }))).toEqual([
      expect.stringMatching(/^1,2 both are for the same depth/),
    ])
  })

  test('has no rule of a link that rules of the link for every tier leave nothing to', () => {
    const tiers = (['bronze', 'silver', 'gold', 'platinum'] as const).map(forTier)
    const ofLink = tiers.map(({ code, ...tier }) => ({
      ...tier,
      code: `fair ${code}`,
      scope: { ...tier.scope, link: 'fair' },
    }))
    expect(problems(rule(), forLink('fair'), ...ofLink)).toEqual([
      expect.stringMatching(/^1 it never applies/),
    ])
    expect(problems(rule(), ...ofLink)).toEqual([])
    expect(problems(rule(), forLink('fair'), ...tiers)).toEqual([
      expect.stringMatching(/^0 it never applies/),
    ])
  })

  test('gives no more than there is to the customers of a link either', () => {
    const part = (bps: number) => ({ kind: 'percentage' as const, rate: basisPoints(bps) })
    const over = rule({ code: 'over', depth: 1, terms: part(2_000) })
    const fits = forLink('fair', { terms: part(8_000) })
    expect(problems(rule(), over, fits)).toEqual([])
    expect(problems(rule(), over, { ...fits, terms: part(8_001) })).toEqual([
      expect.stringMatching(/^2 the percentages for the link's customers .* more than 100 %/),
    ])
  })

  test('gives no more than there is', () => {
    const half = (depth: number) =>
      rule({ code: `d${depth}`, depth, terms: { kind: 'percentage', rate: basisPoints(5_001) } })
    expect(problems(half(0), half(1))).toEqual([expect.stringContaining('more than 100 %')])
  })
})

describe('a rule of a link', () => {
  const owners = new Map([['fair', 'r']])
  const wrong = (...rules: CommissionRule[]) =>
    linkProblems(rules, owners).map((found) => `${found.rules.join(',')} ${found.problem}`)
  const of = (partner: string, changes: Partial<CommissionRule> = {}) =>
    rule({ scope: { ...scope, link: 'fair', partner }, ...changes })

  test('is published for links that there are', () => {
    expect(wrong(rule(), forLink('fair'))).toEqual([])
    expect(wrong(rule(), forLink('fest'))).toEqual(['1 there is no such link'])
  })

  test('names no other seller than the partner of the link, but whoever stands above it', () => {
    expect(wrong(of('r'))).toEqual([])
    expect(wrong(of('m'))).toEqual([expect.stringMatching(/^0 it never applies/)])
    expect(wrong(of('m', { depth: 1 }))).toEqual([])
  })

  test('is none that another one of the link and its seller leaves nothing to', () => {
    expect(wrong(of('r'), forLink('fair'))).toEqual([expect.stringMatching(/^1 it never applies/)])
    const some = { ...scope, link: 'fair', partner: 'r', product: 'p' }
    expect(wrong(rule({ scope: some }), forLink('fair'))).toEqual([])
    expect(wrong(of('r'), forLink('fair', { setupFee: true }))).toEqual([])
    expect(wrong(of('r', { depth: 1 }), forLink('fair', { depth: 1 }))).toEqual([])
  })
})
