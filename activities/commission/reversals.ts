/** Money that went back takes its commission back, and gives it again when it returns. */
import {
  findPaymentByCharge,
  listReversibleLines,
  lockPayment,
  markDisputeClosed,
  recordDispute,
} from '../../db/commission/payments.ts'
import {
  insertClawbacks,
  insertLineReversals,
  isReversalRecorded,
  listReversibleAccruals,
  type NewClawback,
  type ReversalCause,
} from '../../db/commission/reversals.ts'
import { inTransaction, type Trx } from '../../db/database.ts'
import { type Journal, type Posting, recordJournals } from '../../db/ledger.ts'
import { bookingPeriod } from '../../db/periods.ts'
import { clawBack, reverseLines } from '../../domain/commission.ts'
import { DomainError } from '../../domain/errors.ts'
import type { ActivityDeps } from '../deps.ts'
import { bookInvoice } from './payments.ts'

type Deps = Pick<ActivityDeps, 'db' | 'billing'>

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
const restoring: ReadonlySet<ReversalCause> = new Set(['refund_failed', 'dispute_won'])

/** A refund as it stands at the vendor now: taken back, or given again where it failed. */
export async function bookRefund(deps: Deps, refundId: string): Promise<void> {
  const refund = await deps.billing.readRefund(refundId)
  const payment = await paymentOfCharge(deps, refund.chargeId)
  if (!payment) return
  const { amount, createdAt } = refund
  await inTransaction(deps.db, async (trx) => {
    await lockPayment(trx, payment.id)
    const source = {
      paymentId: payment.id,
      vendorSourceId: refundId,
      amount,
      currency: payment.currency,
      happenedAt: createdAt,
    }
    const taken = await isReversalRecorded(trx, { ...source, cause: 'refund' })
    if (!refund.failed) await reverse(trx, { ...source, cause: 'refund' })
    else if (taken) await reverse(trx, { ...source, cause: 'refund_failed' })
  })
}

/** A dispute as it stands at the vendor now: open keeps money back, lost takes it. */
export async function bookDispute(deps: Deps, disputeId: string): Promise<void> {
  const dispute = await deps.billing.readDispute(disputeId)
  const payment = await paymentOfCharge(deps, dispute.chargeId)
  if (!payment) return
  const { amount, openedAt, outcome } = dispute
  await inTransaction(deps.db, async (trx) => {
    await lockPayment(trx, payment.id)
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
      happenedAt: openedAt,
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
  const after = reverseLines(signed, lines)
  const period = await bookingPeriod(trx, reversal.happenedAt)
  const inserted = await insertLineReversals(
    trx,
    lines.map((line, i) => ({
      linePaymentId: line.linePaymentId,
      cause: reversal.cause,
      vendorSourceId: reversal.vendorSourceId,
      grossMinor: (after[i]?.reversedGross ?? line.reversedGross) - line.reversedGross,
      baseMinor: (after[i]?.reversedBase ?? line.reversedBase) - line.reversedBase,
      happenedAt: reversal.happenedAt,
      period,
    })),
  )
  const clawbacks = await clawbacksFor(trx, inserted, { after, period })
  await insertClawbacks(trx, clawbacks)
  const at = { period, effectiveAt: reversal.happenedAt }
  await recordJournals(
    trx,
    inserted.flatMap((line) => [
      { ...refundJournal(line, reversal.currency), ...at },
      { ...clawbackJournal(line.id, clawbacks), ...at },
    ]),
  )
}

type InsertedReversal = Awaited<ReturnType<typeof insertLineReversals>>[number]

async function clawbacksFor(
  trx: Trx,
  reversals: InsertedReversal[],
  { after, period }: { after: ReturnType<typeof reverseLines>; period: string },
): Promise<NewClawback[]> {
  const accruals = await listReversibleAccruals(
    trx,
    reversals.map((reversal) => reversal.linePaymentId),
  )
  return accruals.map((accrual) => {
    const line = after.find((candidate) => candidate.linePaymentId === accrual.linePaymentId)
    const reversal = reversals.find((row) => row.linePaymentId === accrual.linePaymentId)
    if (!line || !reversal) throw new DomainError('ledger_violation', 'an accrual has no line')
    return {
      accrualId: accrual.id,
      lineReversalId: reversal.id,
      partnerId: accrual.partnerId,
      currency: accrual.currency,
      amountMinor: clawBack({ ...accrual, reversedBase: line.reversedBase }),
      period,
    }
  })
}

type JournalHead = Omit<Journal, 'period' | 'effectiveAt'>

/** A negative amount is the same posting the other way round. */
function signedPosting(posting: Posting): Posting {
  if (posting.amount >= 0n) return posting
  return {
    ...posting,
    debit: posting.credit,
    credit: posting.debit,
    amount: -posting.amount,
  }
}

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

function clawbackJournal(lineReversalId: string, clawbacks: NewClawback[]): JournalHead {
  return {
    kind: 'clawback',
    sourceType: 'line_reversal',
    sourceId: lineReversalId,
    postings: clawbacks
      .filter((clawback) => clawback.lineReversalId === lineReversalId)
      .map((clawback) =>
        signedPosting({
          debit: { purpose: 'partner_accrued', partnerId: clawback.partnerId },
          credit: { purpose: 'commission_expense' },
          currency: clawback.currency,
          amount: clawback.amountMinor,
        }),
      ),
  }
}
