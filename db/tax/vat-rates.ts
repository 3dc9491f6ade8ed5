/** Value added tax on commission, by the country of the seller and the day from which it holds. */
import { sql } from 'kysely'
import type { RateTreatment } from '../../domain/self-billing.ts'
import type { Db, Trx } from '../database.ts'

export interface VatRate {
  country: string
  /** The first day, like 2026-01-01. */
  validFrom: string
  treatment: RateTreatment
  bps: number
  source: string
}

/** All that is set: by country, the newest first. */
export async function listVatRates(db: Db): Promise<VatRate[]> {
  return db
    .selectFrom('vatRates')
    .select(['country', 'validFrom', 'treatment', 'bps', 'source'])
    .orderBy('country')
    .orderBy('validFrom', 'desc')
    .execute()
}

/** Sets what holds from a day on, or sets it anew; documents that are written stay as they are. */
export async function recordVatRate(trx: Trx, rate: VatRate): Promise<void> {
  const { country, validFrom, ...change } = rate
  await trx
    .insertInto('vatRates')
    .values({ country, validFrom, ...change })
    .onConflict((conflict) =>
      conflict
        .columns(['country', 'validFrom'])
        .doUpdateSet({ ...change, changedAt: sql<Date>`clock_timestamp()` }),
    )
    .execute()
}
