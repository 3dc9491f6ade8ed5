/** What people decide on payouts that wait for them, carried out step by step. */
import {
  findNewestBankPayout,
  markBankPayoutMissed,
  markBankPayoutRefused,
  markBankPayoutSent,
  recordBankRetry,
} from '../../db/bank-payouts.ts'
import { databaseNow, inTransaction, type Trx } from '../../db/database.ts'
import { findPayoutAccountOf } from '../../db/onboarding/payout-accounts.ts'
import { listHolds, releaseHold } from '../../db/partner-holds.ts'
import { findLastAttempt } from '../../db/payout-attempts.ts'
import {
  findOpenException,
  getException,
  getPayoutDecision,
  releasePayout,
} from '../../db/payout-exceptions.ts'
import { lockPayout, markPayoutApproved } from '../../db/payouts.ts'
import { toStripeAmount } from '../../domain/currencies.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { hasComeBack, nextMove, reversalKey } from '../../domain/payouts.ts'
import { outcomeOf } from '../../integrations/stripe-connect.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import type { ActivityDeps } from '../deps.ts'
import { paceOfStripe } from '../pace.ts'
import { payoutPayer } from '../payouts.ts'
import { bookTold } from './bank.ts'
import { recordTakenBack } from './taken-back.ts'

type Decision = Awaited<ReturnType<typeof getPayoutDecision>>

/** `open` waits for a decision or for news, `moving` is to be gone on with, `closed` is over. */
export type ExceptionState = 'open' | 'moving' | 'closed'

export function payoutDecisionActivities(deps: ActivityDeps) {
  const { db } = deps
  return {
    /**
     * Whether a decision can be carried out now.
     * @throws DomainError `already_decided` for a case that is over, `not_ready` while the money is
     *   on its way or the partner is held, `conflict` where the account is the same as before.
     */
    async checkPayoutDecision({ decisionId }: { decisionId: string }): Promise<void> {
      const decision = await getPayoutDecision(db, decisionId)
      await inTransaction(db, (trx) => refuseUnfit(trx, decision))
    },

    /**
     * Carries a decision out. Money that is at the partner's bank account's door is never sent a
     * second time: it is taken back first, and booked so, or paid out from where it lies.
     */
    async carryOutPayoutDecision({ decisionId }: { decisionId: string }): Promise<ExceptionState> {
      const decision = await getPayoutDecision(db, decisionId)
      const { kind, payoutId, exceptionId, partnerId } = decision
      if ((await stateOf(deps, exceptionId)) === 'closed') return 'closed'
      if (triesAgain(decision)) await retry(deps, decision)
      else {
        await takeBack(deps, payoutId)
        if (kind === 'release') {
          const given = { exceptionId, payoutId, partnerId }
          await inTransaction(db, async (trx) => {
            if (await findOpenException(trx, payoutId)) await releasePayout(trx, given)
          })
        } else await inTransaction(db, (trx) => payToPresentAccount(trx, decision))
      }
      return goOn(deps, exceptionId)
    },

    /** Goes on with what is under way, and tells where it stands. */
    async continuePayout({ exceptionId }: { exceptionId: string }): Promise<ExceptionState> {
      const state = await goOn(deps, exceptionId)
      return state
    },
  }
}

async function stateOf({ db }: ActivityDeps, exceptionId: string): Promise<ExceptionState> {
  const { closedAt, status, payoutId } = await getException(db, exceptionId)
  if (closedAt) return 'closed'
  if (['approved', 'in_flight', 'unknown'].includes(status)) return 'moving'
  const newest = status === 'bank_failed' ? await findNewestBankPayout(db, payoutId) : undefined
  return newest?.status === 'requested' ? 'moving' : 'open'
}

/** Pays by the attempt protocol, or asks again for what was asked for; both only once. */
async function goOn(deps: ActivityDeps, exceptionId: string): Promise<ExceptionState> {
  if ((await stateOf(deps, exceptionId)) === 'moving') {
    const { status, payoutId } = await getException(deps.db, exceptionId)
    if (status === 'bank_failed') await sendRetry(deps, payoutId)
    else await payoutPayer(deps).pay(payoutId)
  }
  return stateOf(deps, exceptionId)
}

/** What was held for too long had no account that could be paid: it goes to the present one. */
const triesAgain = ({ kind, cause }: Decision) => kind === 'retry' && cause !== 'held_too_long'

