/** The attempt protocol of payouts: reserve, send once with a stored key, record what is known. */

export const payoutStatuses = [
  'approved',
  'held',
  'in_flight',
  'unknown',
  'paid',
  /** Never sent, and given back to the balance: the partner was terminated. */
  'returned',
] as const
export type PayoutStatus = (typeof payoutStatuses)[number]

export type AttemptStatus = 'prepared' | 'sent' | 'unknown' | 'succeeded' | 'rejected'

/** The idempotency key of one attempt; the number rises only after a definitive rejection. */
export function attemptKey(payoutId: string, attemptNo: number): string {
  return `po_${payoutId}_${attemptNo}`
}

/** Groups all transfers of one payout at the processor, so that a lost one can be found. */
export function transferGroup(payoutId: string): string {
  return `po_${payoutId}`
}

const hourMs = 3_600_000

/** How long the processor is sure to remember a key. */
const keyLifeMs = 20 * hourMs

/** Two look-ups that find nothing must lie this far apart before an attempt counts as not made. */
const missGapMs = hourMs

/**
 * What to do with an attempt whose outcome is not known: send it again under its key while the
 * processor remembers the key, afterwards look it up, and give it up only after two look-ups.
 */
export function nextMove(
  attempt: { firstSentAt: Date | null; firstMissedAt: Date | null },
  now: Date,
): 'send' | 'look_up' | 'look_up_last' {
  const age = attempt.firstSentAt ? now.getTime() - attempt.firstSentAt.getTime() : 0
  if (age <= keyLifeMs) return 'send'
  if (!attempt.firstMissedAt) return 'look_up'
  return now.getTime() - attempt.firstMissedAt.getTime() >= missGapMs ? 'look_up_last' : 'look_up'
}

/** What the processor said to one attempt, in our words. */
export type SendOutcome =
  | { kind: 'succeeded'; transferId: string }
  | { kind: 'rejected'; reason: string }
  | { kind: 'insufficient_balance' }
  | { kind: 'unknown'; reason: string }
  | { kind: 'missed' }

/** Why a payout waits although its amount is due. */
export type HoldReason =
  | 'no_payout_account'
  | 'account_not_verified'
  | 'transfer_rejected'
  | 'partner_held'

/** What may hold all payouts of a partner; why it does is for the platform's eyes. */
export type HoldCause = 'screening' | 'verification' | 'agreement' | 'suspension' | 'offboarding'

/** The reason for which this partner cannot be paid now, or null. */
export function holdReasonOf(
  account: { vendorAccountId: string | null; status: string } | undefined,
  partnerIsHeld: boolean,
): HoldReason | null {
  if (partnerIsHeld) return 'partner_held'
  if (!account?.vendorAccountId) return 'no_payout_account'
  return account.status === 'verified' ? null : 'account_not_verified'
}
