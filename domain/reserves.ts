/**
 * What is kept of a payout where too much of what a partner sells is disputed, and what becomes of
 * it: it covers what is taken back later, and comes back to the partner when its time is over.
 */
import { floorShare, larger, smaller, sum } from './money.ts'
import type { ReserveEndCause } from './reserve-moves.ts'
import { type StatementInput, type StatementTotals, statementTotals } from './settlement.ts'

/** What is left of a reserve that an earlier statement kept. */
export interface KeptReserve {
  id: string
  left: bigint
  until: Date
  /** A person let it go before its time. */
  released: boolean
}

export interface ReserveEnd {
  id: string
  cause: ReserveEndCause
  amount: bigint
}

export interface ReserveTerms {
  /** Of earlier statements, the oldest first. */
  kept: KeptReserve[]
  /** The cut-off: what ends by then ends with this statement. */
  at: Date
  /** The share of the payout that is kept, in hundredths of a percent; null where nothing is. */
  keepBps: number | null
}

export interface ReservedTotals {
  totals: StatementTotals
  /** What this statement keeps of its own payout. */
  taken: bigint
  ends: ReserveEnd[]
}

/** Whether a reserve ends by a cut-off, by its day or by a person's word. */
export function isOver({ released, until }: KeptReserve, at: Date): boolean {
  return released || until <= at
}

/** What ends, by its day or by a person's word; then what no other money of the balance covers. */
function endReserves({ kept, at }: ReserveTerms, free: bigint) {
  const over = kept.filter((reserve) => isOver(reserve, at))
  const standing = kept.filter((reserve) => !isOver(reserve, at))
  const ends = over.map(({ id, left, released }): ReserveEnd => {
    return { id, cause: released ? 'by_person' : 'matured', amount: left }
  })
  let missing = larger(sum(standing.map(({ left }) => left)) - free, 0n)
  for (const { id, left } of standing) {
    const amount = smaller(left, missing)
    if (amount > 0n) ends.push({ id, cause: 'used', amount })
    missing -= amount
  }
  return { ends, released: sum(over.map(({ left }) => left)) }
}

/**
 * The totals of a statement with what is reserved among what it holds. The share is that of the
 * money that is paid, rounded down: money that was reserved before is not reserved again, and where
 * the rest does not reach the minimum, nothing is paid and nothing is kept of it.
 */
export function totalsWithReserve(given: StatementInput, terms: ReserveTerms): ReservedTotals {
  const closing = given.opening + given.earned - given.clawedBack + given.adjustments
  const free = larger(closing - given.held, 0n)
  const { ends, released } = endReserves(terms, free)
  const ended = sum(ends.map(({ amount }) => amount))
  const standing = sum(terms.kept.map(({ left }) => left)) - ended
  const held = given.held + standing
  const whole = { totals: statementTotals({ ...given, held }), taken: 0n, ends }
  const base = free - standing - released
  if (terms.keepBps === null || whole.totals.payable === 0n || base <= 0n) return whole
  const taken = floorShare(base, { num: BigInt(terms.keepBps), den: 10_000n })
  if (taken === 0n) return whole
  const totals = statementTotals({ ...given, held: held + taken })
  if (totals.payable > 0n) return { totals, taken, ends }
  return {
    totals: statementTotals({ ...given, held, minimumPayout: closing + 1n }),
    taken: 0n,
    ends,
  }
}
