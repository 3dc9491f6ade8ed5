import fc from 'fast-check'
import type { CommissionRule, RuleTerms } from '../../domain/commission-rules.ts'
import { basisPoints } from '../../domain/money.ts'
import {
  bandProblems,
  type Chain,
  chainExcess,
  type LineFacts,
  overlaps,
  ruleFor,
} from '../../domain/rule-checks.ts'
import { type TierName, tierNames } from '../../domain/tiers.ts'

interface Sketch extends Partial<Omit<CommissionRule, 'scope' | 'terms'>> {
  link?: string | null
  partner?: string | null
  tier?: TierName | null
  product?: string | null
  percent?: number
  terms?: RuleTerms
}

/** A rule that pays everybody for everything at all times, and what a case changes about it. */
function rule(code: string, sketch: Sketch = {}): CommissionRule {
  const { link = null, partner = null, tier = null, product = null, ...others } = sketch
  const { percent = 10, terms, ...rest } = others
  return {
    code,
    depth: 0,
    terms: terms ?? { kind: 'percentage', rate: basisPoints(percent * 100) },
    scope: { link, partner, tier, product },
    validFrom: null,
    validTo: null,
    cap: null,
    floor: null,
    windowMonths: null,
    setupFee: false,
    ...rest,
  }
}

const day = (n: number) => new Date(Date.UTC(2026, 0, n))
const bonus: RuleTerms = { kind: 'performance', metric: 'collected', target: 1n, bonus: 1n }

describe('bands', () => {
  const band = (from: bigint, to: bigint | null) => ({ from, to, rate: basisPoints(100) })

  test('that cover every volume once are accepted', () => {
    expect(bandProblems([band(0n, null)])).toEqual([])
    expect(bandProblems([band(0n, 10n), band(10n, 20n), band(20n, null)])).toEqual([])
  })

  test.each([
    ['leave out the first volume', [band(1n, null)], [[0, 'from', '0,']]],
    ['leave a gap', [band(0n, 10n), band(11n, null)], [[1, 'from', '10,']]],
    ['overlap', [band(0n, 10n), band(9n, null)], [[1, 'from', '10,']]],
    ['have a last volume', [band(0n, 10n), band(10n, 20n)], [[1, 'to', 'null,']]],
    ['are open in the middle', [band(0n, null), band(10n, null)], [[0, 'to', 'an amount']]],
    ['end where they start', [band(0n, 0n), band(0n, null)], [[0, 'to', 'more than 0']]],
    ['end before they start', [band(0n, 5n), band(5n, 3n), band(3n, null)], [[1, 'to', 'more']]],
    ['are none', [], [[0, 'from', '0,']]],
    [
      'are wrong twice',
      [band(2n, 10n), band(10n, 12n)],
      [
        [0, 'from', '0,'],
        [1, 'to', 'null'],
      ],
    ],
  ])('that %s are refused at that edge', (_, bands, expected) => {
    const found = bandProblems(bands)
    expect(found).toEqual(
      expected.map(([index, edge, text]) =>
        expect.objectContaining({ index, edge, expected: expect.stringContaining(String(text)) }),
      ),
    )
  })
})

describe('two rules', () => {
  test.each<[string, Sketch, Sketch, boolean]>([
    ['for everybody at all times', {}, {}, true],
    ['for one product', { product: 'a' }, { product: 'a' }, true],
    ['for set-up fees', { setupFee: true }, { setupFee: true }, true],
    ['of which one ends before', { validTo: day(3) }, { validFrom: day(2) }, true],
    ['of which one ends as the other starts', { validTo: day(3) }, { validFrom: day(3) }, false],
    ['at two depths', {}, { depth: 1 }, false],
    ['for two products', { product: 'a' }, { product: 'b' }, false],
    ['for a tier and for everybody', { tier: 'gold' }, {}, false],
    ['for one link', { link: 'a' }, { link: 'a' }, true],
    ['for two links', { link: 'a' }, { link: 'b' }, false],
    ['for two partners', { partner: 'a' }, { partner: 'b' }, false],
    ['with and without set-up fees', {}, { setupFee: true }, false],
    ['of which one is a bonus at the close', {}, { terms: bonus }, false],
    ['that are both a bonus at the close', { terms: bonus }, { terms: bonus }, false],
  ])('%s conflict or not as nothing decides between them', (_, a, b, conflict) => {
    const [first, second] = [rule('a', a), rule('b', b)]
    const expected = conflict ? [{ rule: first, other: second }] : []
    expect(overlaps([first, second])).toEqual(expected)
    expect(overlaps([second, first])).toHaveLength(expected.length)
  })

  test('of three in conflict are each told', () => {
    const rules = [rule('a'), rule('b'), rule('c')]
    expect(overlaps(rules).map(({ rule: a, other }) => a.code + other.code)).toEqual([
      'ab',
      'ac',
      'bc',
    ])
  })
})

