/** The evidence of screening: look-ups with their hits, and what was decided on them. */
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import { wordsOfName } from '../domain/name-match.ts'
import {
  type Hit,
  hitKey,
  outcomeOf,
  type ScreenedName,
  type ScreeningResult,
  type ScreeningStatus,
} from '../domain/screening.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { listHolds, placeHold, releaseHold } from './partner-holds.ts'
import { blindly } from './sealed-fields.ts'

/** Who is looked at: an applicant, or the partner that it has become. */
export type ScreeningSubject = { applicationId: string } | { partnerId: string }

const idOf = (subject: ScreeningSubject) =>
  'partnerId' in subject ? subject.partnerId : subject.applicationId

/** The same for the same name in whatever spelling; it cannot be turned back into the name. */
const nameHash = ({ kind, name }: Pick<ScreenedName, 'kind' | 'name'>) =>
  blindly('screened name', JSON.stringify([kind, ...wordsOfName(name, kind)]))

/** Entries on which was decided for this name of this subject, in whichever look-up. */
const decidedBefore = (decision: 'confirmed' | 'overridden') => sql`
  select before_hit.list, before_hit.entry_id, before_hit.entry_name
  from screenings before
  join screening_decisions decided on decided.screening_id = before.id
    and decided.decision = ${sql.lit(decision)}
  join screening_hits before_hit on before_hit.screening_id = before.id
  where before.subject_id = screenings.subject_id and before.name_hash = screenings.name_hash`

const ownHits = sql`select hit.list, hit.entry_id, hit.entry_name from screening_hits hit
  where hit.screening_id = screenings.id`

/** What a look-up comes to now: a decision on it, or on the same findings in another one. */
const presentStatus = sql<ScreeningStatus>`case
  when exists (select from screening_decisions own where own.screening_id = screenings.id)
    then (select decision from screening_decisions own where own.screening_id = screenings.id)
  when screenings.outcome = 'clear' or not exists (${ownHits}) then screenings.outcome
  when exists (${ownHits} intersect ${decidedBefore('confirmed')}) then 'confirmed'
  when not exists (${ownHits} except ${decidedBefore('overridden')}) then 'overridden'
  else 'review' end`

/** A later look-up of the same name stands in the place of an earlier one. */
const isCurrent = sql<SqlBool>`not exists (select from screenings later
  where later.subject_id = screenings.subject_id and later.role = screenings.role
    and later.name_hash = screenings.name_hash and later.id > screenings.id)`

/** A confirmation counts for ever, also when a list knows the name no more. */
const isOpen = sql<SqlBool>`(${presentStatus} = 'confirmed'
  or ${presentStatus} = 'review' and ${isCurrent})`

