import fc from 'fast-check'
import {
  closesAt,
  isPeriod,
  newestClosable,
  nextPeriod,
  periodEnd,
  periodOf,
  periodStart,
  previousPeriod,
  windowStart,
} from '../../domain/period.ts'

const hourMs = 3_600_000
const instants = fc.date({
  min: new Date('1990-01-01T00:00:00Z'),
  max: new Date('2200-01-01T00:00:00Z'),
  noInvalidDate: true,
})
const periods = instants.map(periodOf)

describe('the period of an instant', () => {
  test.each([
    ['2026-12-01T00:00:00.000Z', '2026-12'],
    ['2026-11-30T23:59:59.999Z', '2026-11'],
    ['2026-12-01T04:30:00Z', '2026-12'],
    ['2026-11-30T23:30:00-05:00', '2026-12'],
    ['2028-02-29T23:59:59.999Z', '2028-02'],
    ['2028-03-01T00:00:00.000Z', '2028-03'],
    ['2026-12-31T23:59:59.999Z', '2026-12'],
    ['2027-01-01T00:00:00.000Z', '2027-01'],
  ])('%s is %s, whatever the zone of the partner', (instant, period) => {
    expect(periodOf(new Date(instant))).toBe(period)
  })

  test('is the one period whose half-open month holds it', () => {
    fc.assert(
      fc.property(instants, (instant) => {
        const period = periodOf(instant)
        expect(periodStart(period) <= instant && instant < periodEnd(period)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('periods', () => {
  test('follow each other without a gap or an overlap', () => {
    fc.assert(
      fc.property(periods, (period) => {
        expect(periodStart(nextPeriod(period))).toEqual(periodEnd(period))
        expect(previousPeriod(nextPeriod(period))).toBe(period)
        expect(nextPeriod(previousPeriod(period))).toBe(period)
        expect(periodOf(periodStart(period))).toBe(period)
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['2026-11', 720],
    ['2026-03', 744],
    ['2026-02', 672],
    ['2028-02', 696],
    ['2000-02', 696],
    ['2100-02', 672],
  ])('%s has %i hours: no clock change and the right leap years', (period, hours) => {
    expect(periodEnd(period).getTime() - periodStart(period).getTime()).toBe(hours * hourMs)
  })

  test('cross the year', () => {
    expect(nextPeriod('2026-12')).toBe('2027-01')
    expect(previousPeriod('2027-01')).toBe('2026-12')
    expect(periodEnd('2026-12')).toEqual(new Date('2027-01-01T00:00:00Z'))
  })

  test.each(['2026-13', '2026-00', '2026-1', '26-10', '2026-10-01', '2026/10', ' 2026-10', ''])(
    'are not read from "%s"',
    (text) => {
      expect(isPeriod(text)).toBe(false)
      expect(() => periodStart(text)).toThrow(`expected a period like 2026-10, found ${text}`)
      for (const use of [periodEnd, nextPeriod, previousPeriod, closesAt]) {
        expect(() => use(text)).toThrow(RangeError)
      }
      expect(() => windowStart(text, 12)).toThrow(RangeError)
    },
  )

  test('are not read from text with a line behind the month', () => {
    expect(isPeriod('2026-10\n')).toBe(false)
    expect(isPeriod('2026-10')).toBe(true)
  })
})

describe('the close of a period', () => {
  test('comes 72 hours after its end', () => {
    expect(closesAt('2026-10')).toEqual(new Date('2026-11-04T00:00:00.000Z'))
    expect(closesAt('2026-12')).toEqual(new Date('2027-01-04T00:00:00.000Z'))
    expect(closesAt('2028-02')).toEqual(new Date('2028-03-04T00:00:00.000Z'))
  })

  test.each([
    ['2026-11-03T23:59:59.999Z', '2026-09'],
    ['2026-11-04T00:00:00.000Z', '2026-10'],
    ['2026-11-30T23:59:59.999Z', '2026-10'],
    ['2026-12-01T00:00:00.000Z', '2026-10'],
    ['2026-12-03T23:59:59.999Z', '2026-10'],
    ['2026-12-04T00:00:00.000Z', '2026-11'],
    ['2027-01-03T23:59:59.999Z', '2026-11'],
    ['2027-01-04T03:00:00.000Z', '2026-12'],
  ])('at %s has come for %s at last', (now, period) => {
    expect(newestClosable(new Date(now))).toBe(period)
  })

  test('has come for the newest closable period and not for the next', () => {
    fc.assert(
      fc.property(instants, (now) => {
        const newest = newestClosable(now)
        expect(closesAt(newest) <= now).toBe(true)
        expect(closesAt(nextPeriod(newest)) > now).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the window of a review', () => {
  test.each([
    ['2026-10', 12, '2025-11-01T00:00:00Z'],
    ['2026-01', 12, '2025-02-01T00:00:00Z'],
    ['2026-10', 1, '2026-10-01T00:00:00Z'],
    ['2026-02', 24, '2024-03-01T00:00:00Z'],
  ])('that ends with %s and lasts %i months starts at %s', (period, months, start) => {
    expect(windowStart(period, months)).toEqual(new Date(start))
  })

  test('holds exactly as many periods as it has months', () => {
    fc.assert(
      fc.property(periods, fc.integer({ min: 1, max: 60 }), (period, months) => {
        let first = period
        for (let n = 1; n < months; n++) first = previousPeriod(first)
        expect(windowStart(period, months)).toEqual(periodStart(first))
      }),
      { numRuns: 300 },
    )
  })
})
