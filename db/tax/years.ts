/** What changes in tax from year to year. */
import { sql } from 'kysely'
import type { TaxYear } from '../../domain/tax.ts'
import type { Db, Trx } from '../database.ts'

const columns = ['year', 'currency', 'thresholdMinor', 'backupWithholdingBps', 'source'] as const

export async function listTaxYears(db: Db): Promise<TaxYear[]> {
  return db.selectFrom('taxYears').select(columns).orderBy('year', 'desc').execute()
}

/** What holds in a year: its own row, or that of the newest year before. */
export async function findTaxYear(db: Db, year: number): Promise<TaxYear | undefined> {
  return db
    .selectFrom('taxYears')
    .select(columns)
    .where('year', '<=', year)
    .orderBy('year', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** Sets a year, or sets it anew; what was withheld already stays as it was. */
export async function recordTaxYear(trx: Trx, year: Omit<TaxYear, 'currency'>): Promise<void> {
  const { year: key, ...change } = year
  await trx
    .insertInto('taxYears')
    .values({ year: key, ...change })
    .onConflict((conflict) =>
      conflict.column('year').doUpdateSet({ ...change, changedAt: sql<Date>`clock_timestamp()` }),
    )
    .execute()
}
