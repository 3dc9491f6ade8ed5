/**
 * Steps that mirror Stripe's balance transactions and book what they say: what was paid leaves
 * clearing as a fee or for the balance, and what left the balance settles what went back.
 */
import {
  type DueTransaction,
  findMirrorWalk,
  listDueTransactions,
  markBooked,
  markWalked,
  matchTransfers,
  type NewBalanceTransaction,
  recordBalanceTransactions,
} from '../db/balance.ts'
import { inTransaction, type Trx } from '../db/database.ts'
import { type AccountRef, type Journal, recordJournals, signedPosting } from '../db/ledger.ts'
import { bookingPeriods } from '../db/periods.ts'
import { getRun } from '../db/settlement/runs.ts'
import { uuidOf } from '../domain/ids.ts'
import { periodStart } from '../domain/period.ts'
import type { BalanceTransaction } from '../integrations/stripe-balance.ts'
import type { ActivityDeps } from './deps.ts'

/** More waits for the next round, so that no round takes long. */
const pagesAtOnce = 50
const batchesAtOnce = 20
const batchSize = 500

export function balanceActivities({ db, balance }: ActivityDeps) {
  return {
    /**
     * Mirrors what is new, page by page; each page is kept with its place, so that the next round
     * goes on where this one ended, however it ended.
     */
    async mirrorBalance(): Promise<{ mirrored: number; complete: boolean }> {
      let mirrored = 0
      for (let pages = 0; pages < pagesAtOnce; pages++) {
        const walk = await findMirrorWalk(db)
        if (!walk) return { mirrored, complete: true }
        const page = await balance.listBalanceTransactions({ ...walk, until: null })
        mirrored += await inTransaction(db, async (trx) => {
          await markWalked(trx, walk, { newest: newestOf(page.transactions), next: page.next })
          return recordBalanceTransactions(trx, page.transactions.map(asRow))
        })
        if (page.next === null) return { mirrored, complete: true }
      }
      return { mirrored, complete: false }
    },

    /**
     * Mirrors the next pages of the months of a run, whatever was mirrored before: its close leaves
     * nothing out.
     * @returns the place to go on after, or null when all is there.
     */
    async mirrorPeriodBalance({ runId, after }: { runId: string; after: string | null }) {
      const { sincePeriod, cutoffAt } = await getRun(db, runId)
      let place = after
      for (let pages = 0; pages < pagesAtOnce; pages++) {
        const page = await balance.listBalanceTransactions({
          from: periodStart(sincePeriod),
          until: cutoffAt,
          after: place,
        })
        await inTransaction(db, (trx) =>
          recordBalanceTransactions(trx, page.transactions.map(asRow)),
        )
        place = page.next
        if (place === null) break
      }
      return place
    },

    /**
     * Books fees, and movements whose money is available.
     * @returns how many transactions were booked; 0 when nothing is due.
     */
    async bookBalance(): Promise<number> {
      let booked = 0
      for (let batch = 0; batch < batchesAtOnce; batch++) {
        const more = await inTransaction(db, bookDue)
        if (more === 0) break
        booked += more
      }
      return booked
    },
  }
}

async function bookDue(trx: Trx): Promise<number> {
  await matchTransfers(trx)
  const due = await listDueTransactions(trx, batchSize)
  const periodAt = await bookingPeriods(
    trx,
    due.flatMap(({ feeDue, toldAt, fundsDue, availableAt }) => [
      ...(feeDue ? [toldAt] : []),
      ...(fundsDue ? [availableAt] : []),
    ]),
  )
  const journals = due.flatMap((txn) => journalsOf(txn, periodAt))
  await recordJournals(trx, journals)
  await markBooked(
    trx,
    due.map(({ id }) => id),
  )
  return due.length
}

function newestOf(transactions: BalanceTransaction[]): Date | null {
  const times = transactions.map(({ createdAt }) => createdAt.getTime())
  return times.length === 0 ? null : new Date(Math.max(...times))
}

function asRow(txn: BalanceTransaction): NewBalanceTransaction {
  return {
    vendorTxnId: txn.transactionId,
    type: txn.type,
    vendorSourceId: txn.sourceId,
    vendorChargeId: txn.settles?.chargeId ?? null,
    currency: txn.currency,
    amountMinor: txn.amount,
    feeMinor: txn.fee,
    netMinor: txn.net,
    settlesCurrency: txn.settles?.currency ?? null,
    settlesMinor: txn.settles?.amount ?? null,
    vendorTransferId: txn.transfer?.transferId ?? null,
    vendorAccountId: txn.transfer?.accountId ?? null,
    payoutId: uuidOf('payout', txn.transfer?.payout ?? '') ?? null,
    createdAt: txn.createdAt,
    availableAt: txn.availableAt,
  }
}

/** The fee when Stripe tells of it, the rest when it can be used. */
function journalsOf(txn: DueTransaction, periodAt: (at: Date) => string): Journal[] {
  const source = { sourceType: 'stripe_txn', sourceId: txn.id }
  const fee: Journal = {
    ...source,
    kind: 'processor_fee',
    period: periodAt(txn.toldAt),
    effectiveAt: txn.toldAt,
    postings: feePostings(txn),
  }
  const funds: Journal = {
    ...source,
    kind: txn.net < 0n ? 'funds_withdrawn' : 'funds_available',
    period: periodAt(txn.availableAt),
    effectiveAt: txn.availableAt,
    postings: fundsPostings(txn),
  }
  return [...(txn.feeDue ? [fee] : []), ...(txn.fundsDue ? [funds] : [])]
}

/** Whether Stripe turned the customer's currency into another one for the balance. */
const isConverted = ({ settlesCurrency, currency }: DueTransaction) =>
  settlesCurrency !== null && settlesCurrency !== currency

/** What stands against the balance: a payment in clearing, or what Stripe's services cost. */
function otherSideOf(txn: DueTransaction): AccountRef {
  if (txn.ownFee) return { purpose: 'stripe_fees' }
  return { purpose: isConverted(txn) ? 'fx_clearing' : 'stripe_clearing' }
}

function feePostings(txn: DueTransaction): Journal['postings'] {
  const debit = { purpose: 'stripe_fees' } as const
  return [
    signedPosting({ debit, credit: otherSideOf(txn), currency: txn.currency, amount: txn.fee }),
  ]
}

function fundsPostings(txn: DueTransaction): Journal['postings'] {
  const { currency, net, settlesCurrency, settles } = txn
  const debit = { purpose: 'stripe_balance' } as const
  const moved = signedPosting({ debit, credit: otherSideOf(txn), currency, amount: net })
  if (!isConverted(txn) || settlesCurrency === null || settles === null) return [moved]
  const cleared = signedPosting({
    debit: { purpose: 'fx_clearing' },
    credit: { purpose: 'stripe_clearing' },
    currency: settlesCurrency,
    amount: settles,
  })
  return [cleared, moved]
}
