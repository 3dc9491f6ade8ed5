/** Money that went back takes its commission back, and gives it again when it returns. */
import {
  findPaymentByCharge,
  listPaymentsOf,
  listReversibleLines,
  lockCorrections,
  markDisputeClosed,
  recordDispute,
} from '../../db/commission/payments.ts'
import {
  insertLineReversals,
  isReversalRecorded,
  type ReversalCause,
  standingReversals,
} from '../../db/commission/reversals.ts'
import { inTransaction, type Trx } from '../../db/database.ts'
import { type Journal, recordJournals, signedPosting } from '../../db/ledger.ts'
import { bookingPeriod } from '../../db/periods.ts'
import { reverseLines } from '../../domain/commission-reversals.ts'
import { larger, smaller, sum } from '../../domain/money.ts'
import type { ActivityDeps } from '../deps.ts'
import { clawBackLines } from './clawbacks.ts'
import { bookInvoice } from './payments.ts'

/** What is asked of the vendor about money that went back. */
type Billing = Pick<
  ActivityDeps['billing'],
  'readRefund' | 'readCreditNote' | 'readDispute' | 'readInvoice' | 'findInvoicesOfCharge'
>
interface Deps {
  db: ActivityDeps['db']
  billing: Billing
}

interface Reversal {
  paymentId: string
  cause: ReversalCause
  vendorSourceId: string
  /** Gross, as the vendor counts it; never negative. */
  amount: bigint
  currency: string
  happenedAt: Date
}

/** Money of these causes came in again. */
const restoring: ReadonlySet<ReversalCause> = new Set([
  'refund_failed',
  'credit_note_voided',
  'dispute_won',
])

/**
 * A refund as it stands at the vendor now: taken back, or given again where it failed.
 * @param at when the event happened; the refund's own time where that is not known.
 */
export async function bookRefund(deps: Deps, refundId: string, at?: Date): Promise<void> {
  const refund = await deps.billing.readRefund(refundId)
  const payment = await paymentOfCharge(deps, refund.chargeId)
  if (!payment) return
  const { amount, createdAt } = refund
  await inTransaction(deps.db, async (trx) => {
    await lockCorrections(trx, payment.vendorInvoiceId)
    const source = {
      paymentId: payment.id,
      vendorSourceId: refundId,
      amount,
      currency: payment.currency,
      happenedAt: createdAt,
    }
    const taken = await isReversalRecorded(trx, { ...source, cause: 'refund' })
    if (!refund.failed) await reverse(trx, { ...source, cause: 'refund' })
    else if (taken) {
      await reverse(trx, {
        ...source,
        cause: 'refund_failed',
        happenedAt: at ?? createdAt,
      })
    }
  })
}

/**
 * A credit note as it stands at the vendor now, spread over the payments of its invoice in the
 * order of payment: what it gave back otherwise than by refunds.
 * @param at when the event happened; the note's own time where that is not known.
 */
export async function bookCreditNote(deps: Deps, creditNoteId: string, at?: Date): Promise<void> {
  const note = await deps.billing.readCreditNote(creditNoteId)
  await bookInvoice(deps, await deps.billing.readInvoice(note.invoiceId))
  await inTransaction(deps.db, async (trx) => {
    await lockCorrections(trx, note.invoiceId)
    const payments = await listPaymentsOf(trx, note.invoiceId)
    let left = note.amount
    for (const payment of payments) {
      if (note.paymentId !== null && payment.vendorPaymentId !== note.paymentId) continue
      const source = {
        paymentId: payment.id,
        vendorSourceId: creditNoteId,
        amount: smaller(left, payment.amountMinor),
        currency: payment.currency,
        happenedAt: note.createdAt,
      }
      if (source.amount === 0n) continue
      left -= source.amount
      const taken = await isReversalRecorded(trx, { ...source, cause: 'credit_note' })
      if (!note.voided) await reverse(trx, { ...source, cause: 'credit_note' })
      else if (taken) {
        const happenedAt = at ?? note.createdAt
        await reverse(trx, { ...source, cause: 'credit_note_voided', happenedAt })
      }
    }
  })
}

