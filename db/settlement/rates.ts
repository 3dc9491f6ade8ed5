/** Exchange rates, and the partners that are paid in another currency than they earn in. */
import { sql } from 'kysely'
import type { Trx } from '../database.ts'

export interface NewRate {
  base: string
  quote: string
  /** One whole unit of the base in whole units of the quote, as a plain decimal. */
  rate: string
  source: string
  asOf: Date
}

export async function insertRates(trx: Trx, rates: NewRate[]): Promise<void> {
  if (rates.length > 0) await trx.insertInto('fxRates').values(rates).execute()
}

export interface PayoutRate {
  partnerId: string
  /** The currency earned in, and the one paid in. */
  base: string
  quote: string
  /** Null where there is no rate yet. */
  rateId: string | null
  rate: string | null
}

/** For partners paid in another currency: the newest rate at or before an instant. */
export async function listPayoutRates(
  trx: Trx,
  { partnerIds, at }: { partnerIds: string[]; at: Date },
): Promise<PayoutRate[]> {
  const { rows } = await sql<PayoutRate>`
    select partner.id as partner_id, programme.currency as base, partner.payout_currency as quote,
      newest.id as rate_id, trim_scale(newest.rate)::text as rate
    from partners partner
    join programmes programme on programme.id = partner.programme_id
    left join lateral (
      select id, rate from fx_rates
      where base = programme.currency and quote = partner.payout_currency and as_of <= ${at}
      order by as_of desc, id desc limit 1) newest on true
    where partner.id = any(${partnerIds}::uuid[]) and partner.payout_currency is not null
      and partner.payout_currency <> programme.currency`.execute(trx)
  return rows
}

/** Statements that are drafted from now on are paid in this; null is that of the programme. */
export async function markPayoutCurrency(
  trx: Trx,
  partnerId: string,
  currency: string | null,
): Promise<void> {
  await trx
    .updateTable('partners')
    .set({ payoutCurrency: currency })
    .where('id', '=', partnerId)
    .execute()
}