/** How many findings of an application or partner are neither clear nor overridden by now. */
export async function countOpenScreenings(db: Db, subjectId: string): Promise<number> {
  const { count } = await db
    .selectFrom('screenings')
    .select((eb) => eb.fn.countAll<bigint>().as('count'))
    .where('subjectId', '=', subjectId)
    .where(isOpen)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/**
 * What all look-ups of an applicant come to: `confirmed` before `review` before `overridden`; null
 * where there is none.
 */
export async function findScreeningState(
  db: Db,
  applicationId: string,
): Promise<ScreeningStatus | null> {
  const { rows } = await sql<{ state: ScreeningStatus | null }>`
    select case when bool_or(status = 'confirmed') then 'confirmed'
      when bool_or(status = 'review' and current) then 'review'
      when bool_or(status = 'overridden' and current) then 'overridden'
      when count(*) > 0 then 'clear' end as state
    from (select ${presentStatus} as status, ${isCurrent} as current from screenings
      where screenings.application_id = ${applicationId}) found`.execute(db)
  return rows[0]?.state ?? null
}

export interface ListState {
  provider: ScreeningResult['provider']
  listVersion: string
  threshold: number
}

/** Whether this name was looked up on these very lists already. */
export async function isScreened(
  db: Db,
  subject: ScreeningSubject,
  { name, lists }: { name: ScreenedName; lists: ListState },
): Promise<boolean> {
  return isOfLists(await findLast(db, subject, name), lists)
}

const isOfLists = (last: ListState | undefined, lists: ListState) =>
  last?.provider === lists.provider &&
  last.listVersion === lists.listVersion &&
  last.threshold === lists.threshold

async function findLast(db: Db, subject: ScreeningSubject, name: ScreenedName) {
  return db
    .selectFrom('screenings')
    .select(['id', 'provider', 'listVersion', 'threshold'])
    .where('subjectId', '=', idOf(subject))
    .where('role', '=', name.role)
    .where('nameHash', '=', nameHash(name))
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

const noHits = { known: new Set<string>(), overridden: new Set<string>() }

/** Findings of earlier look-ups of this name: all of them, and those that were overridden. */
async function listKnownHits(trx: Trx, subject: ScreeningSubject, name: ScreenedName) {
  const rows = await trx
    .selectFrom('screeningHits')
    .innerJoin('screenings', 'screenings.id', 'screeningHits.screeningId')
    .leftJoin('screeningDecisions', 'screeningDecisions.screeningId', 'screenings.id')
    .select([
      'screeningHits.list',
      'screeningHits.entryId',
      'screeningHits.entryName',
      'screeningDecisions.decision',
    ])
    .where('screenings.subjectId', '=', idOf(subject))
    .where('screenings.nameHash', '=', nameHash(name))
    .execute()
  const overridden = rows.filter(({ decision }) => decision === 'overridden')
  return { known: new Set(rows.map(hitKey)), overridden: new Set(overridden.map(hitKey)) }
}

export interface RecordedScreening {
  id: string
  /** Whether it found what no look-up of this name had found before. */
  news: boolean
}

/** Keeps what was found of one name; the same look-up, repeated, is the one that was kept. */
export async function recordScreening(
  trx: Trx,
  subject: ScreeningSubject,
  found: { name: ScreenedName; result: ScreeningResult; threshold: number },
): Promise<RecordedScreening> {
  const { name, threshold } = found
  const { provider, list, listVersion, hits } = found.result
  await sql`select pg_advisory_xact_lock(hashtextextended(${idOf(subject)}, 33))`.execute(trx)
  const lists = { provider, listVersion, threshold }
  const last = await findLast(trx, subject, name)
  if (last && isOfLists(last, lists)) return { id: last.id, news: false }
  const { known, overridden } = hits.length > 0 ? await listKnownHits(trx, subject, name) : noHits
  const outcome = outcomeOf(found.result, overridden)
  const { kind, role } = name
  const { id } = await trx
    .insertInto('screenings')
    .values({
      ...subject,
      ...{ kind, role, nameHash: nameHash(name), list, ...lists },
      outcome: outcome === 'clear' ? 'clear' : 'review',
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  if (hits.length > 0) {
    await trx
      .insertInto('screeningHits')
      .values(hits.map((hit) => ({ ...hit, screeningId: id })))
      .execute()
  }
  const news = outcome === 'review' && (!last || hits.some((hit) => !known.has(hitKey(hit))))
  return { id, news }
}

/** Holds the payouts of a partner with an open finding, and lets them go with the last one. */
export async function settleScreeningHold(
  trx: Trx,
  partnerId: string,
  source: string,
): Promise<void> {
  const hold = { partnerId, cause: 'screening' } as const
  if ((await countOpenScreenings(trx, partnerId)) === 0) {
    await releaseHold(trx, hold)
    return
  }
  const holds = await listHolds(trx, partnerId)
  if (holds.some(({ cause }) => cause === 'screening')) return
  await placeHold(trx, { ...hold, source, reason: 'screening_open' })
}

function screeningQuery(db: Db) {
  return db
    .selectFrom('screenings')
    .leftJoin('screeningDecisions', 'screeningDecisions.screeningId', 'screenings.id')
    .selectAll('screenings')
    .select([
      'screeningDecisions.decidedBy',
      'screeningDecisions.decidedAt',
      'screeningDecisions.reason as decisionReason',
      'screeningDecisions.approvalId',
      presentStatus.as('status'),
      isCurrent.as('current'),
    ])
    .select(
      sql<Hit[]>`(select coalesce(jsonb_agg(jsonb_build_object('list', hit.list,
          'entryId', hit.entry_id, 'entryName', hit.entry_name, 'programs', hit.programs,
          'score', hit.score) order by hit.score desc, hit.list, hit.entry_id, hit.id), '[]')
        from screening_hits hit where hit.screening_id = screenings.id)`.as('hits'),
    )
}

export type ScreeningRow = NonNullable<Awaited<ReturnType<typeof findScreening>>>

export async function findScreening(db: Db, id: string) {
  return screeningQuery(db).where('screenings.id', '=', id).executeTakeFirst()
}

/** The newest first. `partnerId` finds what was looked up since it is a partner, and before. */
export async function listScreenings(
  db: Db,
  search: PageRequest & {
    applicationId?: string | undefined
    partnerId?: string | undefined
    status?: ScreeningStatus | undefined
  },
): Promise<Page<ScreeningRow>> {
  let query = screeningQuery(db)
    .orderBy('screenings.id', 'desc')
    .limit(search.limit + 1)
  if (search.after) query = query.where('screenings.id', '<', search.after)
  if (search.applicationId) {
    query = query.where('screenings.applicationId', '=', search.applicationId)
  }
  if (search.partnerId) query = query.where('screenings.subjectId', '=', search.partnerId)
  if (search.status) query = query.where(sql<SqlBool>`${presentStatus} = ${search.status}`)
  return pageOf(await query.execute(), search.limit)
}

/**
 * The screening that somebody decides on, kept from other decisions until the transaction ends.
 * @throws DomainError `not_found`, `already_decided` where there is nothing to decide.
 */
export async function lockOpenScreening(trx: Trx, id: string): Promise<ScreeningRow> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${id}, 33))`.execute(trx)
  const row = await findScreening(trx, id)
  if (!row) throw new DomainError('not_found', 'there is no such screening')
  if (row.status !== 'review') {
    throw new DomainError('already_decided', `this screening is ${row.status} already`)
  }
  return row
}

export interface ScreeningDecision {
  id: string
  screeningId: string
  decision: 'confirmed' | 'overridden'
  reason: string
  decidedBy: string
  approvalId: string | null
}

/** Inserts the decision; the same one, repeated, is the one that was taken. */
export async function recordScreeningDecision(
  trx: Trx,
  decision: ScreeningDecision,
): Promise<ScreeningRow> {
  const before = await trx
    .selectFrom('screeningDecisions')
    .select('id')
    .where('id', '=', decision.id)
    .executeTakeFirst()
  if (!before) {
    const { subjectId } = await lockOpenScreening(trx, decision.screeningId)
    await trx.insertInto('screeningDecisions').values(decision).execute()
    if ((await countOpenScreenings(trx, subjectId)) === 0) {
      await releaseHold(trx, { partnerId: subjectId, cause: 'screening' })
    }
  }
  const row = await findScreening(trx, decision.screeningId)
  if (!row) throw new DomainError('not_found', 'there is no such screening')
  return row
}

export const untoldNotice = 'screening_open'

const isTold = (id: RawBuilder<unknown>) => sql<SqlBool>`not exists (
  select from members where members.partner_id is null and members.status = 'active'
    and not exists (select from notices where notices.kind = ${untoldNotice}
      and notices.subject_id = ${id} and notices.occurrence = members.id::text
      and num_nonnulls(notices.sent_at, notices.refused_at) > 0))`

/**
 * Open findings that the people of the platform were not told of yet, of one subject or of all. A
 * later look-up that found nothing else is no news.
 */
export async function listUntoldScreenings(db: Db, subjectId: string | null) {
  let query = db
    .selectFrom('screenings')
    .select(['id', 'kind', 'partnerId'])
    .select([
      sql<bigint>`(select count(*) from screening_hits hit
        where hit.screening_id = screenings.id)`.as('findings'),
      sql<string>`coalesce((select name from partners where partners.id = subject_id),
        (select company_name from applications where applications.id = subject_id))`.as('company'),
    ])
    .where(isCurrent)
    .where(sql<SqlBool>`${presentStatus} = 'review'`)
    .where(sql<SqlBool>`not exists (select from screenings told
      where told.subject_id = screenings.subject_id and told.role = screenings.role
        and told.name_hash = screenings.name_hash and ${isTold(sql.ref('told.id'))}
        and not exists (
          select list, entry_id, entry_name from screening_hits where screening_id = screenings.id
          except
          select list, entry_id, entry_name from screening_hits where screening_id = told.id))`)
    .orderBy('id')
    .limit(500)
  if (subjectId) query = query.where('subjectId', '=', subjectId)
  return query.execute()
}
