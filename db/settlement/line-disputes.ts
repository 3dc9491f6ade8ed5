/** Lines of statements that partners dispute. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import {
  type DisputeDecision,
  type DisputeSide,
  type DisputeStatus,
  decisionProblem,
  type EffectStatus,
  mostOf,
} from '../../domain/line-disputes.ts'
import { magnitude } from '../../domain/money.ts'
import type { StatementLineKind } from '../../domain/settlement.ts'
import { recordProposal } from '../approvals.ts'
import { type Db, lockName, type Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'

export interface LineDisputeRow {
  id: string
  statementId: string
  documentNumber: string
  period: string
  partnerId: string
  lineKind: StatementLineKind
  lineId: string
  currency: string
  lineMinor: bigint
  /** What a correction cannot exceed. */
  mostMinor: bigint
  status: DisputeStatus
  openedAt: Date
  dueAt: Date
  decision: DisputeDecision | null
  amountMinor: bigint | null
  approvalId: string | null
  closedAt: Date | null
  /** Of the entry that it was upheld with; only the platform owner is told. */
  effect: EffectStatus | null
  /** When, and in which period, that entry was booked. */
  bookedAt: Date | null
  bookedPeriod: string | null
}

export interface DisputeSearch {
  id?: string
  statementId?: string | undefined
  status?: DisputeStatus | undefined
  /** Also what became of proposals: for the platform owner only. */
  proposals: boolean
}

/** Disputes that the caller may see, newest first. */
export async function listLineDisputes(
  db: Db,
  search: DisputeSearch,
  page: PageRequest,
): Promise<Page<LineDisputeRow>> {
  const effect = search.proposals
    ? sql`(select case when status = 'proposed' and lapses_at <= clock_timestamp() then 'expired'
        else status end from approvals where approvals.id = dispute.approval_id)`
    : sql`null`
  const { rows } = await sql<LineDisputeRow>`
    select dispute.id, dispute.statement_id, statement.document_number,
      coalesce(statement.period_name, statement.period) as period,
      dispute.partner_id, dispute.line_kind, dispute.line_id, dispute.currency,
      dispute.line_minor, dispute.most_minor, dispute.status, dispute.opened_at, dispute.due_at,
      dispute.decision, dispute.amount_minor, dispute.approval_id, dispute.closed_at,
      ${effect} as effect,
      entry.recorded_at as booked_at, entry.period as booked_period
    from line_disputes dispute
    join statements statement on statement.id = dispute.statement_id
    left join adjustments entry on entry.id = dispute.approval_id
    where (${search.id ?? null}::uuid is null or dispute.id = ${search.id ?? null}::uuid)
      and (${search.statementId ?? null}::uuid is null
        or dispute.statement_id = ${search.statementId ?? null}::uuid)
      and (${search.status ?? null}::text is null or dispute.status = ${search.status ?? null})
      and (${page.after ?? null}::uuid is null or dispute.id < ${page.after ?? null}::uuid)
    order by dispute.id desc limit ${page.limit + 1}`.execute(db)
  return pageOf(rows, page.limit)
}

export async function findLineDispute(
  db: Db,
  search: { id: string; proposals: boolean },
): Promise<LineDisputeRow | undefined> {
  const { rows } = await listLineDisputes(db, search, { limit: 1, after: undefined })
  return rows[0]
}

export async function listLineDisputeEvents(db: Db, disputeId: string) {
  return db
    .selectFrom('lineDisputeEvents')
    .select(['id', 'kind', 'side', 'words', 'happenedAt'])
    .where('disputeId', '=', disputeId)
    .orderBy('id')
    .execute()
}

export interface NewLineDispute {
  id: string
  statementId: string
  partnerId: string
  line: { kind: StatementLineKind; id: string; base: bigint; amount: bigint }
  currency: string
  reason: string
  memberId: string
  /** How long the platform has to answer, in seconds. */
  answerWithin: number
}

/**
 * Opens a dispute; a repeated request finds its own.
 * @throws DomainError `conflict` where the line is disputed already.
 */
export async function recordLineDispute(trx: Trx, dispute: NewLineDispute): Promise<void> {
  const { id, statementId, partnerId, line, currency, reason, memberId } = dispute
  await lockName(trx, `line_disputes:${line.id}`)
  const before = await trx
    .selectFrom('lineDisputes')
    .select('id')
    .where('lineKind', '=', line.kind)
    .where('lineId', '=', line.id)
    .where('status', '<>', 'withdrawn')
    .executeTakeFirst()
  if (before?.id === id) return
  if (before) {
    throw new DomainError('conflict', 'this line is disputed already: answer in that dispute')
  }
  await trx
    .insertInto('lineDisputes')
    .values({
      ...{ id, statementId, partnerId, currency, lineKind: line.kind, lineId: line.id },
      lineMinor: line.amount,
      mostMinor: mostOf(line),
      dueAt: sql<Date>`clock_timestamp() + make_interval(secs => ${dispute.answerWithin})`,
    })
    .execute()
  await recordEvent(trx, {
    ...{ disputeId: id, partnerId, memberId },
    kind: 'opened',
    side: 'partner',
    words: reason,
  })
}

