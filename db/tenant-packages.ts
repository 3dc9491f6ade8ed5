/** Which packages a tenant may sell. */
import { sql } from 'kysely'
import type { Db, Trx } from './database.ts'

interface OfTenant {
  id: string
  partnerId: string
}

/**
 * Offers a new tenant what there is for customers; a repeated step leaves what is there, and what
 * is made later is offered by itself.
 */
export async function recordOffers(trx: Trx, { id, partnerId }: OfTenant): Promise<void> {
  await sql`insert into tenant_packages (tenant_id, feature_package_id, partner_id, is_offered)
    select ${id}, feature_packages.id, ${partnerId}, auto_offer from feature_packages
    where creates = 'customer'
    on conflict do nothing`.execute(trx)
}

/** Whether the partner may sell the package; without a word about it, as the package says. */
export async function isOffered(
  db: Db,
  { partnerId, featurePackageId }: { partnerId: string; featurePackageId: string },
): Promise<boolean> {
  const { rows } = await sql<{ offered: boolean }>`
    select coalesce(own.is_offered, package.auto_offer) as offered
    from feature_packages package
    left join tenant_packages own
      on own.feature_package_id = package.id and own.partner_id = ${partnerId}
    where package.id = ${featurePackageId}`.execute(db)
  return rows[0]?.offered ?? false
}

export interface OfferRow {
  featurePackageId: string
  name: string
  isOffered: boolean
}

/** Every package for customers, with whether this tenant may sell it; at most 500, newest first. */
export async function listOffers(db: Db, tenantId: string): Promise<OfferRow[]> {
  const { rows } = await sql<OfferRow>`
    select package.id as feature_package_id, package.name,
      coalesce(own.is_offered, package.auto_offer) as is_offered
    from feature_packages package
    left join tenant_packages own
      on own.feature_package_id = package.id and own.tenant_id = ${tenantId}
    where package.creates = 'customer'
    order by package.id desc limit 500`.execute(db)
  return rows
}

export async function markOffer(
  trx: Trx,
  tenant: OfTenant,
  offer: { featurePackageId: string; isOffered: boolean },
): Promise<void> {
  await trx
    .insertInto('tenantPackages')
    .values({ tenantId: tenant.id, partnerId: tenant.partnerId, ...offer })
    .onConflict((conflict) =>
      conflict
        .columns(['tenantId', 'featurePackageId'])
        .doUpdateSet({ isOffered: offer.isOffered }),
    )
    .execute()
}
