/**
 * Paying, by the attempt protocol: the attempt is stored with key and body before the call, a
 * lost answer is looked up, and a new attempt exists only after a definitive refusal.
 */
import { databaseNow, inTransaction, type Trx } from '../db/database.ts'
import { type Journal, recordJournals } from '../db/ledger.ts'
import {
  findLastAttempt,
  insertAttempt,
  listPayablePage,
  listUnannouncedPayouts,
  lockPayout,
  markAttempt,
  markAttemptMissed,
  markAttemptSent,
  markPayout,
  type PayoutShard,
  releaseHeldPayouts,
  type TransferRequest,
} from '../db/payouts.ts'
import { bookingPeriod } from '../db/periods.ts'
import { toStripeAmount } from '../domain/currencies.ts'
import { outwardId } from '../domain/ids.ts'
import { attemptKey, nextMove, type SendOutcome, transferGroup } from '../domain/payouts.ts'
import { sealText } from '../domain/settlement.ts'
import { mails } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

const pageSize = 100

export interface PaidPage {
  /** The last payout of the page, or null when there are no more. */
  last: string | null
  paid: number
  /** Payouts whose outcome is not known yet; they are looked up at the next round. */
  unknown: number
  /** True when the platform's balance ran out; the page stopped there. */
  insufficientBalance: boolean
}

interface PreparedAttempt {
  attemptId: string
  key: string
  request: TransferRequest
  move: ReturnType<typeof nextMove>
}

