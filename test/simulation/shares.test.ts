/** What lines earn, by every kind of rule; the worked cases of the design among them. */
import { payment as paid, rule } from './kit.ts'
import { platform, shares, usePlayer } from './play.ts'

const player = usePlayer()

const chain = [
  { id: 'm', level: 'master_reseller' },
  { id: 'r', level: 'reseller', parent: 'm' },
]
const percent = (depth: number, rate_bps: number, more = {}) =>
  rule({ id: `d${depth}`, depth, rate_bps, ...more })
const third = (depth: number) => ({
  id: `d${depth}`,
  depth,
  kind: 'percentage',
  rate_num: 1,
  rate_den: 3,
})
const banded = (kind: string, more = {}) => ({
  id: 'bands',
  depth: 0,
  kind,
  bands: [
    { from: 0, to: 100_000, rate_bps: 1_500 },
    { from: 100_000, to: 500_000, rate_bps: 2_000 },
    { from: 500_000, to: null, rate_bps: 2_500 },
  ],
  ...more,
})
const flat = (amount_per_unit: number, more = {}) => ({
  id: 'flat',
  depth: 0,
  kind: 'flat',
  amount_per_unit,
  ...more,
})

/** Payments of these amounts, one after the other, each a line of its own. */
const lines = (...amounts: number[]) =>
  amounts.map((amount, i) =>
    paid({ id: `p${i + 1}`, amount, at: `2026-11-03T10:00:${String(i).padStart(2, '0')}Z` }),
  )

const play = (rules: unknown[], events: unknown[], more = {}) =>
  player.play({ currency: 'USD', partners: chain, rules, events, ...more })

describe('percentages of a line that is settled whole', () => {
  it.each([
    [
      '99.99 at 20 % and 5 %',
      'USD',
      9_999,
      [percent(0, 2_000), percent(1, 500)],
      [2_000, 500, 7_499],
    ],
    ['one cent at 50 % and 50 %', 'USD', 1, [percent(0, 5_000), percent(1, 5_000)], [1, 0, 0]],
    ['10.00 at a third each', 'USD', 1_000, [third(0), third(1)], [334, 333, 333]],
    [
      '1,980 yen at 12.5 % and 3.33 %',
      'JPY',
      1_980,
      [percent(0, 1_250), percent(1, 333)],
      [247, 66, 1_667],
    ],
    [
      '12.340 dinars at 15 % and 5 %',
      'KWD',
      12_340,
      [percent(0, 1_500), percent(1, 500)],
      [1_851, 617, 9_872],
    ],
    ['nothing at 20 %', 'USD', 0, [percent(0, 2_000)], [0, 0]],
  ])('share %s by largest remainder', async (_, currency, amount, rules, expected) => {
    const result = await play(rules, [paid({ amount })], { currency })
    const given = [...result.accruals.map((accrual) => accrual.amount), ...platform(result)]
    expect(given).toEqual(expected)
  })

  it('reach as far up as there are rules, and no further than there are partners', async () => {
    const partners = [...chain, { id: 'k', level: 'reseller', parent: 'r' }]
    const rules = [percent(0, 2_000), percent(1, 500), percent(2, 250), percent(3, 100)]
    const result = await play(rules, [paid({ partner: 'k', amount: 10_000 })], { partners })
    expect(shares(result)).toEqual(['p1 k 2000', 'p1 r 500', 'p1 m 250'])
    expect(platform(result)).toEqual([7_250])
  })
})

