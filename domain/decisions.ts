/** The rules of deciding on an application. */
import type { ErrorCode } from './errors.ts'

/** Why an application is rejected; the words beside it say more. */
export const rejectionCodes = [
  'not_a_fit',
  'incomplete',
  'sanctions',
  'territory',
  'duplicate',
  'risk',
  'other',
] as const
export type RejectionCode = (typeof rejectionCodes)[number]

/** What an applicant expects to sell in a month. */
export interface ExpectedVolume {
  minor: bigint
  currency: string
}

/**
 * Whether two persons have to approve. An amount in another currency than the programme's cannot
 * be compared with its limit, and takes two.
 */
export function needsTwoApprovers(
  volume: ExpectedVolume | null,
  programme: { currency: string; twoApproversFrom: number },
): boolean {
  if (volume === null) return false
  if (volume.currency !== programme.currency) return volume.minor > 0n
  return volume.minor >= BigInt(programme.twoApproversFrom)
}

/** How a decision that somebody wants counts. */
export type Verdict =
  | { outcome: 'approved' | 'first_approval' | 'rejected' }
  | { outcome: 'refused'; code: ErrorCode }

export interface DecisionFacts {
  decision: 'approve' | 'reject'
  /** The application was decided or has ended. */
  isDecided: boolean
  /** The member is an administrator of who decides, now. */
  mayDecide: boolean
  /** By what an approval is refused because something is open. */
  blockedBy: ErrorCode | null
  needsTwo: boolean
  /** Approvals that count so far, and whether this person gave one of them. */
  approvals: number
  gaveOne: boolean
}

/** A rejection is always possible and ends it; an approval takes everything green. */
export function verdictOf(facts: DecisionFacts): Verdict {
  if (facts.isDecided) return refused('already_decided')
  if (!facts.mayDecide) return refused('forbidden')
  if (facts.decision === 'reject') return { outcome: 'rejected' }
  if (facts.blockedBy) return refused(facts.blockedBy)
  if (!facts.needsTwo) return { outcome: 'approved' }
  if (facts.gaveOne) return refused('second_person_required')
  return { outcome: facts.approvals > 0 ? 'approved' : 'first_approval' }
}

const refused = (code: ErrorCode): Verdict => ({ outcome: 'refused', code })
