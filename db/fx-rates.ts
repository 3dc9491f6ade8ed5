/** Exchange rates as people enter and read them; settlements find theirs by themselves. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { insertRates, type NewRate } from './settlement/rates.ts'

export interface RateRow extends NewRate {
  id: string
  recordedAt: Date
}

function rates(db: Db) {
  return db
    .selectFrom('fxRates')
    .select(['id', 'base', 'quote', 'source', 'asOf', 'recordedAt'])
    .select(sql<string>`trim_scale(rate)::text`.as('rate'))
}

/** What was entered, the newest first. */
export async function listRates(
  db: Db,
  filter: PageRequest & { base?: string | undefined; quote?: string | undefined },
): Promise<Page<RateRow>> {
  let query = rates(db)
    .orderBy('id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('id', '<', filter.after)
  if (filter.base) query = query.where('base', '=', filter.base)
  if (filter.quote) query = query.where('quote', '=', filter.quote)
  return pageOf(await query.execute(), filter.limit)
}

/**
 * Enters a rate; saying the same again changes nothing.
 * @throws DomainError `conflict` for another rate of the same source and instant: it never changes.
 */
export async function recordRate(trx: Trx, rate: NewRate): Promise<RateRow> {
  const known = () =>
    rates(trx)
      .where('base', '=', rate.base)
      .where('quote', '=', rate.quote)
      .where('source', '=', rate.source)
      .where('asOf', '=', rate.asOf)
      .executeTakeFirst()
  const before = await known()
  if (!before) await insertRates(trx, [rate])
  const row = before ?? (await known())
  const { rows } = await sql<{ same: boolean }>`
    select ${row?.rate ?? null}::numeric = ${rate.rate}::numeric as same`.execute(trx)
  if (row && rows[0]?.same) return row
  throw new DomainError('conflict', 'a rate never changes: enter another one, of a later instant')
}

/** In what a partner is paid; null is the currency of its programme. */
export async function findPayoutCurrency(db: Db, partnerId: string): Promise<string | null> {
  const row = await db
    .selectFrom('partners')
    .select('payoutCurrency')
    .where('id', '=', partnerId)
    .executeTakeFirst()
  return row?.payoutCurrency ?? null
}
