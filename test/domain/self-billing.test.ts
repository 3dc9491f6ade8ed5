/** Self-billing as a rule: which tax, which rounding, which credits, and which numbers. */
import fc from 'fast-check'
import { sum } from '../../domain/money.ts'
import {
  creditsOf,
  documentNumberOf,
  isVatId,
  type OpenInvoice,
  plainVatId,
  type SelfBillingStanding,
  selfBillingPlan,
  vatOn,
  vatTermsOf,
} from '../../domain/self-billing.ts'

const amount = fc.bigInt({ min: 1n, max: 10n ** 14n })
const bps = fc.integer({ min: 0, max: 10_000 })

test('tax is within half a unit of its exact value, and mirrors for what is taken back', () => {
  fc.assert(
    fc.property(amount, bps, (base, rate) => {
      const tax = vatOn(base, rate)
      const twice = (tax * 10_000n - base * BigInt(rate)) * 2n
      expect(twice <= 10_000n && twice > -10_000n).toBe(true)
      expect(vatOn(-base, rate)).toBe(-tax)
    }),
  )
  expect(vatOn(50n, 1_900)).toBe(10n)
  expect(vatOn(49n, 1_900)).toBe(9n)
})

const invoice: fc.Arbitrary<OpenInvoice> = fc
  .record({ base: amount, rate: bps, of: fc.integer({ min: 0, max: 100 }), id: fc.uuid() })
  .map(({ base, rate, of, id }) => {
    const open = { id, base, vat: vatOn(base, rate), creditedBase: 0n, creditedVat: 0n }
    const part = (base * BigInt(of)) / 100n
    const [credit] = creditsOf(part, [open]).credits
    return { ...open, creditedBase: part, creditedVat: -(credit?.vat ?? 0n) }
  })

test('credits take what was taken back from invoices, never more than each has left', () => {
  fc.assert(
    fc.property(amount, fc.array(invoice, { maxLength: 5 }), (takenBack, invoices) => {
      const { credits, rest } = creditsOf(takenBack, invoices)
      expect(-sum(credits.map(({ base }) => base)) + rest).toBe(takenBack)
      for (const { correctsId, base, vat } of credits) {
        const open = invoices.find(({ id }) => id === correctsId) as OpenInvoice
        const credited = open.creditedBase - base
        expect(base < 0n && credited <= open.base && vat <= 0n).toBe(true)
        // Whoever takes all of an invoice back, in however many parts, gets exactly its tax.
        if (credited === open.base) expect(open.creditedVat - vat).toBe(open.vat)
      }
      const left = sum(invoices.map((one) => one.base - one.creditedBase))
      expect(rest).toBe(takenBack > left ? takenBack - left : 0n)
    }),
  )
})

const standing: SelfBillingStanding = {
  profile: { registered: true, hasVatId: true, verified: true },
  agreement: { validUntil: '2026-12-31', endCause: null },
  rate: { treatment: 'standard', bps: 1_900 },
}
const today = '2026-09-04'

test.each<[string, Partial<SelfBillingStanding>, unknown]>([
  ['at the rate of its country', {}, { treatment: 'standard', bps: 1_900 }],
  [
    'by the recipient abroad',
    { rate: { treatment: 'reverse_charge', bps: 0 } },
    { treatment: 'reverse_charge', bps: 0 },
  ],
  [
    'not at all outside of the tax',
    {
      rate: { treatment: 'outside_scope', bps: 0 },
      profile: { registered: false, hasVatId: false, verified: false },
    },
    { treatment: 'outside_scope', bps: 0 },
  ],
  [
    'not at all where it is not registered',
    { profile: { registered: false, hasVatId: false, verified: false } },
    { treatment: 'not_registered', bps: 0 },
  ],
  ['nowhere without a profile', { profile: null }, { skip: 'no_profile' }],
  ['nowhere without a yes', { agreement: null }, { skip: 'no_consent' }],
  [
    'nowhere after the last day of the yes',
    { agreement: { validUntil: '2026-09-03', endCause: null } },
    { skip: 'consent_ended' },
  ],
  [
    'nowhere once it is withdrawn',
    { agreement: { validUntil: '2026-12-31', endCause: 'withdrawn' } },
    { skip: 'consent_ended' },
  ],
  [
    'nowhere while the yes is for another number',
    { agreement: { validUntil: '2026-12-31', endCause: 'vat_id_changed' } },
    { skip: 'vat_id_changed' },
  ],
  ['nowhere where nothing is set for its country', { rate: null }, { skip: 'no_rate' }],
  [
    'nowhere while its number is missing',
    { profile: { registered: true, hasVatId: false, verified: false } },
    { skip: 'no_vat_id' },
  ],
  [
    'nowhere before its number was found right',
    { profile: { registered: true, hasVatId: true, verified: false } },
    { skip: 'not_verified' },
  ],
])('a partner is taxed %s', (_, change, expected) => {
  expect(vatTermsOf({ ...standing, ...change }, today)).toEqual(expected)
})

test('the last day of an agreement counts', () => {
  const lastDay = { ...standing, agreement: { validUntil: today, endCause: null } }
  expect(vatTermsOf(lastDay, today)).not.toHaveProperty('skip')
})

test('what is taken back is credited as its invoice was taxed, and the rest is left out', () => {
  const open = {
    ...{ id: 'one', number: 'SB-1-1', base: 1_000n, vat: 190n, creditedBase: 0n, creditedVat: 0n },
    ...{ treatment: 'standard' as const, bps: 1_900 },
  }
  const plan = selfBillingPlan(-1_500n, { treatment: 'standard', bps: 2_500 }, [open])
  expect(plan.documents).toMatchObject([
    { kind: 'credit_note', corrects: { id: 'one' }, bps: 1_900, base: -1_000n, vat: -190n },
  ])
  expect(plan.skip).toEqual({ reason: 'nothing_to_credit', base: -500n })
  expect(selfBillingPlan(0n, { skip: 'no_consent' }, [])).toEqual({ documents: [], skip: null })
})

test('numbers sort as they run', () => {
  const format = 'SB-{series}/{number}'
  expect(documentNumberOf(format, { series: 12, number: 3 })).toBe('SB-000012/000003')
  expect(documentNumberOf(format, { series: 1_234_567, number: 10 })).toBe('SB-1234567/000010')
})

test.each([
  ['DE', 'DE 123.456.789', true],
  ['DE', 'DE12345678', false],
  ['GR', 'EL123456789', true],
  ['GR', 'GR123456789', false],
  ['AT', 'ATU12345678', true],
  ['FR', 'FR-XX-123456789', true],
  ['NL', 'NL123456789B01', true],
  ['BR', '12ABC34501DE35', true],
  ['BR', 'x', false],
])('a number of %s like %s fits: %s', (country, typed, fits) => {
  expect(isVatId(country, plainVatId(typed))).toBe(fits)
})
