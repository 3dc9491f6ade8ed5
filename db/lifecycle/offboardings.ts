/** Tenants that leave: where each stands, who acts next, and what happened. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { OffboardingStage } from '../../domain/lifecycle.ts'
import type { Db, Trx } from '../database.ts'
import { placeHold, releaseHold } from '../partner-holds.ts'
import { isSamePerson } from '../same-person.ts'
import { countDependents } from './successors.ts'

export interface NewOffboarding {
  id: string
  tenantId: string
  partnerId: string
  terminationId?: string | null
  reason: string
  requestedBy: string
  exportWanted: boolean
  legalHold: boolean
}

export type OffboardingRow = NonNullable<Awaited<ReturnType<typeof findOffboarding>>>

/** The newest of a tenant. */
export async function findOffboarding(db: Db, tenantId: string) {
  return db
    .selectFrom('offboardings')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** @throws DomainError `not_found` */
export async function getOffboarding(db: Db, id: string) {
  const row = await db
    .selectFrom('offboardings')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'nothing of this tenant is leaving')
  return row
}

/** Whether something of this partner is leaving, or is gone. */
export async function findDeparture(db: Db, partnerId: string) {
  return db
    .selectFrom('offboardings')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .where('stage', '<>', 'cancelled')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/**
 * Keeps that a tenant leaves, once by its id.
 * @throws DomainError `conflict` where it leaves already, or leaves customers or partners behind.
 */
export async function recordOffboarding(trx: Trx, offboarding: NewOffboarding): Promise<void> {
  const { partnerId } = offboarding
  await sql`select from partners where id = ${partnerId} for update`.execute(trx)
  const before = await findDeparture(trx, partnerId)
  if (before?.id === offboarding.id) return
  if (before) throw new DomainError('conflict', `the tenant is ${before.stage}`)
  const left = await countDependents(trx, partnerId)
  if (left.customers + left.partners > 0) {
    throw new DomainError(
      'conflict',
      'it has customers with live subscriptions, or partners below it: terminate the partner ' +
        'with a successor instead',
    )
  }
  await trx.insertInto('offboardings').values(offboarding).execute()
}

/** Those that have not ended; a sweeper starts what is not running. */
export async function listOpenOffboardings(db: Db): Promise<OffboardingRow[]> {
  return db
    .selectFrom('offboardings')
    .selectAll()
    .where('endedAt', 'is', null)
    .orderBy('id')
    .limit(500)
    .execute()
}

const actors: Record<OffboardingStage, 'system' | 'partner' | 'super_admin' | null> = {
  freezing: 'system',
  exporting: 'system',
  retrieval: 'partner',
  confirmation: 'super_admin',
  erasing: 'system',
  erased: null,
  cancelled: null,
}

/** Goes on to a stage, and never back once it has ended; repeating it is harmless. */
export async function markOffboardingStage(
  trx: Trx,
  id: string,
  { stage, dueAt = null }: { stage: OffboardingStage; dueAt?: Date | null },
): Promise<void> {
  const over = stage === 'erased' || stage === 'cancelled'
  await trx
    .updateTable('offboardings')
    .set({
      stage,
      dueAt,
      nextActor: actors[stage],
      ...(over ? { endedAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where('id', '=', id)
    .where('endedAt', 'is', null)
    .execute()
  await recordOffboardingEvent(trx, { id, stage, key: `stage_${stage}`, what: words[stage] })
}

const words: Record<OffboardingStage, string> = {
  freezing: 'nothing can be changed any more',
  exporting: 'the export is being written',
  retrieval: 'the export can be fetched',
  confirmation: 'a second person has to confirm the erasure',
  erasing: 'personal data are being erased',
  erased: 'personal data are erased and their keys destroyed',
  cancelled: 'cancelled: the data stay',
}

/** An entry of the timeline, once by its key. */
export async function recordOffboardingEvent(
  trx: Trx,
  event: { id: string; stage: OffboardingStage; key: string; what: string; actor?: string },
): Promise<void> {
  const { id, key, stage, what, actor = 'system' } = event
  await trx
    .insertInto('offboardingEvents')
    .values({ offboardingId: id, entryKey: key, stage, what, actor })
    .onConflict((conflict) => conflict.columns(['offboardingId', 'entryKey']).doNothing())
    .execute()
}

export async function listOffboardingEvents(db: Db, id: string) {
  return db
    .selectFrom('offboardingEvents')
    .select(['at', 'stage', 'actor', 'what'])
    .where('offboardingId', '=', id)
    .orderBy('id')
    .execute()
}

/** Nothing is written any more: who was active is suspended, and its payouts wait. */
export async function recordFreeze(trx: Trx, offboarding: OffboardingRow): Promise<void> {
  const { id, partnerId } = offboarding
  const { numUpdatedRows } = await trx
    .updateTable('partners')
    .set({ status: 'suspended' })
    .where('id', '=', partnerId)
    .where('status', '=', 'active')
    .executeTakeFirstOrThrow()
  if (numUpdatedRows > 0n) {
    await recordChange(trx, { partnerId, status: 'suspended', reason: 'the tenant leaves' })
    await placeHold(trx, { partnerId, cause: 'suspension', source: id, reason: 'tenant_leaves' })
  }
  await trx
    .updateTable('tenants')
    .set({ status: 'suspended' })
    .where('partnerId', '=', partnerId)
    .where('status', '=', 'active')
    .execute()
}

async function recordChange(
  trx: Trx,
  change: { partnerId: string; status: 'active' | 'suspended'; reason: string },
): Promise<void> {
  await sql`
    insert into partner_status_changes (partner_id, status, reason, level, changed_by)
    values (${change.partnerId}, ${change.status}, ${change.reason}, 'super_admin',
      coalesce(context_on_behalf_of(), context_actor(), 'system:' || session_user))`.execute(trx)
}

/** Lets go on who was only frozen for this; who was suspended or terminated stays that. */
export async function recordThaw(trx: Trx, offboarding: OffboardingRow): Promise<boolean> {
  const { id, partnerId } = offboarding
  const thawed = await releaseHold(trx, { partnerId, cause: 'suspension', source: id })
  if (thawed === 0) return false
  await trx
    .updateTable('partners')
    .set({ status: 'active' })
    .where('id', '=', partnerId)
    .where('status', '=', 'suspended')
    .execute()
  await recordChange(trx, { partnerId, status: 'active', reason: 'the tenant stays' })
  await trx
    .updateTable('tenants')
    .set({ status: 'active' })
    .where('partnerId', '=', partnerId)
    .where('status', '=', 'suspended')
    .execute()
  return true
}

/** How many a tenant has had: the number of its next try at opening a subscription is above. */
export async function countOffboardings(db: Db, tenantId: string): Promise<number> {
  const { count } = await db
    .selectFrom('offboardings')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('tenantId', '=', tenantId)
    .executeTakeFirstOrThrow()
  return count
}

/** Names the task of a person to open a subscription again that the vendor refused. */
export const reopeningTask = (tenantId: string, departures: number) =>
  `subscription-reopening:${tenantId}:${departures}`

/**
 * Tenants that stay though their subscription was ended because they were to leave, as after a
 * termination that was taken back; without those that a person looks after.
 */
export async function listUnsubscribedTenants(
  db: Db,
): Promise<{ tenantId: string; departures: number }[]> {
  const { rows } = await sql<{ tenantId: string; departures: number }>`
    select tenant_id, departures from (
      select tenant.id as tenant_id, count(*)::int as departures
      from tenants tenant
      join partners partner on partner.id = tenant.partner_id
      join offboardings departure on departure.tenant_id = tenant.id
      where tenant.status = 'active' and partner.status in ('approved', 'active')
        and tenant.vendor_subscription_id is null and tenant.vendor_customer_id is not null
        and tenant.steps -> 'subscription' ->> 'state' = 'undone'
      group by tenant.id having bool_and(departure.stage = 'cancelled')
    ) staying
    where not exists (select from manual_tasks
      where task_key = 'subscription-reopening:' || tenant_id || ':' || departures)
    order by tenant_id limit 20`.execute(db)
  return rows
}

/** The second person's yes. @throws DomainError `second_person_required`, `legal_hold` */
export async function markConfirmed(trx: Trx, id: string, memberId: string): Promise<void> {
  const { requestedBy, legalHold } = await getOffboarding(trx, id)
  if (legalHold) throw new DomainError('legal_hold', 'the data are under a legal hold')
  if (await isSamePerson(trx, requestedBy, memberId)) {
    throw new DomainError('second_person_required', 'another person has to confirm this')
  }
  await trx
    .updateTable('offboardings')
    .set({ confirmedBy: memberId, confirmedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('confirmedBy', 'is', null)
    .execute()
}

export async function markLegalHold(trx: Trx, id: string, on: boolean): Promise<void> {
  await trx
    .updateTable('offboardings')
    .set({ legalHold: on })
    .where('id', '=', id)
    .where('stage', 'not in', ['erasing', 'erased', 'cancelled'])
    .execute()
}
