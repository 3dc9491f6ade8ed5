/** Proposals of one person, the decisions of another, and what they take effect in. */
import { createHash } from 'node:crypto'
import { type SqlBool, sql } from 'kysely'
import {
  type ApprovalKind,
  type ApprovalStatus,
  decisionRefusal,
  type Proposal,
  proposalText,
  type Verdict,
} from '../domain/approvals.ts'
import { DomainError, type ErrorCode } from '../domain/errors.ts'
import { recordAdjustment } from './adjustments.ts'
import type { Db, Trx } from './database.ts'
import { recordReinstatement, recordTermination } from './lifecycle/terminations.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { writeOffPayout } from './payout-exceptions.ts'
import { isSamePerson } from './same-person.ts'
import { recordScreeningDecision } from './screenings.ts'
import { recordTierOverride } from './tiers.ts'
import { recordWriteOff } from './write-offs.ts'

/** Time alone ends a proposal. */
const presentStatus = sql<ApprovalStatus>`case
  when approvals.status = 'proposed' and approvals.lapses_at <= clock_timestamp()
  then 'expired' else approvals.status end`

/** The row that was made of it, once it was approved. */
const effectId = sql<string | null>`case
  when approvals.status <> 'approved' then null
  when approvals.kind in ('termination', 'reinstatement') then null
  when approvals.kind in ('manual_entry', 'payout_write_off', 'write_off') then approvals.id
  when approvals.kind = 'screening_override' then approvals.screening_id
  else (select id from partner_tiers effect
    where effect.approval_id = approvals.id and effect.tier = approvals.tier
    order by id limit 1) end`

function approvalQuery(db: Db) {
  return db
    .selectFrom('approvals')
    .select([
      'id',
      'kind',
      'concernedId',
      'amountMinor',
      'currency',
      'happenedAt',
      'tier',
      'until',
      'reasonCode',
      'successorId',
      'effectiveAt',
      'screeningId',
      'payoutId',
      'reason',
      'payloadHash',
      'proposedBy',
      'proposedAt',
      'lapsesAt',
      'decidedBy',
      'decidedAt',
      'decisionReason',
      presentStatus.as('status'),
      effectId.as('effectId'),
    ])
}

export type ApprovalRow = NonNullable<Awaited<ReturnType<typeof findApproval>>>

export async function findApproval(db: Db, id: string) {
  return approvalQuery(db).where('id', '=', id).executeTakeFirst()
}

export async function listApprovals(
  db: Db,
  search: PageRequest & { status?: ApprovalStatus | undefined; kind?: ApprovalKind | undefined },
): Promise<Page<ApprovalRow>> {
  let query = approvalQuery(db)
    .orderBy('id', 'desc')
    .limit(search.limit + 1)
  if (search.after) query = query.where('id', '<', search.after)
  if (search.kind) query = query.where('kind', '=', search.kind)
  if (search.status) query = query.where(sql<SqlBool>`${presentStatus} = ${search.status}`)
  return pageOf(await query.execute(), search.limit)
}

/** Inserts a proposal; a repeated request finds its own. */
export async function recordProposal(
  trx: Trx,
  proposal: Proposal & { proposedBy: string },
): Promise<ApprovalRow> {
  const payloadHash = createHash('sha256').update(proposalText(proposal)).digest('hex')
  await trx
    .insertInto('approvals')
    .values({ ...columnsOf(proposal), payloadHash })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
  return getApproval(trx, proposal.id)
}

/** What a screening found is signed with it, and kept with the screening. */
function columnsOf(proposal: Proposal & { proposedBy: string }) {
  if (proposal.kind !== 'screening_override') return proposal
  const { hits: _hits, listVersion: _listVersion, ...columns } = proposal
  return columns
}

async function getApproval(db: Db, id: string): Promise<ApprovalRow> {
  const row = await findApproval(db, id)
  if (!row) throw new DomainError('not_found', 'there is no such approval')
  return row
}

export interface Decision {
  id: string
  memberId: string
  verdict: Verdict
  /** What is signed, of an approval. */
  payloadHash?: string | undefined
  /** Why, of a rejection. */
  reason?: string | undefined
}

const words: Partial<Record<ErrorCode, string>> = {
  already_decided: 'this was decided before; read it for its present status',
  forbidden: 'only who proposed this may withdraw it; reject it instead',
  gone: 'this proposal has lapsed; propose it again',
  payload_changed: 'sign the payload_hash that the proposal has; read it again first',
  second_person_required: 'who proposed this may not decide on it; ask another person',
}

/**
 * Decides on a proposal. An approval takes effect in the same transaction; the same decision of
 * the same member, repeated, is the one that was taken.
 * @throws DomainError `not_found`, `already_decided`, `gone` after it has lapsed,
 *   `second_person_required`, `payload_changed`, `forbidden` for a withdrawal by another person,
 *   `conflict` where it has no effect any more, `not_ready` while a payout is on its way.
 */
export async function recordDecision(trx: Trx, decision: Decision): Promise<ApprovalRow> {
  const { id, memberId, verdict, payloadHash, reason } = decision
  await trx.selectFrom('approvals').select('id').where('id', '=', id).forUpdate().execute()
  const proposal = await getApproval(trx, id)
  const repeated = proposal.status === verdict && proposal.decidedBy === memberId
  if (repeated && (payloadHash ?? proposal.payloadHash) === proposal.payloadHash) return proposal
  const samePerson = await isSamePerson(trx, proposal.proposedBy, memberId)
  const refusal = decisionRefusal(proposal, { verdict, memberId, samePerson, payloadHash })
  if (refusal) throw new DomainError(refusal, words[refusal] ?? 'this cannot be decided like this')
  await trx
    .updateTable('approvals')
    .set({
      status: verdict,
      decidedBy: memberId,
      decidedAt: sql<Date>`clock_timestamp()`,
      decisionReason: verdict === 'rejected' ? (reason ?? null) : null,
    })
    .where('id', '=', id)
    .execute()
  if (verdict === 'approved') await takeEffect(trx, proposal, memberId)
  return getApproval(trx, id)
}

async function takeEffect(trx: Trx, proposal: ApprovalRow, approvedBy: string): Promise<void> {
  const { id, concernedId: partnerId, reason, screeningId } = proposal
  const { amountMinor, currency, happenedAt, tier, until, reasonCode } = proposal
  if (screeningId !== null) {
    const decision = { id, screeningId, decision: 'overridden', reason } as const
    await recordScreeningDecision(trx, { ...decision, decidedBy: approvedBy, approvalId: id })
  }
  if (partnerId === null) return
  if (proposal.payoutId !== null && happenedAt !== null) {
    await writeOffPayout(trx, { payoutId: proposal.payoutId, happenedAt })
  }
  if (amountMinor !== null && currency !== null && happenedAt !== null) {
    const entry = { id, partnerId, amountMinor, currency, reason, happenedAt }
    if (proposal.kind === 'write_off') await recordWriteOff(trx, entry)
    else {
      const isLost = proposal.kind === 'payout_write_off'
      await recordAdjustment(trx, entry, isLost ? 'write_offs' : 'commission_expense')
    }
  }
  if (tier !== null) {
    await recordTierOverride(trx, { approvalId: id, partnerId, tier, until, reason })
  }
  if (reasonCode !== null) {
    const { successorId, effectiveAt } = proposal
    await recordTermination(trx, { id, partnerId, reasonCode, successorId, effectiveAt, reason })
  }
  if (proposal.kind === 'reinstatement') await recordReinstatement(trx, { id, partnerId, reason })
}
