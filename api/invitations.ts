/** How the first person of a partner comes in: by the invitation that was mailed to it. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import { type Principal, recordApiKey, recordMember, takeInvitation } from '../db/access.ts'
import { databaseNow, inTransaction } from '../db/database.ts'
import { findParent } from '../db/partners.ts'
import { outwardId } from '../domain/ids.ts'
import { broadScopes } from '../domain/scopes.ts'
import { keyEnd } from './api-keys.ts'
import type { ApiDeps } from './deps.ts'
import { generateKey } from './keys.ts'
import { setFirstPassword } from './members.ts'
import { startCommitted } from './processes.ts'
import { type Answer, type Call, openRoute, type Route } from './route.ts'
import { passwordField } from './sign-in.ts'
import { hashToken } from './tokens.ts'
import { tellOnboarding } from './training/enrolments.ts'
import { idAnswer, text } from './validate.ts'

const invitationForm = z.strictObject({
  token: text(200),
  password: passwordField.optional(),
})

const acceptedAnswer = z.object({
  member: idAnswer('member'),
  partner: idAnswer('partner'),
  api_key: z.string().meta({ description: 'The first key; it is shown in this answer only.' }),
})

export function invitationRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/v1/invitations/accept',
      tag: 'Access',
      summary: 'Take up an invitation',
      description:
        'The token of the mail works once and for seven days. With a password you can sign in too.',
      access: 'public',
      body: invitationForm,
      answers: { 201: { description: 'You are a member now', schema: acceptedAnswer } },
      refusals: ['not_found', 'gone', 'conflict'],
      handle: (call) => acceptInvitation(deps, call),
    }),
  ]
}

async function acceptInvitation(
  deps: ApiDeps,
  { db, body, operationId }: Call<unknown, z.output<typeof invitationForm>, Principal | null>,
): Promise<Answer> {
  const tokenHash = hashToken(body.token)
  const { secret, ...stored } = generateKey(deps.settings.keyMode)
  const taken = await inTransaction(db, async (trx) => {
    const { partnerId, name, email } = await takeInvitation(trx, { tokenHash, operationId })
    const memberId = await recordMember(trx, { id: randomUUIDv7(), partnerId, name, email })
    const { password } = body
    if (password !== undefined) await setFirstPassword(trx, { name, email, password })
    await recordApiKey(trx, {
      ...stored,
      id: operationId,
      memberId,
      label: 'first key',
      scopes: [...broadScopes],
      expiresAt: keyEnd(await databaseNow(trx)),
    })
    return { memberId, partnerId }
  })
  // A partner that has to be certified first has somebody now who can learn.
  if ((await findParent(db, taken.partnerId))?.status === 'approved') {
    await startCommitted(deps, () => tellOnboarding(deps, taken.partnerId))
  }
  return {
    status: 201,
    body: {
      member: outwardId('member', taken.memberId),
      partner: outwardId('partner', taken.partnerId),
      api_key: secret,
    },
  }
}
