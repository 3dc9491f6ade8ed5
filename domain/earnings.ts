/** What became of what a partner earned on a line. */

export const earningStatuses = ['pending', 'held', 'due', 'paid', 'reversed'] as const
/**
 * `pending` waits for a statement; `due` is on one, and its money is on its way or carried; `held`
 * waits for its day, for a dispute or for a person.
 */
export type EarningStatus = (typeof earningStatuses)[number]

export interface EarningFacts {
  amount: bigint
  /** Less what was given back again. */
  takenBack: bigint
  /** It has not matured, a customer's bank asks for it, or a person holds it: now. */
  isHeld: boolean
  /** It is a line of an issued statement. */
  isSettled: boolean
  /** What became of the payout of the statement that pays it; null where none does yet. */
  payout: 'sent' | 'waiting' | null
}

/** How it stands now. What was paid and taken back later is `reversed`. */
export function earningStatus(facts: EarningFacts): EarningStatus {
  const { amount, takenBack, isHeld, isSettled, payout } = facts
  if (takenBack > 0n && takenBack >= amount) return 'reversed'
  if (payout !== null) return payout === 'sent' ? 'paid' : 'due'
  if (isHeld) return 'held'
  return isSettled ? 'due' : 'pending'
}
