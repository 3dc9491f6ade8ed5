/** The attempt protocol of payouts: reserve, send once with a stored key, record what is known. */
import { stretchOf } from './cadence.ts'
import { dayOf } from './period.ts'

export const payoutStatuses = [
  'approved',
  'held',
  'in_flight',
  'unknown',
  'paid',
  /** Sent, and given back by the partner's bank: it lies in the partner's balance at the vendor. */
  'bank_failed',
  /** Never sent, or taken back, and given back to the balance with us. */
  'returned',
] as const
export type PayoutStatus = (typeof payoutStatuses)[number]

export type AttemptStatus = 'prepared' | 'sent' | 'unknown' | 'succeeded' | 'rejected' | 'reversed'

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
 * processor remembers the key, afterwards look it up, and give it up only after two look-ups. One
 * that was looked for once is not sent again: its key has become doubtful.
 */
export function nextMove(
  attempt: { firstSentAt: Date | null; firstMissedAt: Date | null },
  now: Date,
): 'send' | 'look_up' | 'look_up_last' {
  const age = attempt.firstSentAt ? now.getTime() - attempt.firstSentAt.getTime() : 0
  if (!attempt.firstMissedAt) return age <= keyLifeMs ? 'send' : 'look_up'
  return now.getTime() - attempt.firstMissedAt.getTime() >= missGapMs ? 'look_up_last' : 'look_up'
}

/** What the processor said to one attempt, in our words. */
export type SendOutcome =
  /** With the payment that the transfer made in the partner's balance. */
  | { kind: 'succeeded'; transferId: string; paymentId: string | null }
  | { kind: 'rejected'; reason: string }
  | { kind: 'insufficient_balance' }
  | { kind: 'unknown'; reason: string }
  /** The key does not tell what became of the money; it has to be looked up. */
  | { kind: 'doubtful'; reason: string }
  /** Not executed; the same again after so long. */
  | { kind: 'throttled'; retryAfterSeconds: number | undefined }
  | { kind: 'missed' }

/** Why a payout waits although its amount is due. */
export const holdReasons = [
  'no_payout_account',
  'account_not_verified',
  'transfer_rejected',
  'partner_held',
  /** The transfer was taken back, and nobody decided yet what becomes of the money. */
  'transfer_reversed',
  'tax_form',
  'bank_change',
] as const
export type HoldReason = (typeof holdReasons)[number]

/** What may hold all payouts of a partner; why it does is for the platform's eyes. */
export type HoldCause =
  | 'screening'
  | 'verification'
  | 'agreement'
  | 'suspension'
  | 'offboarding'
  /** The bank gave money back, and its details are the same since. */
  | 'bank_failed'
  /** The details of the bank were changed a short while ago. */
  | 'bank_change'
  /** The programme wants a tax form, and there is none that is valid. */
  | 'tax_form'

/** The reason for which this partner cannot be paid now, or null. */
export function holdReasonOf(
  account: { vendorAccountId: string | null; status: string } | undefined,
  heldBecause: HoldReason | null,
): HoldReason | null {
  if (heldBecause) return heldBecause
  if (!account?.vendorAccountId) return 'no_payout_account'
  return account.status === 'verified' ? null : 'account_not_verified'
}

/** Why a payout waits for a person. */
export const exceptionCauses = [
  'transfer_rejected',
  'bank_failed',
  'transfer_reversed',
  /** Made long ago, and still waiting for the partner: its account, its form, its hold. */
  'held_too_long',
] as const
export type ExceptionCause = (typeof exceptionCauses)[number]

/** How it ended. */
export const exceptionResolutions = ['paid', 'released', 'written_off'] as const
export type ExceptionResolution = (typeof exceptionResolutions)[number]

/** What one person may decide on it. */
export const payoutDecisionKinds = ['retry', 'method', 'release'] as const
export type PayoutDecisionKind = (typeof payoutDecisionKinds)[number]

/** Of a payout from a partner's balance at the processor to its bank. */
export type BankPayoutStatus =
  | 'requested'
  | 'pending'
  | 'in_transit'
  | 'paid'
  | 'failed'
  | 'canceled'
  | 'refused'

const bankOrder: BankPayoutStatus[] = ['requested', 'pending', 'in_transit', 'paid', 'failed']

/** News of a bank payout only go forward: `failed` may follow `paid`, and nothing follows it. */
export function isLaterAtBank(before: BankPayoutStatus, now: BankPayoutStatus): boolean {
  const rank = (status: BankPayoutStatus) => {
    const place = bankOrder.indexOf(status)
    return place < 0 ? bankOrder.length : place
  }
  return rank(now) > rank(before)
}

/** Money that is back in the partner's balance at the processor. */
export const hasComeBack = (status: BankPayoutStatus) =>
  status === 'failed' || status === 'canceled'

/** What the partner, or the platform, can do about a payout that waits. */
export const holdAdvice: Record<HoldReason, string> = {
  no_payout_account: 'The partner opens its payout account; the payout then goes by itself.',
  account_not_verified:
    'The partner hands in what Stripe asks for; the payout then goes by itself.',
  transfer_rejected: 'Stripe refused the transfer: read the attempts, mend the cause and retry.',
  partner_held: 'Payouts of the partner are held; the platform releases the hold.',
  transfer_reversed: 'The transfer was taken back: retry it, or give the money back.',
  tax_form: 'The partner hands in its tax form; the payout then goes by itself.',
  bank_change: 'The bank details were changed; the payout goes by itself when the wait is over.',
}

/** The key under which the transfer of an attempt is taken back. */
export const reversalKey = (attempt: string) => `${attempt}_r`

const dayMs = 86_400_000

/**
 * The day on which a payout of a period is due, so many days after its last one; Saturdays and
 * Sundays give way to the Monday. Null where it is due at once.
 */
export function payDay(period: string, netDays: number): string | null {
  if (netDays === 0) return null
  const last = stretchOf(period).until.getTime() - dayMs
  let day = new Date(last + netDays * dayMs)
  while ([0, 6].includes(day.getUTCDay())) day = new Date(day.getTime() + dayMs)
  return dayOf(day)
}
