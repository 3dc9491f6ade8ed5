/** The decision on an application, and taking it back. */
import { z } from 'zod'
import type { Principal } from '../../db/access.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import {
  type ApplicationRow,
  findApplication,
  getApplication,
} from '../../db/onboarding/applications.ts'
import { readChecklist } from '../../db/onboarding/checklist.ts'
import { listGivenNotes, recordDecisionNote } from '../../db/onboarding/decisions.ts'
import { blockOf, openItems } from '../../domain/checklist.ts'
import { rejectionCodes } from '../../domain/decisions.ts'
import { DomainError } from '../../domain/errors.ts'
import { isDecided } from '../../domain/onboarding.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { decideApplication, undoApproval } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { updateProcess } from '../processes.ts'
import { type Call, type Route, route } from '../route.ts'
import { found, pathId, text } from '../validate.ts'
import { applicationAnswer, notFound, presentApplication } from './applications.ts'

const decisionForm = z
  .strictObject({
    decision: z.enum(['approve', 'reject']),
    reason: text(2_000),
    code: z.enum(rejectionCodes).optional(),
    effective_from: z.union([z.iso.datetime({ offset: true }), z.iso.date()]).optional(),
  })
  .refine(({ decision, code }) => decision === 'reject' || code === undefined, {
    path: ['code'],
    message: 'only a rejection has a code',
  })

export function decisionRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/applications/:id/decision',
      tag: 'Onboarding',
      summary: 'Approve or reject an application',
      description:
        'The platform owner decides on any, a master reseller on those that name it as parent. ' +
        'Parent and tier hold from `effective_from`, which is now when it is left out. Nothing ' +
        'is approved while something that blocks it is open: `open` names it. Where two persons ' +
        'have to approve, the first approval leaves the application in review. Until ' +
        '`undo_until` an approval can be taken back.',
      access: 'applications.decide',
      idempotencyKey: 'required',
      body: decisionForm,
      answers: { 200: { description: 'Decided', schema: applicationAnswer } },
      refusals: [
        'not_found',
        'already_decided',
        'not_ready',
        'screening_open',
        'territory_conflict',
        'parent_not_active',
        'second_person_required',
        'temporarily_unavailable',
      ],
      handle: (call) => decide(deps, call),
    }),
    route({
      method: 'POST',
      path: '/v1/applications/:id/decision/undo',
      tag: 'Onboarding',
      summary: 'Take an approval back',
      description:
        'Until `undo_until`, by whoever approved or by the platform owner. The application waits ' +
        'for a decision again.',
      access: 'applications.decide',
      answers: { 200: { description: 'Taken back', schema: applicationAnswer } },
      refusals: [
        'not_found',
        'not_ready',
        'gone',
        'forbidden',
        'conflict',
        'already_decided',
        'temporarily_unavailable',
      ],
      handle: (call) => undo(deps, call),
    }),
  ]
}

const decidedBefore = ({ status }: Pick<ApplicationRow, 'status'>) =>
  new DomainError('already_decided', `the application is ${status} already`)

/**
 * Tells the process of an application that is not decided.
 * @throws DomainError what the process refuses; `already_decided` where somebody was faster;
 *   `temporarily_unavailable` where it is not running, which the sweeper mends within a minute
 */
export async function tellProcess<Ret, Args extends unknown[]>(
  deps: ApiDeps,
  db: Db,
  {
    id,
    ...update
  }: Pick<Parameters<typeof updateProcess<Ret, Args>>[1], 'definition' | 'args' | 'updateId'> & {
    id: string
  },
): Promise<void> {
  const ended = new DomainError('temporarily_unavailable', 'its process is being started again', {
    retryAfterSeconds: 60,
  })
  try {
    await updateProcess(deps, { ...update, workflowId: workflowIds.onboarding(id), ended })
  } catch (error) {
    if (error !== ended) throw error
    const now = await getApplication(db, id)
    throw isDecided(now.status) ? decidedBefore(now) : error
  }
}

type DecisionCall = Call<unknown, z.output<typeof decisionForm>>

async function decide(deps: ApiDeps, { db, principal, params, body, operationId }: DecisionCall) {
  const id = pathId('application', params.id, notFound)
  const row = found(await findApplication(db, id), notFound)
  // A request that is repeated after its answer was lost finds its own decision.
  const given = await listGivenNotes(db, id)
  if (given.some((note) => note.id === operationId)) {
    return { status: 200, body: await presentApplication(db, row, 'decider') }
  }
  if (isDecided(row.status)) throw decidedBefore(row)
  await refuseUnready(db, row, body.decision)
  await inTransaction(db, (trx) =>
    recordDecisionNote(trx, {
      id: operationId,
      applicationId: id,
      memberId: principal.memberId,
      decision: body.decision,
      reason: body.reason,
      code: body.code ?? null,
      effectiveFrom: body.effective_from ? new Date(body.effective_from) : new Date(),
    }),
  )
  await tellProcess(deps, db, {
    id,
    definition: decideApplication,
    args: [{ noteId: operationId, decision: body.decision }],
    updateId: operationId,
  })
  return {
    status: 200,
    body: await presentApplication(db, await getApplication(db, id), 'decider'),
  }
}

/** @throws DomainError `not_ready` before its stage, or with what is `open` of an approval. */
async function refuseUnready(
  db: Db,
  row: ApplicationRow,
  decision: 'approve' | 'reject',
): Promise<void> {
  if (row.stage !== 'approval') {
    throw new DomainError('not_ready', `the application is at the stage ${row.stage}`)
  }
  const checklist = await readChecklist(db, row)
  const code = blockOf(checklist)
  if (decision === 'reject' || code === null) return
  const open = openItems(checklist)
  const what = `an approval has to wait for: ${open.join(', ')}; it can be rejected at any time`
  throw new DomainError(code, what, { members: { open } })
}

async function undo(
  deps: ApiDeps,
  { db, principal, params, operationId }: Pick<Call, 'db' | 'principal' | 'params' | 'operationId'>,
) {
  const id = pathId('application', params.id, notFound)
  const row = found(await findApplication(db, id), notFound)
  const final = new DomainError('gone', 'the approval is final; its time to be taken back is over')
  if (isDecided(row.status) && !row.undoUntil) throw final
  if (!row.undoUntil) throw new DomainError('not_ready', 'the application is not approved')
  await refuseOthers(db, id, principal)
  await updateProcess(deps, {
    workflowId: workflowIds.onboarding(id),
    definition: undoApproval,
    args: [{ memberId: principal.memberId }],
    updateId: operationId,
    ended: final,
  })
  return {
    status: 200,
    body: await presentApplication(db, await getApplication(db, id), 'decider'),
  }
}

/** @throws DomainError `forbidden` for a member of a master reseller that did not approve. */
async function refuseOthers(db: Db, id: string, principal: Principal): Promise<void> {
  if (principal.partnerId === null) return
  const given = await listGivenNotes(db, id)
  const own = given.some(({ memberId, undoneAt }) => memberId === principal.memberId && !undoneAt)
  if (own) return
  const who = 'only who approved, or the platform owner, takes an approval back'
  throw new DomainError('forbidden', who)
}
