/** People and programs of customers: the partner that sells to a customer lets them in. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import { recordApiKey, recordMember } from '../db/access.ts'
import { findApiKey } from '../db/api-keys.ts'
import { type Db, databaseNow, inTransaction, type Trx } from '../db/database.ts'
import { findMember, type MemberRow } from '../db/people/members.ts'
import { type CustomerRow, findCustomer } from '../db/subscriptions.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { memberRoles, memberStatuses } from '../domain/members.ts'
import { isNarrow, isReading } from '../domain/scopes.ts'
import {
  keyEnd,
  keyScopes,
  lifeField,
  networksField,
  newKeyAnswer,
  presentNewKey,
  requireScopes,
  scopesField,
} from './api-keys.ts'
import { contextOf } from './auth.ts'
import type { ApiDeps } from './deps.ts'
import { generateKey } from './keys.ts'
import { type Answer, type Call, type Route, route } from './route.ts'
import { emailAddress, found, idAnswer, instantAnswer, pathId, text } from './validate.ts'

const memberForm = z.strictObject({ name: text(), email: emailAddress })

const memberAnswer = z.object({
  id: idAnswer('member'),
  customer: idAnswer('customer'),
  name: z.string(),
  email: z.string(),
  role: z.enum(memberRoles),
  status: z.enum(memberStatuses),
  created_at: instantAnswer,
})

const keyForm = z.strictObject({
  label: text(100),
  scopes: scopesField(keyScopes.filter(isReading)).default(['read']),
  allowed_ips: networksField.optional(),
  expires_in_days: lifeField,
})

const tag = 'Customers'
const noCustomer = 'there is no such customer'

const membersPath = '/v1/customers/:id/members'
const keysPath = '/v1/customers/:id/api-keys'

export function customerPeopleRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: membersPath,
      tag,
      summary: 'Let a person of a customer of yours in',
      description:
        'As an owner, who keeps the people and the keys of the customer from then on. The ' +
        'person chooses a password with `POST /v1/password-resets`.',
      access: 'customers.access',
      body: memberForm,
      answers: { 201: { description: 'The member', schema: memberAnswer } },
      refusals: ['invalid_request', 'not_found', 'conflict'],
      handle: (call) => addMember(deps, call),
    }),
    route({
      method: 'POST',
      path: keysPath,
      tag,
      summary: 'Create an API key for a customer of yours',
      description:
        'It reads what is of this customer and changes nothing. It belongs to the member with ' +
        'the address of the customer, who is let in for it, and is kept by the customer.',
      access: 'customers.access',
      body: keyForm,
      answers: { 201: { description: 'Created', schema: newKeyAnswer } },
      refusals: ['invalid_request', 'forbidden', 'not_found', 'conflict'],
      handle: (call) => createKey(deps, call),
    }),
  ]
}

/** A customer of a partner below is visible, and still not ours to let people in. */
async function ownCustomer({
  db,
  principal,
  params,
}: Pick<Call, 'db' | 'principal' | 'params'>): Promise<CustomerRow> {
  const id = pathId('customer', params.id, noCustomer)
  const customer = found(await findCustomer(db, id), noCustomer)
  if (customer.partnerId !== principal.partnerId) throw new DomainError('not_found', noCustomer)
  return customer
}

/** The database as the customer has it, with the caller as the one who acts for it. */
function onBehalfOf(
  { tenancy }: ApiDeps,
  { principal, requestId, ip, caller }: Pick<Call, 'principal' | 'requestId' | 'ip' | 'caller'>,
  { customerId, path }: { customerId: string; path: string },
): Db {
  const acting = { ...principal, level: 'customer' as const, customerId }
  return tenancy.dbFor(contextOf(acting, { requestId, ip, caller, action: `POST ${path}` }))
}

async function addMember(
  deps: ApiDeps,
  call: Call<unknown, z.output<typeof memberForm>>,
): Promise<Answer> {
  const { id: customerId, partnerId } = await ownCustomer(call)
  const { body, operationId: id } = call
  const db = onBehalfOf(deps, call, { customerId, path: membersPath })
  const row = await inTransaction(db, (trx) =>
    memberOf(trx, { ...body, id, partnerId, customerId }),
  )
  if (row.id !== id) {
    throw new DomainError('conflict', 'this address is a member of the customer already')
  }
  return { status: 201, body: presentMember(row, customerId) }
}

/** The member with this address, who is made where it is not there. */
async function memberOf(
  trx: Trx,
  member: { id: string; partnerId: string; customerId: string; name: string; email: string },
): Promise<MemberRow> {
  const id = await recordMember(trx, member)
  return found(await findMember(trx, member, id), noCustomer)
}

async function createKey(
  deps: ApiDeps,
  call: Call<unknown, z.output<typeof keyForm>>,
): Promise<Answer> {
  const { principal, body, operationId } = call
  const { id: customerId, partnerId, name, email } = await ownCustomer(call)
  requireScopes(principal, body.scopes)
  const owner = { partnerId, customerId }
  const kind = body.scopes.some(isNarrow) ? 'restricted' : 'secret'
  const { secret, ...stored } = generateKey(deps.settings.keyMode, kind)
  const db = onBehalfOf(deps, call, { customerId, path: keysPath })
  const row = await inTransaction(db, async (trx) => {
    const member = await memberOf(trx, { id: randomUUIDv7(), ...owner, name, email })
    if (member.status !== 'active') {
      throw new DomainError('conflict', 'the member with the address of the customer is disabled')
    }
    await recordApiKey(trx, {
      ...stored,
      id: operationId,
      memberId: member.id,
      label: body.label,
      scopes: body.scopes,
      allowedIps: body.allowed_ips ?? null,
      expiresAt: keyEnd(await databaseNow(trx), body.expires_in_days),
    })
    return found(await findApiKey(trx, owner, operationId), noCustomer)
  })
  return presentNewKey(row, secret)
}

function presentMember(row: MemberRow, customerId: string) {
  return {
    id: outwardId('member', row.id),
    customer: outwardId('customer', customerId),
    name: row.name,
    email: row.email,
    role: row.role,
    status: row.status,
    created_at: row.createdAt.toISOString(),
  }
}
