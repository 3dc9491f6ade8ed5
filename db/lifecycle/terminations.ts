/** The end of a partnership and its way back: what two persons approved takes effect here. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import { forfeits, mayBecome, type TerminationReason } from '../../domain/lifecycle.ts'
import type { PartnerStatus } from '../../domain/partners.ts'
import { type Db, databaseNow, lockName, type Trx } from '../database.ts'
import { recordTimeline } from '../onboarding/applications.ts'
import { placeHold, releaseHold } from '../partner-holds.ts'
import { findPartner } from '../partners.ts'
import { closeException } from '../payout-exceptions.ts'
import { bookingPeriod } from '../periods.ts'
import { findTenantOf } from '../provisioning.ts'
import { releaseTerritories } from '../territories.ts'
import { listCancelled, listUnpaid, recordCancellations } from './cancellations.ts'
import { findDeparture, recordOffboarding } from './offboardings.ts'
import { recordPayoutReturns } from './payout-returns.ts'
import { countDependents, recordCustomerHandover, recordPartnerHandover } from './successors.ts'

export interface ApprovedTermination {
  /** That of its approval. */
  id: string
  partnerId: string
  reasonCode: TerminationReason
  successorId: string | null
  /** Null is with the approval. */
  effectiveAt: Date | null
  reason: string
}

/**
 * Why the partner cannot be terminated like this, or null: it has somebody to leave behind, or the
 * successor cannot take over.
 */
export async function findTerminationProblem(
  trx: Trx,
  { partnerId, successorId }: Pick<ApprovedTermination, 'partnerId' | 'successorId'>,
): Promise<DomainError | null> {
  const left = await countDependents(trx, partnerId)
  if (successorId === null) {
    return left.customers + left.partners === 0
      ? null
      : new DomainError(
          'conflict',
          'it has customers with live subscriptions, or partners below it: name a successor',
        )
  }
  const { rows } = await sql<{ isBelow: boolean; takesIn: boolean }>`
    select
      exists (select from partner_ancestry above where above.partner_id = ${successorId}
        and above.ancestor_id = ${partnerId} and upper_inf(above.valid)) as is_below,
      not exists (select from partner_ancestry above
        join partners upper on upper.id = above.ancestor_id
        where above.partner_id = ${successorId} and upper_inf(above.valid)
          and upper.status in ('approved', 'suspended', 'terminated')) as takes_in`.execute(trx)
  if (!rows[0] || rows[0].isBelow) {
    return new DomainError('conflict', 'the successor is the partner itself, or stands below it')
  }
  return rows[0].takesIn
    ? null
    : new DomainError('parent_not_active', 'the successor, or one above it, is not active')
}

/** Keeps an approved termination; one whose time has come takes effect in the same transaction. */
export async function recordTermination(trx: Trx, approved: ApprovedTermination): Promise<void> {
  const { reason, effectiveAt, ...said } = approved
  const now = await databaseNow(trx)
  if (await findStandingTermination(trx, said.partnerId)) {
    throw new DomainError('conflict', 'the partner is terminated, or about to be')
  }
  const kept = { ...said, effectiveAt: effectiveAt ?? now }
  await trx.insertInto('terminations').values(kept).execute()
  if (kept.effectiveAt <= now) await effectTermination(trx, kept.id)
}

export type TerminationRow = NonNullable<Awaited<ReturnType<typeof findStandingTermination>>>

/** The termination that holds, or waits for its time; one that was taken back does not. */
export async function findStandingTermination(db: Db, partnerId: string) {
  return db
    .selectFrom('terminations')
    .selectAll()
    .where('partnerId', '=', partnerId)
    .where('reinstatedAt', 'is', null)
    .executeTakeFirst()
}

