/** A partner disputes a line of a statement: whose turn it is, and what may be done. */
import type { ErrorCode } from './errors.ts'
import { larger, magnitude } from './money.ts'

export const disputeStatuses = ['opened', 'answered', 'decided', 'withdrawn'] as const
export type DisputeStatus = (typeof disputeStatuses)[number]

export const disputeDecisions = ['uphold', 'reject'] as const
export type DisputeDecision = (typeof disputeDecisions)[number]

export type DisputeSide = 'partner' | 'platform'

/** Who acts next, or null where it is over. */
export function nextSide(status: DisputeStatus): DisputeSide | null {
  if (status === 'opened') return 'platform'
  return status === 'answered' ? 'partner' : null
}

/** What became of the entry by two persons in which a dispute was upheld. */
export type EffectStatus = 'proposed' | 'approved' | 'rejected' | 'withdrawn' | 'expired'

/**
 * Why it may not be decided, or null: decided is for good, unless the second person did not approve
 * the entry that it would have ended in.
 */
export function decisionProblem(dispute: {
  status: DisputeStatus
  decision: DisputeDecision | null
  effect: EffectStatus | null
}): ErrorCode | null {
  if (dispute.status === 'opened' || dispute.status === 'answered') return null
  if (dispute.status === 'withdrawn' || dispute.decision === 'reject') return 'already_decided'
  return dispute.effect === 'proposed' || dispute.effect === 'approved' ? 'already_decided' : null
}

/** What a correction of a line cannot exceed: what the line was earned on, or else its amount. */
export function mostOf(line: { base: bigint; amount: bigint }): bigint {
  return larger(larger(magnitude(line.base), magnitude(line.amount)), 1n)
}
