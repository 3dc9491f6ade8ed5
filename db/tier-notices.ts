/** Changes of tiers that people decided on, and that the partner has yet to hear of. */
import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Of mails that tell a partner of its new tier; their subject is the change. */
export const tierNotice = 'tier_changed'

/**
 * Changes of the last week that took effect: promotions that a person said yes to, tiers that two
 * persons set, and the ends of these. What a review or a grace decided is told by its process.
 */
export async function listUntoldTierChanges(db: Db, limit: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with decided as (
      select change.id, review.decided_at as since
      from tier_reviews review
      join partner_tiers change on change.partner_id = review.partner_id
        and change.review_period = review.period
      where review.decided_at > clock_timestamp() - interval '7 days'
        and review.outcome = 'promoted'
      union all
      select id, lower(valid) from partner_tiers
      where approval_id is not null
        and lower(valid) between clock_timestamp() - interval '7 days' and clock_timestamp())
    select decided.id from decided
    join partner_tiers change using (id)
    join partners on partners.id = change.partner_id and partners.status <> 'terminated'
    where not exists (select from notices
      where kind = ${tierNotice} and subject_id = decided.id
        and (sent_at is not null or refused_at is not null))
    order by since limit ${limit}`.execute(db)
  return rows.map(({ id }) => id)
}
