/** Transfers that were taken back at the processor, by us or by somebody there. */
import { databaseNow, inTransaction, type Trx } from '../../db/database.ts'
import { recordJournals } from '../../db/ledger.ts'
import { findAttemptOf, markAttemptReversed } from '../../db/payout-attempts.ts'
import { openException } from '../../db/payout-exceptions.ts'
import { lockPayout, markPayoutReversed } from '../../db/payouts.ts'
import { bookingPeriod } from '../../db/periods.ts'
import type { ActivityDeps } from '../deps.ts'
import { tellException } from './tell.ts'

interface TakenBack {
  payoutId: string
  attemptId: string
  reversalId: string
}

/**
 * The money of a payout is with us again, and waits for a person. Whoever is told of it again
 * changes nothing.
 * @returns the case of the payout, or null where it was known.
 */
export async function recordTakenBack(
  trx: Trx,
  { payoutId, attemptId, reversalId }: TakenBack,
): Promise<string | null> {
  const { partnerId, currency, amountMinor: amount } = await lockPayout(trx, payoutId)
  if (!(await markAttemptReversed(trx, attemptId, reversalId))) return null
  await markPayoutReversed(trx, payoutId)
  const effectiveAt = await databaseNow(trx)
  const [debit, credit] = [
    { purpose: 'stripe_balance' } as const,
    { purpose: 'payout_in_transit' } as const,
  ]
  await recordJournals(trx, [
    {
      kind: 'payout_reversal',
      sourceType: 'payout_attempt',
      sourceId: attemptId,
      period: await bookingPeriod(trx, effectiveAt),
      effectiveAt,
      postings: [{ debit, credit, currency, amount }],
    },
  ])
  return openException(trx, { payoutId, partnerId, cause: 'transfer_reversed' })
}

/**
 * Books a transfer that somebody took back at the processor. One that is not known yet, or of which
 * only a part came back, is left as it is: the comparison with the processor tells of it.
 * @returns whether the books know by now that it was taken back.
 */
export async function bookTakenBack(deps: ActivityDeps, transferId: string): Promise<boolean> {
  const { db, bank } = deps
  const attempt = await findAttemptOf(db, transferId)
  if (attempt?.status !== 'succeeded') return attempt?.status === 'reversed'
  const reversalId = await bank.findReversal(transferId)
  if (reversalId === null) return false
  const { id: attemptId, payoutId } = attempt
  const exceptionId = await inTransaction(db, (trx) =>
    recordTakenBack(trx, { payoutId, attemptId, reversalId }),
  )
  if (exceptionId) await tellException(deps, exceptionId)
  return true
}
