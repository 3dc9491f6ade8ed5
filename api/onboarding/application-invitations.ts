/** Who is invited to apply, and the form as it is for whoever opens it. */
import { z } from 'zod'
import { type Db, inTransaction } from '../../db/database.ts'
import {
  type ApplicationInvitationRow,
  findApplicationInvitation,
  findInvitationByToken,
  findInvitedApplication,
  listApplicationInvitations,
  lockApplicationInvitation,
  markInvitationRevoked,
  markInvitationSentAgain,
  mostMails,
  recordApplicationInvitation,
} from '../../db/onboarding/application-invitations.ts'
import { recordAccessMail } from '../../db/people/mails.ts'
import { getProgramme } from '../../db/programmes.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { partnerLevels, partnerTypes } from '../../domain/partners.ts'
import type { ApiDeps } from '../deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from '../paging.ts'
import { type Answer, type Call, openRoute, type Route, route } from '../route.ts'
import { hashToken } from '../tokens.ts'
import { emailAddress, found, idAnswer, instantAnswer, pathId, text } from '../validate.ts'
import { customFieldAnswer } from './application-fields.ts'
import { requireFitParent } from './parents.ts'

const invitationForm = z.strictObject({
  name: text(),
  email: emailAddress,
  level: z.enum(partnerLevels),
  type: z.enum(partnerTypes).optional(),
  message: text(2_000).optional(),
})

const invitationStatuses = ['open', 'used', 'revoked', 'expired'] as const

const invitationAnswer = z.object({
  id: idAnswer('applicationInvitation'),
  status: z.enum(invitationStatuses),
  name: z.string(),
  email: z.string(),
  level: z.enum(partnerLevels),
  type: z.enum(partnerTypes).nullable(),
  message: z.string().nullable(),
  partner: idAnswer('partner').nullable(),
  invited_by: idAnswer('member'),
  application: idAnswer('application').nullable().optional(),
  times_sent: z.int(),
  last_sent_at: instantAnswer,
  expires_at: instantAnswer,
  created_at: instantAnswer,
})

const formAnswer = z.object({
  programme: z.string(),
  currency: z.string(),
  types: z.array(z.enum(partnerTypes)),
  levels: z.array(z.enum(partnerLevels)),
  parent_levels: z
    .array(z.enum(partnerLevels))
    .meta({ description: 'The levels of those who apply that may name a parent.' }),
  custom_fields: z.array(customFieldAnswer),
  invitation: z
    .object({
      inviter: z.string().nullable(),
      contact: z.object({ name: z.string(), email: z.string() }),
      level: z.enum(partnerLevels),
      type: z.enum(partnerTypes).nullable(),
      message: z.string().nullable(),
      expires_at: instantAnswer,
    })
    .nullable(),
})

const tag = 'Onboarding'
const noInvitation = 'there is no such invitation'

export function applicationInvitationRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/v1/application-form',
      tag,
      summary: 'Read what the application form asks',
      description: 'With the token of an invitation also what is known of you already.',
      access: 'public',
      query: z.strictObject({ token: text(200).optional() }),
      answers: { 200: { description: 'The form', schema: formAnswer } },
      refusals: ['not_found', 'gone'],
      handle: async ({ as, query, operationId }) => {
        const db = as('intake', operationId)
        const { token } = query
        const invitation = token === undefined ? null : await openInvitation(db, token)
        return { status: 200, body: await presentForm(db, invitation) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/application-invitations',
      tag,
      summary: 'Invite somebody to apply',
      description:
        'By mail, with a link to the form that works once and for thirty days. Who applies with ' +
        'it applies below the partner that invites.',
      access: 'applications.invite',
      effect: 'transaction',
      body: invitationForm,
      answers: { 201: { description: 'Invited', schema: invitationAnswer } },
      refusals: ['conflict', 'parent_not_active'],
      handle: (call) => invite(deps, call),
    }),
    ...keptRoutes(),
    ...changingRoutes(),
  ]
}

function keptRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/application-invitations',
      tag,
      summary: 'List who was invited to apply',
      access: 'applications.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(invitationAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listApplicationInvitations(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentInvitation) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/application-invitations/:id',
      tag,
      summary: 'Read an invitation to apply',
      access: 'applications.read',
      answers: { 200: { description: 'The invitation', schema: invitationAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('applicationInvitation', params.id, noInvitation)
        return { status: 200, body: await presentOne(db, id) }
      },
    }),
  ]
}

function changingRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/application-invitations/:id/resend',
      tag,
      summary: 'Mail an invitation to apply again',
      description: 'At most once an hour and five times; the link works thirty days from then on.',
      access: 'applications.invite',
      effect: 'transaction',
      answers: { 200: { description: 'It is on its way', schema: invitationAnswer } },
      refusals: ['not_found', 'gone', 'conflict', 'too_many_requests'],
      handle: async ({ db, params }) => {
        const id = pathId('applicationInvitation', params.id, noInvitation)
        return { status: 200, body: await resend(db, id) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/application-invitations/:id/revoke',
      tag,
      summary: 'Withdraw an invitation to apply',
      access: 'applications.invite',
      effect: 'transaction',
      answers: { 200: { description: 'Its link opens nothing', schema: invitationAnswer } },
      refusals: ['not_found', 'gone'],
      handle: async ({ db, params }) => {
        const id = pathId('applicationInvitation', params.id, noInvitation)
        return { status: 200, body: await revoke(db, id) }
      },
    }),
  ]
}