/**
 * A dispute as it stands at the vendor now: open keeps money back, lost takes it.
 * @param at when the event happened; the time of opening where that is not known.
 */
export async function bookDispute(deps: Deps, disputeId: string, at?: Date): Promise<void> {
  const dispute = await deps.billing.readDispute(disputeId)
  const payment = await paymentOfCharge(deps, dispute.chargeId)
  if (!payment) return
  const { amount, openedAt, outcome } = dispute
  await inTransaction(deps.db, async (trx) => {
    await lockCorrections(trx, payment.vendorInvoiceId)
    await recordDispute(trx, {
      vendorDisputeId: disputeId,
      paymentId: payment.id,
      amountMinor: amount,
      openedAt,
    })
    if (outcome === 'open') return
    await markDisputeClosed(trx, disputeId, outcome)
    const source = {
      paymentId: payment.id,
      vendorSourceId: disputeId,
      amount,
      currency: payment.currency,
      happenedAt: at ?? openedAt,
    }
    const taken = await isReversalRecorded(trx, { ...source, cause: 'dispute' })
    if (outcome === 'lost') await reverse(trx, { ...source, cause: 'dispute' })
    else if (taken) await reverse(trx, { ...source, cause: 'dispute_won' })
  })
}

/** Finds the payment of a charge; one whose own event has not come yet is booked first. */
async function paymentOfCharge(deps: Deps, chargeId: string | null) {
  if (!chargeId) return undefined
  const booked = await findPaymentByCharge(deps.db, chargeId)
  if (booked) return booked
  for (const invoiceId of await deps.billing.findInvoicesOfCharge(chargeId)) {
    await bookInvoice(deps, await deps.billing.readInvoice(invoiceId))
  }
  return findPaymentByCharge(deps.db, chargeId)
}

async function reverse(trx: Trx, reversal: Reversal): Promise<void> {
  if (await isReversalRecorded(trx, reversal)) return
  const lines = await listReversibleLines(trx, reversal.paymentId)
  const signed = restoring.has(reversal.cause) ? -reversal.amount : reversal.amount
  const standing = (await standingReversals(trx, reversal.paymentId)) + signed
  const gross = sum(lines.map((line) => line.gross))
  const back = sum(lines.map((line) => line.reversedGross))
  const after = reverseLines(larger(smaller(standing, gross), 0n) - back, lines)
  const period = await bookingPeriod(trx, reversal.happenedAt)
  const inserted = await insertLineReversals(
    trx,
    lines.map((line, i) => ({
      linePaymentId: line.linePaymentId,
      cause: reversal.cause,
      vendorSourceId: reversal.vendorSourceId,
      nominalMinor: signed,
      grossMinor: (after[i]?.reversedGross ?? line.reversedGross) - line.reversedGross,
      baseMinor: (after[i]?.reversedBase ?? line.reversedBase) - line.reversedBase,
      happenedAt: reversal.happenedAt,
      period,
    })),
  )
  const at = { period, effectiveAt: reversal.happenedAt }
  await recordJournals(
    trx,
    inserted.map((line) => ({ ...refundJournal(line, reversal.currency), ...at })),
  )
  await clawBackLines(trx, inserted, at)
}

type InsertedReversal = Awaited<ReturnType<typeof insertLineReversals>>[number]

type JournalHead = Omit<Journal, 'period' | 'effectiveAt'>

function refundJournal(line: InsertedReversal, currency: string): JournalHead {
  const credit = { purpose: 'stripe_clearing' } as const
  return {
    kind: 'refund',
    sourceType: 'line_reversal',
    sourceId: line.id,
    postings: [
      { debit: { purpose: 'refunds' }, credit, currency, amount: line.baseMinor } as const,
      {
        debit: { purpose: 'tax_payable' },
        credit,
        currency,
        amount: line.grossMinor - line.baseMinor,
      } as const,
    ].map(signedPosting),
  }
}