describe('a line that is paid in parts', () => {
  const parts = [1, 2, 3].map((n) =>
    paid({
      id: `p${n}`,
      invoice: 'i',
      line: 'l',
      amount: 3_333,
      line_amount: 9_999,
      at: `2026-11-0${n}T00:00:00Z`,
    }),
  )

  it('grows by the floor of what was paid so far, and the platform keeps the rest', async () => {
    const result = await play([percent(0, 2_000), percent(1, 500)], parts)
    expect(shares(result)).toEqual([
      'p1 r 666',
      'p1 m 166',
      'p2 r 667',
      'p2 m 167',
      'p3 r 666',
      'p3 m 166',
    ])
    expect(platform(result)).toEqual([2_501, 2_499, 2_501])
  })

  it('is the same line where the file leaves its whole amount out', async () => {
    const bare = parts.map(({ line_amount: _, ...rest }) => rest)
    expect(shares(await play([percent(0, 2_000)], bare))).toEqual([
      'p1 r 666',
      'p2 r 667',
      'p3 r 666',
    ])
  })

  it('ends exactly, even where its last unit makes every share grow by one', async () => {
    const partners = [...chain, { id: 'k', level: 'reseller', parent: 'r' }]
    const rules = [percent(0, 2_500), percent(1, 2_500), percent(2, 2_500)]
    const sale = { invoice: 'i', line: 'l', partner: 'k', line_amount: 4 }
    const events = [
      paid({ ...sale, id: 'p1', amount: 3 }),
      paid({ ...sale, id: 'p2', amount: 1, at: '2026-11-04T00:00:00Z' }),
    ]
    const result = await play(rules, events, { partners })
    expect(shares(result).slice(3)).toEqual(['p2 k 1', 'p2 r 1', 'p2 m 1'])
    expect(platform(result)).toEqual([3, -2])
  })

  it('earns a flat amount in proportion to what was paid', async () => {
    expect(shares(await play([flat(1_000)], parts))).toEqual(['p1 r 333', 'p2 r 333', 'p3 r 334'])
  })
})

describe('rules that pay by the unit', () => {
  it('pay for each unit, and a hybrid adds its percentage', async () => {
    const hybrid = { id: 'h', depth: 1, kind: 'hybrid', rate_bps: 500, amount_per_unit: 10 }
    const result = await play([flat(150), hybrid], [paid({ quantity: 3 })])
    expect(shares(result)).toEqual(['p1 r 450', 'p1 m 529'])
  })

  it('never take more of a line than smaller depths left of it', async () => {
    const result = await play(
      [percent(0, 8_000), flat(500, { depth: 1 })],
      [paid({ amount: 1_000 })],
    )
    expect(shares(result)).toEqual(['p1 r 800', 'p1 m 200'])
    expect(platform(result)).toEqual([0])
    expect(result.accruals[1]?.why).toContain('5.00 USD ended by what smaller depths left')
  })
})

describe('bands of volume', () => {
  it('pay each slice at its own rate, whatever lines it comes in', async () => {
    const result = await play([banded('tiered_marginal')], lines(99_997, 6, 45_001))
    expect(shares(result)).toEqual(['p1 r 14999', 'p2 r 1', 'p3 r 9000'])
    const all = await play([banded('tiered_marginal')], lines(620_001))
    expect(shares(all)).toEqual(['p1 r 125000'])
  })

  it('of a partner above count the lines of all sellers below it', async () => {
    const partners = [...chain, { id: 's', level: 'reseller', parent: 'm' }]
    const events = [
      paid({ amount: 99_990 }),
      paid({ id: 'p2', partner: 's', customer: 'c2', amount: 20 }),
    ]
    const result = await play([banded('tiered_marginal', { depth: 1 })], events, { partners })
    expect(shares(result)).toEqual(['p1 m 14998', 'p2 m 4'])
  })

  it('start anew with each month', async () => {
    const events = [
      paid({ amount: 100_000 }),
      paid({ id: 'p2', amount: 100, at: '2026-12-01T00:00:00Z' }),
    ]
    expect(shares(await play([banded('tiered_marginal')], events))).toEqual([
      'p1 r 15000',
      'p2 r 15',
    ])
  })

  it('of a cliff pay a line on itself alone, at the rate reached with it', async () => {
    const result = await play([banded('tiered_cliff')], lines(99_999, 1, 101))
    expect(shares(result)).toEqual(['p1 r 14999', 'p2 r 0', 'p3 r 20'])
  })
})

