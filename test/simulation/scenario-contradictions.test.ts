import {
  adjustment,
  bonus,
  dispute,
  euro,
  event,
  events,
  type Fields,
  june,
  longBands,
  move,
  over,
  part,
  partners,
  pathsOf,
  payment,
  rate,
  refund,
  rule,
  rules,
  scenario,
  tier,
  version,
  withPartner,
} from './kit.ts'

describe('a contradiction is refused at its path:', () => {
  const gap = longBands([0, 10], [11, null])
  const overlap = longBands([0, 10], [9, null])
  const circle = [
    { id: 'a', level: 'reseller', parent: 'b' },
    { id: 'b', level: 'reseller', parent: 'c' },
    { id: 'c', level: 'reseller', parent: 'a' },
    { id: 'below', level: 'reseller', parent: 'a' },
  ]
  const nested = [...partners, { id: 's', level: 'reseller', parent: 'r' }]
  const failed = (changes: Fields = {}) => event('refund_failed', { of: 'x1', ...changes })

  test.each<[string, unknown, string[]]>([
    ['an unknown parent', withPartner({ parent: 'x' }), ['partners[2].parent']],
    [
      'a second partner with an id',
      scenario({ partners: [...partners, partners[0]] }),
      ['partners[3].id'],
    ],
    ['a partner below itself', withPartner({ parent: 'r' }), ['partners[2].parent']],
    [
      'a circle of partners',
      scenario({ partners: circle }),
      ['partners[0].parent', 'partners[1].parent', 'partners[2].parent'],
    ],
    ['a rule for an unknown partner', rules(rule({ partner: 'x' })), ['rules[0].partner']],
    ['a gap between bands', gap, ['rules[0].bands[1].from']],
    ['an overlap of bands', overlap, ['rules[0].bands[1].from']],
    ['a first band above 0', longBands([1, null]), ['rules[0].bands[0].from']],
    ['a last band with an end', longBands([0, 5]), ['rules[0].bands[0].to']],
    ['an open band in the middle', longBands([0, null], [5, null]), ['rules[0].bands[0].to']],
    ['an empty band', longBands([0, 0], [0, null]), ['rules[0].bands[0].to']],
    ['two equally specific rules', rules(rule(), rule({ id: 'b' })), ['rules[1]']],
    [
      'two equally specific rules for a while',
      rules(
        version(null, june, { product: 'a', tier: 'gold', partner: 'r' }),
        version('2026-05-31T23:59:59Z', null, {
          id: 'b',
          product: 'a',
          tier: 'gold',
          partner: 'r',
        }),
      ),
      ['rules[1]'],
    ],
    ['one rule twice', rules(rule(), rule()), ['rules[1].id', 'rules[1]']],
    ['one id at two depths', rules(rule(), rule({ depth: 1 })), ['rules[1].id']],
    ['one id for two products', rules(rule(), rule({ product: 'a' })), ['rules[1].id']],
    ['one id for two bonuses', rules(bonus(), bonus()), ['rules[1].id']],
    [
      'more than 100 % over a chain',
      rules(rule({ rate_bps: 6_000 }), over({ rate_bps: 4_001 })),
      ['rules[1]'],
    ],
    [
      'more than 100 % after a rise',
      {
        ...rules(
          rule(),
          over({ rate_bps: 3_000 }),
          rule({ id: 'p', tier: 'platinum', rate_bps: 8_000 }),
        ),
        events: [tier()],
      },
      ['rules[1]'],
    ],
    [
      'one id for two products in turn',
      rules(version(null, june), version(june, null, { product: 'a' })),
      ['rules[1].id'],
    ],
    [
      'one id for a bonus after a rule',
      rules(version(null, june), bonus({ id: 'base', valid_from: june })),
      ['rules[1].id'],
    ],
    [
      'a circle alone, whatever moves in it',
      { ...scenario({ partners: circle.slice(0, 3) }), events: [move({ partner: 'a', to: 'c' })] },
      ['partners[0].parent', 'partners[1].parent', 'partners[2].parent'],
    ],
    [
      'more than 100 % after a fall, for the customers that keep the higher tier',
      {
        ...rules(
          rule(),
          over(),
          rule({ id: 'p', tier: 'gold', rate_bps: 9_000, valid_from: '2026-11-06T00:00:00Z' }),
        ),
        events: [tier({ tier: 'bronze' })],
      },
      ['rules[1]'],
    ],
    [
      'more than 100 % after a move',
      {
        ...rules(
          rule(),
          over({ rate_bps: 3_000 }),
          over({ id: 'o', partner: 'm2', rate_bps: 9_000 }),
        ),
        events: [move()],
      },
      ['rules[2]'],
    ],
    ['a payment of an unknown partner', events(payment({ partner: 'x' })), ['events[0].partner']],
    ['a refund of an unknown payment', events(payment(), refund({ of: 'p2' })), ['events[1].of']],
    [
      'a credit note of a refund',
      events(payment(), refund(), {
        ...refund({ type: 'credit_note', id: 'n', of: 'x1' }),
      }),
      ['events[2].of'],
    ],
    ['a dispute of an unknown payment', events(dispute('opened')), ['events[0].of']],
    ['a dispute won of an unknown payment', events(dispute('won')), ['events[0].of']],
    ['a failed refund that is none', events(payment(), failed({ of: 'p1' })), ['events[1].of']],
    [
      'a failed credit note',
      events(payment(), refund({ type: 'credit_note' }), failed()),
      ['events[2].of'],
    ],
    ['a tier of an unknown partner', events(tier({ partner: 'x' })), ['events[0].partner']],
    [
      'an adjustment of an unknown partner',
      events(adjustment({ partner: 'x' })),
      ['events[0].partner'],
    ],
    [
      'a move of and to unknown partners',
      events(move({ partner: 'x', to: 'y' })),
      ['events[0].partner', 'events[0].to'],
    ],
    ['a move to itself', events(move({ to: 'r' })), ['events[0].to']],
    ['a move below itself', { ...events(move({ to: 's' })), partners: nested }, ['events[0].to']],
    [
      'a refund beyond its payment',
      events(payment(), refund({ amount: 10_000 })),
      ['events[1].amount'],
    ],
    [
      'a credit note beyond its payment that comes later',
      events(refund({ type: 'credit_note', amount: 10_000 }), payment()),
      ['events[0].amount'],
    ],
    [
      'a dispute beyond its payment',
      events(payment(), dispute('lost', { amount: 10_000 })),
      ['events[1].amount'],
    ],
    [
      'a dispute that changes its payment',
      events(payment(), payment({ id: 'p2' }), dispute('opened'), dispute('lost', { of: 'p2' })),
      ['events[3].of'],
    ],
    ['a payment that changes', events(payment(), payment({ amount: 1 })), ['events[1].id']],
    ['a refund that changes', events(payment(), refund(), refund({ amount: 1 })), ['events[2].id']],
    [
      'a refund that becomes a credit note',
      events(payment(), refund(), refund({ type: 'credit_note' })),
      ['events[2].id'],
    ],
    [
      'a refund that fails twice',
      events(payment(), refund(), failed(), failed({ at: '2026-11-06T00:00:00Z' })),
      ['events[3].of'],
    ],
    [
      'a dispute lost twice',
      events(payment(), dispute('lost'), dispute('lost', { amount: 1 })),
      ['events[2].id'],
    ],
    [
      'an adjustment that changes',
      events(adjustment(), adjustment({ amount: 1 })),
      ['events[1].id'],
    ],
    [
      'a line below its payment',
      events(payment({ line_amount: 9_998 })),
      ['events[0].line_amount'],
    ],
    [
      'parts of two lengths of one line',
      events(part('a'), part('b', { line_amount: 6_666 })),
      ['events[1].line_amount'],
    ],
    [
      'parts that are more than their line',
      events(part('a'), part('b'), part('c', { amount: 3_334 })),
      ['events[2].amount'],
    ],
    [
      'an invoice of two partners',
      events(part('a'), part('b', { line: 'l2', partner: 'm' })),
      ['events[1].partner'],
    ],
    [
      'an invoice of two customers',
      events(part('a'), part('b', { line: 'l2', customer: 'c' })),
      ['events[1].customer'],
    ],
    ['a missing rate', euro([], ['2026-11']), ['partners[2].payout_currency']],
    [
      'a rate that comes after the period',
      euro([rate({ as_of: '2026-12-01T00:00:00.001Z' })], ['2026-11', '2026-12']),
      ['partners[2].payout_currency'],
    ],
    [
      'a rate the other way round',
      euro([rate({ base: 'EUR', quote: 'USD' })], ['2026-11']),
      ['partners[2].payout_currency'],
    ],
    ['two rates at one time', euro([rate(), rate({ rate: '0.8' })], []), ['fx[1].as_of']],
    ['a close out of order', scenario({ close: ['2026-12', '2026-11'] }), ['close[1]']],
    ['a period that closes twice', scenario({ close: ['2026-11', '2026-11'] }), ['close[1]']],
  ])('%s', (_, input, paths) => {
    expect(pathsOf(input)).toEqual(paths)
  })
})