export function payoutActivities(deps: ActivityDeps) {
  const { db, connect } = deps

  /** Step 1: the attempt to make now, stored; an open one of an earlier try goes on. */
  async function prepare(payoutId: string): Promise<PreparedAttempt | null> {
    const prepared = await inTransaction(db, async (trx) => {
      const payout = await lockPayout(trx, payoutId)
      const isOver = ['paid', 'held', 'returned'].includes(payout.status)
      if (isOver || !payout.vendorAccountId) {
        return null
      }
      const last = await findLastAttempt(trx, payoutId)
      if (last && last.status !== 'rejected') {
        const move = nextMove(last, await databaseNow(trx))
        if (move === 'send') await markAttemptSent(trx, last.id)
        return { attemptId: last.id, key: last.idempotencyKey, request: last.request, move }
      }
      if (payout.partnerIsHeld) {
        await markPayout(trx, payoutId, { status: 'held', holdReason: 'partner_held' })
        return null
      }
      const attemptNo = (last?.attemptNo ?? 0) + 1
      const key = attemptKey(outwardId('payout', payoutId), attemptNo)
      const request = transferRequest({ ...payout, destination: payout.vendorAccountId })
      const attempt = { payoutId, attemptNo, idempotencyKey: key, request }
      const attemptId = await insertAttempt(trx, attempt)
      await markAttemptSent(trx, attemptId)
      await markPayout(trx, payoutId, { status: 'in_flight' })
      return { attemptId, key, request, move: 'send' as const }
    })
    return prepared
  }

  /** Step 2: the call with the stored key and body, or the look-up of one whose key is too old. */
  async function send(attempt: PreparedAttempt): Promise<SendOutcome> {
    if (attempt.move === 'send') return connect.sendTransfer(attempt.request, attempt.key)
    const [found] = await connect.findTransfers(attempt.request)
    if (found) return { kind: 'succeeded', transferId: found.transferId }
    const gone = attempt.move === 'look_up_last'
    return gone ? { kind: 'rejected', reason: 'never_arrived' } : { kind: 'missed' }
  }

  /** Step 3: what is known now, with its journal. */
  async function record(payoutId: string, attemptId: string, outcome: SendOutcome) {
    await inTransaction(db, async (trx) => {
      const payout = await lockPayout(trx, payoutId)
      switch (outcome.kind) {
        case 'succeeded':
          await markAttempt(trx, attemptId, {
            status: 'succeeded',
            transferId: outcome.transferId,
          })
          await markPayout(trx, payoutId, { status: 'paid' })
          await recordJournals(trx, [await paidJournal(trx, payout)])
          return
        case 'insufficient_balance':
          await markAttempt(trx, attemptId, { status: 'rejected', problem: outcome.kind })
          await markPayout(trx, payoutId, { status: 'approved' })
          return
        case 'rejected': {
          await markAttempt(trx, attemptId, { status: 'rejected', problem: outcome.reason })
          const again = outcome.reason === 'never_arrived'
          const held = { status: 'held', holdReason: 'transfer_rejected' } as const
          await markPayout(trx, payoutId, again ? { status: 'approved' } : held)
          return
        }
        case 'missed':
          await markAttemptMissed(trx, attemptId)
          await markPayout(trx, payoutId, { status: 'unknown' })
          return
        case 'unknown':
          await markAttempt(trx, attemptId, { status: 'unknown', problem: outcome.reason })
          await markPayout(trx, payoutId, { status: 'unknown' })
      }
    })
  }

  async function pay(payoutId: string): Promise<SendOutcome | null> {
    const attempt = await prepare(payoutId)
    if (!attempt) return null
    const outcome = await send(attempt)
    await record(payoutId, attempt.attemptId, outcome)
    return outcome
  }

  async function tell(payout: Unannounced): Promise<void> {
    await notify(
      deps,
      { kind: 'payout_sent', subjectId: payout.id, recipient: payout.contactEmail },
      mails.payoutSent({
        contact: payout.contactName,
        amount: payout.amountMinor,
        currency: payout.currency,
        period: payout.period,
        statement: payout.documentNumber ?? '',
        seal: sealText(payout),
      }),
    )
  }

  return {
    /** Lets payouts go whose partner was held, or not verified, when they were made. */
    async releaseHeldPayouts(input: PayoutShard): Promise<number> {
      const released = await inTransaction(db, (trx) => releaseHeldPayouts(trx, input))
      return released
    },

    /** Pays the next payouts of a run, each at most once; one that fails stops no other. */
    async payPage(input: PayoutShard & { after: string | null }): Promise<PaidPage> {
      const ids = await listPayablePage(db, { ...input, size: pageSize })
      const result: PaidPage = { last: null, paid: 0, unknown: 0, insufficientBalance: false }
      for (const id of ids) {
        const outcome = await pay(id)
        if (outcome?.kind === 'succeeded') result.paid++
        if (outcome?.kind === 'unknown' || outcome?.kind === 'missed') result.unknown++
        if (outcome?.kind === 'insufficient_balance') {
          return { ...result, insufficientBalance: true }
        }
        result.last = id
      }
      return result
    },

    /** Tells partners that they were paid. @returns how many were told. */
    async mailPayouts(input: PayoutShard): Promise<number> {
      let told = 0
      for (;;) {
        const payouts = await listUnannouncedPayouts(db, { ...input, size: pageSize })
        for (const payout of payouts) await tell(payout)
        told += payouts.length
        if (payouts.length < pageSize) return told
      }
    },
  }
}

type Unannounced = Awaited<ReturnType<typeof listUnannouncedPayouts>>[number]
type LockedPayout = Awaited<ReturnType<typeof lockPayout>>

function transferRequest(payout: LockedPayout & { destination: string }): TransferRequest {
  const id = outwardId('payout', payout.id)
  return {
    amount: toStripeAmount(payout.amountMinor, payout.currency),
    currency: payout.currency.toLowerCase(),
    destination: payout.destination,
    transferGroup: transferGroup(id),
    metadata: { partner: outwardId('partner', payout.partnerId), payout: id },
  }
}

async function paidJournal(trx: Trx, payout: LockedPayout): Promise<Journal> {
  const now = await databaseNow(trx)
  return {
    kind: 'payout_paid',
    sourceType: 'payout',
    sourceId: payout.id,
    period: await bookingPeriod(trx, now),
    effectiveAt: now,
    postings: [
      {
        debit: { purpose: 'payout_in_transit' },
        credit: { purpose: 'stripe_balance' },
        currency: payout.currency,
        amount: payout.amountMinor,
      },
    ],
  }
}
