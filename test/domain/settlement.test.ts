import fc from 'fast-check'
import { currencyOf } from '../../domain/currencies.ts'
import {
  assertLinesMatch,
  releaseRefusal,
  type StatementDocument,
  type StatementInput,
  type StatementLine,
  statementFigures,
  statementTotals,
} from '../../domain/settlement.ts'
import { propertyRuns } from '../support/runs.ts'

/** A month in which nothing happened, and what a case changes about it. */
function month(changes: Partial<StatementInput> = {}): StatementInput {
  return {
    opening: 0n,
    earned: 0n,
    clawedBack: 0n,
    adjustments: 0n,
    held: 0n,
    minimumPayout: 2_500n,
    payoutStep: 1n,
    ...changes,
  }
}

describe('the totals of a statement', () => {
  test('carry a refund of an earlier month as debt, and pay what is left of the next', () => {
    const october = statementTotals(month({ earned: 10_000n }))
    expect(october).toMatchObject({ closing: 10_000n, payable: 10_000n, carried: 0n, reason: null })
    const november = statementTotals(
      month({ opening: october.carried, earned: 1_500n, clawedBack: 4_000n }),
    )
    expect(november).toMatchObject({
      closing: -2_500n,
      payable: 0n,
      carried: -2_500n,
      reason: 'negative_balance',
    })
    const december = statementTotals(month({ opening: november.carried, earned: 6_000n }))
    expect(december).toMatchObject({ closing: 3_500n, payable: 3_500n, carried: 0n, reason: null })
  })

  test('carry what is below the minimum, and pay what reaches it exactly', () => {
    expect(statementTotals(month({ earned: 2_499n }))).toMatchObject({
      payable: 0n,
      carried: 2_499n,
      reason: 'below_minimum',
    })
    expect(statementTotals(month({ opening: 2_499n, earned: 1n }))).toMatchObject({
      payable: 2_500n,
      carried: 0n,
      reason: null,
    })
  })

  test('keep held amounts back and pay the rest', () => {
    expect(statementTotals(month({ earned: 10_000n, held: 4_000n }))).toMatchObject({
      closing: 10_000n,
      held: 4_000n,
      payable: 6_000n,
      carried: 4_000n,
      reason: 'held',
    })
    expect(statementTotals(month({ earned: 3_000n, held: 9_000n }))).toMatchObject({
      payable: 0n,
      carried: 3_000n,
    })
  })

  test('pay nothing where there is nothing, whatever the minimum', () => {
    const nothing = { payable: 0n, carried: 0n, reason: null }
    expect(statementTotals(month())).toMatchObject(nothing)
    expect(statementTotals(month({ minimumPayout: 0n }))).toMatchObject(nothing)
  })

  test('count adjustments either way', () => {
    expect(statementTotals(month({ earned: 5_000n, adjustments: -100n })).closing).toBe(4_900n)
    expect(statementTotals(month({ earned: 5_000n, adjustments: 100n })).closing).toBe(5_100n)
  })

  test.each([
    ['HUF', 104_512n, 104_500n, 12n],
    ['TWD', 99_999n, 99_900n, 99n],
    ['KWD', 1_851n, 1_850n, 1n],
    ['ISK', 1_851n, 1_851n, 0n],
    ['USD', 104_512n, 104_512n, 0n],
  ])('in %s pay %s as %s and carry %s', (code, earned, payable, carried) => {
    const { payoutStep } = currencyOf(code)
    const totals = statementTotals(month({ earned, payoutStep, minimumPayout: 0n }))
    expect(totals).toMatchObject({ payable, carried })
    expect(totals.reason).toBe(carried === 0n ? null : 'payout_step')
  })

  test('judge the minimum on what can really be paid, after the payout step', () => {
    const stepped = month({ earned: 2_599n, minimumPayout: 2_550n, payoutStep: 100n })
    expect(statementTotals(stepped)).toMatchObject({ payable: 0n, reason: 'below_minimum' })
    expect(statementTotals({ ...stepped, minimumPayout: 2_500n }).payable).toBe(2_500n)
  })

  const positive = fc.bigInt({ min: 0n, max: 10n ** 12n })
  const either = fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n })
  const inputs = fc.record({
    opening: either,
    earned: positive,
    clawedBack: positive,
    adjustments: either,
    held: positive,
    minimumPayout: fc.bigInt({ min: 0n, max: 10n ** 10n }),
    payoutStep: fc.constantFrom(1n, 10n, 100n),
  })

  test('always balance: closing from its parts, and paid plus carried is the closing', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const totals = statementTotals(input)
        const { opening, earned, clawedBack, adjustments } = input
        expect(totals.closing).toBe(opening + earned - clawedBack + adjustments)
        expect(totals.payable + totals.carried).toBe(totals.closing)
        expect(totals).toMatchObject({ opening, earned, clawedBack, adjustments, held: input.held })
      }),
      { numRuns: propertyRuns },
    )
  })

  test('never pay more than is free, nor less than the minimum, nor part of a step', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const { closing, payable } = statementTotals(input)
        const free = closing - input.held > 0n ? closing - input.held : 0n
        expect(payable >= 0n && payable <= free).toBe(true)
        expect(payable % input.payoutStep).toBe(0n)
        const due = free - (free % input.payoutStep)
        expect(payable).toBe(due >= input.minimumPayout ? due : 0n)
      }),
      { numRuns: propertyRuns },
    )
  })

  test('name a reason exactly where something is carried', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const { carried, reason, closing } = statementTotals(input)
        expect(reason === null).toBe(carried === 0n)
        expect(reason === 'negative_balance').toBe(closing < 0n)
      }),
      { numRuns: propertyRuns },
    )
  })
})