describe('limits of a rule', () => {
  it('end at the cap of a day, of a month and of all time', async () => {
    const cap = (per: string) => percent(0, 1_000, { cap: { amount: 1_500, per } })
    const events = [
      paid({ id: 'a', amount: 10_000, at: '2026-11-02T23:00:00Z' }),
      paid({ id: 'b', amount: 10_000, at: '2026-11-02T23:30:00Z' }),
      paid({ id: 'c', amount: 10_000, at: '2026-11-03T00:00:00Z' }),
      paid({ id: 'd', amount: 10_000, at: '2026-12-01T00:00:00Z' }),
    ]
    expect(shares(await play([cap('day')], events))).toEqual([
      'a r 1000',
      'b r 500',
      'c r 1000',
      'd r 1000',
    ])
    expect(shares(await play([cap('week')], events))).toEqual([
      'a r 1000',
      'b r 500',
      'c r 0',
      'd r 1000',
    ])
    expect(shares(await play([cap('month')], events))).toEqual([
      'a r 1000',
      'b r 500',
      'c r 0',
      'd r 1000',
    ])
    expect(shares(await play([cap('all')], events))).toEqual([
      'a r 1000',
      'b r 500',
      'c r 0',
      'd r 0',
    ])
  })

  it('raise a line to the floor, never above its base', async () => {
    const rules = [percent(0, 100, { floor: 200 })]
    expect(shares(await play(rules, lines(10_000, 150, 100_000)))).toEqual([
      'p1 r 200',
      'p2 r 150',
      'p3 r 1000',
    ])
  })

  it('end with the window of the customer, to the instant', async () => {
    const rules = [percent(0, 1_000, { window: { months: 3 } })]
    const at = (id: string, time: string) => paid({ id, amount: 1_000, at: time })
    const events = [
      at('a', '2026-08-31T12:00:00Z'),
      at('b', '2026-11-30T11:59:59Z'),
      at('c', '2026-11-30T12:00:00Z'),
      paid({ id: 'other', customer: 'c2', amount: 1_000, at: '2026-12-15T00:00:00Z' }),
    ]
    const result = await play(rules, events)
    expect(shares(result)).toEqual(['a r 100', 'b r 100', 'c r 0', 'other r 100'])
    expect(result.accruals[2]?.why).toContain('the time in which this customer earns is over')
  })

  it('keep set-up fees out, unless the rule says that they earn', async () => {
    const events = [paid({ amount: 1_000, setup_fee: true })]
    expect(shares(await play([percent(0, 1_000)], events))).toEqual(['p1 r 0'])
    expect(shares(await play([percent(0, 1_000, { setup_fee: true })], events))).toEqual([
      'p1 r 100',
    ])
  })

  it('hold all overrides of a line in one pool, the last one clamped', async () => {
    const partners = [...chain, { id: 'k', level: 'reseller', parent: 'r' }]
    const rules = [percent(0, 2_000), percent(1, 500), percent(2, 400)]
    const programme = { override_pool_bps: 700 }
    const events = [paid({ partner: 'k', amount: 10_000 })]
    const result = await play(rules, events, { partners, programme })
    expect(shares(result)).toEqual(['p1 k 2000', 'p1 r 500', 'p1 m 200'])
    expect(platform(result)).toEqual([7_300])
  })
})

