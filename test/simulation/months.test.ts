/** What goes back, what months make of it, and what is paid; the worked cases among them. */
import { ScenarioError } from '../../simulation/scenario.ts'
import { adjustment, dispute, payment as paid, refund, rule } from './kit.ts'
import { backs, shares, statements, usePlayer, wholes } from './play.ts'

const player = usePlayer()

const chain = [
  { id: 'm', level: 'master_reseller' },
  { id: 'r', level: 'reseller', parent: 'm' },
]
const percent = (depth: number, rate_bps: number) => rule({ id: `d${depth}`, depth, rate_bps })
const both = [percent(0, 2_000), percent(1, 500)]
const tenth = [percent(0, 1_000)]

const play = (rules: unknown[], events: unknown[], more = {}) =>
  player.play({ currency: 'USD', partners: chain, rules, events, ...more })

describe('money that goes back', () => {
  it('in three thirds takes 666, 667 and 667 of 20.00, and as exactly of the override', async () => {
    const thirds = ['x1', 'x2', 'x3'].map((id, i) =>
      refund({ id, at: `2026-11-0${i + 4}T00:00:00Z` }),
    )
    const result = await play(both, [paid(), ...thirds])
    expect(backs(result)).toEqual([
      'x1 r 666 2026-11',
      'x1 m 166 2026-11',
      'x2 r 667 2026-11',
      'x2 m 167 2026-11',
      'x3 r 667 2026-11',
      'x3 m 167 2026-11',
    ])
  })

  it('leaves the same books in whatever order and however often it is told', async () => {
    const p = paid()
    const x = refund({ amount: 9_999 })
    for (const order of [
      [p, x],
      [x, p],
      [x, x, p, p],
      [p, p, x, x],
      [x, p, x, p],
    ]) {
      const later = order.map((event, i) => ({ ...event, received_at: `2026-11-06T00:00:0${i}Z` }))
      const result = await play(both, later, { close: ['2026-11'] })
      expect(shares(result)).toEqual(['p1 r 2000', 'p1 m 500'])
      expect(backs(result)).toEqual(['x1 r 2000 2026-11', 'x1 m 500 2026-11'])
      expect(statements(result, 'r')).toEqual([
        '2026-11 0 2000 2000 0 = 0, held 0, pays 0, carries 0',
      ])
    }
  })

  it('is given again when the refund fails, and never taken when that was known first', async () => {
    const failed = { type: 'refund_failed', of: 'x1', at: '2026-11-07T00:00:00Z' }
    expect(backs(await play(tenth, [paid(), refund(), failed]))).toEqual([
      'x1 r 333 2026-11',
      'x1 r -333 2026-11',
    ])
    expect(backs(await play(tenth, [paid(), failed, refund()]))).toEqual([])
  })

  it('never takes more than the line, however refunds, credit notes and disputes add up', async () => {
    const note = { ...refund({ id: 'n1', amount: 5_000 }), type: 'credit_note' }
    const lost = dispute('lost', { at: '2026-11-08T00:00:00Z' })
    const result = await play(both, [paid(), refund({ amount: 6_000 }), note, lost])
    const back = (partner: string) =>
      result.clawbacks
        .filter((row) => row.partner === partner)
        .reduce((sum, row) => sum + row.amount, 0)
    expect([back('r'), back('m')]).toEqual([2_000, 500])
  })

  it('on a line of an invoice that earns as one takes its part of the whole', async () => {
    const programme = { allocation_unit: 'invoice' }
    const events = [
      paid({ id: 'a', invoice: 'i', line: '1', amount: 1_000 }),
      paid({ id: 'b', invoice: 'i', line: '2', amount: 3_000 }),
      refund({ of: 'a', amount: 1_000 }),
    ]
    const result = await play(tenth, events, { programme })
    expect(shares(result)).toEqual(['b r 400'])
    expect(backs(result)).toEqual(['x1 r 100 2026-11'])
  })
})

