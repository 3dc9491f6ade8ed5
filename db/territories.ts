/** Who sells where: claims of applicants and partners, and what people rule on them. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import {
  explainConflict,
  type ReleaseCause,
  type TerritoryMode,
  type TerritoryRuling,
  type TerritoryStatus,
  widest,
} from '../domain/territories.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

const live: TerritoryStatus[] = ['reserved', 'assigned', 'conflict']

function territoryQuery(db: Db) {
  return db
    .selectFrom('territoryAssignments as own')
    .leftJoin('territoryAssignments as blocker', 'blocker.id', 'own.blockedBy')
    .selectAll('own')
    .select([
      'blocker.partnerId as blockerPartnerId',
      'blocker.applicationId as blockerApplicationId',
    ])
}

export type TerritoryRow = NonNullable<Awaited<ReturnType<typeof findTerritory>>>

/** Of what stands in the way, whoever may not see it is not told the holder. */
export async function findTerritory(db: Db, id: string) {
  return territoryQuery(db).where('own.id', '=', id).executeTakeFirst()
}

export async function listTerritories(
  db: Db,
  filter: PageRequest & {
    holderId?: string | undefined
    /** What has a place in common with this area. */
    code?: string | undefined
    status?: TerritoryStatus | undefined
  },
): Promise<Page<TerritoryRow>> {
  const { holderId, code, status } = filter
  let query = territoryQuery(db)
    .orderBy('own.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('own.id', '<', filter.after)
  if (holderId) query = query.where('own.holderId', '=', holderId)
  if (status) query = query.where('own.status', '=', status)
  if (code) {
    query = query.where(
      sql<boolean>`(territory_covers(own.territory, ${code})
        or territory_covers(${code}, own.territory))`,
    )
  }
  return pageOf(await query.execute(), filter.limit)
}

/** What an application asked for, in the order in which it was first taken. */
export async function listTerritoriesOf(db: Db, applicationId: string): Promise<TerritoryRow[]> {
  return territoryQuery(db)
    .where('own.applicationId', '=', applicationId)
    .orderBy('own.id')
    .execute()
}

interface Claim {
  programmeId: string
  territory: string
  mode: TerritoryMode
  applicationId: string
  partnerId: string | null
  /** Of a reservation; null assigns. */
  expiresAt: Date | null
}

async function claimTerritory(trx: Trx, claim: Claim): Promise<TerritoryStatus> {
  const row = JSON.stringify({
    programme_id: claim.programmeId,
    territory: claim.territory,
    mode: claim.mode,
    status: claim.expiresAt ? 'reserved' : 'assigned',
    application_id: claim.applicationId,
    partner_id: claim.partnerId,
    expires_at: claim.expiresAt,
  })
  const { rows } = await sql<{ status: TerritoryStatus }>`
    select status from claim_territory(
      jsonb_populate_record(null::territory_assignments, ${row}::jsonb))`.execute(trx)
  return rows[0]?.status as TerritoryStatus
}

/**
 * Reserves what an application wishes, or writes down what stands in the way. What is reserved
 * already, ruled on or in conflict stays as it is; what has run out is tried again.
 */
export async function reserveTerritories(
  trx: Trx,
  applicationId: string,
  expiresAt: Date,
): Promise<{ reserved: number; conflicts: number }> {
  const wish = await trx
    .selectFrom('applications')
    .select(['programmeId', 'territoryCodes', 'territoryMode'])
    .where('id', '=', applicationId)
    .executeTakeFirst()
  if (!wish) throw new DomainError('not_found', 'there is no such application')
  const declined = await trx
    .selectFrom('territoryAssignments')
    .select('territory')
    .where('applicationId', '=', applicationId)
    .where('status', '=', 'declined')
    .execute()
  const refused = new Set(declined.map(({ territory }) => territory))
  const statuses: TerritoryStatus[] = []
  for (const territory of widest(wish.territoryCodes).filter((code) => !refused.has(code))) {
    statuses.push(
      await claimTerritory(trx, {
        programmeId: wish.programmeId,
        territory,
        mode: wish.territoryMode,
        applicationId,
        partnerId: null,
        expiresAt,
      }),
    )
  }
  const count = (wanted: TerritoryStatus) => statuses.filter((status) => status === wanted).length
  return { reserved: count('reserved'), conflicts: count('conflict') }
}

/** Whether somebody stands in the way of the partner though it reserved the area: one was moved. */
async function isBlockedFor(trx: Trx, id: string, partnerId: string): Promise<boolean> {
  const { rows } = await sql<{ blocked: boolean }>`
    select exists (select from territory_assignments held where blocks_territory(held,
      jsonb_populate_record(own, jsonb_build_object('partner_id', ${partnerId}::text)))) as blocked
    from territory_assignments own where own.id = ${id}`.execute(trx)
  return rows[0]?.blocked ?? false
}

/**
 * Hands what an application has reserved to the partner that it becomes. A reservation that has
 * run out is tried again: what somebody else took meanwhile is a conflict of the partner then, and
 * so is what one holds who shared it with those above before they were moved.
 */
export async function admitTerritories(
  trx: Trx,
  { applicationId, partnerId }: { applicationId: string; partnerId: string },
): Promise<void> {
  const rows = await trx
    .selectFrom('territoryAssignments')
    .select(['id', 'programmeId', 'territory', 'mode', 'status', 'partnerId'])
    .where('applicationId', '=', applicationId)
    .where('status', 'in', ['reserved', 'conflict', 'expired'])
    .orderBy('territory')
    .execute()
  const held = new Set(
    rows.filter(({ status }) => live.includes(status)).map((row) => row.territory),
  )
  for (const { id, programmeId, territory, mode, status } of rows) {
    const area = { programmeId, territory, mode }
    if (status === 'expired') {
      if (held.has(territory)) continue
      held.add(territory)
      await claimTerritory(trx, { ...area, applicationId, partnerId, expiresAt: null })
      continue
    }
    if (status === 'reserved' && (await isBlockedFor(trx, id, partnerId))) {
      await trx
        .updateTable('territoryAssignments')
        .set({ status: 'released', until: sql<Date>`clock_timestamp()`, releaseCause: 'moved' })
        .where('id', '=', id)
        .execute()
      await claimTerritory(trx, { ...area, applicationId, partnerId, expiresAt: null })
      continue
    }
    await trx
      .updateTable('territoryAssignments')
      .set({ partnerId, ...(status === 'reserved' ? { status: 'assigned' as const } : {}) })
      .where('id', '=', id)
      .execute()
  }
}

/** Ends what an application holds that came to nothing. @returns how many areas it held. */
export async function releaseTerritoriesOfApplication(
  trx: Trx,
  applicationId: string,
): Promise<number> {
  const { numUpdatedRows } = await trx
    .updateTable('territoryAssignments')
    .set({ status: 'released', until: sql<Date>`clock_timestamp()`, releaseCause: 'ended' })
    .where('applicationId', '=', applicationId)
    .where('partnerId', 'is', null)
    .where('status', 'in', live)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** Ends everything that a partner holds. @returns how many areas became free. */
export async function releaseTerritories(
  trx: Trx,
  partnerId: string,
  cause: ReleaseCause,
): Promise<number> {
  const { numUpdatedRows } = await trx
    .updateTable('territoryAssignments')
    .set({ status: 'released', until: sql<Date>`clock_timestamp()`, releaseCause: cause })
    .where('partnerId', '=', partnerId)
    .where('status', 'in', live)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/**
 * Ends reservations whose time is over, and says so on their applications.
 * @returns how many ran out.
 */
export async function expireReservations(db: Db): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    with over as (
      update territory_assignments set status = 'expired', until = clock_timestamp()
      where status = 'reserved' and expires_at <= clock_timestamp()
      returning id, application_id, territory
    )
    insert into application_events (application_id, entry_key, stage, actor, what, internal)
    select whole.id, 'territory_expired_' || over.id, whole.stage, 'system',
      'the reservation of ' || over.territory || ' has run out', true
    from over join applications whole on whole.id = over.application_id
    on conflict (application_id, entry_key) do nothing
    returning id`.execute(db)
  return rows.length
}

export interface NewAssignment {
  id: string
  partnerId: string
  code: string
  mode: TerritoryMode
}

/**
 * Assigns an area to a partner, once by its id.
 * @throws DomainError `not_found`; `forbidden` outside of what a master reseller holds itself;
 *   `territory_conflict` where another holds it; `conflict` where the partner has it already.
 */
export async function recordAssignment(trx: Trx, made: NewAssignment): Promise<TerritoryRow> {
  const { id, partnerId, code, mode } = made
  const { rows } = await sql<{ outcome: string }>`
    select assign_territory(${id}, ${partnerId}, ${code}, ${mode}) as outcome`.execute(trx)
  switch (rows[0]?.outcome) {
    case 'assigned':
      return (await findTerritory(trx, id)) as TerritoryRow
    case 'outside':
      throw new DomainError(
        'forbidden',
        `${code} lies outside of what you hold yourself: assign a part of that`,
      )
    case 'held':
      throw new DomainError('conflict', `the partner has ${code} already: read its territories`)
    case 'taken':
      throw new DomainError('territory_conflict', await whatBlocks(trx, made))
    default:
      throw new DomainError('not_found', 'there is no such partner')
  }
}

/** In words that name the holder only to those who may see it. */
async function whatBlocks(db: Db, { code, mode }: NewAssignment): Promise<string> {
  const { rows } = await sql<{
    territory: string
    mode: TerritoryMode
    since: Date
    name: string | null
  }>`
    select held.territory, held.mode, held.since, partners.name
    from territory_assignments held left join partners on partners.id = held.partner_id
    where held.status in ('reserved', 'assigned') and 'exclusive' in (held.mode, ${mode})
      and (territory_covers(held.territory, ${code}) or territory_covers(${code}, held.territory))
    order by held.mode, held.since limit 1`.execute(db)
  const [held] = rows
  if (!held) return `${code} is held by another partner: choose another area or a shared one`
  const why = explainConflict({ ...held, holder: held.name })
  return `${why}: choose another area, or end that assignment first`
}

/** @throws DomainError `not_found`; `conflict` where nothing is held any more. */
export async function recordRelease(
  trx: Trx,
  { id, reason }: { id: string; reason: string },
): Promise<TerritoryRow> {
  const { rows } = await sql<{ outcome: string }>`
    select release_territory(${id}, ${reason}) as outcome`.execute(trx)
  const outcome = rows[0]?.outcome
  if (outcome === 'not_found') throw new DomainError('not_found', 'there is no such assignment')
  if (outcome === 'conflict') {
    throw new DomainError('conflict', 'this one is in conflict: rule on it, by which it may end')
  }
  if (outcome !== 'done') throw new DomainError('conflict', `the assignment is ${outcome}`)
  return (await findTerritory(trx, id)) as TerritoryRow
}

/**
 * Rules on a conflict, once.
 * @param ruling.reservedFor seconds for which an applicant keeps what it is given.
 * @throws DomainError `not_found`; `forbidden` where a party stands outside; `already_decided`.
 */
export async function recordRuling(
  trx: Trx,
  ruling: { id: string; ruling: TerritoryRuling; reason: string; reservedFor: number },
): Promise<TerritoryRow> {
  const { rows } = await sql<{ outcome: string }>`
    select rule_on_territory(${ruling.id}, ${ruling.ruling}, ${ruling.reason},
      ${ruling.reservedFor}) as outcome`.execute(trx)
  const outcome = rows[0]?.outcome
  if (outcome === 'not_found') throw new DomainError('not_found', 'there is no such conflict')
  if (outcome === 'not_yours') {
    throw new DomainError(
      'forbidden',
      'a party to this conflict is not below you: the platform owner rules on it',
    )
  }
  if (outcome !== 'ruled') {
    throw new DomainError('already_decided', `this is no conflict any more: it is ${outcome}`)
  }
  return (await findTerritory(trx, ruling.id)) as TerritoryRow
}

/**
 * After a move: what a partner and those below it hold stands at the new place, or is in conflict
 * with what others hold there.
 */
export async function moveTerritories(trx: Trx, partnerId: string): Promise<void> {
  const { rows } = await sql<{ id: string; programmeId: string; territory: string }>`
    select held.id, held.programme_id, held.territory
    from territory_assignments held
    join partner_ancestry above on above.partner_id = held.partner_id
      and above.ancestor_id = ${partnerId} and upper_inf(above.valid)
    where held.status in ('assigned', 'conflict') order by held.territory, held.id`.execute(trx)
  for (const { id } of rows) {
    await sql`select move_territory(${id})`.execute(trx)
  }
}