describe('the figures of a statement', () => {
  test('come in reading order under the words of its papers', () => {
    const totals = statementTotals(
      month({ opening: 1n, earned: 9_000n, clawedBack: 20n, adjustments: -3n, held: 400n }),
    )
    expect(statementFigures(totals)).toEqual([
      { label: 'Opening balance', amount: 1n },
      { label: 'Earned', amount: 9_000n },
      { label: 'Clawed back', amount: 20n },
      { label: 'Adjustments', amount: -3n },
      { label: 'Closing balance', amount: 8_978n },
      { label: 'Held', amount: 400n },
      { label: 'Payable', amount: 8_578n },
      { label: 'Carried forward', amount: 400n },
    ])
  })
})

describe('the lines of a statement', () => {
  const line = (kind: StatementLine['kind'], amount: bigint): StatementLine => ({
    kind,
    id: 'acc_1',
    at: new Date('2026-10-05T10:00:00Z'),
    customer: 'Globex',
    invoice: 'in_1',
    depth: 0,
    base: 9_999n,
    amount,
    note: null,
    prior: false,
  })
  const totals = statementTotals(month({ earned: 2_500n, clawedBack: 666n }))
  const document = (lines: StatementLine[]): StatementDocument => ({
    number: 'S-2026-10-0001',
    partner: 'Acme',
    period: '2026-10',
    since: null,
    currency: 'USD',
    issuedAt: new Date('2026-11-04T03:00:00Z'),
    seal: null,
    totals,
    payment:
      totals.payable === 0n
        ? null
        : { currency: 'USD', gross: totals.payable, withheld: 0n, withheldBps: null, vat: 0n },
    held: [],
    lines,
  })

  test('are accepted when they add up to what was earned and what was clawed back', () => {
    const lines = [line('accrual', 2_000n), line('accrual', 500n), line('clawback', -666n)]
    expect(() => assertLinesMatch(document(lines))).not.toThrow()
  })

  test.each([
    ['a line is missing', [line('accrual', 2_000n), line('clawback', -666n)]],
    ['a unit is missing', [line('accrual', 2_499n), line('clawback', -666n)]],
    ['a clawback is positive', [line('accrual', 2_500n), line('clawback', 666n)]],
    ['a clawback is missing', [line('accrual', 2_500n)]],
    ['only the difference is right', [line('accrual', 1_834n)]],
    ['there are none', []],
  ])('are refused, and the statement is named, when %s', (_, lines) => {
    expect(() => assertLinesMatch(document(lines))).toThrow(RangeError)
    expect(() => assertLinesMatch(document(lines))).toThrow('S-2026-10-0001')
  })
})

describe('the release of a run', () => {
  const reviewed = { reviewedBy: 'ada', totalsHash: 'hash' }

  test('is refused until somebody has reviewed it', () => {
    const run = { reviewedBy: null, totalsHash: 'hash' }
    expect(releaseRefusal(run, { memberId: 'bob', totalsHash: 'hash' })).toBe('not_reviewed')
    expect(releaseRefusal(run, { memberId: 'bob', totalsHash: 'old' })).toBe('not_reviewed')
  })

  test('is refused when the totals are not those that were reviewed, before who asks matters', () => {
    for (const memberId of ['bob', 'ada']) {
      expect(releaseRefusal(reviewed, { memberId, totalsHash: 'old' })).toBe('totals_changed')
    }
    const without = { reviewedBy: 'ada', totalsHash: null }
    expect(releaseRefusal(without, { memberId: 'bob', totalsHash: 'hash' })).toBe('totals_changed')
  })

  test('is refused to the person who reviewed it', () => {
    const release = { memberId: 'ada', totalsHash: 'hash' }
    expect(releaseRefusal(reviewed, release)).toBe('second_person_required')
  })

  test('goes ahead for a second person who signs the same totals', () => {
    expect(releaseRefusal(reviewed, { memberId: 'bob', totalsHash: 'hash' })).toBeNull()
  })
})
