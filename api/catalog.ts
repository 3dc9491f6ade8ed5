/** Packages that partners sell. */
import { z } from 'zod'
import {
  type FeaturePackageRow,
  getFeaturePackage,
  listFeaturePackages,
  recordFeaturePackage,
} from '../db/catalog.ts'
import { inTransaction } from '../db/database.ts'
import { getProgramme } from '../db/programmes.ts'
import { currencyCodes, currencyOf } from '../domain/currencies.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { createdLevels } from '../domain/partners.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { currencyAnswer, idAnswer, instantAnswer, minorAmount, pathId, text } from './validate.ts'

const packageForm = z
  .strictObject({
    name: text(),
    amount: minorAmount.positive(),
    currency: z.enum(currencyCodes),
    interval: z.enum(['month']),
    creates: z.enum(createdLevels).default('customer'),
    api_per_minute: z.int().min(1).max(1_000_000).optional(),
    auto_offer: z.boolean().default(true),
  })
  .refine(({ amount, currency }) => BigInt(amount) % currencyOf(currency).chargeStep === 0n, {
    path: ['amount'],
    error: 'the payment provider does not charge parts this small in this currency',
  })

const packageAnswer = z.object({
  id: idAnswer('featurePackage'),
  name: z.string(),
  amount: minorAmount,
  currency: currencyAnswer,
  interval: z.enum(['month']),
  creates: z.enum(createdLevels),
  api_per_minute: z.int().nullable(),
  auto_offer: z.boolean(),
  created_at: instantAnswer,
})

export function catalogRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/packages',
      tag: 'Catalog',
      summary: 'Create a package',
      description:
        'It `creates` an organisation of a level, and is sold by those who may create it. ' +
        'Programs of a customer that has it may ask `api_per_minute` times, where that is given. ' +
        'Without `auto_offer` only those tenants sell it to which it is offered.',
      access: 'packages.write',
      effect: 'transaction',
      body: packageForm,
      answers: { 201: { description: 'Created', schema: packageAnswer } },
      refusals: ['invalid_request'],
      handle: async ({ db, body, operationId }) => {
        const { amount, api_per_minute: apiPerMinute = null, ...named } = body
        const { auto_offer: autoOffer, ...form } = named
        const row = await inTransaction(db, async (trx) => {
          const programme = await getProgramme(trx)
          return recordFeaturePackage(trx, {
            ...form,
            apiPerMinute,
            autoOffer,
            id: operationId,
            programmeId: programme.id,
            amountMinor: BigInt(amount),
          })
        })
        const created = presentPackage(row)
        const headers = { Location: `/v1/packages/${created.id}` }
        return { status: 201, body: created, headers }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/packages',
      tag: 'Catalog',
      summary: 'List packages',
      access: 'packages.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(packageAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listFeaturePackages(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentPackage) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/packages/:id',
      tag: 'Catalog',
      summary: 'Read a package',
      access: 'packages.read',
      answers: { 200: { description: 'The package', schema: packageAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('featurePackage', params.id, 'there is no such package')
        return { status: 200, body: presentPackage(await getFeaturePackage(db, id)) }
      },
    }),
  ]
}

function presentPackage(row: FeaturePackageRow) {
  return {
    id: outwardId('featurePackage', row.id),
    name: row.name,
    amount: wireAmount(row.amountMinor),
    currency: row.currency,
    interval: 'month' as const,
    creates: row.creates,
    api_per_minute: row.apiPerMinute,
    auto_offer: row.autoOffer,
    created_at: row.createdAt.toISOString(),
  }
}
