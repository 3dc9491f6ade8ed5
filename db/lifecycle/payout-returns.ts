/** Payouts that were never sent, given back to the balance that they were reserved from. */
import { sql } from 'kysely'
import type { Trx } from '../database.ts'
import { type Journal, recordJournals } from '../ledger.ts'

interface UnsentPayout {
  id: string
  currency: string
  amountMinor: bigint
  /** What the statement made payable, in its own currency. */
  statementCurrency: string
  payableMinor: bigint
  /** What the payout step left when it was converted; null where it was not. */
  restMinor: bigint | null
}

/** What no attempt has carried to the processor: a lost answer is not known to be unpaid. */
async function lockUnsentPayouts(trx: Trx, partnerId: string): Promise<UnsentPayout[]> {
  const { rows } = await sql<UnsentPayout>`
    select payout.id, payout.currency, payout.amount_minor,
      statement.currency as statement_currency, statement.payable_minor,
      statement.payout_rest_minor as rest_minor
    from payouts payout join statements statement on statement.id = payout.statement_id
    where payout.partner_id = ${partnerId} and payout.status in ('approved', 'held')
      and not exists (select from payout_attempts attempt
        where attempt.payout_id = payout.id and attempt.status <> 'rejected')
    order by payout.id for update of payout`.execute(trx)
  return rows
}

/** The reserve, and the conversion before it, taken back into what the partner has earned. */
function returnJournal(
  payout: UnsentPayout,
  said: { id: string; partnerId: string; period: string; effectiveAt: Date },
): Journal {
  const accrued = { purpose: 'partner_accrued', partnerId: said.partnerId } as const
  const transit = { purpose: 'payout_in_transit' } as const
  const clearing = { purpose: 'fx_clearing' } as const
  const { currency, amountMinor: amount, restMinor } = payout
  const back = { currency: payout.statementCurrency, amount: payout.payableMinor }
  return {
    kind: 'payout_return',
    sourceType: 'payout_return',
    sourceId: said.id,
    period: said.period,
    effectiveAt: said.effectiveAt,
    postings:
      restMinor === null
        ? [{ debit: transit, credit: accrued, currency, amount }]
        : [
            { debit: transit, credit: clearing, currency, amount },
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

/** Gives back what was reserved for the partner and not sent. @returns how many payouts. */
export async function recordPayoutReturns(
  trx: Trx,
  given: { terminationId: string; partnerId: string; period: string; effectiveAt: Date },
): Promise<number> {
  const { effectiveAt, ...said } = given
  const unsent = await lockUnsentPayouts(trx, said.partnerId)
  for (const payout of unsent) {
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
  }
  return unsent.length
}
