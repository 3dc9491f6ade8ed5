/** What people of the platform decide about tiers beside overrides: falls, locks and promotions. */
import { z } from 'zod'
import { databaseNow, inTransaction } from '../db/database.ts'
import { findOpenGrace, recordGraceDecision } from '../db/tier-graces.ts'
import { findTierLock, markTierLockReleased, recordTierLock } from '../db/tier-locks.ts'
import { recordPromotionDecision } from '../db/tier-promotions.ts'
import { DomainError } from '../domain/errors.ts'
import { workflowIds } from '../domain/process-names.ts'
import { decideTierGrace } from '../workflows/contract.ts'
import type { ApiDeps } from './deps.ts'
import { updateProcess } from './processes.ts'
import { type Call, type Route, route } from './route.ts'
import { partnerOf, progressAnswer, readProgress } from './tier-progress.ts'
import { instantField, text } from './validate.ts'

const reasonForm = z.strictObject({ reason: text(500) })
const lockForm = z.strictObject({ reason: text(500), until: instantField.optional() })
const promotionForm = z.strictObject({
  decision: z.enum(['approve', 'decline']),
  reason: text(500),
})

const answers = { 200: { description: 'How it stands now', schema: progressAnswer } }

export function tierDecisionRoutes(deps: ApiDeps): Route[] {
  return [...graceRoutes(deps), ...lockRoutes(), promotionRoute()]
}

function graceRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/partners/:id/tier-grace/waive',
      tag: 'Tiers',
      summary: 'Let a partner keep its tier although its figure is too small',
      description: 'Ends the grace. The review of a later quarter may open another one.',
      access: 'tiers.override',
      idempotencyKey: 'required',
      body: reasonForm,
      answers,
      refusals: ['not_found', 'not_ready', 'temporarily_unavailable'],
      handle: (call) => decideGrace(deps, call, 'waive'),
    }),
    route({
      method: 'POST',
      path: '/v1/partners/:id/tier-grace/apply',
      tag: 'Tiers',
      summary: 'Lower a tier before its grace is over',
      description: 'By the one step that the partner was warned of, from now on.',
      access: 'tiers.override',
      idempotencyKey: 'required',
      body: reasonForm,
      answers,
      refusals: ['not_found', 'not_ready', 'temporarily_unavailable'],
      handle: (call) => decideGrace(deps, call, 'apply'),
    }),
  ]
}

function lockRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/partners/:id/tier-lock',
      tag: 'Tiers',
      summary: 'Keep a partner’s tier from falling',
      description:
        'Until then, or until it is released; it may still rise. It takes the place of a lock ' +
        'before it. A grace that is open ends the next time that it is looked at.',
      access: 'tiers.override',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: lockForm,
      answers,
      refusals: ['not_found', 'invalid_request'],
      handle: lock,
    }),
    route({
      method: 'POST',
      path: '/v1/partners/:id/tier-lock/release',
      tag: 'Tiers',
      summary: 'Release the lock of a partner’s tier',
      access: 'tiers.override',
      effect: 'transaction',
      answers,
      refusals: ['not_found', 'not_ready'],
      handle: release,
    }),
  ]
}

function promotionRoute(): Route {
  return route({
    method: 'POST',
    path: '/v1/partners/:id/tier-promotion',
    tag: 'Tiers',
    summary: 'Say yes or no to a promotion that waits for a person',
    description:
      'Where the programme wants it (`tier_approval_for`). What is declined comes again with the ' +
      'next review, if the figure is still there.',
    access: 'tiers.override',
    effect: 'transaction',
    body: promotionForm,
    answers,
    refusals: ['not_found', 'not_ready', 'already_decided', 'conflict'],
    handle: decidePromotion,
  })
}

type ReasonCall = Call<unknown, z.output<typeof reasonForm>>

async function decideGrace(deps: ApiDeps, call: ReasonCall, kind: 'waive' | 'apply') {
  const { db, body, principal, operationId: id } = call
  const partnerId = await partnerOf(call)
  const grace = await findOpenGrace(db, partnerId)
  const none = new DomainError('not_ready', 'the tier of this partner is not about to fall')
  if (!grace) throw none
  const { memberId } = principal
  await inTransaction(db, (trx) =>
    recordGraceDecision(trx, { id, graceId: grace.id, kind, memberId, reason: body.reason }),
  )
  await updateProcess(deps, {
    workflowId: workflowIds.tierGrace(partnerId, grace.period),
    definition: decideTierGrace,
    args: [{ decisionId: id }],
    updateId: id,
    ended: none,
  })
  return { status: 200, body: await readProgress(call) }
}

async function lock(call: Call<unknown, z.output<typeof lockForm>>) {
  const { db, body, principal, operationId: id } = call
  const partnerId = await partnerOf(call)
  const { reason, until = null } = body
  if (until && until <= (await databaseNow(db))) {
    throw new DomainError('invalid_request', 'body: the lock is over already', {
      fields: [{ pointer: '/until', code: 'invalid', detail: 'expected a time to come' }],
    })
  }
  const { memberId } = principal
  await inTransaction(db, (trx) => recordTierLock(trx, { id, partnerId, until, reason, memberId }))
  return { status: 200, body: await readProgress(call) }
}

async function release(call: Pick<Call, 'db' | 'params' | 'principal'>) {
  const { db, principal } = call
  const partnerId = await partnerOf(call)
  if (!(await findTierLock(db, partnerId))) {
    throw new DomainError('not_ready', 'the tier of this partner is not locked')
  }
  const { memberId } = principal
  await inTransaction(db, (trx) => markTierLockReleased(trx, { partnerId, memberId }))
  return { status: 200, body: await readProgress(call) }
}

async function decidePromotion(call: Call<unknown, z.output<typeof promotionForm>>) {
  const { db, body, principal } = call
  const partnerId = await partnerOf(call)
  const { memberId } = principal
  const approved = body.decision === 'approve'
  await inTransaction(db, (trx) =>
    recordPromotionDecision(trx, { partnerId, approved, memberId, reason: body.reason }),
  )
  return { status: 200, body: await readProgress(call) }
}
