/** The time before a tier falls: opened by a review, ended once. */
import { sql } from 'kysely'
import type { GraceEnding, GraceStatus } from '../domain/tier-review.ts'
import type { TierName } from '../domain/tiers.ts'
import type { Db, Trx } from './database.ts'
import { type Columns, columnsAndRows } from './rows.ts'

export interface NewGrace {
  partnerId: string
  period: string
  fromTier: TierName
  toTier: TierName
  metricMinor: bigint
  leastMinor: bigint
  currency: string
  fallsAt: Date
}

const graceColumns: Columns<NewGrace> = {
  partnerId: 'uuid',
  period: 'text',
  fromTier: 'text',
  toTier: 'text',
  metricMinor: 'bigint',
  leastMinor: 'bigint',
  currency: 'text',
  fallsAt: 'timestamptz',
}

const asOfNow = { partner: 'partnerId', at: () => sql`clock_timestamp()` } as const

export async function recordGraces(trx: Trx, graces: NewGrace[]): Promise<void> {
  if (graces.length === 0) return
  await sql`insert into tier_graces ${columnsAndRows(graceColumns, graces, asOfNow)}`.execute(trx)
}

export type GraceRow = NonNullable<Awaited<ReturnType<typeof findOpenGrace>>>

export async function findOpenGrace(db: Db, partnerId: string) {
  return db
    .selectFrom('tierGraces')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .where('status', '=', 'open')
    .executeTakeFirst()
}

/** The newest one of a partner, however it stands. */
export async function findLastGrace(db: Db, partnerId: string): Promise<GraceRow | undefined> {
  return db
    .selectFrom('tierGraces')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .orderBy('openedAt', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

export async function getGrace(db: Db, id: string): Promise<GraceRow> {
  return db.selectFrom('tierGraces').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

export async function lockGrace(trx: Trx, id: string): Promise<GraceRow> {
  return trx
    .selectFrom('tierGraces')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirstOrThrow()
}

/** Ends one that is open. */
export async function markGraceEnded(
  trx: Trx,
  id: string,
  end: { status: GraceStatus; ending: GraceEnding; metric?: bigint },
): Promise<void> {
  await trx
    .updateTable('tierGraces')
    .set({ status: end.status, ending: end.ending, endedAt: sql<Date>`clock_timestamp()` })
    .$if(end.metric !== undefined, (query) => query.set({ metricMinor: end.metric as bigint }))
    .where('id', '=', id)
    .where('status', '=', 'open')
    .execute()
}

/** Keeps the newest figures of open ones; those whose figure suffices again are over. */
export async function markGracesReviewed(
  trx: Trx,
  period: string,
  figures: { id: string; metric: bigint; recovers: boolean }[],
): Promise<void> {
  if (figures.length === 0) return
  const [ids, metrics, recovers] = [
    figures.map(({ id }) => id),
    figures.map(({ metric }) => String(metric)),
    figures.map((figure) => figure.recovers),
  ]
  await sql`
    update tier_graces set metric_minor = figure.metric,
      status = case when figure.recovers then 'recovered' else status end,
      ending = case when figure.recovers then 'recovered' end,
      ended_at = case when figure.recovers then clock_timestamp() end,
      ended_period = case when figure.recovers then ${period} end
    from unnest(${ids}::uuid[], ${metrics}::bigint[], ${recovers}::boolean[])
      figure (id, metric, recovers)
    where tier_graces.id = figure.id and status = 'open'`.execute(trx)
}

/** Those of a range of partners whose processes a review of the period has news for. */
export async function listGracesToTell(
  db: Db,
  range: { period: string; after: string | null; until: string | null },
): Promise<GraceRow[]> {
  let query = db
    .selectFrom('tierGraces')
    .selectAll()
    .where((eb) => eb.or([eb('status', '=', 'open'), eb('endedPeriod', '=', range.period)]))
    .orderBy('partnerId')
  if (range.after) query = query.where('partnerId', '>', range.after)
  if (range.until) query = query.where('partnerId', '<=', range.until)
  return query.execute()
}

export interface NewGraceDecision {
  id: string
  graceId: string
  kind: 'waive' | 'apply'
  reason: string
  memberId: string
}

/** What a person wrote; it holds once the process has taken it. */
export async function recordGraceDecision(trx: Trx, decision: NewGraceDecision): Promise<void> {
  await trx
    .insertInto('tierGraceDecisions')
    .values(decision)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

export async function getGraceDecision(db: Db, id: string) {
  return db
    .selectFrom('tierGraceDecisions')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
}

export async function markGraceDecisionApplied(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('tierGraceDecisions')
    .set({ appliedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('appliedAt', 'is', null)
    .execute()
}
