/** The end of a partnership and the way back: proposed by one person, approved by another. */
import { z } from 'zod'
import { recordProposal } from '../../db/approvals.ts'
import { type Db, databaseNow, inTransaction } from '../../db/database.ts'
import { findStandingTermination, findTerminationProblem } from '../../db/lifecycle/terminations.ts'
import { findPartner, type PartnerRow } from '../../db/partners.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { mayBecome, terminationReasons } from '../../domain/lifecycle.ts'
import { approvalAnswer, presentApproval } from '../approvals.ts'
import { type Call, type Route, route } from '../route.ts'
import { found, idField, instantField, pathId, text } from '../validate.ts'

const terminationForm = z.strictObject({
  reason_code: z.enum(terminationReasons),
  reason: text(500),
  effective_on: instantField.optional(),
  successor: idField('partner').optional(),
})

const reinstatementForm = z.strictObject({ reason: text(500) })

const notFound = 'there is no such partner'

export function terminationRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/partners/:id/termination',
      tag: 'Lifecycle',
      summary: 'Propose the end of a partnership',
      description:
        'It takes effect with the approval of another person, or at `effective_on`. Customers ' +
        'with live subscriptions and the partners below go to the `successor`: its parent where ' +
        'none is named. `fraud` cancels what was earned and is not paid; for any other reason it ' +
        'is paid with the next settlement, also below the usual minimum.',
      access: 'partners.terminate',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: terminationForm,
      answers: { 202: { description: 'It waits for another person', schema: approvalAnswer } },
      refusals: ['not_found', 'invalid_request', 'conflict', 'parent_not_active'],
      handle: proposeTermination,
    }),
    route({
      method: 'POST',
      path: '/v1/partners/:id/reinstatement',
      tag: 'Lifecycle',
      summary: 'Propose to take a termination back',
      description:
        'With the approval of another person the partner is back, and exactly what its ' +
        'termination has cancelled is given again. Its customers stay with the successor and its ' +
        'keys stay revoked. A termination that waits for its time is called off.',
      access: 'partners.terminate',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: reinstatementForm,
      answers: { 202: { description: 'It waits for another person', schema: approvalAnswer } },
      refusals: ['not_found', 'conflict'],
      handle: proposeReinstatement,
    }),
  ]
}

async function proposeTermination(call: Call<unknown, z.output<typeof terminationForm>>) {
  const { db, params, body, operationId: id, principal } = call
  const partner = found(await findPartner(db, pathId('partner', params.id, notFound)), notFound)
  const standing = await findStandingTermination(db, partner.id)
  if (standing || !mayBecome(partner.status, 'terminated')) {
    throw new DomainError('conflict', 'the partner is terminated, or about to be')
  }
  const successorId = body.successor ?? partner.parentId
  await checkFacts(db, { partner, body })
  const row = await inTransaction(db, async (trx) => {
    const problem = await findTerminationProblem(trx, { partnerId: partner.id, successorId })
    if (problem) throw problem
    return recordProposal(trx, {
      kind: 'termination',
      id,
      concernedId: partner.id,
      reasonCode: body.reason_code,
      reason: body.reason,
      successorId,
      effectiveAt: body.effective_on ?? null,
      proposedBy: principal.memberId,
    })
  })
  return proposed(row)
}

/** @throws DomainError `invalid_request` for a time that is over, or an unknown successor. */
async function checkFacts(
  db: Db,
  { partner, body }: { partner: PartnerRow; body: z.output<typeof terminationForm> },
): Promise<void> {
  const fields = []
  if (body.effective_on && body.effective_on <= (await databaseNow(db))) {
    fields.push({ pointer: '/effective_on', code: 'invalid', detail: 'expected a time to come' })
  }
  if (body.successor === partner.id) {
    fields.push({ pointer: '/successor', code: 'invalid', detail: 'expected another partner' })
  } else if (body.successor && !(await findPartner(db, body.successor))) {
    fields.push({ pointer: '/successor', code: 'invalid', detail: notFound })
  }
  if (fields.length > 0) {
    throw new DomainError('invalid_request', 'body: the partner cannot be terminated like this', {
      fields,
    })
  }
}

async function proposeReinstatement(call: Call<unknown, z.output<typeof reinstatementForm>>) {
  const { db, params, body, operationId: id, principal } = call
  const partner = found(await findPartner(db, pathId('partner', params.id, notFound)), notFound)
  if (!(await findStandingTermination(db, partner.id))) {
    throw new DomainError('conflict', 'the partner is not terminated')
  }
  const row = await inTransaction(db, (trx) =>
    recordProposal(trx, {
      kind: 'reinstatement',
      id,
      concernedId: partner.id,
      reason: body.reason,
      proposedBy: principal.memberId,
    }),
  )
  return proposed(row)
}

function proposed(row: Parameters<typeof presentApproval>[0]) {
  const body = presentApproval(row)
  return {
    status: 202,
    body,
    headers: { Location: `/v1/approvals/${outwardId('approval', row.id)}` },
  }
}
