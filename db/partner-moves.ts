/** Moves of partners to another parent: which are refused, and what is kept of them. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import { mayCreate } from '../domain/partners.ts'
import { type Db, lockName, type Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { recordMove } from './partner-places.ts'
import { findPartner, getPartner, type PartnerRow } from './partners.ts'
import { getProgramme } from './programmes.ts'
import { moveTerritories } from './territories.ts'

const moveColumns = ['id', 'partnerId', 'parentId', 'effectiveFrom', 'recordedAt'] as const

export type PartnerMoveRow = NonNullable<Awaited<ReturnType<typeof findMove>>>

async function findMove(db: Db, id: string) {
  return db.selectFrom('partnerMoves').select(moveColumns).where('id', '=', id).executeTakeFirst()
}

/** What was told of a partner's places, the newest first; later words may overrule earlier ones. */
export async function listMoves(
  db: Db,
  search: PageRequest & { partnerId: string },
): Promise<Page<PartnerMoveRow>> {
  let query = db
    .selectFrom('partnerMoves')
    .select(moveColumns)
    .where('partnerId', '=', search.partnerId)
    .orderBy('id', 'desc')
    .limit(search.limit + 1)
  if (search.after) query = query.where('id', '<', search.after)
  return pageOf(await query.execute(), search.limit)
}

export interface NewMove {
  id: string
  partnerId: string
  parentId: string
  /** Null is now, by the database's clock. */
  from: Date | null
}

/**
 * Moves a partner, once by its id. One at a time, so that two moves make no circle together.
 * @throws DomainError `not_found`; `invalid_request` for a parent that cannot have it below itself
 *   or a time to come; `parent_not_active`; `conflict` where it stands there already.
 */
export async function recordPartnerMove(trx: Trx, move: NewMove): Promise<PartnerMoveRow> {
  await lockName(trx, 'partner_moves')
  const before = await findMove(trx, move.id)
  if (before) return before
  const { id, partnerId, parentId } = move
  const now = await clockNow(trx)
  const from = move.from ?? now
  if (from > now) throw unfit('/effective_from', 'expected a time that is over')
  const partner = await getPartner(trx, partnerId)
  const parent = await findPartner(trx, parentId)
  if (!parent) throw unfit('/parent', 'there is no such partner')
  await refuseUnfitParent(trx, { partner, parent, from })
  if (move.from === null && partner.parentId === parentId) {
    throw new DomainError('conflict', 'the partner stands below this one already')
  }
  await recordMove(trx, { id, partnerId, parentId, from })
  await moveTerritories(trx, partnerId)
  return (await findMove(trx, id)) as PartnerMoveRow
}

async function clockNow(trx: Trx): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`
    select date_trunc('milliseconds', clock_timestamp()) as now`.execute(trx)
  return rows[0]?.now as Date
}

const unfit = (pointer: string, detail: string) =>
  new DomainError('invalid_request', 'body: the partner cannot be moved like this', {
    fields: [{ pointer, code: 'invalid', detail }],
  })

async function refuseUnfitParent(
  trx: Trx,
  { partner, parent, from }: { partner: PartnerRow; parent: PartnerRow; from: Date },
): Promise<void> {
  // Also where it once stood below: a move of the past may not make a circle of the past.
  const { rows } = await sql<{ isBelow: boolean; isSuspended: boolean }>`
    select
      exists (select from partner_ancestry where partner_id = ${parent.id}
        and ancestor_id = ${partner.id} and valid && tstzrange(${from}, null)) as is_below,
      exists (select from partner_ancestry above
        join partners upper on upper.id = above.ancestor_id
        where above.partner_id = ${parent.id} and upper_inf(above.valid)
          and upper.status in ('suspended', 'terminated')) as is_suspended`.execute(trx)
  if (rows[0]?.isBelow) throw unfit('/parent', 'it is the partner itself, or stands below it')
  const programme = await getProgramme(trx)
  const fits = mayCreate(parent.level, partner.level, programme)
  if (!fits || parent.programmeId !== partner.programmeId) {
    throw unfit('/parent', 'its level has no partners of this level below it')
  }
  if (parent.status !== 'active' || rows[0]?.isSuspended) {
    throw new DomainError('parent_not_active', 'the parent, or one above it, takes in no partners')
  }
}
