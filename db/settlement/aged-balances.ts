/** Balances that wait below the minimum, and since when. */
import { sql } from 'kysely'
import type { Trx } from '../database.ts'

/**
 * Of some partners, by partner and currency, the name of the period since whose end money is
 * carried without a break: a payout in between, or one that ended without anything to carry,
 * begins it anew. Statements of runs with an earlier cut-off count.
 */
export async function listCarriedSince(
  trx: Trx,
  { cutoffAt, partnerIds }: { cutoffAt: Date; partnerIds: string[] },
): Promise<Map<string, string>> {
  if (partnerIds.length === 0) return new Map()
  const { rows } = await sql<{ partnerId: string; currency: string; since: string }>`
    with told as (
      select statement.partner_id, statement.currency, run.name, run.cutoff_at, payable_minor,
        carried_minor
      from statements statement join settlement_runs run on run.id = statement.run_id
      where statement.partner_id = any(${partnerIds}::uuid[]) and issued_at is not null
        and run.cutoff_at < ${cutoffAt}
    )
    select distinct on (partner_id, currency) partner_id, currency, name as since from told
    where carried_minor > 0 and not exists (select from told later
      where later.partner_id = told.partner_id and later.currency = told.currency
        and later.cutoff_at > told.cutoff_at
        and (later.payable_minor > 0 or later.carried_minor <= 0))
    order by partner_id, currency, cutoff_at`.execute(trx)
  return new Map(rows.map(({ partnerId, currency, since }) => [`${partnerId}:${currency}`, since]))
}
