/**
 * Paying, by the attempt protocol: the attempt is stored with key and body before the call, a
 * lost answer is looked up, and a new attempt exists only after a definitive refusal.
 */
import { log } from '@temporalio/activity'
import { listPlatformMembers } from '../db/access.ts'
import { databaseNow, inTransaction, type Trx } from '../db/database.ts'
import { type Journal, recordJournals } from '../db/ledger.ts'
import {
  findLastAttempt,
  insertAttempt,
  listTransferIds,
  markAttempt,
  markAttemptMissed,
  markAttemptSent,
  type TransferRequest,
} from '../db/payout-attempts.ts'
import { closeException, openException } from '../db/payout-exceptions.ts'
import {
  listPayablePage,
  listUnannouncedPayouts,
  listUnpaidAmounts,
  listWaitingBatches,
  lockPayout,
  markPayout,
  type PayoutShard,
  releaseHeldPayouts,
} from '../db/payouts.ts'
import { bookingPeriod } from '../db/periods.ts'
import { markRunProblem } from '../db/settlement/run-marks.ts'
import { getRun } from '../db/settlement/runs.ts'
import { toStripeAmount } from '../domain/currencies.ts'
import { outwardId } from '../domain/ids.ts'
import { attemptKey, nextMove, type SendOutcome, transferGroup } from '../domain/payouts.ts'
import { dayOf } from '../domain/period.ts'
import { signalNames, workflowIds } from '../domain/process-names.ts'
import { sealText } from '../domain/settlement.ts'
import { mails } from '../integrations/email-templates/index.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import type { ActivityDeps } from './deps.ts'
import { inLanes, inLanesUntil } from './lanes.ts'
import { notifyOrPass } from './notices.ts'
import { paceOfStripe } from './pace.ts'
import { tellException } from './payout-exceptions/tell.ts'

const pageSize = 100
const lowBalance = 'the balance at Stripe is too low for the payouts: fill it up'

export interface PaidPage {
  /** The last payout of the page, or null when there are no more. */
  last: string | null
  paid: number
  /** Payouts whose outcome is not known yet; they are looked up at the next round. */
  unknown: number
  /** True when the platform's balance ran out; the page stopped there. */
  insufficientBalance: boolean
  /** Currencies that have no balance, where there are payouts of others to go on with. */
  lacking?: string[]
  /** A person has paused the run: nothing was paid. */
  paused?: boolean
}

export interface PayPageInput extends PayoutShard {
  after: string | null
  /** Currencies that have no balance. */
  without?: string[] | undefined
}

interface PreparedAttempt {
  attemptId: string
  key: string
  request: TransferRequest
  move: ReturnType<typeof nextMove>
}