interface Event {
  disputeId: string
  partnerId: string
  memberId: string
  kind: 'opened' | 'answered' | 'decided' | 'withdrawn'
  side: DisputeSide
  words: string | null
}

async function recordEvent(trx: Trx, event: Event): Promise<void> {
  await trx.insertInto('lineDisputeEvents').values(event).execute()
}

export interface DisputeStep {
  id: string
  memberId: string
  side: DisputeSide
  words: string | null
}

/**
 * The platform asks or answers, and it is the partner's turn; or the other way round.
 * @throws DomainError `not_found`, `already_decided`
 */
export async function recordAnswer(
  trx: Trx,
  step: DisputeStep & { answerWithin: number },
): Promise<void> {
  const dispute = await lockOpenDispute(trx, step.id)
  await trx
    .updateTable('lineDisputes')
    .set({
      status: step.side === 'platform' ? 'answered' : 'opened',
      turnAt: sql<Date>`clock_timestamp()`,
      dueAt: sql<Date>`clock_timestamp() + make_interval(secs => ${step.answerWithin})`,
      remindedMark: 0,
    })
    .where('id', '=', step.id)
    .execute()
  await recordEvent(trx, eventOf(dispute, step, 'answered'))
}

/** The partner takes it back. @throws DomainError `not_found`, `already_decided` */
export async function recordWithdrawal(trx: Trx, step: DisputeStep): Promise<void> {
  const dispute = await lockOpenDispute(trx, step.id)
  await trx
    .updateTable('lineDisputes')
    .set({ status: 'withdrawn', closedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', step.id)
    .execute()
  await recordEvent(trx, eventOf(dispute, step, 'withdrawn'))
}

export interface DisputeDecided extends DisputeStep {
  words: string
  /** In minor units of the statement, and the id of the entry; null of a rejection. */
  uphold: { amountMinor: bigint; entryId: string; entryReason: string; happenedAt: Date } | null
}

/**
 * Decides a dispute. Upheld, it proposes an entry in the books of the partner, which takes effect
 * in the open month when a second person approves it.
 * @throws DomainError `not_found`, `already_decided`, `invalid_request` above what it is about
 */
export async function recordDisputeDecision(trx: Trx, step: DisputeDecided): Promise<void> {
  const dispute = await lockDispute(trx, step.id)
  const problem = decisionProblem(dispute)
  if (problem) {
    throw new DomainError(problem, 'this dispute was decided or withdrawn; read it for its status')
  }
  const { uphold } = step
  if (uphold) {
    assertWithin(uphold.amountMinor, dispute)
    await recordProposal(trx, {
      kind: 'manual_entry',
      id: uphold.entryId,
      concernedId: dispute.partnerId,
      amountMinor: uphold.amountMinor,
      currency: dispute.currency,
      reason: uphold.entryReason,
      happenedAt: uphold.happenedAt,
      proposedBy: step.memberId,
    })
  }
  await trx
    .updateTable('lineDisputes')
    .set({
      status: 'decided',
      decision: uphold ? 'uphold' : 'reject',
      amountMinor: uphold?.amountMinor ?? null,
      approvalId: uphold?.entryId ?? null,
      closedAt: sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', step.id)
    .execute()
  await recordEvent(trx, eventOf(dispute, step, 'decided'))
}

function assertWithin(amount: bigint, { mostMinor }: LineDisputeRow): void {
  if (magnitude(amount) <= mostMinor) return
  const detail = `expected at most ${mostMinor}: what the line is about; more is an entry by hand`
  throw new DomainError('invalid_request', 'body: this is more than the line is about', {
    fields: [{ pointer: '/amount', code: 'invalid', detail }],
  })
}

const eventOf = (
  dispute: { partnerId: string },
  { id, memberId, side, words }: DisputeStep,
  kind: Event['kind'],
): Event => ({ disputeId: id, partnerId: dispute.partnerId, memberId, side, words, kind })

async function lockDispute(trx: Trx, id: string): Promise<LineDisputeRow> {
  await trx.selectFrom('lineDisputes').select('id').where('id', '=', id).forUpdate().execute()
  const row = await findLineDispute(trx, { id, proposals: true })
  if (!row) throw new DomainError('not_found', 'there is no such dispute')
  return row
}

async function lockOpenDispute(trx: Trx, id: string) {
  const row = await trx
    .selectFrom('lineDisputes')
    .select(['id', 'partnerId', 'status'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such dispute')
  if (row.status === 'decided' || row.status === 'withdrawn') {
    throw new DomainError('already_decided', `this dispute is ${row.status}; nothing follows`)
  }
  return row
}