describe('a month', () => {
  it('holds what lies in it by UTC, to the instant', async () => {
    const events = [
      paid({ id: 'a', amount: 100, at: '2026-11-30T23:59:59.999Z' }),
      paid({ id: 'b', amount: 100, at: '2026-12-01T00:00:00.000Z' }),
      paid({ id: 'c', amount: 100, at: '2026-11-30T23:30:00-05:00' }),
    ]
    const result = await play(tenth, events, { close: ['2026-11', '2026-12'] })
    expect(result.statements.map(({ period, earned }) => [period, earned])).toEqual([
      ['2026-11', 10],
      ['2026-12', 20],
    ])
  })

  it('that is closed stays as it is: what comes late is in the next one', async () => {
    const october = paid({ id: 'o', amount: 1_000, at: '2026-10-05T00:00:00Z' })
    const late = paid({
      id: 'late',
      amount: 2_000,
      at: '2026-10-31T23:59:50Z',
      received_at: '2026-11-05T00:00:00Z',
    })
    const close = ['2026-10', '2026-11']
    const alone = await play(tenth, [october], { close })
    const result = await play(tenth, [october, late], { close })
    expect(result.statements[0]).toEqual(alone.statements[0])
    expect(statements(result, 'r')).toEqual([
      '2026-10 0 100 0 0 = 100, held 0, pays 100, carries 0',
      '2026-11 0 200 0 0 = 200, held 0, pays 200, carries 0',
    ])
  })

  it('takes what comes in the 72 hours after its end, up to the last instant', async () => {
    const event = (received_at: string) => [
      paid({ amount: 1_000, at: '2026-10-31T00:00:00Z', received_at }),
    ]
    const periodOf = async (received: string) =>
      (await play(tenth, event(received), { close: ['2026-10', '2026-11'] })).statements[0]?.period
    expect(await periodOf('2026-11-03T23:59:59.999Z')).toBe('2026-10')
    expect(await periodOf('2026-11-04T00:00:00.000Z')).toBe('2026-11')
  })

  it('carries what is owed and what is below the minimum', async () => {
    const events = [
      paid({ id: 'oct', amount: 100_000, at: '2026-10-05T00:00:00Z' }),
      paid({ id: 'nov', amount: 15_000, at: '2026-11-05T00:00:00Z' }),
      refund({ of: 'oct', amount: 40_000, at: '2026-11-06T00:00:00Z' }),
      paid({ id: 'dec', amount: 60_000, at: '2026-12-05T00:00:00Z' }),
    ]
    const close = ['2026-10', '2026-11', '2026-12']
    const result = await play(tenth, events, { close, programme: { minimum_payout: 2_500 } })
    expect(statements(result, 'r')).toEqual([
      '2026-10 0 10000 0 0 = 10000, held 0, pays 10000, carries 0',
      '2026-11 0 1500 4000 0 = -2500, held 0, pays 0, carries -2500',
      '2026-12 -2500 6000 0 0 = 3500, held 0, pays 3500, carries 0',
    ])
  })

  it('pays in the steps of its currency and carries the rest', async () => {
    const forint = await play(tenth, [adjustment({ amount: 104_512 })], {
      currency: 'HUF',
      close: ['2026-11'],
    })
    expect(statements(forint, 'r')).toEqual([
      '2026-11 0 0 0 104512 = 104512, held 0, pays 104500, carries 12',
    ])
    const dinar = await play([percent(0, 1_500)], [paid({ amount: 12_340 })], {
      currency: 'KWD',
      close: ['2026-11'],
    })
    expect(statements(dinar, 'r')).toEqual([
      '2026-11 0 1851 0 0 = 1851, held 0, pays 1850, carries 1',
    ])
  })

  it('cannot be closed before an earlier one that has entries', async () => {
    const events = [paid({ at: '2026-10-05T00:00:00Z' }), paid({ id: 'p2' })]
    const early = play(tenth, events, { close: ['2026-11'] })
    await expect(early).rejects.toThrow(ScenarioError)
    await expect(early).rejects.toMatchObject({ problems: [{ path: 'close[0]' }] })
  })
})

describe('what is held', () => {
  const close = ['2026-11', '2026-12']

  it('is what has not matured when the month is closed', async () => {
    const events = [
      paid({ id: 'a', amount: 1_000, at: '2026-11-03T10:00:00Z' }),
      paid({ id: 'b', amount: 2_000, at: '2026-11-10T10:00:00Z' }),
    ]
    const result = await play(tenth, events, { close, programme: { hold_days: 30 } })
    expect(statements(result, 'r')).toEqual([
      '2026-11 0 300 0 0 = 300, held 200, pays 100, carries 200',
      '2026-12 200 0 0 0 = 200, held 0, pays 200, carries 0',
    ])
  })

  it('is the disputed part while a dispute is open, and is paid when it is won', async () => {
    const opened = dispute('opened', { amount: 5_000, at: '2026-11-10T00:00:00Z' })
    const won = dispute('won', { amount: 5_000, at: '2026-12-08T00:00:00Z' })
    const result = await play(tenth, [paid({ amount: 10_000 }), opened, won], { close })
    expect(statements(result, 'r')).toEqual([
      '2026-11 0 1000 0 0 = 1000, held 500, pays 500, carries 500',
      '2026-12 500 0 0 0 = 500, held 0, pays 500, carries 0',
    ])
    expect(backs(result)).toEqual([])
  })

  it('is taken back when the dispute is lost, and restored when it is won after all', async () => {
    const opened = dispute('opened', { amount: 5_000, at: '2026-11-10T00:00:00Z' })
    const lost = dispute('lost', { amount: 5_000, at: '2026-12-08T00:00:00Z' })
    const won = dispute('won', { amount: 5_000, at: '2026-12-20T00:00:00Z' })
    const result = await play(tenth, [paid({ amount: 10_000 }), opened, lost, won], { close })
    expect(backs(result)).toEqual(['d1 r 500 2026-12', 'd1 r -500 2026-12'])
    expect(statements(result, 'r')[1]).toBe('2026-12 500 0 0 0 = 500, held 0, pays 500, carries 0')
  })

  it('is never money that an earlier month paid', async () => {
    const opened = dispute('opened', { amount: 10_000, at: '2026-12-10T00:00:00Z' })
    const events = [
      paid({ amount: 10_000 }),
      opened,
      paid({ id: 'p2', amount: 1_000, at: '2026-12-11T00:00:00Z' }),
    ]
    expect(statements(await play(tenth, events, { close }), 'r')).toEqual([
      '2026-11 0 1000 0 0 = 1000, held 0, pays 1000, carries 0',
      '2026-12 0 100 0 0 = 100, held 0, pays 100, carries 0',
    ])
  })
})

