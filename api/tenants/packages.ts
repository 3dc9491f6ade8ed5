/** Which packages a tenant may sell. */
import { z } from 'zod'
import { getFeaturePackage } from '../../db/catalog.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { listOffers, markOffer, type OfferRow } from '../../db/tenant-packages.ts'
import { outwardId } from '../../domain/ids.ts'
import { type Route, route } from '../route.ts'
import { idAnswer, idField } from '../validate.ts'
import { ownTenant } from './own.ts'

const tag = 'Tenants'

const offerForm = z.strictObject({ package: idField('featurePackage'), offered: z.boolean() })

const offersAnswer = z.object({
  data: z.array(
    z.object({ package: idAnswer('featurePackage'), name: z.string(), offered: z.boolean() }),
  ),
})

export function tenantPackageRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tenants/:id/packages',
      tag,
      summary: 'List the packages for customers, and which of them a tenant may sell',
      access: 'tenants.read',
      answers: { 200: { description: 'Newest first, at most 500', schema: offersAnswer } },
      refusals: ['not_found'],
      handle: async (call) => offersOf(call.db, (await ownTenant(call)).id),
    }),
    route({
      method: 'PUT',
      path: '/v1/tenants/:id/packages',
      tag,
      summary: 'Offer a package to a tenant, or offer it no more',
      description: 'What was sold goes on; only new subscriptions are refused.',
      access: 'tenants.limit',
      effect: 'transaction',
      body: offerForm,
      answers: { 200: { description: 'As it is now', schema: offersAnswer } },
      refusals: ['not_found'],
      handle: async (call) => {
        const tenant = await ownTenant(call)
        const { package: featurePackageId, offered: isOffered } = call.body
        await getFeaturePackage(call.db, featurePackageId)
        await inTransaction(call.db, (trx) =>
          markOffer(trx, tenant, { featurePackageId, isOffered }),
        )
        return offersOf(call.db, tenant.id)
      },
    }),
  ]
}

async function offersOf(db: Db, tenantId: string) {
  const rows = await listOffers(db, tenantId)
  return { status: 200, body: { data: rows.map(presentOffer) } }
}

function presentOffer(row: OfferRow) {
  return {
    package: outwardId('featurePackage', row.featurePackageId),
    name: row.name,
    offered: row.isOffered,
  }
}
