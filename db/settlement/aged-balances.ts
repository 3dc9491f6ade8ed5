/** Balances that wait below the minimum, and since when. */
import { sql } from 'kysely'
import type { Trx } from '../database.ts'

/**
 * Of some partners, by partner and currency, the period since whose end money is carried without
 * a break: a payout in between, or a month that ended without anything to carry, begins it anew.
 */
export async function listCarriedSince(
  trx: Trx,
  { period, partnerIds }: { period: string; partnerIds: string[] },
): Promise<Map<string, string>> {
  if (partnerIds.length === 0) return new Map()
  const { rows } = await sql<{ partnerId: string; currency: string; since: string }>`
    select partner_id, currency, min(period) as since from statements told
    where partner_id = any(${partnerIds}::uuid[]) and issued_at is not null
      and period < ${period} and carried_minor > 0
      and not exists (select from statements later
        where later.partner_id = told.partner_id and later.currency = told.currency
          and later.issued_at is not null and later.period > told.period
          and later.period < ${period}
          and (later.payable_minor > 0 or later.carried_minor <= 0))
    group by 1, 2`.execute(trx)
  return new Map(rows.map(({ partnerId, currency, since }) => [`${partnerId}:${currency}`, since]))
}
