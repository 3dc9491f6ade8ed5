/** What somebody has to know, or do, about partners of a run before it is released. */

export const exceptionCodes = [
  'no_payout_account',
  'account_not_verified',
  'missing_rate',
  'tax_form',
  'bank_change',
  'partner_held',
  'held',
  'disputed',
  'reserve',
  'negative_balance',
  'below_minimum',
  'excluded',
] as const
export type ExceptionCode = (typeof exceptionCodes)[number]

/** What can be done about it; nothing of it stops a release but a rate that is missing. */
export const exceptionAdvice: Record<ExceptionCode, string> = {
  no_payout_account: 'Ask the partner to open its payout account; its payout waits until then.',
  account_not_verified:
    'Ask the partner to hand in what Stripe wants to know; its payout waits until then.',
  missing_rate: 'Enter the exchange rate of the period’s end; the run then goes on by itself.',
  tax_form: 'Ask the partner for its tax form; its payout waits until then.',
  bank_change: 'Nothing: the payout goes when the wait after a change of the bank is over.',
  partner_held: 'Look at the cause, and end it: the payout then goes by itself.',
  held: 'Release the hold once its reason is gone: the next totals pay what it kept back.',
  disputed: 'Wait for the bank of the customer: what it decides ends the hold.',
  reserve: 'Look at its disputes: the rest is paid, and what is kept comes back by itself.',
  negative_balance: 'Nothing is paid: later earnings make up for it.',
  below_minimum: 'Nothing is paid: the balance is carried until it reaches the minimum.',
  excluded: 'The statement of the next run tells of this period, too.',
}