/** Pays one payout by the protocol, for a page of a run or for a case of its own. */
export function payoutPayer(deps: ActivityDeps) {
  const { db, connect } = deps

  /** Step 1: the attempt to make now, stored; an open one of an earlier try goes on. */
  async function prepare(payoutId: string): Promise<PreparedAttempt | null> {
    const prepared = await inTransaction(db, async (trx) => {
      const payout = await lockPayout(trx, payoutId)
      const isOver = ['paid', 'held', 'returned', 'bank_failed'].includes(payout.status)
      if (isOver || !payout.vendorAccountId) {
        return null
      }
      const last = await findLastAttempt(trx, payoutId)
      if (last && last.status !== 'rejected' && last.status !== 'reversed') {
        const next = nextMove(last, await databaseNow(trx))
        // Who is held by now is sent nothing: what may have been sent before is only looked for.
        const move = next === 'send' && payout.holdsBecause ? 'look_up' : next
        if (move === 'send') await markAttemptSent(trx, last.id)
        return { attemptId: last.id, key: last.idempotencyKey, request: last.request, move }
      }
      if (payout.holdsBecause) {
        await markPayout(trx, payoutId, { status: 'held', holdReason: payout.holdsBecause })
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
  async function send(payoutId: string, attempt: PreparedAttempt): Promise<SendOutcome> {
    if (attempt.move !== 'send') return lookUp(payoutId, attempt)
    await paceOfStripe(deps)
    const outcome = await connect.sendTransfer(attempt.request, attempt.key)
    if (outcome.kind !== 'doubtful') return outcome
    log.warn('a transfer has to be looked up', { payout: payoutId, reason: outcome.reason })
    return lookUp(payoutId, attempt)
  }

  /**
   * What the processor has of the payout beside the transfers that are known. Exactly one that is
   * as it was asked for is the lost one; anything else is for a person, and nothing is sent.
   */
  async function lookUp(
    payoutId: string,
    { request, move }: PreparedAttempt,
  ): Promise<SendOutcome> {
    const known = await listTransferIds(db, payoutId)
    try {
      const listed = await connect.findTransfers(request)
      const found = listed.filter(({ transferId }) => !known.has(transferId))
      const [first, second] = found
      if (!first) {
        const gone = move === 'look_up_last'
        return gone ? { kind: 'rejected', reason: 'never_arrived' } : { kind: 'missed' }
      }
      const { amount, currency, transferId, paymentId } = first
      const same = amount === request.amount && currency === request.currency
      if (same && !second) return { kind: 'succeeded', transferId, paymentId }
      log.error('transfers of a payout differ from what was asked for', { payout: payoutId })
      return { kind: 'unknown', reason: 'other_transfer_found' }
    } catch (error) {
      if (!(error instanceof VendorError)) throw error
      return { kind: 'unknown', reason: error.code }
    }
  }

  /** Step 3: what is known now, with its journal. @returns a case that this opened or closed. */
  async function record(payoutId: string, attemptId: string, outcome: SendOutcome) {
    return inTransaction(db, async (trx) => {
      const payout = await lockPayout(trx, payoutId)
      switch (outcome.kind) {
        case 'succeeded': {
          const { transferId, paymentId } = outcome
          const end = { status: 'succeeded', transferId, paymentId } as const
          if (!(await markAttempt(trx, attemptId, end))) return null
          await markPayout(trx, payoutId, { status: 'paid' })
          await recordJournals(trx, [await paidJournal(trx, payout, attemptId)])
          return closeException(trx, payoutId, 'paid')
        }
        case 'insufficient_balance':
        case 'rejected':
          return recordRefusal(trx, payout, { attemptId, outcome })
        case 'missed':
          await markAttemptMissed(trx, attemptId)
          await markPayout(trx, payoutId, { status: 'unknown' })
          return null
        case 'throttled':
          return null
        case 'doubtful':
        case 'unknown': {
          const end = { status: 'unknown', problem: outcome.reason } as const
          if (await markAttempt(trx, attemptId, end)) {
            await markPayout(trx, payoutId, { status: 'unknown' })
          }
          return null
        }
      }
    })
  }

  async function pay(payoutId: string): Promise<SendOutcome | null> {
    const attempt = await prepare(payoutId)
    if (!attempt) return null
    const outcome = await send(payoutId, attempt)
    const exceptionId = await record(payoutId, attempt.attemptId, outcome)
    if (exceptionId) await tellException(deps, exceptionId)
    return outcome
  }

  return { pay }
}

export function payoutActivities(deps: ActivityDeps) {
  const { db } = deps
  const { pay } = payoutPayer(deps)
  async function tell(payout: Unannounced): Promise<void> {
    await notifyOrPass(
      deps,
      { kind: 'payout_sent', subjectId: payout.id, recipient: payout.contactEmail },
      mails.payoutSent({
        contact: payout.contactName,
        amount: payout.amountMinor,
        currency: payout.currency,
        period: payout.period,
        statement: payout.documentNumber ?? '',
        seal: sealText(payout),
        remittanceUrl: deps.links.remittanceUrl(payout.id),
      }),
    )
  }

  /** Whether anything can be paid without these currencies. */
  async function goesOn(
    input: PayPageInput,
    lacking: Set<string>,
  ): Promise<Pick<PaidPage, 'insufficientBalance' | 'lacking'>> {
    const without = [...lacking]
    const [other] = await listPayablePage(db, { ...input, without, size: 1 })
    return { insufficientBalance: true, ...(other ? { lacking: without } : {}) }
  }

  return {
    /** Lets payouts go whose partner was held, or not verified, when they were made. */
    async releaseHeldPayouts(input: PayoutShard): Promise<number> {
      const released = await inTransaction(db, (trx) => releaseHeldPayouts(trx, input))
      return released
    },

    /**
     * Pays the next payouts of a run, some at a time and each at most once; one that fails stops
     * no other. Where the processor says that it is too much no other one begins, and the page
     * ends early, or is repeated when it said so. The same where a balance ran out; what is paid
     * from others can go on without its currency.
     * @throws VendorError of failure `throttled`.
     */
    async payPage(input: PayPageInput): Promise<PaidPage> {
      const { runId, without = [] } = input
      const result: PaidPage = { last: null, paid: 0, unknown: 0, insufficientBalance: false }
      const { pausedAt, problem } = await getRun(db, runId)
      if (pausedAt) return { ...result, paused: true }
      const payouts = await listPayablePage(db, { ...input, size: pageSize })
      const refused: Throttled[] = []
      const lacking = new Set(without)
      const done = await inLanesUntil(payouts, async ({ id, currency }) => {
        const outcome = await pay(id)
        if (outcome?.kind === 'succeeded') result.paid++
        if (outcome?.kind === 'unknown' || outcome?.kind === 'missed') result.unknown++
        if (outcome?.kind === 'insufficient_balance') lacking.add(currency)
        if (outcome?.kind === 'throttled') refused.push(outcome)
        return outcome?.kind !== 'throttled' && outcome?.kind !== 'insufficient_balance'
      })
      result.last = payouts[done - 1]?.id ?? null
      if (result.last === null && refused[0]) throw throttledError(refused[0])
      if (lacking.size > without.length) return { ...result, ...(await goesOn(input, lacking)) }
      if (without.length > 0) return { ...result, insufficientBalance: result.last === null }
      if (result.paid > 0 && problem === lowBalance) await markRunProblem(db, runId, null)
      return result
    },

    /** Shows on the run that the balance is too low, and tells the platform once a day. */
    async mailLowBalance({ runId }: { runId: string }): Promise<void> {
      await markRunProblem(db, runId, lowBalance)
      const { name: period } = await getRun(db, runId)
      const unpaid = await listUnpaidAmounts(db, runId)
      const day = dayOf(await databaseNow(db))
      for (const { id, name, email: recipient } of await listPlatformMembers(db)) {
        const notice = { kind: 'low_balance', subjectId: runId, occurrence: `${day}:${id}` }
        const content = mails.lowBalance({ member: name, period, unpaid })
        await notifyOrPass(deps, { ...notice, recipient }, content)
      }
    },

    /** Tells partners that they were paid, some at a time. @returns how many were told. */
    async mailPayouts(input: PayoutShard): Promise<number> {
      let told = 0
      for (;;) {
        const payouts = await listUnannouncedPayouts(db, { ...input, size: pageSize })
        await inLanes(payouts, tell)
        told += payouts.length
        if (payouts.length < pageSize) return told
      }
    },
  }
}

/** Every batch of payouts that may wait for money hears of it; one that does not runs on. */
export async function tellOfBalance({
  db,
  processes,
}: Pick<ActivityDeps, 'db' | 'processes'>): Promise<void> {
  for (const { period, shard } of await listWaitingBatches(db)) {
    const workflowId = workflowIds.payout(period, shard)
    await processes.tell({ workflowId, signal: signalNames.balanceAvailable })
  }
}

type Unannounced = Awaited<ReturnType<typeof listUnannouncedPayouts>>[number]

type Throttled = Extract<SendOutcome, { kind: 'throttled' }>

function throttledError({ retryAfterSeconds }: Throttled): VendorError {
  const code = 'rate_limit'
  const message = 'too many requests'
  return new VendorError({
    ...{ vendor: 'stripe', failure: 'throttled', code, message },
    retryAfterSeconds: retryAfterSeconds ?? 1,
  })
}

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

/** What a definitive refusal means: its key is burnt, and only some of them need a person. */
async function recordRefusal(
  trx: Trx,
  payout: LockedPayout,
  given: { attemptId: string; outcome: SendOutcome },
): Promise<string | null> {
  const { attemptId, outcome } = given
  const problem = outcome.kind === 'rejected' ? outcome.reason : outcome.kind
  if (!(await markAttempt(trx, attemptId, { status: 'rejected', problem }))) return null
  const { id: payoutId, partnerId } = payout
  if (problem === 'insufficient_balance' || problem === 'never_arrived') {
    await markPayout(trx, payoutId, { status: 'approved' })
    return null
  }
  await markPayout(trx, payoutId, { status: 'held', holdReason: 'transfer_rejected' })
  return openException(trx, { payoutId, partnerId, cause: 'transfer_rejected' })
}

/** A second transfer, after the first one was taken back, is a fact of its own attempt. */
async function paidJournal(trx: Trx, payout: LockedPayout, attemptId: string): Promise<Journal> {
  const now = await databaseNow(trx)
  return {
    kind: 'payout_paid',
    sourceType: payout.wasReversed ? 'payout_attempt' : 'payout',
    sourceId: payout.wasReversed ? attemptId : payout.id,
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
