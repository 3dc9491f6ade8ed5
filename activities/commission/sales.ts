/** Whose sales paid invoices are, and in which runs they are booked. */
import { listPackagesByProduct } from '../../db/catalog.ts'
import type { Db } from '../../db/database.ts'
import { listRoots } from '../../db/partners.ts'
import { listTenantOwners } from '../../db/provisioning.ts'
import { listSubscriptionOwners } from '../../db/subscriptions.ts'
import { DomainError } from '../../domain/errors.ts'
import { uuidOf } from '../../domain/ids.ts'
import { inOrderOfPayment } from '../../domain/subscriptions.ts'
import type { PaidInvoice } from '../../integrations/stripe-billing.ts'

/** Whose sale an invoice was. A platform invoice is the partner's own fee. */
export interface Sale {
  kind: 'customer' | 'platform'
  partnerId: string
  customerId: string | null
  /** Through which link the customer came; null is none. */
  linkId: string | null
  subscriptionId: string | null
  packageId: string | null
}

/**
 * The sale of each invoice; null for one that is not ours.
 * @throws DomainError `not_found` where an invoice names a subscription that does not exist.
 */
export async function readSales(db: Db, invoices: PaidInvoice[]): Promise<(Sale | null)[]> {
  const named = invoices.map(({ metadata }) => ({
    partnerId: metadata.kind === 'platform' ? uuidOf('partner', metadata.partner ?? '') : null,
    subscriptionId:
      metadata.kind === 'platform' ? null : uuidOf('subscription', metadata.subscription ?? ''),
  }))
  const tenants = await listTenantOwners(
    db,
    named.flatMap(({ partnerId }) => partnerId ?? []),
  )
  const owners = await listSubscriptionOwners(
    db,
    named.flatMap(({ subscriptionId }) => subscriptionId ?? []),
  )
  return named.map(({ partnerId, subscriptionId }): Sale | null => {
    if (partnerId && tenants.has(partnerId)) return platformSale(partnerId)
    if (!subscriptionId) return null
    const owner = owners.get(subscriptionId)
    if (!owner) throw new DomainError('not_found', 'there is no such subscription')
    const { customerId, linkId, featurePackageId } = owner
    const packageId = featurePackageId
    return {
      kind: 'customer',
      partnerId: owner.partnerId,
      customerId,
      linkId,
      subscriptionId,
      packageId,
    }
  })
}

const platformSale = (partnerId: string): Sale => ({
  kind: 'platform',
  partnerId,
  customerId: null,
  linkId: null,
  subscriptionId: null,
  packageId: null,
})

/** Our packages by the products that the lines of the invoices name. */
export async function readPackages(db: Db, invoices: PaidInvoice[]): Promise<Map<string, string>> {
  const products = invoices.flatMap(({ lines }) => lines.flatMap(({ product }) => product ?? []))
  const packages = await listPackagesByProduct(db, [...new Set(products)])
  return new Map(packages.map(({ id, vendorProductId }) => [vendorProductId ?? '', id]))
}

export interface InvoiceOfSale {
  invoice: PaidInvoice
  sale: Sale
}

/** So many are booked at once; few invoices are not worth a second transaction. */
const lanes = 2
const fewInvoices = 50

/**
 * Parts that can be booked beside each other: all sales below one root stay together and in order,
 * so that nobody earns in two of them, and none waits for another.
 */
export async function lanesOf(db: Db, sales: InvoiceOfSale[]): Promise<InvoiceOfSale[][]> {
  // A transaction is one connection, on which nothing runs beside anything.
  if (db.isTransaction || sales.length < fewInvoices) return [sales]
  const roots = await listRoots(db, [...new Set(sales.map(({ sale }) => sale.partnerId))])
  const rootOf = ({ sale }: InvoiceOfSale) => roots.get(sale.partnerId) ?? sale.partnerId
  const sizes = Map.groupBy(sales, rootOf)
  const laneOf = new Map<string, number>()
  const loads = Array.from({ length: lanes }, () => 0)
  for (const [root, own] of [...sizes].sort(([, a], [, b]) => b.length - a.length)) {
    const lane = loads.indexOf(Math.min(...loads))
    laneOf.set(root, lane)
    loads[lane] = (loads[lane] ?? 0) + own.length
  }
  return loads.map((_, lane) => sales.filter((one) => laneOf.get(rootOf(one)) === lane))
}

/** One payment of an invoice that is a sale of ours. */
export interface PaymentOfSale extends InvoiceOfSale {
  payment: PaidInvoice['payments'][number]
  /** True where no payment of the invoice comes after it. */
  last: boolean
}

/**
 * The payments in runs, all in the order in which they came. Within a run every customer pays once,
 * because its first payment decides the terms of its next.
 */
export function runsOf(sales: InvoiceOfSale[]): PaymentOfSale[][] {
  const runs: PaymentOfSale[][] = []
  let payers = new Set<string>()
  for (const { invoice, sale } of sales) {
    const payments = inOrderOfPayment(invoice.payments)
    for (const payment of payments) {
      const payer = sale.customerId ?? payment.paymentId
      if (runs.length === 0 || payers.has(payer)) {
        runs.push([])
        payers = new Set()
      }
      payers.add(payer)
      runs.at(-1)?.push({ invoice, sale, payment, last: payment === payments.at(-1) })
    }
  }
  return runs
}
