import {
  bonus,
  euro,
  events,
  june,
  move,
  over,
  part,
  partners,
  pathsOf,
  payment,
  problemsOf,
  rate,
  read,
  refund,
  rule,
  rules,
  scenario,
  tier,
  tiered,
  version,
  withPartner,
} from './kit.ts'

describe('no contradiction is seen where there is none:', () => {
  test.each<[string, unknown]>([
    ['versions of one rule', rules(version(null, june), version(june, null, { rate_bps: 1 }))],
    ['several bonuses', rules(bonus(), bonus({ id: 'other' }))],
    ['rules for fees beside others', rules(rule(), rule({ id: 'f', setup_fee: true }))],
    [
      'percentages that never meet in a chain',
      {
        ...rules(
          rule(),
          over({ rate_bps: 3_000 }),
          over({ id: 'o', partner: 'm2', rate_bps: 9_000 }),
        ),
      },
    ],
    [
      'a high rate of a tier that nobody reaches while it holds',
      {
        ...rules(
          rule(),
          over({ rate_bps: 3_000 }),
          rule({ id: 'p', tier: 'platinum', rate_bps: 8_000, valid_to: june }),
        ),
        events: [tier()],
      },
    ],
    [
      'a high rate above a partner that has moved away before',
      {
        ...rules(
          rule(),
          over({ partner: 'm', rate_bps: 9_000, valid_from: '2026-11-06T00:00:00Z' }),
        ),
        events: [move()],
      },
    ],
    [
      'a swap of two partners in order of time, not of the file',
      {
        ...events(
          move({ partner: 'm', to: 'r', at: '2026-11-07T00:00:00Z' }),
          move({ partner: 'r', to: 'm2', at: '2026-11-06T00:00:00Z' }),
        ),
      },
    ],
    ['parts that make up their line', events(part('a'), part('b'), part('c'))],
    [
      'a line of one number on two invoices',
      events(
        payment({ invoice: 'i1', line: 'l' }),
        payment({ id: 'p2', invoice: 'i2', line: 'l', amount: 5 }),
      ),
    ],
    [
      'refunds that are too much only together',
      events(payment(), refund({ amount: 9_999 }), refund({ id: 'x2', amount: 9_999 })),
    ],
    [
      'a rate as of the very end of the period',
      euro([rate({ as_of: '2026-12-01T00:00:00Z' })], ['2026-11']),
    ],
    [
      'no rate for the currency of the scenario',
      { ...withPartner({ payout_currency: 'USD' }), close: ['2026-11'] },
    ],
    ['no rate where nothing closes', euro([], [])],
    ['a close that leaves out a month', scenario({ close: ['2026-11', '2027-01'] })],
    [
      'a chain of twelve resellers',
      scenario({
        partners: Array.from({ length: 12 }, (_, n) => ({
          id: `r${n}`,
          level: 'reseller',
          ...(n > 0 ? { parent: `r${n - 1}` } : {}),
        })),
      }),
    ],
  ])('%s', (_, input) => {
    expect(problemsOf(input)).toEqual([])
  })

  test('a partner that comes back to where it was', () => {
    const there = move({ to: 'm2', at: '2026-11-06T00:00:00Z' })
    const back = move({ to: 'm', at: '2026-11-07T00:00:00Z' })
    expect(problemsOf(events(there, back))).toEqual([])
  })
})

describe('the refusal', () => {
  const broken = {
    colour: 'red',
    currency: 'QQQ',
    programme: { hold_days: 1.5 },
    partners: [{ id: 'm', level: 'boss' }, ...partners.slice(1)],
    rules: [
      rule({ kind: 'percentage', rate_bps: undefined, partner: 'x', cap: 1 }),
      tiered([{ from: 5, rate_bps: 1 }], { id: 't' }),
    ],
    fx: [{ base: 'USD' }],
    events: [payment({ amount: 0.5, partner: 'nobody' }), refund({ of: 'p7' }), tier()],
    close: ['2026-12', '2026-11', 'soon'],
  }

  test('names all problems at once, also several of one part', () => {
    expect(pathsOf(broken).sort()).toEqual(
      [
        'close[1]',
        'close[2]',
        'colour',
        'currency',
        'events[0].amount',
        'events[0].partner',
        'events[1].of',
        'fx[0].as_of',
        'fx[0].quote',
        'fx[0].rate',
        'partners[0].level',
        'programme.hold_days',
        'rules[0].cap',
        'rules[0].partner',
        'rules[0].rate_bps',
        'rules[1].bands[0].from',
      ].sort(),
    )
  })

  test('says of each problem what was found and what was expected', () => {
    expect(problemsOf(events(payment({ amount: 99.5, tax: 1 }), refund({ of: 'p9' })))).toEqual([
      {
        path: 'events[0].amount',
        found: '99.5',
        expected: 'a whole number of minor units from 0 to 9007199254740991',
      },
      {
        path: 'events[0].tax',
        found: '1',
        expected: expect.stringMatching(/^no such field: one of at, received_at, type, id,/),
      },
      {
        path: 'events[1].of',
        found: '"p9"',
        expected: 'the id of one of the payments in the file',
      },
    ])
  })

  test('carries every problem in its message', () => {
    expect(() => read(scenario({ currency: 5, close: [{}] }))).toThrow(
      'the scenario has 2 problem(s)\n' +
        'currency: found 5, expected the code of a known currency, like USD\n' +
        'close[0]: found {}, expected a period like 2026-11',
    )
    expect(() => read('x')).toThrow('the file: found "x", expected an object')
  })

  test('says what is missing and shortens what is long', () => {
    const [missing] = problemsOf({ currency: 'USD', partners: [] })
    expect(missing).toEqual({ path: 'rules', found: 'nothing', expected: 'a list' })
    const [long] = problemsOf(scenario({ currency: 'X'.repeat(500) }))
    expect(long?.found).toBe(`"${'X'.repeat(79)}…`)
  })

  test('says how much the percentages of a chain are, and whose', () => {
    const [excess] = problemsOf(rules(rule({ rate_bps: 6_000 }), over({ rate_bps: 4_050 })))
    expect(excess).toEqual({
      path: 'rules[1]',
      found: '100.5 % from rules[0], rules[1] over r, m',
      expected: 'at most 100 % over one chain',
    })
  })
})

test('A scenario of thousands of events, moves and tiers is read', () => {
  const many = Array.from({ length: 60 }, (_, n) => ({
    id: `r${n}`,
    level: 'reseller',
    ...(n > 4 ? { parent: `r${Math.floor(n / 4)}` } : {}),
  }))
  const at = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString()
  const list = Array.from({ length: 6_000 }, (_, n) => {
    const partner = `r${30 + (n % 30)}`
    if (n % 3 === 0) return payment({ id: `p${n}`, partner, at: at(n) })
    if (n % 3 === 1) return move({ partner, to: `r${n % 29}`, at: at(n) })
    return tier({ partner, tier: ['bronze', 'silver', 'gold'][n % 7] ?? 'gold', at: at(n) })
  })
  const own = Array.from({ length: 40 }, (_, n) =>
    rule({ id: `own ${n}`, partner: `r${n}`, product: `product ${n % 5}`, rate_bps: 9_000 }),
  )
  const found = read({
    currency: 'USD',
    partners: many,
    rules: [
      rule(),
      over({ rate_bps: 2_000, product: 'other' }),
      ...own,
      rule({ id: 'two', depth: 2, rate_bps: 100 }),
    ],
    events: list,
  })
  expect(found.events).toHaveLength(6_000)
})
