import fc from 'fast-check'
import { disputedBps, isAtRisk, moveWords } from '../../domain/reserve-moves.ts'
import { type KeptReserve, totalsWithReserve } from '../../domain/reserves.ts'
import { type StatementInput, statementTotals } from '../../domain/settlement.ts'
import { propertyRuns } from '../support/runs.ts'

const at = new Date('2026-09-04T00:00:00Z')
const later = new Date('2026-12-01T00:00:00Z')

function month(changes: Partial<StatementInput> = {}): StatementInput {
  return {
    ...{ opening: 0n, earned: 0n, clawedBack: 0n, adjustments: 0n, held: 0n },
    ...{ minimumPayout: 2_500n, payoutStep: 1n },
    ...changes,
  }
}

const reserve = (left: bigint, changes: Partial<KeptReserve> = {}): KeptReserve => ({
  ...{ id: 'one', left, until: later, released: false },
  ...changes,
})

const keeps = (given: Partial<StatementInput>, kept: KeptReserve[] = []) =>
  totalsWithReserve(month(given), { kept, at, keepBps: 2_500 })
const keepsNothing = (given: Partial<StatementInput>, kept: KeptReserve[]) =>
  totalsWithReserve(month(given), { kept, at, keepBps: null })

describe('the limit of disputed volume', () => {
  test('is exceeded above it, and not at it', () => {
    expect(isAtRisk({ paid: 100_000n, disputed: 1_500n }, 150)).toBe(false)
    expect(isAtRisk({ paid: 100_000n, disputed: 1_501n }, 150)).toBe(true)
    expect(isAtRisk({ paid: 99_999n, disputed: 1_500n }, 150)).toBe(true)
  })

  test('is exceeded by any dispute where nothing was paid in the window', () => {
    expect(isAtRisk({ paid: 0n, disputed: 1n }, 10_000)).toBe(true)
    expect(isAtRisk({ paid: 0n, disputed: 0n }, 0)).toBe(false)
    expect(disputedBps({ paid: 0n, disputed: 1n })).toBeNull()
  })
})

describe('a reserve', () => {
  test('is a quarter of what would be paid, rounded down, and the rest is paid', () => {
    const { totals, taken } = keeps({ earned: 9_999n })
    expect(taken).toBe(2_499n)
    expect(totals).toMatchObject({ held: 2_499n, payable: 7_500n, carried: 2_499n, reason: 'held' })
  })

  test('is taken of what is not held for another cause', () => {
    const { totals, taken } = keeps({ earned: 20_000n, held: 300n })
    expect(taken).toBe(4_925n)
    expect(totals).toMatchObject({ held: 5_225n, payable: 14_775n })
  })

  test('is not taken where the rest would not reach the minimum: all of it is carried', () => {
    const { totals, taken } = keeps({ earned: 3_000n })
    expect(taken).toBe(0n)
    expect(totals).toMatchObject({
      ...{ held: 0n, payable: 0n, carried: 3_000n, reason: 'below_minimum' },
    })
  })

  test('is not taken of nothing, of a debt, or of a balance that a person holds', () => {
    expect(keeps({ earned: 100n, clawedBack: 300n }).taken).toBe(0n)
    expect(keeps({}).taken).toBe(0n)
    const held = keeps({ earned: 10_000n, unpaid: true }, [reserve(500n)])
    expect(held).toMatchObject({ taken: 0n, ends: [], totals: { held: 10_000n, payable: 0n } })
  })

  test('that was kept before is not reserved again, and stays held until its day', () => {
    const { totals, taken } = keeps({ opening: 2_500n, earned: 10_000n }, [reserve(2_500n)])
    expect(taken).toBe(2_500n)
    expect(totals).toMatchObject({ closing: 12_500n, held: 5_000n, payable: 7_500n })
  })

  test('comes back into what is paid when its time is over, and nothing of it is kept again', () => {
    const over = [reserve(2_500n, { until: at })]
    const { totals, taken, ends } = keeps({ opening: 2_500n, earned: 10_000n }, over)
    expect(ends).toEqual([{ id: 'one', cause: 'matured', amount: 2_500n }])
    expect(taken).toBe(2_500n)
    expect(totals).toMatchObject({ held: 2_500n, payable: 10_000n })
    const early = [reserve(2_500n, { released: true })]
    expect(keepsNothing({ opening: 2_500n }, early)).toMatchObject({
      ...{ ends: [{ cause: 'by_person', amount: 2_500n }], totals: { held: 0n, payable: 2_500n } },
    })
  })

  test('covers what is taken back before any debt is carried, the oldest first', () => {
    const kept = [reserve(1_000n), reserve(2_000n, { id: 'two' })]
    const some = keepsNothing({ opening: 3_000n, clawedBack: 1_500n }, kept)
    expect(some.ends).toEqual([
      { id: 'one', cause: 'used', amount: 1_000n },
      { id: 'two', cause: 'used', amount: 500n },
    ])
    expect(some.totals).toMatchObject({ closing: 1_500n, held: 1_500n, payable: 0n })
    const all = keepsNothing({ opening: 3_000n, clawedBack: 4_000n }, kept)
    expect(all.ends.map(({ amount }) => amount)).toEqual([1_000n, 2_000n])
    expect(all.totals).toMatchObject({ closing: -1_000n, held: 0n, payable: 0n })
  })

  test('is left alone by what new earnings cover', () => {
    const { totals, ends } = keepsNothing({ opening: 2_500n, earned: 4_000n, clawedBack: 4_000n }, [
      reserve(2_500n),
    ])
    expect(ends).toEqual([])
    expect(totals).toMatchObject({ held: 2_500n, payable: 0n })
  })

  test('is told in words with the reason, and under the month that kept it', () => {
    const move = {
      ...{ id: 'one', what: 'kept' as const, period: '2026-08', amount: 1n, until: later },
      ...{ windowFrom: new Date('2026-06-01T00:00:00Z'), aboveBps: 150 },
      volume: { paid: 100_000n, disputed: 1_725n },
    }
    expect(moveWords(move)).toBe(
      'Reserve: kept, 1.72 % of what was paid since 2026-06-01 is disputed, more than 1.5 %',
    )
    expect(moveWords({ ...move, what: 'matured' })).toBe(
      'Reserve of 2026-08: released, its time is over',
    )
  })
})

