/** Partner organisations. */
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import {
  findPartner,
  getPartner,
  listPartners,
  type PartnerRow,
  recordStatusChange,
} from '../db/partners.ts'
import { outwardId } from '../domain/ids.ts'
import { partnerLevels, partnerStatuses, partnerTypes } from '../domain/partners.ts'
import { tierNames } from '../domain/tiers.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId, text } from './validate.ts'

const partnerAnswer = z.object({
  id: idAnswer('partner'),
  name: z.string(),
  level: z.enum(partnerLevels),
  type: z.enum(partnerTypes),
  status: z.enum(partnerStatuses),
  tier: z.enum(tierNames).nullable(),
  parent: idAnswer('partner').nullable(),
  country: z.string(),
  terms_outdated: z.boolean(),
  created_at: instantAnswer,
  activated_at: instantAnswer.nullable(),
})

const statusForm = z.strictObject({ reason: text(500) })

const notFound = 'there is no such partner'

export function partnerRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/partners',
      tag: 'Partners',
      summary: 'List partners',
      description: 'Yourself and everyone below you.',
      access: 'partners.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(partnerAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listPartners(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentPartner) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/partners/:id',
      tag: 'Partners',
      summary: 'Read a partner',
      access: 'partners.read',
      answers: { 200: { description: 'The partner', schema: partnerAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('partner', params.id, notFound)
        const row = found(await findPartner(db, id), notFound)
        return { status: 200, body: presentPartner(row) }
      },
    }),
    ...statusRoutes(),
  ]
}

function statusRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/partners/:id/suspend',
      tag: 'Partners',
      summary: 'Suspend a partner',
      description: 'It and everyone below it read on, and change nothing.',
      access: 'partners.suspend',
      effect: 'transaction',
      body: statusForm,
      answers: { 200: { description: 'Suspended', schema: partnerAnswer } },
      refusals: ['not_found', 'conflict'],
      handle: (call) => changeStatus(call, 'suspended'),
    }),
    route({
      method: 'POST',
      path: '/v1/partners/:id/activate',
      tag: 'Partners',
      summary: 'Let a suspended partner back in',
      description: 'Whom the platform owner suspended, only the platform owner lets back in.',
      access: 'partners.suspend',
      effect: 'transaction',
      body: statusForm,
      answers: { 200: { description: 'Active again', schema: partnerAnswer } },
      refusals: ['not_found', 'conflict', 'forbidden'],
      handle: (call) => changeStatus(call, 'active'),
    }),
  ]
}

async function changeStatus(
  call: Call<unknown, z.output<typeof statusForm>>,
  status: 'active' | 'suspended',
) {
  const { db, params, body, operationId } = call
  const partnerId = pathId('partner', params.id, notFound)
  await inTransaction(db, (trx) =>
    recordStatusChange(trx, { id: operationId, partnerId, status, reason: body.reason }),
  )
  return { status: 200, body: presentPartner(await getPartner(db, partnerId)) }
}

function presentPartner(row: PartnerRow) {
  return {
    id: outwardId('partner', row.id),
    name: row.name,
    level: row.level,
    type: row.type,
    status: row.status,
    tier: row.tier,
    parent: row.parentId && outwardId('partner', row.parentId),
    country: row.country,
    terms_outdated: row.termsOutdated,
    created_at: row.createdAt.toISOString(),
    activated_at: row.activatedAt?.toISOString() ?? null,
  }
}
