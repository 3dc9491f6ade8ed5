/** Commission that is taken back, or given again, with the lines it was earned on. */
import {
  insertClosingClawbacks,
  listTrueUpsOn,
  lockTrueUpsOn,
  type NewClosingClawback,
} from '../../db/commission/closing.ts'
import {
  insertClawbacks,
  listReversibleAccruals,
  type NewClawback,
} from '../../db/commission/reversals.ts'
import type { Trx } from '../../db/database.ts'
import { type Journal, type Posting, recordJournals, signedPosting } from '../../db/ledger.ts'
import { recordReplacedCancellations } from '../../db/lifecycle/cancellations.ts'
import { lockEarnings } from '../../db/lifecycle/terminations.ts'
import { clawBack, clawBackTrueUp } from '../../domain/commission-reversals.ts'

/** Takes back what the lines of these reversals gave, in their accruals and their true-ups. */
export async function clawBackLines(
  trx: Trx,
  reversals: { id: string; linePaymentId: string }[],
  at: { period: string; effectiveAt: Date },
): Promise<void> {
  const lineIds = reversals.map((reversal) => reversal.linePaymentId)
  const reversalOf = new Map(reversals.map(({ id, linePaymentId }) => [linePaymentId, id]))
  const first = reversals[0]
  if (!first) return
  await lockTrueUpsOn(trx, lineIds)
  const clawbacks = (await listReversibleAccruals(trx, lineIds)).map(
    (accrual): NewClawback => ({
      accrualId: accrual.id,
      lineReversalId: reversalOf.get(accrual.touchedLineId) ?? first.id,
      partnerId: accrual.partnerId,
      currency: accrual.currency,
      amountMinor: clawBack(accrual),
      period: at.period,
    }),
  )
  const earners = clawbacks.map(({ partnerId }) => partnerId)
  await lockEarnings(trx, earners)
  await insertClawbacks(trx, clawbacks)
  await recordJournals(
    trx,
    reversals.map(({ id }) => ({ ...clawbackJournal(id, clawbacks), ...at })),
  )
  await clawBackTrueUps(trx, { lineIds, lineReversalId: first.id, at })
  const accrualIds = clawbacks.map(({ accrualId }) => accrualId)
  await recordReplacedCancellations(trx, { accrualIds, closingAccrualIds: [] }, at)
}

/** Takes back what lines that went back after their month's close had of its true-up. */
export async function clawBackTrueUps(
  trx: Trx,
  {
    lineIds,
    lineReversalId,
    at,
  }: { lineIds: string[]; lineReversalId: string; at: { period: string; effectiveAt: Date } },
): Promise<void> {
  const trueUps = (await listTrueUpsOn(trx, lineIds))
    .map(
      (trueUp): NewClosingClawback => ({
        closingAccrualId: trueUp.id,
        lineReversalId,
        partnerId: trueUp.partnerId,
        currency: trueUp.currency,
        amountMinor: clawBackTrueUp(trueUp),
        period: at.period,
      }),
    )
    .filter(({ amountMinor }) => amountMinor !== 0n)
  await lockEarnings(
    trx,
    trueUps.map(({ partnerId }) => partnerId),
  )
  const taken = await insertClosingClawbacks(trx, trueUps)
  await recordJournals(
    trx,
    taken.map((clawback) => ({
      kind: 'clawback',
      sourceType: 'closing_clawback',
      sourceId: clawback.id,
      ...at,
      postings: [takenBack(clawback)],
    })),
  )
  const closingAccrualIds = trueUps.map(({ closingAccrualId }) => closingAccrualId)
  await recordReplacedCancellations(trx, { accrualIds: [], closingAccrualIds }, at)
}

type TakenBack = Pick<NewClawback, 'lineReversalId' | 'partnerId' | 'currency' | 'amountMinor'>

function clawbackJournal(
  lineReversalId: string,
  clawbacks: TakenBack[],
): Omit<Journal, 'period' | 'effectiveAt'> {
  return {
    kind: 'clawback',
    sourceType: 'line_reversal',
    sourceId: lineReversalId,
    postings: clawbacks
      .filter((clawback) => clawback.lineReversalId === lineReversalId)
      .map(takenBack),
  }
}

const takenBack = (clawback: Omit<TakenBack, 'lineReversalId'>): Posting =>
  signedPosting({
    debit: { purpose: 'partner_accrued', partnerId: clawback.partnerId },
    credit: { purpose: 'commission_expense' },
    currency: clawback.currency,
    amount: clawback.amountMinor,
  })