describe('what a whole month earns', () => {
  const close = ['2026-11', '2026-12']
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

  it('is brought by a true-up to the rate that the volume reached', async () => {
    const result = await play([cliff], two, { close })
    expect(shares(result)).toEqual(['a r 6000', 'b r 12000'])
    expect(wholes(result)).toEqual(['r cliff 2026-11 6000'])
    expect(statements(result, 'r')).toEqual([
      '2026-11 0 24000 0 0 = 24000, held 0, pays 24000, carries 0',
    ])
  })

  it('is judged on what refunds of the month left, and may take back', async () => {
    const result = await play([cliff], [...two, refund({ of: 'a', amount: 30_000 })], { close })
    expect(backs(result)).toEqual(['x1 r 3000 2026-11'])
    expect(wholes(result)).toEqual(['r cliff 2026-11 -6000'])
    expect(statements(result, 'r')).toEqual([
      '2026-11 0 12000 3000 0 = 9000, held 0, pays 9000, carries 0',
    ])
  })

  it('goes back with a refund after the close', async () => {
    const late = refund({ of: 'a', amount: 60_000, at: '2026-12-10T00:00:00Z' })
    const result = await play([cliff], [...two, late], { close })
    expect(backs(result)).toEqual(['x1 r 6000 2026-12', 'x1 r 3000 2026-12'])
  })

  it('is a bonus on top where the metric reached its target', async () => {
    const collected = (target: number) => ({
      id: 'c',
      kind: 'performance',
      depth: 0,
      metric: 'collected',
      target,
      bonus: 5_000,
    })
    const result = await play([...tenth, collected(120_000)], two, { close })
    expect(wholes(result)).toEqual(['r c 2026-11 5000'])
    expect(statements(result, 'r')).toEqual([
      '2026-11 0 17000 0 0 = 17000, held 0, pays 17000, carries 0',
    ])
    const back = refund({ of: 'a', amount: 1 })
    expect(wholes(await play([...tenth, collected(120_000)], [...two, back], { close }))).toEqual(
      [],
    )
  })

  it('counts a new customer in the month of its first payment only', async () => {
    const newcomers = {
      id: 'n',
      kind: 'performance',
      depth: 1,
      metric: 'new_customers',
      target: 2,
      bonus: 100,
    }
    const again = [
      paid({ id: 'c', at: '2026-12-03T00:00:00Z' }),
      paid({ id: 'd', customer: 'c2', at: '2026-12-03T00:00:00Z' }),
    ]
    const result = await play([...tenth, newcomers], [...two, ...again], { close })
    expect(wholes(result)).toEqual(['m n 2026-11 100'])
  })
})

describe('a partner that is paid in another currency', () => {
  const partners = [{ id: 'r', level: 'reseller', payout_currency: 'EUR' }]
  const fx = [
    { base: 'USD', quote: 'EUR', rate: '0.9', as_of: '2026-10-01T00:00:00Z' },
    { base: 'USD', quote: 'EUR', rate: '0.92341', as_of: '2026-11-30T23:59:59Z' },
    { base: 'USD', quote: 'EUR', rate: '0.5', as_of: '2026-12-15T00:00:00Z' },
  ]

  it('is paid at the newest rate of the period, and clawed back at the same', async () => {
    const events = [paid(), refund({ amount: 9_999, at: '2026-12-10T00:00:00Z' })]
    const close = ['2026-11', '2026-12']
    const result = await play([percent(0, 2_000)], events, { partners, fx, close })
    expect(result.statements.map(({ payout }) => payout)).toEqual([
      { currency: 'EUR', amount: 1_847, rate: '0.92341' },
      null,
    ])
    expect(result.clawbacks).toEqual([
      {
        cause: 'x1',
        of: 'p1',
        partner: 'r',
        amount: 2_000,
        period: '2026-12',
        converted: { currency: 'EUR', amount: 1_847, rate: '0.92341' },
      },
    ])
  })
})

describe('a simulation', () => {
  it('leaves nothing behind, and waits for nobody', async () => {
    const { db } = player.database
    await db.connection().execute(async (busy) => {
      const counted = () => busy.selectFrom('payments').select('id').execute()
      expect(await counted()).toEqual([])
      await play(both, [paid()], { close: ['2026-11'] })
      expect(await counted()).toEqual([])
    })
    const schemas = await db.introspection.getSchemas()
    expect(schemas.filter(({ name }) => name.startsWith('scratch'))).toEqual([])
  })
})