/** Of these partners, why each was terminated; those that were not are left out. */
export async function listTerminationReasons(
  db: Db,
  partnerIds: string[],
): Promise<Map<string, TerminationReason>> {
  if (partnerIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('terminations')
    .select(['partnerId', 'reasonCode'])
    .where('partnerId', 'in', partnerIds)
    .where('effectedAt', 'is not', null)
    .where('reinstatedAt', 'is', null)
    .execute()
  return new Map(rows.map(({ partnerId, reasonCode }) => [partnerId, reasonCode]))
}

/** Terminations whose time has come, the oldest first. */
export async function listDueTerminations(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('terminations')
    .select('id')
    .where('effectedAt', 'is', null)
    .where('reinstatedAt', 'is', null)
    .where('effectiveAt', '<=', sql<Date>`clock_timestamp()`)
    .orderBy('effectiveAt')
    .limit(100)
    .execute()
  return rows.map(({ id }) => id)
}

/** Terminated partners whose process still waits for their certificates. */
export async function listTerminatedInTraining(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('applications')
    .innerJoin('partners', 'partners.id', 'applications.id')
    .select('applications.id')
    .where('applications.stage', '=', 'training')
    .where('applications.closedAt', 'is', null)
    .where('partners.status', '=', 'terminated')
    .limit(500)
    .execute()
  return rows.map(({ id }) => id)
}

/** Notes what keeps a termination from taking effect, for a person; null where nothing does. */
export async function markTerminationProblem(
  db: Db,
  id: string,
  problem: string | null,
): Promise<void> {
  await db
    .updateTable('terminations')
    .set({ problem })
    .where('id', '=', id)
    .where('effectedAt', 'is', null)
    .execute()
}

async function lockTermination(trx: Trx, id: string) {
  return trx
    .selectFrom('terminations')
    .innerJoin('partners', 'partners.id', 'terminations.partnerId')
    .innerJoin('approvals', 'approvals.id', 'terminations.id')
    .selectAll('terminations')
    .select(['partners.status', 'partners.activatedAt', 'approvals.reason', 'approvals.decidedBy'])
    .where('terminations.id', '=', id)
    .forUpdate(['terminations', 'partners'])
    .executeTakeFirstOrThrow()
}

/**
 * Ends the partnership, once: customers and partners below go to the successor, the ways in close,
 * and what is not paid is kept for the last statement, or cancelled where the reason forfeits it.
 * @throws DomainError `conflict`, `parent_not_active` for a successor that cannot take over.
 */
export async function effectTermination(trx: Trx, id: string): Promise<void> {
  // Moves take this lock too: the order of the two is always the same.
  await lockName(trx, 'partner_moves')
  const termination = await lockTermination(trx, id)
  if (termination.effectedAt || termination.reinstatedAt) return
  const { partnerId, successorId, status, reason } = termination
  if (!mayBecome(status, 'terminated')) {
    throw new DomainError('conflict', `the partner is ${status}`)
  }
  const problem = await findTerminationProblem(trx, termination)
  if (problem) throw problem
  if (successorId) {
    await recordPartnerHandover(trx, { partnerId, successorId, newId: randomUUIDv7 })
    await recordCustomerHandover(trx, { partnerId, successorId })
  }
  await closeWaysIn(trx, partnerId)
  await releaseTerritories(trx, partnerId, 'terminated')
  await recordStatus(trx, { partnerId, status: 'terminated', reason })
  await trx
    .updateTable('terminations')
    .set({ effectedAt: sql<Date>`clock_timestamp()`, problem: null })
    .where('id', '=', id)
    .execute()
  if (forfeits(termination.reasonCode)) {
    const hold = { partnerId, cause: 'offboarding' as const, source: id }
    await placeHold(trx, { ...hold, reason: 'terminated_for_fraud' })
    await cancelUnpaid(trx, { id, partnerId })
  } else {
    // What was earned is owed, whatever it waited for until now.
    await releaseHold(trx, { partnerId, cause: 'suspension' })
  }
  await startOffboarding(trx, { ...termination, requestedBy: termination.decidedBy })
}

/** Who had an environment leaves it: its data are handed out, and erased after another yes. */
async function startOffboarding(
  trx: Trx,
  ended: { id: string; partnerId: string; reason: string; requestedBy: string | null },
): Promise<void> {
  const tenant = await findTenantOf(trx, ended.partnerId)
  if (!tenant || !ended.requestedBy || (await findDeparture(trx, ended.partnerId))) return
  await recordOffboarding(trx, {
    id: randomUUIDv7(),
    tenantId: tenant.id,
    partnerId: ended.partnerId,
    terminationId: ended.id,
    reason: ended.reason,
    requestedBy: ended.requestedBy,
    exportWanted: true,
    legalHold: false,
  })
}

/** Keys, invitations and links of the partner and of the customers that stay with it. */
async function closeWaysIn(trx: Trx, partnerId: string): Promise<void> {
  const now = sql<Date>`clock_timestamp()`
  await trx
    .updateTable('apiKeys')
    .set({ revokedAt: now })
    .where('partnerId', '=', partnerId)
    .where('revokedAt', 'is', null)
    .execute()
  for (const table of ['invitations', 'memberInvitations'] as const) {
    await trx
      .updateTable(table)
      .set({ revokedAt: now })
      .where('partnerId', '=', partnerId)
      .where('acceptedAt', 'is', null)
      .where('revokedAt', 'is', null)
      .execute()
  }
  await trx
    .updateTable('partnerLinks')
    .set({ archivedAt: now })
    .where('partnerId', '=', partnerId)
    .where('archivedAt', 'is', null)
    .execute()
}

async function recordStatus(
  trx: Trx,
  change: { partnerId: string; status: PartnerStatus; reason: string },
): Promise<void> {
  const { partnerId, status, reason } = change
  await sql`
    insert into partner_status_changes (partner_id, status, reason, level, changed_by)
    values (${partnerId}, ${status}, ${reason}, 'super_admin',
      coalesce(context_on_behalf_of(), context_actor(), 'system:' || session_user))`.execute(trx)
  await trx.updateTable('partners').set({ status }).where('id', '=', partnerId).execute()
  const [from, to] =
    status === 'terminated'
      ? (['active', 'suspended'] as const)
      : (['suspended', 'active'] as const)
  await trx
    .updateTable('tenants')
    .set({ status: to })
    .where('partnerId', '=', partnerId)
    .where('status', '=', from)
    .execute()
}

/** Whoever takes back or cancels of what a partner earned does so one after the other. */
export async function lockEarnings(trx: Trx, partnerIds: string[]): Promise<void> {
  for (const id of [...new Set(partnerIds)].sort()) await lockName(trx, `earnings:${id}`)
}

async function cancelUnpaid(
  trx: Trx,
  { id, partnerId }: { id: string; partnerId: string },
): Promise<void> {
  await lockEarnings(trx, [partnerId])
  const effectiveAt = await databaseNow(trx)
  const period = await bookingPeriod(trx, effectiveAt)
  const said = { terminationId: id, partnerId, period, effectiveAt }
  for (const payoutId of await recordPayoutReturns(trx, said)) {
    await closeException(trx, payoutId, 'released')
  }
  const unpaid = await listUnpaid(trx, partnerId)
  await recordCancellations(trx, { ...said, cause: 'termination' }, unpaid)
}

/**
 * Cancels what partners that forfeit it have earned since: lines that were told late, and what
 * months give as wholes. Repeating it finds nothing.
 */
export async function recordForfeits(trx: Trx): Promise<void> {
  const rows = await trx
    .selectFrom('terminations')
    .select(['id', 'partnerId', 'reasonCode'])
    .where('effectedAt', 'is not', null)
    .where('reinstatedAt', 'is', null)
    .orderBy('partnerId')
    .execute()
  for (const row of rows) if (forfeits(row.reasonCode)) await cancelUnpaid(trx, row)
}

/**
 * Takes a termination back, once: the partner is what it was before, and what this termination has
 * cancelled is given again as far as no customer's money went back on it. Customers stay with the
 * successor. One that still waits for its time is called off.
 * @throws DomainError `conflict` where there is none, or its data are leaving.
 */
export async function recordReinstatement(
  trx: Trx,
  approved: { id: string; partnerId: string; reason: string },
): Promise<void> {
  const { id, partnerId, reason } = approved
  await lockName(trx, 'partner_moves')
  const standing = await findStandingTermination(trx, partnerId)
  if (!standing) throw new DomainError('conflict', 'the partner is not terminated')
  const { effectedAt, activatedAt } = await lockTermination(trx, standing.id)
  await trx
    .updateTable('terminations')
    .set({ reinstatementId: id, reinstatedAt: sql<Date>`clock_timestamp()`, problem: null })
    .where('id', '=', standing.id)
    .execute()
  if (!effectedAt) return
  const departure = await findDeparture(trx, partnerId)
  if (departure) {
    throw new DomainError('conflict', `its tenant is ${departure.stage}: cancel that first`)
  }
  await refuseUnfitPlace(trx, partnerId)
  await recordStatus(trx, { partnerId, status: activatedAt ? 'active' : 'approved', reason })
  if (!activatedAt) await reopenApplication(trx, { partnerId, reinstatementId: id })
  await releaseHold(trx, { partnerId, cause: 'offboarding', source: standing.id })
  await releaseHold(trx, { partnerId, cause: 'suspension' })
  await lockEarnings(trx, [partnerId])
  const effectiveAt = await databaseNow(trx)
  const period = await bookingPeriod(trx, effectiveAt)
  const cancelled = await listCancelled(trx, standing.id)
  await recordCancellations(
    trx,
    { terminationId: standing.id, cause: 'reinstatement', partnerId, period, effectiveAt },
    cancelled.map((part) => ({ ...part, amount: -part.amount })),
  )
}

/** Goes on where its termination found it; the sweeper starts its process. */
async function reopenApplication(
  trx: Trx,
  { partnerId, reinstatementId }: { partnerId: string; reinstatementId: string },
): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('applications')
    .set({ stage: 'training', status: 'provisioning', nextActor: 'system', closedAt: null })
    .where('id', '=', partnerId)
    .where('status', '=', 'lapsed')
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return
  await recordTimeline(trx, partnerId, {
    key: `reinstated_${reinstatementId}`,
    stage: 'training',
    actor: 'super_admin',
    what: 'the partnership was taken up again',
  })
}

/** Nobody comes back below a partner that is gone itself. */
async function refuseUnfitPlace(trx: Trx, partnerId: string): Promise<void> {
  const partner = await findPartner(trx, partnerId)
  const parent = partner?.parentId ? await findPartner(trx, partner.parentId) : undefined
  if (parent?.status === 'terminated') {
    throw new DomainError('parent_not_active', 'the parent is terminated: move the partner first')
  }
}
