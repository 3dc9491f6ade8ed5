/** What reviews of tiers decided, partner by partner. */
import { type SqlBool, sql } from 'kysely'
import type { ReviewCause, ReviewOutcome } from '../domain/tier-review.ts'
import type { TierName } from '../domain/tiers.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { type Columns, columnsAndRows } from './rows.ts'

export interface NewReview {
  partnerId: string
  period: string
  windowUntil: Date
  metricMinor: bigint
  currency: string
  tier: TierName
  reached: TierName
  outcome: ReviewOutcome
  cause: ReviewCause
  toTier: TierName | null
}

const reviewColumns: Columns<NewReview> = {
  partnerId: 'uuid',
  period: 'text',
  windowUntil: 'timestamptz',
  metricMinor: 'bigint',
  currency: 'text',
  tier: 'text',
  reached: 'text',
  outcome: 'text',
  cause: 'text',
  toTier: 'text',
}

const asOfNow = { partner: 'partnerId', at: () => sql`clock_timestamp()` } as const

/** Notes what a review decided for many partners. */
export async function recordTierReviews(trx: Trx, reviews: NewReview[]): Promise<void> {
  if (reviews.length === 0) return
  await sql`insert into tier_reviews ${columnsAndRows(reviewColumns, reviews, asOfNow)}`.execute(
    trx,
  )
}

/** A fall that took effect is told where its grace was opened. */
const shownOutcome = sql<ReviewOutcome | 'demoted'>`case
  when tier_graces.status = 'demoted' then 'demoted' else tier_reviews.outcome end`

function reviewQuery(db: Db) {
  return db
    .selectFrom('tierReviews')
    .leftJoin('tierGraces', (join) =>
      join
        .onRef('tierGraces.partnerId', '=', 'tierReviews.partnerId')
        .onRef('tierGraces.period', '=', 'tierReviews.period'),
    )
    .selectAll('tierReviews')
    .select(['tierGraces.status as graceStatus', 'tierGraces.fallsAt', 'tierGraces.ending'])
    .select(shownOutcome.as('shownOutcome'))
}

export type TierReviewRow = NonNullable<Awaited<ReturnType<typeof findLastReview>>>

export async function listTierReviews(
  db: Db,
  search: PageRequest & {
    period?: string | undefined
    outcome?: ReviewOutcome | 'demoted' | undefined
  },
): Promise<Page<TierReviewRow>> {
  const { period, outcome, after, limit } = search
  let query = reviewQuery(db)
    .orderBy('tierReviews.id', 'desc')
    .limit(limit + 1)
  if (period) query = query.where('tierReviews.period', '=', period)
  if (outcome) query = query.where(sql<SqlBool>`${shownOutcome} = ${outcome}`)
  if (after) query = query.where('tierReviews.id', '<', after)
  return pageOf(await query.execute(), limit)
}

/** The newest one of a partner, whatever it decided. */
export async function findLastReview(db: Db, partnerId: string) {
  return reviewQuery(db)
    .where('tierReviews.partnerId', '=', partnerId)
    .orderBy('tierReviews.windowUntil', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** The newest review of a partner, held. */
export async function lockLastReview(trx: Trx, partnerId: string) {
  return trx
    .selectFrom('tierReviews')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .orderBy('windowUntil', 'desc')
    .limit(1)
    .forUpdate()
    .executeTakeFirst()
}

/** Notes a person's yes or no to a promotion. */
export async function markReviewDecided(
  trx: Trx,
  decision: { id: string; approved: boolean; memberId: string; reason: string },
): Promise<void> {
  await trx
    .updateTable('tierReviews')
    .set({
      outcome: decision.approved ? 'promoted' : 'declined',
      decidedBy: decision.memberId,
      decidedAt: sql<Date>`clock_timestamp()`,
      decisionReason: decision.reason,
    })
    .where('id', '=', decision.id)
    .execute()
}
