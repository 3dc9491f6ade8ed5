/** What the product could not finish by itself, until a person has. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

export interface NewManualTask {
  /** Names the task, so that a repeated step opens it once. */
  taskKey: string
  kind: string
  /** As it is named outside. */
  subject: string
  /** A code of what is to be done. */
  what: string
}

export async function recordManualTask(trx: Trx, task: NewManualTask): Promise<void> {
  await trx
    .insertInto('manualTasks')
    .values(task)
    .onConflict((conflict) => conflict.column('taskKey').doNothing())
    .execute()
}

/** What an end could not take back: one task for each, however often it is noted. */
export async function recordUndosLeft(
  trx: Trx,
  { of, subject, left }: { of: string; subject: string; left: string[] },
): Promise<void> {
  for (const what of left) {
    await recordManualTask(trx, { taskKey: `${of}:${what}`, kind: 'undo_failed', subject, what })
  }
}

export type ManualTaskRow = NonNullable<Awaited<ReturnType<typeof findManualTask>>>

export async function findManualTask(db: Db, id: string) {
  return db.selectFrom('manualTasks').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function listManualTasks(
  db: Db,
  { after, limit, open }: PageRequest & { open: boolean | undefined },
): Promise<Page<ManualTaskRow>> {
  let query = db
    .selectFrom('manualTasks')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(limit + 1)
  if (after) query = query.where('id', '<', after)
  if (open === true) query = query.where('closedAt', 'is', null)
  if (open === false) query = query.where('closedAt', 'is not', null)
  return pageOf(await query.execute(), limit)
}

/** @throws DomainError `not_found`, `conflict` for a task that is closed already. */
export async function markManualTaskClosed(
  trx: Trx,
  id: string,
  closing: { memberId: string; note: string },
): Promise<ManualTaskRow> {
  const closed = await trx
    .updateTable('manualTasks')
    .set({
      closedAt: sql<Date>`clock_timestamp()`,
      closedBy: closing.memberId,
      note: closing.note,
    })
    .where('id', '=', id)
    .where('closedAt', 'is', null)
    .returningAll()
    .executeTakeFirst()
  if (closed) return closed
  if (await findManualTask(trx, id)) throw new DomainError('conflict', 'this task is closed')
  throw new DomainError('not_found', 'there is no such task')
}
