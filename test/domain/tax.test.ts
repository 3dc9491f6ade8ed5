/** Tax: who a partner is for it, what is withheld, and what is on the return. */
import fc from 'fast-check'
import {
  expiryOf,
  formProblems,
  isUsPerson,
  isWithheldFrom,
  layoutOf,
  reportReason,
  type TaxFormMode,
  type TaxStanding,
  withheldOf,
} from '../../domain/tax.ts'

const w9 = (changes: Partial<NonNullable<TaxStanding['form']>> = {}) => ({
  kind: 'w9' as const,
  classification: 'individual' as const,
  subjectToWithholding: false,
  ...changes,
})
const w8 = { kind: 'w8bene', classification: null, subjectToWithholding: false } as const

test('a W-8 is good until the third year after its signature ends, a W-9 for good', () => {
  expect(expiryOf('w8ben', '2026-01-01')).toBe('2029-12-31')
  expect(expiryOf('w8bene', '2026-12-31')).toBe('2029-12-31')
  expect(expiryOf('w9', '2026-12-31')).toBeNull()
})

test.each([
  ['w8ben', 'US', '2026-11-01', ['country']],
  ['w8ben', 'DE', '2026-11-23', ['signed_on']],
  ['w8ben', 'DE', '2022-12-31', ['signed_on']],
  ['w8ben', 'DE', '2023-01-01', []],
  ['w9', 'US', '2016-11-01', []],
  ['w9', 'US', '2026-11-23', ['signed_on']],
] as const)('a %s of %s that was signed on %s is wrong in %j', (kind, country, signedOn, wrong) => {
  const problems = formProblems({ kind, country, signedOn }, '2026-11-22')
  expect(problems.map(({ field }) => field)).toEqual(wrong)
})

test('its form says who is a US person, and without one its country', () => {
  expect(isUsPerson({ country: 'US', form: null })).toBe(true)
  expect(isUsPerson({ country: 'DE', form: null })).toBe(false)
  expect(isUsPerson({ country: 'DE', form: w9() })).toBe(true)
  expect(isUsPerson({ country: 'US', form: w8 })).toBe(false)
})

test.each<[string, TaxStanding, TaxFormMode, boolean]>([
  ['a US partner without a form', { country: 'US', form: null }, 'off', true],
  ['one whose payouts wait for the form', { country: 'US', form: null }, 'us', false],
  ['a foreign one without a form', { country: 'DE', form: null }, 'off', false],
  ['one with a W-9', { country: 'US', form: w9() }, 'off', false],
  [
    'one that was told that it is subject to it',
    { country: 'US', form: w9({ subjectToWithholding: true }) },
    'us',
    true,
  ],
  [
    'a corporation, whatever it was told',
    { country: 'US', form: w9({ subjectToWithholding: true, classification: 'c_corporation' }) },
    'off',
    false,
  ],
])('whether tax is withheld from %s', (_, standing, taxFormRequired, withheld) => {
  expect(isWithheldFrom(standing, { backupWithholding: true, taxFormRequired })).toBe(withheld)
  expect(isWithheldFrom(standing, { backupWithholding: false, taxFormRequired })).toBe(false)
})

test('what is withheld is within a step of the rate, never above it, and leaves whole steps', () => {
  expect(withheldOf(10_001n, { bps: 2_400, step: 1n })).toBe(2_400n)
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10n ** 12n }),
      fc.integer({ min: 0, max: 10_000 }),
      fc.constantFrom(1n, 10n, 100n),
      (steps, bps, step) => {
        const gross = steps * step
        const withheld = withheldOf(gross, { bps, step })
        expect((gross - withheld) % step).toBe(0n)
        expect(withheld * 10_000n).toBeLessThanOrEqual(gross * BigInt(bps))
        expect((withheld + step) * 10_000n).toBeGreaterThan(gross * BigInt(bps))
      },
    ),
  )
})

test.each([
  [59_999n, 0n, null, 'below_threshold'],
  [60_000n, 0n, null, 'reached'],
  [60_000n, 0n, w9({ classification: 's_corporation' }), 'exempt'],
  [1n, 1n, null, 'withheld'],
] as const)('a sum of %s with %s withheld is %j: %s', (amount, withheld, form, reason) => {
  expect(reportReason({ amount, withheld, form }, { thresholdMinor: 60_000n })).toBe(reason)
})

test('every year has a layout, whose columns are named once', () => {
  for (const year of [2020, 2025, 2026, 2100]) {
    const names = layoutOf(year).columns.map(([name]) => name)
    expect(new Set(names).size).toBe(names.length)
  }
  expect(() => layoutOf(2019)).toThrow(RangeError)
})
