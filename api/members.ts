/** The people of an organisation: who is invited, what each may do, and who may not any more. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import type { Principal } from '../db/access.ts'
import { type Db, inTransaction, type Trx } from '../db/database.ts'
import { recordFirstPassword } from '../db/people/credentials.ts'
import { recordAccessMail } from '../db/people/mails.ts'
import {
  findMember,
  findMemberInvitation,
  hasOtherOwner,
  listMemberInvitations,
  listMembers,
  lockMembers,
  type MemberInvitationRow,
  type MemberRow,
  markMemberInvitationRevoked,
  markMemberRole,
  markMemberStatus,
  recordMemberInvitation,
  takeMemberInvitation,
} from '../db/people/members.ts'
import { requireRoom } from '../db/tenant-quotas.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { type MemberRole, mayGrant, memberRoles, memberStatuses } from '../domain/members.ts'
import { hashPassword } from '../integrations/passwords.ts'
import type { ApiDeps } from './deps.ts'
import { etagOf, requireMatch } from './etag.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { requireGoodPassword } from './passwords.ts'
import { type Answer, type Call, openRoute, type Route, route } from './route.ts'
import { refuseKeyed } from './session-cookies.ts'
import { passwordField } from './sign-in.ts'
import { hashToken } from './tokens.ts'
import { emailAddress, found, idAnswer, instantAnswer, pathId, text } from './validate.ts'

const inviteSeconds = 7 * 24 * 3_600

const invitationForm = z.strictObject({
  name: text(),
  email: emailAddress,
  role: z.enum(memberRoles),
})

const memberForm = z
  .strictObject({ role: z.enum(memberRoles).optional(), status: z.enum(memberStatuses).optional() })
  .refine(({ role, status }) => role !== undefined || status !== undefined, 'give role or status')

const acceptForm = z.strictObject({ token: text(200), password: passwordField.optional() })

const memberAnswer = z.object({
  id: idAnswer('member'),
  name: z.string(),
  email: z.string(),
  role: z.enum(memberRoles),
  status: z.enum(memberStatuses),
  created_at: instantAnswer,
  disabled_at: instantAnswer.nullable(),
})

const invitationAnswer = z.object({
  id: idAnswer('memberInvitation'),
  name: z.string(),
  email: z.string(),
  role: z.enum(memberRoles),
  invited_by: idAnswer('member'),
  expires_at: instantAnswer,
  accepted_at: instantAnswer.nullable(),
  revoked_at: instantAnswer.nullable(),
  created_at: instantAnswer,
})

const acceptedAnswer = z.object({
  member: idAnswer('member'),
  partner: idAnswer('partner').nullable(),
  role: z.enum(memberRoles),
})

const tag = 'Members'
const noMember = 'there is no such member'
const noInvitation = 'there is no such invitation'

export function memberRoutes(deps: ApiDeps): Route[] {
  return [...keptRoutes(), ...invitationRoutes(deps)]
}

function keptRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/members',
      tag,
      summary: 'List the members of your organisation',
      access: 'members.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(memberAnswer) } },
      refusals: [],
      handle: async ({ db, principal, query }) => {
        const page = await listMembers(db, principal, pageRequest(query))
        return { status: 200, body: presentPage(page, presentMember) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/members/:id',
      tag,
      summary: 'Read a member',
      access: 'members.read',
      answers: { 200: { description: 'The member', schema: memberAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, principal, params }) => {
        const id = pathId('member', params.id, noMember)
        const row = found(await findMember(db, principal, id), noMember)
        return { status: 200, body: presentMember(row), headers: { ETag: etagOf(row.version) } }
      },
    }),
    route({
      method: 'PATCH',
      path: '/v1/members/:id',
      tag,
      summary: 'Give a member another role, disable it or let it in again',
      description:
        'Nobody gives a role above its own. An organisation keeps an owner. Who is disabled is ' +
        'signed out at once, and its keys are revoked for good. Send the ETag of the member that ' +
        'you have read as If-Match.',
      access: 'members.write',
      effect: 'transaction',
      body: memberForm,
      answers: { 200: { description: 'The member', schema: memberAnswer } },
      refusals: [
        'forbidden',
        'not_found',
        'conflict',
        'precondition_required',
        'precondition_failed',
      ],
      handle: async ({ db, principal, params, body, header }) => {
        const id = pathId('member', params.id, noMember)
        const change = { id, ifMatch: header('If-Match'), ...body }
        const row = await inTransaction(db, (trx) => changeMember(trx, principal, change))
        return { status: 200, body: presentMember(row), headers: { ETag: etagOf(row.version) } }
      },
    }),
  ]
}

function invitationRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/member-invitations',
      tag,
      summary: 'Invite somebody to your organisation',
      description: 'By mail, once and for seven days; an earlier open invitation is withdrawn.',
      access: 'members.write',
      effect: 'transaction',
      body: invitationForm,
      answers: { 201: { description: 'Invited', schema: invitationAnswer } },
      refusals: ['forbidden', 'conflict', 'quota_exceeded'],
      handle: (call) => invite(deps, call),
    }),
    route({
      method: 'GET',
      path: '/v1/member-invitations',
      tag,
      summary: 'List the invitations of your organisation',
      access: 'members.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(invitationAnswer) } },
      refusals: [],
      handle: async ({ db, principal, query }) => {
        const page = await listMemberInvitations(db, principal, pageRequest(query))
        return { status: 200, body: presentPage(page, presentInvitation) }
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/member-invitations/:id',
      tag,
      summary: 'Withdraw an invitation',
      access: 'members.write',
      effect: 'transaction',
      answers: { 200: { description: 'Withdrawn', schema: invitationAnswer } },
      refusals: ['forbidden', 'not_found'],
      handle: async ({ db, principal, params }) => {
        const id = pathId('memberInvitation', params.id, noInvitation)
        const row = await inTransaction(db, async (trx) => {
          const { role } = found(await findMemberInvitation(trx, principal, id), noInvitation)
          await requireRank(trx, principal, role)
          await markMemberInvitationRevoked(trx, id)
          return found(await findMemberInvitation(trx, principal, id), noInvitation)
        })
        return { status: 200, body: presentInvitation(row) }
      },
    }),
    openRoute({
      method: 'POST',
      path: '/v1/member-invitations/accept',
      tag,
      summary: 'Take up the invitation to be a member',
      description:
        'The token of the mail works once and for seven days. Who has no password yet, from ' +
        'another organisation, chooses one here.',
      access: 'public',
      body: acceptForm,
      answers: { 201: { description: 'You are a member now', schema: acceptedAnswer } },
      refusals: ['not_found', 'gone', 'conflict'],
      handle: (call) => accept(call),
    }),
  ]
}

/** @throws DomainError `forbidden` for who may not give this role, or change who has it. */
async function requireRank(db: Db, principal: Principal, role: MemberRole): Promise<void> {
  const actor = await findMember(db, principal, principal.memberId)
  if (actor?.status === 'active' && mayGrant(actor.role, role)) return
  throw new DomainError('forbidden', `your role may not decide about the role ${role}`)
}

