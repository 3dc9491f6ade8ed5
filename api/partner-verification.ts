/** Whether a partner is known at the payment provider, after its first day. */
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import { findPayoutAccount } from '../db/onboarding/payout-accounts.ts'
import {
  findPartnerVerification,
  listExtensions,
  listPartnerVerifications,
  type PartnerVerificationRow,
  recordExtension,
} from '../db/partner-verifications.ts'
import { findPartner } from '../db/partners.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { verificationStatuses } from '../domain/onboarding.ts'
import { workflowIds } from '../domain/process-names.ts'
import { actorOf, identityStatuses } from '../domain/verification.ts'
import { extendReverification, refreshReverificationLink } from '../workflows/contract.ts'
import type { ApiDeps } from './deps.ts'
import { updateProcess } from './processes.ts'
import { type Call, type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId, text } from './validate.ts'

const longestHistory = 100
const longestExtensionDays = 180

const stateAnswer = z.object({
  status: z.enum(verificationStatuses),
  /** Of the check of the contact person, where the programme wants one. */
  identity: z.enum(identityStatuses).nullable(),
  detail: z.string().nullable(),
  requirements: z.array(z.string()),
  deadline: z.enum(['eventually_due', 'currently_due', 'past_due']).nullable(),
  deadline_at: instantAnswer.nullable(),
  payouts_held: z.boolean(),
  sales_stopped: z.boolean(),
  extended_until: instantAnswer.nullable(),
})

const verificationAnswer = stateAnswer.extend({
  partner: idAnswer('partner'),
  next_actor: z.string().nullable(),
  history: z.array(stateAnswer.extend({ at: instantAnswer })),
  extensions: z
    .array(
      z.object({
        until: instantAnswer,
        lifts_holds: z.boolean(),
        reason: z.string(),
        member: idAnswer('member'),
        at: instantAnswer,
      }),
    )
    .optional(),
})

const extensionForm = z.strictObject({
  until: z.iso.datetime({ offset: true }),
  reason: text(500),
  lift_holds: z.boolean().default(false),
})

const linkAnswer = z.object({ url: z.url(), expires_at: instantAnswer.nullable() })

const noPartner = 'there is no such partner'
const notWaiting = 'nothing is asked of this partner now'

export function partnerVerificationRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/partners/:id/verification',
      tag: 'Partners',
      summary: 'Read how a partner is known at the payment provider',
      description:
        'What is asked is named by the provider’s own fields; answers are not kept here. Reasons ' +
        'of extensions are shown to the platform.',
      access: 'partners.read',
      answers: {
        200: { description: 'How it stands, and how it came', schema: verificationAnswer },
      },
      refusals: ['not_found'],
      handle: async (call) => ({ status: 200, body: await read(call) }),
    }),
    route({
      method: 'POST',
      path: '/v1/partners/:id/verification/extension',
      tag: 'Partners',
      summary: 'Give a partner more time',
      description:
        'Until then nothing more is held or stopped; with `lift_holds` what is held goes at once.',
      access: 'verification.extend',
      idempotencyKey: 'required',
      body: extensionForm,
      answers: { 200: { description: 'Extended', schema: verificationAnswer } },
      refusals: ['invalid_request', 'not_found', 'not_ready', 'temporarily_unavailable'],
      handle: (call) => extend(deps, call),
    }),
    route({
      method: 'POST',
      path: '/v1/partners/:id/verification/link',
      tag: 'Partners',
      summary: 'Get a fresh link to the payment provider’s page',
      description: 'For people of the partner itself. The link works once and for minutes.',
      access: 'verification.link',
      idempotencyKey: 'required',
      answers: { 200: { description: 'The link', schema: linkAnswer } },
      refusals: ['not_found', 'not_ready', 'temporarily_unavailable'],
      handle: (call) => makeLink(deps, call),
    }),
  ]
}

/** @throws DomainError `not_found` also for a partner that the caller may not see. */
async function partnerOf({ db, params }: Pick<Call, 'db' | 'params'>): Promise<string> {
  const id = pathId('partner', params.id, noPartner)
  return found(await findPartner(db, id), noPartner).id
}

