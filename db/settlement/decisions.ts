/** What people decided about a run, in their words: written before it takes effect. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { RunDecisionKind } from '../../domain/settlement.ts'
import type { Db, Trx } from '../database.ts'

export interface NewRunDecision {
  id: string
  runId: string
  kind: RunDecisionKind
  memberId: string
  partnerId?: string | undefined
  accrualId?: string | undefined
  holdId?: string | undefined
  reason?: string | undefined
}

/** Writes a decision that has no effect yet; repeating it writes nothing. */
export async function recordRunDecision(db: Db, decision: NewRunDecision): Promise<void> {
  await db
    .insertInto('settlementDecisions')
    .values(decision)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

export type RunDecisionRow = Awaited<ReturnType<typeof lockRunDecision>>

/** @throws DomainError `not_found` for a decision about another run. */
export async function lockRunDecision(trx: Trx, { id, runId }: { id: string; runId: string }) {
  const row = await trx
    .selectFrom('settlementDecisions')
    .selectAll()
    .where('id', '=', id)
    .where('runId', '=', runId)
    .forUpdate()
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such decision about this run')
  return row
}

export async function markRunDecisionApplied(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('settlementDecisions')
    .set({ appliedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .execute()
}
