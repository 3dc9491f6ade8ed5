/** Partner organisations and the tree they stand in. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { PartnerLevel, PartnerStatus, PartnerType } from '../domain/partners.ts'
import type { TierName } from '../domain/tiers.ts'
import type { Db, Trx } from './database.ts'
import { keptQuery } from './kept-query.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { placeBelow } from './partner-places.ts'
import { openedFields, sealedFields } from './personal-fields.ts'
import { holdsNow } from './tiers.ts'

const partnerColumns = [
  'partners.id',
  'partners.programmeId',
  'partners.name',
  'partners.level',
  'partners.parentId',
  'partners.type',
  'partners.status',
  'partners.country',
  'partners.website',
  'partners.createdAt',
  'partners.activatedAt',
] as const

function partnerQuery(db: Db) {
  return (
    db
      .selectFrom('partners')
      .leftJoin('partnerTiers as held', (join) =>
        join.onRef('held.partnerId', '=', 'partners.id').on(holdsNow),
      )
      .select([...partnerColumns, 'held.tier as tier'])
      // It was asked to accept newer terms, and its notice is over.
      .select(
        sql<boolean>`exists (select from terms_acceptances asked
        where asked.partner_id = partners.id
          and asked.status in ('overdue', 'declined'))`.as('termsOutdated'),
      )
      .select(openedFields('partners'))
  )
}

const partnerById = keptQuery((db, id) => partnerQuery(db).where('partners.id', '=', id))

export type PartnerRow = Awaited<ReturnType<typeof getPartner>>

/** @throws DomainError `not_found` */
export async function getPartner(db: Db, id: string) {
  const [row] = await partnerById(db, id)
  if (!row) throw new DomainError('not_found', 'there is no such partner')
  return row
}

/** The partner, kept from changing until the transaction ends. @throws DomainError `not_found` */
export async function lockPartner(trx: Trx, id: string): Promise<PartnerRow> {
  await trx.selectFrom('partners').select('id').where('id', '=', id).forUpdate().execute()
  return getPartner(trx, id)
}

/** What somebody who has no key yet may know of a partner that it names. */
export async function findParent(db: Db, id: string) {
  return db
    .selectFrom('partners')
    .select(['id', 'level', 'status'])
    .where('id', '=', id)
    .executeTakeFirst()
}

export async function findPartner(db: Db, id: string) {
  const [row] = await partnerById(db, id)
  return row
}

export async function listPartners(db: Db, page: PageRequest): Promise<Page<PartnerRow>> {
  let query = partnerQuery(db)
    .orderBy('partners.id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('partners.id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

export interface NewPartner {
  id: string
  programmeId: string
  name: string
  level: PartnerLevel
  type: PartnerType
  country: string
  website: string
  contactName: string
  contactEmail: string
  parentId: string | null
  tier: TierName
  /** Parent and tier hold from this instant. */
  effectiveFrom: Date
}

/** Inserts the organisation, its place in the tree and its first tier; repeating it is harmless. */
export async function recordPartner(trx: Trx, partner: NewPartner): Promise<void> {
  const { parentId, tier, effectiveFrom, contactName, contactEmail, ...columns } = partner
  const { id } = columns
  const contact = { contactName, contactEmail }
  const inserted = await trx
    .insertInto('partners')
    .values({
      ...columns,
      parentId,
      ...sealedFields('partners', { id, organisation: id }, contact),
      status: 'approved',
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) return
  await trx
    .insertInto('partnerAncestry')
    .values({ partnerId: partner.id, ancestorId: partner.id, depth: 0, valid: '(,)' })
    .execute()
  if (parentId) await placeBelow(trx, { partnerId: partner.id, parentId, from: effectiveFrom })
  await trx
    .insertInto('partnerTiers')
    .values({
      partnerId: partner.id,
      tier,
      previousTier: null,
      valid: `[${effectiveFrom.toISOString()},)`,
      reason: 'joined the programme',
      reviewPeriod: null,
    })
    .execute()
}

/** The topmost partner above each of these, as far as any is known of. */
export async function listRoots(db: Db, partnerIds: string[]): Promise<Map<string, string>> {
  const { rows } = await sql<{ partnerId: string; rootId: string }>`
    select partner.id as partner_id, (select ancestor_id from partner_ancestry
      where partner_id = partner.id order by depth desc limit 1) as root_id
    from unnest(${partnerIds}::uuid[]) partner (id)`.execute(db)
  return new Map(rows.map(({ partnerId, rootId }) => [partnerId, rootId]))
}

/** Changes the status; another old status than the expected ones leaves the row as it is. */
export async function markPartner(
  trx: Trx,
  id: string,
  change: { from: PartnerStatus[]; to: PartnerStatus },
): Promise<void> {
  await trx
    .updateTable('partners')
    .set({
      status: change.to,
      ...(change.to === 'active' ? { activatedAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where('id', '=', id)
    .where('status', 'in', change.from)
    .execute()
}

/**
 * Suspends a partner or lets it back in, once by the id of the change. Whoever stands below is
 * blocked with it, because that is looked up with every request.
 * @throws DomainError `not_found` also for who is not below the caller, `conflict` in another
 *   status, `forbidden` for a master reseller where the platform suspended.
 */
export async function recordStatusChange(
  trx: Trx,
  change: { id: string; partnerId: string; status: 'active' | 'suspended'; reason: string },
): Promise<void> {
  const { rows } = await sql<{ outcome: string }>`
    select change_partner_status(${change.id}, ${change.partnerId}, ${change.status},
      ${change.reason}) as outcome`.execute(trx)
  const outcome = rows[0]?.outcome
  if (outcome === 'changed') return
  if (outcome === 'not_found') throw new DomainError('not_found', 'there is no such partner')
  if (outcome === 'by_platform') {
    throw new DomainError('forbidden', 'the platform owner suspended it, and lets it back in')
  }
  throw new DomainError('conflict', `the partner is ${outcome}`)
}