describe('the rule that applies', () => {
  it('is the most specific: the partner, then the tier, then the product, then all', async () => {
    const partners = [
      ...chain,
      { id: 'g', level: 'reseller', tier: 'gold' },
      { id: 'v', level: 'reseller', tier: 'gold' },
    ]
    const rules = [
      percent(0, 100),
      percent(0, 200, { id: 'product', product: 'pro' }),
      percent(0, 300, { id: 'tier', tier: 'gold' }),
      percent(0, 400, { id: 'partner', partner: 'v' }),
    ]
    const sale = (id: string, partner: string, product: string) =>
      paid({ id, partner, customer: `c ${partner}`, product, amount: 10_000 })
    const events = [
      sale('1', 'r', 'lite'),
      sale('2', 'r', 'pro'),
      sale('3', 'g', 'pro'),
      sale('4', 'v', 'pro'),
    ]
    expect(shares(await play(rules, events, { partners }))).toEqual([
      '1 r 100',
      '2 r 200',
      '3 g 300',
      '4 v 400',
    ])
  })

  it('is the version that was valid when the line was paid', async () => {
    const rules = [
      percent(0, 1_000, { valid_to: '2026-11-10T00:00:00Z' }),
      percent(0, 2_000, { valid_from: '2026-11-10T00:00:00Z' }),
    ]
    const events = [
      paid({ id: 'a', amount: 100, at: '2026-11-09T23:59:59Z' }),
      paid({ id: 'b', amount: 100, at: '2026-11-10T00:00:00Z' }),
    ]
    expect(shares(await play(rules, events))).toEqual(['a r 10', 'b r 20'])
  })

  it('follows a rise of the tier at once, and a fall for new customers only', async () => {
    const rules = [percent(0, 1_000), percent(0, 2_000, { id: 'gold', tier: 'gold' })]
    const tier = (to: string, at: string) => ({ type: 'tier', partner: 'r', tier: to, at })
    const sale = (id: string, customer: string, at: string) =>
      paid({ id, customer, at, amount: 100 })
    const events = [
      sale('1', 'old', '2026-11-01T00:00:00Z'),
      tier('gold', '2026-11-02T00:00:00Z'),
      sale('2', 'old', '2026-11-03T00:00:00Z'),
      sale('3', 'mid', '2026-11-03T00:00:00Z'),
      tier('bronze', '2026-11-04T00:00:00Z'),
      sale('4', 'old', '2026-11-05T00:00:00Z'),
      sale('5', 'mid', '2026-11-05T00:00:00Z'),
      sale('6', 'new', '2026-11-05T00:00:00Z'),
    ]
    expect(shares(await play(rules, events))).toEqual([
      '1 r 10',
      '2 r 20',
      '3 r 20',
      '4 r 10',
      '5 r 20',
      '6 r 10',
    ])
  })

  it('pays who stood above when the line was paid, whenever it arrives', async () => {
    const partners = [
      ...chain,
      { id: 'm2', level: 'master_reseller' },
      { id: 'k', level: 'reseller', parent: 'r' },
    ]
    const rules = [percent(0, 1_000), percent(1, 500), percent(2, 100)]
    const events = [
      { type: 'move', partner: 'r', to: 'm2', at: '2026-11-16T00:00:00Z' },
      paid({
        id: 'before',
        partner: 'k',
        amount: 10_000,
        at: '2026-11-15T23:59:59Z',
        received_at: '2026-11-17T00:00:00Z',
      }),
      paid({
        id: 'after',
        partner: 'k',
        amount: 10_000,
        at: '2026-11-16T00:00:00Z',
        received_at: '2026-11-17T00:00:00Z',
      }),
    ]
    expect(shares(await play(rules, events, { partners }))).toEqual([
      'before k 1000',
      'before r 500',
      'before m 100',
      'after k 1000',
      'after r 500',
      'after m2 100',
    ])
  })
})

describe('the unit of an invoice', () => {
  it('shares all its lines as one base, reported with its last payment', async () => {
    const cents = Array.from({ length: 10 }, (_, i) =>
      paid({ id: `p${i}`, invoice: 'i', line: `l${i}`, amount: 3, at: `2026-11-03T00:00:0${i}Z` }),
    )
    const rules = [percent(0, 1_500)]
    const apart = await play(rules, cents)
    expect(apart.accruals.reduce((total, { amount }) => total + amount, 0)).toBe(0)
    const together = await play(rules, cents, { programme: { allocation_unit: 'invoice' } })
    expect(shares(together)).toEqual(['p9 r 5'])
    expect(together.platform).toEqual([{ payment: 'p9', amount: 25 }])
  })
})
