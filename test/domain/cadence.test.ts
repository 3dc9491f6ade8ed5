import fc from 'fast-check'
import {
  cadenceOf,
  cadences,
  eachMonth,
  lastEnded,
  monthsOf,
  nameAt,
  nextName,
  previousName,
  stretchOf,
} from '../../domain/cadence.ts'
import { periodEnd, periodStart } from '../../domain/period.ts'

const instants = fc.date({
  min: new Date('1990-01-01T00:00:00Z'),
  max: new Date('2200-01-01T00:00:00Z'),
  noInvalidDate: true,
})
const named = fc.tuple(fc.constantFrom(...cadences), instants)
const dayMs = 86_400_000

describe('what an instant is settled with', () => {
  test.each([
    ['monthly', '2026-11-30T23:59:59.999Z', '2026-11'],
    ['quarterly', '2026-12-31T23:59:59.999Z', '2026-Q4'],
    ['quarterly', '2027-01-01T00:00:00Z', '2027-Q1'],
    ['quarterly', '2026-12-31T19:00:00-05:00', '2027-Q1'],
    ['quarterly', '2026-09-30T00:00:00Z', '2026-Q3'],
    // Weeks begin on Monday and belong to the year of their Thursday.
    ['weekly', '2026-11-16T00:00:00Z', '2026-W47'],
    ['weekly', '2026-11-22T23:59:59.999Z', '2026-W47'],
    ['weekly', '2026-11-23T00:00:00Z', '2026-W48'],
    ['weekly', '2027-01-01T12:00:00Z', '2026-W53'],
    ['weekly', '2027-01-04T00:00:00Z', '2027-W01'],
    ['weekly', '2024-12-30T00:00:00Z', '2025-W01'],
    ['weekly', '2022-01-01T00:00:00Z', '2021-W52'],
  ] as const)('%s at %s is %s', (cadence, at, name) => {
    expect(nameAt(cadence, new Date(at))).toBe(name)
  })

  test('is the one stretch of its cadence that holds it, and is known by its name', () => {
    fc.assert(
      fc.property(named, ([cadence, at]) => {
        const name = nameAt(cadence, at)
        const { from, until } = stretchOf(name)
        expect(from <= at && at < until).toBe(true)
        expect(cadenceOf(name)).toBe(cadence)
        expect(nameAt(cadence, from)).toBe(name)
      }),
      { numRuns: 1_000 },
    )
  })

  test('follows on the one before it without a gap or an overlap, over every New Year', () => {
    fc.assert(
      fc.property(named, ([cadence, at]) => {
        const name = nameAt(cadence, at)
        expect(stretchOf(nextName(name)).from).toEqual(stretchOf(name).until)
        expect(previousName(nextName(name))).toBe(name)
        expect(nextName(previousName(name))).toBe(name)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('the last one that has ended', () => {
  test('ends at or before the instant, and the next one after it', () => {
    fc.assert(
      fc.property(named, ([cadence, at]) => {
        const last = lastEnded(cadence, at)
        expect(stretchOf(last).until <= at).toBe(true)
        expect(stretchOf(nextName(last)).until > at).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  test('is the quarter before the day on which its schedule fires', () => {
    expect(lastEnded('quarterly', new Date('2027-01-04T03:00:00Z'))).toBe('2026-Q4')
    expect(lastEnded('monthly', new Date('2027-01-04T03:00:00Z'))).toBe('2026-12')
  })
})

describe('names', () => {
  test.each(['2026-Q0', '2026-Q5', '2026-W00', '2026-W54', '2025-W53', '2026-13', '26-Q1', ''])(
    'of what there is not, like %s, are none',
    (name) => {
      expect(cadenceOf(name)).toBeNull()
      expect(() => stretchOf(name)).toThrow(RangeError)
    },
  )

  test('week 53 is in the years that have one', () => {
    const years = [2015, 2020, 2026, 2032].map((year) => cadenceOf(`${year}-W53`))
    expect(years).toEqual(['weekly', 'weekly', 'weekly', 'weekly'])
    expect([2016, 2024, 2025, 2027].map((year) => cadenceOf(`${year}-W53`))).toEqual(
      Array(4).fill(null),
    )
  })
})

describe('months', () => {
  test('of a quarter are three, of a month itself, of a week those that it touches', () => {
    expect(monthsOf('2026-Q4')).toEqual({ since: '2026-10', period: '2026-12' })
    expect(monthsOf('2026-11')).toEqual({ since: '2026-11', period: '2026-11' })
    expect(monthsOf('2026-W49')).toEqual({ since: '2026-11', period: '2026-12' })
    expect(monthsOf('2026-W48')).toEqual({ since: '2026-11', period: '2026-11' })
  })

  test('of any stretch cover it without a gap', () => {
    fc.assert(
      fc.property(named, ([cadence, at]) => {
        const name = nameAt(cadence, at)
        const { from, until } = stretchOf(name)
        const months = eachMonth(monthsOf(name))
        expect(periodStart(months[0] ?? '') <= from).toBe(true)
        expect(periodEnd(months.at(-1) ?? '') >= until).toBe(true)
        const lengths = { weekly: 7 * dayMs, monthly: 28 * dayMs, quarterly: 90 * dayMs }
        expect(until.getTime() - from.getTime()).toBeGreaterThanOrEqual(lengths[cadence])
        for (const [n, month] of months.slice(1).entries()) {
          expect(periodStart(month)).toEqual(periodEnd(months[n] ?? ''))
        }
      }),
      { numRuns: 500 },
    )
  })
})
