/** Packages that are sold to customers. (`package` is a reserved word in modules.) */
import { DomainError } from '../domain/errors.ts'
import type { CreatedLevel } from '../domain/partners.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

export type FeaturePackageRow = Awaited<ReturnType<typeof getFeaturePackage>>

/** @throws DomainError `not_found` */
export async function getFeaturePackage(db: Db, id: string) {
  const row = await db
    .selectFrom('featurePackages')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such package')
  return row
}

export async function listFeaturePackages(
  db: Db,
  page: PageRequest,
): Promise<Page<FeaturePackageRow>> {
  let query = db
    .selectFrom('featurePackages')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

export interface NewFeaturePackage {
  id: string
  programmeId: string
  name: string
  amountMinor: bigint
  currency: string
  interval: 'month'
  /** The level of the organisation that buying it makes; a customer, unless it says otherwise. */
  creates?: CreatedLevel
  /** How often programs of a customer that has it may ask; null is no limit of its own. */
  apiPerMinute?: number | null
  /** Whether tenants may sell it of which nobody said otherwise; they may when it is left out. */
  autoOffer?: boolean
}

export async function recordFeaturePackage(trx: Trx, featurePackage: NewFeaturePackage) {
  await trx
    .insertInto('featurePackages')
    .values(featurePackage)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
  return getFeaturePackage(trx, featurePackage.id)
}

export async function markFeaturePackagePriced(
  db: Db,
  id: string,
  vendor: { productId: string; priceId: string },
): Promise<void> {
  await db
    .updateTable('featurePackages')
    .set({ vendorProductId: vendor.productId, vendorPriceId: vendor.priceId })
    .where('id', '=', id)
    .execute()
}

/** Packages by their products at the vendor. */
export async function listPackagesByProduct(db: Db, vendorProductIds: string[]) {
  if (vendorProductIds.length === 0) return []
  return db
    .selectFrom('featurePackages')
    .select(['id', 'vendorProductId'])
    .where('vendorProductId', 'in', vendorProductIds)
    .execute()
}
