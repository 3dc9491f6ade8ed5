/** How much a tenant may hold, beside how much it does. */
import { z } from 'zod'
import { inTransaction } from '../../db/database.ts'
import {
  findQuotas,
  getUse,
  lockQuotas,
  markQuotas,
  type TenantQuotasRow,
} from '../../db/tenant-quotas.ts'
import { outwardId } from '../../domain/ids.ts'
import type { TenantQuotas } from '../../domain/provisioning.ts'
import { etagOf, requireMatch } from '../etag.ts'
import { type Route, route } from '../route.ts'
import { found, idAnswer } from '../validate.ts'
import { noTenant, ownTenant } from './own.ts'

const tag = 'Tenants'

const count = z.int().min(0).max(2_147_483_647)
const some = z.int().min(1).max(2_147_483_647)

const quotasForm = z
  .strictObject({
    customers: count.nullable(),
    members: some.nullable(),
    api_keys: some.nullable(),
    storage_bytes: z.int().min(0).nullable(),
    api_per_minute: some.nullable(),
  })
  .partial()

const limitAnswer = z.int().nullable()
const quotasAnswer = z.object({
  tenant: idAnswer('tenant'),
  limits: z.object({
    customers: limitAnswer,
    members: limitAnswer,
    api_keys: limitAnswer,
    storage_bytes: limitAnswer,
    api_per_minute: limitAnswer,
  }),
  use: z.object({
    customers: z.int(),
    members: z.int(),
    api_keys: z.int(),
    storage_bytes: z.int(),
  }),
})

export function quotaRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tenants/:id/quotas',
      tag,
      summary: 'Read how much a tenant may hold, and how much it holds',
      description: 'A limit that is null is none. Members are counted with open invitations.',
      access: 'tenants.read',
      answers: { 200: { description: 'With its ETag', schema: quotasAnswer } },
      refusals: ['not_found'],
      handle: async (call) => {
        const tenant = await ownTenant(call)
        const row = found(await findQuotas(call.db, tenant.id), noTenant)
        return answerOf(row, await getUse(call.db, tenant.partnerId))
      },
    }),
    route({
      method: 'PATCH',
      path: '/v1/tenants/:id/quotas',
      tag,
      summary: 'Change how much a tenant may hold',
      description:
        'What it holds already stays, also where the new limit is lower. Send the ETag that you ' +
        'have read as If-Match.',
      access: 'tenants.limit',
      effect: 'transaction',
      body: quotasForm,
      answers: { 200: { description: 'As it is now', schema: quotasAnswer } },
      refusals: ['not_found', 'precondition_required', 'precondition_failed'],
      handle: async (call) => {
        const tenant = await ownTenant(call)
        await inTransaction(call.db, async (trx) => {
          const { version } = await lockQuotas(trx, tenant.id)
          requireMatch(call.header('If-Match'), version)
          await markQuotas(trx, tenant.id, changeOf(call.body))
        })
        const row = found(await findQuotas(call.db, tenant.id), noTenant)
        return answerOf(row, await getUse(call.db, tenant.partnerId))
      },
    }),
  ]
}

function changeOf(form: z.output<typeof quotasForm>): Partial<TenantQuotas> {
  const named = {
    customers: form.customers,
    members: form.members,
    apiKeys: form.api_keys,
    storageBytes: form.storage_bytes,
    apiPerMinute: form.api_per_minute,
  }
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined))
}

function answerOf(row: TenantQuotasRow, use: Awaited<ReturnType<typeof getUse>>) {
  const body = {
    tenant: outwardId('tenant', row.tenantId),
    limits: {
      customers: row.customers,
      members: row.members,
      api_keys: row.apiKeys,
      storage_bytes: row.storageBytes === null ? null : Number(row.storageBytes),
      api_per_minute: row.apiPerMinute,
    },
    use: {
      customers: use.customers,
      members: use.members,
      api_keys: use.apiKeys,
      storage_bytes: use.storageBytes,
    },
  }
  return { status: 200, body, headers: { ETag: etagOf(row.version) } }
}