async function read(call: Pick<Call, 'db' | 'params' | 'principal'>) {
  const { db, principal } = call
  const id = await partnerOf(call)
  const [rows, extensions] = await Promise.all([
    listPartnerVerifications(db, id, longestHistory),
    principal.level === 'super_admin' ? listExtensions(db, id) : null,
  ])
  const now = rows[0]
  return {
    partner: outwardId('partner', id),
    next_actor: actorOf(now?.status ?? 'not_started'),
    ...presentState(now),
    history: rows.map((row) => ({ at: row.at.toISOString(), ...presentState(row) })),
    ...(extensions
      ? {
          extensions: extensions.map((one) => ({
            until: one.until.toISOString(),
            lifts_holds: one.lifts,
            reason: one.reason,
            member: outwardId('member', one.memberId),
            at: one.createdAt.toISOString(),
          })),
        }
      : {}),
  }
}

function presentState(row: PartnerVerificationRow | undefined) {
  return {
    status: row?.status ?? ('not_started' as const),
    identity: identityStatuses.find((one) => one === row?.identityStatus) ?? null,
    detail: row?.detail ?? null,
    requirements: row?.requirements ?? [],
    deadline: row?.deadline ?? null,
    deadline_at: row?.deadlineAt?.toISOString() ?? null,
    payouts_held: row?.payoutsHeld ?? false,
    sales_stopped: row?.salesStopped ?? false,
    extended_until: row?.extendedUntil?.toISOString() ?? null,
  }
}

type ExtensionCall = Call<unknown, z.output<typeof extensionForm>>

async function extend(deps: ApiDeps, call: ExtensionCall) {
  const { db, body, principal, operationId } = call
  const partnerId = await partnerOf(call)
  const until = new Date(body.until)
  const days = (until.getTime() - Date.now()) / 86_400_000
  if (days <= 0 || days > longestExtensionDays) {
    throw new DomainError('invalid_request', 'body: the extension ends at no good time', {
      fields: [
        {
          pointer: '/until',
          code: 'invalid',
          detail: `expected a time within the next ${longestExtensionDays} days`,
        },
      ],
    })
  }
  await inTransaction(db, (trx) =>
    recordExtension(trx, {
      id: operationId,
      partnerId,
      memberId: principal.memberId,
      lifts: body.lift_holds,
      until,
      reason: body.reason,
    }),
  )
  await updateProcess(deps, {
    workflowId: workflowIds.reverification(partnerId),
    definition: extendReverification,
    args: [{ extensionId: operationId }],
    updateId: operationId,
    ended: new DomainError('not_ready', notWaiting),
  })
  return { status: 200, body: await read(call) }
}

async function makeLink(
  deps: ApiDeps,
  call: Pick<Call, 'db' | 'params' | 'principal' | 'as' | 'operationId'>,
) {
  const partnerId = await partnerOf(call)
  // Those above see the partner, and still do not speak for it.
  if (partnerId !== call.principal.partnerId) throw new DomainError('not_found', noPartner)
  await updateProcess(deps, {
    workflowId: workflowIds.reverification(partnerId),
    definition: refreshReverificationLink,
    args: [],
    updateId: call.operationId,
    ended: new DomainError('not_ready', notWaiting),
  })
  const account = await findPayoutAccount(call.as('intake', partnerId), partnerId)
  if (!account?.linkUrl) throw new DomainError('not_ready', notWaiting)
  const { linkUrl, linkExpiresAt } = account
  return { status: 200, body: { url: linkUrl, expires_at: linkExpiresAt?.toISOString() ?? null } }
}

/** @throws DomainError `verification_required` while a partner may open nothing new. */
export async function refuseStoppedSales(
  db: Parameters<typeof findPartnerVerification>[0],
  partnerId: string,
): Promise<void> {
  const state = await findPartnerVerification(db, partnerId)
  if (!state?.salesStopped) return
  throw new DomainError(
    'verification_required',
    'the payment provider misses an answer from you, so nothing new can be sold: ask for a link ' +
      'with POST /v1/partners/{id}/verification/link and answer on its page',
  )
}