type Change = { id: string; ifMatch: string } & z.output<typeof memberForm>

async function changeMember(trx: Trx, principal: Principal, change: Change): Promise<MemberRow> {
  await lockMembers(trx, principal)
  const { id } = change
  const before = found(await findMember(trx, principal, id), noMember)
  requireMatch(change.ifMatch, before.version)
  const { role = before.role, status = before.status } = change
  await requireRank(trx, principal, before.role)
  await requireRank(trx, principal, role)
  const isOwner = role === 'owner' && status === 'active'
  const wasOwner = before.role === 'owner' && before.status === 'active'
  if (wasOwner && !isOwner && !(await hasOtherOwner(trx, principal, id))) {
    throw new DomainError('conflict', 'an organisation keeps an owner: make another one first')
  }
  if (role !== before.role) await markMemberRole(trx, id, role)
  if (status !== before.status) await markMemberStatus(trx, id, status)
  return found(await findMember(trx, principal, id), noMember)
}

async function invite(
  { links }: ApiDeps,
  { db, principal, body, operationId: id }: Call<unknown, z.output<typeof invitationForm>>,
): Promise<Answer> {
  const { partnerId, customerId, memberId: invitedBy } = principal
  const { name, email, role } = body
  const tokenHash = hashToken(links.memberInvitationToken(id))
  const row = await inTransaction(db, async (trx) => {
    await lockMembers(trx, principal)
    await requireRank(trx, principal, role)
    const invitation = { id, partnerId, customerId, name, email, role, tokenHash, invitedBy }
    if (!principal.customerId) await requireRoom(trx, principal.partnerId, 'members')
    const { isNew } = await recordMemberInvitation(trx, {
      ...invitation,
      lifeSeconds: inviteSeconds,
    })
    if (isNew) {
      const to = { partnerId, recipient: email, name }
      await recordAccessMail(trx, { kind: 'member_invitation', subjectId: id, ...to })
    }
    return found(await findMemberInvitation(trx, principal, id), noInvitation)
  })
  return { status: 201, body: presentInvitation(row) }
}

async function accept({
  db,
  body,
  header,
}: Pick<Call<unknown, z.output<typeof acceptForm>>, 'db' | 'body' | 'header'>): Promise<Answer> {
  refuseKeyed(header)
  const { token, password } = body
  const taken = await inTransaction(db, async (trx) => {
    const memberId = randomUUIDv7()
    const member = await takeMemberInvitation(trx, { tokenHash: hashToken(token), memberId })
    if (password !== undefined) await setFirstPassword(trx, { ...member, password })
    return member
  })
  const { id, partnerId, role } = taken
  return {
    status: 201,
    body: {
      member: outwardId('member', id),
      partner: partnerId && outwardId('partner', partnerId),
      role,
    },
  }
}

/** @throws DomainError `invalid_request`; `conflict` for who has a password already. */
export async function setFirstPassword(
  trx: Trx,
  { name, email, password }: { name: string; email: string; password: string },
): Promise<void> {
  requireGoodPassword(password, { name, email })
  await recordFirstPassword(trx, { email, passwordHash: await hashPassword(password) })
}

function presentMember(row: MemberRow) {
  return {
    id: outwardId('member', row.id),
    name: row.name,
    email: row.email,
    role: row.role,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    disabled_at: row.disabledAt?.toISOString() ?? null,
  }
}

function presentInvitation(row: MemberInvitationRow) {
  return {
    id: outwardId('memberInvitation', row.id),
    name: row.name,
    email: row.email,
    role: row.role,
    invited_by: outwardId('member', row.invitedBy),
    expires_at: row.expiresAt.toISOString(),
    accepted_at: row.acceptedAt?.toISOString() ?? null,
    revoked_at: row.revokedAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
  }
}
