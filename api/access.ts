/** Who you are. */
import { z } from 'zod'
import type { Principal } from '../db/access.ts'
import { outwardId } from '../domain/ids.ts'
import { memberRoles } from '../domain/members.ts'
import { actorLevels } from '../domain/partners.ts'
import { type Route, route } from './route.ts'
import { idAnswer } from './validate.ts'

const meAnswer = z.object({
  member: idAnswer('member'),
  name: z.string(),
  level: z.enum(actorLevels),
  role: z.enum(memberRoles),
  partner: idAnswer('partner').nullable(),
  partner_name: z.string().nullable(),
  partner_status: z.string().nullable(),
  customer: idAnswer('customer').nullable(),
  scopes: z.array(z.string()),
})

export function accessRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/me',
      tag: 'Access',
      summary: 'Who am I',
      description: 'For people of a customer, `partner` is the one that sells to it.',
      access: 'account.read',
      answers: { 200: { description: 'The member behind the key', schema: meAnswer } },
      refusals: [],
      handle: async ({ principal }) => ({ status: 200, body: presentMe(principal) }),
    }),
  ]
}

function presentMe(principal: Principal) {
  const { partnerId, customerId } = principal
  return {
    member: outwardId('member', principal.memberId),
    name: principal.memberName,
    level: principal.level,
    role: principal.role,
    partner: partnerId && outwardId('partner', partnerId),
    partner_name: principal.partnerName,
    // How its seller stands with us is no matter of a customer.
    partner_status: customerId ? null : principal.partnerStatus,
    customer: customerId && outwardId('customer', customerId),
    scopes: principal.scopes,
  }
}
