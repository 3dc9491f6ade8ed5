/** What the product could not finish by itself and a person has to. */
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import { listManualTasks, type ManualTaskRow, markManualTaskClosed } from '../db/manual-tasks.ts'
import { outwardId } from '../domain/ids.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { idAnswer, instantAnswer, pathId, text } from './validate.ts'

const tag = 'Manual tasks'

const taskAnswer = z.object({
  id: idAnswer('manualTask'),
  kind: z.string(),
  subject: z.string(),
  what: z.string(),
  opened_at: instantAnswer,
  closed_at: instantAnswer.nullable(),
  closed_by: idAnswer('member').nullable(),
  note: z.string().nullable(),
})

export function manualTaskRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/manual-tasks',
      tag,
      summary: 'List what a person has to finish',
      description:
        '`subject` is the id of what it is about; `what` names the step that failed, such as ' +
        '`cancelPlatformSubscription` of a tenant whose provisioning was undone.',
      access: 'tasks.read',
      query: z.strictObject({ ...pageQuery, status: z.enum(['open', 'closed']).optional() }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(taskAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const open = query.status && query.status === 'open'
        const page = await listManualTasks(db, { ...pageRequest(query), open })
        return { status: 200, body: presentPage(page, presentTask) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/manual-tasks/:id/close',
      tag,
      summary: 'Say that a task is done, and how',
      access: 'tasks.close',
      effect: 'transaction',
      body: z.strictObject({ note: text(2_000) }),
      answers: { 200: { description: 'Closed', schema: taskAnswer } },
      refusals: ['not_found', 'conflict'],
      handle: async ({ db, params, body, principal }) => {
        const id = pathId('manualTask', params.id, 'there is no such task')
        const { memberId } = principal
        const row = await inTransaction(db, (trx) =>
          markManualTaskClosed(trx, id, { memberId, note: body.note }),
        )
        return { status: 200, body: presentTask(row) }
      },
    }),
  ]
}

function presentTask(row: ManualTaskRow) {
  return {
    id: outwardId('manualTask', row.id),
    kind: row.kind,
    subject: row.subject,
    what: row.what,
    opened_at: row.openedAt.toISOString(),
    closed_at: row.closedAt?.toISOString() ?? null,
    closed_by: row.closedBy && outwardId('member', row.closedBy),
    note: row.note,
  }
}
