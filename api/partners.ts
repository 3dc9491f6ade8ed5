/** Partner organisations. */
import { z } from 'zod'
import { findVisiblePartner, listPartners, type PartnerRow } from '../db/partners.ts'
import { outwardId } from '../domain/ids.ts'
import { partnerLevels, partnerStatuses, partnerTypes } from '../domain/partners.ts'
import { tierNames } from '../domain/tiers.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId } from './validate.ts'

const partnerAnswer = z.object({
  id: idAnswer('partner'),
  name: z.string(),
  level: z.enum(partnerLevels),
  type: z.enum(partnerTypes),
  status: z.enum(partnerStatuses),
  tier: z.enum(tierNames).nullable(),
  parent: idAnswer('partner').nullable(),
  country: z.string(),
  created_at: instantAnswer,
  activated_at: instantAnswer.nullable(),
})

const notFound = 'there is no such partner'

export function partnerRoutes({ db }: ApiDeps): Route[] {
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
      handle: async ({ principal, query }) => {
        const page = await listPartners(db, principal, pageRequest(query))
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
      handle: async ({ principal, params }) => {
        const id = pathId('partner', params.id, notFound)
        const row = found(await findVisiblePartner(db, principal, id), notFound)
        return { status: 200, body: presentPartner(row) }
      },
    }),
  ]
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
    created_at: row.createdAt.toISOString(),
    activated_at: row.activatedAt?.toISOString() ?? null,
  }
}
