/** Links that partners hand to those they win. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { inTransaction, type Trx } from '../db/database.ts'
import {
  findLink,
  isOpenLink,
  listLinks,
  type PartnerLinkRow,
  recordLink,
} from '../db/partner-links.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId, text } from './validate.ts'

const linkForm = z.strictObject({
  name: text(),
  code: z
    .string()
    .regex(/^[A-Za-z0-9_-]{3,64}$/, 'expected 3 to 64 letters without accents, digits, - and _')
    .optional(),
})

const linkAnswer = z.object({
  id: idAnswer('link'),
  partner: idAnswer('partner'),
  name: z.string(),
  code: z.string(),
  created_at: instantAnswer,
})

const noLink = 'there is no such link'

// Eight characters in the alphabet of addresses.
const newCode = () => randomBytes(6).toString('base64url')

export function partnerLinkRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/links',
      tag: 'Links',
      summary: 'Create a link of yours',
      description: 'The code is made up where it is left out.',
      access: 'links.write',
      effect: 'transaction',
      body: linkForm,
      answers: { 201: { description: 'Created', schema: linkAnswer } },
      refusals: ['invalid_request', 'conflict', 'partner_not_active'],
      handle: async ({ db, principal: { partnerId }, body, operationId }) => {
        if (!partnerId) throw new DomainError('level_not_allowed', 'only partners have links')
        const { name, code = newCode() } = body
        const row = await inTransaction(db, (trx) =>
          recordLink(trx, { id: operationId, partnerId, name, code }),
        )
        const created = presentLink(row)
        const headers = { Location: `/v1/links/${created.id}` }
        return { status: 201, body: created, headers }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/links',
      tag: 'Links',
      summary: 'List links',
      description: 'Yours and those of everyone below you.',
      access: 'links.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(linkAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listLinks(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentLink) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/links/:id',
      tag: 'Links',
      summary: 'Read a link',
      access: 'links.read',
      answers: { 200: { description: 'The link', schema: linkAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('link', params.id, noLink)
        const row = found(await findLink(db, id), noLink)
        return { status: 200, body: presentLink(row) }
      },
    }),
  ]
}

/**
 * The link through which a new customer of the partner came; null for none.
 * @throws DomainError `invalid_request`, the same for another's link as for one that never was.
 */
export async function linkOfCustomer(
  trx: Trx,
  { link, partnerId }: { link: string | undefined; partnerId: string },
): Promise<string | null> {
  if (link === undefined) return null
  if (await isOpenLink(trx, { id: link, partnerId })) return link
  throw new DomainError('invalid_request', 'body: the link is not one of yours', {
    fields: [{ pointer: '/link', code: 'invalid', detail: 'there is no such link of yours' }],
  })
}

function presentLink(row: PartnerLinkRow) {
  return {
    id: outwardId('link', row.id),
    partner: outwardId('partner', row.partnerId),
    name: row.name,
    code: row.code,
    created_at: row.createdAt.toISOString(),
  }
}
