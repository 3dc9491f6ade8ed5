import { covers, explainConflict, isTerritory, overlaps, widest } from '../../domain/territories.ts'

describe('the code of an area', () => {
  test.each(['US', 'DE', 'US-CA', 'GB-ENG', 'FR-75', 'US-CA-94', 'DE-BY-80331'])(
    '%s is one',
    (code) => {
      expect(isTerritory(code)).toBe(true)
    },
  )

  test.each([
    ['no country', 'QQ'],
    ['no country of its own', 'EU'],
    ['unknown', 'ZZ'],
    ['small letters', 'us'],
    ['three letters', 'USA'],
    ['an empty part', 'US-'],
    ['a long part', 'US-CALI'],
    ['a fourth part', 'US-CA-94-1'],
    ['a line break', 'US\n'],
    ['nothing', ''],
  ])('with %s is none: %j', (_what, code) => {
    expect(isTerritory(code)).toBe(false)
  })
})

describe('an area', () => {
  test('covers itself and its parts, and nothing that only begins alike', () => {
    expect(covers('US', 'US')).toBe(true)
    expect(covers('US', 'US-CA-94')).toBe(true)
    expect(covers('US-CA', 'US')).toBe(false)
    expect(covers('US-C', 'US-CA')).toBe(false)
    expect(covers('US-CA-9', 'US-CA-94')).toBe(false)
  })

  test('overlaps what covers it and what it covers, both ways round', () => {
    expect([overlaps('US', 'US-CA'), overlaps('US-CA', 'US')]).toEqual([true, true])
    expect(overlaps('US-CA', 'US-NY')).toBe(false)
  })

  test('that another one covers is not asked for twice', () => {
    expect(widest(['US-CA', 'DE', 'US', 'DE', 'US-CA-94'])).toEqual(['DE', 'US'])
  })
})

test('a conflict is told with its mode and since when, and with the holder where it may be known', () => {
  const conflict = {
    territory: 'US',
    mode: 'exclusive',
    since: new Date('2026-11-02T10:00:00Z'),
  } as const
  expect(explainConflict({ ...conflict, holder: 'prt_1' })).toBe(
    'US is held exclusively by prt_1 since 2026-11-02',
  )
  expect(explainConflict({ ...conflict, mode: 'shared', holder: null })).toBe(
    'US is held as one of several by another partner since 2026-11-02',
  )
})
