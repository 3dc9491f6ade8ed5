/** Payouts that were never sent, given back to the balance that they were reserved from. */
import { sql } from 'kysely'
import type { Trx } from '../database.ts'
import { type Journal, recordJournals, recordReversal } from '../ledger.ts'
import { findVatPaymentJournal } from '../tax/self-billing.ts'

export interface UnsentPayout {
  id: string
  currency: string
  /** Without the tax of self-billed documents that it carries. */
  amountMinor: bigint
  /** What the statement made payable, in its own currency. */
  statementCurrency: string
  payableMinor: bigint
  /** What the payout step left when it was converted; null where it was not. */
  restMinor: bigint | null
  /** What was withheld of it for the tax authority, in its own currency. */
  withheldMinor: bigint
}

/** What no attempt has carried to the processor: a lost answer is not known to be unpaid. */
export async function lockUnsentPayouts(
  trx: Trx,
  which: { partnerId: string } | { payoutId: string },
): Promise<UnsentPayout[]> {
  const wanted =
    'payoutId' in which
      ? sql`payout.id = ${which.payoutId}`
      : sql`payout.partner_id = ${which.partnerId}`
  const { rows } = await sql<UnsentPayout>`
    select payout.id, payout.currency, payout.amount_minor - payout.vat_minor as amount_minor,
      statement.currency as statement_currency, statement.payable_minor,
      statement.payout_rest_minor as rest_minor, statement.withheld_minor
    from payouts payout join statements statement on statement.id = payout.statement_id
    where ${wanted} and payout.status in ('approved', 'held')
      and not exists (select from payout_attempts attempt
        where attempt.payout_id = payout.id and attempt.status not in ('rejected', 'reversed'))
    order by payout.id for update of payout`.execute(trx)
  return rows
}

/** The reserve, its tax and the conversion before it, taken back into what was earned. */
function returnJournal(
  payout: UnsentPayout,
  said: { id: string; partnerId: string; period: string; effectiveAt: Date },
): Journal {
  const accrued = { purpose: 'partner_accrued', partnerId: said.partnerId } as const
  const transit = { purpose: 'payout_in_transit' } as const
  const clearing = { purpose: 'fx_clearing' } as const
  const { currency, amountMinor: amount, restMinor, withheldMinor: tax } = payout
  const taxed = { debit: { purpose: 'tax_withheld' }, currency, amount: tax } as const
  const back = { currency: payout.statementCurrency, amount: payout.payableMinor }
  return {
    kind: 'payout_return',
    sourceType: 'payout_return',
    sourceId: said.id,
    period: said.period,
    effectiveAt: said.effectiveAt,
    postings:
      restMinor === null
        ? [
            { debit: transit, credit: accrued, currency, amount },
            { ...taxed, credit: accrued },
          ]
        : [
            { debit: transit, credit: clearing, currency, amount },
            { ...taxed, credit: clearing },
            {
              debit: { purpose: 'fx_rounding' },
              credit: clearing,
              currency,
              amount: restMinor,
            },
            { debit: clearing, credit: accrued, ...back },
          ],
  }
}

/** By what a payout is given back: the end of the partnership, or a decision on its exception. */
export type ReturnCause = { terminationId: string } | { exceptionId: string }

export interface ReturnFacts {
  partnerId: string
  period: string
  effectiveAt: Date
}

/** Gives back what was reserved for the partner and not sent. @returns the ids of the payouts. */
export async function recordPayoutReturns(
  trx: Trx,
  { terminationId, ...facts }: ReturnFacts & { terminationId: string },
): Promise<string[]> {
  const unsent = await lockUnsentPayouts(trx, facts)
  for (const payout of unsent) await recordPayoutReturn(trx, payout, { ...facts, terminationId })
  return unsent.map(({ id }) => id)
}

/** Gives back one payout, in what the partner has earned, and ends it. */
export async function recordPayoutReturn(
  trx: Trx,
  payout: UnsentPayout,
  { effectiveAt, ...said }: ReturnFacts & ReturnCause,
): Promise<void> {
  const { id } = await trx
    .insertInto('payoutReturns')
    .values({
      ...said,
      payoutId: payout.id,
      currency: payout.statementCurrency,
      amountMinor: payout.payableMinor,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  await trx
    .updateTable('payouts')
    .set({ status: 'returned', holdReason: null })
    .where('id', '=', payout.id)
    .execute()
  const { partnerId, period } = said
  await recordJournals(trx, [returnJournal(payout, { id, partnerId, period, effectiveAt })])
  const tax = await findVatPaymentJournal(trx, payout.id)
  // The tax that it carried is owed as before, and goes with the next payout.
  if (tax !== undefined) await recordReversal(trx, { journalId: tax, period, effectiveAt })
}
