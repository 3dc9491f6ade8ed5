/** Where partners stand before a review: the tier that each holds, and the figure that moves it. */
import { type RawBuilder, sql } from 'kysely'
import type { TierName } from '../domain/tiers.ts'
import type { Db, Trx } from './database.ts'
import { holdsNow } from './tiers.ts'

/** What is looked at: a window of time, half open, in the currency of the programme. */
export interface FigureWindow {
  currency: string
  from: Date
  until: Date
}

/** What customers of the partners in `page` paid net in a window: `net (partner_id, amount)`. */
const netPaid = ({ currency, from, until }: FigureWindow) => sql`
  line as (
    select customer.partner_id, line.id, line.base_minor, line.paid_at
    from customers customer
    -- What its customers paid while they were another partner's counts for that one.
    join line_payments line on line.customer_id = customer.id
      and line.partner_id = customer.partner_id
    where customer.partner_id in (select id from page) and line.currency = ${currency}),
  moved as (
    select partner_id, base_minor as amount from line
    where paid_at >= ${from} and paid_at < ${until}
    union all
    select line.partner_id, -reversal.base_minor
    from line
    -- For each line on its own: how many there are is not seen through the page.
    cross join lateral (
      select base_minor from line_reversals
      where line_payment_id = line.id
        and happened_at >= ${from} and happened_at < ${until} offset 0) reversal),
  net as (select partner_id, sum(amount) as amount from moved group by 1)`

export interface StandingRow {
  partnerId: string
  tier: TierName
  metric: bigint
  override: 'raised' | 'lowered' | null
  isLocked: boolean
  isProtected: boolean
  graceId: string | null
  /** This review has decided on it before. */
  isDecided: boolean
  /** A review of a later time has looked at it. */
  isSuperseded: boolean
}

interface StandingsOf extends FigureWindow {
  programmeId: string
  period: string
  /** How long a tier is held at least, in seconds. */
  protection: number
}

/** The next partners in a review, by their ids. */
export async function listTierStandings(
  trx: Trx,
  review: StandingsOf & { after: string | null; size: number },
): Promise<StandingRow[]> {
  const { after, size } = review
  return standings(
    trx,
    review,
    sql`(${after}::uuid is null or partners.id > ${after}::uuid)
      order by partners.id limit ${size}`,
  )
}

/** One partner as a review would see it now; nothing for one that is not active. */
export async function findTierStanding(
  trx: Trx,
  review: StandingsOf & { partnerId: string },
): Promise<StandingRow | undefined> {
  const [row] = await standings(trx, review, sql`partners.id = ${review.partnerId}`)
  return row
}

async function standings(
  trx: Trx,
  review: StandingsOf,
  which: RawBuilder<unknown>,
): Promise<StandingRow[]> {
  const { rows } = await sql<StandingRow>`
    with page as materialized (
      select partners.id, held.tier,
        case when override.id is null then null
          when tier_rank(held.tier) > coalesce(tier_rank(held.previous_tier), 0) then 'raised'
          else 'lowered' end as override,
        greatest(lower(held.valid), partners.activated_at)
          + make_interval(secs => ${review.protection}) > clock_timestamp() as is_protected
      from partners
      join partner_tiers held on held.partner_id = partners.id and ${holdsNow}
      left join approvals override
        on override.id = held.approval_id and override.tier = held.tier
      where partners.programme_id = ${review.programmeId} and partners.status = 'active'
        and ${which}
    ), ${netPaid(review)}
    select page.id as partner_id, page.tier, page.override, page.is_protected,
      coalesce(net.amount, 0)::bigint as metric,
      exists (select from tier_locks
        where partner_id = page.id and released_at is null
          and (until is null or until > clock_timestamp())) as is_locked,
      (select id from tier_graces
        where partner_id = page.id and status = 'open') as grace_id,
      exists (select from tier_reviews
        where partner_id = page.id and period = ${review.period}) as is_decided,
      exists (select from tier_reviews
        where partner_id = page.id and window_until > ${review.until}) as is_superseded
    from page
    left join net on net.partner_id = page.id
    order by page.id`.execute(trx)
  return rows
}

export interface HeldTier {
  tier: TierName
  since: Date
  /** Two persons set it. */
  isOverridden: boolean
  /** When the tier before it holds again; null is never. */
  until: Date | null
  metric: bigint
}

/** The tier of one partner and its figure, as far as the caller may see both. */
export async function findHeldTier(
  db: Db,
  of: FigureWindow & { partnerId: string },
): Promise<HeldTier | undefined> {
  const { rows } = await sql<HeldTier>`
    with page as (select ${of.partnerId}::uuid as id), ${netPaid(of)}
    select held.tier, lower(held.valid) as since, upper(held.valid) as until,
      held.approval_id is not null and held.reason like 'override:%' as is_overridden,
      coalesce((select amount from net), 0)::bigint as metric
    from page join partner_tiers held on held.partner_id = page.id and ${holdsNow}`.execute(db)
  return rows[0]
}
