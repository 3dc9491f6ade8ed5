import fc from 'fast-check'
import { partnerLevels, partnerTypes } from '../../domain/partners.ts'
import {
  type ApplicationFacts,
  type Conditions,
  covers,
  firstFit,
  fits,
  neverFits,
  shadowedRules,
} from '../../domain/pre-screen.ts'

const facts: ApplicationFacts = {
  country: 'PT',
  type: 'franchise',
  level: 'reseller',
  emailDomain: 'mail.omega.example',
  expectedVolume: 5_000n,
}

describe('a rule fits an application', () => {
  test.each<[string, Conditions, boolean]>([
    ['without conditions', {}, true],
    ['of one of its countries', { countries: ['ES', 'PT'] }, true],
    ['of another country', { countries: ['ES'] }, false],
    ['of its type and level', { types: ['franchise'], levels: ['reseller'] }, true],
    ['of its type alone', { types: ['franchise'], levels: ['master_reseller'] }, false],
    ['with mail below its domain', { emailDomains: ['Omega.example'] }, true],
    ['with mail at a domain that only ends alike', { emailDomains: ['mega.example'] }, false],
    ['with mail at a domain above its own', { emailDomains: ['x.mail.omega.example'] }, false],
    ['with more volume than its bound', { volumeAbove: 4_999 }, true],
    ['with the volume of its lower bound', { volumeAbove: 5_000 }, false],
    ['with the volume of its upper bound', { volumeBelow: 5_000 }, false],
    ['with less volume than its bound', { volumeBelow: 5_001 }, true],
  ])('%s', (_what, conditions, expected) => {
    expect(fits(conditions, facts)).toBe(expected)
  })

  test('that says no volume, only where it asks for none', () => {
    const silent = { ...facts, expectedVolume: null }
    expect(fits({ volumeAbove: 0 }, silent)).toBe(false)
    expect(fits({ volumeBelow: 1_000_000 }, silent)).toBe(false)
    expect(fits({ countries: ['PT'] }, silent)).toBe(true)
  })

  test('and the first that fits wins', () => {
    const rules = [{ countries: ['ES'], n: 1 }, { levels: ['reseller' as const], n: 2 }, { n: 3 }]
    expect(firstFit(rules, facts)).toMatchObject({ n: 2 })
    expect(firstFit(rules.slice(0, 1), facts)).toBeUndefined()
  })
})

describe('rules that can never fit', () => {
  test.each<[Conditions, boolean]>([
    [{ countries: [] }, true],
    [{ volumeBelow: 0 }, true],
    [{ volumeAbove: 10, volumeBelow: 11 }, true],
    [{ volumeAbove: 10, volumeBelow: 12 }, false],
    [{ volumeAbove: 0 }, false],
    [{}, false],
  ])('%j: %s', (conditions, expected) => {
    expect(neverFits(conditions)).toBe(expected)
  })

  test('are those behind one that takes all of theirs', () => {
    const rules: Conditions[] = [
      { countries: ['ES', 'PT'], volumeAbove: 10 },
      { countries: ['PT'], volumeAbove: 20 },
      { countries: ['PT'] },
      { countries: ['FR'], volumeAbove: 20 },
      { emailDomains: ['example'] },
      { emailDomains: ['omega.example'], levels: ['reseller'] },
      {},
      { types: ['franchise'] },
    ]
    expect(shadowedRules(rules)).toEqual([
      { rule: 1, by: 0 },
      { rule: 5, by: 4 },
      { rule: 7, by: 6 },
    ])
  })

  const some = <T>(values: readonly T[]) =>
    fc.option(fc.subarray([...values], { minLength: 1 }), { nil: undefined })
  const bound = fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined })
  const conditions: fc.Arbitrary<Conditions> = fc.record({
    countries: some(['ES', 'FR', 'PT']),
    types: some(partnerTypes.slice(0, 2)),
    levels: some(partnerLevels),
    emailDomains: some(['a.example', 'b.a.example', 'example']),
    volumeAbove: bound,
    volumeBelow: bound,
  })
  const applications: fc.Arbitrary<ApplicationFacts> = fc.record({
    country: fc.constantFrom('ES', 'FR', 'PT'),
    type: fc.constantFrom(...partnerTypes.slice(0, 2)),
    level: fc.constantFrom(...partnerLevels),
    emailDomain: fc.constantFrom('a.example', 'b.a.example', 'c.example'),
    expectedVolume: fc.option(fc.bigInt({ min: 0n, max: 7n }), { nil: null }),
  })

  test('a rule that covers another fits whatever that one fits', () => {
    let covered = 0
    const names = ['countries', 'types', 'levels', 'emailDomains', 'volumeAbove'] as const
    fc.assert(
      fc.property(
        conditions,
        conditions,
        fc.subarray([...names]),
        applications,
        (narrow, other, taken, application) => {
          const replaced = Object.fromEntries(taken.map((name) => [name, other[name]]))
          const wide: Conditions = { ...narrow, ...replaced }
          if (!covers(wide, narrow) || !fits(narrow, application)) return
          covered += 1
          expect(fits(wide, application)).toBe(true)
        },
      ),
      { numRuns: 5_000 },
    )
    expect(covered).toBeGreaterThan(50)
  })

  test('no application fits a rule whose conditions contradict each other', () => {
    let contradictions = 0
    fc.assert(
      fc.property(conditions, applications, (rule, application) => {
        if (!neverFits(rule)) return
        contradictions += 1
        expect(fits(rule, application)).toBe(false)
      }),
      { numRuns: 2_000 },
    )
    expect(contradictions).toBeGreaterThan(50)
  })
})
