import fc from 'fast-check'
import { attemptKey, holdReasonOf, nextMove, payDay, transferGroup } from '../../domain/payouts.ts'

const hourMs = 3_600_000
const now = new Date('2026-11-05T12:00:00Z')
const ago = (ms: number) => new Date(now.getTime() - ms)

describe('the key of an attempt', () => {
  test('names payout and number, so that a new attempt never repeats an old answer', () => {
    expect(attemptKey('pay_1', 1)).toBe('po_pay_1_1')
    expect(attemptKey('pay_1', 2)).toBe('po_pay_1_2')
  })

  test('is unlike that of any other payout or attempt', () => {
    const attempts = fc.record({ id: fc.stringMatching(/^pay_[0-7][a-z0-9]{25}$/), n: fc.nat(999) })
    fc.assert(
      fc.property(attempts, attempts, (a, b) => {
        const same = a.id === b.id && a.n === b.n
        expect(attemptKey(a.id, a.n) === attemptKey(b.id, b.n)).toBe(same)
      }),
      { numRuns: 300 },
    )
  })

  test('shares its group with the other attempts of the payout', () => {
    expect(transferGroup('pay_1')).toBe('po_pay_1')
    expect(attemptKey('pay_1', 7).startsWith(transferGroup('pay_1'))).toBe(true)
  })
})

describe('the next move of an attempt whose outcome is not known', () => {
  test.each([
    ['was never sent', null],
    ['was sent just now', 0],
    ['was sent an hour ago', hourMs],
    ['was sent twenty hours ago to the millisecond', 20 * hourMs],
  ])('is to send it under its key, when it %s', (_, age) => {
    const firstSentAt = age === null ? null : ago(age)
    expect(nextMove({ firstSentAt, firstMissedAt: null }, now)).toBe('send')
  })

  test('is to look it up as soon as the processor may have forgotten the key', () => {
    const attempt = { firstSentAt: ago(20 * hourMs + 1), firstMissedAt: null }
    expect(nextMove(attempt, now)).toBe('look_up')
  })

  test('is to give it up only after two looks an hour apart', () => {
    const firstSentAt = ago(30 * hourMs)
    expect(nextMove({ firstSentAt, firstMissedAt: ago(0) }, now)).toBe('look_up')
    expect(nextMove({ firstSentAt, firstMissedAt: ago(hourMs - 1) }, now)).toBe('look_up')
    expect(nextMove({ firstSentAt, firstMissedAt: ago(hourMs) }, now)).toBe('look_up_last')
  })

  test('is to send it while the key protects it, and never again once it was looked for', () => {
    const facts = fc.record({
      age: fc.integer({ min: 0, max: 20 * hourMs }),
      missed: fc.option(fc.integer({ min: 0, max: 100 * hourMs })),
    })
    fc.assert(
      fc.property(facts, ({ age, missed }) => {
        const firstMissedAt = missed === null ? null : ago(missed)
        const move = nextMove({ firstSentAt: ago(age), firstMissedAt }, now)
        expect(move === 'send').toBe(missed === null)
      }),
      { numRuns: 300 },
    )
  })
})

describe('the reason to hold a payout', () => {
  test('is that there is no account to pay to', () => {
    expect(holdReasonOf(undefined, null)).toBe('no_payout_account')
    expect(holdReasonOf({ vendorAccountId: null, status: 'verified' }, null)).toBe(
      'no_payout_account',
    )
  })

  test.each(['link_issued', 'pending_review', 'needs_input', 'restricted', 'rejected', 'expired'])(
    'is that the account is not verified, while it is %s',
    (status) => {
      expect(holdReasonOf({ vendorAccountId: 'acct_1', status }, null)).toBe('account_not_verified')
    },
  )

  test('is gone with a verified account', () => {
    expect(holdReasonOf({ vendorAccountId: 'acct_1', status: 'verified' }, null)).toBeNull()
  })

  test('is the hold of the partner before all others, and is not said outside', () => {
    expect(holdReasonOf({ vendorAccountId: 'acct_1', status: 'verified' }, 'partner_held')).toBe(
      'partner_held',
    )
    expect(holdReasonOf(undefined, 'partner_held')).toBe('partner_held')
    expect(holdReasonOf(undefined, 'tax_form')).toBe('tax_form')
  })
})

describe('the day on which a payout is due', () => {
  test.each([
    ['2026-10', 30, '2026-11-30'],
    ['2026-10', 15, '2026-11-16'],
    ['2026-11', 30, '2026-12-30'],
    ['2027-01', 45, '2027-03-17'],
    ['2028-01', 30, '2028-03-01'],
  ])('of %s, %i days after it, is %s', (period, days, day) => {
    expect(payDay(period, days)).toBe(day)
  })

  test('is none where the programme pays at once', () => {
    expect(payDay('2026-10', 0)).toBeNull()
  })

  test('is never a Saturday or a Sunday, and at most two days late', () => {
    const months = fc.tuple(fc.integer({ min: 2020, max: 2090 }), fc.integer({ min: 1, max: 12 }))
    fc.assert(
      fc.property(months, fc.constantFrom(15, 20, 30, 45, 60), ([year, month], days) => {
        const day = payDay(`${year}-${String(month).padStart(2, '0')}`, days)
        const at = new Date(`${day}T00:00:00Z`)
        const late = (at.getTime() - Date.UTC(year, month, days)) / 86_400_000
        expect([0, 6]).not.toContain(at.getUTCDay())
        expect([0, 1, 2]).toContain(late)
      }),
    )
  })
})
