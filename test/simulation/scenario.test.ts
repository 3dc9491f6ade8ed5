import {
  adjustment,
  bonus,
  dispute,
  event,
  events,
  flat,
  move,
  partners,
  payment,
  problemsOf,
  read,
  readEvents,
  refund,
  rule,
  rules,
  tier,
  tiered,
  withPartner,
} from './kit.ts'

const contractExample = {
  currency: 'USD',
  programme: { minimum_payout: 2500, hold_days: 0, allocation_unit: 'line' },
  partners: [
    ...partners.slice(0, 2),
    { id: 'r', level: 'reseller', parent: 'm', tier: 'gold', payout_currency: 'EUR' },
  ],
  rules: [rule(), { id: 'over', depth: 1, kind: 'percentage', rate_num: 1, rate_den: 3 }],
  fx: [{ base: 'USD', quote: 'EUR', rate: '0.92341', as_of: '2026-10-31T23:59:59Z' }],
  events: [
    payment({
      invoice: 'i1',
      line: 'l1',
      received_at: '2026-11-03T10:00:02Z',
      product: 'pro',
      quantity: 1,
      line_amount: 9_999,
    }),
    refund(),
    tier(),
    dispute('opened', { at: '2026-11-10T00:00:00Z' }),
    move({ at: '2026-11-16T00:00:00Z' }),
    adjustment({ at: '2026-11-20T00:00:00Z' }),
    dispute('lost', { at: '2026-12-08T00:00:00Z' }),
  ],
  close: ['2026-11', '2026-12'],
}

describe('a scenario', () => {
  test('as the contract shows it is read with all its values', () => {
    const found = read(JSON.parse(JSON.stringify(contractExample)))
    expect(found.programme.minimumPayout).toBe(2_500n)
    expect(found.partners[2]).toEqual({
      id: 'r',
      level: 'reseller',
      parent: 'm',
      tier: 'gold',
      payoutCurrency: 'EUR',
    })
    expect(found.rules.map(({ terms }) => terms)).toEqual([
      { kind: 'percentage', rate: { num: 2_000n, den: 10_000n } },
      { kind: 'percentage', rate: { num: 1n, den: 3n } },
    ])
    expect(found.fx[0]?.asOf).toEqual(new Date('2026-10-31T23:59:59Z'))
    expect(found.events.map(({ type }) => type)).toEqual(
      contractExample.events.map(({ type }) => type),
    )
    expect(found.events[0]).toEqual({
      type: 'payment',
      id: 'p1',
      at: new Date('2026-11-03T10:00:00Z'),
      receivedAt: new Date('2026-11-03T10:00:02Z'),
      invoice: 'i1',
      line: 'l1',
      partner: 'r',
      customer: 'c1',
      product: 'pro',
      quantity: 1n,
      amount: 9_999n,
      lineAmount: 9_999n,
      setupFee: false,
    })
    expect(found.close).toEqual(['2026-11', '2026-12'])
  })

  test('without its optional parts has their defaults', () => {
    const found = read({ currency: 'JPY', partners: [{ id: 'a', level: 'reseller' }], rules: [] })
    expect(found).toEqual({
      currency: 'JPY',
      programme: { minimumPayout: 0n, holdDays: 0, allocationUnit: 'line', overridePoolBps: null },
      partners: [
        { id: 'a', level: 'reseller', parent: null, tier: 'bronze', payoutCurrency: null },
      ],
      rules: [],
      fx: [],
      events: [],
      close: [],
    })
  })

  test('of a payment with the least fields has one unit on a line and an invoice of its own', () => {
    expect(readEvents(payment())[0]).toMatchObject({
      invoice: 'p1',
      line: 'p1',
      product: null,
      quantity: 1n,
      lineAmount: null,
      setupFee: false,
    })
  })

  test('keeps every kind of rule with its terms, scope, times and limits', () => {
    const bands = [
      { from: 0, to: 1_000, rate_bps: 1_500 },
      { from: 1_000, to: null, rate_bps: 2_000 },
    ]
    const times = { valid_from: '2026-01-01T00:00:00Z', valid_to: '2026-12-31T23:00:00-01:00' }
    const found = read(
      rules(
        flat({ product: 'a', tier: 'gold', partner: 'r', ...times }),
        rule({ id: 'h', product: 'b', kind: 'hybrid', amount_per_unit: 5, setup_fee: true }),
        tiered(bands, { id: 't', product: 'c', cap: { amount: 10, per: 'month' }, floor: 2 }),
        tiered([{ from: 0, rate_bps: 1 }], {
          id: 'u',
          kind: 'tiered_cliff',
          window: { months: 12 },
        }),
        bonus({ metric: 'new_customers' }),
      ),
    ).rules
    const unlimited = { cap: null, floor: null, windowMonths: null, setupFee: false }
    const everything = { link: null, partner: null, tier: null, product: null }
    const always = { validFrom: null, validTo: null }
    expect(found).toEqual([
      {
        code: 'base',
        depth: 0,
        terms: { kind: 'flat', amountPerUnit: 100n },
        scope: { link: null, product: 'a', tier: 'gold', partner: 'r' },
        validFrom: new Date('2026-01-01T00:00:00Z'),
        validTo: new Date('2027-01-01T00:00:00Z'),
        ...unlimited,
      },
      {
        code: 'h',
        depth: 0,
        terms: { kind: 'hybrid', rate: { num: 2_000n, den: 10_000n }, amountPerUnit: 5n },
        scope: { ...everything, product: 'b' },
        ...always,
        ...unlimited,
        setupFee: true,
      },
      {
        code: 't',
        depth: 0,
        terms: {
          kind: 'tiered_marginal',
          bands: [
            { from: 0n, to: 1_000n, rate: { num: 1_500n, den: 10_000n } },
            { from: 1_000n, to: null, rate: { num: 2_000n, den: 10_000n } },
          ],
        },
        scope: { ...everything, product: 'c' },
        ...always,
        ...unlimited,
        cap: { amount: 10n, per: 'month' },
        floor: 2n,
      },
      {
        code: 'u',
        depth: 0,
        terms: {
          kind: 'tiered_cliff',
          bands: [{ from: 0n, to: null, rate: { num: 1n, den: 10_000n } }],
        },
        scope: everything,
        ...always,
        ...unlimited,
        windowMonths: 12,
      },
      {
        code: 'bonus',
        depth: 0,
        terms: { kind: 'performance', metric: 'new_customers', target: 10_000n, bonus: 500n },
        scope: everything,
        ...always,
        ...unlimited,
      },
    ])
  })

  test('counts amounts to 2^53-1 and below zero for adjustments', () => {
    const most = Number.MAX_SAFE_INTEGER
    const found = readEvents(payment({ amount: most }), adjustment({ amount: -most }))
    expect(found.map((entry) => 'amount' in entry && entry.amount)).toEqual([
      9_007_199_254_740_991n,
      -9_007_199_254_740_991n,
    ])
  })

  test('may hold a payment of nothing', () => {
    expect(readEvents(payment({ amount: 0 }))[0]).toMatchObject({ amount: 0n, lineAmount: null })
  })

  test('takes null for a field that may be left out', () => {
    const found = read({
      ...withPartner({ parent: null, payout_currency: null }),
      rules: [rule({ product: null, partner: null, tier: null, valid_from: null, cap: null })],
      programme: { override_pool_bps: null },
      events: [payment({ product: null, invoice: null })],
    })
    expect(found.partners[2]?.parent).toBeNull()
  })
})

