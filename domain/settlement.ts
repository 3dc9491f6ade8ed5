/** The figures of a statement, and the stages of the run that makes it. */
import { downToStep, larger } from './money.ts'

export const runStages = [
  'freeze',
  'calculate',
  'review',
  'release',
  'pay',
  'reconcile',
  'closed',
] as const
export type RunStage = (typeof runStages)[number]

export type RunMode = 'preview' | 'live'

export interface StatementInput {
  opening: bigint
  earned: bigint
  clawedBack: bigint
  adjustments: bigint
  held: bigint
  minimumPayout: bigint
  payoutStep: bigint
}

export interface StatementTotals extends Omit<StatementInput, 'minimumPayout' | 'payoutStep'> {
  closing: bigint
  payable: bigint
  carried: bigint
  reason: CarryReason | null
}

/** Why nothing, or not everything, of the closing balance is paid. */
export type CarryReason = 'negative_balance' | 'below_minimum' | 'held' | 'payout_step'

/**
 * `closing = opening + earned - clawed back + adjustments`; payable is what is not held, down to
 * the payout step, where that reaches the minimum; the rest is carried into the next period.
 */
export function statementTotals(input: StatementInput): StatementTotals {
  const { minimumPayout, payoutStep, ...figures } = input
  const closing = input.opening + input.earned - input.clawedBack + input.adjustments
  const free = larger(closing - input.held, 0n)
  const stepped = downToStep(free, payoutStep)
  const payable = stepped > 0n && stepped >= minimumPayout ? stepped : 0n
  const carried = closing - payable
  return { ...figures, closing, payable, carried, reason: carryReason(input, { closing, payable }) }
}

function carryReason(
  input: StatementInput,
  { closing, payable }: { closing: bigint; payable: bigint },
): CarryReason | null {
  if (closing < 0n) return 'negative_balance'
  if (closing === payable) return null
  if (input.held > 0n) return 'held'
  return payable === 0n ? 'below_minimum' : 'payout_step'
}

/**
 * The two-person rule: who reviewed a run may not release it.
 * @returns the code of the refusal, or null when the release may go ahead.
 */
export function releaseRefusal(
  run: { reviewedBy: string | null; totalsHash: string | null },
  release: { memberId: string; totalsHash: string },
): 'not_reviewed' | 'totals_changed' | 'second_person_required' | null {
  if (run.reviewedBy === null) return 'not_reviewed'
  if (run.totalsHash !== release.totalsHash) return 'totals_changed'
  return run.reviewedBy === release.memberId ? 'second_person_required' : null
}
