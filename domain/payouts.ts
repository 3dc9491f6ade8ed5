/** The attempt protocol of payouts: reserve, send once with a stored key, record what is known. */

export const payoutStatuses = ['approved', 'held', 'in_flight', 'unknown', 'paid'] as const
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

/** How long the processor is sure to remember a key; afterwards a resend is a look-up first. */
export const keyLifeHours = 20

/** What the processor said to one attempt, in our words. */
export type SendOutcome =
  | { kind: 'succeeded'; transferId: string }
  | { kind: 'rejected'; reason: string }
  | { kind: 'insufficient_balance' }
  | { kind: 'unknown'; reason: string }

/** Why a payout waits although its amount is due. */
export type HoldReason = 'no_payout_account' | 'account_not_verified'

/** The reason for which this partner cannot be paid now, or null. */
export function holdReasonOf(
  account: { vendorAccountId: string | null; status: string } | undefined,
): HoldReason | null {
  if (!account?.vendorAccountId) return 'no_payout_account'
  return account.status === 'verified' ? null : 'account_not_verified'
}