async function refuseUnfit(trx: Trx, decision: Decision): Promise<void> {
  const { kind, payoutId, partnerId } = decision
  const payout = await lockPayout(trx, payoutId)
  if (!(await findOpenException(trx, payoutId))) {
    throw new DomainError('already_decided', 'this payout waits for nobody any more')
  }
  const newest = await findNewestBankPayout(trx, payoutId)
  const atTheBank = payout.status === 'bank_failed' && newest && !hasComeBack(newest.status)
  if (atTheBank || !['held', 'bank_failed'].includes(payout.status)) {
    throw new DomainError('not_ready', 'its money is on its way; wait for the outcome')
  }
  if (kind === 'release') return
  const holds = await listHolds(trx, partnerId)
  const holding = kind === 'method' ? holds.filter(({ cause }) => cause !== 'bank_failed') : holds
  if (holding.length > 0) {
    throw new DomainError('not_ready', 'payouts of the partner are held; see its holds')
  }
  if (triesAgain(decision)) return
  const account = await findPayoutAccountOf(trx, partnerId)
  if (!account?.payable || !account.vendorAccountId) {
    throw new DomainError('not_ready', 'the partner has no account that can be paid')
  }
  if (account.vendorAccountId === payout.vendorAccountId && payout.status === 'bank_failed') {
    throw new DomainError('conflict', 'it is the same account: retry once its bank is changed')
  }
}

async function retry(deps: ActivityDeps, { payoutId, decidedAt }: Decision): Promise<void> {
  await inTransaction(deps.db, async (trx) => {
    const { status } = await lockPayout(trx, payoutId)
    if (status === 'bank_failed') {
      await recordBankRetry(trx, payoutId, (id) => `bp_${outwardId('bankPayout', id)}`)
      return
    }
    const last = await findLastAttempt(trx, payoutId)
    // What was tried after the decision is its try: a repeated step makes no further one.
    if (!last || last.createdAt < decidedAt) await markPayoutApproved(trx, payoutId)
  })
}

async function payToPresentAccount(trx: Trx, decision: Decision): Promise<void> {
  const { payoutId, partnerId, decidedAt } = decision
  const last = await findLastAttempt(trx, payoutId)
  if (last && last.createdAt >= decidedAt) return
  const account = await findPayoutAccountOf(trx, partnerId)
  // Another account has another bank.
  await releaseHold(trx, { partnerId, cause: 'bank_failed' })
  await markPayoutApproved(trx, payoutId, account?.vendorAccountId ?? null)
}

/** One that is ours and asked for already is looked for before it is asked for again. */
async function sendRetry(deps: ActivityDeps, payoutId: string): Promise<void> {
  const { db, bank } = deps
  const row = await findNewestBankPayout(db, payoutId)
  if (row?.status !== 'requested' || row.idempotencyKey === null) return
  const { id, partnerId, vendorAccountId: accountId, currency, amountMinor } = row
  const ours = outwardId('bankPayout', id)
  if (row.firstSentAt) {
    const found = await bank.findBankPayout(accountId, ours)
    if (found) return bookTold(deps, { partnerId, vendorAccountId: accountId }, found)
    const move = nextMove(row, await databaseNow(db))
    if (move === 'look_up') return markBankPayoutMissed(db, id)
    if (move === 'look_up_last') return markBankPayoutRefused(db, id, 'never_arrived')
  }
  await markBankPayoutSent(db, id)
  await paceOfStripe(deps)
  const amount = toStripeAmount(amountMinor, currency)
  const order = { accountId, amount, currency: currency.toLowerCase() }
  const metadata = { bank_payout: ours, payout: outwardId('payout', payoutId) }
  try {
    const told = await bank.sendBankPayout({ ...order, metadata }, row.idempotencyKey)
    await bookTold(deps, { partnerId, vendorAccountId: accountId }, told)
  } catch (error) {
    if (!(error instanceof VendorError)) throw error
    const { kind } = outcomeOf(error)
    if (kind === 'doubtful') return markBankPayoutMissed(db, id)
    if (kind !== 'rejected' && kind !== 'insufficient_balance') throw error
    await markBankPayoutRefused(db, id, error.code)
  }
}

/**
 * Takes the transfer of money that came back to the partner's balance at the processor back to
 * ours, and books it so. Nothing is done for money that is with us.
 * @throws VendorError where the processor would not: the money stays where it is.
 */
async function takeBack(deps: ActivityDeps, payoutId: string): Promise<void> {
  const { db, bank } = deps
  const found = await inTransaction(db, async (trx) => {
    const { status } = await lockPayout(trx, payoutId)
    const newest = await findNewestBankPayout(trx, payoutId)
    const came = newest !== undefined && hasComeBack(newest.status)
    return status === 'bank_failed' && came ? findLastAttempt(trx, payoutId) : null
  })
  if (found?.status !== 'succeeded' || found.vendorTransferId === null) return
  const { id: attemptId, vendorTransferId, idempotencyKey } = found
  await paceOfStripe(deps)
  const reversalId = await bank.reverseTransfer(vendorTransferId, reversalKey(idempotencyKey))
  await inTransaction(db, (trx) => recordTakenBack(trx, { payoutId, attemptId, reversalId }))
}