describe('the rule of a line', () => {
  const line: LineFacts = {
    depth: 0,
    at: day(10),
    link: 'fair',
    partner: 'r',
    tier: 'gold',
    product: 'pro',
    setupFee: false,
  }
  const all = rule('all')
  const product = rule('product', { product: 'pro' })
  const tier = rule('tier', { tier: 'gold' })
  const tierAndProduct = rule('tier and product', { tier: 'gold', product: 'pro' })
  const partner = rule('partner', { partner: 'r' })
  const best = rule('all but the link', { partner: 'r', tier: 'gold', product: 'pro' })
  const link = rule('link', { link: 'fair' })
  const both = rule('link and product', { link: 'fair', product: 'pro' })
  const fee = rule('fee', { setupFee: true })
  const productFee = rule('product fee', { setupFee: true, product: 'pro' })

  test.each([
    ['everything rather than nothing', [all], 'all'],
    ['the product before everything', [all, product], 'product'],
    ['the tier before the product', [product, tier], 'tier'],
    ['tier and product before the tier', [tier, tierAndProduct], 'tier and product'],
    ['the partner before tier and product together', [tierAndProduct, partner], 'partner'],
    ['the link before partner, tier and product together', [best, link], 'link'],
    ['link and product before the link', [link, both], 'link and product'],
    ['the link even where it is for set-up fees too', [best, { ...link, setupFee: true }], 'link'],
    ['no set-up fee before an equally specific one with it', [fee, all], 'all'],
    ['a more specific one even where it is for set-up fees too', [all, productFee], 'product fee'],
  ])('names %s', (_, rules, expected) => {
    expect(ruleFor(rules, line)?.code).toBe(expected)
    expect(ruleFor(rules.toReversed(), line)?.code).toBe(expected)
  })

  test.each<[string, Sketch]>([
    ['another depth', { depth: 1 }],
    ['another link', { link: 'other' }],
    ['another partner', { partner: 'm' }],
    ['another partner of the right link', { link: 'fair', partner: 'm' }],
    ['another tier', { tier: 'silver' }],
    ['another product', { product: 'basic' }],
    ['a time that has not begun', { validFrom: day(11) }],
    ['a time that is just over', { validTo: day(10) }],
    ['a bonus at the close', { terms: bonus }],
  ])('is none for %s', (_, sketch) => {
    expect(ruleFor([rule('a', sketch)], line)).toBeNull()
  })

  test('holds from its first instant on', () => {
    expect(ruleFor([rule('a', { validFrom: day(10), validTo: day(11) })], line)?.code).toBe('a')
  })

  test('of no product is none that names a product', () => {
    expect(ruleFor([product], { ...line, product: null })).toBeNull()
  })

  test('of a customer who came through no link is none that names a link', () => {
    expect(ruleFor([link, all], { ...line, link: null })?.code).toBe('all')
  })

  test('for a set-up fee is one that is for set-up fees, however specific the others are', () => {
    expect(ruleFor([partner, fee, tier], { ...line, setupFee: true })?.code).toBe('fee')
    expect(ruleFor([partner, tier], { ...line, setupFee: true })).toBeNull()
  })

  const names = fc.constantFrom(null, 'a', 'b')
  const times = fc.option(fc.integer({ min: 1, max: 5 }).map(day), { nil: null })
  const tiers = fc.constantFrom(...tierNames.slice(0, 2))
  const sketches = fc.record({
    link: names,
    partner: names,
    product: names,
    tier: fc.option(tiers, { nil: null }),
    setupFee: fc.boolean(),
    depth: fc.integer({ min: 0, max: 1 }),
    validFrom: times,
    validTo: times,
  })
  const lines = fc.record({
    depth: fc.integer({ min: 0, max: 1 }),
    at: fc.integer({ min: 1, max: 5 }).map(day),
    link: names,
    partner: fc.constantFrom('a', 'b'),
    tier: tiers,
    product: names,
    setupFee: fc.boolean(),
  })

  /** The rules that match, sorted field by field: written without any weights. */
  function bySorting(rules: CommissionRule[], facts: LineFacts): CommissionRule | undefined {
    const matching = rules.filter(
      ({ scope, depth, validFrom, validTo, setupFee }) =>
        depth === facts.depth &&
        [null, facts.link].includes(scope.link) &&
        [null, facts.partner].includes(scope.partner) &&
        [null, facts.tier].includes(scope.tier) &&
        [null, facts.product].includes(scope.product) &&
        (validFrom === null || validFrom <= facts.at) &&
        (validTo === null || facts.at < validTo) &&
        (!facts.setupFee || setupFee),
    )
    const keys = (found: CommissionRule) => [
      found.scope.link === null,
      found.scope.partner === null,
      found.scope.tier === null,
      found.scope.product === null,
      found.setupFee,
    ]
    return matching.sort((a, b) => {
      const difference = keys(a).map((key, i) => Number(key) - Number(keys(b)[i]))
      return difference.find((step) => step !== 0) ?? 0
    })[0]
  }

  test('is the first of all that match when they are sorted by what they name', () => {
    fc.assert(
      fc.property(fc.array(sketches, { maxLength: 12 }), lines, (drawn, facts) => {
        const rules = drawn.map((sketch, i) => rule(`rule ${i}`, sketch))
        expect(ruleFor(rules, facts)).toBe(bySorting(rules, facts) ?? null)
      }),
      { numRuns: 2_000 },
    )
  })

  test('is the same in whatever order rules without a conflict stand', () => {
    fc.assert(
      fc.property(fc.array(sketches, { maxLength: 12 }), lines, (drawn, facts) => {
        const rules = drawn.map((sketch, i) => rule(`rule ${i}`, sketch))
        fc.pre(overlaps(rules).length === 0)
        expect(ruleFor(rules.toReversed(), facts)).toBe(ruleFor(rules, facts))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('percentages over one chain', () => {
  const fair = { link: 'fair' }
  const always = { from: null, to: null }
  const chain: Chain = {
    partners: [
      { id: 'r', tiers: ['bronze'] },
      { id: 'm', tiers: ['gold'] },
    ],
    links: ['fair', 'fest'],
    ...always,
  }
  const found = (rules: CommissionRule[], chains: Chain[] = [chain]) =>
    chainExcess(rules, chains).map((excess) => excess.rules.map(({ code }) => code).join('+'))
  const seller = (percent: number, sketch: Sketch = {}) => rule('seller', { percent, ...sketch })
  const above = (percent: number, sketch: Sketch = {}) =>
    rule('above', { percent, depth: 1, ...sketch })

  test('of exactly 100 % are accepted, and a hundredth more is not', () => {
    expect(found([seller(60), above(40)])).toEqual([])
    expect(found([seller(60), above(40.01)])).toEqual(['seller+above'])
  })

  test('count exactly where they are fractions', () => {
    const third: RuleTerms = { kind: 'percentage', rate: { num: 1n, den: 3n } }
    const thirds = [0, 1, 2].map((depth) => rule(`depth ${depth}`, { depth, terms: third }))
    const long = {
      ...always,
      partners: ['a', 'b', 'c'].map((id) => ({ id, tiers: ['bronze' as const] })),
    }
    expect(found(thirds, [long])).toEqual([])
    const more: RuleTerms = { kind: 'percentage', rate: { num: 334n, den: 1_000n } }
    const raised = [...thirds.slice(0, 2), rule('depth 2', { depth: 2, terms: more })]
    expect(found(raised, [long])).toEqual(['depth 0+depth 1+depth 2'])
  })

  test.each<[string, CommissionRule[]]>([
    ['the chain is too short for the second', [seller(60), rule('far', { depth: 2, percent: 60 })]],
    ['they are for two products', [seller(60, { product: 'a' }), above(60, { product: 'b' })]],
    [
      'they are valid one after the other',
      [seller(60, { validTo: day(2) }), above(60, { validFrom: day(2) })],
    ],
    ['nobody has the tier', [seller(60, { tier: 'platinum' }), above(60)]],
    ['the partner is another one', [seller(60), above(60, { partner: 'r' })]],
    ['the link is not one of the seller', [seller(60), above(60, { link: 'other' })]],
    ['they are for two links', [seller(60, fair), above(60, { link: 'fest' })]],
    ['the one of the link is lower', [seller(60), above(60, fair), seller(40, fair)]],
    ['a more specific rule is lower', [seller(60), above(60), above(40, { partner: 'm' })]],
    [
      'only one of them is a percentage',
      [
        seller(60),
        above(0, { terms: { kind: 'hybrid', rate: basisPoints(6_000), amountPerUnit: 1n } }),
      ],
    ],
    ['the other pays at the close', [seller(60), above(0, { terms: bonus })]],
  ])('are accepted above 100 %% where %s', (_, rules) => {
    expect(found(rules)).toEqual([])
  })

  test.each<[string, CommissionRule[]]>([
    ['for one product', [seller(60, { product: 'a' }), above(60)]],
    ['for products that no rule names', [seller(1, { product: 'a' }), seller(60), above(60)]],
    ['for a link of the seller', [seller(60), above(60, fair)]],
    ['for a tier that somebody has', [seller(60), above(60, { tier: 'gold' })]],
    [
      'for set-up fees alone',
      [seller(60, { setupFee: true }), seller(1), above(60, { setupFee: true }), above(1)],
    ],
    ['while both are valid', [seller(60, { validTo: day(3) }), above(60, { validFrom: day(2) })]],
    [
      'after a lower and more specific rule has ended',
      [seller(60), above(60), rule('own', { depth: 1, percent: 1, partner: 'm', validTo: day(5) })],
    ],
  ])('are refused %s', (_, rules) => {
    expect(found(rules)).toEqual(['seller+above'])
  })

  test('are told with who is concerned, for what, since when and how much it is', () => {
    const rules = [seller(60, { ...fair, product: 'a' }), above(60, { validFrom: day(2) })]
    expect(chainExcess(rules, [chain])).toEqual([
      {
        rules,
        partners: ['r', 'm'],
        link: 'fair',
        product: 'a',
        setupFee: false,
        from: day(2),
        total: { num: 12_000n, den: 10_000n },
      },
    ])
  })

  test('are judged only for the time in which the chain stands', () => {
    const rules = [seller(60), above(60, { validFrom: day(5), validTo: day(6) })]
    const during = (from: Date | null, to: Date | null) => found(rules, [{ ...chain, from, to }])
    expect(during(null, day(5))).toEqual([])
    expect(during(day(6), null)).toEqual([])
    expect(during(null, new Date(day(5).getTime() + 1))).toEqual(['seller+above'])
    expect(during(new Date(day(6).getTime() - 1), null)).toEqual(['seller+above'])
  })

  test('are told once, however many chains they concern', () => {
    expect(found([seller(60), above(60)], [chain, chain, { ...chain, from: day(4) }])).toEqual([
      'seller+above',
    ])
  })

  test('agree with the sum of the rules of every line that can come', () => {
    const tier = fc.constantFrom<TierName | null>(null, 'bronze', 'gold')
    const time = fc.option(fc.integer({ min: 1, max: 3 }).map(day), { nil: null })
    const drawn = fc.array(
      fc.record({
        percent: fc.integer({ min: 0, max: 80 }),
        depth: fc.integer({ min: 0, max: 2 }),
        link: fc.constantFrom(null, null, 'fair', 'other'),
        partner: fc.constantFrom(null, 'r', 'm'),
        product: fc.constantFrom(null, 'a'),
        tier,
        validFrom: time,
        validTo: time,
        setupFee: fc.boolean(),
      }),
      { maxLength: 8 },
    )
    const isTooMuch = (rules: CommissionRule[]) =>
      [0, 1, 2, 3].some((n) =>
        ['fair', null].some((link) =>
          ['a', null].some((product) =>
            [true, false].some((setupFee) => {
              const [own = 0n, over = 0n] = chain.partners.map(({ id, tiers }, depth) => {
                const line = { depth, at: day(n), partner: id, link, product, setupFee }
                const terms = ruleFor(rules, { ...line, tier: tiers[0] ?? 'bronze' })?.terms
                return terms?.kind === 'percentage' ? terms.rate.num : 0n
              })
              return own + over > 10_000n
            }),
          ),
        ),
      )
    fc.assert(
      fc.property(drawn, (sketches) => {
        const rules = sketches.map((sketch, i) => rule(`rule ${i}`, sketch))
        expect(chainExcess(rules, [chain]).length > 0).toBe(isTooMuch(rules))
      }),
      { numRuns: 2_000 },
    )
  })
})
