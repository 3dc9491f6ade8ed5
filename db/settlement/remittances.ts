/** What a payout is made of: its statement, what was withheld, the rate, and the transfer. */
import { sql } from 'kysely'
import type { Db } from '../database.ts'
import { nameOrFormer } from '../partner-places.ts'
import { shownPeriod } from './statements.ts'

export type RemittanceRow = NonNullable<Awaited<ReturnType<typeof findRemittance>>>

/** A payout, whatever became of it, with the statement that it pays. */
export async function findRemittance(db: Db, payoutId: string) {
  return db
    .selectFrom('payouts')
    .innerJoin('statements', 'statements.id', 'payouts.statementId')
    .leftJoin('partners', 'partners.id', 'payouts.partnerId')
    .leftJoin('fxRates', 'fxRates.id', 'statements.fxRateId')
    .leftJoin('payoutAttempts', (join) =>
      join
        .onRef('payoutAttempts.payoutId', '=', 'payouts.id')
        .on('payoutAttempts.status', '=', 'succeeded'),
    )
    .select([
      'payouts.id',
      'payouts.partnerId',
      'payouts.status',
      'payouts.currency',
      'payouts.amountMinor',
      'payouts.vatMinor',
      'payouts.paidAt',
      'payoutAttempts.vendorTransferId as transferId',
      'payouts.statementId',
      'statements.documentNumber',
      'statements.sincePeriod',
      'statements.currency as statementCurrency',
      'statements.payableMinor',
      'statements.withheldMinor',
      'statements.payoutRestMinor as restMinor',
      'fxRates.source as rateSource',
      'fxRates.asOf as rateAsOf',
    ])
    .select(sql<string | null>`trim_scale(fx_rates.rate)::text`.as('rate'))
    .select(shownPeriod)
    .select(nameOrFormer.as('partnerName'))
    .where('payouts.id', '=', payoutId)
    .executeTakeFirst()
}