const amount = fc.bigInt({ min: 0n, max: 1_000_000n })
const anyReserves = fc
  .array(fc.record({ left: fc.bigInt({ min: 1n, max: 50_000n }), state: fc.nat(2) }), {
    maxLength: 4,
  })
  .map((all) =>
    all.map(({ left, state }, i) =>
      reserve(left, { id: `${i}`, until: state === 0 ? at : later, released: state === 1 }),
    ),
  )
const anyMonth = fc.record({
  ...{ opening: fc.bigInt({ min: -500_000n, max: 500_000n }), earned: amount },
  ...{ clawedBack: amount, adjustments: fc.bigInt({ min: -10_000n, max: 10_000n }) },
  ...{ held: amount, minimumPayout: fc.bigInt({ min: 0n, max: 10_000n }) },
  ...{ payoutStep: fc.constantFrom(1n, 10n, 100n), unpaid: fc.boolean() },
})
const anyShare = fc.option(fc.integer({ min: 1, max: 9_000 }))

test('whatever happens, a unit is paid, held, or carried, and a reserve never grows or ends twice', () => {
  const check = (given: StatementInput, kept: KeptReserve[], keepBps: number | null) => {
    const { totals, taken, ends } = totalsWithReserve(given, { kept, at, keepBps })
    const { closing, held, payable, carried } = totals
    expect(closing).toBe(payable + carried)
    expect(payable % given.payoutStep).toBe(0n)
    expect(payable <= (closing - held > 0n ? closing - held : 0n)).toBe(true)
    const left = new Map(kept.map((one) => [one.id, one.left]))
    for (const { id, amount } of ends) {
      expect(amount > 0n && amount <= (left.get(id) ?? 0n)).toBe(true)
      left.set(id, (left.get(id) ?? 0n) - amount)
    }
    const standing = [...left.values()].reduce((all, one) => all + one, 0n)
    const free = closing - given.held > 0n ? closing - given.held : 0n
    expect(standing + taken <= free).toBe(true)
    expect(given.unpaid || held === given.held + standing + taken).toBe(true)
    expect(taken === 0n || payable > 0n).toBe(true)
    expect(taken * 10_000n <= free * BigInt(keepBps ?? 0)).toBe(true)
  }
  fc.assert(fc.property(anyMonth, anyReserves, anyShare, check), { numRuns: propertyRuns })
})

test('without a reserve and without risk a statement is what it always was', () => {
  const check = (given: StatementInput) => {
    const { totals, taken, ends } = totalsWithReserve(given, { kept: [], at, keepBps: null })
    expect({ totals, taken, ends }).toEqual({ totals: statementTotals(given), taken: 0n, ends: [] })
  }
  fc.assert(fc.property(anyMonth, check), { numRuns: propertyRuns })
})
