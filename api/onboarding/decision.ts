/** The decision on an application. */
import { z } from 'zod'
import { inTransaction } from '../../db/database.ts'
import {
  findApplication,
  findTakenNote,
  getApplication,
  recordDecisionNote,
} from '../../db/onboarding/applications.ts'
import { hasTerritoryConflict } from '../../db/territories.ts'
import { DomainError } from '../../domain/errors.ts'
import { isDecided } from '../../domain/onboarding.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { decideApplication } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { updateProcess } from '../processes.ts'
import { type Call, type Route, route } from '../route.ts'
import { found, pathId, text } from '../validate.ts'
import { applicationAnswer, notFound, presentApplication } from './applications.ts'

const decisionForm = z.strictObject({
  decision: z.enum(['approve', 'reject']),
  reason: text(2_000),
  effective_from: z.union([z.iso.datetime({ offset: true }), z.iso.date()]).optional(),
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
        'Parent and tier hold from `effective_from`, which is now when it is left out.',
      access: 'applications.decide',
      idempotencyKey: 'required',
      body: decisionForm,
      answers: { 200: { description: 'Decided', schema: applicationAnswer } },
      refusals: [
        'not_found',
        'already_decided',
        'not_ready',
        'territory_conflict',
        'temporarily_unavailable',
      ],
      handle: (call) => decide(deps, call),
    }),
  ]
}

type DecisionCall = Call<unknown, z.output<typeof decisionForm>>

async function decide(deps: ApiDeps, { db, principal, params, body, operationId }: DecisionCall) {
  const id = pathId('application', params.id, notFound)
  const row = found(await findApplication(db, id), notFound)
  const decided = new DomainError('already_decided', `the application is ${row.status} already`)
  if (isDecided(row.status)) {
    // A request that is repeated after its answer was lost finds its own decision.
    const taken = await findTakenNote(db, id)
    if (taken?.id !== operationId) throw decided
    return { status: 200, body: await presentApplication(db, row, 'decider') }
  }
  if (row.stage !== 'approval') {
    throw new DomainError('not_ready', `the application is at the stage ${row.stage}`)
  }
  if (body.decision === 'approve' && (await hasTerritoryConflict(db, id))) {
    throw new DomainError(
      'territory_conflict',
      'a territory that it asks for is held by another partner: rule on the conflict first',
    )
  }
  await inTransaction(db, (trx) =>
    recordDecisionNote(trx, {
      id: operationId,
      applicationId: id,
      memberId: principal.memberId,
      decision: body.decision,
      reason: body.reason,
      effectiveFrom: body.effective_from ? new Date(body.effective_from) : new Date(),
    }),
  )
  await updateProcess(deps, {
    workflowId: workflowIds.onboarding(id),
    definition: decideApplication,
    args: [
      {
        noteId: operationId,
        decision: body.decision,
        memberId: principal.memberId,
        memberPartnerId: principal.partnerId,
      },
    ],
    updateId: operationId,
    ended: decided,
  })
  return {
    status: 200,
    body: await presentApplication(db, await getApplication(db, id), 'decider'),
  }
}