describe('the order of delivery', () => {
  const arrivals = (...list: unknown[]) =>
    readEvents(...list).map(({ receivedAt }) => receivedAt.toISOString())

  test('gives an event without its arrival the later of its time and the arrival before', () => {
    expect(
      arrivals(
        payment({ received_at: '2026-11-06T00:00:00Z' }),
        refund({ at: '2026-11-05T00:00:00Z' }),
        refund({ id: 'x2', at: '2026-11-07T02:00:00+02:00' }),
      ),
    ).toEqual(['2026-11-06T00:00:00.000Z', '2026-11-06T00:00:00.000Z', '2026-11-07T00:00:00.000Z'])
  })

  test('is the order of the file, so an earlier arrival is refused', () => {
    const found = problemsOf(
      events(
        payment({ received_at: '2026-11-06T00:00:00Z' }),
        refund({ received_at: '2026-11-05T23:59:59Z' }),
      ),
    )
    expect(found).toEqual([
      {
        path: 'events[1].received_at',
        found: '2026-11-05T23:59:59.000Z',
        expected: '2026-11-06T00:00:00.000Z or later: the file is in order of delivery',
      },
    ])
  })

  test('lets a refund come before its payment', () => {
    expect(readEvents(refund(), payment()).map(({ type }) => type)).toEqual(['refund', 'payment'])
  })

  test.each([
    ['a payment', payment(), payment()],
    ['a payment, with a default spelt out', payment(), payment({ quantity: 1, line: 'p1' })],
    ['a payment, in another time zone', payment(), payment({ at: '2026-11-03T11:00:00+01:00' })],
    ['a refund that arrives again', refund(), refund({ received_at: '2026-12-01T00:00:00Z' })],
    ['a credit note', ...Array(2).fill(refund({ id: 'n1', type: 'credit_note' }))],
    ['a failed refund', ...Array(2).fill(event('refund_failed', { of: 'x1' }))],
    ['a dispute', dispute('opened'), dispute('opened')],
    ['an adjustment', adjustment(), adjustment()],
  ])('leaves out the repetition of %s', (_, first, second) => {
    const list = [payment({ id: 'p0' }), payment(), refund(), first, second]
    const known = readEvents(payment({ id: 'p0' }), payment(), refund(), ...list.slice(3, 4))
    expect(readEvents(...list).map(({ type }) => type)).toEqual(known.map(({ type }) => type))
  })

  test('takes a verbatim repetition whose arrival lies before, and counts a later one', () => {
    const first = payment({ received_at: '2026-11-03T10:00:02Z' })
    expect(arrivals(first, refund(), first, tier())).toEqual([
      '2026-11-03T10:00:02.000Z',
      '2026-11-05T00:00:00.000Z',
      '2026-11-05T00:00:00.000Z',
    ])
    const late = refund({ received_at: '2026-11-09T00:00:00Z' })
    expect(arrivals(first, late, first, tier()).slice(1)).toEqual(
      Array(2).fill('2026-11-09T00:00:00.000Z'),
    )
    expect(arrivals(first, payment({ received_at: '2026-11-08T00:00:00Z' }), refund())).toEqual([
      '2026-11-03T10:00:02.000Z',
      '2026-11-08T00:00:00.000Z',
    ])
  })

  test('keeps what opens and decides a dispute under one id, and equal ids of other things', () => {
    const list = [
      payment(),
      refund({ id: 'p1' }),
      adjustment({ id: 'p1' }),
      dispute('opened', { id: 'p1' }),
      dispute('lost', { id: 'p1', amount: 5 }),
      dispute('won', { id: 'p1', amount: 5 }),
    ]
    expect(readEvents(...list)).toHaveLength(6)
  })
})
