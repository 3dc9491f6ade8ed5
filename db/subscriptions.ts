/** Customers of partners and their subscriptions. */
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import type { SubscriptionStatus } from '../domain/subscriptions.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { openedField, openedFields, sealedFields } from './personal-fields.ts'

export type CustomerRow = NonNullable<Awaited<ReturnType<typeof findCustomer>>>

function customerQuery(db: Db) {
  return db
    .selectFrom('customers')
    .select(['id', 'partnerId', 'vendorCustomerId', 'linkId', 'createdAt', 'version'])
    .select(openedFields('customers'))
}

export async function findCustomer(db: Db, id: string) {
  return customerQuery(db).where('id', '=', id).executeTakeFirst()
}

export async function listCustomers(db: Db, page: PageRequest): Promise<Page<CustomerRow>> {
  let query = customerQuery(db)
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

export async function recordCustomer(
  trx: Trx,
  customer: {
    id: string
    partnerId: string
    name: string
    email: string
    /** Through which link of the partner it came. */
    linkId?: string | null
  },
): Promise<CustomerRow> {
  const { name, email, ...kept } = customer
  await trx
    .insertInto('customers')
    .values({
      ...kept,
      ...sealedFields('customers', { id: kept.id, organisation: kept.partnerId }, { name, email }),
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
  return customerQuery(trx).where('id', '=', customer.id).executeTakeFirstOrThrow()
}

export async function markCustomerAtVendor(db: Db, id: string, vendorCustomerId: string) {
  await db
    .updateTable('customers')
    .set({ vendorCustomerId })
    .where('id', '=', id)
    .where('vendorCustomerId', 'is', null)
    .execute()
}

export type SubscriptionRow = NonNullable<Awaited<ReturnType<typeof findSubscription>>>

export async function findSubscription(db: Db, id: string) {
  return db.selectFrom('subscriptions').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function listSubscriptions(db: Db, page: PageRequest): Promise<Page<SubscriptionRow>> {
  let query = db
    .selectFrom('subscriptions')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

/** A subscription with what its set-up needs of customer and package. */
export async function getSubscriptionOrder(db: Db, id: string) {
  const row = await db
    .selectFrom('subscriptions')
    .innerJoin('customers', 'customers.id', 'subscriptions.customerId')
    .innerJoin('featurePackages', 'featurePackages.id', 'subscriptions.featurePackageId')
    .selectAll('subscriptions')
    .select([
      openedField('customers', 'name').as('customerName'),
      openedField('customers', 'email').as('customerEmail'),
      'customers.vendorCustomerId',
      'featurePackages.name as packageName',
      'featurePackages.amountMinor',
      'featurePackages.currency',
      'featurePackages.interval',
      'featurePackages.vendorProductId',
      'featurePackages.vendorPriceId',
    ])
    .where('subscriptions.id', '=', id)
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'there is no such subscription')
  return row
}

/** Whose subscriptions these are, what for, and through which links their customers came. */
export async function listSubscriptionOwners(db: Db, ids: string[]) {
  const { rows } = await sql<{
    id: string
    partnerId: string
    customerId: string
    linkId: string | null
    featurePackageId: string
  }>`
    select id, partner_id, customer_id, feature_package_id,
      -- As a value, not as a join: one look-up for each, however large the table was thought to be.
      (select link_id from customers where id = subscriptions.customer_id) as link_id
    from subscriptions
    where id = any(${ids})`.execute(db)
  return new Map(rows.map((row) => [row.id, row]))
}

export async function recordSubscription(
  trx: Trx,
  order: { id: string; customerId: string; partnerId: string; featurePackageId: string },
): Promise<SubscriptionRow> {
  await trx
    .insertInto('subscriptions')
    .values(order)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
  return trx
    .selectFrom('subscriptions')
    .selectAll()
    .where('id', '=', order.id)
    .executeTakeFirstOrThrow()
}

export async function markSubscriptionOpened(
  db: Db,
  id: string,
  vendor: { subscriptionId: string; invoiceId: string | null },
): Promise<void> {
  await db
    .updateTable('subscriptions')
    .set({
      vendorSubscriptionId: vendor.subscriptionId,
      vendorInvoiceId: vendor.invoiceId,
      // The payment may have been booked before the answer of the creation reached us.
      status: sql`case when status = 'pending' then 'awaiting_payment' else status end`,
    })
    .where('id', '=', id)
    .execute()
}

/** Follows the vendor's state; a canceled subscription never comes back. */
export async function markSubscription(
  db: Db,
  id: string,
  status: SubscriptionStatus,
): Promise<void> {
  await markSubscriptions(db, [id], status)
}

/** The same for many at once. */
export async function markSubscriptions(
  db: Db,
  ids: string[],
  status: SubscriptionStatus,
): Promise<void> {
  await db
    .updateTable('subscriptions')
    .set({
      status,
      ...(status === 'active'
        ? { activatedAt: sql<Date>`coalesce(activated_at, clock_timestamp())` }
        : {}),
      ...(status === 'canceled' ? { canceledAt: sql<Date>`clock_timestamp()` } : {}),
    })
    .where(sql<boolean>`id = any(${ids})`)
    .where('status', 'not in', ['canceled', status])
    .execute()
}

export async function markSubscriptionProblem(db: Db, id: string, problem: string): Promise<void> {
  await db.updateTable('subscriptions').set({ problem }).where('id', '=', id).execute()
}

export async function findSubscriptionByVendorId(db: Db, vendorSubscriptionId: string) {
  return db
    .selectFrom('subscriptions')
    .selectAll()
    .where('vendorSubscriptionId', '=', vendorSubscriptionId)
    .executeTakeFirst()
}

/** Orders whose set-up is not finished; a sweeper starts what is not running. */
export async function listPendingSubscriptions(
  db: Db,
  olderThanSeconds: number,
): Promise<string[]> {
  const rows = await db
    .selectFrom('subscriptions')
    .select('id')
    .where('status', '=', 'pending')
    .where(
      'createdAt',
      '<',
      sql<Date>`clock_timestamp() - make_interval(secs => ${olderThanSeconds})`,
    )
    .orderBy('createdAt')
    .limit(500)
    .execute()
  return rows.map((row) => row.id)
}
