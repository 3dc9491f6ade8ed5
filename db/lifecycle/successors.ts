/** Customers and partners that go to a successor. What was earned before stays where it is. */
import { sql } from 'kysely'
import type { Trx } from '../database.ts'
import { recordPartnerMove } from '../partner-moves.ts'
import { openedFields, sealedFields } from '../personal-fields.ts'

/** What somebody has to take over when the partner goes. */
export async function countDependents(trx: Trx, partnerId: string) {
  const { rows } = await sql<{ customers: number; partners: number }>`
    select (select count(*)::int from customers where partner_id = ${partnerId}
        and ${hasLiveSubscription}) as customers,
      (select count(*)::int from partners where parent_id = ${partnerId}
        and status <> 'terminated') as partners`.execute(trx)
  return rows[0] as { customers: number; partners: number }
}

const hasLiveSubscription = sql<boolean>`exists (select from subscriptions
  where subscriptions.customer_id = customers.id and subscriptions.status <> 'canceled')`

const customersAtOnce = 200

interface Handover {
  partnerId: string
  successorId: string
}

/**
 * Moves the customers that still pay, with their subscriptions and their people, and seals their
 * personal fields under the successor's keys: those of the other may be destroyed.
 */
export async function recordCustomerHandover(trx: Trx, handover: Handover): Promise<number> {
  let moved = 0
  for (;;) {
    const page = await trx
      .selectFrom('customers')
      .select('customers.id')
      .select(openedFields('customers'))
      .where('partnerId', '=', handover.partnerId)
      .where(hasLiveSubscription)
      .orderBy('id')
      .limit(customersAtOnce)
      .forUpdate()
      .execute()
    for (const { id, ...texts } of page) {
      await handOver(trx, 'customers', { id, texts, successorId: handover.successorId })
    }
    const ids = page.map(({ id }) => id)
    await moveSubscriptions(trx, ids, handover.successorId)
    await movePeople(trx, ids, handover.successorId)
    moved += page.length
    if (page.length < customersAtOnce) return moved
  }
}

interface PersonalRow {
  id: string
  texts: { name: string; email: string }
  successorId: string
}

async function handOver(
  trx: Trx,
  table: 'customers' | 'members',
  { id, texts, successorId }: PersonalRow,
): Promise<void> {
  const columns = sealedFields(table, { id, organisation: successorId }, texts)
  const place =
    table === 'customers'
      ? sql`, reseller_id = place.reseller_id, master_id = place.master_id`
      : sql``
  await sql`
    update ${sql.table(table)} as own set partner_id = place.id,
      name_sealed = ${columns.nameSealed}, email_sealed = ${columns.emailSealed} ${place}
    from partners place where place.id = ${successorId} and own.id = ${id}`.execute(trx)
}

async function moveSubscriptions(trx: Trx, customerIds: string[], successorId: string) {
  await sql`
    update subscriptions as own set partner_id = place.id, reseller_id = place.reseller_id,
      master_id = place.master_id
    from partners place
    where place.id = ${successorId} and own.customer_id = any(${customerIds}::uuid[])`.execute(trx)
}

/** Their people keep their ways in; who is only invited is invited again by the successor. */
async function movePeople(trx: Trx, customerIds: string[], successorId: string): Promise<void> {
  const people = await trx
    .selectFrom('members')
    .select('members.id')
    .select(openedFields('members'))
    .where(sql<boolean>`customer_id = any(${customerIds}::uuid[])`)
    .execute()
  for (const { id, ...texts } of people) await handOver(trx, 'members', { id, texts, successorId })
  await sql`update api_keys set partner_id = ${successorId}
    where customer_id = any(${customerIds}::uuid[])`.execute(trx)
  await sql`update member_invitations set revoked_at = clock_timestamp()
    where customer_id = any(${customerIds}::uuid[])
      and accepted_at is null and revoked_at is null`.execute(trx)
}

/** Moves the partners that stand directly below to the successor, with everyone below them. */
export async function recordPartnerHandover(
  trx: Trx,
  { partnerId, successorId, newId }: Handover & { newId: () => string },
): Promise<number> {
  const below = await trx
    .selectFrom('partners')
    .select('id')
    .where('parentId', '=', partnerId)
    .where('status', '<>', 'terminated')
    .where('id', '<>', successorId)
    .orderBy('id')
    .execute()
  for (const { id } of below) {
    await recordPartnerMove(trx, { id: newId(), partnerId: id, parentId: successorId, from: null })
  }
  return below.length
}
