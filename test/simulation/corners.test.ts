/** Where parts, versions, units and months meet: corners that a second computation once found. */
import { flat, payment as paid, refund, rule, tier } from './kit.ts'
import { backs, platform, shares, usePlayer, wholes } from './play.ts'

const player = usePlayer()

const chain = [
  { id: 'm', level: 'master_reseller' },
  { id: 'r', level: 'reseller', parent: 'm', tier: 'gold' },
]

const play = (rules: unknown[], events: unknown[], more = {}) =>
  player.play({ currency: 'USD', partners: chain, rules, events, ...more })

const cliff = {
  id: 'cliff',
  depth: 0,
  kind: 'tiered_cliff',
  bands: [
    { from: 0, to: 100_000, rate_bps: 1_000 },
    { from: 100_000, to: null, rate_bps: 2_000 },
  ],
}
const two = [paid({ id: 'a', amount: 60_000 }), paid({ id: 'b', amount: 60_000, customer: 'c2' })]

describe('a line in parts', () => {
  const parts = (dates: string[]) =>
    dates.map((day, i) =>
      paid({
        ...{ id: `p${i + 1}`, invoice: 'i1', line: 'l1', amount: 100, line_amount: 200 },
        at: `2026-11-${day}T00:00:00Z`,
      }),
    )

  it('leaves what a seller had of it to nobody, though its rule has ended', async () => {
    const all = rule({ id: 'all', rate_bps: 10_000, valid_to: '2026-11-10T00:00:00Z' })
    const over = flat({
      ...{ id: 'over', depth: 1, amount_per_unit: 1_000 },
      valid_from: '2026-11-10T00:00:00Z',
    })
    const result = await play([all, over], parts(['03', '13']))
    expect(shares(result)).toEqual(['p1 r 100', 'p2 m 100'])
    expect(platform(result)).toEqual([0, 0])
  })

  it('earns under a cliff what the whole line earns at the rate that it reached', async () => {
    const oddly = { ...cliff, bands: [{ from: 0, to: null, rate_bps: 1_250 }] }
    const thirds = ['03', '04', '05'].map((day, i) =>
      paid({
        ...{ id: `p${i + 1}`, invoice: 'i1', line: 'l1', amount: 33, line_amount: 99 },
        at: `2026-11-${day}T00:00:00Z`,
      }),
    )
    const result = await play([oddly], thirds, { close: ['2026-11'] })
    expect(shares(result)).toEqual(['p1 r 4', 'p2 r 4', 'p3 r 4'])
    expect(wholes(result)).toEqual([])
  })
})

describe('an invoice that is one base', () => {
  it('pays the units of a line once, in however many payments it is settled', async () => {
    const units = flat({ amount_per_unit: 500 })
    const halves = ['p1', 'p2'].map((id) =>
      paid({ id, invoice: 'i1', line: 'l1', quantity: 2, amount: 5_000, line_amount: 10_000 }),
    )
    const invoice = { programme: { allocation_unit: 'invoice' } }
    expect(shares(await play([units], halves, invoice))).toEqual(['p2 r 1000'])
  })
})

describe('a cliff', () => {
  it('that ended with the month is trued up where its late lines landed', async () => {
    const ended = { ...cliff, valid_to: '2026-11-01T00:00:00Z' }
    const late = two.map((payment) => ({
      ...payment,
      at: '2026-10-30T00:00:00Z',
      received_at: '2026-11-10T00:00:00Z',
    }))
    const result = await play([ended], late, { close: ['2026-10', '2026-11'] })
    expect(shares(result)).toEqual(['a r 6000', 'b r 12000'])
    expect(wholes(result)).toEqual(['r cliff 2026-11 6000'])
  })

  it('gives nothing back of its true-up for a line that earned nothing under it', async () => {
    const setUp = paid({ id: 's', amount: 90_000, customer: 'c3', setup_fee: true })
    const back = refund({ of: 's', amount: 90_000, at: '2026-12-10T00:00:00Z' })
    const result = await play([cliff], [...two, setUp, back], { close: ['2026-11', '2026-12'] })
    expect(wholes(result)).toEqual(['r cliff 2026-11 6000'])
    expect(backs(result)).toEqual([])
  })

  it('counts a refund of the next month in that month, though it came before the close', async () => {
    const early = refund({ of: 'a', amount: 60_000, at: '2026-12-02T00:00:00Z' })
    const result = await play([cliff], [...two, early], { close: ['2026-11', '2026-12'] })
    expect(wholes(result)).toEqual(['r cliff 2026-11 6000'])
    expect(backs(result)).toEqual(['x1 r 6000 2026-12', 'x1 r 3000 2026-12'])
  })
})

describe('a customer', () => {
  it('is new once, though an older payment of it is told after that month has closed', async () => {
    const bonus = { ...{ id: 'new', kind: 'performance', depth: 0 }, metric: 'new_customers' }
    const older = paid({
      id: 'older',
      at: '2026-10-30T00:00:00Z',
      received_at: '2026-12-10T00:00:00Z',
    })
    const close = ['2026-10', '2026-11', '2026-12']
    const result = await play([{ ...bonus, target: 1, bonus: 500 }], [paid(), older], { close })
    expect(wholes(result)).toEqual(['r new 2026-11 500'])
  })
})

describe('two changes of a tier at one instant', () => {
  it('leave the last, also where it is the tier from before', async () => {
    const at = '2026-11-02T00:00:00Z'
    const gold = rule({ id: 'gold', rate_bps: 1_000, tier: 'gold' })
    const platinum = rule({ id: 'platinum', rate_bps: 3_000, tier: 'platinum' })
    const there = tier({ at })
    const back = tier({ tier: 'gold', at })
    const result = await play([gold, platinum], [there, back, paid({ amount: 10_000 })])
    expect(shares(result)).toEqual(['p1 r 1000'])
  })
})