async function invite(
  { links }: ApiDeps,
  { db, principal, body, operationId: id }: Call<unknown, z.output<typeof invitationForm>>,
): Promise<Answer> {
  const { partnerId, memberId: invitedBy } = principal
  const { name, email, level, type = null, message = '' } = body
  const programme = await getProgramme(db)
  if (partnerId) await requireFitParent(db, { programme, parentId: partnerId, level })
  const answer = await inTransaction(db, async (trx) => {
    const { isNew } = await recordApplicationInvitation(trx, {
      ...{ id, partnerId, invitedBy, name, email, message, level, type },
      tokenHash: hashToken(links.applicationInvitationToken(id)),
    })
    if (isNew) await mailInvitation(trx, { id, partnerId, name, email })
    return presentOne(trx, id)
  })
  return { status: 201, body: answer }
}

async function mailInvitation(
  trx: Parameters<typeof recordAccessMail>[0],
  to: Pick<ApplicationInvitationRow, 'id' | 'partnerId' | 'name' | 'email'>,
): Promise<void> {
  const { id: subjectId, partnerId, name, email: recipient } = to
  const mail = { kind: 'application_invitation', subjectId, partnerId, recipient, name } as const
  await recordAccessMail(trx, mail)
}

async function resend(db: Db, id: string) {
  return inTransaction(db, async (trx) => {
    const held = found(await lockApplicationInvitation(trx, id), noInvitation)
    if (held.usedAt || held.revokedAt) {
      throw new DomainError('gone', 'this invitation was used or withdrawn: invite again')
    }
    if (held.timesSent >= mostMails) {
      throw new DomainError('conflict', 'it was sent as often as it may be: withdraw it instead')
    }
    if (held.waitSeconds > 0) {
      throw new DomainError('too_many_requests', 'an invitation is sent at most once an hour', {
        retryAfterSeconds: held.waitSeconds,
      })
    }
    await markInvitationSentAgain(trx, id)
    const row = found(await findApplicationInvitation(trx, id), noInvitation)
    await mailInvitation(trx, row)
    return presentOne(trx, id)
  })
}

async function revoke(db: Db, id: string) {
  return inTransaction(db, async (trx) => {
    const held = found(await lockApplicationInvitation(trx, id), noInvitation)
    if (held.usedAt) {
      throw new DomainError('gone', 'this invitation was used: decide on the application instead')
    }
    await markInvitationRevoked(trx, id)
    return presentOne(trx, id)
  })
}

/**
 * The invitation behind a token, while it can be used.
 * @throws DomainError `not_found`, `gone`
 */
export async function openInvitation(db: Db, token: string): Promise<ApplicationInvitationRow> {
  const row = found(await findInvitationByToken(db, hashToken(token)), noInvitation)
  if (statusOf(row) === 'open') return row
  throw new DomainError('gone', 'this invitation was used, withdrawn or is too old')
}

function statusOf(row: ApplicationInvitationRow): (typeof invitationStatuses)[number] {
  if (row.usedAt) return 'used'
  if (row.revokedAt) return 'revoked'
  return row.expiresAt <= new Date() ? 'expired' : 'open'
}

async function presentOne(db: Db, id: string) {
  const row = found(await findApplicationInvitation(db, id), noInvitation)
  const application = await findInvitedApplication(db, id)
  return {
    ...presentInvitation(row),
    application: application ? outwardId('application', application.id) : null,
  }
}

function presentInvitation(row: ApplicationInvitationRow) {
  return {
    id: outwardId('applicationInvitation', row.id),
    status: statusOf(row),
    name: row.name,
    email: row.email,
    level: row.level,
    type: row.type,
    message: row.message || null,
    partner: row.partnerId && outwardId('partner', row.partnerId),
    invited_by: outwardId('member', row.invitedBy),
    times_sent: row.timesSent,
    last_sent_at: row.lastSentAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
    created_at: row.createdAt.toISOString(),
  }
}

/** What the form asks, and what is known of whoever was invited. */
export async function presentForm(db: Db, invitation: ApplicationInvitationRow | null) {
  const programme = await getProgramme(db)
  return {
    programme: programme.name,
    currency: programme.currency,
    types: partnerTypes,
    levels: partnerLevels,
    parent_levels: ['reseller'],
    custom_fields: programme.onboarding.customFields,
    invitation: invitation && {
      inviter: invitation.inviter,
      contact: { name: invitation.name, email: invitation.email },
      level: invitation.level,
      type: invitation.type,
      message: invitation.message || null,
      expires_at: invitation.expiresAt.toISOString(),
    },
  }
}
